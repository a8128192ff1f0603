"""How sure a fit is: the jackknife over regions of the pool."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray

_REGIONS = 20


def split_regions(indices: IntArray, rng: np.random.Generator) -> IntArray:
    """A region 0..19 for each row: regions grow from random rows along nearest neighbours `indices` (N, k).

    Rows near each other are not independent draws, so leaving out rows at random would make any estimate look
    surer than it is; leaving out a region does not.
    """
    num_rows = len(indices)
    region = np.full(num_rows, -1, dtype=np.int64)
    # many small seeds per region, dealt in turn, keep regions alike in size
    seeds = rng.permutation(num_rows)[: 10 * _REGIONS]
    region[seeds] = np.arange(len(seeds)) % _REGIONS
    while (region < 0).any():
        waiting = np.flatnonzero(region < 0)
        found = region[indices[waiting]]
        known = found >= 0
        reached = known.any(axis=1)
        if not reached.any():
            region[waiting] = rng.integers(0, _REGIONS, len(waiting))
            break
        first = known[reached].argmax(axis=1)
        region[waiting[reached]] = found[reached, first]
    return region


def jackknife(region: IntArray, refit: Callable[[BoolArray], FloatArray]) -> FloatArray | None:
    """Standard errors (K, K) of T: the spread of the fits that leave out one region each.

    `refit` fits T to the rows that are kept, (N,). None where there are fewer than two regions to leave out.
    """
    fits = [refit(region != left_out) for left_out in np.unique(region)]
    if len(fits) < 2:
        return None
    errors: FloatArray = np.sqrt((len(fits) - 1) * np.stack(fits).var(axis=0))
    return errors
