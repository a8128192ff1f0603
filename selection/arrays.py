"""The array types of this room, and the checks its public functions share."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

IntArray: TypeAlias = NDArray[np.integer[Any]]
"""Scores, labels and row positions."""

FloatArray: TypeAlias = NDArray[np.floating[Any]]
"""Embeddings (float32), probabilities (float64)."""

BoolArray: TypeAlias = NDArray[np.bool_]

# float16 storage moves a norm by some 1e-4; anything further off was never normalised
_NORM_TOLERANCE = 1e-3


def check_unit_rows(embeddings: FloatArray) -> None:
    """Raise ValueError, naming the first bad row, unless `embeddings` (N, d) are finite unit rows."""
    if embeddings.ndim != 2:
        msg = f"embeddings must be two-dimensional (rows, dimensions), got shape {embeddings.shape}"
        raise ValueError(msg)
    norms = np.sqrt(np.einsum("ij,ij->i", embeddings, embeddings, dtype=np.float64))
    bad = np.flatnonzero(~(np.abs(norms - 1.0) <= _NORM_TOLERANCE))
    if bad.size == 0:
        return
    norm = norms[bad[0]]
    found = (
        "NaN or infinity" if not np.isfinite(norm) else "only zeros" if norm == 0 else f"length {norm:.4g}"
    )
    msg = f"embedding of row {bad[0]} has {found}, expected a vector of unit length"
    raise ValueError(msg)


def check_in_range(values: IntArray, low: int, high: int, *, name: str) -> None:
    """Raise ValueError, naming the first bad position, unless `values` (N,) are integers in low..high."""
    if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
        msg = (
            f"{name} must be a one-dimensional array of integers, got {values.dtype} of shape {values.shape}"
        )
        raise ValueError(msg)
    bad = np.flatnonzero((values < low) | (values > high))
    if bad.size:
        msg = f"{name} at position {bad[0]} is {values[bad[0]]}, expected {low} to {high}"
        raise ValueError(msg)


def check_order(order: IntArray, num_rows: int) -> None:
    """Raise ValueError unless `order` is a permutation of 0..num_rows-1."""
    if order.shape != (num_rows,) or not np.array_equal(np.sort(order), np.arange(num_rows)):
        msg = f"order must be a permutation of the {num_rows} row positions, got shape {order.shape}"
        raise ValueError(msg)
