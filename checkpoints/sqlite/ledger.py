"""The ledger in a file of SQLite, which any viewer opens.

A reply is committed with an fsync before anybody uses it. What occurs more than once (templates, rows,
drafts, schemas) is stored once, by its hash.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self, TypeVar

from ...records.calls import (
    ANSWERS,
    UNKNOWN,
    ChatReply,
    ChatRequest,
    Origin,
    RecordedCall,
    Spent,
    Totals,
    Usage,
    call_key,
)
from ...records.conversation import Turn
from ...records.errors import RunFolderError
from .call_writer import FIRST_ANSWER, ORIGIN, CallWriter
from .ledger_schema import LEDGER
from .migrations import open_database, store_error
from .read_only import open_read_only
from .texts import unpack

Read = TypeVar("Read")

_PAGE = 500

# what the contents of a damaged file raise when they are read
_DAMAGE = (ValueError, TypeError, KeyError, AttributeError, zlib.error)


class SqliteLedger:
    """The ledger of calls in a file of its own; a writer waits up to a minute for another.

    With `read_only` nothing is made, written or migrated.
    """

    def __init__(self, path: str | Path, *, read_only: bool = False) -> None:
        self.path = Path(path)
        self._reader = open_read_only(Path(path), LEDGER) if read_only else open_database(path, LEDGER)
        self._reader.row_factory = sqlite3.Row
        self._reading = threading.Lock()
        self._origins: dict[int, Origin] = {}
        self._writer = None if read_only else CallWriter(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is waiting and close the file. May be called twice."""
        if self._writer is not None:
            self._writer.close()
        with self._reading:
            self._reader.close()

    async def record(self, call: RecordedCall) -> RecordedCall:
        """Return when the call is on disk; gives the one that answers its key from now on, if any does."""
        if self._writer is None:
            message = f"{self.path} is open for reading only"
            raise RunFolderError(message)
        answered = await self._writer.add(call)
        return await self.find(call.key) or call if answered else call

    async def lookup(self, key: str) -> ChatReply | None:
        """The reply of the call that answers this key.

        On the event loop, since a thread would cost ten times as much: a miss reads the index and no more.
        """
        rows = self._read(f"SELECT * FROM calls {FIRST_ANSWER}", bytes.fromhex(key))
        return self._checked(rows[0], self._reply) if rows else None

    async def find(self, key: str) -> RecordedCall | None:
        """The first recorded call that answers this key."""
        rows = self._read(f"SELECT * FROM calls {FIRST_ANSWER}", bytes.fromhex(key))
        return self._call(rows[0]) if rows else None

    def calls(self, *, operator: str | None = None, key_prefix: str = "") -> Iterator[RecordedCall]:
        """The calls in the order of recording; those recorded meanwhile come too."""
        try:
            lowest, highest = (bytes.fromhex(key_prefix.ljust(64, digit)) for digit in "0f")
        except ValueError:  # no key starts with what is not a number
            return iter(())
        chosen = (
            "SELECT * FROM calls WHERE id > ?1 AND key BETWEEN ?2 AND ?3 AND (?4 IS NULL OR operator = ?4)"
        )
        return map(self._call, self._pages(chosen, lowest, highest, operator))

    def latest(self, number: int, *, run: str | None = None, model: str | None = None) -> list[Spent]:
        """What the latest so many calls took, the newest first."""
        rows = self._read(
            "SELECT operator, prompt_tokens, completion_tokens, latency_s, created_s, error_class = '' "
            "FROM calls WHERE (?1 IS NULL OR origin IN (SELECT id FROM origins WHERE run = ?1)) "
            "AND (?2 IS NULL OR origin IN (SELECT id FROM origins WHERE model = ?2)) "
            "ORDER BY id DESC LIMIT ?3",
            run,
            model,
            number,
        )
        return [Spent(*row) for row in rows]

    def totals(self, run: str | None = None) -> list[Totals]:
        """What all calls came to, by run, stage, model and operator."""
        priced = "prompt_price IS NOT NULL AND completion_price IS NOT NULL"
        rows = self._read(
            "SELECT coalesce(run, ''), coalesce(stage, ''), coalesce(model, ''), operator, count(*), "
            f"count(*) - sum(coalesce(finish_reason IN {ANSWERS}, 0)), "
            f"sum(prompt_tokens), sum(completion_tokens), sum({priced}), "
            "sum(prompt_tokens * prompt_price + completion_tokens * completion_price) / 1000000 "
            "FROM calls LEFT JOIN origins ON origins.id = origin WHERE ?1 IS NULL OR run = ?1 "
            "GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
            run,
        )
        return [Totals(*row) for row in rows]

    def verify(self) -> list[str]:
        """Everything that is wrong with the file, a line each; an empty list is a proof of soundness.

        SQLite checks its pages and references, then every text's hash and every call's key are derived again.
        """
        problems = []
        try:
            for problem in self._problems():
                problems.append(problem)
        except RunFolderError as error:
            problems.append(str(error))
        return problems

    def _problems(self) -> Iterator[str]:
        yield from (line for (line,) in self._read("PRAGMA integrity_check") if line != "ok")
        for table, row, parent, _ in self._read("PRAGMA foreign_key_check"):
            yield f"{table} {row}: refers to a row of {parent} that is not there"
        for number, *stored in self._pages("SELECT id, hash, zipped, body FROM texts WHERE id > ?1"):
            try:
                unpack(*stored)
            except _DAMAGE as error:
                yield f"text {number}: {error}"
        for row in self._pages("SELECT * FROM calls WHERE id > ?1"):
            try:
                call = self._call(row)
            except RunFolderError as error:
                yield error.message
            else:
                if call_key(call.identity, call.request) != call.key:
                    yield f"call {row['id']}: its key does not fit its request"

    def _read(self, sql: str, *values: object) -> list[sqlite3.Row]:
        try:
            with self._reading:
                return self._reader.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise store_error(self.path, "reading", error) from error

    def _pages(self, select: str, *values: object) -> Iterator[sqlite3.Row]:
        """The rows of a query in the order of ids, page by page: an open cursor would pin an old state."""
        last = 0
        while rows := self._read(f"{select} ORDER BY id LIMIT {_PAGE}", last, *values):
            yield from rows
            last = rows[-1]["id"]

    def _text(self, *numbers: int) -> str:
        """The parts of these numbers, joined."""
        found = self._read(
            "SELECT id, hash, zipped, body FROM texts WHERE id IN (SELECT value FROM json_each(?))",
            json.dumps(numbers),
        )
        parts = {number: unpack(*stored) for number, *stored in found}
        missing = [number for number in numbers if number not in parts]
        if missing:
            message = f"text {missing[0]} is missing"
            raise ValueError(message)
        return "".join(parts[number] for number in numbers)

    def _origin(self, number: int) -> Origin:
        if number not in self._origins:
            found = self._read(f"SELECT {', '.join(ORIGIN)} FROM origins WHERE id = ?", number)
            if not found:
                message = f"origin {number} is missing"
                raise ValueError(message)
            self._origins[number] = Origin(*found[0])
        return self._origins[number]

    def _call(self, row: sqlite3.Row) -> RecordedCall:
        return self._checked(row, self._rebuilt)

    def _checked(self, row: sqlite3.Row, read: Callable[[sqlite3.Row], Read]) -> Read:
        try:
            return read(row)
        except _DAMAGE as error:
            message = f"{self.path}: call {row['id']} is damaged: {error}"
            raise RunFolderError(message, "restore a copy of the file") from error

    def _reply(self, row: sqlite3.Row) -> ChatReply:
        return ChatReply(
            text=self._text(*json.loads(row["reply"])),
            finish_reason=row["finish_reason"],
            usage=Usage(prompt_tokens=row["prompt_tokens"], completion_tokens=row["completion_tokens"]),
            latency_s=row["latency_s"],
        )

    def _rebuilt(self, row: sqlite3.Row) -> RecordedCall:
        frame = json.loads(self._text(row["frame"]))
        turns = tuple(
            Turn(role=role, content=self._text(*parts)) for role, *parts in json.loads(row["messages"])
        )
        return RecordedCall(
            key=row["key"].hex(),
            identity=frame["identity"],
            request=ChatRequest(**frame["request"], messages=turns),
            reply=None if row["reply"] is None else self._reply(row),
            error_class=row["error_class"],
            error_message=self._text(row["error_message"]) if row["error_message"] else "",
            origin=UNKNOWN if row["origin"] is None else self._origin(row["origin"]),
            created_s=row["created_s"],
        )
