"""Audit: a second, independent rating of a random slice of the rows, by the model that rated them first."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ...checkpoints.sqlite.run_store import Record
from ...nodes.ask import Model
from ...nodes.rating import rate_row_again
from ...records.conversation import from_json
from ...records.errors import ModelError, UsageError
from ...records.rows import tagged_hash
from ...selection import Audit, agreement, scale_ratings
from ..run.crowd import for_each
from ..run.run_folder import Run


async def audit(run: Run, model: Model) -> None:
    """Fill `audits` with second ratings of `settings.audit` rows that this model has rated.

    Raises UsageError where it has rated none: a second rater tells nothing about how often the first one
    contradicts itself.
    """
    name = model.chat.identity["model"]
    drawn = _drawn(run, name)
    with run.progress.task(f"rating again with {name}", len(drawn)) as done:

        async def rate_one(row: Record) -> None:
            found: dict[str, Any] = {"rating": None, "score": None, "criteria": {}, "reason": "", "raw": ""}
            try:
                asked = await rate_row_again(from_json(json.loads(row["turns"])), model)
            except ModelError as error:
                if error.stops_run:
                    raise
                found["reason"] = f"{type(error).__name__}: {error}"
                found["raw"] = error.raw
            else:
                found["rating"] = asked.reply.overall
                found["score"] = int(scale_ratings(np.array([asked.reply.overall]))[0])
                found["criteria"] = asked.reply.model_dump(exclude={"declined", "overall"})
            run.store.insert("audits", [{"row_id": row["id"], "rater": name, **found}])
            done(1)

        await for_each(drawn, rate_one, workers=run.settings.concurrency)


def audit_of(run: Run, row_ids: list[str]) -> Audit | None:
    """The second scores of the rows `row_ids`, by position in that list; None where there are none."""
    second = {
        record["row_id"]: record["score"]
        for record in run.store.query("SELECT row_id, score FROM audits WHERE score IS NOT NULL")
    }
    rows = [at for at, row_id in enumerate(row_ids) if row_id in second]
    if not rows:
        return None
    return Audit(rows=np.array(rows), scores=np.array([second[row_ids[at]] for at in rows]))


def audit_report(run: Run) -> dict[str, Any]:
    """How many rows were rated twice, and how far the two ratings agree."""
    scores = [
        (record["first"], record["second"])
        for record in run.store.query(
            "SELECT ratings.score AS first, audits.score AS second FROM audits JOIN ratings USING (row_id) "
            "WHERE audits.score IS NOT NULL AND ratings.score IS NOT NULL"
        )
    ]
    report: dict[str, Any] = {"wanted": run.settings.audit, "audited": len(scores)}
    if scores:
        first, second = np.array(scores).T
        found = agreement(first, second)
        report |= {"rated_alike": round(found.exact, 4), "kappa": round(found.kappa, 4)}
    return report


def _drawn(run: Run, name: str) -> list[Record]:
    """The rows to audit: drawn by id and seed, so that a larger audit holds the smaller one."""
    if not run.store.count("ratings", "origin = 'model'") and not _rated_by(run, name):
        raters = [record["rater"] for record in run.store.query("SELECT DISTINCT rater FROM ratings")]
        message = f"--audit: the rows were rated by {', '.join(raters)}, the model asked is {name}"
        remedy = "a second rater is no second rating: name the same model, or set --rater model"
        raise UsageError(message, remedy)
    rows = _rated_by(run, name)
    rows.sort(key=lambda row: tagged_hash("audit", [run.settings.seed, row["id"]]))
    return rows[: run.settings.audit]


def _rated_by(run: Run, name: str) -> list[Record]:
    sql = "SELECT id, turns FROM rows JOIN ratings ON row_id = id WHERE rater = ? AND score IS NOT NULL"
    return list(run.store.query(sql, name))
