"""The symbolic prompt optimizer (SPO, Section 3.3): which template comes next, by what is unmet.

Pure and total: every set of unmet conditions, number of attempts and budget has one answer. The functions
are the conditional edges of the variant graph.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence
from typing import Literal, TypeAlias

from ..nodes.revision import RevisionTemplate
from ..records.rows import tagged_hash
from .loss import Condition

UpdateTemplate: TypeAlias = Literal["missing_answer", "redundant"]

ACCEPT, EXHAUSTED = "accept", "exhausted"

# Routes, named by the unmet conditions that take them, to templates. The first that holds is taken, so each
# names only what decides: without a question its context and answer are unmet as well (Fig. 16-24).
REVISIONS: dict[tuple[Condition, ...], RevisionTemplate] = {
    ("terms", "question"): "terms_question",
    ("question",): "question",
    ("terms", "context", "answer"): "terms_context_answer",
    ("terms", "context"): "terms_context",
    ("terms", "answer"): "terms_answer",
    ("terms",): "terms",
    ("context", "answer"): "context_answer",
    ("context",): "context",
    ("answer",): "answer",
}
# likewise for the last answer (Fig. 14 and 15)
UPDATES: dict[tuple[Condition, ...], UpdateTemplate] = {
    ("direct_answer",): "missing_answer",
    ("nothing_to_remove",): "redundant",
}


def label(conditions: Sequence[Condition]) -> str:
    """The name of a route, as the drawing shows it on the edge."""
    return f"{' + '.join(conditions)} unmet".replace("_", " ")


REVISION_ROUTES: dict[str, RevisionTemplate] = {label(unmet): name for unmet, name in REVISIONS.items()}
UPDATE_ROUTES: dict[str, UpdateTemplate] = {label(unmet): name for unmet, name in UPDATES.items()}


def next_revision(unmet: Collection[Condition], attempts: int, budget: int) -> str:
    """The route after attempt number `attempts` (from 1) of Cycle 1, `budget` being the most attempts.

    It is one of REVISION_ROUTES, ACCEPT or EXHAUSTED.
    """
    return _route(unmet, attempts, budget, REVISIONS)


def next_update(unmet: Collection[Condition], attempts: int, budget: int) -> str:
    """The route after attempt number `attempts` (from 1) of Cycle 2.

    It is one of UPDATE_ROUTES, ACCEPT or EXHAUSTED.
    """
    return _route(unmet, attempts, budget, UPDATES)


def _route(
    unmet: Collection[Condition], attempts: int, budget: int, routes: Iterable[tuple[Condition, ...]]
) -> str:
    conditions = set(unmet)
    if not conditions:
        return ACCEPT
    if attempts >= budget:
        return EXHAUSTED
    return next(label(decisive) for decisive in routes if conditions.issuperset(decisive))


def least(losses: Sequence[int], *tie_break: str | int) -> int:
    """The position of the least loss; ties are drawn by a generator keyed with `tie_break`."""
    candidates = [i for i, loss in enumerate(losses) if loss == min(losses)]
    drawn = random.Random(tagged_hash("tie", list(tie_break)))
    return drawn.choice(candidates)
