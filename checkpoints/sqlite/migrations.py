"""How an ENTP file of SQLite is opened and written: settings, tag, numbered migrations, group commits.

A file carries four letters in PRAGMA application_id, which say what it is for, and in PRAGMA user_version how
many migrations it has seen. Both are read before anything is written, so that a file of another kind, of
another program or of a newer ENTP is refused as it was found. The migrations of sqlite-utils know no such
tag, and two processes that open an old file at the same moment would both run them.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from ...records.errors import RunFolderError

BUSY_TIMEOUT_S = 60.0
DAMAGED = "it was damaged or changed: restore a copy of it"

Change: TypeAlias = str | Callable[[sqlite3.Connection], None]

# one statement, so that all three are of one moment even while another process migrates the file
_MARKS = """
SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master)
FROM pragma_application_id, pragma_user_version
"""

_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another process is writing to it: wait until it ends, or stop it, and run again",
    sqlite3.SQLITE_FULL: "free some space on that disk and run again",
    sqlite3.SQLITE_IOERR: "check that the disk has space left and works, and run again",
    sqlite3.SQLITE_READONLY: "make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "check that the folder exists and is writable",
    sqlite3.SQLITE_NOTADB: "it is not an SQLite file: move it away or choose another run folder",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: restore a copy of it",
}


@dataclass(frozen=True)
class Migration:
    """One step from a version of a file to the next.

    `change` is SQL (statements separated by semicolons) or a function of the connection. It runs inside a
    transaction and must not end it.
    """

    name: str
    change: Change


@dataclass(frozen=True)
class Layout:
    """One kind of file.

    `file` is its name in a run folder, `tag` four ASCII letters that no other kind has, `migrations` all the
    steps from an empty file on, in order: append to them, never edit one that was released.
    """

    file: str
    tag: str
    migrations: tuple[Migration, ...]


def open_database(
    path: str | Path, layout: Layout, *, synchronous: Literal["NORMAL", "FULL"] = "NORMAL"
) -> sqlite3.Connection:
    """Open or create a file, bring it to the newest version of its layout, and return the connection.

    Write-ahead log, foreign keys on, 60 s of patience with other writers, no implicit transactions (write
    inside `transaction`); the connection may be passed between threads. A commit survives the death of the
    process with either setting; with FULL it survives a power cut too, at the price of one fsync a commit.
    Raises RunFolderError where the file cannot be used.
    """
    try:
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise store_error(path, "opening", error) from error
    try:
        migrate(connection, layout)
        _use_write_ahead_log(connection)
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error as error:
        connection.close()
        raise store_error(path, "opening", error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def migrate(connection: sqlite3.Connection, layout: Layout) -> None:
    """Apply the migrations that the file has not seen, each in a transaction of its own.

    Safe when several processes do it at once. Raises RunFolderError for a file that is not of this layout.
    """
    while (version := version_of(connection, layout)) < len(layout.migrations):
        migration = layout.migrations[version]
        try:
            with transaction(connection):
                if version_of(connection, layout) == version:  # else another process has just done it
                    _apply(connection, layout, migration, version + 1)
        except sqlite3.Error as error:
            doing = f"migration {version + 1} ({migration.name})"
            raise store_error(_path(connection), doing, error) from error


def compact(path: str | Path, layout: Layout) -> None:
    """Give a file's free pages and its write-ahead log back to the disk; needs its size once more meanwhile.

    Raises RunFolderError where another process is at work on it.
    """
    with contextlib.closing(open_database(path, layout)) as connection:
        try:
            if connection.execute("PRAGMA freelist_count").fetchone()[0]:
                connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise store_error(path, "compacting", error) from error


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Everything inside is committed at the end, or nothing is.

    It takes the write lock at once: a transaction that reads first and wants to write later is refused
    without waiting when somebody else has written in between.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def store_error(path: str | Path, doing: str, error: sqlite3.Error) -> RunFolderError:
    """What SQLite said, as an error that names the file, what was being done, and what to do about it."""
    other = DAMAGED if doing == "reading" else ""
    return RunFolderError(f"{path}: {doing} failed: {error}", _REMEDIES.get(error_code(error), other))


def error_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code (the higher bytes say more than a remedy depends on); 0 if it has none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Ask until it is granted: of two that race for it SQLite refuses one at once, busy timeout or not."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def version_of(connection: sqlite3.Connection, layout: Layout) -> int:
    """How many migrations the file has seen; 0 for an empty file; an error for any other file."""
    tag, version, tables = connection.execute(_MARKS).fetchone()
    if tag != _number(layout.tag) and (tag or version or tables):
        message = f"{_path(connection)} is not ENTP's {layout.file} (tag {_letters(tag)}, not {layout.tag})"
        raise RunFolderError(message, "check that the path is right, or choose another run folder")
    if version > len(layout.migrations):
        message = (
            f"{_path(connection)} was written by a newer ENTP "
            f"(version {version}, this one knows {len(layout.migrations)})"
        )
        raise RunFolderError(message, "upgrade entp, or choose another run folder")
    return int(version)


def _apply(connection: sqlite3.Connection, layout: Layout, migration: Migration, version: int) -> None:
    if isinstance(migration.change, str):
        for statement in statements(migration.change):
            connection.execute(statement)
    else:
        migration.change(connection)
    connection.execute(f"PRAGMA application_id = {_number(layout.tag)}")
    connection.execute(f"PRAGMA user_version = {version}")


def statements(sql: str) -> Iterator[str]:
    """The statements of a script one by one: `executescript` would commit the transaction around it."""
    statement = ""
    for piece in sql.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement:  # an open quote or trigger: SQLite says what is wrong with it
        yield statement


def _number(tag: str) -> int:
    return int.from_bytes(tag.encode("ascii"), "big")


def _letters(number: int) -> str:
    """A tag as it was written, or the number where it is no text."""
    octets = number.to_bytes(4, "big", signed=True)
    return octets.decode("ascii") if octets.isalnum() else f"{number:#x}"


def _path(connection: sqlite3.Connection) -> str:
    return str(connection.execute("PRAGMA database_list").fetchone()[2])
