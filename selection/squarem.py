"""SQUAREM (Varadhan and Roland 2008): expectation maximisation that leaps.

Parameters are rows of probabilities, (R, K), each row summing to one. All work is on logarithms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from .arrays import FloatArray

Step: TypeAlias = Callable[[FloatArray], tuple[FloatArray, float]]
"""One EM step: the new parameters, and the objective at the old ones."""


def climb(
    step: Step, rows: FloatArray, *, most_cycles: int, smallest_gain: float
) -> tuple[FloatArray, float]:
    """The maximum of the objective that EM reaches from `rows`, all entries above zero; and its value.

    A cycle is three steps: two plain ones are extrapolated, and where the leap does not help the second of
    them stands. It ends after `most_cycles`, or when a cycle gains no more than `smallest_gain`.
    """
    value = -np.inf
    for _ in range(most_cycles):
        once, before = step(rows)
        twice, _ = step(once)
        leapt, after = step(_leap(rows, once, twice))
        rows = leapt if after >= before else twice
        if before - value <= smallest_gain and value > -np.inf:
            break
        value = before
    return rows, value


def _leap(start: FloatArray, once: FloatArray, twice: FloatArray) -> FloatArray:
    """The extrapolated point, put back on the simplex."""
    a, b, c = np.log(start), np.log(once), np.log(twice)
    first, bend = b - a, c - 2 * b + a
    bent = np.sqrt((bend * bend).sum())
    length = max(1.0, float(np.sqrt((first * first).sum()) / bent)) if bent > 0 else 1.0
    logs = a + 2 * length * first + length * length * bend
    # far out a probability may vanish: logarithms stay finite, the next step corrects it
    rows = np.exp(np.clip(logs - logs.max(axis=1, keepdims=True), -60.0, 0.0))
    on_simplex: FloatArray = rows / rows.sum(axis=1, keepdims=True)
    return on_simplex
