"""Exact nearest neighbours by cosine, in row blocks: never an N x N array.

Products only nominate candidates, with a margin that covers their rounding; every similarity that is
returned or compared with a threshold is computed again in float64. So the result does not depend on the
machine, on blocks, threads or the order of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray, check_unit_rows
from .search import Search


@dataclass(frozen=True)
class Neighbours:
    """The k nearest other rows of each row, nearest first.

    `indices` (N, k) are row positions, `similarities` (N, k) float32 their cosines. k may be smaller than
    asked for: see `nearest_neighbours`.
    """

    indices: IntArray
    similarities: FloatArray


def nearest_neighbours(embeddings: FloatArray, k: int, *, memory_mib: int = 2048) -> Neighbours:
    """The k rows of highest cosine to each row, itself excluded; equal cosines in order of position.

    `embeddings` (N, d) are unit rows; a row with NaN, infinity or another length raises ValueError. With
    fewer than k other rows the result is narrower: k becomes N - 1 (so N = 1 gives arrays of shape (1, 0)).
    `memory_mib` bounds the working memory beside input, its copies and the result.

    >>> rows = np.array([[1, 0], [0.6, 0.8], [0, 1]], dtype=np.float32)
    >>> nearest_neighbours(rows, 2).indices
    array([[1, 2],
           [2, 0],
           [1, 0]])
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
