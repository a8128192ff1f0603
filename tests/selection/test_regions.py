from __future__ import annotations

import numpy as np
import pytest

from entp.selection import Audit, Neighbours, estimate_transition, nearest_neighbours
from entp.selection.raters.regions import jackknife, split_regions


def test_every_row_has_a_region_and_neighbours_mostly_the_same(synthetic, rng) -> None:
    rows = synthetic.bunches(150, 20, spread=0.2, seed=1)
    indices = nearest_neighbours(rows, 5).indices
    region = split_regions(indices, rng)
    assert set(region.tolist()) == set(range(20))
    together = (region[indices] == region[:, None]).mean()
    # dealt by row, one pair in twenty would be together
    assert together > 0.25
    assert np.bincount(region).max() < 5 * 3000 / 20


@pytest.mark.parametrize("method", ["neighbours", "hoc", "crossfit", "audited"])
def test_standard_errors_are_the_spread_over_pools(synthetic, method) -> None:
    found = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        truth = synthetic.truth(
            4000, synthetic.adjacent(num_scores=3), seed=seed, prior=np.array([0.3, 0.4, 0.3])
        )
        audited = rng.choice(4000, 500, replace=False)
        given = {
            "crossfit": {"features": truth.true[:, None] + rng.normal(size=(4000, 1))},
            "audited": {"audit": Audit(audited, truth.second[audited])},
        }.get(method, {})
        found.append(
            estimate_transition(truth.scores, truth.neighbours, rng=rng, num_scores=3, method=method, **given)
        )
    spread = np.std([estimate.transition for estimate in found], axis=0, ddof=1).mean()
    claimed = np.mean([estimate.standard_error for estimate in found])
    assert 0.6 * spread < claimed < 1.6 * spread


def test_too_few_rows_for_regions_have_no_standard_error(synthetic, rng) -> None:
    neighbours = synthetic.truth(60, np.eye(6)).neighbours
    for region, number in ((np.zeros(60, dtype=int), 1), (np.arange(60) % 2, 2)):
        errors = jackknife(region, lambda kept: np.diag([kept[:30].mean(), kept[30:].mean()]))
        assert (errors is None) == (number == 1)
    scores = np.zeros(1, dtype=int)
    one = Neighbours(neighbours.indices[:1] * 0, neighbours.similarities[:1])
    assert estimate_transition(scores, one, rng=rng, method="hoc").standard_error is None


def test_they_shrink_with_the_pool(synthetic, rng) -> None:
    claimed = []
    for num_rows in (2000, 32_000):
        truth = synthetic.truth(num_rows, synthetic.adjacent())
        claimed.append(estimate_transition(truth.scores, truth.neighbours, rng=rng).standard_error.mean())
    assert claimed[1] < claimed[0] / 2
