"""ENTP from Python: the whole job, each stage, and what a run holds.

    from entp import api

    api.run(["pool.jsonl"], "runs/first", {"model": "gpt-4o-mini", "similarity": 0.85})
    with api.open_run("runs/first") as run:
        print(run.status().balanced)
        training = run.data_set("hq+entp")  # a datasets.Dataset

Settings go by the names of the command line's options, with underscores. The command line is made of these
functions. Every one of them raises an EntpError, whose text says what went wrong and what to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from .pipeline.run.progress import Progress, Quiet
from .pipeline.run.run_folder import Run
from .pipeline.run.settings import WHOLE, Scope
from .pipeline.run.stage import Findings, StageEnd
from .pipeline.stages import order
from .pipeline.views.show import Story, show
from .pipeline.views.status import Status, status
from .records.datasets import DataSetRow
from .records.errors import UsageError
from .records.fusions import FusedRow, Fusion
from .records.listings import ListedDataSet
from .records.pairs import Pair
from .records.ratings import RowRating, Score
from .records.rows import StoredRow

if TYPE_CHECKING:
    import datasets

    from .nodes.ask import ChatModel
    from .pipeline.ahead.job import Plan
    from .pipeline.ahead.resume import Resume

__all__ = [
    "Host",
    "OpenRun",
    "blend",
    "bring_up_to_date",
    "embed",
    "export",
    "fuse",
    "load",
    "open_run",
    "plan",
    "plan_fusions",
    "rate",
    "run",
    "score",
    "select",
]

T = TypeVar("T")
Folder: TypeAlias = str | Path
Settings: TypeAlias = Mapping[str, Any]
_NO_SETTINGS: Settings = {}


class Runner(Protocol):
    """What drives the work on a run to its end, as asyncio.run does."""

    def __call__(self, run: Run, work: Coroutine[Any, Any, T], /) -> T:
        """The result of the work."""


def _alone(run: Run, work: Coroutine[Any, Any, T], /) -> T:
    return asyncio.run(work)


@dataclass(frozen=True)
class Host:
    """The program around a run. `chat` answers in place of the model; the settings then give its name."""

    progress: Progress = field(default_factory=Quiet)
    key: str | None = field(default=None, repr=False)
    runner: Runner = _alone
    chat: ChatModel | None = None


ALONE = Host()
"""A program of its own: no progress, no key."""


def _nobody(end: StageEnd) -> None:
    """Ignore a stage's end."""


def run(
    pool: Iterable[Folder],
    folder: Folder,
    settings: Settings = _NO_SETTINGS,
    *,
    scope: Scope = WHOLE,
    resume: Resume = "if-possible",
    on_end: Callable[[StageEnd], None] = _nobody,
    host: Host = ALONE,
) -> Status:
    """Do the whole job: bring every stage of a run up to date, and say where it stands.

    Without `pool` the run's own is taken. The same call again goes on where it was.
    """
    from .pipeline.ahead.job import run_all
    from .pipeline.run.wiring import resolved_model

    with _opened(folder, _with_pool(pool, settings), scope, host, "run", resume, create=True) as opened:
        resolved_model(opened.settings, host.key)  # wrong use is said before any work is done
        host.runner(opened, run_all(opened, on_end, resume=resume))
        return status(opened)


def bring_up_to_date(
    name: str,
    folder: Folder,
    settings: Settings = _NO_SETTINGS,
    *,
    pool: Iterable[Folder] = (),
    scope: Scope = WHOLE,
    resume: Resume = "if-possible",
    host: Host = ALONE,
) -> StageEnd:
    """Run one stage, unless it is up to date; the stages that it reads must be."""
    from .pipeline.ahead import job

    stage, changes = order.stage_named(name), _with_pool(pool, settings)
    with _opened(folder, changes, scope, host, name, resume, create=not stage.reads) as opened:
        return host.runner(opened, job.bring_up_to_date(opened, stage, resume=resume))


def plan(
    pool: Iterable[Folder],
    folder: Folder,
    settings: Settings = _NO_SETTINGS,
    *,
    scope: Scope = WHOLE,
    on_end: Callable[[StageEnd], None] = _nobody,
    host: Host = ALONE,
) -> Plan:
    """Run the stages that ask no model, and say how many calls the others would make.

    Settings that are given are not stored, unless the run is new.
    """
    from .pipeline.ahead import job

    changes, progress = _with_pool(pool, settings), host.progress
    with order.open_run(
        Path(folder), changes, scope=scope, progress=progress, create=True, keep_settings=False
    ) as opened:
        return host.runner(opened, job.plan(opened, on_end))


def plan_fusions(
    folder: Folder, settings: Settings = _NO_SETTINGS, *, scope: Scope = WHOLE, host: Host = ALONE
) -> Plan:
    """How many calls the planned pairs would take; nothing is written, and no stage is run."""
    from .pipeline.ahead import job

    with order.look_at_run(Path(folder), settings, host.progress, scope=scope) as opened:
        return job.fusion_plan(opened)


@contextmanager
def _opened(
    folder: Folder, changes: Settings, scope: Scope, host: Host, command: str, resume: Resume, *, create: bool
) -> Iterator[Run]:
    from .pipeline.ahead.resume import refuse_begun

    with order.open_run(
        Path(folder), changes, scope=scope, progress=host.progress, key=host.key, create=create
    ) as opened:
        if resume == "never":
            refuse_begun(opened, command)
        yield replace(opened, chat=host.chat)


def _with_pool(pool: Iterable[Folder], settings: Settings) -> Settings:
    """The settings with the whole paths of a pool, so that later calls may be made in another folder."""
    paths = tuple(str(Path(path).absolute()) for path in pool)
    return {**settings, "pool": paths} if paths else settings


class StageFunction(Protocol):
    """One stage as a function."""

    def __call__(
        self,
        folder: Folder,
        settings: Settings = _NO_SETTINGS,
        *,
        pool: Iterable[Folder] = (),
        scope: Scope = WHOLE,
        host: Host = ALONE,
    ) -> Findings:
        """Bring the stage up to date, unless it is, and give what it found."""


def _stage_function(name: str) -> StageFunction:
    def function(
        folder: Folder,
        settings: Settings = _NO_SETTINGS,
        *,
        pool: Iterable[Folder] = (),
        scope: Scope = WHOLE,
        host: Host = ALONE,
    ) -> Findings:
        return bring_up_to_date(name, folder, settings, pool=pool, scope=scope, host=host).findings

    function.__name__ = name
    function.__doc__ = f"Stage {name}: {order.stage_named(name).does}."
    return function


load, rate, embed, score = map(_stage_function, ("load", "rate", "embed", "score"))
select, fuse, blend, export = map(_stage_function, ("select", "fuse", "blend", "export"))


@dataclass(frozen=True)
class OpenRun:
    """A run opened for a look; nothing is written, and another process may work on it meanwhile."""

    _run: Run

    def status(self) -> Status:
        """The state and the books of each stage, and the settings."""
        return status(self._run)

    def show(self, wanted: str) -> Story:
        """All that is known of a row, a pair, a fused row or a fork."""
        return show(self._run, wanted)

    def verify(self) -> list[str]:
        """Everything that is wrong with the folder; an empty list proves that it is sound."""
        from .pipeline.views.verify import verify

        return verify(self._run)

    def rows(self) -> Iterator[StoredRow]:
        """The rows of the pool, in order."""
        return self._run.store.rows.all()

    def ratings(self) -> Iterator[RowRating]:
        """The ratings, by row."""
        return self._run.store.ratings.all()

    def scores(self) -> Iterator[Score]:
        """Scores as rated and as corrected, by row."""
        return self._run.store.scores.all()

    def pairs(self) -> Iterator[Pair]:
        """The pairs that are planned, in order."""
        return self._run.store.pairs.all()

    def fusions(self) -> Iterator[Fusion]:
        """The fusions, by id."""
        return self._run.store.fusions.all()

    def fused_rows(self) -> Iterator[FusedRow]:
        """The variants of all fusions, failed ones included, by id."""
        return self._run.store.fused_rows.all()

    def data_sets(self) -> list[ListedDataSet]:
        """The data sets that there are."""
        return self._run.store.data_sets.names()

    def data_set_rows(self, name: str) -> Iterator[DataSetRow]:
        """The rows of a data set with their text, in order; an unknown name is a UsageError."""
        names = [found.name for found in self.data_sets()]
        if name not in names:
            message = f"there is no data set {name!r} (there is {', '.join(names) or 'none'})"
            raise UsageError(message, f"make it with entp blend --sets {name} --run {self._run.folder}")
        return self._run.store.data_sets.rows(name)

    def data_set(self, name: str) -> datasets.Dataset:
        """A data set with the columns id, messages, kind and metadata; needs the extra `datasets`."""
        import datasets

        from .records.conversation import to_json

        rows = [
            {"id": row.member.id, "messages": to_json(row.turns), **row.facts.model_dump(mode="json")}
            for row in self.data_set_rows(name)
        ]
        return datasets.Dataset.from_list(rows)


@contextmanager
def open_run(folder: Folder) -> Iterator[OpenRun]:
    """Open a run for a look."""
    with order.look_at_run(Path(folder)) as opened:
        yield OpenRun(opened)
