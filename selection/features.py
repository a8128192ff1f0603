"""A second opinion from a row's own features: ridge regression that no row informs about itself."""

from __future__ import annotations

import numpy as np

from .arrays import FloatArray, IntArray

_FOLDS = 5
# shrinkage, in mean squared lengths of a feature column
_SHRINKAGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_ROWS_AT_ONCE = 8192


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


def _moments(columns: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gram matrix (F, F) and products with the target (F,), in float64, some rows at a time."""
    gram = np.zeros((columns.shape[1], columns.shape[1]))
    cross = np.zeros(columns.shape[1])
    for at in range(0, len(columns), _ROWS_AT_ONCE):
        part = columns[at : at + _ROWS_AT_ONCE].astype(np.float64)
        gram += part.T @ part
        cross += part.T @ target[at : at + _ROWS_AT_ONCE]
    return gram, cross
