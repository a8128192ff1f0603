"""Admission: what is through ends, what comes later waits, and a server's wait is everybody's."""

from __future__ import annotations

import asyncio

import pytest

from entp.providers.admission import Admission, Answered, Failed, Need
from entp.records.calls import Usage

NEED = Need("rating", 100, 2048)


async def passing(admission, ended, log, name):
    async with admission.request(NEED):
        log.append(f"{name} through")
        await ended.wait()
    log.append(f"{name} ended")


def test_closing_waits_for_those_that_are_through_and_holds_the_others():
    async def work():
        admission, ended, log = Admission(), asyncio.Event(), []
        first = asyncio.create_task(passing(admission, ended, log, "first"))
        await asyncio.sleep(0)
        assert admission.in_flight == 1
        closing = asyncio.create_task(admission.close())
        await asyncio.sleep(0)
        second = asyncio.create_task(passing(admission, ended, log, "second"))
        await asyncio.sleep(0)
        assert not closing.done()
        ended.set()
        await closing
        await first
        assert admission.in_flight == 0
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert log == ["first through", "first ended"]

    asyncio.run(work())


def test_a_request_that_fails_is_no_longer_in_flight():
    async def work():
        admission = Admission()
        log, ended = [], asyncio.Event()
        task = asyncio.create_task(passing(admission, ended, log, "it"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert log == ["it through"]
        await admission.close()
        assert admission.in_flight == 0

    asyncio.run(work())


def test_no_more_are_in_flight_than_there_are_slots():
    async def work():
        admission, most = Admission(3), 0

        async def one():
            nonlocal most
            async with admission.request(NEED) as lease:
                most = max(most, admission.in_flight)
                await asyncio.sleep(0)
                lease.release(Answered(Usage()))

        await asyncio.gather(*(one() for _ in range(20)))
        assert (most, admission.in_flight) == (3, 0)

    asyncio.run(work())


def test_it_serves_one_event_loop_after_another():
    admission = Admission(1)

    async def work():
        async def one():
            async with admission.request(NEED):
                await asyncio.sleep(0)

        await asyncio.gather(one(), one(), one())

    asyncio.run(work())
    asyncio.run(work())


@pytest.mark.parametrize(("asked", "waits"), [(20.0, 20.0), (9999.0, 300.0), (None, None), (0.0, None)])
def test_where_a_server_asks_to_wait_everybody_does(asked, waits):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    async def work():
        admission = Admission(sleep=sleep)
        async with admission.request(NEED) as lease:
            lease.release(Failed(asked))
        for _ in range(2):
            async with admission.request(NEED) as lease:
                lease.release(Answered(Usage()))

    asyncio.run(work())
    assert [round(seconds) for seconds in slept] == ([] if waits is None else [waits, waits])
