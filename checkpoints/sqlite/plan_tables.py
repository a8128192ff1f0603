"""The plan in run.db: clusters, pairs, and the queue of pairs that are still to be fused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...records.pairs import ClusterMember, Operand, Pair
from ...records.work import Task
from .run_file import Reader, RunFile
from .table import SqliteTable


def clusters(file: RunFile) -> SqliteTable[ClusterMember]:
    """`clusters`: the members of each, representatives first."""
    order = "cluster, rank IS NULL, rank, row_id"
    return SqliteTable(file, "clusters", ClusterMember, key=("row_id",), order=order)


class PairsTable(SqliteTable[Pair]):
    """`pairs`: the plan, in order."""

    def __init__(self, file: RunFile) -> None:
        super().__init__(file, "pairs", Pair, key=("id",), order="position")

    def with_lengths(self) -> Iterator[tuple[Pair, int]]:
        """Every pair with the number of characters of those of its operands that are rows, as JSON."""
        sql = (
            f"SELECT {self.reader.selected}, coalesce(length(l.turns), 0) + coalesce(length(r.turns), 0) "
            "FROM pairs LEFT JOIN rows AS l ON left_kind = 'row' AND l.id = left_id "
            "LEFT JOIN rows AS r ON right_kind = 'row' AND r.id = right_id ORDER BY pairs.position"
        )
        for *values, length in self._file.read(sql):
            yield self.reader.record(values), length

    def using(self, operand: Operand) -> list[Pair]:
        """The pairs that take a row or a fusion as an operand."""
        sql = (
            f"{self._select} WHERE (left_kind = ?1 AND left_id = ?2) "
            "OR (right_kind = ?1 AND right_id = ?2) ORDER BY position"
        )
        return list(self.reader.read(sql, operand.kind, operand.id))


# `waits` counts the operands of a task that are tasks themselves: what is ready is found by an index
_WAITS = """
UPDATE tasks SET waits = (
    SELECT count(*) FROM pairs JOIN tasks AS earlier
    ON (left_kind = 'fusion' AND earlier.pair_id = left_id)
    OR (right_kind = 'fusion' AND earlier.pair_id = right_id)
    WHERE pairs.id = tasks.pair_id
)
"""
_READY = "waits = 0 AND (holder IS NULL OR until_s < ?)"
_WAIT_LESS = """
UPDATE tasks SET waits = waits - 1 WHERE pair_id IN (
    SELECT id FROM pairs WHERE left_id = ?1 AND left_kind = 'fusion'
    UNION SELECT id FROM pairs WHERE right_id = ?1 AND right_kind = 'fusion'
)
"""


class TasksTable:
    """`tasks`: the queue that workers claim from."""

    def __init__(self, file: RunFile) -> None:
        self._file = file
        self.reader = Reader(file, Task, "tasks", ("pair_id",))

    def refill(self, tasks: Iterable[Task]) -> None:
        """Begin a run of the stage: drop what is left of the one before."""
        names = self.reader.columns.names
        marks = ", ".join("?" * len(names))
        put = f"INSERT OR REPLACE INTO tasks ({', '.join(names)}, waits) VALUES ({marks}, 0)"
        with self._file.change():
            self._file.write("DELETE FROM tasks")
            self._file.write_many(put, map(self.reader.columns.values, tasks))
            self._file.write(_WAITS)

    def claim(self, holder: str, limit: int, *, now_s: float, until_s: float) -> list[Task]:
        """Claim up to `limit` tasks for a worker until a time, in order; one transaction.

        Taken are those that nobody holds (or held until before now) and whose operands are at hand: rows, or
        fusions that are not themselves among the tasks.
        """
        ready = f"SELECT {self.reader.selected} FROM tasks WHERE {_READY} ORDER BY position LIMIT ?"
        with self._file.change():
            found = list(self.reader.read(ready, now_s, limit))
            claim = "UPDATE tasks SET holder = ?, until_s = ? WHERE pair_id = ?"
            self._file.write_many(claim, [(holder, until_s, task.pair_id) for task in found])
        return [task.model_copy(update={"holder": holder, "until_s": until_s}) for task in found]

    def renew(self, holder: str, *, until_s: float) -> None:
        """Let a worker's claims end later."""
        self._file.write("UPDATE tasks SET until_s = ? WHERE holder = ?", until_s, holder)

    def release(self, holder: str) -> None:
        """Give a worker's claims back."""
        self._file.write("UPDATE tasks SET holder = NULL, until_s = NULL WHERE holder = ?", holder)

    def settle(self, pair_id: str) -> None:
        """Take a task out because its fusion is there already."""
        with self._file.change():
            if self._file.write("DELETE FROM tasks WHERE pair_id = ?", pair_id):
                self._file.write(_WAIT_LESS, pair_id)

    def count(self) -> int:
        """How many are left, claimed ones included."""
        return self._file.number("SELECT count(*) FROM tasks")
