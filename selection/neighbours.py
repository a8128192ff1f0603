"""Exact nearest neighbours by cosine, in row blocks: never an N x N array.

Block products are rounded, and how depends on block shapes and thread counts. They only nominate
candidates, with a margin that covers their rounding; every similarity that is returned or compared with a
threshold is computed anew in float64. So the result does not depend on blocks, threads or the order of the
rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrays import FloatArray, IntArray, check_unit_rows

# candidates beyond k: enough that near-ties rarely send a row to the slow path
_SPARE = 8
_MIB = 1 << 20


@dataclass(frozen=True)
class Neighbours:
    """The k nearest other rows of each row, nearest first.

    `indices` (N, k) are row positions, `similarities` (N, k) float32 their cosines. k may be smaller than
    asked for: see `nearest_neighbours`.
    """

    indices: IntArray
    similarities: FloatArray


@dataclass(frozen=True)
class Within:
    """All neighbours at or above a similarity, as compressed rows.

    Row n's neighbours are `indices[starts[n]:starts[n + 1]]` in ascending order, `similarities` beside
    them. The row itself is left out; each pair stands twice, once from either side.
    """

    starts: IntArray
    indices: IntArray
    similarities: FloatArray


def nearest_neighbours(embeddings: FloatArray, k: int, *, memory_mib: int = 2048) -> Neighbours:
    """The k rows of highest cosine to each row, itself excluded; equal cosines in order of position.

    `embeddings` (N, d) are unit rows; a row with NaN, infinity or another length raises ValueError. With
    fewer than k other rows the result is narrower: k becomes N - 1 (so N = 1 gives arrays of shape (1, 0)).
    `memory_mib` bounds the working memory beside input and result.
    """
    if k < 1:
        msg = f"k is {k}, expected at least 1"
        raise ValueError(msg)
    check_unit_rows(embeddings)
    vectors = np.ascontiguousarray(embeddings, dtype=np.float32)
    num_rows = len(vectors)
    k = min(k, max(num_rows - 1, 0))
    indices = np.empty((num_rows, k), dtype=np.int64)
    similarities = np.empty((num_rows, k), dtype=np.float32)
    if k == 0:
        return Neighbours(indices, similarities)
    for start, stop in row_blocks(num_rows, num_rows, memory_mib):
        block = vectors[start:stop] @ vectors.T
        block[np.arange(stop - start), np.arange(start, stop)] = -np.inf
        _rank_block(vectors, block, start, k, indices, similarities)
    return Neighbours(indices, similarities)


def neighbours_within(embeddings: FloatArray, similarity: float, *, memory_mib: int = 2048) -> Within:
    """All pairs of rows whose cosine is `similarity` or more.

    `embeddings` (N, d) are unit rows. `memory_mib` bounds the working memory beside input and result; the
    result itself grows with the number of pairs.
    """
    check_unit_rows(embeddings)
    vectors = np.ascontiguousarray(embeddings, dtype=np.float32)
    num_rows = len(vectors)
    floor = similarity - product_margin(vectors.shape[1])
    found: list[tuple[IntArray, IntArray, FloatArray]] = []
    for start, stop in row_blocks(num_rows, num_rows, memory_mib):
        # the product is symmetric: the part left of the block was done by earlier blocks
        block = vectors[start:stop] @ vectors[start:].T
        rows, columns = np.nonzero(block >= floor)
        rows, columns = rows[columns > rows] + start, columns[columns > rows] + start
        cosines = exact_cosines(vectors, rows, columns)
        keep = cosines >= similarity
        found.append((rows[keep], columns[keep], cosines[keep]))
    return _both_sides(num_rows, found)


def product_margin(dimensions: int) -> float:
    """Twice the most by which a float32 product of unit vectors can differ from its exact value.

    The dot product of n terms is off by at most n units of 2^-24 relative to the sum of absolute products,
    which is at most 1 for unit vectors, in whatever order the terms are added.
    """
    return 2.0 * (dimensions + 1) * 2.0**-24


def exact_cosines(vectors: FloatArray, rows: IntArray, columns: IntArray) -> FloatArray:
    """Cosines of the pairs (rows[n], columns[n]) of unit vectors, in float64, a bounded number at a time."""
    out = np.empty(len(rows), dtype=np.float64)
    step = max(1, 64 * _MIB // (16 * vectors.shape[1]))
    for at in range(0, len(rows), step):
        left = vectors[rows[at : at + step]].astype(np.float64)
        left *= vectors[columns[at : at + step]]
        out[at : at + step] = left.sum(axis=1)
    return out


def row_blocks(num_rows: int, width: int, memory_mib: int) -> list[tuple[int, int]]:
    """Ranges of rows such that a few float32 arrays of (range, width) stay within `memory_mib`."""
    arrays_alive = 4  # the product, its partition (index and value) and a mask
    height = max(1, memory_mib * _MIB // (arrays_alive * 4 * max(width, 1)))
    height = min(height, 4096)
    return [(start, min(start + height, num_rows)) for start in range(0, num_rows, height)]


def _rank_block(
    vectors: FloatArray, block: FloatArray, start: int, k: int, indices: IntArray, similarities: FloatArray
) -> None:
    """Fill the results of one block: nominate by its products, rank by exact cosine, then position."""
    height, width = block.shape
    margin = product_margin(vectors.shape[1])
    count = min(k + _SPARE, width)
    nominated = np.argpartition(block, width - count, axis=1)[:, width - count :]
    values = np.take_along_axis(block, nominated, axis=1)
    kth = np.partition(values, count - k, axis=1)[:, count - k]
    # where even the last nominated one is within rounding of the k-th, others may be too
    crowded = np.zeros(height, dtype=bool) if count == width else values.min(axis=1) >= kth - margin
    rows = np.repeat(np.arange(start, start + height), count)
    cosines = exact_cosines(vectors, rows, nominated.ravel()).reshape(height, count)
    cosines[values == -np.inf] = -np.inf
    cosines = cosines.astype(np.float32)
    best = np.lexsort((nominated, -cosines))[:, :k]
    indices[start : start + height] = np.take_along_axis(nominated, best, axis=1)
    similarities[start : start + height] = np.take_along_axis(cosines, best, axis=1)
    for row in np.flatnonzero(crowded):
        columns = np.flatnonzero(block[row] >= kth[row] - margin)
        exact = exact_cosines(vectors, np.full(len(columns), start + row), columns).astype(np.float32)
        best_here = np.lexsort((columns, -exact))[:k]
        indices[start + row] = columns[best_here]
        similarities[start + row] = exact[best_here]


def _both_sides(num_rows: int, found: list[tuple[IntArray, IntArray, FloatArray]]) -> Within:
    """Compressed rows from pairs (row < column)."""
    left = np.concatenate([part[0] for part in found] or [np.empty(0, dtype=np.int64)])
    right = np.concatenate([part[1] for part in found] or [np.empty(0, dtype=np.int64)])
    cosines = np.concatenate([part[2] for part in found] or [np.empty(0)]).astype(np.float32)
    rows, columns = np.concatenate([left, right]), np.concatenate([right, left])
    sorting = np.lexsort((columns, rows))
    starts = np.zeros(num_rows + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=num_rows), out=starts[1:])
    return Within(starts, columns[sorting], np.concatenate([cosines, cosines])[sorting])
