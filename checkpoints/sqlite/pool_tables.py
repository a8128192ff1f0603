"""The pool in run.db: rows as they were read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from ...records.conversation import Conversation, from_json
from ...records.listings import ListedRow
from ...records.rows import RejectedRow, StoredRow
from .run_file import Reader, RunFile
from .table import SqliteTable, most


class RowsTable(SqliteTable[StoredRow]):
    """`rows`, in the order of `position`."""

    def __init__(self, file: RunFile) -> None:
        super().__init__(file, "rows", StoredRow, key=("id",), order="position")
        self._listed = Reader(file, ListedRow, "rows", ("id",))

    def contents(self) -> list[str]:
        """The hash of every row's text, in order."""
        return self._file.names("SELECT content FROM rows ORDER BY position")

    def between(self, first: int, last: int) -> Iterator[StoredRow]:
        """The rows from one position to another, both included."""
        sql = f"{self._select} WHERE position BETWEEN ? AND ? ORDER BY position"
        return self.reader.read(sql, first, last)

    def turns_of(self, ids: Iterable[str]) -> dict[str, Conversation]:
        """What is said in these rows, by id."""
        sql = "SELECT id, turns FROM rows WHERE id IN (SELECT value FROM json_each(?))"
        found = self._file.read(sql, json.dumps(list(ids)))
        return {row_id: self._turns(row_id, turns) for row_id, turns in found}

    def raters(self) -> list[str]:
        """The raters whose ratings the pool brings, by name."""
        return self._file.names("SELECT DISTINCT key FROM rows, json_each(rows.ratings) ORDER BY key")

    def range_of(self, rater: str) -> tuple[int, int] | None:
        """The least and the greatest rating that a rater of the pool gave; None where it gave none."""
        sql = "SELECT min(value), max(value) FROM rows, json_each(rows.ratings) WHERE key = ?"
        found = self._file.first(sql, rater)
        return None if found is None or found[0] is None else (found[0], found[1])

    def lacking(self, rater: str) -> int:
        """How many rows the pool brings no rating of this rater for."""
        sql = (
            "SELECT count(*) FROM rows WHERE NOT EXISTS (SELECT 1 FROM json_each(rows.ratings) WHERE key = ?)"
        )
        return self._file.number(sql, rater)

    def unrated(self) -> Iterator[StoredRow]:
        """The rows without an entry in `ratings`."""
        sql = f"{self._select} WHERE id NOT IN (SELECT row_id FROM ratings) ORDER BY position"
        return self.reader.read(sql)

    def rated_by(self, rater: str) -> Iterator[StoredRow]:
        """The rows to which a rater gave a usable rating."""
        sql = (
            f"{self._select} JOIN ratings ON row_id = id "
            "WHERE rater = ? AND score IS NOT NULL ORDER BY position"
        )
        return self.reader.read(sql, rater)

    def scored(self) -> Iterator[tuple[StoredRow, int]]:
        """The rows with a usable rating and its score, by id: the order of the pool must not matter."""
        sql = (
            f"SELECT {self.reader.selected}, score FROM rows JOIN ratings ON row_id = id "
            "WHERE score IS NOT NULL ORDER BY id"
        )
        for *values, score in self._file.read(sql):
            row = self.reader.record(values)
            with self._file.decoding("ratings", row.id):
                number = int(score)
            yield row, number

    def listed(self, limit: int | None = None) -> Iterator[ListedRow]:
        """The rows as a listing shows them."""
        sql = (
            "SELECT id, source, score, corrected, quality, content_class FROM rows "
            "LEFT JOIN scores ON row_id = id ORDER BY position LIMIT ?"
        )
        return self._listed.read(sql, most(limit))

    def _turns(self, row_id: str, turns: str) -> Conversation:
        with self._file.decoding("rows", row_id):
            return from_json(json.loads(turns))


def rejected_rows(file: RunFile) -> SqliteTable[RejectedRow]:
    """`rejected_rows`, by file and line."""
    return SqliteTable(file, "rejected_rows", RejectedRow, key=("file", "line"), order="file, line")
