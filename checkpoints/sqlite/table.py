"""A table of run.db: records of one type by key, in an order of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Generic, TypeVar

from pydantic import BaseModel

from .run_file import Reader, RunFile

R = TypeVar("R", bound=BaseModel)


class SqliteTable(Generic[R]):
    """Records of one type; `key` names the columns that identify one, `order` is how they are read.

    What a method is given as a key is the text of these columns, with a colon between two.
    """

    def __init__(self, file: RunFile, name: str, kind: type[R], *, key: tuple[str, ...], order: str) -> None:
        self._file = file
        self._name = name
        self._order = order
        self.reader = Reader(file, kind, name, key)
        self._select = f"SELECT {self.reader.selected} FROM {name}"
        self._is_key = " || ':' || ".join(f"{name}.{column}" for column in key) + " = ?"
        names = self.reader.columns.names
        changed = ", ".join(f"{column} = excluded.{column}" for column in names if column not in key)
        self._put = (
            f"INSERT INTO {name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) "
            f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}"
        )

    def all(self, limit: int | None = None) -> Iterator[R]:
        """Every record, or the first `limit`, in the table's order."""
        return self.reader.read(f"{self._select} ORDER BY {self._order} LIMIT ?", most(limit))

    def get(self, key: str) -> R | None:
        """The record of a key, or None."""
        return next(self.reader.read(f"{self._select} WHERE {self._is_key}", key), None)

    def count(self) -> int:
        """How many records there are."""
        return self._file.number(f"SELECT count(*) FROM {self._name}")

    def replace(self, records: Iterable[R]) -> None:
        """Empty the table and fill it with these, which are read once; all or nothing."""
        columns = self.reader.columns
        with self._file.change():
            self._file.write(f"DELETE FROM {self._name}")
            lines = chain([columns.names], map(columns.values, records))
            self._file.db.table(self._name).insert_all(lines, replace=True)

    def put(self, records: Iterable[R]) -> None:
        """Add records, in place of those with the same key."""
        self._file.write_many(self._put, map(self.reader.columns.values, records))

    def remove(self, keys: Iterable[str]) -> None:
        """Take away the records of these keys; unknown ones are passed over."""
        self._file.write_many(f"DELETE FROM {self._name} WHERE {self._is_key}", ((key,) for key in keys))


def most(limit: int | None) -> int:
    """A limit as SQLite takes it: any negative number sets none."""
    return -1 if limit is None else limit
