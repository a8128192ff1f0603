"""The best candidates of every row so far, kept as candidates come in any order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray, IntArray

_LARGEST_POSITION = 2**32 - 1
_SIGN = np.uint32(1 << 31)
# candidates of one row that are sorted in at once
_AT_ONCE = 16


class Ranking:
    """The k candidates of highest similarity of each of N rows, in float32; equal ones by position.

    `least` (N,) is what a similarity must reach to be among them, as far as is known: it only rises.
    """

    def __init__(self, num_rows: int, k: int) -> None:
        self.least = np.full(num_rows, -np.inf, dtype=np.float32)
        # similarity and position in one number that sorts; zero is none
        self._keys = np.zeros((num_rows, k), dtype=np.uint64)

    def raise_least(self, rows: IntArray, least: FloatArray) -> None:
        """Make known that k candidates of each of these rows reach `least`, though they come later."""
        # not above what is known, when a float32 is made of it
        below = np.nextafter(least.astype(np.float32), np.float32(-np.inf))
        self.least[rows] = np.maximum(self.least[rows], below)

    def offer_both(self, left: IntArray, right: IntArray, similarities: FloatArray) -> None:
        """Pairs (left[n], right[n]), each a candidate for the other."""
        self.offer(np.concatenate([left, right]), np.concatenate([right, left]), np.tile(similarities, 2))

    def offer(self, rows: IntArray, positions: IntArray, similarities: FloatArray) -> None:
        """Candidates for `rows`, each of which may come once only."""
        similarities = similarities.astype(np.float32)
        wanted = similarities >= self.least[rows]
        keys = _as_keys(similarities[wanted], positions[wanted])
        rows = rows[wanted]
        sorting = np.argsort(rows, kind="stable")
        rows, keys = rows[sorting], keys[sorting]
        while len(rows):
            place = self._merge(rows, keys)
            rows, keys = rows[place >= _AT_ONCE], keys[place >= _AT_ONCE]

    def forget(self, row: int) -> None:
        """Forget the candidates of a row."""
        self.least[row] = -np.inf
        self._keys[row] = 0

    def best(self) -> tuple[IntArray, FloatArray]:
        """Positions and similarities (N, k), best first."""
        keys = self._keys[:, ::-1]
        return _LARGEST_POSITION - (keys & _LARGEST_POSITION).astype(np.int64), _similarities(keys)

    def _merge(self, rows: IntArray, keys: NDArray[np.uint64]) -> IntArray:
        """Sort in the first few candidates of each row, `rows` ascending; each one's place within its row."""
        distinct, first, count = np.unique(rows, return_index=True, return_counts=True)
        number = np.repeat(np.arange(len(distinct)), count)
        place: IntArray = np.arange(len(rows)) - first[number]
        now = place < _AT_ONCE
        k = self._keys.shape[1]
        merged = np.zeros((len(distinct), k + min(_AT_ONCE, int(count.max()))), dtype=np.uint64)
        merged[:, :k] = self._keys[distinct]
        merged[number[now], k + place[now]] = keys[now]
        merged.sort(axis=1)
        self._keys[distinct] = merged[:, -k:]
        full = merged[:, -k] > 0
        known = _similarities(merged[full, -k])
        self.least[distinct[full]] = np.maximum(self.least[distinct[full]], known)
        return place


def _as_keys(similarities: FloatArray, positions: IntArray) -> NDArray[np.uint64]:
    """Keys in the order of similarity, of equals the lower position higher."""
    # adding zero makes minus zero equal to zero
    bits = (similarities + np.float32(0)).view(np.uint32)
    # floats are in the order of their bits once negative ones are turned around
    ordered = np.where(bits & _SIGN, ~bits, bits | _SIGN).astype(np.uint64)
    return (ordered << np.uint64(32)) | (_LARGEST_POSITION - positions).astype(np.uint64)


def _similarities(keys: NDArray[np.uint64]) -> FloatArray:
    ordered = (keys >> np.uint64(32)).astype(np.uint32)
    similarities: FloatArray = np.where(ordered & _SIGN, ordered & ~_SIGN, ~ordered).view(np.float32)
    return similarities
