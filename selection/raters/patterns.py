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
    """Group number (N,) of each row: rows joined by a chain of cosines of 0.97 or more are one group.

    For folds only, where every copy of a row has to lie on its own side: rows of one template may be joined
    although most of them are not copies of each other.
    """
    from scipy.sparse import coo_array  # scipy loads slowly; --help must not wait for it
    from scipy.sparse.csgraph import connected_components

    num_rows = len(neighbours.indices)
    rows, places = np.nonzero(neighbours.similarities >= DUPLICATE_SIMILARITY)
    columns = neighbours.indices[rows, places]
    links = coo_array((np.ones(len(rows)), (rows, columns)), shape=(num_rows, num_rows))
    groups: IntArray = connected_components(links, directed=False)[1]
    return groups


def nearest_copies(neighbours: Neighbours) -> IntArray:
    """Pairs (M, 2) of a row and its nearest copy, at a cosine of 0.97 or more; each pair once."""
    if neighbours.indices.shape[1] == 0:
        return np.empty((0, 2), dtype=np.int64)
    rows = np.flatnonzero(neighbours.similarities[:, 0] >= DUPLICATE_SIMILARITY)
    pairs = np.sort(np.column_stack([rows, neighbours.indices[rows, 0]]), axis=1)
    found: IntArray = np.unique(pairs, axis=0)
    return found


def scores_of_neighbours(scores: IntArray, neighbours: Neighbours, *, copies: bool) -> IntArray:
    """Scores (N, k) of each row's neighbours that count, nearest first, then MISSING.

    All of them with `copies`, as the paper has it. Without, a row's own copies do not count, and of
    neighbours that are copies of each other only the nearest. Copies are at a cosine of 0.97 or more, by
    themselves: the rows of one template, each near the next, are neighbours of those farther along.
    """
    found: IntArray = scores[neighbours.indices]
    own_copy = neighbours.similarities >= DUPLICATE_SIMILARITY
    if copies or not own_copy.any():
        return found
    counts = ~own_copy
    _count_once(neighbours, own_copy, counts)
    front = np.argsort(~counts, axis=1, kind="stable")
    return np.take_along_axis(np.where(counts, found, MISSING), front, axis=1)


def _count_once(neighbours: Neighbours, own_copy: BoolArray, counts: BoolArray) -> None:
    """Take neighbours out of `counts` (N, k) that are copies of a nearer one that counts."""
    num_rows = len(counts)
    rows, places = np.nonzero(own_copy)
    others = neighbours.indices[rows, places]
    pairs = np.unique(np.concatenate([rows * num_rows + others, others * num_rows + rows]))
    copied = np.bincount(rows, minlength=num_rows) > 0
    doubtful = counts & copied[neighbours.indices]
    some = np.flatnonzero(doubtful.sum(axis=1) > 1)
    indices, still, has_copy = neighbours.indices[some], counts[some], doubtful[some]
    for place in range(1, counts.shape[1]):
        for nearer in range(place):
            at = np.flatnonzero(still[:, place] & has_copy[:, place] & still[:, nearer] & has_copy[:, nearer])
            codes = indices[at, place] * num_rows + indices[at, nearer]
            still[at, place] = pairs[np.searchsorted(pairs, codes) % len(pairs)] != codes
    counts[some] = still


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
