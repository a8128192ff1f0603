from __future__ import annotations

import numpy as np
import pytest

from entp.selection.raters.latent_class import (
    Model,
    class_posterior,
    diagonal_start,
    fit_model,
    log_likelihood,
    name_classes,
)
from entp.selection.raters.moments import spectral_start
from entp.selection.raters.patterns import MISSING, count_patterns


def some_model(num_scores, rng):
    rows = rng.dirichlet(np.ones(num_scores), size=2 * num_scores)
    return Model(rng.dirichlet(np.ones(num_scores)), rows[:num_scores], rows[num_scores:])


def slow_log_likelihood(model, scores, views):
    total = 0.0
    for score, neighbours in zip(scores, views, strict=True):
        probability = 0.0
        for true, prior in enumerate(model.prior):
            term = prior * model.own[true, score]
            for neighbour in neighbours[neighbours != MISSING]:
                term *= model.neighbour[true, neighbour]
            probability += term
        total += np.log(probability)
    return total


def test_patterns_count_every_row_once() -> None:
    scores = np.array([0, 1, 1, 0])
    views = np.array([[1, 2, 1], [2, 1, 1], [0, MISSING, MISSING], [1, 1, 2]])
    patterns = count_patterns(scores, views, 3)
    assert patterns.counts[patterns.pattern_of].tolist() == [[0, 2, 1], [0, 2, 1], [1, 0, 0], [0, 2, 1]]
    assert patterns.weights[patterns.pattern_of[0]].tolist() == [2, 1, 0]
    assert patterns.weights.sum() == 4


def test_likelihood_equals_the_sum_over_rows(rng) -> None:
    scores = rng.integers(0, 4, 80)
    views = rng.integers(-1, 4, (80, 5))
    model = some_model(4, rng)
    expected = slow_log_likelihood(model, scores, views)
    assert log_likelihood(model, np.eye(4), count_patterns(scores, views, 4)) == pytest.approx(
        expected, rel=1e-12
    )


def test_class_posterior_is_bayes(rng) -> None:
    model = some_model(3, rng)
    counts = np.array([[2.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    by_hand = model.prior * model.neighbour[:, 0] ** 2 * model.neighbour[:, 2]
    np.testing.assert_allclose(
        class_posterior(model.prior, model.neighbour, counts, 1.0), [by_hand / by_hand.sum(), model.prior]
    )
    np.testing.assert_allclose(
        class_posterior(model.prior, model.neighbour, counts, 0.0), [model.prior, model.prior]
    )


def test_the_fit_is_a_maximum_and_rows_sum_to_one(synthetic, rng) -> None:
    truth = synthetic.truth(3000, synthetic.adjacent(num_scores=3), prior=np.array([0.2, 0.5, 0.3]))
    patterns = count_patterns(truth.scores, truth.scores[truth.neighbours.indices[:, :3]], 3)
    observed = np.bincount(truth.scores) / 3000
    starts = [diagonal_start(observed, 0.8), spectral_start(patterns, rng)]
    model = fit_model(patterns, starts)
    likelihood = log_likelihood(model, np.eye(3), patterns)
    for rows in (model.prior[None], model.own, model.neighbour):
        np.testing.assert_allclose(rows.sum(axis=1), 1.0)
    assert likelihood > max(log_likelihood(start, np.eye(3), patterns) for start in starts)
    other = some_model(3, rng)
    for share in (1e-3, 1e-2):
        mixed = Model(
            *(
                (1 - share) * ours + share * theirs
                for ours, theirs in zip(vars(model).values(), vars(other).values(), strict=True)
            )
        )
        # the pseudo-counts move the maximum by less than this
        assert log_likelihood(mixed, np.eye(3), patterns) < likelihood + 0.05


def test_a_start_from_moments_is_near_the_truth(synthetic, rng) -> None:
    matrix = synthetic.adjacent(0.2, num_scores=4)
    truth = synthetic.truth(40_000, matrix, prior=np.array([0.2, 0.3, 0.3, 0.2]))
    patterns = count_patterns(truth.scores, truth.scores[truth.neighbours.indices], 4)
    start = name_classes(spectral_start(patterns, rng))
    assert np.abs(start.own - matrix).sum(axis=1).max() < 0.15


def test_renaming_classes_is_undone(synthetic) -> None:
    model = Model(np.array([0.1, 0.2, 0.3, 0.4]), synthetic.adjacent(0.3, 4), synthetic.adjacent(0.4, 4))
    assert name_classes(model) is model
    order = np.array([2, 0, 3, 1])
    back = name_classes(Model(model.prior[order], model.own[order], model.neighbour[order]))
    for ours, theirs in zip(vars(back).values(), vars(model).values(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
