from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from entp.selection import Neighbours, correct_scores, estimate_transition, nearest_neighbours
from entp.selection.raters.patterns import (
    MISSING,
    duplicate_groups,
    nearest_copies,
    scores_of_neighbours,
)


def estimate(truth, method="auto", **options):
    rng = np.random.default_rng(1)
    return estimate_transition(truth.scores, truth.neighbours, rng=rng, method=method, **options)


def share_right(truth, found):
    return (found.score == truth.true).mean()


@pytest.mark.parametrize("noise", ["adjacent", "upward"])
def test_a_known_matrix_is_recovered_and_scores_are_corrected(synthetic, noise) -> None:
    matrix = getattr(synthetic, noise)()
    truth = synthetic.truth(8000, matrix)
    found = estimate(truth)
    assert not found.abstains
    assert np.abs(found.transition - matrix).sum(axis=1).mean() < 0.08
    assert np.abs(found.prior - np.bincount(truth.true, minlength=6) / 8000).sum() < 0.05
    assert share_right(truth, correct_scores(truth.scores, truth.neighbours, found)) > 0.95
    assert (truth.scores == truth.true).mean() < 0.75


def test_strangers_among_the_neighbours_do_not_leak_into_the_matrix(synthetic) -> None:
    truth = synthetic.truth(20_000, synthetic.adjacent(), strangers=0.25)
    found = estimate(truth)
    assert np.abs(found.transition - synthetic.adjacent()).sum(axis=1).mean() < 0.06
    # a neighbour shares the true score only mostly, and that shows where it belongs
    assert np.diag(found.neighbour_matrix).mean() < np.diag(found.transition).mean() - 0.1
    assert share_right(truth, correct_scores(truth.scores, truth.neighbours, found)) > 0.9


def test_probabilities_sum_to_one(synthetic) -> None:
    truth = synthetic.truth(1500, synthetic.adjacent())
    for method in ("auto", "neighbours", "raw"):
        found = estimate(truth, method)
        corrected = correct_scores(truth.scores, truth.neighbours, found)
        for rows in (found.transition, found.neighbour_matrix, found.prior[None], corrected.posterior):
            np.testing.assert_allclose(rows.sum(axis=1), 1.0)
            assert rows.min() >= 0
        if not found.abstains:
            np.testing.assert_array_equal(corrected.confidence, corrected.posterior.max(axis=1))


def test_embeddings_that_mean_nothing_change_nothing(synthetic, rng) -> None:
    rows = synthetic.bunches(50, 40, spread=0.5, seed=2)
    true = np.repeat(rng.choice(6, size=50), 40)
    scores = synthetic.rate(true, synthetic.adjacent(), rng)
    meaningful = nearest_neighbours(rows, 10)
    shuffled = nearest_neighbours(rows[rng.permutation(len(rows))], 10)
    good = estimate_transition(scores, meaningful, rng=rng)
    assert not good.abstains
    assert (correct_scores(scores, meaningful, good).score == true).mean() > 0.95
    bad = estimate_transition(scores, shuffled, rng=rng)
    assert bad.abstains
    assert "no_signal" in {flag.name for flag in bad.flags}
    kept = correct_scores(scores, shuffled, bad)
    np.testing.assert_array_equal(kept.score, scores)
    # the posterior of a model that is not trusted says nothing of how sure a rating is
    assert np.isnan(kept.confidence).all()


def test_asked_to_it_corrects_whatever_the_flags_say(synthetic) -> None:
    truth = synthetic.truth(1000, synthetic.adjacent(), strangers=1.0)
    assert estimate(truth, "auto").abstains
    assert not estimate(truth, "neighbours").abstains


def test_two_scores_that_cannot_be_told_apart_are_flagged(synthetic, rng) -> None:
    # neighbourhoods know only low from high; within them the true score is drawn again
    truth = synthetic.truth(6000, np.eye(6), prior=np.full(6, 1 / 6))
    true = 3 * (truth.true >= 3) + rng.integers(0, 3, 6000)
    scores = synthetic.rate(true, synthetic.adjacent(0.2), rng)
    found = estimate_transition(scores, truth.neighbours, rng=rng)
    assert "low_rank" in {flag.name for flag in found.flags}
    assert found.abstains


def test_neighbours_that_agree_less_with_distance_are_flagged(synthetic, rng) -> None:
    truth = synthetic.truth(6000, synthetic.adjacent())
    indices = truth.neighbours.indices.copy()
    indices[:, 6:] = (np.arange(6000)[:, None] + rng.integers(1, 6000, (6000, 4))) % 6000
    found = estimate_transition(truth.scores, Neighbours(indices, truth.neighbours.similarities), rng=rng)
    assert "drift" in {flag.name for flag in found.flags}


def test_flags_speak_in_sentences(synthetic) -> None:
    for flag in estimate(synthetic.truth(1000, synthetic.adjacent(), strangers=1.0)).flags:
        assert flag.sentence.endswith(".")
        assert "\n" not in flag.sentence


def test_copies_with_repeated_errors_are_set_aside(synthetic, rng) -> None:
    rows = synthetic.bunches(100, 40, spread=0.5, seed=3)
    true = np.repeat(rng.choice(6, size=100), 40)
    scores = synthetic.rate(true, synthetic.adjacent(), rng)
    # a third of the rows gets two copies each, ratings and all
    copied = np.flatnonzero(np.arange(4000) % 3 == 0)
    rows, true, scores = (np.concatenate([part, part[copied], part[copied]]) for part in (rows, true, scores))
    neighbours = nearest_neighbours(rows, 12)
    found = estimate_transition(scores, neighbours, rng=rng, method="neighbours")
    assert np.abs(found.transition - synthetic.adjacent()).sum(axis=1).mean() < 0.12
    assert "repeated_errors" in {flag.name for flag in found.flags}
    assert (correct_scores(scores, neighbours, found).score == true).mean() > 0.95


def test_own_copies_never_count_and_others_count_once() -> None:
    # 0 and 1 are copies, 2 and 3 too, and 3 and 4: that does not make copies of 2 and 4
    indices = np.array([[1, 2, 3, 5], [0, 5, 4, 2], [3, 0, 1, 5], [2, 4, 0, 1], [3, 5, 0, 1], [2, 3, 4, 0]])
    similarities = np.full((6, 4), 0.5, dtype=np.float32)
    similarities[[0, 1, 2, 3, 3, 4], [0, 0, 0, 0, 1, 0]] = 0.98
    neighbours = Neighbours(indices, similarities)
    scores, gap = np.array([0, 1, 2, 3, 4, 5]), MISSING
    assert scores_of_neighbours(scores, neighbours, copies=False).tolist() == [
        [2, 5, gap, gap],
        [5, 4, 2, gap],
        [0, 5, gap, gap],
        [0, gap, gap, gap],
        [5, 0, gap, gap],
        [2, 4, 0, gap],
    ]
    assert scores_of_neighbours(scores, neighbours, copies=True).tolist() == indices.tolist()
    assert nearest_copies(neighbours).tolist() == [[0, 1], [2, 3], [3, 4]]
    assert duplicate_groups(neighbours).tolist() == [0, 0, 1, 1, 1, 2]


def path_of(frequencies, num_rows):
    """Unit rows along a path, each near the one before and far from those well behind it."""
    angles = np.outer(np.arange(num_rows), frequencies)
    rows = np.hstack([np.cos(angles), np.sin(angles)]) / np.sqrt(len(frequencies))
    return nearest_neighbours(rows.astype(np.float32), 20)


def test_the_papers_estimator_takes_the_two_nearest_copies_or_not(synthetic, rng) -> None:
    # an arc whose ends are orthogonal: the twenty nearest of every row are copies of it
    neighbours = path_of([np.pi / 2 / 599], 600)
    assert neighbours.similarities.min() > 0.97
    true = np.repeat(np.arange(30) * 5 % 6, 20)
    scores = synthetic.rate(true, synthetic.adjacent(), rng)
    found = estimate_transition(scores, neighbours, rng=rng, method="hoc")
    corrected = correct_scores(scores, neighbours, found).score
    assert (corrected == true).mean() > (scores == true).mean() + 0.05
    # with copies left out nothing is known of any row
    assert estimate_transition(scores, neighbours, rng=rng).abstains


def test_a_family_of_templates_has_neighbours(synthetic, rng) -> None:
    # copies two rows apart make one chain of all rows, though most neighbours are not a row's own copies
    neighbours = path_of(0.1 * rng.normal(size=32), 6000)
    assert len(set(duplicate_groups(neighbours))) == 1
    views = scores_of_neighbours(np.zeros(6000, int), neighbours, copies=False)
    assert (views != MISSING).sum(axis=1).min() >= 4
    true = np.repeat(rng.permutation(np.arange(60) % 6), 100)
    scores = synthetic.rate(true, synthetic.adjacent(), rng)
    found = estimate_transition(scores, neighbours, rng=rng, method="neighbours")
    corrected = correct_scores(scores, neighbours, found).score
    assert (corrected == true).mean() > (scores == true).mean() + 0.2


def test_the_same_input_gives_the_same_output_on_any_number_of_threads(synthetic) -> None:
    truth = synthetic.truth(3000, synthetic.adjacent())
    found = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads):
            result = estimate(truth)
            found.append((result, correct_scores(truth.scores, truth.neighbours, result)))
    (first, corrected), (second, corrected_again) = found
    for field in dataclasses.fields(first):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name))
    np.testing.assert_array_equal(corrected.posterior, corrected_again.posterior)


@pytest.mark.parametrize("num_scores", [2, 3, 10])
def test_any_number_of_scores(synthetic, num_scores: int) -> None:
    prior = np.full(num_scores, 1 / num_scores)
    truth = synthetic.truth(6000, synthetic.adjacent(0.2, num_scores), prior=prior)
    found = estimate(truth, "neighbours", num_scores=num_scores)
    assert np.abs(found.transition - synthetic.adjacent(0.2, num_scores)).sum(axis=1).mean() < 0.15
    assert share_right(truth, correct_scores(truth.scores, truth.neighbours, found)) > 0.95


def test_a_score_that_never_occurs(synthetic) -> None:
    prior = np.array([0.0, 0.3, 0.4, 0.3, 0.0, 0.0])
    truth = synthetic.truth(4000, np.eye(6), prior=prior)
    found = estimate(truth)
    assert found.prior[[0, 4, 5]].max() < 0.01
    assert (found.transition.argmax(axis=1) == np.arange(6)).all()
    assert share_right(truth, correct_scores(truth.scores, truth.neighbours, found)) == 1.0


@pytest.mark.parametrize("score", [0, 3, 5])
def test_all_scores_alike_stay_alike(synthetic, score: int) -> None:
    truth = synthetic.truth(300, np.eye(6), prior=np.eye(6)[score])
    for method in ("auto", "neighbours", "raw"):
        found = estimate(truth, method)
        corrected = correct_scores(truth.scores, truth.neighbours, found)
        assert set(corrected.score.tolist()) == {score}
        assert found.abstains or corrected.confidence.min() > 0.9


def test_all_rows_alike_keep_their_scores(rng) -> None:
    rows = np.tile(np.float32([[0.6, 0.8]]), (60, 1))
    scores = rng.integers(0, 6, 60)
    neighbours = nearest_neighbours(rows, 10)
    found = estimate_transition(scores, neighbours, rng=rng)
    assert found.abstains
    np.testing.assert_array_equal(correct_scores(scores, neighbours, found).score, scores)


@pytest.mark.parametrize("num_rows", [1, 2, 3, 8])
def test_fewer_rows_than_neighbours(synthetic, rng, num_rows: int) -> None:
    neighbours = nearest_neighbours(synthetic.unit_rows((num_rows, 4), 0), 10)
    scores = rng.integers(0, 6, num_rows)
    for method in ("auto", "neighbours", "raw"):
        found = estimate_transition(scores, neighbours, rng=rng, method=method)
        corrected = correct_scores(scores, neighbours, found)
        assert corrected.posterior.shape == (num_rows, 6)
        assert np.isfinite(corrected.posterior).all()
        if method == "auto":
            np.testing.assert_array_equal(corrected.score, scores)


def test_raw_takes_scores_at_their_word(synthetic) -> None:
    truth = synthetic.truth(500, synthetic.adjacent())
    found = estimate(truth, "raw")
    corrected = correct_scores(truth.scores, truth.neighbours, found)
    np.testing.assert_array_equal(found.transition, np.eye(6))
    np.testing.assert_array_equal(corrected.score, truth.scores)
    assert np.isnan(corrected.confidence).all()


def test_scores_out_of_range_or_of_other_rows_are_refused(synthetic, rng) -> None:
    neighbours = nearest_neighbours(synthetic.unit_rows((4, 3), 0), 2)
    with pytest.raises(ValueError, match="score at position 3 is 6, expected 0 to 5"):
        estimate_transition(np.array([0, 1, 2, 6]), neighbours, rng=rng)
    with pytest.raises(ValueError, match="num_scores is 11, expected 2 to 10"):
        estimate_transition(np.array([0, 1, 2, 3]), neighbours, rng=rng, num_scores=11)
    with pytest.raises(ValueError, match="3 scores but neighbours of 4 rows"):
        estimate_transition(np.array([0, 1, 2]), neighbours, rng=rng)
