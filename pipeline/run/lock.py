"""The lock of a run folder: one process works on it at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ...records.errors import RunFolderError

LOCK_FILE = "run.lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the kernel lets go of it when the process ends, however it ends.

    The file holds the process's id. Raises RunFolderError where another process has the lock, and where the
    folder cannot be written.
    """
    path = folder / LOCK_FILE
    # a lock that is only a file's existence would outlast a process that is killed
    lock = FileLock(path, timeout=0, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        message = f"{folder} is in use by process {_holder(path)}"
        raise RunFolderError(message, "wait until it ends, or stop it, and try again") from error
    except OSError as error:
        message = f"run folder {folder} cannot be written: {error.strerror}"
        raise RunFolderError(message, "choose a folder that you can write to with --run") from error
    try:
        _sign(path)
        yield
    finally:
        lock.release()


def _sign(path: Path) -> None:
    try:
        path.write_text(str(os.getpid()), "ascii")
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}"
        raise RunFolderError(message, "free some space on that disk and run again") from error


def _holder(path: Path) -> str:
    try:
        return path.read_text("ascii", errors="replace").strip() or "unknown"
    except OSError:
        return "unknown"
