"""A run folder: opening it for work or for a look, and what the stages share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...checkpoints import CHECKPOINTS_FILE, LEDGER_FILE, holds_run, open_ledger, open_store
from ...checkpoints.store import RunStore
from ...providers.admission import Admission
from ...records.errors import RunFolderError, UsageError
from .lock import locked
from .progress import Progress, Quiet
from .settings import WHOLE, Asking, Places, Scope, Settings, settings_of

if TYPE_CHECKING:
    from ...checkpoints.ledger import Ledger
    from ...nodes.ask import ChatModel
    from .stage import Stages


@dataclass(frozen=True)
class Run:
    """An open run: its folder, tables, stages, settings, the scope of this command, where progress goes.

    `key` opens the model's server; every request passes `admission`. `before` is what was stored before this
    command changed settings; None in a new run.
    """

    folder: Path
    store: RunStore
    stages: Stages
    settings: Settings
    scope: Scope = WHOLE
    progress: Progress = field(default_factory=Quiet)
    key: str | None = field(default=None, repr=False)
    before: Settings | None = None
    admission: Admission = field(default_factory=Admission)
    writable: bool = False
    """Opened for work, not for a look."""
    chat: ChatModel | None = None
    """What answers in place of the model that the settings name."""

    @property
    def checkpoints(self) -> Path:
        """The file of LangGraph's checkpoints."""
        return self.folder / CHECKPOINTS_FILE

    @property
    def ledger_path(self) -> Path:
        """Where calls are recorded: a file of the run folder, unless another ledger is set.

        Several runs may share a ledger, at the same time too: each is answered by what all have recorded.
        Two that ask the same at the same moment may both pay, since neither finds the other's reply; both go
        on with the one that was recorded first.
        """
        ledger = self.settings.of(Places).ledger
        return Path(ledger) if ledger else self.folder / LEDGER_FILE

    def open_ledger(self, *, read_only: bool = False) -> Ledger:
        """The ledger of the run's calls."""
        return open_ledger(self.ledger_path, read_only=read_only)


@contextmanager
def open_folder(
    folder: Path,
    stages: Stages,
    changes: Mapping[str, Any] | None = None,
    *,
    scope: Scope = WHOLE,
    progress: Progress | None = None,
    key: str | None = None,
    create: bool = False,
    keep_settings: bool = True,
) -> Iterator[Run]:
    """Open a run for work: one process at a time. `changes` are settings to change and to store.

    Changed settings are not stored with `keep_settings` False, nor where the block ends in a UsageError: a
    command that was wrong leaves the run as it was. A new run stores them in any case.

    Raises RunFolderError where there is no run (unless `create`), where it cannot be written, or where
    another process works on it.
    """
    if create:
        _make(folder)
    elif not holds_run(folder):
        message = f"{folder} does not hold a run"
        raise RunFolderError(message, "start one with entp load POOL --run DIR, or entp run POOL --run DIR")
    with locked(folder), open_store(folder, create=create) as store:
        stored = _stored(store, stages)
        before = stored if store.settings() else None
        settings = stored.changed(changes or {})
        _open_ledger_once(folder, settings, before)
        if keep_settings or before is None:
            store.set_settings(settings.whole())
        admission = Admission(settings.of(Asking).concurrency)
        try:
            yield Run(
                folder, store, stages, settings, scope, progress or Quiet(), key, before, admission, True
            )
        except UsageError:
            if before is not None:
                store.set_settings(before.whole())
            raise


@contextmanager
def look_at_folder(
    folder: Path,
    stages: Stages,
    changes: Mapping[str, Any] | None = None,
    *,
    scope: Scope = WHOLE,
    progress: Progress | None = None,
) -> Iterator[Run]:
    """Open a run for reading, also while another process works on it: nothing is written or migrated.

    `changes` are settings to look at it with.
    """
    if not holds_run(folder):
        message = f"{folder} does not hold a run"
        raise RunFolderError(message, "name a folder that entp run or entp load has made")
    with open_store(folder, read_only=True) as store:
        stored = _stored(store, stages)
        changed = stored.changed(changes or {})
        yield Run(folder, store, stages, changed, scope, progress or Quiet(), before=stored)


def _stored(store: RunStore, stages: Stages) -> Settings:
    return settings_of(store.settings(), (stage.settings for stage in stages))


def _open_ledger_once(folder: Path, settings: Settings, before: Settings | None) -> None:
    """Bring the ledger to the newest layout, since a look does not; refuse one that cannot be used."""
    named = settings.of(Places).ledger
    path = Path(named) if named else folder / LEDGER_FILE
    if path.exists() or (named and (before is None or before.of(Places).ledger != named)):
        open_ledger(path).close()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"run folder {folder} cannot be made: {error.strerror}"
        raise RunFolderError(message, "choose a folder that you can write to with --run") from error
