"""A second opinion from a row's own features: ridge regression that no row informs about itself."""

from __future__ import annotations

import numpy as np

from .arrays import FloatArray, IntArray
from .latent_class import Model
from .patterns import MISSING

_FOLDS = 5
# shrinkage, in mean squared lengths of a feature column
_SHRINKAGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_ROWS_AT_ONCE = 8192
# scores in hand may all be alike; nothing may be exactly zero
_LEAST_VARIANCE = 1e-2
_LEAST_SHARE = 1e-9


def cross_predict(
    features: FloatArray, scores: IntArray, groups: IntArray, rng: np.random.Generator
) -> FloatArray:
    """Out-of-fold prediction (N,) of the scores from `features` (N, F), scaled to mean 0 and deviation 1.

    Rows of one group (near-duplicates) share a fold, so that no copy of a row informs its prediction. The
    shrinkage is the one with the least out-of-fold error. Zero throughout where nothing is predicted.
    """
    if features.ndim != 2 or len(features) != len(scores) or not np.isfinite(features).all():
        msg = f"features must be finite, of shape ({len(scores)}, F), got shape {features.shape}"
        raise ValueError(msg)
    fold = rng.permutation(int(groups.max()) + 1)[groups] % _FOLDS
    columns = np.column_stack([features, np.ones(len(features))])
    target = scores - scores.mean()
    sums = [_moments(columns[fold == held], target[fold == held]) for held in range(_FOLDS)]
    gram, cross = sum(part[0] for part in sums), sum(part[1] for part in sums)
    scale = float(np.trace(gram)) / columns.shape[1]
    best, best_error = np.zeros(len(scores)), float((target**2).mean())
    for shrinkage in _SHRINKAGES:
        predicted = np.empty(len(scores))
        penalty = shrinkage * scale * np.eye(columns.shape[1])
        for held, (own_gram, own_cross) in enumerate(sums):
            weights = np.linalg.solve(gram - own_gram + penalty, cross - own_cross)
            predicted[fold == held] = columns[fold == held] @ weights
        error = float(((target - predicted) ** 2).mean())
        if error < best_error:
            best, best_error = predicted, error
    spread = best.std()
    return (best - best.mean()) / spread if spread > 0 else best


def blend_with_prediction(
    scores: IntArray, prediction: FloatArray, second: IntArray | None, num_scores: int
) -> tuple[Model, float]:
    """A model of own scores and `prediction` (N,) alone, and the tilt with which the prediction enters.

    True scores scatter around the prediction, ratings around true scores, both normally. What the
    prediction leaves unexplained is the sum of the two; second scores (N,), MISSING where there is none,
    tell the raters' part of it, half the mean squared difference of two ratings. Without them each is taken
    for half: the corrected score then lies midway between rating and prediction. Such a T is an assumption
    about the rater, not a finding. `prior` is that of a row with average features.
    """
    centre = scores.mean()
    slope = float(((scores - centre) * prediction).mean())
    unexplained = max(float(scores.var()) - slope**2, _LEAST_VARIANCE)
    error = unexplained / 2
    if second is not None and (second != MISSING).any():
        audited = second != MISSING
        error = float(((scores[audited] - second[audited]) ** 2).mean()) / 2
    error = min(max(error, 0.05 * unexplained), 0.95 * unexplained)
    true = np.arange(num_scores)
    prior = _normal_rows(np.array([centre]), unexplained - error, num_scores)[0]
    own = _normal_rows(true, error, num_scores)
    return Model(prior, own, own), slope / (unexplained - error)


def _normal_rows(centres: FloatArray | IntArray, variance: float, num_scores: int) -> FloatArray:
    """Rows of probabilities of the scores, normal around each centre."""
    squares = (np.arange(num_scores) - centres[:, None]) ** 2
    rows = np.exp(-(squares - squares.min(axis=1, keepdims=True)) / (2 * variance)) + _LEAST_SHARE
    out: FloatArray = rows / rows.sum(axis=1, keepdims=True)
    return out


def _moments(columns: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gram matrix (F, F) and products with the target (F,), in float64, some rows at a time."""
    gram = np.zeros((columns.shape[1], columns.shape[1]))
    cross = np.zeros(columns.shape[1])
    for at in range(0, len(columns), _ROWS_AT_ONCE):
        part = columns[at : at + _ROWS_AT_ONCE].astype(np.float64)
        gram += part.T @ part
        cross += part.T @ target[at : at + _ROWS_AT_ONCE]
    return gram, cross
