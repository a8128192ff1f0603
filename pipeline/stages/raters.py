"""How far the raters of a pool agree, before and after the correction of the one that counts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple, TypeAlias

import numpy as np

from ...selection import (
    CorrectedScores,
    TransitionEstimate,
    partial_spearman,
    quadratic_kappa,
    scale_ratings,
    spearman,
)
from ...selection.arrays import FloatArray, IntArray
from ..run.run_folder import Run
from .rate import chosen_rater, scale_of
from .score import RaterPair

# with fewer rows in common a correlation says next to nothing
FEWEST_ROWS = 3

PoolRatings: TypeAlias = Sequence[dict[str, int]]


class _Rater(NamedTuple):
    """A rater's whole scores of the rated rows, -1 where it has none, and finer ones to correlate by."""

    name: str
    scores: IntArray
    fine: FloatArray | IntArray


def rater_agreement(
    run: Run,
    ratings: PoolRatings,
    scores: IntArray,
    estimate: TransitionEstimate,
    corrected: CorrectedScores,
    lengths: FloatArray,
) -> list[RaterPair]:
    """Agreement of every two raters: the pool's with each other, the chosen one's raw and corrected.

    `ratings` (what the pool brings), `scores` (N,), `corrected` and `lengths` are of the rated rows, by id.
    Kappa takes the corrected score, Spearman's correlation the posterior mean; where the correction abstains
    both are the raw scores. The correction never sees the other raters.
    """
    chosen = chosen_rater(run)
    others = _others(run, ratings, chosen)
    smooth = corrected.posterior @ np.arange(corrected.posterior.shape[1])
    kept = estimate.abstains or estimate.method == "raw"
    versions = [
        _Rater(chosen, scores, scores),
        _Rater(f"{chosen}, corrected", corrected.score, scores if kept else smooth),
    ]
    pairs = [(version, other) for version in versions for other in others]
    found = (_compared(left, right, lengths) for left, right in [*pairs, *combinations(others, 2)])
    return [pair for pair in found if pair is not None]


def _others(run: Run, ratings: PoolRatings, chosen: str) -> list[_Rater]:
    """Scores 0-5 of the pool's other raters."""
    found = []
    for name in sorted({name for given in ratings for name in given} - {chosen}):
        values = np.array([given.get(name, -1) for given in ratings])
        # the scale that is set is the chosen rater's
        if scale_of(run, name, "auto") == "1-10":
            values[values >= 0] = scale_ratings(values[values >= 0])
        found.append(_Rater(name, values, values))
    return found


def _compared(left: _Rater, right: _Rater, lengths: FloatArray) -> RaterPair | None:
    """Agreement over the rows that both have scored; None where these are too few."""
    both = (left.scores >= 0) & (right.scores >= 0)
    if both.sum() < FEWEST_ROWS:
        return None
    fine = left.fine[both], right.fine[both]
    return RaterPair(
        left=left.name,
        right=right.name,
        rows=int(both.sum()),
        kappa=round(quadratic_kappa(left.scores[both], right.scores[both]), 4),
        spearman=round(spearman(*fine), 4),
        length_out=round(partial_spearman(*fine, lengths[both]), 4),
    )
