"""How many pairs of a plan are fused: a random sample, drawn by the seed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from ...records.hashing import tagged_hash
from ...records.vocabulary import VARIANTS
from .plan import PlannedPair


def draw_pairs(
    pairs: Sequence[PlannedPair],
    *,
    seed: int,
    intra: int | None = None,
    inter: int | None = None,
    rows: int | None = None,
) -> tuple[PlannedPair, ...]:
    """Of the planned `pairs` so many of each kind, in the order of the plan; all where no number is given.

    `intra` and `inter` are numbers of pairs, `rows` is one of fused rows: see `most_rows`. A cluster is drawn
    whole, since a fold that is cut short wastes its beginning; so up to a cluster more than asked for is
    drawn, and fewer only where there are no more. A larger `rows`, or without `rows` a larger number of a
    kind, draws all that the smaller one does.

    >>> from entp.selection import make_pairs
    >>> plan = make_pairs([["a", "b", "c"], ["d", "e"], ["f"]], seed=0)
    >>> [pair.kind for pair in draw_pairs(plan.pairs, seed=0, intra=1, inter=2)]
    ['intra', 'intra', 'inter', 'inter']
    """
    wholes: dict[str, list[PlannedPair]] = {}
    for pair in pairs:
        wholes.setdefault(pair.id if pair.cluster is None else f"cluster {pair.cluster}", []).append(pair)
    given = {"intra": intra, "inter": inter, "rows": rows}
    wanted = {name: math.inf if number is None else number for name, number in given.items()}
    taken: Counter[str] = Counter()
    drawn: set[str] = set()
    # the number of a cluster depends on all other rows, the id of its first pair does not
    for whole in sorted(wholes.values(), key=lambda whole: tagged_hash("drawn", [seed, whole[0].id])):
        kind = whole[0].kind
        if any(taken[name] >= wanted[name] for name in (kind, "rows")):
            continue
        taken.update({kind: len(whole), "rows": most_rows(whole)})
        drawn.update(pair.id for pair in whole)
    return tuple(pair for pair in pairs if pair.id in drawn)


def most_rows(pairs: Iterable[PlannedPair]) -> int:
    """The most fused rows that whole clusters and inter pairs give to data sets, where no fusion fails.

    Each pair gives three; one that a later pair takes up is in no data set.
    """
    return sum(VARIANTS - sum(side.kind == "fusion" for side in (pair.left, pair.right)) for pair in pairs)
