"""Data sets in memory, the files that were written of them, and the marks of stages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from ...records.datasets import DataSetRow, Member, RowFacts
from ...records.listings import ListedDataSet
from ...records.stages import StageMark
from .fusion_tables import MemoryFusedRows
from .pool_tables import MemoryRows
from .table import Access, MemoryTable


class MemoryDataSets:
    """Data sets by name."""

    def __init__(self, access: Access, rows: MemoryRows, fused_rows: MemoryFusedRows) -> None:
        self._access = access
        self._table = MemoryTable[Member](
            access,
            "datasets",
            key=lambda member: f"{member.name}:{member.position}",
            order=lambda member: (member.name, member.position),
        )
        self._pool = rows
        self._fused_rows = fused_rows

    def replace(self, name: str, members: Iterable[Member]) -> None:
        """Make a data set what these say, in place of what it was."""
        with self._access.change():
            self._drop([member for member in self._table.all() if member.name == name])
            self._table.put(members)

    def retain(self, names: Sequence[str], made_by: str) -> None:
        """Drop the data sets that this command has made, except these."""
        made = (member for member in self._table.all() if member.made_by == made_by)
        self._drop([member for member in made if member.name not in names])

    def names(self) -> list[ListedDataSet]:
        """The data sets that there are, by name."""
        makers = {member.name: member.made_by for member in self._table.all()}
        numbers = Counter(member.name for member in self._table.all())
        return [
            ListedDataSet(name=name, rows=numbers[name], made_by=made_by) for name, made_by in makers.items()
        ]

    def members(self, name: str, limit: int | None = None) -> Iterator[Member]:
        """The members of a data set, in order."""
        members = [member for member in self._table.all() if member.name == name]
        return iter(members[:limit])

    def rows(self, name: str) -> Iterator[DataSetRow]:
        """The rows of a data set with their text, in order; a member that is gone is left out."""
        for member in self.members(name):
            found = self._of_pool(member) if member.kind in ("HQ", "LQ") else self._fused(member)
            if found:
                yield found

    def holding(self, key: str) -> list[str]:
        """The names of the data sets that hold a row."""
        return sorted({member.name for member in self._table.all() if member.id == key})

    def count(self, name: str) -> int:
        """How many rows a data set has."""
        return len(list(self.members(name)))

    def _of_pool(self, member: Member) -> DataSetRow | None:
        row, score = self._pool.get(member.id), self._pool.scores.get(member.id)
        if row is None:
            return None
        corrected = score.corrected if score else None
        return DataSetRow(member, row.turns, RowFacts(kind=member.kind, source=row.source, score=corrected))

    def _fused(self, member: Member) -> DataSetRow | None:
        row = self._fused_rows.get(member.id)
        if row is None or row.status == "failed":
            return None
        facts = RowFacts(
            kind=member.kind,
            strategy=row.strategy,
            loss=row.loss,
            model=row.model,
            made_from=self._fused_rows.sources_of(row.id),
        )
        return DataSetRow(member, row.turns, facts)

    def _drop(self, members: list[Member]) -> None:
        self._table.remove(f"{member.name}:{member.position}" for member in members)


class MemoryExports:
    """The files that this run has written, and may write again."""

    def __init__(self, access: Access) -> None:
        self._table = MemoryTable[str](access, "exports", key=str, order=str)

    def add(self, path: str) -> None:
        """Note a file as this run's."""
        self._table.put([path])

    def remove(self, path: str) -> None:
        """Forget it."""
        self._table.remove([path])

    def has(self, path: str) -> bool:
        """Whether it is this run's."""
        return self._table.get(path) is not None


class MemoryMarks:
    """The marks of finished stages, by name."""

    def __init__(self, access: Access) -> None:
        self._table = MemoryTable[StageMark](
            access, "stages", key=lambda mark: mark.name, order=lambda mark: mark.name
        )

    def get(self, name: str) -> StageMark | None:
        """The mark of a stage, or None where it has not finished."""
        return self._table.get(name)

    def put(self, mark: StageMark) -> StageMark:
        """Keep a mark, with the time; give it as it is kept."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        kept = mark.model_copy(update={"finished": now})
        self._table.put([kept])
        return kept

    def remove(self, name: str) -> None:
        """Take a mark away, before the stage's tables change."""
        self._table.remove([name])
