"""run.db as a RunStore: what a run has found so far, in tables that any SQLite viewer opens."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ...records.embeddings import Embedded
from ...records.errors import RunFolderError
from ...records.listings import Orphan
from ...records.pairs import ClusterMember
from ...records.rows import RejectedRow
from ...records.stored import JsonObject
from .. import tables
from ..store import RunStore, TableName
from . import checks
from .data_set_tables import DataSetsTable, ExportsTable
from .fused_tables import ForksTable, FusedRowsTable
from .fusion_tables import FusionsTable
from .mark_tables import MarksTable, NamedValues
from .migrations import DAMAGED, open_database
from .plan_tables import PairsTable, TasksTable, clusters
from .pool_tables import RowsTable, rejected_rows
from .rating_tables import AuditsTable, RatingsTable, ScoresTable, embedded
from .read_only import open_read_only
from .run_file import Reader, RunFile
from .run_schema import RUN


def open_sqlite_store(path: Path, *, read_only: bool = False) -> RunStore:
    """Open a file, made where there is none; with `read_only` nothing is made, changed or locked."""
    connection = open_read_only(path, RUN) if read_only else open_database(path, RUN)
    try:
        return SqliteStore(connection, path)
    except BaseException:
        connection.close()
        raise


class SqliteStore:
    """The tables of one run in one file."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        file = self._file = RunFile(connection, path)
        self.place = str(path)
        rows, rejected = RowsTable(file), rejected_rows(file)
        ratings, audits, scores, vectors = (
            RatingsTable(file),
            AuditsTable(file),
            ScoresTable(file),
            embedded(file),
        )
        members, pairs, tasks = clusters(file), PairsTable(file), TasksTable(file)
        fused_rows, forks = FusedRowsTable(file), ForksTable(file)
        fusions = FusionsTable(file, fused_rows, tasks)
        data_sets, marks = DataSetsTable(file), MarksTable(file)
        self._settings, self._code = NamedValues(file, "settings"), NamedValues(file, "code")
        self._readers: list[Reader[Any]] = [
            table.reader
            for group in (
                (rows, rejected, ratings, audits, vectors, scores, members, pairs, tasks),
                (fusions, fused_rows, forks, data_sets, marks, self._settings, self._code),
            )
            for table in group
        ]
        self.rows: tables.Rows = rows
        self.rejected: tables.Table[RejectedRow] = rejected
        self.ratings: tables.Ratings = ratings
        self.audits: tables.Audits = audits
        self.embedded: tables.Table[Embedded] = vectors
        self.scores: tables.Scores = scores
        self.clusters: tables.Table[ClusterMember] = members
        self.pairs: tables.Pairs = pairs
        self.tasks: tables.Tasks = tasks
        self.fusions: tables.Fusions = fusions
        self.fused_rows: tables.FusedRows = fused_rows
        self.forks: tables.Forks = forks
        self.data_sets: tables.DataSets = data_sets
        self.exports: tables.Exports = ExportsTable(file)
        self.marks: tables.Marks = marks
        self.run_id = _run_id(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the store is of no use afterwards."""
        self._file.close()

    def transaction(self) -> AbstractContextManager[None]:
        """Everything inside is kept at the end, or nothing is. May not be nested."""
        return self._file.transaction()

    def settings(self) -> JsonObject:
        """The settings stored with the run, by name."""
        return self._settings.all()

    def set_settings(self, settings: JsonObject) -> None:
        """Store the settings of the run as a whole."""
        self._settings.replace(settings)

    def code(self) -> JsonObject:
        """What was stored of the code that last asked a model for the run; empty where nothing was."""
        return self._code.all()

    def set_code(self, code: JsonObject) -> None:
        """Store which code asks a model for the run."""
        self._code.replace(code)

    def digest(self, tables: Sequence[TableName]) -> str:
        """One hash of everything that these tables hold, every column of every record."""
        return checks.digest(self._file, tables)

    def problems(self) -> Iterator[str]:
        """What is wrong with the store itself, a line each: damage, or an entry that cannot be read."""
        yield from checks.damage(self._file)
        for reader in self._readers:
            yield from reader.unreadable()

    def orphans(self, tables: Sequence[TableName]) -> Iterator[Orphan]:
        """Entries of these tables that point to what is not there."""
        return checks.orphans(self._file, tables)


def _run_id(file: RunFile) -> str:
    found = file.first("SELECT run_id FROM run")
    if found is None:
        message = f"{file.path} has lost the id of its run"
        raise RunFolderError(message, DAMAGED)
    return str(found[0])
