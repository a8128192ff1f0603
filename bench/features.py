"""Whether a rater's ratings tell by themselves that its scores should be moved towards what features say.

    python bench/features.py [--rows 6000]

Synthetic raters of known error, with features of known worth: the true score and normal noise. Printed are
the share of the variance of ratings that features predict out of fold, which is all that one rater tells, and
Spearman's correlation with the truth before and after `crossfit`. A gate would need the first to tell where
the last rises.
"""

from __future__ import annotations

import argparse

import numpy as np
from correction import NEIGHBOURS, NUM_SCORES, PRIOR, rate, transition

from entp.selection import Neighbours, correct_scores, estimate_transition, spearman

NOISES = ("near", "adjacent", "upward", "gpt", "strong")
DEVIATIONS = (0.7, 1.5, 3.0, 6.0)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=6000)
    num_rows = parser.parse_args().rows
    rng = np.random.default_rng(0)
    true = rng.choice(NUM_SCORES, size=num_rows, p=PRIOR)
    # crossfit asks for neighbours only to set copies aside, and here are none
    indices = (np.arange(num_rows)[:, None] + np.arange(1, NEIGHBOURS + 1)) % num_rows
    neighbours = Neighbours(indices, np.zeros(indices.shape, dtype=np.float32))
    for noise in NOISES:
        scores = rate(true, transition(noise), rng)
        for deviation in DEVIATIONS:
            features = true[:, None] + deviation * rng.standard_normal((num_rows, 1))
            found = estimate_transition(scores, neighbours, rng=rng, method="crossfit", features=features)
            corrected = correct_scores(scores, neighbours, found).score
            predicted = np.corrcoef(found.prediction, scores)[0, 1] ** 2
            print(
                f"{noise:9s} noise of features {deviation:.1f}  predicted {predicted:.3f}  "
                f"Spearman {spearman(scores, true):.3f} -> {spearman(corrected, true):.3f}  "
                f"moved {(corrected != scores).mean():.2f}"
            )


if __name__ == "__main__":
    main()
