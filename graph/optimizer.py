"""The symbolic prompt optimizer (SPO, Section 3.3): which template comes next, by what is unmet.

Pure and total: every set of unmet conditions, number of attempts and budget has one answer. The functions
are the conditional edges of the variant graph; their routes stand in the table of templates.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from ..nodes.templates import by_figure, writers_of
from ..records.hashing import tagged_hash
from ..records.vocabulary import Condition, Cycle, FusionAblation

ACCEPT, EXHAUSTED, UNMET = "accept", "exhausted", "anything unmet"
MERGE_TEMPLATE = "merged_corpus_generation"
# with the optimizer switched off: what wrote the first attempt of Cycle 1, and the first template of Cycle 2,
# which has no first attempt of its own
_ALWAYS: dict[int, str] = {1: MERGE_TEMPLATE, 2: "missing_answer"}


def routes(cycle: int, ablate: FusionAblation = "none") -> dict[str, str]:
    """The routes of a cycle by their names, each with the template that it leads to (Fig. 14-24).

    Without `spo` there is one, whatever is unmet.
    """
    if ablate == "spo":
        return {UNMET: _ALWAYS[cycle]}
    return {writer.route: writer.name for writer in by_figure(writers_of(cycle))}


def next_route(
    cycle: Cycle,
    unmet: Collection[Condition],
    attempts: int,
    budget: int,
    ablate: FusionAblation = "none",
) -> str:
    """The route after attempt number `attempts` (from 1) of a cycle, `budget` being the most attempts.

    It is one of the cycle's routes, ACCEPT or EXHAUSTED.
    """
    if not unmet:
        return ACCEPT
    if attempts >= budget:
        return EXHAUSTED
    if ablate == "spo":
        return UNMET
    return next(writer.route for writer in writers_of(cycle) if set(unmet).issuperset(writer.unmet))


def least(losses: Sequence[int] | Sequence[tuple[int, int]], *tie_break: str | int) -> int:
    """The position of the least loss; ties are drawn by a generator keyed with `tie_break`."""
    fewest = min(losses)
    candidates = [i for i, loss in enumerate(losses) if loss == fewest]
    drawn = random.Random(tagged_hash("tie", list(tie_break)))
    return drawn.choice(candidates)
