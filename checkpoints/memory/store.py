"""A RunStore in memory, by name: several may open the same one in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from ...records.embeddings import Embedded
from ...records.listings import Orphan
from ...records.pairs import ClusterMember
from ...records.rows import RejectedRow
from ...records.stored import JsonObject
from .. import tables
from ..store import RunStore, TableName
from . import checks
from .data_set_tables import MemoryDataSets, MemoryExports, MemoryMarks
from .fusion_tables import MemoryForks, MemoryFusedRows, MemoryFusions
from .plan_tables import MemoryPairs, MemoryTasks
from .pool_tables import MemoryRows
from .table import Access, MemoryRun, MemoryTable

_RUNS: dict[str, MemoryRun] = {}


def open_memory_store(name: str, *, read_only: bool = False) -> RunStore:
    """Open the run of this name, made where there is none."""
    run = _RUNS.setdefault(name, MemoryRun(f"memory:{name}"))
    return MemoryStore(Access(run, read_only=read_only))


def memory_store_exists(name: str) -> bool:
    """Whether this process has a run of this name."""
    return name in _RUNS


class MemoryStore:
    """The tables of one run in memory."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self.place = access.run.place
        self.run_id = access.run.run_id
        rows = MemoryRows(access)
        pairs = MemoryPairs(access, rows)
        tasks = MemoryTasks(access, pairs)
        fused_rows = MemoryFusedRows(access, pairs)
        self.rows: tables.Rows = rows
        self.rejected: tables.Table[RejectedRow] = MemoryTable(
            access,
            "rejected_rows",
            key=lambda row: f"{row.file}:{row.line}",
            order=lambda r: (r.file, r.line),
        )
        self.ratings: tables.Ratings = rows.ratings
        self.audits: tables.Audits = rows.audits
        self.embedded: tables.Table[Embedded] = MemoryTable(
            access, "embedded", key=lambda line: str(line.position), order=lambda line: line.position
        )
        self.scores: tables.Scores = rows.scores
        self.clusters: tables.Table[ClusterMember] = MemoryTable(
            access, "clusters", key=lambda member: member.row_id, order=_representatives_first
        )
        self.pairs: tables.Pairs = pairs
        self.tasks: tables.Tasks = tasks
        self.fusions: tables.Fusions = MemoryFusions(access, pairs, tasks, fused_rows)
        self.fused_rows: tables.FusedRows = fused_rows
        self.forks: tables.Forks = MemoryForks(access)
        self.data_sets: tables.DataSets = MemoryDataSets(access, rows, fused_rows)
        self.exports: tables.Exports = MemoryExports(access)
        self.marks: tables.Marks = MemoryMarks(access)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it; what it holds stays for whoever opens it next."""

    def transaction(self) -> AbstractContextManager[None]:
        """Everything inside is kept at the end, or nothing is. May not be nested."""
        return self._access.transaction()

    def settings(self) -> JsonObject:
        """The settings stored with the run, by name."""
        return dict(self._access.table("settings"))

    def set_settings(self, settings: JsonObject) -> None:
        """Store the settings of the run as a whole."""
        self._set("settings", settings)

    def code(self) -> JsonObject:
        """What was stored of the code that last asked a model for the run; empty where nothing was."""
        return dict(self._access.table("code"))

    def set_code(self, code: JsonObject) -> None:
        """Store which code asks a model for the run."""
        self._set("code", code)

    def digest(self, tables: Sequence[TableName]) -> str:
        """One hash of everything that these tables hold, every column of every record."""
        return checks.digest(self._access, tables)

    def problems(self) -> Iterator[str]:
        """Nothing: what is in memory has been checked when it came."""
        return iter(())

    def orphans(self, tables: Sequence[TableName]) -> Iterator[Orphan]:
        """Entries of these tables that point to what is not there."""
        return checks.orphans(self._access, tables)

    def _set(self, table: str, values: JsonObject) -> None:
        with self._access.change():
            self._access.run.tables[table] = dict(values)


def _representatives_first(member: ClusterMember) -> tuple[int, bool, int, str]:
    return member.cluster, member.rank is None, member.rank or 0, member.row_id
