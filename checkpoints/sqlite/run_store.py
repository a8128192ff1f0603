"""run.db: what a run has found so far, in tables that any SQLite viewer opens."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlite_utils import Database

from ...records.books import Books
from ...records.errors import RunFolderError
from ...records.rows import canonical_json
from .migrations import open_database, store_error, transaction
from .run_schema import RUN

Record = dict[str, Any]


class StageMark(BaseModel):
    """The mark that a finished stage leaves: hashes of what it read, how, and what it left behind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    inputs: str
    settings: str
    outputs: str
    books: Books
    report: Record
    finished: str = ""


class RunStore:
    """The tables of one run. `db` is sqlite-utils' view of them, for queries; writes go through here."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / RUN.file
        self._connection = open_database(self._path, RUN)
        self.db = Database(self._connection)

    def __enter__(self) -> RunStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the store is of no use afterwards."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is committed at the end, or nothing is."""
        with self._writing(), transaction(self._connection):
            yield

    def replace(self, table: str, records: Iterable[Record]) -> None:
        """Empty a table and fill it with these records; call it inside a transaction."""
        self._connection.execute(f"DELETE FROM [{table}]")
        self.insert(table, records)

    def insert(self, table: str, records: Iterable[Record]) -> None:
        """Add records, replacing those with the same key; dicts and lists are stored as JSON."""
        with self._writing():
            self.db.table(table).insert_all(records, replace=True)

    def remove(self, table: str, key: str, value: str) -> None:
        """Take away the records of a table that have this value in the column `key`."""
        with self._writing():
            self._connection.execute(f"DELETE FROM [{table}] WHERE [{key}] = ?", [value])

    def one(self, sql: str, *params: Any) -> Record | None:
        """The first record of a query, or None."""
        return next(iter(self.db.query(sql, params)), None)

    def query(self, sql: str, *params: Any) -> Iterator[Record]:
        """The records of a query."""
        return iter(self.db.query(sql, params))

    def count(self, table: str, where: str = "1") -> int:
        """How many records of a table fit a condition."""
        row = self._connection.execute(f"SELECT count(*) FROM [{table}] WHERE {where}").fetchone()
        return int(row[0])

    def mark(self, stage: str) -> StageMark | None:
        """The mark of a stage, or None where it has not finished."""
        record = self.one("SELECT * FROM stages WHERE name = ?", stage)
        if record is None:
            return None
        return StageMark.model_validate(
            record | {"books": json.loads(record["books"]), "report": json.loads(record["report"])}
        )

    def set_mark(self, mark: StageMark) -> None:
        """Mark a stage as finished now; call it last, in the transaction of the stage's last write."""
        finished = datetime.now(UTC).isoformat(timespec="seconds")
        self.insert("stages", [mark.model_dump() | {"finished": finished}])

    def clear_mark(self, stage: str) -> None:
        """Take a stage's mark away, before its tables change."""
        self.remove("stages", "name", stage)

    def settings(self) -> Record:
        """The settings stored with the run."""
        return self._named("settings")

    def set_settings(self, settings: Record) -> None:
        """Store the settings of a run as a whole."""
        self._set_named("settings", settings)

    def code(self) -> Record:
        """What was stored of the code that last asked a model for the run; empty where nothing was."""
        return self._named("code")

    def set_code(self, code: Record) -> None:
        """Store which code asks a model for the run."""
        self._set_named("code", code)

    def _named(self, table: str) -> Record:
        try:
            return {record["name"]: json.loads(record["value"]) for record in self.db[table].rows}
        except ValueError as error:
            message = f"{self._path}: the table {table} cannot be read: {error}"
            raise RunFolderError(message, "it was damaged or changed: restore a copy of it") from error

    def _set_named(self, table: str, values: Record) -> None:
        with self.transaction():
            self.replace(
                table, ({"name": name, "value": canonical_json(value)} for name, value in values.items())
            )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise store_error(self._path, "writing", error) from error
