"""Score: correct the noisy scores, part low from high quality, label content (Sections 3.1, C.1 and G)."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np

from ..records.books import Books
from ..records.conversation import from_json, plain_text
from ..records.errors import RunFolderError
from ..selection import (
    CorrectedScores,
    TransitionEstimate,
    content_class,
    correct_scores,
    estimate_transition,
    nearest_neighbours,
)
from .embed import embeddings
from .run_folder import Run
from .stages import Result, hash_of

EXAMPLES = 10


async def score(run: Run) -> Result:
    """Fill `scores` for every rated row."""
    rated = list(
        run.store.query(
            "SELECT id, position, turns, score FROM rows JOIN ratings ON row_id = id "
            "WHERE score IS NOT NULL ORDER BY position"
        )
    )
    if not rated:
        message = f"no row of {run.folder} has a usable rating"
        raise RunFolderError(message, "see entp status --run DIR, and entp rate --retry-failed")
    scores = np.array([row["score"] for row in rated])
    vectors = embeddings(run)[[row["position"] for row in rated]]
    with run.progress.task("looking for neighbours", None):
        found = nearest_neighbours(vectors, run.settings.neighbours)
    estimate = estimate_transition(
        scores, found, rng=np.random.default_rng(run.settings.seed), method=run.settings.correction
    )
    corrected = correct_scores(scores, found, estimate)
    records = [
        {
            "row_id": row["id"],
            "score": row["score"],
            "corrected": int(corrected.score[at]),
            "confidence": round(float(corrected.confidence[at]), 6),
            "quality": "LQ" if corrected.score[at] < run.settings.lq_below else "HQ",
            "content_class": content_class(plain_text(from_json(json.loads(row["turns"])))),
        }
        for at, row in enumerate(rated)
    ]
    with run.store.transaction():
        run.store.replace("scores", records)
    return _result(run, records, estimate, corrected)


def _result(
    run: Run, records: list[dict[str, Any]], estimate: TransitionEstimate, corrected: CorrectedScores
) -> Result:
    rows = run.store.count("rows")
    books = Books(
        inputs=rows,
        outputs=len(records),
        rejected={"unrated": rows - len(records)} if rows > len(records) else {},
    )
    moved = [record for record in records if record["score"] != record["corrected"]]
    flow = Counter((record["score"], record["corrected"]) for record in moved)
    report = {
        "transition": estimate.transition.round(4).tolist(),
        "prior": estimate.prior.round(4).tolist(),
        "method": estimate.method,
        "abstains": estimate.abstains,
        "neighbours_used": estimate.k,
        "predictive_gain": round(estimate.gain, 4),
        "entropy": round(estimate.entropy, 4),
        "flags": [{"name": flag.name, "sentence": flag.sentence} for flag in estimate.flags],
        "moved": len(moved),
        "flow": [{"from": old, "to": new, "rows": n} for (old, new), n in sorted(flow.items())],
        "examples": moved[:EXAMPLES],
        "mean_confidence": round(float(corrected.confidence.mean()), 4),
        "LQ": sum(record["quality"] == "LQ" for record in records),
        "HQ": sum(record["quality"] == "HQ" for record in records),
        "content_classes": dict(Counter(r["content_class"] for r in records if r["content_class"])),
    }
    return Result(hash_of(records), books, report)
