from __future__ import annotations

import numpy as np

from entp.selection import estimate_transition, nearest_neighbours
from entp.selection.regions import split_regions


def test_every_row_has_a_region_and_neighbours_mostly_the_same(synthetic, rng) -> None:
    rows = synthetic.bunches(150, 20, spread=0.2, seed=1)
    indices = nearest_neighbours(rows, 5).indices
    region = split_regions(indices, rng)
    assert set(region.tolist()) == set(range(20))
    together = (region[indices] == region[:, None]).mean()
    # dealt by row, one pair in twenty would be together
    assert together > 0.25
    assert np.bincount(region).max() < 5 * 3000 / 20


def test_standard_errors_are_the_spread_over_pools(synthetic, rng) -> None:
    found = []
    for seed in range(12):
        truth = synthetic.truth(
            4000, synthetic.adjacent(num_scores=3), seed=seed, prior=np.array([0.3, 0.4, 0.3])
        )
        found.append(
            estimate_transition(truth.scores, truth.neighbours, rng=rng, num_scores=3, method="neighbours")
        )
    spread = np.std([estimate.transition for estimate in found], axis=0, ddof=1).mean()
    claimed = np.mean([estimate.standard_error for estimate in found])
    assert 0.5 * spread < claimed < 2 * spread


def test_they_shrink_with_the_pool(synthetic, rng) -> None:
    claimed = []
    for num_rows in (2000, 32_000):
        truth = synthetic.truth(num_rows, synthetic.adjacent())
        claimed.append(estimate_transition(truth.scores, truth.neighbours, rng=rng).standard_error.mean())
    assert claimed[1] < claimed[0] / 2
