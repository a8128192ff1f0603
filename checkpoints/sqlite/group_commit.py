"""One fsync for many callers: what arrives during a commit goes into the next transaction."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from ...records.errors import RunFolderError
from .migrations import store_error, transaction

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class _Waiting(NamedTuple, Generic[Item, Outcome]):
    """An item that is not on disk yet, and whom to tell when it is."""

    item: Item
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Outcome]


class GroupCommit(Generic[Item, Outcome]):
    """A thread that writes what is handed to `add`.

    All that arrives while one transaction is being committed goes into the next, so one fsync serves as many
    callers as there are. `write` puts one item into the open transaction and `undone` is told that a
    transaction was rolled back; both run in the thread, which from now on is the only user of `connection`.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        write: Callable[[Item], Outcome],
        *,
        path: str | Path,
        undone: Callable[[], None] = lambda: None,
    ) -> None:
        self._connection = connection
        self._write = write
        self._undone = undone
        self._path = path
        self._pending: list[_Waiting[Item, Outcome]] = []
        self._closed = False
        self._changed = threading.Condition()
        # a daemon, so that a program that dies without closing does not wait for it
        self._thread = threading.Thread(target=self._run, name=f"commits {path}", daemon=True)
        self._thread.start()

    async def add(self, item: Item) -> Outcome:
        """What `write` returned, when the transaction that holds `item` is committed.

        Raises RunFolderError where it could not be, or after `close`. A caller that is cancelled while it
        waits does not take the item back.
        """
        loop = asyncio.get_running_loop()
        waiting: _Waiting[Item, Outcome] = _Waiting(item, loop, loop.create_future())
        with self._changed:
            if self._closed:
                message = f"{self._path} is closed"
                raise RunFolderError(message)
            self._pending.append(waiting)
            self._changed.notify()
        return await waiting.done

    def close(self) -> None:
        """Write what is waiting, end the thread and close the connection. May be called twice."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while group := self._next_group():
            _release(group, self._commit(group))

    def _next_group(self) -> list[_Waiting[Item, Outcome]]:
        """All that is waiting, as soon as there is anything; empty when closed and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._closed)
            group, self._pending = self._pending, []
        return group

    def _commit(self, group: list[_Waiting[Item, Outcome]]) -> Sequence[Outcome | Exception]:
        """What `write` returned for each of the group, or for each why nothing was written."""
        try:
            with transaction(self._connection):
                return [self._write(waiting.item) for waiting in group]
        except sqlite3.Error as error:
            failure: Exception = store_error(self._path, "writing", error)
        except Exception as error:
            failure = error  # raised in the callers: they would wait for ever if it ended this thread
        self._undone()
        return [failure] * len(group)


def _release(group: list[_Waiting[Item, Outcome]], outcomes: Sequence[Outcome | Exception]) -> None:
    """Wake all waiting callers, with one wake-up for each event loop."""
    callers: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Outcome], Outcome | Exception]]] = {}
    for waiting, outcome in zip(group, outcomes, strict=True):
        callers.setdefault(waiting.loop, []).append((waiting.done, outcome))
    for loop, ended in callers.items():
        with contextlib.suppress(RuntimeError):  # that loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(_settle, ended)


def _settle(ended: list[tuple[asyncio.Future[Outcome], Outcome | Exception]]) -> None:
    for future, outcome in ended:
        if future.done():  # the caller was cancelled
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
