"""Corrected scores: what a rating, its neighbours' ratings and the row's own features say together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray, check_in_range
from ..neighbours import Neighbours
from ..threads import one_thread
from .latent_class import class_posterior
from .patterns import MISSING, Patterns, count_patterns, scores_of_neighbours
from .trust import Flag


@dataclass(frozen=True)
class TransitionEstimate:
    """How a rater turns true scores into observed ones, and how far to believe what speaks for a true score.

    `method` is the one used: what `auto` settled on. `transition` (K, K): T[i, j] = P(rated j | true i),
    rows sum to 1; `standard_error` (K, K) of it, by leaving out one region of the pool after another: how far
    T would move with another sample of rows, whether or not its assumptions hold; None for `raw`, and where a
    pool has no two regions. `prior` (K,): P(true i).
    `neighbour_matrix` (K, K): P(a neighbour is rated j | the neighbourhood's score i). `binding` (K, K):
    P(true j | the neighbourhood's score i), the identity unless an audit told it. `log_likelihood` of all
    rows at `k_fit` neighbours, in nats.

    The posterior uses `k` neighbours with their evidence raised to the power `beta`, and the features'
    `prediction` (N,) with weight `tilt` (nats per score and deviation). `gain`: nats by which these predict
    a rating better than the ratings' distribution does, of `entropy` nats that there are to explain.
    `second` (N,): audited scores. `flags` are reasons for doubt; where `abstains`, corrected scores are the
    raw ones.
    """

    method: str
    transition: FloatArray
    standard_error: FloatArray | None
    prior: FloatArray
    neighbour_matrix: FloatArray
    binding: FloatArray
    log_likelihood: float
    k_fit: int
    k: int
    beta: float
    tilt: float
    prediction: FloatArray | None
    second: IntArray | None
    gain: float
    entropy: float
    flags: tuple[Flag, ...]
    abstains: bool


@dataclass(frozen=True)
class CorrectedScores:
    """`score` (N,), its probability `confidence` (N,), and P(true i) of each row, `posterior` (N, K).

    Where the estimate abstains the scores are the ratings, and how sure they are is not known: `confidence`
    is NaN. `posterior` is then that of a model which is not trusted.
    """

    score: IntArray
    confidence: FloatArray
    posterior: FloatArray


def correct_scores(scores: IntArray, neighbours: Neighbours, estimate: TransitionEstimate) -> CorrectedScores:
    """The most probable true score of each row, from its own score and all that speaks for another.

    `scores` (N,) and `neighbours` are those that the estimate was made from. Where it abstains the score
    stays as it was. `crossfit` assumes a rater without bias: rows are put in the order of their posterior
    mean, and each score goes to as many rows as were rated so; the most probable scores would crowd in the
    middle.
    """
    num_scores = len(estimate.prior)
    check_in_range(scores, 0, num_scores - 1, name="score")
    transition = estimate.transition
    with one_thread():
        posterior = _without_own_score(scores, neighbours, estimate) * transition[:, scores].T
    if estimate.second is not None:
        audited = np.flatnonzero(estimate.second != MISSING)
        posterior[audited] *= transition[:, estimate.second[audited]].T
    posterior /= posterior.sum(axis=1, keepdims=True)
    if estimate.abstains:
        return CorrectedScores(scores.astype(np.int64), np.full(len(scores), np.nan), posterior)
    score = _as_many_of_each(scores, posterior) if estimate.method == "crossfit" else posterior.argmax(axis=1)
    return CorrectedScores(score, posterior[np.arange(len(scores)), score], posterior)


def tilted(classes: FloatArray, tilt: float, prediction: FloatArray) -> FloatArray:
    """Class probabilities (N, K) shifted up or down, as far as features predict another score."""
    steps = np.arange(classes.shape[1]) - (classes.shape[1] - 1) / 2
    weights = classes * np.exp(tilt * prediction[:, None] * steps)
    out: FloatArray = weights / weights.sum(axis=1, keepdims=True)
    return out


def believed(
    prior: FloatArray, neighbour: FloatArray, binding: FloatArray, patterns: Patterns, beta: float
) -> FloatArray:
    """P(true i | neighbours' scores) of each pattern, (M, K)."""
    found: FloatArray = class_posterior(prior, neighbour, patterns.counts, beta) @ binding
    return found


def _as_many_of_each(scores: IntArray, posterior: FloatArray) -> IntArray:
    """The scores (N,) dealt out again, in the order of the posterior mean."""
    means = posterior @ np.arange(posterior.shape[1])
    dealt = np.empty(len(scores), dtype=np.int64)
    dealt[np.argsort(means, kind="stable")] = np.sort(scores)
    return dealt


def _without_own_score(scores: IntArray, neighbours: Neighbours, estimate: TransitionEstimate) -> FloatArray:
    """P(true i | everything but the row's own score), (N, K)."""
    if estimate.k == 0:
        return np.tile(estimate.prior, (len(scores), 1))
    views = scores_of_neighbours(scores, neighbours, copies=estimate.method == "hoc")
    patterns = count_patterns(scores, views[:, : estimate.k], len(estimate.prior))
    classes = believed(estimate.prior, estimate.neighbour_matrix, estimate.binding, patterns, estimate.beta)[
        patterns.pattern_of
    ]
    if estimate.prediction is None:
        return classes
    return tilted(classes, estimate.tilt, estimate.prediction)
