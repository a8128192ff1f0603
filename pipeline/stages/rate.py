"""Rate: each row's overall rating, from the pool where it brings one, else from the model (Section 3.1).

Some rows are rated a second time where an audit is asked for.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np

from ...nodes.ask import Model
from ...nodes.rating import rate_row
from ...records.books import Books
from ...records.conversation import from_json
from ...records.errors import ModelError, UsageError
from ...selection import scale_ratings
from ..run.crowd import for_each
from ..run.run_folder import Run
from ..run.stage import Result
from ..run.wiring import open_model
from .audit import audit, audit_report

MODEL = "model"


async def rate(run: Run) -> Result:
    """Fill `ratings`. A row without a usable rating is kept as unrated with the reason, never scored."""
    rater = chosen_rater(run)
    scale = "0-5" if rater == MODEL else scale_of(run, rater, run.settings.rating_scale)
    with run.store.transaction():
        run.store.replace("audits", ())
        run.store.replace("ratings", _from_pool(run, rater, scale))
    waiting = list(
        run.store.query(
            "SELECT id, turns FROM rows WHERE id NOT IN (SELECT row_id FROM ratings) ORDER BY position"
        )
    )
    spent: dict[str, int] = {}
    if waiting or run.settings.audit:
        async with open_model(run) as opened:
            await _ask_model(run, waiting, opened.model)
            if run.settings.audit:
                await audit(run, opened.model)
            spent = vars(opened.counts)
    return _result(run, rater, scale, spent)


def chosen_rater(run: Run) -> str:
    """The pool's rater that counts, or MODEL; several without a choice are a UsageError."""
    records = run.store.query("SELECT DISTINCT key FROM rows, json_each(rows.pool_ratings) ORDER BY key")
    raters = [record["key"] for record in records]
    wanted = run.settings.rater
    if wanted and wanted != MODEL and wanted not in raters:
        message = f"the pool has no rater {wanted!r} (it has {', '.join(raters) or 'none'})"
        raise UsageError(message, "choose one of these with --rater, or --rater model")
    if not wanted and len(raters) > 1:
        message = f"the pool has ratings of {len(raters)} raters: {', '.join(raters)}"
        raise UsageError(message, "choose one with --rater NAME, or --rater model to ask the model")
    return wanted or (raters[0] if raters else MODEL)


def scale_of(run: Run, rater: str, scale: Literal["auto", "0-5", "1-10"]) -> Literal["0-5", "1-10"]:
    """The scale of a rater's numbers in the pool: as told, else 1-10 where any is above 5.

    Numbers that fit no scale, or a zero beside numbers above 5, are a UsageError.
    """
    sql = "SELECT min(value) AS low, max(value) AS high FROM rows, json_each(rows.pool_ratings) WHERE key = ?"
    found = run.store.one(sql, rater) or {}
    low, high = found["low"], found["high"]
    if scale == "auto":
        scale = "1-10" if high > 5 else "0-5"
    least, most = (0, 5) if scale == "0-5" else (1, 10)
    if low < least or high > most:
        message = f"ratings of {rater} run from {low} to {high}, which is no {scale} scale"
        raise UsageError(message, "mend the pool's ratings, or set --rating-scale")
    return scale


def _from_pool(run: Run, rater: str, scale: str) -> Iterator[dict[str, Any]]:
    if rater == MODEL:
        return
    for record in run.store.query("SELECT id, pool_ratings FROM rows ORDER BY position"):
        value = json.loads(record["pool_ratings"]).get(rater)
        if value is not None:
            rating = value if scale == "1-10" else None
            score = int(scale_ratings(np.array([value]))[0]) if scale == "1-10" else value
            yield _record(record["id"], rater, "pool", rating=rating, score=score)


async def _ask_model(run: Run, waiting: list[dict[str, Any]], model: Model) -> None:
    name = model.chat.identity["model"]
    with run.progress.task(f"rating with {name}", len(waiting)) as done:

        async def rate_one(row: dict[str, Any]) -> None:
            try:
                asked = await rate_row(from_json(json.loads(row["turns"])), model)
            except ModelError as error:
                if error.stops_run:
                    raise
                reason = f"{type(error).__name__}: {error}"
                record = _record(row["id"], name, "model", reason=reason, raw=error.raw)
            else:
                rating = asked.reply.overall
                criteria = asked.reply.model_dump(exclude={"declined", "overall"})
                score = int(scale_ratings(np.array([rating]))[0])
                record = _record(row["id"], name, "model", rating=rating, score=score, criteria=criteria)
            run.store.insert("ratings", [record])
            done(1)

        await for_each(waiting, rate_one, workers=run.settings.concurrency)


def _record(row_id: str, rater: str, origin: str, **found: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"rating": None, "score": None, "criteria": {}, "reason": "", "raw": ""}
    return {"row_id": row_id, "rater": rater, "origin": origin} | empty | found


def _result(run: Run, rater: str, scale: str, spent: dict[str, int]) -> Result:
    scored = run.store.count("ratings", "score IS NOT NULL")
    audited = run.store.count("audits", "score IS NOT NULL")
    failures = [*_failures(run, "ratings"), *_failures(run, "audits", "second rating, ")]
    books = Books(
        unit="ratings" if run.settings.audit else "rows",
        inputs=run.store.count("rows") + run.store.count("audits"),
        outputs=scored + audited,
        failed=by_kind(failures),
    )
    distribution = run.store.query(
        "SELECT score, count(*) AS n FROM ratings WHERE score IS NOT NULL GROUP BY score ORDER BY score"
    )
    report = {
        "rater": rater,
        "scale": scale,
        "from_pool": run.store.count("ratings", "origin = 'pool'"),
        "from_model": run.store.count("ratings", "origin = 'model' AND score IS NOT NULL"),
        "unrated": run.store.count("ratings", "score IS NULL"),
        "audit": audit_report(run) if run.settings.audit else None,
        "why": first_of_each_kind(failures),
        "spent": spent,
        "scores": {str(record["score"]): record["n"] for record in distribution},
    }
    return Result(books, report)


def _failures(run: Run, table: str, kind: str = "") -> list[str]:
    found = run.store.query(f"SELECT reason FROM {table} WHERE score IS NULL ORDER BY row_id")
    return [kind + record["reason"] for record in found]


def by_kind(reasons: Iterable[str]) -> dict[str, int]:
    """Failures counted by the kind of error, which stands before the colon of its reason."""
    return dict(sorted(Counter(reason.split(":")[0] for reason in reasons).items()))


def first_of_each_kind(reasons: Iterable[str]) -> dict[str, str]:
    """By the kind of error, the first reason in full."""
    first: dict[str, str] = {}
    for reason in reasons:
        first.setdefault(reason.split(":")[0], reason)
    return first
