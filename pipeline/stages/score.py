"""Score: correct the noisy scores, part low from high quality, label content (Sections 3.1, C.1 and G)."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np

from ...checkpoints.sqlite.run_store import Record
from ...formats.content import content_class
from ...records.books import Books
from ...records.conversation import from_json, plain_text
from ...records.errors import RunFolderError, UsageError
from ...selection import (
    Audit,
    CorrectedScores,
    Neighbours,
    TransitionEstimate,
    correct_scores,
    estimate_transition,
    nearest_neighbours,
    row_features,
    text_lengths,
)
from ...selection.arrays import FloatArray, IntArray
from ..run.run_folder import Run
from ..run.stage import Result
from .audit import audit_of
from .embed import embeddings
from .raters import rater_agreement

EXAMPLES = 10
BEGINNING = 120


async def score(run: Run) -> Result:
    """Fill `scores` for every rated row.

    Rows are taken in the order of their ids, so that a pool in another order gives the same scores.
    """
    rated = _rated(run)
    scores = np.array([row["score"] for row in rated])
    vectors = embeddings(run)[[row["position"] for row in rated]]
    with run.progress.task("looking for neighbours", None):
        found = nearest_neighbours(vectors, run.settings.neighbours)
    turns = [from_json(json.loads(row["turns"])) for row in rated]
    lengths = text_lengths(turns)
    audit = audit_of(run, [row["id"] for row in rated])
    estimate = _estimate(run, scores, found, row_features(vectors, lengths), audit)
    corrected = correct_scores(scores, found, estimate)
    texts = [plain_text(said) for said in turns]
    records = [
        {
            "row_id": row["id"],
            "score": row["score"],
            "corrected": int(corrected.score[at]),
            "confidence": None if estimate.abstains else round(float(corrected.confidence[at]), 6),
            "quality": "LQ" if corrected.score[at] < run.settings.lq_below else "HQ",
            "content_class": content_class(texts[at]),
        }
        for at, row in enumerate(rated)
    ]
    with run.store.transaction():
        run.store.replace("scores", records)
    report = {
        **_report(records, estimate, corrected, texts),
        "audited": len(audit.rows) if audit else 0,
        "agreement": rater_agreement(run, scores, estimate, corrected, lengths),
    }
    return _result(run, records, report)


def _rated(run: Run) -> list[Record]:
    sql = (
        "SELECT id, position, turns, score FROM rows JOIN ratings ON row_id = id "
        "WHERE score IS NOT NULL ORDER BY id"
    )
    rated = list(run.store.query(sql))
    if not rated:
        message = f"no row of {run.folder} has a usable rating"
        raise RunFolderError(message, "see entp status --run DIR, and entp rate --retry-failed")
    return rated


def _estimate(
    run: Run, scores: IntArray, found: Neighbours, features: FloatArray, audit: Audit | None
) -> TransitionEstimate:
    method = run.settings.correction
    if method == "audited" and audit is None:
        message = "--correction audited needs second ratings, and there are none"
        raise UsageError(message, "make some with entp rate --audit N, or take another --correction")
    rng = np.random.default_rng(run.settings.seed)
    return estimate_transition(scores, found, rng=rng, method=method, features=features, audit=audit)


def _result(run: Run, records: list[dict[str, Any]], report: dict[str, Any]) -> Result:
    rows = run.store.count("rows")
    books = Books(
        inputs=rows,
        outputs=len(records),
        rejected={"unrated": rows - len(records)} if rows > len(records) else {},
    )
    return Result(books, report)


def _report(
    records: list[dict[str, Any]],
    estimate: TransitionEstimate,
    corrected: CorrectedScores,
    texts: list[str],
) -> dict[str, Any]:
    moved = [record for record in records if record["score"] != record["corrected"]]
    flow = Counter((record["score"], record["corrected"]) for record in moved)
    surest = sorted(
        (-record["confidence"], record["row_id"], at)
        for at, record in enumerate(records)
        if record["score"] != record["corrected"]
    )
    return {
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
        "examples": [records[at] | {"text": texts[at][:BEGINNING]} for *_, at in surest[:EXAMPLES]],
        "mean_confidence": None if estimate.abstains else round(float(corrected.confidence.mean()), 4),
        "LQ": sum(record["quality"] == "LQ" for record in records),
        "HQ": sum(record["quality"] == "HQ" for record in records),
        "content_classes": dict(Counter(r["content_class"] for r in records if r["content_class"])),
    }
