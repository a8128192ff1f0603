"""Which representatives meet in inter pairs: a matching that one row more or less hardly changes.

Rows lie in a binary trie over seeded hashes of their ids. What one half of a part of the trie leaves over is
paired with what the other half leaves over, as far as they are of different clusters, and the rest goes up. A
row that comes or goes changes pairs on its own way to the root only; in a shuffle, it would change all pairs
after it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from ...records.hashing import tagged_hash

_BITS = 256


class _Keyed(NamedTuple):
    """A row under its hash; rows are compared by it."""

    key: int
    row: str
    cluster: int


_Pair: TypeAlias = tuple[_Keyed, _Keyed]


class Matching(NamedTuple):
    """Pairs of rows of different clusters, and the rows that are left over, all in the order of hashes."""

    pairs: list[tuple[str, str]]
    left_over: list[str]


def match_across(cluster_of: Mapping[str, int], seed: int) -> Matching:
    """A largest matching of rows of different clusters, given as the cluster's number by row id.

    Of N rows, C of them in the largest cluster, it makes min(N // 2, N - C) pairs. They depend on ids, on
    which rows share a cluster and on `seed`, but on no order and no cluster's number.

    >>> match_across({"a": 0, "b": 0, "c": 1, "d": 2}, seed=0).left_over
    []
    """
    keyed = sorted(
        _Keyed(int(tagged_hash("inter", [seed, row]), 16), row, cluster)
        for row, cluster in cluster_of.items()
    )
    pairs: list[_Pair] = []
    left_over = _pair_up(keyed, _BITS - 1, pairs)
    pairs, left_over = _use_up(pairs, left_over)
    matched = [(first.row, second.row) for first, second in sorted(pairs)]
    return Matching(matched, [keyed.row for keyed in left_over])


def _pair_up(rows: list[_Keyed], bit: int, pairs: list[_Pair]) -> list[_Keyed]:
    """Add pairs of `rows`, which are in order and agree above `bit`; what is left over is of one cluster."""
    if len(rows) < 2:
        return rows
    middle = bisect_left(rows, 1, key=lambda keyed: keyed.key >> bit & 1)
    left = _pair_up(rows[:middle], bit - 1, pairs)
    right = _pair_up(rows[middle:], bit - 1, pairs)
    if not left or not right or left[0].cluster == right[0].cluster:
        return [*left, *right]
    met = min(len(left), len(right))
    pairs.extend(zip(left[:met], right[:met], strict=True))
    return [*left[met:], *right[met:]]


def _use_up(pairs: list[_Pair], left_over: list[_Keyed]) -> tuple[list[_Pair], list[_Keyed]]:
    """Let rows left over, two by two, take the partners of a pair without their cluster apart.

    Two or more are left over only where one cluster holds a good part of all rows.
    """
    if len(left_over) < 2:
        return pairs, left_over
    inside = left_over[0].cluster
    apart = sorted(pair for pair in pairs if inside not in (pair[0].cluster, pair[1].cluster))
    apart = apart[: len(left_over) // 2]
    partners = [keyed for pair in apart for keyed in pair]
    met = len(partners)
    joined = [
        (min(one, other), max(one, other)) for one, other in zip(left_over[:met], partners, strict=True)
    ]
    gone = set(apart)
    return [*(pair for pair in pairs if pair not in gone), *joined], left_over[met:]
