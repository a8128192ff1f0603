from __future__ import annotations

import numpy as np
import pytest

from entp.selection import scale_ratings


def test_every_rating_by_the_papers_table() -> None:
    assert scale_ratings(np.arange(1, 11)).tolist() == [0, 0, 0, 0, 1, 2, 3, 4, 5, 5]


@pytest.mark.parametrize("bad", [0, 11, -3])
def test_a_rating_out_of_range_is_named(bad: int) -> None:
    with pytest.raises(ValueError, match=rf"position 2 is {bad}, expected 1 to 10"):
        scale_ratings(np.array([5, 7, bad, 99]))


def test_ratings_that_are_no_integers_are_refused() -> None:
    with pytest.raises(ValueError, match="integers"):
        scale_ratings(np.array([5.5]))


def test_no_ratings_give_no_scores() -> None:
    assert scale_ratings(np.array([], dtype=np.int64)).shape == (0,)
