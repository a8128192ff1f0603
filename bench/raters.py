"""Score correction on a pool that several real raters scored.

    python bench/raters.py POOL.jsonl EMBEDDINGS.npy [--source stanford_alpaca]

POOL.jsonl has one row a line with `messages` and `ratings` (a score 0-5 by rater); rows without ratings are
skipped. EMBEDDINGS.npy has a unit vector for each line. For each rater and method: the agreement of its
corrected scores with the raw scores of the other raters (means of quadratic-weighted kappa and of
Spearman's correlation), plain and with the lengths of prompt and answer taken out. All raters like long
answers, so only the second says anything about quality; and no method sees the other raters.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from entp.pipeline.stages.scoring import text_lengths
from entp.records.conversation import from_json
from entp.selection import (
    correct_scores,
    estimate_transition,
    nearest_neighbours,
    partial_spearman,
    quadratic_kappa,
    row_features,
    spearman,
)

METHODS = ("raw", "hoc", "neighbours", "crossfit", "auto")
NEIGHBOURS = 20


def read_pool(path: Path, source: str | None):
    """Positions of the rated rows, their ratings by rater, and logarithms of the two lengths."""
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    rated = [n for n, row in enumerate(rows) if row.get("ratings") and source in (None, row.get("source"))]
    raters = sorted(rows[rated[0]]["ratings"])
    ratings = {rater: np.array([rows[n]["ratings"][rater] for n in rated]) for rater in raters}
    return np.array(rated), ratings, text_lengths(from_json(rows[n]["messages"]) for n in rated)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pool", type=Path)
    parser.add_argument("embeddings", type=Path)
    parser.add_argument("--source")
    options = parser.parse_args()
    positions, ratings, lengths = read_pool(options.pool, options.source)
    embeddings = np.load(options.embeddings)[positions].astype(np.float32)
    neighbours = nearest_neighbours(embeddings, NEIGHBOURS)
    features = row_features(embeddings, lengths)
    print(f"{len(positions):,} rows; kappa | Spearman: corrected score, posterior mean | lengths taken out")
    for rater, scores in ratings.items():
        others = [other for name, other in ratings.items() if name != rater]
        for method in METHODS:
            estimate = estimate_transition(
                scores,
                neighbours,
                rng=np.random.default_rng(0),
                method=method,
                features=features if method in ("crossfit", "auto") else None,
            )
            corrected = correct_scores(scores, neighbours, estimate)
            scale = np.arange(corrected.posterior.shape[1])
            mean = scores if estimate.abstains or method == "raw" else corrected.posterior @ scale
            versions = (corrected.score, mean)
            plain = [np.mean([spearman(own, other) for other in others]) for own in versions]
            held = [np.mean([partial_spearman(own, other, lengths) for other in others]) for own in versions]
            kappa = np.mean([quadratic_kappa(corrected.score, other) for other in others])
            moved = (corrected.score != scores).mean()
            flags = ", ".join(flag.name for flag in estimate.flags)
            print(
                f"{rater:26s} {method:10s} {kappa:.3f} | {plain[0]:.3f} {plain[1]:.3f}"
                f" | {held[0]:.3f} {held[1]:.3f}  moved {moved:.2f}  {flags}"
            )


if __name__ == "__main__":
    main()
