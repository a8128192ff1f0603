"""The plan of fusions: which rows are merged with which (arXiv 2510.23160, Section 3.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ...records.hashing import tagged_hash
from ...records.vocabulary import Fold, PairKind
from .matching import match_across

_ID_DIGITS = 16


@dataclass(frozen=True)
class Operand:
    """One side of a pair: a row of the pool, or the variant that an earlier fusion carries forward."""

    kind: Literal["row", "fusion"]
    id: str


@dataclass(frozen=True)
class PlannedPair:
    """One fusion to run.

    `id` is a hash of kind and operands. `cluster` is the number of the cluster, None for inter pairs.
    `depth` is the number of fusions on the longest way from a row to this one's result: 1 where both
    operands are rows.
    """

    id: str
    kind: PairKind
    cluster: int | None
    depth: int
    left: Operand
    right: Operand


@dataclass(frozen=True)
class Plan:
    """All planned pairs, intra before inter; an operand that is a fusion stands before the pair that uses it.

    `left_over` are the representatives (row ids) that no inter pair could take.
    """

    pairs: tuple[PlannedPair, ...]
    left_over: tuple[str, ...]


def make_pairs(
    representatives: Sequence[Sequence[str]],
    *,
    seed: int,
    fold: Fold = "left",
    kinds: Sequence[PairKind] = ("intra", "inter"),
) -> Plan:
    """Plan intra and inter pairs over clusters of representatives, given as row ids, most central first.

    *Intra*: the representatives of a cluster are merged until one is left: `left` merges each next one into
    the result so far, `tree` merges neighbours and repeats (less depth). *Inter*: representatives of
    different clusters, each used at most once, as many pairs as clusters allow, drawn by ids and `seed` so
    that one row more or less changes few of them (see `matching`). A row id that occurs twice raises
    ValueError.

    >>> plan = make_pairs([["a", "b", "c"], ["d"]], seed=0)
    >>> [(pair.kind, pair.depth, pair.left.kind, pair.right.id) for pair in plan.pairs[:2]]
    [('intra', 1, 'row', 'b'), ('intra', 2, 'fusion', 'c')]
    >>> sum(pair.kind == "inter" for pair in plan.pairs), len(plan.left_over)
    (1, 2)
    """
    counts = Counter(row for cluster in representatives for row in cluster)
    if counts and counts.most_common(1)[0][1] > 1:
        msg = f"row id {counts.most_common(1)[0][0]!r} represents more than one cluster"
        raise ValueError(msg)
    pairs: list[PlannedPair] = []
    left_over: list[str] = []
    if "intra" in kinds:
        for number, cluster in enumerate(representatives):
            pairs.extend(_fold_cluster(cluster, number, fold))
    if "inter" in kinds:
        cluster_of = {row: number for number, cluster in enumerate(representatives) for row in cluster}
        matched, left_over = match_across(cluster_of, seed)
        pairs.extend(
            _pair("inter", None, 1, Operand("row", left), Operand("row", right)) for left, right in matched
        )
    return Plan(tuple(pairs), tuple(left_over))


def _pair(kind: PairKind, cluster: int | None, depth: int, left: Operand, right: Operand) -> PlannedPair:
    operands = [[left.kind, left.id], [right.kind, right.id]]
    digest = tagged_hash("pair", {"kind": kind, "operands": operands})
    return PlannedPair(digest[:_ID_DIGITS], kind, cluster, depth, left, right)


def _fold_cluster(rows: Sequence[str], number: int, fold: Fold) -> list[PlannedPair]:
    """The chain or tree of pairs that merges `rows` into one."""
    made: list[PlannedPair] = []
    level = [(Operand("row", row), 0) for row in rows]
    while len(level) > 1:
        merged = []
        # a left fold merges only the first two of a level, a tree all of them two by two
        stop = 2 if fold == "left" else len(level) - len(level) % 2
        for at in range(0, stop, 2):
            (left, left_depth), (right, right_depth) = level[at : at + 2]
            pair = _pair("intra", number, 1 + max(left_depth, right_depth), left, right)
            made.append(pair)
            merged.append((Operand("fusion", pair.id), pair.depth))
        level = [*merged, *level[stop:]]
    return made
