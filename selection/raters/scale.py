"""Ratings (1-10) to scores (0-5), as arXiv 2510.23160, Appendix C.1, compresses them."""

from __future__ import annotations

import numpy as np

from ..arrays import IntArray, check_in_range

NUM_SCORES = 6
"""K of the paper: scores are 0..5."""

_LOWEST_RATING, _HIGHEST_RATING = 1, 10
# ratings 1-4 are rare and alike, 9 and 10 likewise: each of the two groups becomes one score
_SCORE_OF_RATING = np.array([-1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 5], dtype=np.int64)


def scale_ratings(ratings: IntArray) -> IntArray:
    """Scores (N,) of overall ratings (N,): 1-4 -> 0, 5 -> 1, 6 -> 2, 7 -> 3, 8 -> 4, 9-10 -> 5.

    Raises ValueError for anything outside 1..10, naming the first bad position and its value.

    >>> scale_ratings(np.array([3, 5, 10]))
    array([0, 1, 5])
    """
    check_in_range(ratings, _LOWEST_RATING, _HIGHEST_RATING, name="rating")
    return _SCORE_OF_RATING[ratings]
