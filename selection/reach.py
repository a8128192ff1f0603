"""All pairs of rows within a similarity, by a bound that costs less than the product itself.

With P the projection on the m leading principal directions, x.y = Px.Py + (x - Px).(y - Py), and by Cauchy
and Schwarz the second term is at most |x - Px| |y - Py|. So the rows (Px in m coordinates, |x - Px|), of
m + 1 coordinates and of the same length as x, have products that are never below the cosines. Only pairs
whose bound reaches the similarity are computed in full, in float64: nothing is missed and nothing is
approximate.
"""

from __future__ import annotations

import numpy as np

from .arrays import BoolArray, FloatArray, IntArray
from .products import Products, exact_cosines, float32_error

# rows from which the directions are taken, and others on which their number is chosen; whatever these are,
# the pairs found are the same
_ROWS_FOR_DIRECTIONS, _ROWS_FOR_NUMBER = 2048, 1024
# with the rest one more, so that rows fill whole registers
_NUMBERS_OF_DIRECTIONS = (31, 63, 127, 255, 511)
# what computing one pair in full costs, in coordinates of a product of blocks
_COST_OF_A_PAIR = 500_000.0
# about what bfloat16 takes off the similarity that a bound has to reach
_MARGIN = 0.0125
# the coordinates are made in float64 and kept in float32
_ROTATION_ERROR = 1e-6
_ROWS_AT_ONCE = 8192
# a tile of products in bfloat16 that a processor's cache still holds
_TILE = 4096


class Reach:
    """Pairs of the unit rows `vectors` (N, d), float32, whose cosine is `similarity` or more."""

    def __init__(self, vectors: FloatArray, similarity: float) -> None:
        self._vectors = vectors
        self._similarity = similarity
        self._products = Products(_bounding_rows(vectors, similarity))

    def pairs(self, left: IntArray, right: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
        """Places in `left` and in `right` of the pairs within reach, and their cosines.

        Pairs are in order of the place in `right` by tiles, then of that in `left`, then in `right`.
        """
        found = [self._tile(left, right[at : at + _TILE], at) for at in range(0, len(right), _TILE)]
        if not found:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0)
        places, columns, cosines = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return places, columns, cosines

    def _tile(self, left: IntArray, right: IntArray, at: int) -> tuple[IntArray, IntArray, FloatArray]:
        places, columns = self._products.reaching(left, right, self._similarity - _ROTATION_ERROR)
        distinct = left[places] != right[columns]
        places, columns = places[distinct], columns[distinct]
        if len(places) == 0:
            return places, columns, np.empty(0)
        near = _not_below(self._vectors, left[places], right[columns], self._similarity)
        places, columns = places[near], columns[near]
        cosines = exact_cosines(self._vectors, left[places], right[columns])
        keep = cosines >= self._similarity
        return places[keep], columns[keep] + at, cosines[keep]


def _bounding_rows(vectors: FloatArray, similarity: float) -> FloatArray:
    """Rows (N, m + 1) whose products are never below the cosines; the rows themselves where m is no gain."""
    needed = _ROWS_FOR_DIRECTIONS + _ROWS_FOR_NUMBER
    if len(vectors) <= needed or vectors.shape[1] <= _NUMBERS_OF_DIRECTIONS[0]:
        return vectors
    sample = vectors[:: len(vectors) // needed][:needed].astype(np.float64)
    fitted, others = sample[:_ROWS_FOR_DIRECTIONS], sample[_ROWS_FOR_DIRECTIONS:]
    directions = np.linalg.eigh(fitted.T @ fitted)[1][:, ::-1]
    best = _cheapest(others, directions, similarity - _MARGIN)
    if best == vectors.shape[1]:
        return vectors
    out = np.empty((len(vectors), best + 1), dtype=np.float32)
    for at in range(0, len(vectors), _ROWS_AT_ONCE):
        rows = vectors[at : at + _ROWS_AT_ONCE].astype(np.float64)
        out[at : at + _ROWS_AT_ONCE] = _with_rest(rows @ directions[:, :best], rows)
    return out


def _cheapest(rows: FloatArray, directions: FloatArray, similarity: float) -> int:
    """The number of directions at which products and the pairs that they leave cost least together."""
    dimensions = rows.shape[1]
    coordinates = rows @ directions
    costs = {}
    for number in (*_NUMBERS_OF_DIRECTIONS, dimensions):
        if number <= dimensions:
            bound = _with_rest(coordinates[:, :number], rows).astype(np.float32)
            # a row with itself is no pair
            left = (bound @ bound.T >= similarity).sum() - len(rows)
            costs[number] = number + _COST_OF_A_PAIR * max(int(left), 0) / len(rows) ** 2
    return min(costs, key=costs.__getitem__)


def _with_rest(coordinates: FloatArray, rows: FloatArray) -> FloatArray:
    """Coordinates with a column for the length of what they leave of each row."""
    rest = (rows * rows).sum(axis=1) - (coordinates * coordinates).sum(axis=1)
    return np.column_stack([coordinates, np.sqrt(np.maximum(rest, 0.0))])


def _not_below(vectors: FloatArray, rows: IntArray, columns: IntArray, similarity: float) -> BoolArray:
    """Which pairs may reach the similarity, by products in float32 with their rounding allowed for."""
    least = similarity - float32_error(vectors.shape[1])
    keep = np.empty(len(rows), dtype=np.bool_)
    for at in range(0, len(rows), _ROWS_AT_ONCE):
        here = slice(at, at + _ROWS_AT_ONCE)
        keep[here] = np.einsum("nd,nd->n", vectors[rows[here]], vectors[columns[here]]) >= least
    return keep
