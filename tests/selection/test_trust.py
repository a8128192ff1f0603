from __future__ import annotations

import numpy as np
import pytest

from entp.selection.raters import trust
from entp.selection.raters.latent_class import Model
from entp.selection.raters.moments import implied_third_order
from entp.selection.raters.patterns import MISSING


def model_of(own, prior=None):
    num_scores = len(own)
    prior = np.full(num_scores, 1 / num_scores) if prior is None else prior
    return Model(prior, own, own)


def names(flags):
    return {flag.name for flag in flags}


def test_two_in_a_hundred_is_signal_and_a_fifth_is_enough() -> None:
    assert names(trust.no_signal(0.019, 1.0)) == {"no_signal"}
    assert names(trust.no_signal(0.02, 1.0)) == set()
    assert names(trust.no_signal(0.0, 0.0)) == {"no_signal"}
    assert names(trust.weak_signal(0.02, 1.0)) == names(trust.weak_signal(0.19, 1.0)) == {"weak_signal"}
    assert names(trust.weak_signal(0.2, 1.0)) == names(trust.weak_signal(0.01, 1.0)) == set()


def test_misplaced_rows_look_like_ratings_drawn_at_random(synthetic) -> None:
    observed = np.full(6, 1 / 6)
    # errors to the next score only cannot be misplaced rows; errors anywhere can
    assert trust.unbound(model_of(synthetic.adjacent()), observed) == ()
    anywhere = 0.4 * np.eye(6) + 0.6 * observed
    (flag,) = trust.unbound(model_of(anywhere), observed)
    assert flag.name == "unbound"
    assert "60 %" in flag.sentence


def test_what_a_model_implies_is_no_misfit_and_what_it_rules_out_is(synthetic) -> None:
    model = model_of(synthetic.adjacent())
    q3 = implied_third_order(model)
    assert trust.misfit(q3, model, 10_000) == ()
    agreeing = np.zeros_like(q3)
    agreeing[range(6), range(6), range(6)] = 1 / 6
    assert names(trust.misfit(agreeing, model, 10_000)) == {"misfit"}
    assert trust.misfit(np.zeros_like(q3), model, 0) == ()


def test_agreement_that_falls_with_distance(rng) -> None:
    scores = rng.integers(0, 6, 3000)
    near, far = np.tile(scores[:, None], (1, 3)), rng.integers(0, 6, (3000, 3))
    assert names(trust.drift(scores, np.hstack([near, far]))) == {"drift"}
    assert trust.drift(scores, far) == ()
    assert trust.drift(scores, np.full((3000, 4), MISSING)) == ()


def test_copies_rated_alike_more_often_than_a_noisy_rater_would(synthetic, rng) -> None:
    model = model_of(synthetic.adjacent(0.5))
    true = rng.integers(0, 6, 2000)
    first = np.arange(2000) // 2 * 2
    copies = np.arange(2000).reshape(-1, 2)
    independent = synthetic.rate(true[first], synthetic.adjacent(0.5), rng)
    assert trust.repeated_errors(independent, copies, model) == ()
    assert names(trust.repeated_errors(independent[first], copies, model)) == {"repeated_errors"}
    assert trust.repeated_errors(independent, copies[:0], model) == ()


@pytest.mark.parametrize(
    ("shift", "expected"), [(0, set()), (1, {"biased"}), (2, {"off_diagonal"}), (-2, {"off_diagonal"})]
)
def test_a_bias_is_told_from_misnamed_rows(shift, expected) -> None:
    own = np.full((4, 8), 0.01)
    own[np.arange(4), np.arange(4) + 2 + shift] = 1.0
    square = np.full((8, 8), 0.01) + np.eye(8)
    square[2:6] = own
    square /= square.sum(axis=1, keepdims=True)
    prior = np.array([0, 0, 0.25, 0.25, 0.25, 0.25, 0, 0])
    assert names(trust.odd_rows(Model(prior, square, square))) == expected


def test_means_that_do_not_rise() -> None:
    own = np.array([[0.8, 0.1, 0.1], [0.3, 0.4, 0.3], [0.45, 0.1, 0.45]])
    assert "not_rising" in names(trust.odd_rows(model_of(own)))


def test_a_matrix_that_depends_on_the_number_of_neighbours(synthetic) -> None:
    chosen, other = model_of(synthetic.adjacent(0.1)), model_of(synthetic.adjacent(0.5))
    assert names(trust.unstable([chosen, other], chosen, np.full((6, 6), 0.005))) == {"unstable"}
    assert trust.unstable([chosen, other], chosen, np.full((6, 6), 0.1)) == ()
    assert trust.unstable([chosen, other], chosen, None) == ()


def test_features_that_tell_what_the_neighbours_cannot(synthetic, rng) -> None:
    model = model_of(synthetic.adjacent())
    shared = rng.integers(0, 6, 3000)
    classes = np.eye(6)[shared]
    own = np.where(rng.random(3000) < 0.3, rng.integers(0, 6, 3000), shared)
    opinion = rng.normal(size=3000)
    for true, expected in ((shared, set()), (own, {"unshared"})):
        scores = synthetic.rate(true, synthetic.adjacent(), rng)
        assert names(trust.unshared(scores, classes, model, true + opinion)) == expected
    doubtful = np.full((3000, 6), 1 / 6)
    assert trust.unshared(shared, doubtful, model, own + opinion) == ()
