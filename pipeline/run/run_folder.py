"""A run folder: opening it, locking it, and what the stages share."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...checkpoints.sqlite.ledger_schema import LEDGER
from ...checkpoints.sqlite.migrations import open_database, store_error
from ...checkpoints.sqlite.run_schema import RUN
from ...checkpoints.sqlite.run_store import RunStore
from ...providers.gate import Gate
from ...records.errors import RunFolderError, UsageError
from .progress import Progress, Quiet
from .settings import Settings

CHECKPOINTS_FILE = "checkpoints.db"

# what reading the contents of a foreign or damaged file raises
_FOREIGN = (json.JSONDecodeError, UnicodeDecodeError, ValidationError)
_SHOWN = 200


@dataclass(frozen=True)
class Run:
    """An open run: its folder, tables, settings, and where progress goes.

    `key` opens the model's server; no call starts once `gate` is closed. `before` is what was stored before
    this command changed settings; None in a new run.
    """

    folder: Path
    store: RunStore
    settings: Settings
    progress: Progress
    key: str | None = field(default=None, repr=False)
    before: Settings | None = None
    gate: Gate = field(default_factory=Gate)


@contextmanager
def open_run(
    folder: Path,
    changes: Mapping[str, Any] | None = None,
    *,
    progress: Progress | None = None,
    key: str | None = None,
    create: bool = False,
    retry_failed: bool = False,
    empty: Sequence[str] = (),
) -> Iterator[Run]:
    """Open a run for work: one process at a time. `changes` are settings to change and to store.

    `retry_failed` lets failed items begin once more. A record in one of the tables `empty` is a UsageError.

    Raises RunFolderError where there is no run (unless `create`), where it cannot be written, where another
    process works on it, or where the encoder would change under existing embeddings.
    """
    if create:
        _make(folder)
    elif not (folder / RUN.file).exists():
        message = f"{folder} holds no run"
        raise RunFolderError(message, "start one with entp load POOL --run DIR, or entp run POOL --run DIR")
    with _locked(folder), RunStore(folder) as store:
        _refuse_records(folder, store, empty)
        stored = Settings().changed(store.settings())
        again = {"tries": stored.tries + 1} if retry_failed else {}
        settings = stored.changed({**(changes or {}), **again})
        if settings.encoder != stored.encoder and store.mark("embed"):
            message = f"{folder} was embedded with {stored.encoder}, now asked for {settings.encoder}"
            raise RunFolderError(message, "cosines of two encoders cannot be mixed: use another run folder")
        if settings.ledger and settings.ledger != stored.ledger:
            open_database(settings.ledger, LEDGER).close()
        before = stored if store.settings() else None
        if settings != before:
            store.set_settings(settings.model_dump(mode="json"))
        yield Run(folder, store, settings, progress or Quiet(), key, before)


@contextmanager
def look_at_run(folder: Path, progress: Progress | None = None) -> Iterator[Run]:
    """Open a run for reading, also while another process works on it."""
    if not (folder / RUN.file).exists():
        message = f"{folder} holds no run"
        raise RunFolderError(message, "name a folder that entp run or entp load has made")
    with RunStore(folder) as store:
        try:
            yield Run(folder, store, Settings().changed(store.settings()), progress or Quiet())
        except sqlite3.Error as error:
            raise store_error(folder / RUN.file, "reading", error) from error
        except _FOREIGN as error:
            message = f"{folder / RUN.file} holds what ENTP has not written: {str(error)[:_SHOWN]}"
            raise RunFolderError(message, "it was damaged or changed: restore a copy of it") from error


def ledger_path(run: Run) -> Path:
    """Where a run's calls are recorded: a file of the run folder, unless another ledger is set.

    Several runs may share a ledger, at the same time too: each is answered by what all have recorded.
    Two that ask the same at the same moment may both pay, since neither finds the other's reply; both go on
    with the one that was recorded first.
    """
    return Path(run.settings.ledger) if run.settings.ledger else run.folder / LEDGER.file


def _refuse_records(folder: Path, store: RunStore, empty: Sequence[str]) -> None:
    found = {table: store.count(table) for table in empty}
    if any(found.values()):
        held = ", ".join(f"{number:,} {table}" for table, number in found.items() if number)
        message = f"{folder} has been begun: it holds {held}"
        raise UsageError(message, "choose another folder with --run, or go on with --resume if-possible")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"run folder {folder} cannot be made: {error.strerror}"
        raise RunFolderError(message, "choose a folder that you can write to with --run") from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the kernel lets go of it when the process ends, however it ends."""
    path = folder / "run.lock"
    try:
        lock = path.open("a+")
    except OSError as error:
        message = f"run folder {folder} cannot be written: {error.strerror}"
        raise RunFolderError(message, "choose a folder that you can write to with --run") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            message = f"{folder} is in use by process {holder}"
            raise RunFolderError(message, "wait until it ends, or stop it, and try again") from error
        try:
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
        except OSError as error:
            message = f"{path} cannot be written: {error.strerror}"
            raise RunFolderError(message, "free some space on that disk and run again") from error
        yield
