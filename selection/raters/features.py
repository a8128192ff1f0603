"""A second opinion from a row's own features: ridge regression that no row informs about itself."""

from __future__ import annotations

import numpy as np

from ..arrays import FloatArray, IntArray
from .latent_class import Model
from .patterns import MISSING

_FOLDS = 5
# shrinkage, in mean squared lengths of a feature column
_SHRINKAGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_ROWS_AT_ONCE = 8192
# scores in hand may all be alike; nothing may be exactly zero
_LEAST_VARIANCE = 1e-2
_LEAST_SHARE = 1e-9


def row_features(embeddings: FloatArray, lengths: FloatArray) -> FloatArray:
    """What `estimate_transition` predicts ratings from: embeddings (N, d) and lengths (N, L), float32.

    Lengths are brought to at most 1, so that they weigh about as much as the embedding of unit length.
    """
    most = np.maximum(lengths.max(axis=0, initial=0.0), 1.0)
    return np.column_stack([embeddings, (lengths / most)]).astype(np.float32, copy=False)


def cross_predict(
    features: FloatArray, scores: IntArray, groups: IntArray, rng: np.random.Generator
) -> FloatArray:
    """Out-of-fold prediction (N,) of the scores from `features` (N, F), scaled to mean 0 and deviation 1.

    Rows of one group (near-duplicates) share a fold, so that no copy of a row informs its prediction. The
    shrinkage is the one with the least out-of-fold error. Zero throughout where nothing is predicted.
    """
    # scikit-learn's RidgeCV would hold a float64 copy of all features and one more for each fold; sums of
    # blocks of rows take the same memory for any N
    if features.ndim != 2 or len(features) != len(scores) or not np.isfinite(features).all():
        msg = f"features must be finite, of shape ({len(scores)}, F), got shape {features.shape}"
        raise ValueError(msg)
    fold = rng.permutation(int(groups.max()) + 1)[groups] % _FOLDS
    target = scores - scores.mean()
    weights = _ridge_weights(*_moments(features, target, fold))
    tried = np.empty((len(scores), len(_SHRINKAGES)))
    for at in range(0, len(scores), _ROWS_AT_ONCE):
        here = slice(at, at + _ROWS_AT_ONCE)
        every_fold = np.tensordot(_with_ones(features[here]), weights, axes=(1, 0))
        tried[here] = every_fold[np.arange(len(every_fold)), fold[here]]
    errors = ((target[:, None] - tried) ** 2).mean(axis=0)
    if errors.min() >= (target**2).mean():
        return np.zeros(len(scores))
    return standardised(tried[:, int(errors.argmin())])


def standardised(values: FloatArray) -> FloatArray:
    """Values (N,) scaled to mean 0 and deviation 1; zero throughout where they are all alike."""
    deviation = values.std()
    scaled: FloatArray = (values - values.mean()) / (deviation if deviation > 0 else 1.0)
    return scaled


def blend_with_prediction(
    scores: IntArray, prediction: FloatArray, second: IntArray, num_scores: int
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
    audited = second != MISSING
    if audited.any():
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


def _moments(features: FloatArray, target: FloatArray, fold: IntArray) -> tuple[FloatArray, FloatArray]:
    """Gram matrices (folds, F + 1, F + 1) and products with the target (folds, F + 1) of each fold's rows."""
    width = features.shape[1] + 1
    gram, cross = np.zeros((_FOLDS, width, width)), np.zeros((_FOLDS, width))
    for at in range(0, len(features), _ROWS_AT_ONCE):
        here = slice(at, at + _ROWS_AT_ONCE)
        columns = _with_ones(features[here])
        for held in range(_FOLDS):
            own = fold[here] == held
            gram[held] += columns[own].T @ columns[own]
            cross[held] += columns[own].T @ target[here][own]
    return gram, cross


def _ridge_weights(gram: FloatArray, cross: FloatArray) -> FloatArray:
    """Weights (F + 1, folds, shrinkages), each fitted to all folds but its own."""
    width = cross.shape[1]
    scale = float(np.trace(gram.sum(axis=0))) / width
    weights = np.empty((width, _FOLDS, len(_SHRINKAGES)))
    for held in range(_FOLDS):
        others, products = gram.sum(axis=0) - gram[held], cross.sum(axis=0) - cross[held]
        for at, shrinkage in enumerate(_SHRINKAGES):
            weights[:, held, at] = np.linalg.solve(others + shrinkage * scale * np.eye(width), products)
    return weights


def _with_ones(features: FloatArray) -> FloatArray:
    """The features in float64 with a column of ones, for the mean."""
    return np.column_stack([features.astype(np.float64), np.ones(len(features))])
