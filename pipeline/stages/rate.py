"""Rate: each row's overall rating, from the pool where it brings one, else from the model (Section 3.1).

Some rows are rated a second time where an audit is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Literal

from pydantic import Field

from ...records.books import Books
from ...records.errors import UsageError
from ...records.lines import Line, Table
from ...records.stored import Stored
from ...records.vocabulary import RatingScale, Rubric
from ..run.run_folder import Run
from ..run.settings import ModelSettings, Seeded
from ..run.stage import Findings, Result, Stage
from .spending import Spent

MODEL = "model"
SECOND = "second rating, "


class RateSettings(ModelSettings, Seeded):
    """Whose ratings count, and what they are made of."""

    rater: str | None = Field(
        default=None, description="which of the pool's raters counts; 'model' asks the model for every row"
    )
    rating_scale: Literal["auto"] | RatingScale = Field(
        default="auto", description="scale of the pool's own ratings"
    )
    rubric: Rubric = Field(
        default="levels",
        description="what the model rates by: levels says what a 4, a 6 and an 8 look like, ds2 gives a "
        "bare scale as DS2 does, to compare with published scores",
    )
    audit: int = Field(
        default=0, ge=0, description="rate so many random rows a second time, to know how the rater errs"
    )


class AuditFindings(Stored):
    """How many rows were rated twice, and how far the two ratings agree; None where there are none."""

    wanted: int
    audited: int
    rated_alike: float | None = None
    kappa: float | None = None


class RateFindings(Findings):
    """Whose ratings there are, and how they spread."""

    rater: str
    scale: str
    from_pool: int
    from_model: int
    unrated: int
    audit: AuditFindings | None
    spent: Spent
    scores: dict[int, int]


async def _work(run: Run) -> Result[RateFindings]:
    from .rating import rate

    return await rate(run)


def chosen_rater(run: Run) -> str:
    """The pool's rater that counts, or MODEL; several without a choice are a UsageError."""
    raters = run.store.rows.raters()
    wanted = run.settings.of(RateSettings).rater
    if wanted and wanted != MODEL and wanted not in raters:
        message = f"the pool has no rater {wanted!r} (it has {', '.join(raters) or 'none'})"
        raise UsageError(message, "choose one of these with --rater, or --rater model")
    if not wanted and len(raters) > 1:
        message = f"the pool has ratings of {len(raters)} raters: {', '.join(raters)}"
        raise UsageError(message, "choose one with --rater NAME, or --rater model to ask the model")
    return wanted or (raters[0] if raters else MODEL)


def scale_of(run: Run, rater: str, scale: Literal["auto"] | RatingScale) -> RatingScale:
    """The scale of a rater's numbers in the pool: as set, else 1-10 where any is above 5.

    Numbers that fit no scale, or a zero beside numbers above 5, are a UsageError.
    """
    found = run.store.rows.range_of(rater)
    if found is None:
        return "0-5"
    low, high = found
    if scale == "auto":
        scale = "1-10" if high > 5 else "0-5"
    least, most = (0, 5) if scale == "0-5" else (1, 10)
    if low < least or high > most:
        message = f"ratings of {rater} run from {low} to {high}, which does not fit a {scale} scale"
        raise UsageError(message, "fix the pool's ratings, or set --rating-scale")
    return scale


def chosen_scale(run: Run) -> RatingScale:
    """The scale of the chosen rater's numbers."""
    rater = chosen_rater(run)
    return "0-5" if rater == MODEL else scale_of(run, rater, run.settings.of(RateSettings).rating_scale)


def rows_to_rate(run: Run) -> int:
    """How many ratings the model would be asked for, second ones included."""
    rater, audit = chosen_rater(run), run.settings.of(RateSettings).audit
    rows = run.store.rows.count()
    return (rows if rater == MODEL else run.store.rows.lacking(rater)) + min(audit, rows)


def failures(run: Run) -> list[str]:
    """Why rows are unrated, and then why some were not rated a second time."""
    first = (failed.reason or "" for failed in run.store.ratings.failures())
    return [*first, *(f"{SECOND}{failed.reason}" for failed in run.store.audits.failures())]


def by_kind(reasons: Iterable[str]) -> dict[str, int]:
    """Failures counted by the kind of error, which stands before the colon of its reason."""
    return dict(sorted(Counter(reason.split(":")[0] for reason in reasons).items()))


def first_of_each_kind(reasons: Iterable[str]) -> dict[str, str]:
    """By the kind of error, the first reason in full."""
    first: dict[str, str] = {}
    for reason in reasons:
        first.setdefault(reason.split(":")[0], reason)
    return first


def books(run: Run) -> Books:
    """How many ratings are usable, how many failed, and how many are still to come."""
    store = run.store
    first, second, wanted = store.ratings.tally(), store.audits.tally(), run.settings.of(RateSettings).audit
    failed = by_kind(failures(run))
    inputs = store.rows.count() + store.audits.count()
    outputs = first.rated + second.rated
    return Books(
        unit="ratings" if wanted else "rows",
        inputs=inputs,
        outputs=outputs,
        failed=failed,
        pending=inputs - outputs - sum(failed.values()),
    )


def _idle(run: Run) -> tuple[str, ...]:
    """The model's settings, where the pool brings every rating: no other model changes one."""
    try:
        return () if rows_to_rate(run) else ("rubric", *ModelSettings.model_fields)
    except UsageError:  # no rater is chosen yet
        return ()


def _check(run: Run) -> None:
    chosen_scale(run)


def _lines(found: RateFindings) -> Iterator[Line]:
    yield f"rater {found.rater}: {found.from_pool} from the pool, {found.from_model} by the model"
    if found.audit:
        yield _audit_line(found.audit)
    yield from found.spent.lines()
    yield Table(("score", "rows"), list(found.scores.items()))


def _audit_line(found: AuditFindings) -> str:
    alike = ""
    if found.rated_alike is not None and found.kappa is not None:
        alike = f", {found.rated_alike:.0%} alike (kappa {found.kappa:.2f})"
    return f"{found.audited} of {found.wanted} rows wanted were rated a second time{alike}"


STAGE = Stage(
    name="rate",
    does="rate each row; the pool's own ratings count, the model is asked for the rest",
    example="entp rate --run runs/first --model gpt-4o-mini",
    settings=RateSettings,
    findings=RateFindings,
    lines=_lines,
    work=_work,
    so_far=books,
    reads=("load",),
    tables=("ratings", "audits"),
    asks=True,
    listed="entp list unrated",
    check=_check,
    idle=_idle,
)
