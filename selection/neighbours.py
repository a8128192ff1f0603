"""Exact nearest neighbours by cosine, in row blocks: never an N x N array.

Products only nominate candidates, with a margin that covers their rounding; every similarity that is
returned or compared with a threshold is computed anew in float64. So the result does not depend on the
machine, on blocks, threads or the order of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrays import FloatArray, IntArray, check_unit_rows
from .products import Products, exact_cosines, row_blocks
from .reach import Reach

# candidates beyond k: enough that the least of them is mostly out of the k-th's reach
_SPARE = 24


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
    found = Neighbours(np.empty((num_rows, k), dtype=np.int64), np.empty((num_rows, k), dtype=np.float32))
    if k == 0:
        return found
    unsure = np.arange(num_rows)
    for fine in (False, True):
        products = Products(vectors, fine=fine)
        left = [
            _rank(vectors, products, unsure[start:stop], found)
            for start, stop in row_blocks(len(unsure), num_rows, memory_mib)
        ]
        unsure = np.concatenate(left)
        if unsure.size == 0:
            return found
    for row in unsure.tolist():
        _rank_alone(vectors, products, row, found)
    return found


def neighbours_within(embeddings: FloatArray, similarity: float, *, memory_mib: int = 2048) -> Within:
    """All pairs of rows whose cosine is `similarity` or more.

    `embeddings` (N, d) are unit rows. `memory_mib` bounds the working memory beside input, its copies and the
    result; the result itself grows with the number of pairs.
    """
    check_unit_rows(embeddings)
    vectors = np.ascontiguousarray(embeddings, dtype=np.float32)
    num_rows = len(vectors)
    near = Reach(vectors, similarity)
    found: list[tuple[IntArray, IntArray, FloatArray]] = []
    for start, stop in row_blocks(num_rows, num_rows, memory_mib):
        # the product is symmetric: what is left of the block was done by earlier blocks
        rows, columns, cosines = near.pairs(np.arange(start, stop), np.arange(start, num_rows))
        once = columns > rows
        found.append((rows[once] + start, columns[once] + start, cosines[once]))
    return _both_sides(num_rows, found)


def _rank(vectors: FloatArray, products: Products, rows: IntArray, found: Neighbours) -> IntArray:
    """Fill in the results of `rows`; the rows whose results are not certain are returned.

    Products nominate; the exact cosine ranks, then the position. What was not nominated has a product of at
    most the least nominated, so a k-th cosine beyond that by more than the error is certain.
    """
    import torch  # heavy: --help must not wait for it

    k, num_others = found.indices.shape[1], len(vectors) - 1
    block = products.between(rows, slice(None))
    block[torch.arange(len(rows)), torch.from_numpy(rows)] = -torch.inf
    count = min(k + _SPARE, num_others)
    top = block.topk(count, dim=1)
    values, nominated = top.values.cpu().numpy(), top.indices.cpu().numpy()
    in_reach = values >= values[:, k - 1 : k] - 2 * products.error
    place, column = np.nonzero(in_reach)
    cosines = np.full(values.shape, -np.inf, dtype=np.float32)
    cosines[in_reach] = exact_cosines(vectors, rows[place], nominated[place, column])
    best = np.lexsort((nominated, -cosines))[:, :k]
    found.indices[rows] = np.take_along_axis(nominated, best, axis=1)
    found.similarities[rows] = np.take_along_axis(cosines, best, axis=1)
    if count == num_others:
        return rows[:0]
    certain = found.similarities[rows, -1] > values[:, -1] + products.error
    unsure: IntArray = rows[~certain]
    return unsure


def _rank_alone(vectors: FloatArray, products: Products, row: int, found: Neighbours) -> None:
    """Fill in the result of a row with more near-ties than could be nominated."""
    k = found.indices.shape[1]
    values = products.between(np.array([row]), slice(None))[0].numpy()
    values[row] = -np.inf
    kth = np.partition(values, len(values) - k)[len(values) - k]
    columns = np.flatnonzero(values >= kth - 2 * products.error)
    cosines = exact_cosines(vectors, np.full(len(columns), row), columns).astype(np.float32)
    best = np.lexsort((columns, -cosines))[:k]
    found.indices[row] = columns[best]
    found.similarities[row] = cosines[best]


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
