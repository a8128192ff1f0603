"""Tables of records in memory, and transactions over them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from threading import RLock
from typing import Any, Generic, TypeVar

from ...records.errors import RunFolderError

R = TypeVar("R")


class MemoryRun:
    """What one run holds: tables by name, each a dict of frozen records by key."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.run_id = str(uuid.uuid4())
        self.tables: dict[str, dict[str, Any]] = {}
        self.lock = RLock()


class Access:
    """One way into a run, as `open_store` gives it; several may be open at once."""

    def __init__(self, run: MemoryRun, *, read_only: bool) -> None:
        self.run = run
        self._read_only = read_only
        self._changing = False

    def table(self, name: str) -> dict[str, Any]:
        """The records of a table by key."""
        return self.run.tables.setdefault(name, {})

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is kept at the end, or nothing is. May not be nested."""
        if self._changing:
            message = "a transaction inside a transaction"
            raise RuntimeError(message)
        if self._read_only:
            message = f"{self.run.place}: writing failed: it was opened for reading"
            raise RunFolderError(message, "open it for work")
        with self.run.lock:
            before = {name: dict(table) for name, table in self.run.tables.items()}
            self._changing = True
            try:
                yield
            except BaseException:
                self.run.tables = before
                raise
            finally:
                self._changing = False

    @contextmanager
    def change(self) -> Iterator[None]:
        """A change of several records: part of the transaction around it, or one of its own."""
        if self._changing:
            yield
        else:
            with self.transaction():
                yield


class MemoryTable(Generic[R]):
    """Records of one type; `key` gives the key of a record, `order` what they are sorted by."""

    def __init__(
        self, access: Access, name: str, *, key: Callable[[R], str], order: Callable[[R], Any]
    ) -> None:
        self._access = access
        self._name = name
        self._key = key
        self._order = order

    def all(self, limit: int | None = None) -> Iterator[R]:
        """Every record, or the first `limit`, in the table's order."""
        return islice(sorted(self._records.values(), key=self._order), limit)

    def get(self, key: str) -> R | None:
        """The record of a key, or None."""
        return self._records.get(key)

    def count(self) -> int:
        """How many records there are."""
        return len(self._records)

    def replace(self, records: Iterable[R]) -> None:
        """Empty the table and fill it with these, which are read once; all or nothing."""
        with self._access.change():
            self.remove(list(self._records))
            self.put(records)

    def put(self, records: Iterable[R]) -> None:
        """Add records, in place of those with the same key."""
        with self._access.change():
            for record in records:
                self._records[self._key(record)] = record

    def remove(self, keys: Iterable[str]) -> None:
        """Take away the records of these keys; unknown ones are passed over."""
        with self._access.change():
            for key in keys:
                self._records.pop(key, None)

    @property
    def _records(self) -> dict[str, R]:
        return self._access.table(self._name)
