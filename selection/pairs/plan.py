"""The plan of fusions: which rows are merged with which (arXiv 2510.23160, Section 3.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ...records.hashing import tagged_hash
from ...records.vocabulary import Fold, PairKind

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
    different clusters, each used at most once, paired by a shuffle of their ids under `seed`, as many pairs
    as clusters allow. A row id that occurs twice raises ValueError.

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
    left_over: tuple[str, ...] = ()
    if "intra" in kinds:
        for number, cluster in enumerate(representatives):
            pairs.extend(_fold_cluster(cluster, number, fold))
    if "inter" in kinds:
        matched, left_over = _match(representatives, seed)
        pairs.extend(
            _pair("inter", None, 1, Operand("row", left), Operand("row", right)) for left, right in matched
        )
    return Plan(tuple(pairs), left_over)


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


def _match(clusters: Sequence[Sequence[str]], seed: int) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """A largest matching of rows in different clusters, shuffled by id and seed; the rows left over."""
    cluster_of = {row: number for number, rows in enumerate(clusters) for row in rows}
    shuffled = sorted(cluster_of, key=lambda row: tagged_hash("inter", [seed, row]))
    sizes = Counter(cluster_of.values())
    if not sizes:
        return [], ()
    largest, size = sizes.most_common(1)[0]
    others = [row for row in shuffled if cluster_of[row] != largest]
    if size >= len(others):
        inside = [row for row in shuffled if cluster_of[row] == largest]
        return list(zip(others, inside, strict=False)), tuple(inside[len(others) :])
    # no cluster holds as much as half, so one row less leaves none with more than half
    left_over = shuffled[-1:] if len(shuffled) % 2 else []
    kept = shuffled[: len(shuffled) - len(left_over)]
    pairs = [(kept[at], kept[at + 1]) for at in range(0, len(kept), 2)]
    return _separate(pairs, cluster_of), tuple(left_over)


def _separate(pairs: list[tuple[str, str]], cluster_of: dict[str, int]) -> list[tuple[str, str]]:
    """Swap partners until no pair lies in one cluster.

    A pair inside cluster c always finds one without a row of c to swap with: of P pairs' 2P rows at most P
    are in c, two of them here, so the other P - 1 pairs hold at most P - 2.
    """
    for at, (left, right) in enumerate(pairs):
        inside = cluster_of[left]
        if cluster_of[right] != inside:
            continue
        for step in range(1, len(pairs)):
            other = (at + step) % len(pairs)
            first, second = pairs[other]
            if inside not in (cluster_of[first], cluster_of[second]):
                pairs[at], pairs[other] = (left, first), (right, second)
                break
    return pairs
