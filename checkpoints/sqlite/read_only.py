"""Looking at a file of SQLite without writing: no migration, no lock that a writer would wait for."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ...records.errors import RunFolderError
from .migrations import BUSY_TIMEOUT_S, Layout, error_code, store_error, version_of

_BRING_UP_TO_DATE = (
    "run any entp command that works on it, such as entp run --run DIR, to bring it up to date"
)
# what SQLite says where it cannot make the files that go with a write-ahead log
_NO_ROOM_BESIDE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


def open_read_only(path: Path, layout: Layout) -> sqlite3.Connection:
    """Open a file of the newest layout for reading, also while another process writes to it.

    In a folder that cannot be written, where nobody else can write to it either, the file is read alone.
    Raises RunFolderError for another layout, and where the file cannot be read.
    """
    try:
        return _checked(_connect(path, "mode=ro"), layout)
    except sqlite3.Error as error:
        if error_code(error) not in _NO_ROOM_BESIDE:
            raise store_error(path, "reading", error) from error
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        message = f"{path} cannot be read without its log {log.name}, and reading that log needs write access"
        raise RunFolderError(message, "make the folder writable, or copy it to where you can write")
    try:
        return _checked(_connect(path, "mode=ro&immutable=1"), layout)
    except sqlite3.Error as error:
        raise store_error(path, "reading", error) from error


def _connect(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )


def _checked(connection: sqlite3.Connection, layout: Layout) -> sqlite3.Connection:
    """The connection, where its file is of the newest layout."""
    try:
        version = version_of(connection, layout)
        if version < len(layout.migrations):
            path = connection.execute("PRAGMA database_list").fetchone()[2]
            layouts = f"layout {version}, this one reads {len(layout.migrations)}"
            message = f"{path} was written by an earlier ENTP ({layouts})"
            raise RunFolderError(message, _BRING_UP_TO_DATE)
    except BaseException:
        connection.close()
        raise
    return connection
