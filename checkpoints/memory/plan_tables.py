"""The plan in memory: pairs, and the queue of those that are still to be fused."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice

from ...records.conversation import to_json
from ...records.pairs import Operand, Pair
from ...records.rows import StoredRow
from ...records.work import Task
from .table import Access, MemoryTable


class MemoryPairs(MemoryTable[Pair]):
    """The plan, in order."""

    def __init__(self, access: Access, rows: MemoryTable[StoredRow]) -> None:
        super().__init__(access, "pairs", key=lambda pair: pair.id, order=lambda pair: pair.position)
        self._rows = rows

    def with_lengths(self) -> Iterator[tuple[Pair, int]]:
        """Every pair with the number of characters of those of its operands that are rows, as JSON."""
        for pair in self.all():
            rows = (self._rows.get(operand.id) for operand in pair.operands if operand.kind == "row")
            yield pair, sum(len(json.dumps(to_json(row.turns), ensure_ascii=False)) for row in rows if row)

    def using(self, operand: Operand) -> list[Pair]:
        """The pairs that take a row or a fusion as an operand."""
        return [pair for pair in self.all() if operand in pair.operands]


class MemoryTasks:
    """The queue that workers claim from."""

    def __init__(self, access: Access, pairs: MemoryPairs) -> None:
        self._access = access
        self._table = MemoryTable[Task](
            access, "tasks", key=lambda task: task.pair_id, order=lambda task: task.position
        )
        self._pairs = pairs

    def refill(self, tasks: Iterable[Task]) -> None:
        """Begin a run of the stage: drop what is left of the one before."""
        self._table.replace(tasks)

    def claim(self, holder: str, limit: int, *, now_s: float, until_s: float) -> list[Task]:
        """Claim up to `limit` tasks for a worker until a time, in order; one transaction.

        Taken are those that nobody holds (or held until before now) and whose operands are at hand: rows, or
        fusions that are not themselves among the tasks.
        """
        with self._access.change():
            free = (task for task in self._table.all() if self._is_free(task, now_s))
            ready = islice(filter(self._at_hand, free), limit)
            claimed = [_held(task, holder, until_s) for task in ready]
            self._table.put(claimed)
        return claimed

    def renew(self, holder: str, *, until_s: float) -> None:
        """Let a worker's claims end later."""
        self._table.put([_held(task, holder, until_s) for task in self._table.all() if task.holder == holder])

    def release(self, holder: str) -> None:
        """Give a worker's claims back."""
        self._table.put([_held(task, None, None) for task in self._table.all() if task.holder == holder])

    def settle(self, pair_id: str) -> None:
        """Take a task out because its fusion is there already."""
        self._table.remove([pair_id])

    def count(self) -> int:
        """How many are left, claimed ones included."""
        return self._table.count()

    def _is_free(self, task: Task, now_s: float) -> bool:
        return task.holder is None or (task.until_s is not None and task.until_s < now_s)

    def _at_hand(self, task: Task) -> bool:
        pair = self._pairs.get(task.pair_id)
        operands = pair.operands if pair else ()
        return not any(operand.kind == "fusion" and self._table.get(operand.id) for operand in operands)


def _held(task: Task, holder: str | None, until_s: float | None) -> Task:
    return task.model_copy(update={"holder": holder, "until_s": until_s})
