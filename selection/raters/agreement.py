"""How far two raters, or a rater and corrected scores, agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray, check_in_range


@dataclass(frozen=True)
class Agreement:
    """Agreement of two raters over the same rows.

    `exact`: share of equal scores. `kappa`: quadratic-weighted. `spearman`: rank correlation. `controlled`:
    the same with the control features taken out, None where none were given.
    """

    exact: float
    kappa: float
    spearman: float
    controlled: float | None


def agreement(
    left: IntArray, right: IntArray, *, num_scores: int = 6, control: FloatArray | None = None
) -> Agreement:
    """All measures of agreement of two raters' scores (N,) in 0..num_scores-1.

    `control` (N, F), for example lengths of prompt and answer: raters that share a liking for long answers
    agree without either judging quality, so read `controlled` beside `spearman`.
    """
    kappa = quadratic_kappa(left, right, num_scores=num_scores)
    controlled = None if control is None else partial_spearman(left, right, control)
    return Agreement(float((left == right).mean()), kappa, spearman(left, right), controlled)


def quadratic_kappa(left: IntArray, right: IntArray, *, num_scores: int = 6) -> float:
    """Cohen's kappa with weights (i - j)^2: 1 is full agreement, 0 what chance gives.

    Where chance alone agrees fully (both raters give one and the same score throughout) kappa is 1.
    """
    _check_pair(left, right)
    check_in_range(left, 0, num_scores - 1, name="left score")
    check_in_range(right, 0, num_scores - 1, name="right score")
    table = np.bincount(left * num_scores + right, minlength=num_scores**2).reshape(num_scores, num_scores)
    scores = np.arange(num_scores)
    weights = (scores[:, None] - scores[None, :]) ** 2
    chance = np.outer(table.sum(axis=1), table.sum(axis=0)) / len(left)
    expected = float((weights * chance).sum())
    return 1.0 - float((weights * table).sum()) / expected if expected > 0 else 1.0


def spearman(left: FloatArray | IntArray, right: FloatArray | IntArray) -> float:
    """Spearman's rank correlation, ties at their mean rank; 0 where either side is constant."""
    _check_pair(left, right)
    return _correlation(_ranks(left), _ranks(right))


def partial_spearman(left: FloatArray | IntArray, right: FloatArray | IntArray, control: FloatArray) -> float:
    """Spearman's correlation of what the ranks of `control` (N, F) leave; 0 where nothing is left."""
    _check_pair(left, right)
    if control.ndim != 2 or len(control) != len(left):
        msg = f"control must have shape ({len(left)}, features), got {control.shape}"
        raise ValueError(msg)
    explained = np.column_stack([np.ones(len(left)), *(_ranks(column) for column in control.T)])
    sides = np.column_stack([_ranks(left), _ranks(right)])
    rest = sides - explained @ np.linalg.lstsq(explained, sides, rcond=None)[0]
    return _correlation(rest[:, 0], rest[:, 1])


def _check_pair(left: FloatArray | IntArray, right: FloatArray | IntArray) -> None:
    if left.ndim != 1 or left.shape != right.shape or left.size == 0:
        msg = f"two raters must score the same rows, got shapes {left.shape} and {right.shape}"
        raise ValueError(msg)


def _ranks(values: FloatArray | IntArray) -> FloatArray:
    """Mean ranks, from 0, scaled to at most 1 so that sums of squares stay exact enough for any N."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: FloatArray = (np.cumsum(counts) - (counts + 1) / 2.0)[inverse] / len(values)
    return ranks


def _correlation(left: FloatArray, right: FloatArray) -> float:
    left, right = left - left.mean(), right - right.mean()
    # a side whose spread is rounding only is constant
    spread = np.sqrt((left * left).sum() * (right * right).sum())
    return float((left * right).sum() / spread) if spread > 1e-12 * len(left) else 0.0
