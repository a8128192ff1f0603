"""The k nearest rows of every row, exactly, from products that are only nearly right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray
from ..threads import one_thread_each
from .products import Product, as_factors, block_height, exact_cosines, may_reach, multiply
from .ranking import Ranking

# pairs that are ranked at once: few enough that the bounds which nominate are fresh
_FRESH_PAIRS = 1 << 17
_BYTES_OF_A_PAIR = 96
# where errors of d coordinates are independent, an error 1 / sqrt(d) as large as it may be is one deviation
_DEVIATIONS = 6.0


class _Pairs(NamedTuple):
    """Pairs of rows whose cosine is hardly below `low` and never above `high`, (n,) each."""

    left: IntArray
    right: IntArray
    low: FloatArray
    high: FloatArray

    def where(self, keep: BoolArray) -> _Pairs:
        return _Pairs(self.left[keep], self.right[keep], self.low[keep], self.high[keep])


_NONE = _Pairs(np.arange(0), np.arange(0), np.empty(0), np.empty(0))


class Search:
    """The k nearest rows of all `vectors` (N, d), float32 unit rows; k is 1 to N - 1.

    The product of two blocks of rows serves both. It nominates pairs: those which, on either side, may be
    among the k nearest so far. At the end, or when more wait than memory allows, these are computed in full,
    the most promising first. What is passed over is below a bound by more than its product may be off, so
    nothing is missed where the k-th nearest of a row turns out to reach the bound. A bound that was too high
    is next to impossible; such a row is searched again by itself.
    """

    def __init__(self, vectors: FloatArray, k: int, memory_mib: int) -> None:
        self._vectors = vectors
        self._k = k
        self._factors, self._blocks = as_factors(vectors, block_height(memory_mib))
        self._most_waiting = max(_FRESH_PAIRS, (memory_mib << 20) // _BYTES_OF_A_PAIR)
        # by what products say, and by cosines
        self._nominated, self._computed = Ranking(len(vectors), k), Ranking(len(vectors), k)

    def run(self) -> tuple[IntArray, FloatArray]:
        """Positions and similarities (N, k), nearest first."""
        # the first block bounds itself before others ask for its bounds
        fresh, waiting = [self._nominate(0, 0)], [_NONE]
        with one_thread_each() as threads:
            for right in range(len(self._blocks)):
                lefts = range(max(right, 1), len(self._blocks))
                for found in threads.map(self._nominate, lefts, repeat(right)):
                    fresh.append(found)
                    if _number(fresh) > _FRESH_PAIRS:
                        waiting.append(self._rank(_joined(fresh)))
                        fresh.clear()
                    if _number(waiting) > self._most_waiting:
                        waiting = [self._thinned(_joined(waiting))]
            self._compute(_joined([*waiting, self._rank(_joined(fresh))]))
        for row in np.flatnonzero(self._computed.least < self._nominated.least).tolist():
            self._search_alone(row)
        return self._computed.best()

    def _nominate(self, left: int, right: int) -> _Pairs:
        """The pairs of two blocks that may count on either side."""
        rows, columns = self._blocks[left], self._blocks[right]
        product = multiply(self._factors[left], self._factors[right])
        if right == 0:
            self._nominated.raise_least(rows, self._bound(product, same=left == 0))
        row, column, values = product.reaching(self._least(rows)[:, None], self._least(columns))
        if left == right:
            once = row > column
            row, column, values = row[once], column[once], values[once]
        low = values - _likely_error(product, self._vectors.shape[1])
        return _Pairs(rows[row], columns[column], low, values + product.error)

    def _bound(self, product: Product, *, same: bool) -> FloatArray:
        """What the k-th nearest of each row most likely reaches, by the columns of one product alone."""
        values = product.values
        if self._k > values.shape[1] - same:
            return np.full(len(values), -np.inf)
        # one more, because a row is no neighbour of itself
        kth = values.topk(self._k + same, dim=1).values[:, -1]
        return kth.cpu().numpy() * product.unit - _likely_error(product, self._vectors.shape[1])

    def _least(self, *sides: IntArray) -> FloatArray:
        """What a similarity to these rows must reach to count; with two sides, on one of them."""
        least = [np.maximum(self._nominated.least[side], self._computed.least[side]) for side in sides]
        lower: FloatArray = np.minimum.reduce(least)
        return lower

    def _rank(self, pairs: _Pairs) -> _Pairs:
        """The pairs that still may count, now that all of them are known."""
        self._nominated.offer_both(pairs.left, pairs.right, pairs.low)
        return self._still_counting(pairs)

    def _still_counting(self, pairs: _Pairs) -> _Pairs:
        return pairs.where(pairs.high >= self._least(pairs.left, pairs.right))

    def _thinned(self, pairs: _Pairs) -> _Pairs:
        """The pairs that still may count; none where too many do, and all have been computed."""
        pairs = self._still_counting(pairs)
        if _number([pairs]) > self._most_waiting // 2:
            self._compute(pairs)
            return _NONE
        return pairs

    def _compute(self, pairs: _Pairs) -> None:
        """Compute all pairs that may count, first those that products say are among the k nearest."""
        least = np.minimum(self._nominated.least[pairs.left], self._nominated.least[pairs.right])
        likely = pairs.low >= least
        self._offer(pairs.where(likely))
        rest = self._still_counting(pairs.where(~likely))
        least = self._least(rest.left, rest.right)
        self._offer(rest.where(may_reach(self._vectors, rest.left, rest.right, least)))

    def _offer(self, pairs: _Pairs) -> None:
        cosines = exact_cosines(self._vectors, pairs.left, pairs.right)
        self._computed.offer_both(pairs.left, pairs.right, cosines)

    def _search_alone(self, row: int) -> None:
        """Search all rows for the nearest of one."""
        others = np.delete(np.arange(len(self._vectors)), row)
        alone = np.full(len(others), row)
        self._computed.forget(row)
        self._computed.offer(alone, others, exact_cosines(self._vectors, alone, others))


def _likely_error(product: Product, dimensions: int) -> float:
    """By how much a product is hardly ever off: rounding errors of many coordinates cancel out."""
    return product.error * min(1.0, _DEVIATIONS / math.sqrt(dimensions))


def _number(parts: Sequence[_Pairs]) -> int:
    return sum(len(pairs.left) for pairs in parts)


def _joined(parts: Sequence[_Pairs]) -> _Pairs:
    return _Pairs(*map(np.concatenate, zip(_NONE, *parts, strict=True)))
