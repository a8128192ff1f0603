"""The symbolic prompt optimizer (SPO, Section 3.3): which template comes next, by what is unmet.

Pure and total: every set of unmet conditions, number of attempts and budget has one answer. The functions
are the conditional edges of the variant graph.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from typing import Literal, TypeAlias

from ..nodes.revision import RevisionTemplate
from ..records.rows import tagged_hash
from .loss import Condition

UpdateTemplate: TypeAlias = Literal["missing_answer", "redundant"]
End: TypeAlias = Literal["accept", "exhausted"]

# (terms unmet, context unmet, answer unmet) -> template, where there is a question (Fig. 16-19, 22-24)
REVISIONS: dict[tuple[bool, bool, bool], RevisionTemplate] = {
    (True, False, False): "terms",
    (True, False, True): "terms_answer",
    (True, True, False): "terms_context",
    (True, True, True): "terms_context_answer",
    (False, True, False): "context",
    (False, True, True): "context_answer",
    (False, False, True): "answer",
}


def next_revision(unmet: Collection[Condition], attempts: int, budget: int) -> RevisionTemplate | End:
    """What follows attempt number `attempts` (from 1) of Cycle 1, `budget` being the most attempts."""
    conditions = set(unmet)
    if not conditions:
        return "accept"
    if attempts >= budget:
        return "exhausted"
    if "question" in conditions:
        return "terms_question" if "terms" in conditions else "question"
    return REVISIONS["terms" in conditions, "context" in conditions, "answer" in conditions]


def next_update(unmet: Collection[Condition], attempts: int, budget: int) -> UpdateTemplate | End:
    """What follows attempt number `attempts` (from 1) of Cycle 2, `budget` being the most attempts."""
    conditions = set(unmet)
    if not conditions:
        return "accept"
    if attempts >= budget:
        return "exhausted"
    return "missing_answer" if "direct_answer" in conditions else "redundant"


def least(losses: Sequence[int], *tie_break: str | int) -> int:
    """The position of the least loss; ties are drawn by a generator keyed with `tie_break`."""
    candidates = [i for i, loss in enumerate(losses) if loss == min(losses)]
    drawn = random.Random(tagged_hash("tie", list(tie_break)))
    return drawn.choice(candidates)
