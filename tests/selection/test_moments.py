from __future__ import annotations

import numpy as np
import pytest

from entp.selection import correct_scores, estimate_transition
from entp.selection.raters.latent_class import Model, diagonal_start
from entp.selection.raters.moments import _distance, implied_third_order, match_moments, third_order
from entp.selection.raters.patterns import MISSING


def test_third_order_by_hand() -> None:
    scores = np.array([0, 1, 1, 0])
    views = np.array([[1, 1, 0], [0, 1, 1], [0, 1, 0], [1, MISSING, MISSING]])
    expected = np.zeros((2, 2, 2))
    expected[0, 1, 1] = 1 / 3
    expected[1, 0, 1] = 2 / 3
    np.testing.assert_allclose(third_order(scores, views, 2), expected)


def test_third_order_of_no_neighbours_is_zero() -> None:
    assert not third_order(np.array([0, 1]), np.full((2, 2), MISSING), 2).any()


def test_implied_third_order_is_the_papers_sum(rng) -> None:
    rows = rng.dirichlet(np.ones(3), size=6)
    model = Model(rng.dirichlet(np.ones(3)), rows[:3], rows[3:])
    by_hand = np.zeros((3, 3, 3))
    for true in range(3):
        for own in range(3):
            for first in range(3):
                for second in range(3):
                    term = model.prior[true] * model.own[true, own]
                    by_hand[own, first, second] += (
                        term * model.neighbour[true, first] * model.neighbour[true, second]
                    )
    np.testing.assert_allclose(implied_third_order(model), by_hand)


def test_the_slope_of_the_distance(rng) -> None:
    logits, q3 = rng.normal(size=20), rng.dirichlet(np.ones(64)).reshape(4, 4, 4)
    value, slope = _distance(logits, q3)
    for at in range(20):
        step = np.zeros(20)
        step[at] = 1e-6
        change = (_distance(logits + step, q3)[0] - _distance(logits - step, q3)[0]) / 2e-6
        assert slope[at] == pytest.approx(change, abs=1e-7)
    assert value > 0


def test_exact_moments_give_back_the_matrix(synthetic) -> None:
    own = synthetic.adjacent()
    prior = np.array([0.1, 0.2, 0.25, 0.2, 0.15, 0.1])
    q3 = implied_third_order(Model(prior, own, own))
    found = match_moments(q3, [diagonal_start(q3.sum(axis=(1, 2)), diagonal) for diagonal in (0.9, 0.5)])
    assert np.abs(found.own - own).max() < 0.02
    assert np.abs(found.prior - prior).max() < 0.02


def test_the_papers_method_recovers_a_known_matrix(synthetic, rng) -> None:
    truth = synthetic.truth(20_000, synthetic.adjacent())
    found = estimate_transition(truth.scores, truth.neighbours, rng=rng, method="hoc")
    assert (found.method, found.k, found.beta, found.abstains) == ("hoc", 2, 1.0, False)
    np.testing.assert_array_equal(found.neighbour_matrix, found.transition)
    assert np.abs(found.transition - synthetic.adjacent()).sum(axis=1).mean() < 0.08
    right = (correct_scores(truth.scores, truth.neighbours, found).score == truth.true).mean()
    assert right > 0.8 > (truth.scores == truth.true).mean()
