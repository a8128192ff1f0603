"""How many neighbours to use, and how far to believe them and the features: chosen by prediction.

The criterion is the leave-own-score-out predictive log-likelihood, mean log P(own score | all but the own
score): a proper score that needs no truth. Likelihood itself picks the wrong model where the assumptions
fail.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..arrays import FloatArray, IntArray
from ..neighbours import Neighbours
from .correction import believed, tilted
from .latent_class import Model
from .patterns import Patterns

_TEMPERATURES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0)
_TILTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 1.6, 2.4)


@dataclass(frozen=True)
class Pool:
    """All that is known of a pool of N rows.

    `views` (N, k) are the scores of the neighbours that count, `patterns` the same counted, by number of
    neighbours; `observed` (K,) shares of the scores; `prediction` (N,) from features, `second` (N,) from an
    audit.
    """

    scores: IntArray
    neighbours: Neighbours
    views: IntArray
    patterns: dict[int, Patterns]
    observed: FloatArray
    prediction: FloatArray | None
    second: IntArray | None


@dataclass(frozen=True)
class Fit:
    """A model fitted to `k_fit` neighbours, and how it is used: see `TransitionEstimate` for the names.

    `predicted` is the criterion's value, in nats.
    """

    model: Model
    binding: FloatArray
    k_fit: int
    k: int
    beta: float
    tilt: float
    predicted: float


def choose_neighbours(pool: Pool, models: dict[int, Model], binding: FloatArray) -> Fit:
    """The model (by number of neighbours fitted to), k and beta that predict best."""
    predicted, k_fit, k, beta = max(
        (_predict(model, binding, patterns, beta), k_fit, k, beta)
        for k_fit, model in models.items()
        for k, patterns in pool.patterns.items()
        for beta in _TEMPERATURES
    )
    return Fit(models[k_fit], binding, k_fit, k, beta, 0.0, predicted)


def fixed_choice(pool: Pool, model: Model, k: int) -> Fit:
    """A model used as it is: k neighbours, believed fully."""
    identity = np.eye(len(model.prior))
    return Fit(model, identity, k, k, 1.0, 0.0, _predict(model, identity, pool.patterns[k], 1.0))


def features_alone(pool: Pool, model: Model, tilt: float, prediction: FloatArray) -> Fit:
    """A model used with the features' prediction and no neighbours at all."""
    k = min(pool.patterns)
    fit = Fit(model, np.eye(len(model.prior)), k, k, 0.0, tilt, 0.0)
    return replace(fit, predicted=_predict_tilted(pool, fit, prediction))


def weigh_features(pool: Pool, fit: Fit, prediction: FloatArray) -> Fit:
    """The same with the features' prediction (N,) weighed in beside the neighbours."""
    tried = [replace(fit, beta=beta, tilt=tilt) for beta in (0.0, *_TEMPERATURES) for tilt in _TILTS]
    values = [_predict_tilted(pool, candidate, prediction) for candidate in tried]
    best = int(np.argmax(values))
    return replace(tried[best], predicted=values[best])


def classes_of_rows(pool: Pool, fit: Fit) -> FloatArray:
    """P(true i | neighbours' scores) of each row, (N, K)."""
    model, patterns = fit.model, pool.patterns[fit.k]
    of_pattern = believed(model.prior, model.neighbour, fit.binding, patterns, fit.beta)
    return of_pattern[patterns.pattern_of]


def _predict_tilted(pool: Pool, fit: Fit, prediction: FloatArray) -> float:
    rated = tilted(classes_of_rows(pool, fit), fit.tilt, prediction) @ fit.model.own
    return float(np.log(rated[np.arange(len(rated)), pool.scores]).mean())


def _predict(model: Model, binding: FloatArray, patterns: Patterns, beta: float) -> float:
    rated = believed(model.prior, model.neighbour, binding, patterns, beta) @ model.own
    return float((patterns.weights * np.log(rated)).sum() / patterns.weights.sum())
