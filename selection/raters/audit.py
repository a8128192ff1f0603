"""Second ratings of some rows, and the model that they make possible.

Neighbours alone cannot tell a rater's errors from rows that do not belong where they lie; a second,
independent rating of a random slice of rows can. Two levels: the neighbourhood's class c with P(c) and its
matrix B[c, j] = P(neighbour rated j | c); a row's own true score i with V[c, i] = P(true i | class c); its
ratings with T[i, j] = P(rated j | true i), once for most rows and twice for the audited. Rows of B, V and T
sum to 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray, check_in_range
from .latent_class import Model, class_likelihoods, leaning_rows
from .patterns import MISSING, Patterns
from .squarem import climb

# pseudo-counts that a row of T and of V is given, most of them on the diagonal: they steady rare scores
_PSEUDO_COUNTS = 20.0
# most cycles of three EM steps, from a start and from a fit to nearly the same rows
_MOST_CYCLES, _FEW_CYCLES = 200, 25
_SMALLEST_GAIN = 1e-8
# V to start from: neighbours mostly share the score
_BOUND = 0.8


@dataclass(frozen=True)
class Audit:
    """Second ratings: `rows` (A,) are row positions, each at most once, `scores` (A,) their second scores.

    The rows must be drawn at random and rated again independently: another wording or order of the
    criteria, a temperature above zero. A rater that repeats its own errors makes T look better than it is
    and the correction timid, which is the safe side.
    """

    rows: IntArray
    scores: IntArray

    def spread(self, num_rows: int, num_scores: int) -> IntArray:
        """Second scores (N,) of all rows, MISSING where there is none; raises ValueError on a bad audit."""
        check_in_range(self.rows, 0, num_rows - 1, name="audited row")
        check_in_range(self.scores, 0, num_scores - 1, name="second score")
        num_audited = len(np.unique(self.rows))
        if not len(self.rows) == len(self.scores) == num_audited > 0:
            msg = f"an audit needs one second score per row, got {len(self.scores)} for {num_audited} rows"
            raise ValueError(msg)
        second = np.full(num_rows, MISSING, dtype=np.int64)
        second[self.rows] = self.scores
        return second


@dataclass(frozen=True)
class AuditedModel:
    """`model` holds P(c), T and B; `binding` is V: see this module."""

    model: Model
    binding: FloatArray


def fit_audited(scores: IntArray, second: IntArray, patterns: Patterns, starts: list[Model]) -> AuditedModel:
    """Fit both levels to all rows. `second` (N,) are second scores, MISSING where there is none."""
    num_scores = len(starts[0].prior)
    bound = leaning_rows(num_scores, 1.0 - _BOUND) + _BOUND * np.eye(num_scores)
    ratings = _count_ratings(scores, second, patterns, num_scores)
    fits = [
        _climb(AuditedModel(start, bound), patterns.counts, ratings, most_cycles=_MOST_CYCLES)
        for start in starts
    ]
    return max(fits, key=lambda fit: fit[1])[0]


def refit_audited(
    scores: IntArray, second: IntArray, patterns: Patterns, fitted: AuditedModel, kept: BoolArray
) -> AuditedModel:
    """The maximum near `fitted` for the rows that are `kept` (N,) of those that it was fitted to."""
    some = replace(patterns, pattern_of=patterns.pattern_of[kept])
    ratings = _count_ratings(scores[kept], second[kept], some, len(fitted.binding))
    return _climb(fitted, patterns.counts, ratings, most_cycles=_FEW_CYCLES)[0]


def self_agreement(scores: IntArray, second: IntArray, model: Model) -> tuple[float, float, float]:
    """Share of audited rows rated alike twice, the share `model` implies, the standard error of the first."""
    audited = second != MISSING
    agree = float((scores[audited] == second[audited]).mean())
    implied = float(model.prior @ (model.own**2).sum(axis=1))
    return agree, implied, float(np.sqrt(max(agree * (1 - agree), 1e-4) / audited.sum()))


@dataclass(frozen=True)
class _Ratings:
    """Rows of each pattern by ratings: `once` (M, K); of the patterns `audited` (A,), `twice` (A, K * K)."""

    once: FloatArray
    audited: IntArray
    twice: FloatArray


def _count_ratings(scores: IntArray, second: IntArray, patterns: Patterns, num_scores: int) -> _Ratings:
    num_patterns = len(patterns.counts)
    rated_twice = second != MISSING
    own = patterns.pattern_of * num_scores + scores
    once = np.bincount(own[~rated_twice], minlength=num_patterns * num_scores)
    audited, place = np.unique(patterns.pattern_of[rated_twice], return_inverse=True)
    both = (place * num_scores + scores[rated_twice]) * num_scores + second[rated_twice]
    twice = np.bincount(both, minlength=len(audited) * num_scores**2)
    return _Ratings(
        once.reshape(num_patterns, num_scores).astype(np.float64),
        audited,
        twice.reshape(len(audited), num_scores**2).astype(np.float64),
    )


def _climb(
    start: AuditedModel, counts: FloatArray, ratings: _Ratings, *, most_cycles: int
) -> tuple[AuditedModel, float]:
    """The penalised maximum reached from `start`, and its value."""
    lean = leaning_rows(len(start.binding), _PSEUDO_COUNTS)

    def step(rows: FloatArray) -> tuple[FloatArray, float]:
        return _em_step(_unstacked(rows), counts, ratings, lean)

    model = start.model
    rows, value = climb(
        step,
        np.vstack([model.prior[None], model.own, model.neighbour, start.binding]),
        most_cycles=most_cycles,
        smallest_gain=_SMALLEST_GAIN * float(ratings.once.sum() + ratings.twice.sum()),
    )
    return _unstacked(rows), value


def _unstacked(rows: FloatArray) -> AuditedModel:
    num_scores = rows.shape[1]
    own, neighbour, binding = rows[1:].reshape(3, num_scores, num_scores)
    return AuditedModel(Model(rows[0], own, neighbour), binding)


def _em_step(
    fitted: AuditedModel, counts: FloatArray, ratings: _Ratings, lean: FloatArray
) -> tuple[FloatArray, float]:
    """One EM step under pseudo-counts `lean`; the new rows and the penalised log-likelihood of the old."""
    model, binding, audited = fitted.model, fitted.binding, ratings.audited
    own = model.own
    classes, shift = class_likelihoods(model.prior, model.neighbour, counts)
    bound = classes @ binding
    rated = bound @ own
    # P(rated y, then z | true i), (K, K * K)
    twice_given = (own[:, :, None] * own[:, None, :]).reshape(len(own), -1)
    rated_twice = bound[audited] @ twice_given
    value = float((ratings.once * (np.log(rated) + shift[:, None])).sum())
    value += float((ratings.twice * (np.log(rated_twice) + shift[audited, None])).sum())
    logs = [np.log(own), np.log(binding), np.log(model.neighbour)]
    value += float(sum((lean * log).sum() for log in logs) + np.log(model.prior).mean())
    ratio, ratio_twice = ratings.once / rated, ratings.twice / rated_twice
    pairs = (bound[audited].T @ ratio_twice).reshape(len(own), *own.shape)
    pulled = bound.T @ ratio + ((pairs + pairs.transpose(0, 2, 1)) * own[:, None, :]).sum(axis=2)
    evidence = ratio @ own.T
    evidence[audited] += ratio_twice @ twice_given.T
    responsible = classes * (evidence @ binding.T)
    rows = np.vstack(
        [
            responsible.sum(axis=0)[None] + 1.0 / len(own),
            own * pulled + lean,
            responsible.T @ counts + lean,
            binding * (classes.T @ evidence) + lean,
        ]
    )
    return rows / rows.sum(axis=1, keepdims=True), value
