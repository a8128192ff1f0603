"""The gate: what is through ends, what comes later waits."""

from __future__ import annotations

import asyncio

import pytest

from entp.providers.gate import Gate


async def passing(gate, ended, log, name):
    async with gate.request():
        log.append(f"{name} through")
        await ended.wait()
    log.append(f"{name} ended")


def test_closing_waits_for_those_that_are_through_and_holds_the_others():
    async def work():
        gate, ended, log = Gate(), asyncio.Event(), []
        first = asyncio.create_task(passing(gate, ended, log, "first"))
        await asyncio.sleep(0)
        assert gate.in_flight == 1
        closing = asyncio.create_task(gate.close())
        await asyncio.sleep(0)
        second = asyncio.create_task(passing(gate, ended, log, "second"))
        await asyncio.sleep(0)
        assert not closing.done()
        ended.set()
        await closing
        await first
        assert gate.in_flight == 0
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert log == ["first through", "first ended"]

    asyncio.run(work())


def test_a_request_that_fails_is_no_longer_in_flight():
    async def work():
        gate = Gate()
        log, ended = [], asyncio.Event()
        task = asyncio.create_task(passing(gate, ended, log, "it"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert log == ["it through"]
        await gate.close()
        assert gate.in_flight == 0

    asyncio.run(work())
