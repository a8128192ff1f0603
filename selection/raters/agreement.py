"""How far two raters, or a rater and corrected scores, agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray, check_in_range

# ranks are at most 1: what a fit leaves of a side that it explains in full
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Agreement:
    """Agreement of two raters over the same rows.

    `exact`: share of equal scores. `kappa`: quadratic-weighted. `spearman`: rank correlation.
    """

    exact: float
    kappa: float
    spearman: float


def agreement(left: IntArray, right: IntArray, *, num_scores: int = 6) -> Agreement:
    """All measures of agreement of two raters' scores (N,) in 0..num_scores-1.

    >>> found = agreement(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]))
    >>> found.exact, found.kappa, round(found.spearman, 3)
    (0.75, 0.5, 0.577)
    """
    kappa = quadratic_kappa(left, right, num_scores=num_scores)
    return Agreement(float((left == right).mean()), kappa, spearman(left, right))


def quadratic_kappa(left: IntArray, right: IntArray, *, num_scores: int = 6) -> float:
    """Cohen's kappa with weights (i - j)^2: 1 is full agreement, 0 what chance gives; scores (N,).

    Where chance alone agrees fully (both raters give one and the same score throughout) kappa is 1.

    >>> quadratic_kappa(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]))
    0.5
    """
    from sklearn.metrics import cohen_kappa_score  # scikit-learn loads slowly; --help must not wait for it

    _check_pair(left, right)
    check_in_range(left, 0, num_scores - 1, name="left score")
    check_in_range(right, 0, num_scores - 1, name="right score")
    if np.array_equal(left, right):
        return 1.0  # where both give one score throughout it would be 0 / 0
    return float(cohen_kappa_score(left, right, labels=np.arange(num_scores), weights="quadratic"))


def spearman(left: FloatArray | IntArray, right: FloatArray | IntArray) -> float:
    """Spearman's rank correlation, ties at their mean rank; 0 where either side is constant.

    >>> round(spearman(np.array([1, 2, 3, 4]), np.array([1, 2, 4, 3])), 9)
    0.8
    """
    from scipy.stats import spearmanr  # scipy loads slowly; --help must not wait for it

    _check_pair(left, right)
    if np.ptp(left) == 0 or np.ptp(right) == 0:
        return 0.0
    return float(spearmanr(left, right).statistic)


def partial_spearman(left: FloatArray | IntArray, right: FloatArray | IntArray, control: FloatArray) -> float:
    """Spearman's correlation of what the ranks of `control` (N, F) leave; 0 where nothing is left.

    With lengths of prompt and answer for `control`: raters that share a liking for long answers agree without
    either judging quality.
    """
    from scipy.stats import rankdata  # scipy loads slowly; --help must not wait for it

    _check_pair(left, right)
    if control.ndim != 2 or len(control) != len(left):
        msg = f"control must have shape ({len(left)}, features), got {control.shape}"
        raise ValueError(msg)
    explained = np.column_stack([np.ones(len(left)), rankdata(control, axis=0) / len(left)])
    sides = np.column_stack([rankdata(left), rankdata(right)]) / len(left)
    rest = sides - explained @ np.linalg.lstsq(explained, sides, rcond=None)[0]
    if rest.std(axis=0).min() <= _ROUNDING:
        return 0.0
    return float(np.corrcoef(rest.T)[0, 1])


def _check_pair(left: FloatArray | IntArray, right: FloatArray | IntArray) -> None:
    if left.ndim != 1 or left.shape != right.shape or left.size == 0:
        msg = f"two raters must score the same rows, got shapes {left.shape} and {right.shape}"
        raise ValueError(msg)
