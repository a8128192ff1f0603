"""What run.db knows of the run itself: marks of finished stages, settings, code."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import JsonValue

from ...records.stages import StageMark
from ...records.stored import JsonObject, Stored
from .run_file import RunFile
from .table import SqliteTable


class MarksTable:
    """`stages`: a mark for every finished stage."""

    def __init__(self, file: RunFile) -> None:
        self._table = SqliteTable(file, "stages", StageMark, key=("name",), order="name")
        self.reader = self._table.reader

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


class NamedValue(Stored):
    """A JSON value by its name."""

    name: str
    value: JsonValue


class NamedValues:
    """`settings` or `code`: values by name, stored as a whole."""

    def __init__(self, file: RunFile, name: Literal["settings", "code"]) -> None:
        self._table = SqliteTable(file, name, NamedValue, key=("name",), order="rowid")
        self.reader = self._table.reader

    def all(self) -> JsonObject:
        """The values by name."""
        return {named.name: named.value for named in self._table.all()}

    def replace(self, values: JsonObject) -> None:
        """Store these in place of those before."""
        self._table.replace(NamedValue(name=name, value=value) for name, value in values.items())
