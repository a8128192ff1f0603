from __future__ import annotations

import numpy as np
import pytest

from entp.selection import Audit, correct_scores, estimate_transition, spearman
from entp.selection.raters.features import cross_predict


def test_no_row_informs_its_own_prediction(rng) -> None:
    # as many features as rows: a fit that saw a row would repeat it
    scores = rng.integers(0, 6, 200)
    prediction = cross_predict(rng.normal(size=(200, 150)), scores, np.arange(200), rng)
    assert abs(spearman(prediction, scores)) < 0.2


def test_no_copy_informs_a_prediction(rng) -> None:
    scores = np.tile(rng.integers(0, 6, 150), 2)
    features = np.tile(rng.normal(size=(150, 100)), (2, 1))
    together = cross_predict(features, scores, np.tile(np.arange(150), 2), rng)
    apart = cross_predict(features, scores, np.arange(300), rng)
    assert spearman(apart, scores) > 0.5
    assert abs(spearman(together, scores)) < 0.25


def test_what_can_be_predicted_is(rng) -> None:
    quality = rng.normal(size=3000)
    features = np.column_stack([quality + rng.normal(size=3000), rng.normal(size=(3000, 5))])
    scores = np.digitize(quality, [-1.5, -0.5, 0, 0.5, 1.5])
    prediction = cross_predict(features, scores, np.arange(3000), rng)
    assert spearman(prediction, scores) == pytest.approx(spearman(features[:, 0], scores), abs=0.02)
    assert (prediction.mean(), prediction.std()) == pytest.approx((0, 1), abs=1e-9)


def test_a_blend_is_nearer_the_truth_than_the_rating(synthetic, rng) -> None:
    quality = rng.normal(size=4000)
    true = np.digitize(quality, [-1.5, -0.7, 0, 0.7, 1.5])
    scores = synthetic.rate(true, synthetic.adjacent(0.6), rng)
    features = np.column_stack([quality + 0.7 * rng.normal(size=4000), np.ones(4000)])
    neighbours = synthetic.truth(4000, synthetic.adjacent()).neighbours
    found = estimate_transition(scores, neighbours, rng=rng, method="crossfit", features=features)
    posterior = correct_scores(scores, neighbours, found).posterior
    np.testing.assert_allclose(posterior.sum(axis=1), 1.0)
    assert spearman(posterior @ np.arange(6), true) > spearman(scores, true) + 0.03


def test_features_reorder_rows_and_leave_as_many_of_each_score(synthetic, rng) -> None:
    true = rng.integers(0, 6, 3000)
    scores = synthetic.rate(true, synthetic.adjacent(0.6), rng)
    features = true[:, None] + 0.7 * rng.normal(size=(3000, 1))
    neighbours = synthetic.truth(3000, synthetic.adjacent()).neighbours
    found = estimate_transition(scores, neighbours, rng=rng, method="crossfit", features=features)
    corrected = correct_scores(scores, neighbours, found)
    np.testing.assert_array_equal(np.bincount(corrected.score), np.bincount(scores))
    means = corrected.posterior @ np.arange(6)
    assert all(means[corrected.score == low].max() <= means[corrected.score > low].min() for low in range(5))
    assert (corrected.score == true).mean() > (scores == true).mean() + 0.05
    np.testing.assert_array_equal(corrected.confidence, corrected.posterior[np.arange(3000), corrected.score])


def test_an_audit_settles_the_weight_of_the_rating(synthetic, rng) -> None:
    true = rng.integers(0, 6, 3000)
    features = true[:, None] + 1.5 * rng.normal(size=(3000, 1))
    neighbours = synthetic.truth(3000, synthetic.adjacent()).neighbours
    moved = []
    for error in (0.05, 0.6):
        scores, second = (synthetic.rate(true, synthetic.adjacent(error), rng) for _ in range(2))
        audit = Audit(np.arange(500), second[:500])
        found = estimate_transition(
            scores, neighbours, rng=rng, method="crossfit", features=features, audit=audit
        )
        moved.append((correct_scores(scores, neighbours, found).score != scores).mean())
    assert moved[0] < 0.1 < moved[1]


def test_features_that_say_nothing_are_flagged(synthetic, rng) -> None:
    truth = synthetic.truth(2000, synthetic.adjacent())
    found = estimate_transition(
        truth.scores, truth.neighbours, rng=rng, method="crossfit", features=rng.normal(size=(2000, 3))
    )
    assert [flag.name for flag in found.flags] == ["no_signal"]


def test_left_to_itself_it_weighs_features_in(synthetic, rng) -> None:
    truth = synthetic.truth(6000, synthetic.adjacent(0.5), strangers=0.5, k=5)
    features = truth.true[:, None] + rng.normal(size=(6000, 1))
    without = estimate_transition(truth.scores, truth.neighbours, rng=rng, method="neighbours")
    found = estimate_transition(truth.scores, truth.neighbours, rng=rng, features=features)
    assert found.tilt > 0
    assert found.gain > without.gain


@pytest.mark.parametrize(("method", "needed"), [("crossfit", "features"), ("audited", "an audit")])
def test_what_a_method_needs_must_be_given(synthetic, rng, method, needed) -> None:
    truth = synthetic.truth(100, synthetic.adjacent())
    with pytest.raises(ValueError, match=f"method '{method}' needs {needed}, got none"):
        estimate_transition(truth.scores, truth.neighbours, rng=rng, method=method)


def test_features_of_other_rows_or_with_gaps_are_refused(synthetic, rng) -> None:
    truth = synthetic.truth(100, synthetic.adjacent())
    for features in (np.ones((99, 2)), np.full((100, 2), np.nan), np.ones(100)):
        with pytest.raises(ValueError, match="features must be finite, of shape"):
            estimate_transition(truth.scores, truth.neighbours, rng=rng, features=features)


def test_scores_all_alike(synthetic, rng) -> None:
    neighbours = synthetic.truth(200, synthetic.adjacent()).neighbours
    scores = np.full(200, 2)
    found = estimate_transition(
        scores, neighbours, rng=rng, method="crossfit", features=rng.normal(size=(200, 2))
    )
    assert set(correct_scores(scores, neighbours, found).score.tolist()) == {2}


def test_features_show_that_neighbours_share_no_score(synthetic, rng) -> None:
    abstained = []
    for redrawn in (0.0, 0.2):
        truth = synthetic.truth(6000, synthetic.adjacent(), redrawn=redrawn, k=20)
        features = truth.true[:, None] + rng.normal(size=(6000, 1))
        found = estimate_transition(truth.scores, truth.neighbours, rng=rng, features=features)
        assert ("unshared" in {flag.name for flag in found.flags}) == found.abstains
        abstained.append(found.abstains)
    assert abstained == [False, True]
