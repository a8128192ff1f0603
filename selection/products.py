"""Products of unit rows as fast as the machine gives them, and by how much they may be off.

A graphics card where torch sees one, bfloat16 where the processor multiplies it natively, float32
elsewhere. The results only nominate: what is returned or compared with a threshold is computed anew by
`exact_cosines`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .arrays import FloatArray, IntArray

if TYPE_CHECKING:
    import torch

# a product of n terms in float32 is off by at most n units of 2^-24 of the sum of absolute terms, at most 1
# here, in whatever order they are added
_FLOAT32_UNIT = 2.0**-24
# a product just below 1 is rounded to bfloat16 by at most half of 2^-8, one just above 1 by half of 2^-7
_BFLOAT16_RESULT = 2.0**-8
# tensor cores may cut the inputs of a float32 product to 10 bits
_TENSOR_CORE_INPUT = 2.0**-10
# similarities are compared as float32
_RANK_ROUNDING = 2.0**-23
_BYTES_AT_ONCE = 64 << 20


class Products:
    """Products between rows of `vectors` (N, d), float32 unit rows; `error` bounds how far each may be off.

    `fine` asks for float32 on the processor, the least error there is.
    """

    def __init__(self, vectors: FloatArray, *, fine: bool = False) -> None:
        import torch  # heavy: --help must not wait for it

        rows = torch.from_numpy(vectors)
        self.error = float32_error(vectors.shape[1]) + _RANK_ROUNDING
        if torch.get_float32_matmul_precision() != "highest":
            # somebody allowed torch to round the inputs of float32 products to bfloat16
            self.error += _BFLOAT16_RESULT
        if not fine and torch.cuda.is_available():
            rows = rows.cuda()
            self.error += 2 * _TENSOR_CORE_INPUT
        elif not fine and _multiplies_bfloat16():
            rounded = rows.bfloat16()
            # |x.y - x'.y'| <= |x - x'| |y| + |x'| |y - y'|, lengths being 1 or nearly so
            lost = float((rows - rounded.float()).norm(dim=1).max()) if len(rows) else 0.0
            self.error += 2.01 * lost + _BFLOAT16_RESULT
            rows = rounded
        self._rows = rows

    def between(self, rows: IntArray, columns: IntArray | slice) -> torch.Tensor:
        """Products (len(rows), len(columns)) of the rows at these positions, as float32."""
        right = self._rows[columns] if isinstance(columns, slice) else self._chosen(columns)
        # float32 again, because comparing bfloat16 with a threshold would round the threshold
        return (self._chosen(rows) @ right.T).float()

    def reaching(self, rows: IntArray, columns: IntArray, least: float) -> tuple[IntArray, IntArray]:
        """Places in `rows` and in `columns` whose product may be `least` or more; none is missed."""
        import torch

        product = self._chosen(rows) @ self._chosen(columns).T
        threshold = torch.tensor(least - self.error, dtype=product.dtype)
        if product.dtype == torch.bfloat16 and threshold > 0:
            # above zero numbers are in the order of their bits, and whole numbers compare many times faster;
            # one bit less than the threshold, which may have been rounded up
            reached = product.view(torch.int16).numpy() >= threshold.view(torch.int16).item() - 1
        else:
            reached = (product.float() >= least - self.error).cpu().numpy()
        place, column = np.divmod(np.flatnonzero(reached), len(columns))
        return place, column

    def _chosen(self, positions: IntArray) -> torch.Tensor:
        import torch

        return self._rows[torch.from_numpy(positions).to(self._rows.device)]


def float32_error(dimensions: int) -> float:
    """By how much a product of two unit rows in float32 may be off, in whatever order it is added up."""
    return (dimensions + 2) * _FLOAT32_UNIT


def exact_cosines(vectors: FloatArray, rows: IntArray, columns: IntArray) -> FloatArray:
    """Cosines of the pairs (rows[n], columns[n]) of unit vectors, in float64, a bounded number at a time."""
    out = np.empty(len(rows), dtype=np.float64)
    step = max(1, _BYTES_AT_ONCE // (16 * vectors.shape[1]))
    for at in range(0, len(rows), step):
        left = vectors[rows[at : at + step]].astype(np.float64)
        left *= vectors[columns[at : at + step]]
        out[at : at + step] = left.sum(axis=1)
    return out


def row_blocks(num_rows: int, width: int, memory_mib: int) -> list[tuple[int, int]]:
    """Ranges of rows such that a few float32 arrays of (range, width) stay within `memory_mib`."""
    arrays_alive = 4
    height = max(1, (memory_mib << 20) // (arrays_alive * 4 * max(width, 1)))
    # larger blocks are no faster
    height = min(height, 2048)
    return [(start, min(start + height, num_rows)) for start in range(0, num_rows, height)]


def _multiplies_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 natively; emulated it is slower than float32."""
    import torch

    # torch has no public name for these; where they are gone float32 does
    asks = [
        getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    ]
    return any(ask is not None and ask() for ask in asks)
