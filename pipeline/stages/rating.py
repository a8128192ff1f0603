"""The ratings of a run: those of the pool, those of the model, and second ones of a random slice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import numpy as np

from ...checkpoints.tables import Ratings
from ...nodes.ask import Asked, Model
from ...nodes.rating import rate_row, rate_row_again
from ...nodes.replies import Rating, SecondRating
from ...records.conversation import Conversation
from ...records.errors import ModelError, UsageError
from ...records.hashing import tagged_hash
from ...records.ratings import RowRating
from ...records.rows import StoredRow
from ...selection import agreement, scale_ratings
from ..run.crowd import for_each
from ..run.run_folder import Run
from ..run.settings import Asking
from ..run.stage import Result
from ..run.wiring import OpenModel, open_model
from .rate import (
    MODEL,
    AuditFindings,
    RateFindings,
    RateSettings,
    books,
    chosen_rater,
    chosen_scale,
    failures,
    first_of_each_kind,
)
from .spending import Spent

Rate = Callable[[Conversation, Model], Awaitable[Asked[Rating] | Asked[SecondRating]]]


async def rate(run: Run) -> Result[RateFindings]:
    """Fill `ratings` and `audits`.

    A row without a usable rating is kept as unrated with the reason, never scored.
    """
    store, settings = run.store, run.settings.of(RateSettings)
    rater, scale = chosen_rater(run), chosen_scale(run)
    tries = _tries_of(run, store.ratings), _tries_of(run, store.audits)
    with store.transaction():
        store.audits.replace(())
        store.ratings.replace(_from_pool(run, rater, scale))
    waiting = list(store.rows.unrated())
    spent = Spent()
    if waiting or settings.audit:
        async with open_model(run, "rate") as opened:
            first = partial(rate_row, rubric=settings.rubric)
            await _ask(run, opened, waiting, first, store.ratings, tries[0], "rating with")
            if settings.audit:
                drawn = _drawn(run, opened.name)
                await _ask(run, opened, drawn, rate_row_again, store.audits, tries[1], "rating again with")
            spent = Spent(**vars(opened.counts))
    return Result(books(run), _findings(run, rater, scale, spent))


def _tries_of(run: Run, table: Ratings) -> dict[str, int]:
    """How often each rating that failed may begin: once more than before where that is asked for."""
    more = 1 if run.scope.retry_failed else 0
    return {failed.row_id: failed.tries + more for failed in table.failures()}


def _from_pool(run: Run, rater: str, scale: str) -> Iterator[RowRating]:
    if rater == MODEL:
        return
    for row in run.store.rows.all():
        value = row.ratings.get(rater)
        if value is not None:
            rating = value if scale == "1-10" else None
            score = _score(value) if scale == "1-10" else value
            yield RowRating(row_id=row.id, rater=rater, origin="pool", rating=rating, score=score)


def _score(rating: int) -> int:
    return int(scale_ratings(np.array([rating]))[0])


async def _ask(
    run: Run,
    opened: OpenModel,
    rows: list[StoredRow],
    rate: Rate,
    table: Ratings,
    tries: dict[str, int],
    doing: str,
) -> None:
    """Rate rows by the model; a failure is kept with its reason, unless every further call would fail too."""
    with run.progress.task(f"{doing} {opened.name}", len(rows)) as done:

        async def rate_one(row: StoredRow) -> None:
            begun = tries.get(row.id, 1)
            rating = RowRating(row_id=row.id, rater=opened.name, tries=begun)
            try:
                asked = await rate(row.turns, opened.model.begun(begun))
            except ModelError as error:
                if error.stops_run:
                    raise
                found = {"reason": f"{type(error).__name__}: {error}", "raw": error.raw or None}
                rating = rating.model_copy(update=found)
            else:
                overall = asked.reply.overall
                criteria = asked.reply.model_dump(exclude={"overall"})
                given = {"rating": overall, "score": _score(overall), "criteria": criteria}
                rating = rating.model_copy(update=given)
            table.put([rating])
            done(1)

        await for_each(rows, rate_one, workers=run.settings.of(Asking).items_at_work)


def _drawn(run: Run, name: str) -> list[StoredRow]:
    """The rows to rate a second time: drawn by id and seed, so that a larger audit holds the smaller one.

    Raises UsageError where this model has rated none: another rater says nothing about how often the first
    one contradicts itself.
    """
    settings = run.settings.of(RateSettings)
    rows = list(run.store.rows.rated_by(name))
    if not rows and not run.store.ratings.tally().from_model:
        raters = ", ".join(run.store.ratings.raters())
        message = f"--audit: the rows were rated by {raters}, the model asked is {name}"
        remedy = "an audit needs the same rater twice: name the same model, or set --rater model"
        raise UsageError(message, remedy)
    rows.sort(key=lambda row: tagged_hash("audit", [settings.seed, row.id]))
    return rows[: settings.audit]


def _findings(run: Run, rater: str, scale: str, spent: Spent) -> RateFindings:
    tally, wanted = run.store.ratings.tally(), run.settings.of(RateSettings).audit
    return RateFindings(
        rater=rater,
        scale=scale,
        from_pool=tally.from_pool,
        from_model=tally.from_model,
        unrated=tally.unrated,
        audit=_audit_findings(run, wanted) if wanted else None,
        why=first_of_each_kind(failures(run)),
        spent=spent,
        scores=tally.scores,
    )


def _audit_findings(run: Run, wanted: int) -> AuditFindings:
    scores = run.store.audits.beside_first()
    if not scores:
        return AuditFindings(wanted=wanted, audited=0)
    found = agreement(*np.array(scores).T)
    return AuditFindings(
        wanted=wanted,
        audited=len(scores),
        rated_alike=round(found.exact, 4),
        kappa=round(found.kappa, 4),
    )
