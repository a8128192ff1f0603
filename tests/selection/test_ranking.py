from __future__ import annotations

import numpy as np
import pytest

from entp.selection.neighbours.ranking import Ranking


def test_the_best_candidates_by_hand() -> None:
    ranking = Ranking(2, 2)
    ranking.offer(np.array([0, 0, 1]), np.array([7, 8, 9]), np.array([0.5, 0.25, -0.5]))
    assert ranking.least.tolist() == [0.25, -np.inf]
    ranking.offer(np.array([0, 1]), np.array([3, 4]), np.array([0.5, -0.25]))
    positions, similarities = ranking.best()
    assert positions.tolist() == [[3, 7], [4, 9]]
    assert similarities.tolist() == [[0.5, 0.5], [-0.25, -0.5]]
    assert ranking.least.tolist() == [0.5, -0.5]


@pytest.mark.parametrize("batch", [1, 7, 3000])
def test_equal_to_sorting_everything(rng, batch) -> None:
    rows, positions = np.divmod(rng.permutation(20 * 150), 150)
    # few values, so that many tie; zero comes with either sign
    similarities = rng.integers(-8, 9, len(rows)).astype(np.float32) / 8 * rng.choice([-1, 1], len(rows))
    ranking = Ranking(20, 5)
    for at in range(0, len(rows), batch):
        here = slice(at, at + batch)
        ranking.offer(rows[here], positions[here], similarities[here])
    found, values = ranking.best()
    for row in range(20):
        mine = rows == row
        best = np.lexsort((positions[mine], -similarities[mine]))[:5]
        assert found[row].tolist() == positions[mine][best].tolist()
        assert values[row].tolist() == similarities[mine][best].tolist()
    np.testing.assert_array_equal(ranking.least, values[:, -1])


def test_both_rows_of_a_pair_are_candidates() -> None:
    ranking = Ranking(3, 1)
    ranking.offer_both(np.array([0, 1]), np.array([2, 2]), np.array([0.25, 0.5]))
    assert ranking.best()[0].ravel().tolist() == [2, 2, 1]


def test_what_is_known_to_come_keeps_lower_ones_out() -> None:
    ranking = Ranking(1, 1)
    ranking.raise_least(np.array([0]), np.array([0.5]))
    ranking.offer(np.array([0]), np.array([1]), np.array([0.25]))
    ranking.offer(np.array([0]), np.array([2]), np.array([0.5]))
    ranking.raise_least(np.array([0]), np.array([0.125]))
    assert ranking.best()[0].tolist() == [[2]]
    assert ranking.least.tolist() == [0.5]


def test_a_forgotten_row_starts_over() -> None:
    ranking = Ranking(2, 1)
    ranking.offer(np.array([0, 1]), np.array([5, 6]), np.array([0.5, 0.5]))
    ranking.forget(0)
    ranking.offer(np.array([0]), np.array([7]), np.array([-0.5]))
    assert ranking.best()[0].tolist() == [[7], [6]]
