from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from entp.selection import agreement, partial_spearman, quadratic_kappa, spearman


def test_kappa_by_hand() -> None:
    # weights 1 off the diagonal: observed 1 of 4, by chance (2*2 + 2*2)/4 = 2
    assert quadratic_kappa(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])) == pytest.approx(1 - 1 / 2)


def test_equal_to_scikit_learn_and_scipy(rng) -> None:
    left = rng.integers(0, 6, 500)
    right = np.clip(left + rng.integers(-2, 3, 500), 0, 5)
    expected = cohen_kappa_score(left, right, weights="quadratic")
    assert quadratic_kappa(left, right) == pytest.approx(expected, abs=1e-12)
    assert spearman(left, right) == pytest.approx(spearmanr(left, right).statistic, abs=1e-12)


def test_a_shared_liking_is_taken_out(rng) -> None:
    length = rng.normal(size=4000)
    left = np.digitize(length + 0.5 * rng.normal(size=4000), [-1, 0, 1])
    right = np.digitize(length + 0.5 * rng.normal(size=4000), [-1, 0, 1])
    assert spearman(left, right) > 0.6
    assert abs(partial_spearman(left, right, length[:, None])) < 0.1


def test_raters_that_never_differ_and_raters_that_never_vary() -> None:
    same, constant = np.array([0, 3, 5, 2]), np.array([2, 2, 2, 2])
    assert agreement(same, same).kappa == agreement(same, same).exact == 1.0
    assert agreement(same, same).spearman == pytest.approx(1.0)
    assert spearman(same, constant) == 0.0
    assert partial_spearman(same, same, same[:, None].astype(float)) == 0.0
    assert quadratic_kappa(constant, constant) == 1.0


def test_controlled_is_given_only_when_asked_for(rng) -> None:
    left, right = rng.integers(0, 6, 50), rng.integers(0, 6, 50)
    assert agreement(left, right).controlled is None
    control = rng.normal(size=(50, 2))
    assert agreement(left, right, control=control).controlled == partial_spearman(left, right, control)


def test_other_rows_or_scores_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shapes \(2,\) and \(3,\)"):
        spearman(np.array([1, 2]), np.array([1, 2, 3]))
    with pytest.raises(ValueError, match="right score at position 1 is 6"):
        quadratic_kappa(np.array([1, 2]), np.array([1, 6]))
    with pytest.raises(ValueError, match="control must have shape"):
        partial_spearman(np.array([1, 2]), np.array([1, 2]), np.array([1.0, 2.0]))
