"""Fused rows in run.db, what they were made from, and forks beside them."""

from __future__ import annotations

from collections.abc import Iterator

from ...records.datasets import Candidate
from ...records.fusions import Fork, FusedRow
from ...records.listings import ListedFork, ListedFusedRow
from .run_file import Reader, RunFile
from .table import SqliteTable, most

_LISTED = "SELECT id, strategy, status, loss, templates, reason FROM fused_rows"
_CARRIED_BY = """
    SELECT later.id FROM fusions JOIN pairs AS later
    ON {side}_id = fusions.id AND {side}_kind = 'fusion'
    WHERE fusions.id = fused_rows.fusion_id AND carried = fused_rows.id AND EXISTS
        (SELECT 1 FROM fused_rows AS ended WHERE ended.fusion_id = later.id AND ended.status = 'fused')
"""
_CANDIDATES = f"""
SELECT fused_rows.id, pairs.kind, loss,
    (SELECT min(id) FROM ({_CARRIED_BY.format(side="left")} UNION {_CARRIED_BY.format(side="right")}))
FROM pairs JOIN fused_rows ON fusion_id = pairs.id WHERE status = 'fused' ORDER BY pairs.position, variant
"""
_FORKS = (
    "SELECT id, fusion_id, variant || ':' || cycle || ':' || attempt, changes, model, status, loss, created "
    "FROM forks"
)


class FusedRowsTable(SqliteTable[FusedRow]):
    """`fused_rows` by id."""

    def __init__(self, file: RunFile) -> None:
        super().__init__(file, "fused_rows", FusedRow, key=("id",), order="id")
        self._listed = Reader(file, ListedFusedRow, "fused_rows", ("id",))
        self._candidates = Reader(file, Candidate, "fused_rows", ("id",))

    def of(self, fusion_id: str) -> list[FusedRow]:
        """The variants of a fusion, in order."""
        return list(self.reader.read(f"{self._select} WHERE fusion_id = ? ORDER BY variant", fusion_id))

    def losses(self) -> dict[int, int]:
        """How many fused rows have each loss, the least first."""
        sql = "SELECT loss, count(*) FROM fused_rows WHERE status = 'fused' GROUP BY loss ORDER BY loss"
        return {loss: number for loss, number in self._file.read(sql)}

    def failure_reasons(self) -> list[str]:
        """Why variants failed, by id."""
        sql = "SELECT coalesce(reason, '') FROM fused_rows WHERE status = 'failed' ORDER BY id"
        return self._file.names(sql)

    def overrides(self) -> int:
        """How often a symbolic check overruled the model's word, in all attempts."""
        sql = (
            "SELECT sum(json_array_length(attempt.value, '$.loss.overrides')) "
            "FROM fused_rows, json_each(attempts) AS attempt"
        )
        found = self._file.first(sql)
        return int(found[0] or 0) if found else 0

    def sources_of(self, key: str) -> list[str]:
        """The rows of the pool that a fused row was made from, by id."""
        return self._file.names("SELECT row_id FROM lineage WHERE fused_id = ? ORDER BY row_id", key)

    def made_from(self, row_id: str) -> list[ListedFusedRow]:
        """The fused rows that a row of the pool went into, by id."""
        sql = f"{_LISTED} JOIN lineage ON fused_id = id WHERE row_id = ? ORDER BY id"
        return list(self._listed.read(sql, row_id))

    def candidates(self) -> Iterator[Candidate]:
        """The fused rows that a data set may take, in the order of the plan.

        `carried_by` names the later fusion that took a row up, where that fusion has a fused row itself.
        """
        return self._candidates.read(_CANDIDATES)

    def listed(self, limit: int | None = None) -> Iterator[ListedFusedRow]:
        """The fused rows as a listing shows them."""
        return self._listed.read(f"{_LISTED} ORDER BY id LIMIT ?", most(limit))


class ForksTable(SqliteTable[Fork]):
    """`forks` by id, the oldest first."""

    def __init__(self, file: RunFile) -> None:
        super().__init__(file, "forks", Fork, key=("id",), order="created, id")
        self._listed = Reader(file, ListedFork, "forks", ("id",))

    def of(self, fusion_id: str) -> list[ListedFork]:
        """The forks of a fusion."""
        return list(self._listed.read(f"{_FORKS} WHERE fusion_id = ? ORDER BY created, id", fusion_id))

    def listed(self, limit: int | None = None) -> Iterator[ListedFork]:
        """The forks as a listing shows them."""
        return self._listed.read(f"{_FORKS} ORDER BY created, id LIMIT ?", most(limit))
