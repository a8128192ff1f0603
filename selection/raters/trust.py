"""When not to trust a score correction: named flags, each with a sentence for the user.

The model assumes that a row and its neighbours share a true score and are rated independently. Each check
below compares what was observed with what that implies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, IntArray
from .latent_class import Model
from .moments import implied_third_order
from .patterns import MISSING, Patterns

# share of the entropy of the ratings that the neighbours must explain before they count as signal
SMALLEST_GAIN = 0.02
# share below which, without an audit, a poor rater cannot be told from neighbours that share no score
_SMALLEST_SAFE_GAIN = 0.2
# share of rows that a correction may make worse on the least favourable reading of T
_MOST_HARM = 0.05
# standard errors at which a difference is taken for real
_STANDARD_ERRORS = 3.0
_NULL_TABLES = 40
# probability from which neighbours leave no doubt, and a correlation that is too small to matter
_SURE = 0.8
_MOST_CORRELATION = 0.05
# share of the entries of a row of T that errors leave empty where they are not drawn at random
_EMPTY_SHARE = 0.25
# row-wise L1 distance beyond sampling error: 0.2 moves one rating in ten
_MOST_SPREAD = 0.2
# total variation that is too small to matter, however many rows make it visible
_MOST_MISFIT = 0.02
# a fall in agreement that is too small to matter, however many rows make it visible
_MOST_DRIFT = 0.01
# classes rarer than this tell nothing about their row of T
_RARE = 0.01


@dataclass(frozen=True)
class Flag:
    """A reason not to trust an estimate: `name` for machines, `sentence` for people."""

    name: str
    sentence: str


def no_signal(gain: float, entropy: float) -> tuple[Flag, ...]:
    """What is known of a row beside its rating tells next to nothing about that (both in nats)."""
    if entropy > 0 and gain >= SMALLEST_GAIN * entropy:
        return ()
    share = 100 * max(gain, 0.0) / entropy if entropy > 0 else 0.0
    return (
        Flag("no_signal", f"What else is known of the rows explains {share:.1f} % of the spread of ratings."),
    )


def weak_signal(gain: float, entropy: float) -> tuple[Flag, ...]:
    """The neighbours tell something, but so little that the correction would rest on an assumption."""
    share = gain / entropy if entropy > 0 else 0.0
    if not SMALLEST_GAIN <= share < _SMALLEST_SAFE_GAIN:
        return ()
    return (
        Flag(
            "weak_signal",
            f"Neighbours explain {100 * share:.0f} % of the spread of ratings: a poor rater, or rows "
            "that lie in the wrong place; only an audit can tell.",
        ),
    )


def unbound(model: Model, observed: FloatArray) -> tuple[Flag, ...]:
    """Part of T is what rows show that do not belong where they lie, and correcting those would do harm.

    A share s of such rows turns T into (1 - s) T + s q, with q the shares of all ratings. The largest s that
    fits, judged by the emptier entries of each row, is the least favourable reading; harm is what the
    correction then loses against the raw scores, in share of rows. `observed` (K,) is q.
    """
    common = np.flatnonzero((model.prior >= _RARE) & (observed >= _RARE))
    if len(common) < 2:
        return ()
    ratios = model.own[np.ix_(common, common)] / observed[common]
    share = min(float(np.quantile(ratios, _EMPTY_SHARE, axis=1).min()), 1.0 - 1e-9)
    raw = np.clip((np.diag(model.own) - share * observed) / (1.0 - share), 0.0, 1.0)
    corrected = (1.0 - share) + share * model.prior
    harm = float(model.prior @ (raw - corrected))
    if harm <= _MOST_HARM:
        return ()
    return (
        Flag(
            "unbound",
            f"Up to {100 * share:.0f} % of rows may not share their neighbours' score, and the correction "
            "would spoil them; only an audit can tell.",
        ),
    )


def unshared(scores: IntArray, classes: FloatArray, model: Model, prediction: FloatArray) -> tuple[Flag, ...]:
    """Features tell more of a rating than its neighbours' score leaves to tell.

    Where the neighbours leave no doubt about the score they share, `classes` (N, K), what is left of the
    rating should be the rater's error, and the features' `prediction` (N,) of the rating should say nothing
    about it.
    """
    sure = classes.max(axis=1) >= _SURE
    rest = (scores - classes @ model.own @ np.arange(len(model.prior)))[sure]
    known = prediction[sure]
    if len(rest) < 2 or rest.std() == 0 or known.std() == 0:
        return ()
    correlation = float(np.corrcoef(rest, known)[0, 1])
    if correlation <= max(_STANDARD_ERRORS / np.sqrt(len(rest)), _MOST_CORRELATION):
        return ()
    return (
        Flag(
            "unshared",
            f"Rows near each other differ in what their features say of the rating (correlation "
            f"{correlation:.2f}): they do not share one score.",
        ),
    )


def low_rank(patterns: Patterns, rng: np.random.Generator) -> tuple[Flag, ...]:
    """Fewer kinds of rows can be told apart than there are scores in use.

    Canonical correlations of own and neighbours' scores, each against the 95th percentile of its value over
    tables with the same margins and no association.
    """
    from scipy.stats import random_table  # scipy loads slowly; --help must not wait for it

    weights, counts = patterns.weights, patterns.counts
    used = int((weights.sum(axis=0) > _RARE * weights.sum()).sum())
    table = random_table(weights.sum(axis=1).astype(int), weights.sum(axis=0).astype(int), seed=rng)
    null = np.array([_canonical(counts.T @ drawn) for drawn in table.rvs(_NULL_TABLES)])
    beyond = _canonical(counts.T @ weights) > np.quantile(null, 0.95, axis=0)
    rank = 1 + int(np.cumprod(beyond).sum())
    if rank >= used:
        return ()
    return (
        Flag("low_rank", f"The neighbours tell only {rank} of {used} scores apart; T is partly a guess."),
    )


def unstable(models: list[Model], chosen: Model, errors: FloatArray | None) -> tuple[Flag, ...]:
    """T depends on how many neighbours it is fitted to. `errors` (K, K): standard errors of the chosen T."""
    if errors is None:
        return ()
    spread = np.zeros(len(errors))
    for model in models:
        spread = np.maximum(spread, np.abs(model.own - chosen.own).sum(axis=1))
    by_chance = _STANDARD_ERRORS * np.sqrt(2 / np.pi) * errors.sum(axis=1)
    excess = float((chosen.prior * np.maximum(spread - by_chance, 0.0)).sum())
    if excess <= _MOST_SPREAD:
        return ()
    return (
        Flag(
            "unstable", f"T moves by {excess:.2f} per row with the number of neighbours it is estimated from."
        ),
    )


def misfit(q3: FloatArray, model: Model, num_rows: int) -> tuple[Flag, ...]:
    """The observed agreement `q3` of three ratings is not what the model implies (total variation)."""
    if not q3.any():
        return ()
    implied = implied_third_order(model)
    distance = 0.5 * float(np.abs(q3 - implied).sum())
    # mean absolute deviation of a binomial share, by its normal approximation
    expected = 0.5 * float(np.sqrt(2 * implied * (1 - implied) / (np.pi * num_rows)).sum())
    if distance <= 1.5 * expected + _MOST_MISFIT:
        return ()
    return (
        Flag(
            "misfit",
            f"Agreement of three ratings is off by {distance:.3f} from the model's, {expected:.3f} expected.",
        ),
    )


def drift(scores: IntArray, views: IntArray) -> tuple[Flag, ...]:
    """Nearer neighbours agree more than farther ones, so farther ones do not share the score."""
    complete = (views != MISSING).all(axis=1)
    if views.shape[1] < 2 or not complete.any():
        return ()
    agree = views[complete] == scores[complete, None]
    half = views.shape[1] // 2
    change = agree[:, :half].mean(axis=1) - agree[:, -half:].mean(axis=1)
    error = float(change.std() / np.sqrt(len(change)))
    if change.mean() <= max(_STANDARD_ERRORS * error, _MOST_DRIFT):
        return ()
    near, far = agree[:, :half].mean(), agree[:, -half:].mean()
    return (
        Flag(
            "drift",
            f"Agreement falls with distance, from {near:.3f} (nearer half) to {far:.3f} (farther half).",
        ),
    )


def repeated_errors(scores: IntArray, copies: IntArray, model: Model) -> tuple[Flag, ...]:
    """Copies, pairs (M, 2) of rows, agree more than independent ratings would, so errors are repeated.

    A warning, not a verdict: but for `hoc`, a row's own copies are left out of the estimate.
    """
    if not len(copies):
        return ()
    agree = float((scores[copies[:, 0]] == scores[copies[:, 1]]).mean())
    implied = float(model.prior @ (model.own**2).sum(axis=1))
    error = np.sqrt(implied * (1 - implied) / len(copies))
    if agree <= implied + _STANDARD_ERRORS * error:
        return ()
    return (
        Flag(
            "repeated_errors",
            f"Near-duplicates are rated alike in {agree:.2f} of cases, {implied:.2f} if independently.",
        ),
    )


def odd_rows(model: Model) -> tuple[Flag, ...]:
    """Rows of T that need a second look: one error likelier than the truth, mean ratings that do not rise.

    A rater that mostly gives the next score is biased, and correcting that is the point; farther away the
    classes are likely to be misnamed.
    """
    common = np.flatnonzero(model.prior >= _RARE)
    distance = np.abs(model.own[common].argmax(axis=1) - common)
    biased, off = common[distance == 1].tolist(), common[distance > 1].tolist()
    flags = []
    if biased:
        flags.append(Flag("biased", f"Rows truly of score {biased} are mostly rated one higher or lower."))
    if off:
        flags.append(
            Flag("off_diagonal", f"Rows truly of score {off} are mostly rated far off: T is in doubt.")
        )
    means = model.own[common] @ np.arange(len(model.prior))
    if (np.diff(means) <= 0).any():
        flags.append(Flag("not_rising", "The mean rating does not rise with the true score: T is in doubt."))
    return tuple(flags)


def _canonical(table: FloatArray) -> FloatArray:
    """Canonical correlations (K - 1,) of a two-way table, falling; zero for scores that do not occur."""
    total = max(table.sum(), 1.0)
    left, right = table.sum(axis=1), table.sum(axis=0)
    centred = table - np.outer(left, right) / total
    scale = np.sqrt(np.outer(np.maximum(left, 1e-12), np.maximum(right, 1e-12)))
    values: FloatArray = np.linalg.svd(centred / scale, compute_uv=False)[:-1]
    return values
