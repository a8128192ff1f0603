"""A rater's transition matrix, by any of the methods (arXiv 2510.23160, Section 3.1, App. C.1).

raw         scores at their word
hoc         the paper's: moments of a row and its two nearest neighbours, copies too, one matrix for both
neighbours  the latent-class model; how many neighbours to use, and how far to believe them, is chosen by
            how well they predict ratings that they have not seen
crossfit    no neighbours: the rating, and a prediction of it from the row's own features, out of fold
audited     the two-level model, from second ratings of some rows
auto        neighbours, with features where given; audited where an audit is given and calls for it

`auto` and `audited` keep the raw scores where a flag puts T in doubt: they do no harm.
"""

from __future__ import annotations

import numpy as np

from ...records.vocabulary import CorrectionMethod
from ..arrays import BoolArray, FloatArray, IntArray, check_in_range
from ..neighbours import Neighbours
from ..threads import one_thread
from . import trust
from .audit import Audit, fit_audited, refit_audited, self_agreement
from .choice import (
    Fit,
    Pool,
    choose_neighbours,
    classes_of_rows,
    features_alone,
    fixed_choice,
    weigh_features,
)
from .correction import TransitionEstimate
from .features import blend_with_prediction, cross_predict, standardised
from .latent_class import diagonal_start, fit_model, log_likelihood, refit_model
from .moments import match_moments, spectral_start, third_order
from .patterns import MISSING, count_patterns, duplicate_groups, nearest_copies, scores_of_neighbours
from .regions import jackknife, split_regions
from .scale import NUM_SCORES
from .trust import Flag

_FEWEST_SCORES, _MOST_SCORES = 2, 10
_NUMBERS_OF_NEIGHBOURS = (2, 3, 5, 10, 20)
_DIAGONALS = (0.9, 0.7, 0.5)
# standard errors by which audited ratings must agree more than the neighbours' model says
_STANDARD_ERRORS = 3.0
# `auto` leaves copies that repeat errors out of the estimate; a bias is what the correction removes
_HARMLESS = frozenset({"repeated_errors", "biased"})


def estimate_transition(
    scores: IntArray,
    neighbours: Neighbours,
    *,
    num_scores: int = NUM_SCORES,
    rng: np.random.Generator,
    method: CorrectionMethod = "auto",
    features: FloatArray | None = None,
    audit: Audit | None = None,
) -> TransitionEstimate:
    """Estimate T and the prior from scores (N,) in 0..num_scores-1 and nearest neighbours (N, k).

    Twenty neighbours are best: a row's own near-duplicates among them do not count, but for `hoc`. With fewer
    than two neighbours a row T cannot be told from the prior, and the estimate abstains. Scores that never
    occur keep a row of T close to the diagonal. `features` (N, F), for example embeddings of prompt and
    answer and their lengths, are what `crossfit` needs, `audit` is what `audited` needs; `auto` uses what it
    is given. `rng` draws folds, regions, a start of the fit and the tables of one check.

    References: arXiv 2510.23160, Section 3.1; Zhu, Song and Liu, "Clusterability as an alternative to anchor
    points when learning with noisy labels", arXiv 2102.05291.
    """
    _check(scores, neighbours, num_scores)
    for needs, given in (("crossfit", features), ("audited", audit)):
        if method == needs and given is None:
            msg = f"method {method!r} needs {'features' if needs == 'crossfit' else 'an audit'}, got none"
            raise ValueError(msg)
    if method == "raw":
        return _taken_at_their_word(scores, num_scores, ())
    if neighbours.indices.shape[1] < 2:
        flag = Flag("no_neighbours", "Rows have fewer than two neighbours, so ratings cannot be checked.")
        return _taken_at_their_word(scores, num_scores, (flag,))
    with one_thread():
        views = scores_of_neighbours(scores, neighbours, copies=method == "hoc")
        pool = _gather(scores, neighbours, views, num_scores, rng, features, audit)
        if method == "hoc":
            return _by_moments(pool, rng)
        return _by_features(pool, rng) if method == "crossfit" else _by_likelihood(pool, rng, method)


def _check(scores: IntArray, neighbours: Neighbours, num_scores: int) -> None:
    if not _FEWEST_SCORES <= num_scores <= _MOST_SCORES:
        msg = f"num_scores is {num_scores}, expected {_FEWEST_SCORES} to {_MOST_SCORES}"
        raise ValueError(msg)
    check_in_range(scores, 0, num_scores - 1, name="score")
    if len(neighbours.indices) != len(scores) or len(scores) == 0:
        msg = (
            f"{len(scores)} scores but neighbours of {len(neighbours.indices)} rows; expected equal, above 0"
        )
        raise ValueError(msg)


def _gather(
    scores: IntArray,
    neighbours: Neighbours,
    views: IntArray,
    num_scores: int,
    rng: np.random.Generator,
    features: FloatArray | None,
    audit: Audit | None,
) -> Pool:
    numbers = [k for k in _NUMBERS_OF_NEIGHBOURS if k <= views.shape[1]]
    prediction = None
    if features is not None:
        prediction = cross_predict(features, scores, duplicate_groups(neighbours), rng)
    return Pool(
        scores=scores,
        neighbours=neighbours,
        views=views,
        patterns={k: count_patterns(scores, views[:, :k], num_scores) for k in numbers},
        observed=np.bincount(scores, minlength=num_scores) / len(scores),
        prediction=prediction,
        second=None if audit is None else audit.spread(len(scores), num_scores),
    )


def _taken_at_their_word(scores: IntArray, num_scores: int, flags: tuple[Flag, ...]) -> TransitionEstimate:
    """T is the identity, the prior the observed shares."""
    observed = np.bincount(scores, minlength=num_scores) / len(scores)
    identity = np.eye(num_scores)
    entropy = _entropy(observed)
    return TransitionEstimate(
        method="raw",
        transition=identity,
        standard_error=None,
        prior=observed,
        neighbour_matrix=identity,
        binding=identity,
        log_likelihood=-len(scores) * entropy,
        k_fit=0,
        k=0,
        beta=0.0,
        tilt=0.0,
        prediction=None,
        second=None,
        gain=0.0,
        entropy=entropy,
        flags=flags,
        abstains=True,
    )


def _by_moments(pool: Pool, rng: np.random.Generator) -> TransitionEstimate:
    num_scores = len(pool.observed)
    starts = [diagonal_start(pool.observed, diagonal) for diagonal in _DIAGONALS]
    model = match_moments(third_order(pool.scores, pool.views, num_scores), starts)
    fit = fixed_choice(pool, model, 2)
    flags = (
        *trust.no_signal(_gain(pool, fit), _entropy(pool.observed)),
        *_doubts_of_neighbours(pool, fit, rng),
        *trust.odd_rows(model),
    )

    def refit(kept: BoolArray) -> FloatArray:
        return match_moments(third_order(pool.scores[kept], pool.views[kept], num_scores), [model]).own

    errors = jackknife(split_regions(pool.neighbours.indices, rng), refit)
    return _estimate(pool, fit, "hoc", flags, errors=errors, abstains=False)


def _by_features(pool: Pool, rng: np.random.Generator) -> TransitionEstimate:
    num_scores = len(pool.observed)
    second = np.full(len(pool.scores), MISSING) if pool.second is None else pool.second
    prediction = np.zeros(len(pool.scores)) if pool.prediction is None else pool.prediction
    model, tilt = blend_with_prediction(pool.scores, prediction, second, num_scores)
    fit = features_alone(pool, model, tilt, prediction)
    flags = trust.no_signal(_gain(pool, fit), _entropy(pool.observed))

    def refit(kept: BoolArray) -> FloatArray:
        some = standardised(prediction[kept])
        return blend_with_prediction(pool.scores[kept], some, second[kept], num_scores)[0].own

    errors = jackknife(split_regions(pool.neighbours.indices, rng), refit)
    return _estimate(pool, fit, "crossfit", flags, errors=errors, abstains=False)


def _by_likelihood(pool: Pool, rng: np.random.Generator, method: CorrectionMethod) -> TransitionEstimate:
    models = {}
    for k, patterns in pool.patterns.items():
        starts = [diagonal_start(pool.observed, diagonal) for diagonal in _DIAGONALS]
        models[k] = fit_model(patterns, [*starts, spectral_start(patterns, rng)])
    num_scores = len(pool.observed)
    fit = choose_neighbours(pool, models, np.eye(num_scores))
    regions = split_regions(pool.neighbours.indices, rng)
    patterns, model = pool.patterns[fit.k_fit], fit.model
    errors = jackknife(regions, lambda kept: refit_model(patterns.of_rows(pool.scores, kept), model).own)
    flags = (
        *_doubts_of_neighbours(pool, fit, rng),
        *trust.unstable(list(models.values()), fit.model, errors),
        *trust.unbound(fit.model, pool.observed),
        *trust.weak_signal(_gain(pool, fit), _entropy(pool.observed)),
        *trust.odd_rows(fit.model),
    )
    if pool.prediction is not None:
        classes = classes_of_rows(pool, fit)
        flags = (*flags, *trust.unshared(pool.scores, classes, fit.model, pool.prediction))
    used = "neighbours"
    asked = method == "audited" or (method == "auto" and _audit_calls(pool, fit, flags))
    if pool.second is not None and asked:
        fit, errors = _audited(pool, fit, pool.second, regions)
        # what puts the neighbours in doubt is what the audit settles
        used, flags = "audited", trust.odd_rows(fit.model)
    if method == "auto" and pool.prediction is not None:
        fit = weigh_features(pool, fit, pool.prediction)
    flags = (*trust.no_signal(_gain(pool, fit), _entropy(pool.observed)), *flags)
    abstains = method in ("auto", "audited") and _serious(flags)
    return _estimate(pool, fit, used, flags, errors=errors, abstains=abstains)


def _audited(pool: Pool, fit: Fit, second: IntArray, regions: IntArray) -> tuple[Fit, FloatArray | None]:
    """The model of both levels, and the standard errors of its T."""
    patterns = pool.patterns[fit.k_fit]
    # where neighbours mean nothing their model is a bad place to start from
    starts = [fit.model, diagonal_start(pool.observed, _DIAGONALS[0])]
    audited = fit_audited(pool.scores, second, patterns, starts)
    errors = jackknife(
        regions, lambda kept: refit_audited(pool.scores, second, patterns, audited, kept).model.own
    )
    return choose_neighbours(pool, {fit.k_fit: audited.model}, audited.binding), errors


def _doubts_of_neighbours(pool: Pool, fit: Fit, rng: np.random.Generator) -> tuple[Flag, ...]:
    """Reasons not to believe that neighbours share a score and are rated independently."""
    return (
        *trust.low_rank(pool.patterns[max(pool.patterns)], rng),
        *trust.misfit(third_order(pool.scores, pool.views, len(pool.observed)), fit.model, len(pool.scores)),
        *trust.drift(pool.scores, pool.views),
        *trust.repeated_errors(pool.scores, nearest_copies(pool.neighbours), fit.model),
    )


def _audit_calls(pool: Pool, fit: Fit, flags: tuple[Flag, ...]) -> bool:
    """Whether audited ratings agree better than the neighbours' model allows, or that model is in doubt."""
    if pool.second is None:
        return False
    agree, implied, error = self_agreement(pool.scores, pool.second, fit.model)
    return _serious(flags) or agree > implied + _STANDARD_ERRORS * error


def _serious(flags: tuple[Flag, ...]) -> bool:
    return any(flag.name not in _HARMLESS for flag in flags)


def _gain(pool: Pool, fit: Fit) -> float:
    """Nats gained per rating, less what fitting (K - 1)^2 free associations gains by chance."""
    by_chance = (len(pool.observed) - 1) ** 2 / len(pool.scores)
    return fit.predicted + _entropy(pool.observed) - by_chance


def _entropy(shares: FloatArray) -> float:
    used = shares[shares > 0]
    return float(-(used * np.log(used)).sum())


def _estimate(
    pool: Pool, fit: Fit, method: str, flags: tuple[Flag, ...], *, errors: FloatArray | None, abstains: bool
) -> TransitionEstimate:
    return TransitionEstimate(
        method=method,
        transition=fit.model.own,
        standard_error=errors,
        prior=fit.model.prior,
        neighbour_matrix=fit.model.neighbour,
        binding=fit.binding,
        log_likelihood=log_likelihood(fit.model, fit.binding, pool.patterns[fit.k_fit]),
        k_fit=fit.k_fit,
        k=fit.k,
        beta=fit.beta,
        tilt=fit.tilt,
        prediction=pool.prediction,
        second=pool.second,
        gain=_gain(pool, fit),
        entropy=_entropy(pool.observed),
        flags=flags,
        abstains=abstains,
    )
