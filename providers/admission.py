"""Admission: what every request to a model server passes before it is sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeAlias

from ..records.calls import Usage

LONGEST_PAUSE_S = 300.0


class Need(NamedTuple):
    """What a request asks for: who asks, how long its messages are, and the most tokens of its reply."""

    operator: str
    characters: int
    max_tokens: int | None


class Answered(NamedTuple):
    """A reply came."""

    usage: Usage


class Failed(NamedTuple):
    """None came; the server may have said how many seconds everybody should wait."""

    retry_after_s: float | None = None


Outcome: TypeAlias = Answered | Failed


class Lease:
    """The right to have one request in flight."""

    def __init__(self, need: Need) -> None:
        self.need = need
        self.outcome: Outcome = Failed()

    def release(self, outcome: Outcome) -> None:
        """Say how the request ended, before the lease does; left unsaid it counts as failed."""
        self.outcome = outcome


class Admission:
    """At most `requests` in flight; all wait where a server asks for it; closed, none is let through.

    A request that comes to a closed admission waits there until it is cancelled. It gets no error: an error
    in one task would cancel those beside it, and with them replies that are being paid for. `sleep` is what
    waits, by the seconds of `clock`.
    """

    def __init__(
        self,
        requests: int = 32,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.in_flight = 0
        self._requests = requests
        self._sleep = sleep
        self._clock = clock
        self._closed = False
        self._quiet = asyncio.Event()
        self._paused_until = 0.0
        self._slots: asyncio.Semaphore | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @asynccontextmanager
    async def request(self, need: Need) -> AsyncIterator[Lease]:
        """The time from sending a request to the last byte of its reply, or to its failure."""
        async with self._slots_here():
            await self._until_let_through()
            lease = Lease(need)
            self.in_flight += 1
            try:
                yield lease
            finally:
                self.in_flight -= 1
                self._heed(lease.outcome)
                if self._closed and not self.in_flight:
                    self._quiet.set()

    async def close(self) -> None:
        """Let nothing more through; return when the last request in flight has ended."""
        self._closed = True
        if self.in_flight:
            await self._quiet.wait()

    async def _until_let_through(self) -> None:
        # a loop: the server may have asked for a longer pause meanwhile
        while (left := self._paused_until - self._clock()) > 0:
            await self._sleep(left)
        if self._closed:
            await asyncio.get_running_loop().create_future()

    def _heed(self, outcome: Outcome) -> None:
        """Hold everybody back for as long as a server has asked."""
        if isinstance(outcome, Failed) and outcome.retry_after_s:
            until = self._clock() + min(outcome.retry_after_s, LONGEST_PAUSE_S)
            self._paused_until = max(self._paused_until, until)

    def _slots_here(self) -> asyncio.Semaphore:
        """The slots of this event loop: a semaphore belongs to one, a run may work in several in turn."""
        loop = asyncio.get_running_loop()
        if self._slots is None or self._loop is not loop:
            self._slots, self._loop = asyncio.Semaphore(self._requests), loop
        return self._slots
