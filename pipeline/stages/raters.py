"""How far the raters of a pool agree, before and after the correction of the one that counts."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

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

# with fewer rows in common a correlation says next to nothing
FEWEST_ROWS = 3


def rater_agreement(
    run: Run,
    scores: IntArray,
    estimate: TransitionEstimate,
    corrected: CorrectedScores,
    lengths: FloatArray,
) -> list[dict[str, Any]]:
    """Agreement of every two raters: the pool's with each other, the chosen one's raw and corrected.

    `scores`, `corrected` and `lengths` are of the rated rows, by id. Kappa takes the corrected score,
    Spearman's correlation the posterior mean; where the correction abstains both are the raw scores.
    `length_out` is Spearman's correlation with the lengths of prompt and answer taken out. The correction
    never sees the other raters.
    """
    chosen = chosen_rater(run)
    others = _pool_scores(run, chosen)
    smooth = corrected.posterior @ np.arange(corrected.posterior.shape[1])
    kept = estimate.abstains or estimate.method == "raw"
    versions = [
        (chosen, scores, scores),
        (f"{chosen}, corrected", corrected.score, scores if kept else smooth),
    ]
    found = [
        _compare((name, whole, fine), (other, theirs, theirs), lengths)
        for name, whole, fine in versions
        for other, theirs in others.items()
    ]
    found += [
        _compare((left, others[left], others[left]), (right, others[right], others[right]), lengths)
        for left, right in combinations(others, 2)
    ]
    return [pair for pair in found if pair["rows"] >= FEWEST_ROWS]


def _pool_scores(run: Run, chosen: str) -> dict[str, IntArray]:
    """Scores 0-5 of the pool's other raters for the rated rows, -1 where there is none."""
    given = [
        json.loads(record["pool_ratings"])
        for record in run.store.query(
            "SELECT pool_ratings FROM rows JOIN ratings ON row_id = id WHERE score IS NOT NULL ORDER BY id"
        )
    ]
    out: dict[str, IntArray] = {}
    for rater in sorted({name for ratings in given for name in ratings} - {chosen}):
        values = np.array([ratings.get(rater, -1) for ratings in given])
        # the scale that is set is the chosen rater's
        if scale_of(run, rater, "auto") == "1-10":
            values[values >= 0] = scale_ratings(values[values >= 0])
        out[rater] = values
    return out


def _compare(
    left: tuple[str, IntArray, FloatArray | IntArray],
    right: tuple[str, IntArray, FloatArray | IntArray],
    lengths: FloatArray,
) -> dict[str, Any]:
    """Agreement over the rows that both have scored; each side is a name, whole scores and finer ones."""
    both = (left[1] >= 0) & (right[1] >= 0)
    pair: dict[str, Any] = {"left": left[0], "right": right[0], "rows": int(both.sum())}
    if pair["rows"] < FEWEST_ROWS:
        return pair
    fine = left[2][both], right[2][both]
    return pair | {
        "kappa": round(quadratic_kappa(left[1][both], right[1][both]), 4),
        "spearman": round(spearman(*fine), 4),
        "length_out": round(partial_spearman(*fine, lengths[both]), 4),
    }
