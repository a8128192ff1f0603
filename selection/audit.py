"""Second ratings of some rows, and the model that they make possible.

Neighbours alone cannot tell a rater's errors from rows that do not belong where they lie; a second,
independent rating of a random slice of rows can. Two levels: the neighbourhood's class c with P(c) and its
matrix B[c, j] = P(neighbour rated j | c); a row's own true score i with V[c, i] = P(true i | class c); its
ratings with T[i, j] = P(rated j | true i), once for most rows and twice for the audited. Rows of B, V and T
sum to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrays import FloatArray, IntArray, check_in_range
from .latent_class import Model, class_likelihoods, leaning_rows
from .patterns import MISSING, Patterns
from .squarem import climb

# pseudo-counts that a row of T and of V is given, most of them on the diagonal: they steady rare scores
_PSEUDO_COUNTS = 20.0
_MOST_CYCLES = 200
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
    once, twice = _count_ratings(scores, second, patterns, num_scores)
    lean = leaning_rows(num_scores, _PSEUDO_COUNTS)
    bound = leaning_rows(num_scores, 1.0 - _BOUND) + _BOUND * np.eye(num_scores)

    def step(rows: FloatArray) -> tuple[FloatArray, float]:
        return _em_step(_unstacked(rows), patterns.counts, once, twice, lean)

    climbed = [
        climb(
            step,
            np.vstack([start.prior[None], start.own, start.neighbour, bound]),
            most_cycles=_MOST_CYCLES,
            smallest_gain=_SMALLEST_GAIN * len(scores),
        )
        for start in starts
    ]
    return _unstacked(max(climbed, key=lambda found: found[1])[0])


def self_agreement(scores: IntArray, second: IntArray, model: Model) -> tuple[float, float, float]:
    """Share of audited rows rated alike twice, the share `model` implies, the standard error of the first."""
    audited = second != MISSING
    agree = float((scores[audited] == second[audited]).mean())
    implied = float(model.prior @ (model.own**2).sum(axis=1))
    return agree, implied, float(np.sqrt(max(agree * (1 - agree), 1e-4) / audited.sum()))


def _count_ratings(
    scores: IntArray, second: IntArray, patterns: Patterns, num_scores: int
) -> tuple[FloatArray, FloatArray]:
    """Rows of each pattern: (M, K) of those rated once, (M, K, K) of those rated twice."""
    num_patterns = len(patterns.counts)
    audited = second != MISSING
    own = patterns.pattern_of * num_scores + scores
    once = np.bincount(own[~audited], minlength=num_patterns * num_scores)
    both = own[audited] * num_scores + second[audited]
    twice = np.bincount(both, minlength=num_patterns * num_scores**2)
    return (
        once.reshape(num_patterns, num_scores).astype(np.float64),
        twice.reshape(num_patterns, num_scores, num_scores).astype(np.float64),
    )


def _unstacked(rows: FloatArray) -> AuditedModel:
    num_scores = rows.shape[1]
    own, neighbour, binding = rows[1:].reshape(3, num_scores, num_scores)
    return AuditedModel(Model(rows[0], own, neighbour), binding)


def _em_step(
    fitted: AuditedModel, counts: FloatArray, once: FloatArray, twice: FloatArray, lean: FloatArray
) -> tuple[FloatArray, float]:
    """One EM step under pseudo-counts `lean`; the new rows and the penalised log-likelihood of the old."""
    model, binding = fitted.model, fitted.binding
    own = model.own
    classes, shift = class_likelihoods(model.prior, model.neighbour, counts)
    bound = classes @ binding
    rated = bound @ own
    rated_twice = np.einsum("mi,iy,iz->myz", bound, own, own, optimize=True)
    value = float((once * (np.log(rated) + shift[:, None])).sum())
    value += float((twice * (np.log(rated_twice) + shift[:, None, None])).sum())
    logs = [np.log(own), np.log(binding), np.log(model.neighbour)]
    value += float(sum((lean * log).sum() for log in logs) + np.log(model.prior).mean())
    ratio, ratio_twice = once / rated, twice / rated_twice
    both_ways = ratio_twice + ratio_twice.transpose(0, 2, 1)
    pulled = bound.T @ ratio + np.einsum("mi,myz,iz->iy", bound, both_ways, own, optimize=True)
    evidence = ratio @ own.T + np.einsum("myz,iy,iz->mi", ratio_twice, own, own, optimize=True)
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
