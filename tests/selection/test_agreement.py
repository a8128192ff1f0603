from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entp.selection import agreement, partial_spearman, quadratic_kappa, spearman


def test_kappa_by_hand() -> None:
    # weights 1 off the diagonal: observed 1 of 4, by chance (2*2 + 2*2)/4 = 2
    assert quadratic_kappa(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])) == pytest.approx(1 - 1 / 2)


@st.composite
def two_raters(draw):
    """Scores of the same rows by two raters, often alike, often all the same."""
    number = draw(st.integers(1, 30))
    some = st.lists(st.integers(0, draw(st.integers(0, 5))), min_size=number, max_size=number)
    return np.array(draw(some)), np.array(draw(some))


def slow_kappa(left, right):
    """By definition: weighted disagreement of the pairs, and of all pairs that could be made."""
    observed = np.mean((left - right) ** 2)
    by_chance = np.mean([(one - other) ** 2 for one in left for other in right])
    return 1 - observed / by_chance if by_chance else 1.0


def slow_spearman(left, right):
    """Pearson's correlation of mean ranks."""
    sides = []
    for side in (left, right):
        ranks = [(side < value).sum() + (side == value).sum() / 2 for value in side]
        sides.append(np.array(ranks) - np.mean(ranks))
    spread = np.sqrt((sides[0] ** 2).sum() * (sides[1] ** 2).sum())
    return (sides[0] * sides[1]).sum() / spread if spread else 0.0


@given(two_raters())
def test_equal_to_the_definitions(raters) -> None:
    assert quadratic_kappa(*raters) == pytest.approx(slow_kappa(*raters), abs=1e-12)
    assert spearman(*raters) == pytest.approx(slow_spearman(*raters), abs=1e-12)
    # a control that says nothing takes nothing out
    nothing = np.zeros((len(raters[0]), 1))
    assert partial_spearman(*raters, nothing) == pytest.approx(spearman(*raters), abs=1e-9)


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


def test_other_rows_or_scores_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shapes \(2,\) and \(3,\)"):
        spearman(np.array([1, 2]), np.array([1, 2, 3]))
    with pytest.raises(ValueError, match="right score at position 1 is 6"):
        quadratic_kappa(np.array([1, 2]), np.array([1, 6]))
    with pytest.raises(ValueError, match="control must have shape"):
        partial_spearman(np.array([1, 2]), np.array([1, 2]), np.array([1.0, 2.0]))
