"""The ledger: every call to the language model with its raw reply, under the key of all that shaped it.

A reply is committed with an fsync before anybody uses it, so that no accident makes us pay for it twice and a
run can be replayed from this file alone. What is said more than once (templates, rows, drafts, schemas) is
stored once, by its hash. Only what the provider's identity, ChatRequest and ChatReply hold gets in: no
header, no key of access.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from ...records.calls import ChatReply, ChatRequest, Usage, call_key
from ...records.conversation import Turn
from ...records.errors import RunFolderError
from ...records.rows import canonical_json
from .group_commit import GroupCommit
from .ledger_schema import LEDGER
from .migrations import open_database, store_error
from .texts import Texts, unpack

Read = TypeVar("Read")

# A refusal or a filtered reply is kept for the account, but another attempt may fare better.
ANSWERS = ("stop", "length", "other")
FIRST_ANSWER = f"WHERE key = ? AND finish_reason IN {ANSWERS} ORDER BY id LIMIT 1"

_PAGE = 500

# what the contents of a damaged file raise when they are read
_DAMAGE = (ValueError, TypeError, KeyError, AttributeError, zlib.error)


@dataclass(frozen=True)
class RecordedCall:
    """A request and what came of it: a reply, or the class and message of an error."""

    key: str
    identity: dict[str, Any]
    request: ChatRequest
    reply: ChatReply | None = None
    error_class: str = ""
    error_message: str = ""
    created_s: float = field(default_factory=time.time)
    """Seconds since 1970, UTC."""

    @property
    def answers(self) -> bool:
        """Whether an equal request may be answered with this reply."""
        return self.reply is not None and self.reply.finish_reason in ANSWERS


@dataclass(frozen=True)
class OperatorTotals:
    """What one operator's calls came to. `failed` counts those that can answer nothing."""

    operator: str
    calls: int
    failed: int
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class Spent:
    """What one call took. `created_s` is when it ended (since 1970), `came` whether a reply came."""

    operator: str
    prompt_tokens: int
    completion_tokens: int
    latency_s: float
    created_s: float
    came: bool


class Ledger:
    """The ledger of calls in a file of its own.

    Use it as a context manager or call `close`. It may be read from any thread; several processes may have it
    open, where a writer waits up to a minute for another.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._reader = open_database(path, LEDGER)
        self._reader.row_factory = sqlite3.Row
        self._reading = threading.Lock()
        # measured: 64 callers share the fsyncs and lose nothing; one alone waits 4 ms where it waited 0.2
        self._writer = open_database(path, LEDGER, synchronous="FULL")
        self._texts = Texts(self._writer)
        self._commits = GroupCommit(self._writer, self._insert, path=path, undone=self._texts.forget)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is waiting and close the file. May be called twice."""
        self._commits.close()
        with self._reading:
            self._reader.close()

    async def record(self, call: RecordedCall) -> RecordedCall:
        """Return when the call is on disk. Raises RunFolderError where it cannot be written.

        Gives the call that answers its key from now on, if any does: that is an earlier one where another
        process has asked the same at the same time.
        """
        first = await self._commits.add(call)
        return self.find(call.key) or call if first else call

    def find(self, key: str) -> RecordedCall | None:
        """The recorded call that answers this key: the first of them, so that the answer never changes."""
        rows = self._read(f"SELECT * FROM calls {FIRST_ANSWER}", bytes.fromhex(key))
        return self._call(rows[0]) if rows else None

    def reply(self, key: str) -> ChatReply | None:
        """The reply of the call that answers this key.

        Cheap enough for the event loop: a miss reads the index and no more.
        """
        rows = self._read(f"SELECT * FROM calls {FIRST_ANSWER}", bytes.fromhex(key))
        return self._checked(rows[0], self._reply) if rows else None

    def calls(
        self, *, operator: str | None = None, key_prefix: str = "", answers: bool | None = None
    ) -> Iterator[RecordedCall]:
        """The calls in the order of recording.

        Only those of `operator`, only those whose key starts with `key_prefix` (hexadecimal digits), only
        those that can (True) or cannot (False) answer a request. Calls recorded meanwhile are included.
        """
        try:
            lowest, highest = (bytes.fromhex(key_prefix.ljust(64, digit)) for digit in "0f")
        except ValueError:  # no key starts with what is no number
            return iter(())
        chosen = (
            "SELECT * FROM calls WHERE id > ?1 AND key BETWEEN ?2 AND ?3 AND (?4 IS NULL OR operator = ?4) "
            f"AND (?5 IS NULL OR ?5 = coalesce(finish_reason IN {ANSWERS}, 0))"
        )
        return map(self._call, self._pages(chosen, lowest, highest, operator, answers))

    def totals(self) -> list[OperatorTotals]:
        """What each operator's calls came to, in the order of their names."""
        rows = self._read(
            f"SELECT operator, count(*), count(*) - sum(coalesce(finish_reason IN {ANSWERS}, 0)), "
            "sum(prompt_tokens), sum(completion_tokens) FROM calls GROUP BY operator ORDER BY operator"
        )
        return [OperatorTotals(*row) for row in rows]

    def latest(self, number: int) -> list[Spent]:
        """What the latest so many calls took, the newest first."""
        rows = self._read(
            "SELECT operator, prompt_tokens, completion_tokens, latency_s, created_s, error_class = '' "
            "FROM calls ORDER BY id DESC LIMIT ?",
            number,
        )
        return [Spent(*row) for row in rows]

    def verify(self) -> list[str]:
        """Everything that is wrong with the file, a line each; an empty list is a proof of soundness.

        SQLite checks its pages and references, then every text's hash and every call's key are derived anew.
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

    def _insert(self, call: RecordedCall) -> bool:
        """Put one call into the open transaction; whether an earlier one answers its key."""
        request, reply, texts = call.request, call.reply, self._texts
        key = bytes.fromhex(call.key)
        answered = self._writer.execute(f"SELECT 1 FROM calls {FIRST_ANSWER}", (key,)).fetchone()
        frame = f'{{"identity":{canonical_json(call.identity)},"request":{request.frame}}}'
        usage = reply.usage if reply else Usage()
        self._writer.execute(
            "INSERT INTO calls (key, operator, frame, messages, reply, finish_reason, prompt_tokens, "
            "completion_tokens, latency_s, error_class, error_message, created_s) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                key,
                request.operator,
                texts.store_whole(frame),
                _short([(turn.role, *texts.store(turn.content)) for turn in request.messages]),
                _short(texts.store(reply.text)) if reply else None,
                reply.finish_reason if reply else None,
                usage.prompt_tokens,
                usage.completion_tokens,
                reply.latency_s if reply else 0.0,
                call.error_class,
                texts.store_whole(call.error_message) if call.error_message else None,
                call.created_s,
            ),
        )
        return answered is not None

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
            created_s=row["created_s"],
        )


def _short(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
