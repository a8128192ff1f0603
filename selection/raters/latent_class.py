"""The latent-class model behind score correction, fitted by maximum likelihood.

K scores; p (K,) with p[i] = P(true i); T (K, K) with T[i, j] = P(rated j | true i), rows sum to 1; B (K, K)
likewise for a neighbour's score, P(neighbour rated j | true i), rows sum to 1. Given the true score, a row's
own score and its neighbours' scores are independent. First-, second- and third-order agreement (arXiv
2510.23160, Eq. 1; Zhu, Song and Liu 2021, arXiv 2102.05291) identifies the model; its likelihood uses all
orders at once. B is not tied to T: a neighbour shares the true score only mostly, and tied, such violations
would leak into T.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray
from .patterns import Patterns
from .squarem import climb

# pseudo-counts that a row of T and of B is given before any data, most of them on the diagonal: scores that
# never occur keep a sensible row, and nothing is ever exactly zero
_PSEUDO_COUNTS = 1.0
# most cycles of three EM steps from each start and from the best, and the gain per row below which they stop
_SHORT_CLIMB = 25
_LONG_CLIMB = 300
_SMALLEST_GAIN = 1e-9


@dataclass(frozen=True)
class Model:
    """`prior` p (K,), the row's `own` matrix T (K, K), its `neighbour` matrix B (K, K): see this module."""

    prior: FloatArray
    own: FloatArray
    neighbour: FloatArray


def fit_model(patterns: Patterns, starts: list[Model]) -> Model:
    """The best of the maxima that `starts` lead to, its classes named by scores.

    A short climb from each start tells which is best; only that one is climbed to the end.
    """
    climbed = [_climb(name_classes(start), patterns, _SHORT_CLIMB) for start in starts]
    best = max(climbed, key=lambda found: found[1])[0]
    return _climb(name_classes(best), patterns, _LONG_CLIMB)[0]


def refit_model(patterns: Patterns, model: Model) -> Model:
    """The maximum near `model`, for patterns that differ little from those it was fitted to."""
    return _climb(model, patterns, _SHORT_CLIMB)[0]


def log_likelihood(model: Model, binding: FloatArray, patterns: Patterns) -> float:
    """Log-likelihood, in nats, of all rows: own scores and neighbours' scores together.

    `binding` (K, K) leads from the neighbourhood's class to the row's own score: the identity in this model.
    """
    classes, shift = class_likelihoods(model.prior, model.neighbour, patterns.counts)
    return float((patterns.weights * (np.log(classes @ binding @ model.own) + shift[:, None])).sum())


def class_likelihoods(
    prior: FloatArray, neighbour: FloatArray, counts: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """p_i * P(neighbours' scores | true i), (M, K), rows divided by their largest; its logarithm (M,)."""
    # scores first: numpy looks for the largest along many patterns faster than along few scores
    logs = np.log(prior)[:, None] + np.log(neighbour) @ counts.T
    shift = logs.max(axis=0)
    return np.exp(logs - shift).T, shift


def class_posterior(prior: FloatArray, neighbour: FloatArray, counts: FloatArray, beta: float) -> FloatArray:
    """P(true i | neighbours' scores), (M, K), without the row's own score; `beta` tempers the evidence."""
    logs = np.log(prior)[:, None] + beta * (np.log(neighbour) @ counts.T)
    weights = np.exp(logs - logs.max(axis=0))
    posterior: FloatArray = (weights / weights.sum(axis=0)).T
    return posterior


def diagonal_start(observed: FloatArray, diagonal: float) -> Model:
    """A start that trusts ratings to the degree `diagonal`; errors fall with the distance of scores."""
    matrix = leaning_rows(len(observed), 1.0)
    np.fill_diagonal(matrix, 0.0)
    matrix *= (1.0 - diagonal) / matrix.sum(axis=1, keepdims=True)
    np.fill_diagonal(matrix, diagonal)
    prior = observed + 1.0 / len(observed)
    return Model(prior / prior.sum(), matrix, matrix)


def name_classes(model: Model) -> Model:
    """The same model, each class named by the score it stands for; the model itself if names were right.

    Names are assigned one to one so that the sum of T[i, i] + P(true i | rated i) is largest.
    """
    from scipy.optimize import linear_sum_assignment  # scipy loads slowly; --help must not wait for it

    joint = model.prior[:, None] * model.own
    worth = model.own + joint / joint.sum(axis=0)
    order: IntArray = linear_sum_assignment(worth.T, maximize=True)[1]
    if np.array_equal(order, np.arange(len(order))):
        return model
    return Model(model.prior[order], model.own[order], model.neighbour[order])


def leaning_rows(num_scores: int, total: float) -> FloatArray:
    """Rows (K, K) that sum to `total` and fall by half with each step from the diagonal."""
    scores = np.arange(num_scores)
    weights = 0.5 ** np.abs(scores[:, None] - scores[None, :])
    rows: FloatArray = total * weights / weights.sum(axis=1, keepdims=True)
    return rows


def _climb(model: Model, patterns: Patterns, most_cycles: int) -> tuple[Model, float]:
    """The penalised maximum reached from `model`, and its value."""
    num_scores = len(model.prior)
    lean = leaning_rows(num_scores, _PSEUDO_COUNTS)

    def step(rows: FloatArray) -> tuple[FloatArray, float]:
        return _em_step(_unstacked(rows), patterns, lean)

    rows, value = climb(
        step,
        np.vstack([model.prior[None], model.own, model.neighbour]),
        most_cycles=most_cycles,
        smallest_gain=_SMALLEST_GAIN * float(patterns.weights.sum()),
    )
    return _unstacked(rows), value


def _unstacked(rows: FloatArray) -> Model:
    num_scores = rows.shape[1]
    return Model(rows[0], rows[1 : num_scores + 1], rows[num_scores + 1 :])


def _em_step(model: Model, patterns: Patterns, lean: FloatArray) -> tuple[FloatArray, float]:
    """One EM step under pseudo-counts `lean`; the new rows and the penalised log-likelihood of the old."""
    counts, weights = patterns.counts, patterns.weights
    classes, shift = class_likelihoods(model.prior, model.neighbour, counts)
    rated = classes @ model.own
    value = float((weights * (np.log(rated) + shift[:, None])).sum())
    value += float((lean * (np.log(model.own) + np.log(model.neighbour))).sum() + np.log(model.prior).mean())
    ratio = weights / rated
    own = model.own * (classes.T @ ratio) + lean
    responsible = classes * (ratio @ model.own.T)
    neighbour = responsible.T @ counts + lean
    prior = responsible.sum(axis=0) + 1.0 / len(model.prior)
    rows = np.vstack([prior[None], own, neighbour])
    return rows / rows.sum(axis=1, keepdims=True), value
