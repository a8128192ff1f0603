"""The symbolic prompt optimizer (SPO, Section 3.3): which template comes next, by what is unmet.

Pure and total: every set of unmet conditions, number of attempts and budget has one answer. The functions
are the conditional edges of the variant graph; their routes stand in the table of templates.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from ..nodes.templates import writers_of
from ..records.hashing import tagged_hash
from ..records.vocabulary import Condition, Cycle

ACCEPT, EXHAUSTED = "accept", "exhausted"


def routes(cycle: Cycle) -> dict[str, str]:
    """The routes of a cycle by their names, each with the template that it leads to (Fig. 14-24)."""
    return {writer.route: writer.name for writer in writers_of(cycle)}


def next_route(cycle: Cycle, unmet: Collection[Condition], attempts: int, budget: int) -> str:
    """The route after attempt number `attempts` (from 1) of a cycle, `budget` being the most attempts.

    It is one of the cycle's routes, ACCEPT or EXHAUSTED.
    """
    if not unmet:
        return ACCEPT
    if attempts >= budget:
        return EXHAUSTED
    return next(writer.route for writer in writers_of(cycle) if set(unmet).issuperset(writer.unmet))


def least(losses: Sequence[int] | Sequence[tuple[int, int]], *tie_break: str | int) -> int:
    """The position of the least loss; ties are drawn by a generator keyed with `tie_break`."""
    fewest = min(losses)
    candidates = [i for i, loss in enumerate(losses) if loss == fewest]
    drawn = random.Random(tagged_hash("tie", list(tie_break)))
    return drawn.choice(candidates)
