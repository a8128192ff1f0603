"""What the estimator sees of a pool: each row's own score and its neighbours' scores, counted once.

Neighbours' scores are exchangeable in the model, so rows with the same own score and the same counts of
neighbours' scores are one pattern. However many rows there are, the estimator then works on a few thousand
patterns at most.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray
from ..neighbours import Neighbours

# a copy repeats its original's rating, error and all: it is no independent view
DUPLICATE_SIMILARITY = 0.97
MISSING = -1


@dataclass(frozen=True)
class Patterns:
    """Distinct counts of neighbours' scores and how many rows show them.

    `counts` (M, K): how many of the neighbours have each score. `weights` (M, K): the number of rows with
    these neighbours, by own score. `pattern_of` (N,): each row's pattern.
    """

    counts: FloatArray
    weights: FloatArray
    pattern_of: IntArray

    def of_rows(self, scores: IntArray, kept: BoolArray) -> Patterns:
        """The same patterns with only the rows that are `kept` (N,) counted; `scores` (N,) of all rows."""
        cells = self.pattern_of[kept] * self.weights.shape[1] + scores[kept]
        weights = np.bincount(cells, minlength=self.weights.size).reshape(self.weights.shape)
        return replace(self, weights=weights.astype(np.float64))


def duplicate_groups(neighbours: Neighbours) -> IntArray:
    """Group number (N,) of each row: rows joined by a chain of cosines of 0.97 or more are one group."""
    from scipy.sparse import coo_array  # scipy loads slowly; --help must not wait for it
    from scipy.sparse.csgraph import connected_components

    num_rows = len(neighbours.indices)
    rows, places = np.nonzero(neighbours.similarities >= DUPLICATE_SIMILARITY)
    columns = neighbours.indices[rows, places]
    links = coo_array((np.ones(len(rows)), (rows, columns)), shape=(num_rows, num_rows))
    groups: IntArray = connected_components(links, directed=False)[1]
    return groups


def independent_scores(scores: IntArray, neighbours: Neighbours, groups: IntArray) -> IntArray:
    """Scores (N, k) of the neighbours that count as views of their own, nearest first, then MISSING.

    A row's own group never counts, and of another group only its nearest member.
    """
    group_of = groups[neighbours.indices]
    usable = group_of != groups[:, None]
    # only where a neighbour has copies can two be of one group
    near_copies = np.flatnonzero((np.bincount(groups)[group_of] > 1).any(axis=1))
    some, still = group_of[near_copies], usable[near_copies]
    for place in range(1, group_of.shape[1]):
        still[:, place] &= ~(some[:, :place] == some[:, place : place + 1]).any(axis=1)
    usable[near_copies] = still
    scores_of = scores[neighbours.indices]
    if usable.all():
        return scores_of
    front = np.argsort(~usable, axis=1, kind="stable")
    found: IntArray = np.where(usable, scores_of, MISSING)
    return np.take_along_axis(found, front, axis=1)


def count_patterns(scores: IntArray, views: IntArray, num_scores: int) -> Patterns:
    """The patterns of own scores (N,) and neighbours' scores `views` (N, k), MISSING entries left out."""
    # each score is a digit of the code; MISSING, the last entry, adds nothing
    digits = np.append((views.shape[1] + 1) ** np.arange(num_scores, dtype=np.int64), 0)
    codes = digits[views].sum(axis=1)
    _, first, pattern_of = np.unique(codes, return_index=True, return_inverse=True)
    cells = np.bincount(pattern_of * num_scores + scores, minlength=len(first) * num_scores)
    weights = cells.reshape(len(first), num_scores)
    counts = (views[first, :, None] == np.arange(num_scores)).sum(axis=1)
    return Patterns(counts.astype(np.float64), weights.astype(np.float64), pattern_of)
