"""The stages of a run: what each reads, on which settings it depends, and when it has to run again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal, TypeAlias

from ...checkpoints.sqlite.run_store import StageMark
from ...records.books import Books
from ...records.errors import RunFolderError
from ...records.rows import canonical_json, tagged_hash
from .run_folder import Run

Report: TypeAlias = dict[str, Any]
State: TypeAlias = Literal["done", "stale", "pending"]


@dataclass(frozen=True)
class Result:
    """What a stage leaves besides its records: its books, and what its command prints."""

    books: Books
    report: Report = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """One stage. `reads` names the stages whose outputs it uses, `settings` the settings it depends on.

    `found` is the query of the records that it leaves behind. `intact` says whether the files that it read
    from or left outside the tables are as they were. `retries` says that failed items may be taken up again.
    """

    name: str
    does: str
    reads: tuple[str, ...]
    settings: tuple[str, ...]
    found: str
    work: Callable[[Run], Awaitable[Result]]
    intact: Callable[[Run], bool] = lambda run: True
    retries: bool = False


@dataclass(frozen=True)
class StageEnd:
    """How a stage's command ended: whether it ran or was up to date, and its mark."""

    stage: Stage
    ran: bool
    mark: StageMark


async def run_stage(
    run: Run, stage: Stage, stages: Iterable[Stage], *, retry_failed: bool = False
) -> StageEnd:
    """Bring one stage up to date; those before it must be.

    Nothing is done when inputs and settings have not changed, unless failed items are to be taken up again.
    """
    by_name = {each.name: each for each in stages}
    for name in stage.reads:
        if state_of(run, by_name[name]) != "done":
            message = f"entp {stage.name}: stage {name} has not been run on its present inputs and settings"
            raise RunFolderError(message, f"run entp {name} --run {run.folder} first, or entp run for all")
    mark = run.store.mark(stage.name)
    again = retry_failed and stage.retries and mark is not None and bool(mark.books.failed)
    if mark and not again and _is_current(run, stage, mark):
        return StageEnd(stage, ran=False, mark=mark)
    inputs = _inputs(run, stage)
    run.store.clear_mark(stage.name)
    result = await stage.work(run)
    fresh = StageMark(
        name=stage.name,
        inputs=inputs,
        settings=_settings(run, stage),
        outputs=outputs_of(run, stage),
        books=result.books,
        report=result.report,
    )
    run.store.set_mark(fresh)
    return StageEnd(stage, ran=True, mark=fresh)


def outputs_of(run: Run, stage: Stage) -> str:
    """The hash of the records that a stage has left behind."""
    return hash_of(run.store.query(stage.found))


def state_of(run: Run, stage: Stage) -> State:
    """Whether a stage is done, has to run again, or has not run yet."""
    mark = run.store.mark(stage.name)
    if mark is None:
        return "pending"
    return "done" if _is_current(run, stage, mark) else "stale"


def _is_current(run: Run, stage: Stage, mark: StageMark) -> bool:
    same = mark.inputs == _inputs(run, stage) and mark.settings == _settings(run, stage)
    return same and stage.intact(run)


def _inputs(run: Run, stage: Stage) -> str:
    marks = [run.store.mark(name) for name in stage.reads]
    return tagged_hash("inputs", [mark.outputs if mark else "" for mark in marks])


def _settings(run: Run, stage: Stage) -> str:
    values = run.settings.model_dump(mode="json", include=set(stage.settings))
    return tagged_hash("settings", values)


def hash_of(records: Iterable[Any]) -> str:
    """One hash of a stream of JSON values, in order."""
    digest = sha256()
    for record in records:
        digest.update(canonical_json(record).encode("utf-8", "surrogatepass"))
        digest.update(b"\n")
    return digest.hexdigest()
