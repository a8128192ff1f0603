"""Draw ratings whose truth is known for rows of the example pool; this has made examples/drawn.jsonl.

    python examples/draw_ratings.py --out examples/drawn.jsonl [--seed 0]

The texts are real, the ratings are not. Rows are parted into regions of the embedded encoder's space, and
those stay that lie amid their own region. All rows of a region share one true score, and the rater that is
drawn is one off in 30 % of cases. So near rows share a score and are rated independently, as the correction
assumes, and how many corrected scores are right can be counted.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from entp.providers.encoders import open_encoder
from entp.records.conversation import Turn, plain_text
from entp.selection import NUM_SCORES, nearest_neighbours

POOL = Path(__file__).parent / "pool.jsonl"
RATER = "gpt-4o-mini"
REGIONS = 12
# of so many nearest rows so many have to be of a row's own region
NEAREST, OWN = 10, 8
ERRORS = 0.3


def drawn(seed: int) -> list[dict[str, Any]]:
    """The rows that stay, each with a `drawn` rating and the `true` score that it was drawn from."""
    rows, true = true_rows()
    rated = rate(true, np.random.default_rng(seed))
    return [
        {**row, "ratings": {"drawn": int(one), "true": int(other)}}
        for row, one, other in zip(rows, rated, true, strict=True)
    ]


def true_rows() -> tuple[list[dict[str, Any]], NDArray[np.int64]]:
    """The rows that stay, without ratings, and their true scores (N,)."""
    rows = [row for row in map(json.loads, POOL.read_text("utf-8").splitlines()) if row.get("ratings")]
    texts = [plain_text(tuple(Turn(**turn) for turn in row["messages"])) for row in rows]
    vectors = open_encoder("embedded").encode(texts).astype(np.float64)
    regions = KMeans(REGIONS, n_init=4, random_state=3).fit_predict(vectors)
    kept = _amid_their_own(vectors, regions)
    ratings = np.array([row["ratings"][RATER] for row in rows])[kept]
    found = [{name: rows[at][name] for name in ("id", "source", "messages")} for at in kept]
    return found, _true_scores(regions[kept], ratings)


def transition() -> NDArray[np.float64]:
    """T of the rater that is drawn, (6, 6): T[i, j] = P(rated j | true i)."""
    true, rated = np.mgrid[:NUM_SCORES, :NUM_SCORES]
    errors = (abs(true - rated) == 1).astype(np.float64)
    mixed: NDArray[np.float64] = (1 - ERRORS) * np.eye(NUM_SCORES) + ERRORS * errors / errors.sum(
        axis=1, keepdims=True
    )
    return mixed


def rate(true: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """One rating of each row, drawn by T."""
    beyond = rng.random(len(true))[:, None] > np.cumsum(transition()[true], axis=1)
    rated: NDArray[np.int64] = beyond[:, :-1].sum(axis=1)
    return rated


def _amid_their_own(vectors: NDArray[np.float64], regions: NDArray[np.int32]) -> NDArray[np.int64]:
    """Rows whose nearest are of their region, counted among the rows that stay."""
    kept = np.arange(len(vectors))
    while True:
        nearest = nearest_neighbours(vectors[kept], NEAREST).indices
        own = (regions[kept][nearest] == regions[kept][:, None]).sum(axis=1) >= OWN
        if own.all():
            return kept
        kept = kept[own]


def _true_scores(regions: NDArray[np.int32], ratings: NDArray[np.int64]) -> NDArray[np.int64]:
    """One score a region, by their mean real rating, so that each score has about a sixth of the rows."""
    names, sizes = np.unique(regions, return_counts=True)
    order = np.argsort([ratings[regions == name].mean() for name in names])
    middles = np.cumsum(sizes[order]) - sizes[order] / 2
    scores = dict(zip(names[order], (NUM_SCORES * middles / sizes.sum()).astype(int), strict=True))
    return np.array([scores[region] for region in regions])


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in drawn(given.seed))
    given.out.write_text("".join(lines), "utf-8")


if __name__ == "__main__":
    main()
