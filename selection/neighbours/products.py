"""Products of unit rows as fast as the machine gives them, and by how much they may be off.

A graphics card where torch sees one, whole numbers of eight bits where the processor multiplies these four
at a time, float32 elsewhere. The results only nominate: what is returned or compared with a threshold is
computed again by `exact_cosines`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    import torch

# a product of n terms in float32 is off by at most n units of 2^-24 of the sum of absolute terms, at most 1
# here, in whatever order they are added
_FLOAT32_UNIT = 2.0**-24
# somebody may have allowed torch to round the inputs of float32 products to bfloat16
_BFLOAT16_INPUT = 2.0**-8
# tensor cores may cut the inputs of a float32 product to 10 bits
_TENSOR_CORE_INPUT = 2.0**-10
# similarities are compared as float32
_RANK_ROUNDING = 2.0**-23
# a fast transform in float32 is off by a few units of 2^-24 at each of its stages, of which there are ten for
# a thousand coordinates
_TRANSFORM_ROUNDING = 2.0**-15
# rows may be that much longer than 1
_LONGEST = 1.001
_LARGEST_BYTE = 127
# rows of zeros only are no unit rows, but what is left of a row may be all of it
_LEAST_COORDINATE = np.float32(2.0**-30)
# rows of a block: a processor's cache holds the product of two
_LARGEST_BLOCK = 1024
_BYTES_OF_A_PRODUCT = 8
_ROWS_AT_ONCE = 4096
# pairs whose rows a processor's cache holds
_PAIRS_AT_ONCE = 256
# parts that are worth starting threads for
_FEWEST_PARTS = 16


@dataclass(frozen=True)
class Factor:
    """Rows as they are multiplied: `values` (n, d), times `scale`, differ from the rows by `lost` at most.

    The difference is a vector and `lost` bounds its length; values are rotated where they are bytes.
    """

    values: torch.Tensor
    scale: float
    lost: float

    def chosen(self, positions: IntArray) -> Factor:
        """The rows at these positions."""
        import torch  # heavy: --help must not wait for it

        return Factor(self.values[torch.from_numpy(positions).to(self.values.device)], self.scale, self.lost)


@dataclass(frozen=True)
class Product:
    """`values` (m, n), times `unit`, are cosines.

    Each may be off by `error`, which includes the rounding of a cosine to float32.
    """

    values: torch.Tensor
    unit: float
    error: float

    def reaching(self, *least: FloatArray | float) -> tuple[IntArray, IntArray, FloatArray]:
        """Rows, columns and values of the products that may reach one of `least`; none is missed.

        Each is a number, or numbers of each row (m, 1), or of each column (n,).
        """
        import torch

        first, *others = least
        reached = self._may_reach(np.asarray(first))
        for bar in others:
            reached |= self._may_reach(np.asarray(bar))
        places = np.flatnonzero(reached)
        values = self.values.view(-1)[torch.from_numpy(places)].cpu().numpy() * self.unit
        row, column = np.divmod(places, self.values.shape[1])
        return row, column, values

    def _may_reach(self, least: FloatArray) -> BoolArray:
        import torch

        bar = (least.astype(np.float64) - self.error) / self.unit
        if self.values.dtype == torch.int32:
            limits = np.iinfo(np.int32)
            bar = np.clip(np.ceil(bar), limits.min, limits.max).astype(np.int32)
        else:
            bar = np.nextafter(bar.astype(np.float32), np.float32(-np.inf))
        if self.values.device.type == "cpu":
            reached: BoolArray = self.values.numpy() >= bar
            return reached
        return (self.values >= torch.from_numpy(bar).to(self.values.device)).cpu().numpy()


def multiply(left: Factor, right: Factor) -> Product:
    """Products of each row on the left with each on the right."""
    import torch

    # |x.y - x'.y'| <= |x - x'| |y| + |x| |y - y'| + |x - x'| |y - y'|
    error = _LONGEST * (left.lost + right.lost) + left.lost * right.lost + _RANK_ROUNDING
    if left.values.dtype == torch.int8:
        return Product(torch._int_mm(left.values, right.values.T), left.scale * right.scale, error)
    return Product(left.values @ right.values.T, 1.0, error + _float_error(left.values))


def as_factor(rows: FloatArray) -> Factor:
    """Unit rows (n, d), float32, in the form that the machine multiplies fastest."""
    import torch

    if not _as_bytes():
        values = torch.from_numpy(rows)
        return Factor(values.cuda() if torch.cuda.is_available() else values, 1.0, 0.0)
    return _rounded(_rotated(rows))


def as_factors(rows: FloatArray, height: int) -> tuple[list[Factor], list[IntArray]]:
    """Blocks of up to `height` unit rows (N, d), float32, as factors; the positions of each block's rows.

    Rows of like largest coordinate share a block, because the largest of a block decides what it loses.
    """
    order: IntArray = np.arange(len(rows))
    as_bytes = _as_bytes()
    if as_bytes:
        rows = _rotated(rows)
        order = np.argsort(_largest_coordinates(rows), kind="stable")
    blocks = [order[at : at + height] for at in range(0, len(order), height)]
    return [_rounded(rows[block]) if as_bytes else as_factor(rows[block]) for block in blocks], blocks


def float32_error(dimensions: int) -> float:
    """By how much a product of two unit rows in float32 may be off, in whatever order it is added up."""
    return (dimensions + 2) * _FLOAT32_UNIT


def exact_cosines(vectors: FloatArray, rows: IntArray, columns: IntArray) -> FloatArray:
    """Cosines of the pairs (rows[n], columns[n]) of unit vectors, in float64, a bounded number at a time."""
    out = np.empty(len(rows), dtype=np.float64)

    def fill(here: slice) -> None:
        left = vectors[rows[here]].astype(np.float64)
        left *= vectors[columns[here]]
        left.sum(axis=1, out=out[here])

    _in_parts(fill, len(rows))
    return out


def may_reach(vectors: FloatArray, rows: IntArray, columns: IntArray, least: FloatArray | float) -> BoolArray:
    """Which pairs (rows[n], columns[n]) may have a cosine of `least`, a number or one of each pair."""
    out = np.empty(len(rows), dtype=np.float32)

    def fill(here: slice) -> None:
        np.einsum("nd,nd->n", vectors[rows[here]], vectors[columns[here]], out=out[here])

    _in_parts(fill, len(rows))
    reaching: BoolArray = out >= least - float32_error(vectors.shape[1]) - _RANK_ROUNDING
    return reaching


def block_height(memory_mib: int) -> int:
    """Rows of a block such that the product of two, and what is compared with it, stay within memory."""
    return min(_LARGEST_BLOCK, max(1, math.isqrt((memory_mib << 20) // _BYTES_OF_A_PRODUCT)))


def _as_bytes() -> bool:
    """Whether the processor multiplies and adds bytes natively; emulated they are slow and may saturate."""
    import torch

    # torch has no public name for these; where they are gone float32 does
    ask = getattr(torch.cpu, "_is_vnni_supported", None)
    return not torch.cuda.is_available() and ask is not None and hasattr(torch, "_int_mm") and bool(ask())


def _rounded(rows: FloatArray) -> Factor:
    """Rotated rows as bytes."""
    import torch

    scale = float(np.float32(_largest_coordinates(rows).max(initial=_LEAST_COORDINATE) / _LARGEST_BYTE))
    values, lost = torch.empty(rows.shape, dtype=torch.int8), 0.0
    for at in range(0, len(rows), _ROWS_AT_ONCE):
        exact = torch.from_numpy(rows[at : at + _ROWS_AT_ONCE])
        whole = (exact / scale).round_()
        values[at : at + _ROWS_AT_ONCE] = whole
        lost = max(lost, float((exact - whole.mul_(scale)).norm(dim=1).max()))
    return Factor(values, scale, lost + _TRANSFORM_ROUNDING)


def _rotated(rows: FloatArray) -> FloatArray:
    """The rows turned so that no coordinate stands out; products stay as they are.

    Signs drawn at random and a cosine transform spread each coordinate over all others.
    """
    from scipy.fft import dct  # scipy loads slowly; --help must not wait for it

    signs = np.random.default_rng(0).choice(np.array([-1, 1], dtype=np.float32), rows.shape[1])
    out = np.empty_like(rows)
    for at in range(0, len(rows), _ROWS_AT_ONCE):
        out[at : at + _ROWS_AT_ONCE] = dct(rows[at : at + _ROWS_AT_ONCE] * signs, axis=1, norm="ortho")
    return out


def _largest_coordinates(rows: FloatArray) -> FloatArray:
    out: FloatArray = np.maximum(rows.max(axis=1), -rows.min(axis=1))
    return out


def _in_parts(fill: Callable[[slice], None], num_pairs: int) -> None:
    """Fill all pairs, a few at a time, on as many threads as torch uses."""
    import torch

    parts = [slice(at, at + _PAIRS_AT_ONCE) for at in range(0, num_pairs, _PAIRS_AT_ONCE)]
    if len(parts) < _FEWEST_PARTS:
        for part in parts:
            fill(part)
        return
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        # results are None; asking for them raises what a thread raised
        list(threads.map(fill, parts))


def _float_error(values: torch.Tensor) -> float:
    import torch

    error = float32_error(values.shape[1])
    if values.device.type != "cpu":
        error += 2 * _TENSOR_CORE_INPUT
    if torch.get_float32_matmul_precision() != "highest":
        error += _BFLOAT16_INPUT
    return error
