"""All pairs of rows within a similarity, by a bound that costs less than the product itself.

With P the projection on the m leading principal directions, x.y = Px.Py + (x - Px).(y - Py), and by Cauchy
and Schwarz the second term is at most |x - Px| |y - Py|. So the rows (Px in m coordinates, |x - Px|), of
m + 1 coordinates and of the same length as x, have products that are never below the cosines. Only pairs
whose bound reaches the similarity are computed in full, in float64: nothing is missed and nothing is
approximate.
"""

from __future__ import annotations

from itertools import repeat

import numpy as np

from ..arrays import FloatArray, IntArray
from ..threads import one_thread, one_thread_each
from .products import Factor, as_factor, block_height, exact_cosines, may_reach, multiply

# rows from which the directions are taken, and others on which their number is chosen; whatever these are,
# the pairs found are the same
_ROWS_FOR_DIRECTIONS, _ROWS_FOR_NUMBER = 2048, 1024
# with the rest one more, so that rows fill whole registers
_NUMBERS_OF_DIRECTIONS = (31, 63, 127, 255)
# after two rounds the leading directions are as good as exact ones
_ROUNDS = 2
# what computing one pair in full costs, in coordinates of a product of blocks
_COST_OF_A_PAIR = 500_000.0
# about what rounding to bytes takes off the similarity that a bound has to reach
_MARGIN = 0.025
# the coordinates are made in float64 and kept in float32
_ROTATION_ERROR = 1e-6
_ROWS_AT_ONCE = 8192


class Reach:
    """Pairs of the unit rows `vectors` (N, d), float32, whose cosine is `similarity` or more.

    `height` is the number of rows that are best asked about at once; `memory_mib` bounds the working memory
    beside a shorter copy of the rows and the pairs found.
    """

    def __init__(self, vectors: FloatArray, similarity: float, memory_mib: int) -> None:
        self.height = block_height(memory_mib)
        self._vectors = vectors
        self._similarity = similarity
        # threads would wait for each other longer than they work
        with one_thread():
            bounding = _bounding_rows(vectors, similarity)
        self._factor = as_factor(bounding)

    def pairs(self, left: IntArray, right: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
        """Places in `left` and in `right` of the pairs within reach, and their cosines, in no set order."""
        found: list[tuple[IntArray, IntArray, FloatArray]] = [(np.arange(0), np.arange(0), np.empty(0))]
        starts = range(0, len(right), self.height)
        with one_thread_each() as threads:
            for at in range(0, len(left), self.height):
                some = left[at : at + self.height]
                factor = self._factor.chosen(some)
                others = [right[start : start + self.height] for start in starts]
                tiles = threads.map(self._tile, repeat(factor), repeat(some), others)
                found.extend(
                    (places + at, columns + start, cosines)
                    for start, (places, columns, cosines) in zip(starts, tiles, strict=True)
                )
        places, columns, cosines = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return places, columns, cosines

    def _tile(self, factor: Factor, left: IntArray, right: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
        product = multiply(factor, self._factor.chosen(right))
        places, columns, _ = product.reaching(self._similarity - _ROTATION_ERROR)
        distinct = left[places] != right[columns]
        places, columns = places[distinct], columns[distinct]
        near = may_reach(self._vectors, left[places], right[columns], self._similarity)
        places, columns = places[near], columns[near]
        cosines = exact_cosines(self._vectors, left[places], right[columns])
        keep = cosines >= self._similarity
        return places[keep], columns[keep], cosines[keep]


def _bounding_rows(vectors: FloatArray, similarity: float) -> FloatArray:
    """Rows (N, m + 1) whose products are never below the cosines; the rows themselves where m is no gain."""
    needed = _ROWS_FOR_DIRECTIONS + _ROWS_FOR_NUMBER
    if len(vectors) <= needed or vectors.shape[1] <= _NUMBERS_OF_DIRECTIONS[0]:
        return vectors
    sample = vectors[:: len(vectors) // needed][:needed].astype(np.float64)
    fitted, others = sample[:_ROWS_FOR_DIRECTIONS], sample[_ROWS_FOR_DIRECTIONS:]
    directions = _leading_directions(fitted)
    best = _cheapest(others, directions, similarity - _MARGIN)
    if best == vectors.shape[1]:
        return vectors
    out = np.empty((len(vectors), best + 1), dtype=np.float32)
    for at in range(0, len(vectors), _ROWS_AT_ONCE):
        rows = vectors[at : at + _ROWS_AT_ONCE].astype(np.float64)
        out[at : at + _ROWS_AT_ONCE] = _with_rest(rows @ directions[:, :best], rows)
    return out


def _leading_directions(rows: FloatArray) -> FloatArray:
    """Orthonormal columns (d, m), nearly those along which rows are longest, by falling length."""
    gram = rows.T @ rows
    number = min(_NUMBERS_OF_DIRECTIONS[-1], len(gram))
    basis = np.random.default_rng(0).standard_normal((len(gram), number))
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(gram @ basis)[0]
    turn = np.linalg.eigh(basis.T @ gram @ basis)[1][:, ::-1]
    directions: FloatArray = basis @ turn
    return directions


def _cheapest(rows: FloatArray, directions: FloatArray, similarity: float) -> int:
    """The number of directions at which products and the pairs that they leave cost least together."""
    dimensions = rows.shape[1]
    coordinates = rows @ directions
    costs = {}
    for number in (*_NUMBERS_OF_DIRECTIONS, dimensions):
        if number <= directions.shape[1]:
            bound = _with_rest(coordinates[:, :number], rows)
        elif number == dimensions:
            bound = rows
        else:
            continue
        bound = bound.astype(np.float32)
        # a row with itself is no pair
        left = (bound @ bound.T >= similarity).sum() - len(rows)
        costs[number] = number + _COST_OF_A_PAIR * max(int(left), 0) / len(rows) ** 2
    return min(costs, key=costs.__getitem__)


def _with_rest(coordinates: FloatArray, rows: FloatArray) -> FloatArray:
    """Coordinates with a column for the length of what they leave of each row."""
    lengths = (np.einsum("nd,nd->n", part, part) for part in (rows, coordinates))
    rest = np.subtract(*lengths)
    return np.column_stack([coordinates, np.sqrt(np.maximum(rest, 0.0))])
