"""SQUAREM (Varadhan and Roland 2008): expectation maximisation that leaps.

Parameters are rows of probabilities, (R, K), each row summing to one. All work is on logarithms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from ..arrays import FloatArray

# longest leap to begin with, and the factor by which it grows with success and shrinks with failure
_FIRST_LEAP = 4.0
_STRETCH = 4.0

Step: TypeAlias = Callable[[FloatArray], tuple[FloatArray, float]]
"""One EM step: the new parameters, and the objective at the old ones."""


def climb(
    step: Step, rows: FloatArray, *, most_cycles: int, smallest_gain: float
) -> tuple[FloatArray, float]:
    """The maximum of the objective that EM reaches from `rows`, all entries above zero; and its value.

    A cycle is three steps: two plain ones are extrapolated, and where the leap does not help the second of
    them stands. It ends after `most_cycles`, or when a cycle gains no more than `smallest_gain`.
    """
    value, longest = -np.inf, _FIRST_LEAP
    for _ in range(most_cycles):
        once, before = step(rows)
        twice, _ = step(once)
        length = min(_length(rows, once, twice), longest)
        leapt, after = step(_leap(rows, once, twice, length))
        helped = after >= before
        rows = leapt if helped else twice
        if not helped:
            longest = max(1.0, length / _STRETCH)
        elif length == longest:
            longest *= _STRETCH
        if before - value <= smallest_gain and value > -np.inf:
            break
        value = before
    return rows, value


def _length(start: FloatArray, once: FloatArray, twice: FloatArray) -> float:
    """The length of leap, in steps, that two steps suggest; 1 is where they lead by themselves."""
    a, b, c = np.log(start), np.log(once), np.log(twice)
    first, bend = b - a, c - 2 * b + a
    bent = np.sqrt((bend * bend).sum())
    return max(1.0, float(np.sqrt((first * first).sum()) / bent)) if bent > 0 else 1.0


def _leap(start: FloatArray, once: FloatArray, twice: FloatArray, length: float) -> FloatArray:
    """The extrapolated point, put back on the simplex."""
    a, b, c = np.log(start), np.log(once), np.log(twice)
    logs = a + 2 * length * (b - a) + length * length * (c - 2 * b + a)
    # far out a probability may vanish: logarithms stay finite, the next step corrects it
    rows = np.exp(np.clip(logs - logs.max(axis=1, keepdims=True), -60.0, 0.0))
    on_simplex: FloatArray = rows / rows.sum(axis=1, keepdims=True)
    return on_simplex
