"""The gate before the model server: closed, it lets nothing more through, and what is through may end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """What every request passes before it is sent, and how many have passed and not ended.

    A request that comes to a closed gate waits there until it is cancelled. It gets no error: an error in one
    task would cancel those beside it, and with them replies that are being paid for.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self._closed = False
        self._quiet = asyncio.Event()

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """The time from sending a request to the last byte of its reply, or to its failure."""
        if self._closed:
            await asyncio.get_running_loop().create_future()
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            if self._closed and not self.in_flight:
                self._quiet.set()

    async def close(self) -> None:
        """Let nothing more through; return when the last request in flight has ended."""
        self._closed = True
        if self.in_flight:
            await self._quiet.wait()
