"""Data sets in run.db, and the files that were written of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from ...records.conversation import from_json
from ...records.datasets import DataSetRow, Member, RowFacts
from ...records.listings import ListedDataSet
from .columns import read_text
from .run_file import Reader, RunFile, Values
from .table import most

_ROWS = """
SELECT {members},
    coalesce(rows.turns, fused_rows.turns), rows.source, corrected, strategy, loss, model,
    (SELECT json_group_array(row_id) FROM
        (SELECT row_id FROM lineage WHERE fused_id = fused_rows.id ORDER BY row_id))
FROM datasets
LEFT JOIN rows ON datasets.kind IN ('HQ', 'LQ') AND rows.id = datasets.id
LEFT JOIN scores ON scores.row_id = rows.id
LEFT JOIN fused_rows ON datasets.kind IN ('intra', 'inter') AND fused_rows.id = datasets.id
    AND status = 'fused'
WHERE datasets.name = ? AND coalesce(rows.id, fused_rows.id) IS NOT NULL ORDER BY datasets.position
"""


class DataSetsTable:
    """`datasets`: the members of each by name."""

    def __init__(self, file: RunFile) -> None:
        self._file = file
        self.reader = Reader(file, Member, "datasets", ("name", "position"))
        self._listed = Reader(file, ListedDataSet, "datasets", ("name",))
        self._rows = _ROWS.format(members=self.reader.selected)

    def replace(self, name: str, members: Iterable[Member]) -> None:
        """Make a data set what these say, in place of what it was."""
        names = self.reader.columns.names
        put = f"INSERT OR REPLACE INTO datasets ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        with self._file.change():
            self._file.write("DELETE FROM datasets WHERE name = ?", name)
            self._file.write_many(put, map(self.reader.columns.values, members))

    def retain(self, names: Sequence[str], made_by: str) -> None:
        """Drop the data sets that this command has made, except these."""
        sql = "DELETE FROM datasets WHERE made_by = ? AND name NOT IN (SELECT value FROM json_each(?))"
        self._file.write(sql, made_by, json.dumps(list(names)))

    def names(self) -> list[ListedDataSet]:
        """The data sets that there are, by name."""
        sql = "SELECT name, count(*), max(made_by) FROM datasets GROUP BY name ORDER BY name"
        return list(self._listed.read(sql))

    def members(self, name: str, limit: int | None = None) -> Iterator[Member]:
        """The members of a data set, in order."""
        sql = f"SELECT {self.reader.selected} FROM datasets WHERE name = ? ORDER BY position LIMIT ?"
        return self.reader.read(sql, name, most(limit))

    def rows(self, name: str) -> Iterator[DataSetRow]:
        """The rows of a data set with their text, in order; a member that is gone is left out."""
        width = len(self.reader.columns.names)
        for values in self._file.read(self._rows, name):
            yield self._row(self.reader.record(values[:width]), values[width:])

    def holding(self, key: str) -> list[str]:
        """The names of the data sets that hold a row."""
        return self._file.names("SELECT DISTINCT name FROM datasets WHERE id = ? ORDER BY name", key)

    def count(self, name: str) -> int:
        """How many rows a data set has."""
        return self._file.number("SELECT count(*) FROM datasets WHERE name = ?", name)

    def _row(self, member: Member, values: Values) -> DataSetRow:
        turns, source, corrected, strategy, loss, model, made_from = values
        of_pool = member.kind in ("HQ", "LQ")
        with self._file.decoding("rows" if of_pool else "fused_rows", member.id):
            if of_pool:
                facts = RowFacts(kind=member.kind, source=read_text(source), score=corrected)
            else:
                rows = json.loads(made_from)
                facts = RowFacts(kind=member.kind, strategy=strategy, loss=loss, model=model, made_from=rows)
            return DataSetRow(member, from_json(json.loads(turns)), facts)


class ExportsTable:
    """`exports`: the files that this run has written, and may write again."""

    def __init__(self, file: RunFile) -> None:
        self._file = file

    def add(self, path: str) -> None:
        """Note a file as this run's."""
        self._file.write("INSERT INTO exports (path) VALUES (?) ON CONFLICT DO NOTHING", path)

    def remove(self, path: str) -> None:
        """Forget it."""
        self._file.write("DELETE FROM exports WHERE path = ?", path)

    def has(self, path: str) -> bool:
        """Whether it is this run's."""
        return self._file.first("SELECT 1 FROM exports WHERE path = ?", path) is not None
