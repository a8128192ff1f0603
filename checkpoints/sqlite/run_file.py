"""The open run.db, as its tables share it: queries, writes, transactions, and errors that say where."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

from sqlite_utils import Database

from ...records.errors import RunFolderError
from .columns import UNREADABLE, columns_of, read_text, why
from .migrations import DAMAGED, store_error, transaction

R = TypeVar("R")

Values: TypeAlias = Sequence[Any]


class RunFile:
    """A connection to run.db. SQL goes through here; `db` is sqlite-utils' view of the same."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self.path = path
        self.db = Database(connection)
        # what is not a text is found where it is known of which record it is
        connection.text_factory = _text_or_bytes

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is committed at the end, or nothing is. May not be nested."""
        if self._connection.in_transaction:
            message = "a transaction inside a transaction"
            raise RuntimeError(message)
        with self._writing(), transaction(self._connection):
            yield

    @contextmanager
    def change(self) -> Iterator[None]:
        """A change of several statements: part of the transaction around it, or one of its own."""
        if self._connection.in_transaction:
            with self._writing():
                yield
        else:
            with self.transaction():
                yield

    def write(self, sql: str, *values: Any) -> int:
        """One statement that writes; how many records it has changed."""
        with self._writing():
            return self._connection.execute(sql, values).rowcount

    def write_many(self, sql: str, records: Iterable[Values]) -> None:
        """The same statement for many records, all or nothing."""
        with self.change():
            self._connection.executemany(sql, records)

    def read(self, sql: str, *values: Any) -> Iterator[Values]:
        """The records of a query, one by one."""
        try:
            for found in self._connection.execute(sql, values):  # noqa: UP028 - it would close the cursor too late
                yield found
        except sqlite3.Error as error:
            raise store_error(self.path, "reading", error) from error

    def first(self, sql: str, *values: Any) -> Values | None:
        """The first record of a query, or None."""
        return next(self.read(sql, *values), None)

    def number(self, sql: str, *values: Any) -> int:
        """The number that a query gives."""
        found = self.first(sql, *values)
        return int(found[0]) if found else 0

    def names(self, sql: str, *values: Any) -> list[str]:
        """The first column of a query, which holds texts."""
        return [self.text(name) for name, *_ in self.read(sql, *values)]

    def text(self, value: Any) -> str:
        """A text of a query; raises RunFolderError where it is something else."""
        try:
            return str(read_text(value))
        except ValueError as error:
            message = f"{self.path} holds a text that cannot be read: {why(error)}"
            raise RunFolderError(message, DAMAGED) from error

    def header(self, sql: str) -> list[str]:
        """The names of a query's columns."""
        with self._writing():
            return [column[0] for column in self._connection.execute(sql).description]

    @contextmanager
    def decoding(self, table: str, key: str) -> Iterator[None]:
        """What reads a record's columns: where it fails, the error says which record it was."""
        try:
            yield
        except UNREADABLE as error:
            message = f"{self.path}: {key!r} in table {table} cannot be read: {why(error)}"
            raise RunFolderError(message, DAMAGED) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise store_error(self.path, "writing", error) from error


def _text_or_bytes(octets: bytes) -> str | bytes:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets


class Reader(Generic[R]):
    """Reads records of one type from queries that select its columns; `key` names those that identify it."""

    def __init__(self, file: RunFile, kind: type[R], table: str, key: Sequence[str]) -> None:
        self._file = file
        self._table = table
        self.columns = columns_of(kind)
        self._key = [self.columns.names.index(name) for name in key]
        self.selected = ", ".join(f"{table}.{name}" for name in self.columns.names)
        """The columns as a query names them, where all of them are of one table."""

    def read(self, sql: str, *values: Any) -> Iterator[R]:
        """The records of a query, one by one."""
        return (self.record(found) for found in self._file.read(sql, *values))

    def record(self, values: Values) -> R:
        """The record of these values; raises RunFolderError where they are not of its type."""
        with self._file.decoding(self._table, ":".join(str(values[at]) for at in self._key)):
            return self.columns.record(values)

    def unreadable(self) -> Iterator[str]:
        """What is wrong with the records of the table, a line each."""
        try:
            for values in self._file.read(f"SELECT {self.selected} FROM {self._table}"):
                try:
                    self.record(values)
                except RunFolderError as error:
                    yield error.message
        except RunFolderError as error:
            yield error.message
