"""What a stage is, and when it has to run again.

A stage declares itself: one `Stage` in its own file, and one line in `pipeline/stages/order.py`. Everything
that lists, runs, explains or proves stages goes by these objects.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import Field, ValidationError

from ...checkpoints.store import TableName
from ...records.books import Books
from ...records.errors import RunFolderError
from ...records.hashing import tagged_hash
from ...records.lines import Line
from ...records.stages import StageMark
from ...records.stored import Stored
from .run_folder import Run
from .settings import Part

# partial: done as far as a narrower scope went; what follows may use it, and the same command goes on
State: TypeAlias = Literal["done", "partial", "stale", "pending"]
USABLE: tuple[State, ...] = ("done", "partial")


class Findings(Stored):
    """What a stage found, as its mark keeps it and its command prints it."""

    why: dict[str, str] = Field(default={}, description="by kind of failure, the first reason in full")


F = TypeVar("F", bound=Findings)


@dataclass(frozen=True)
class Result(Generic[F]):
    """What a stage leaves besides its records."""

    books: Books
    findings: F


def _always(run: Run) -> bool:
    return True


def _none(run: Run) -> tuple[str, ...]:
    return ()


def _fits(run: Run) -> None:
    """Nothing to check."""


def _nothing_lost(run: Run) -> Iterator[str]:
    return iter(())


@dataclass(frozen=True)
class Stage(Generic[F]):
    """One stage of a run."""

    name: str
    does: str
    """In the imperative, without a full stop: it becomes the help of the stage's command."""
    example: str
    """A command line."""
    settings: type[Part]
    """What shapes its results: it is stale when one of these changes."""
    findings: type[F]
    lines: Callable[[F], Iterator[Line]]
    """How its findings are printed."""
    work: Callable[[Run], Awaitable[Result[F]]]
    so_far: Callable[[Run], Books]
    """The books as they stand while it has not ended."""
    reads: tuple[str, ...] = ()
    """The stages whose tables it reads."""
    tables: tuple[TableName, ...] = ()
    """The tables that it leaves; their whole content is what its mark vouches for."""
    asks: bool = False
    """It asks the model, and failed items may be taken up again."""
    heeds: tuple[str, ...] = ()
    """Settings beside its own that its command takes, such as where its output goes."""
    scope: tuple[str, ...] = ()
    """Fields of Scope that its command takes."""
    check: Callable[[Run], None] = _fits
    """Raise UsageError where its settings do not fit what is there; asked before anything changes."""
    idle: Callable[[Run], tuple[str, ...]] = _none
    """The settings that shape nothing in this run, such as the model where no model is asked."""
    left: Callable[[Run], bool] = _always
    """Whether some of what an earlier command left pending is in the scope of this one."""
    intact: Callable[[Run], bool] = _always
    """Whether the files outside the store that it reads from or has left are as they were."""
    missing: Callable[[Run], Iterator[str]] = _nothing_lost
    """What is wrong with the files that it has left, a line each."""
    listed: str = ""
    """The commands that list what failed."""
    rejects: bool = False
    """Items that it rejects are the user's to look at: its command ends with exit code 3."""

    def findings_of(self, mark: StageMark) -> F:
        """The findings that a mark keeps; RunFolderError where they are not of this stage."""
        try:
            return self.findings.model_validate(mark.findings)
        except ValidationError as error:
            message = f"the findings of {self.name} cannot be read: {str(error).splitlines()[0]}"
            raise RunFolderError(message, "the run was damaged or changed: restore a copy of it") from error


AnyStage: TypeAlias = Stage[Any]
Stages: TypeAlias = Sequence[AnyStage]


@dataclass(frozen=True)
class StageEnd:
    """How a stage's command ended: whether it ran or was up to date, and its mark."""

    stage: AnyStage
    ran: bool
    mark: StageMark

    @property
    def findings(self) -> Findings:
        """What it found, now or when it ran last."""
        found: Findings = self.stage.findings_of(self.mark)
        return found


def stages_read(run: Run, stage: AnyStage) -> list[AnyStage]:
    """The stages whose tables a stage reads."""
    return [other for other in run.stages if other.name in stage.reads]


async def run_stage(run: Run, stage: AnyStage) -> StageEnd:
    """Bring one stage up to date; those before it must be.

    Nothing is done when inputs and settings have not changed, unless failed items are to be taken up again,
    or some were beyond the scope of an earlier command.
    """
    for before in stages_read(run, stage):
        if state_of(run, before) not in USABLE:
            what = f"stage {before.name} has not been run on its present inputs and settings"
            message = f"entp {stage.name}: {what}"
            remedy = f"run entp {before.name} --run {run.folder} first, or entp run for all"
            raise RunFolderError(message, remedy)
    mark = run.store.marks.get(stage.name)
    if mark and not goes_on(run, stage, mark) and _is_current(run, stage, mark):
        return StageEnd(stage, ran=False, mark=mark)
    stage.check(run)
    inputs = _inputs(run, stage)
    run.store.marks.remove(stage.name)
    result = await stage.work(run)
    fresh = StageMark(
        name=stage.name,
        inputs=inputs,
        settings=_settings(run, stage),
        outputs=run.store.digest(stage.tables),
        books=result.books,
        findings=result.findings.model_dump(mode="json"),
    )
    return StageEnd(stage, ran=True, mark=run.store.marks.put(fresh))


def state_of(run: Run, stage: AnyStage) -> State:
    """Whether a stage is done, done in part, has to run again, or has not run yet.

    It has to run again as well where a stage that it reads has to.
    """
    mark = run.store.marks.get(stage.name)
    if mark is None:
        return "pending"
    before = [state_of(run, other) for other in stages_read(run, stage)]
    if any(state not in USABLE for state in before) or not _is_current(run, stage, mark):
        return "stale"
    return "partial" if mark.books.pending or "partial" in before else "done"


def goes_on(run: Run, stage: AnyStage, mark: StageMark) -> bool:
    """Whether a finished stage has more to do in the scope of this command."""
    if stage.asks and run.scope.retry_failed and mark.books.failed:
        return True
    return bool(mark.books.pending) and stage.left(run)


def _is_current(run: Run, stage: AnyStage, mark: StageMark) -> bool:
    same = mark.inputs == _inputs(run, stage) and mark.settings == _settings(run, stage)
    return same and stage.intact(run)


def _inputs(run: Run, stage: AnyStage) -> str:
    marks = [run.store.marks.get(name) for name in stage.reads]
    return tagged_hash("inputs", [mark.outputs if mark else "" for mark in marks])


def _settings(run: Run, stage: AnyStage) -> str:
    values = run.settings.of(stage.settings).model_dump(mode="json", exclude=set(stage.idle(run)))
    return tagged_hash("settings", values)


def shown(path: Path | str) -> str:
    """A path as a message shows it: relative where it lies below the working folder."""
    absolute = Path(path).absolute()
    return str(absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute)
