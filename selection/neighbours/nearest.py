"""Exact nearest neighbours by cosine, in row blocks: never an N x N array.

Products only nominate candidates, with a margin that covers their rounding; every similarity that is
returned or compared with a threshold is computed anew in float64. So the result does not depend on the
machine, on blocks, threads or the order of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray, check_unit_rows
from .reach import Reach
from .search import Search


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
    `memory_mib` bounds the working memory beside input, its copies and the result.
    """
    if k < 1:
        msg = f"k is {k}, expected at least 1"
        raise ValueError(msg)
    check_unit_rows(embeddings)
    vectors = np.ascontiguousarray(embeddings, dtype=np.float32)
    num_rows = len(vectors)
    k = min(k, max(num_rows - 1, 0))
    if k == 0:
        return Neighbours(np.empty((num_rows, 0), dtype=np.int64), np.empty((num_rows, 0), dtype=np.float32))
    return Neighbours(*Search(vectors, k, memory_mib).run())


def neighbours_within(embeddings: FloatArray, similarity: float, *, memory_mib: int = 2048) -> Within:
    """All pairs of rows whose cosine is `similarity` or more.

    `embeddings` (N, d) are unit rows. `memory_mib` bounds the working memory beside input, its copies and the
    result; the result itself grows with the number of pairs.
    """
    check_unit_rows(embeddings)
    vectors = np.ascontiguousarray(embeddings, dtype=np.float32)
    num_rows = len(vectors)
    near = Reach(vectors, similarity, memory_mib)
    found: list[tuple[IntArray, IntArray, FloatArray]] = []
    for start in range(0, num_rows, near.height):
        # the product is symmetric: what is left of the block was done by earlier blocks
        rest = np.arange(start, num_rows)
        rows, columns, cosines = near.pairs(rest[: near.height], rest)
        once = columns > rows
        found.append((rows[once] + start, columns[once] + start, cosines[once]))
    return _both_sides(num_rows, found)


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
