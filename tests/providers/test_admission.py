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


class Clock:
    """Seconds that pass by sleeping only; `slept` lists the sleeps."""

    def __init__(self):
        self.now, self.slept = 100.0, []

    async def sleep(self, seconds):
        self.slept.append(seconds)
        await asyncio.sleep(0)
        self.now += seconds

    def admission(self, requests=32):
        return Admission(requests, sleep=self.sleep, clock=lambda: self.now)


async def answered(admission):
    async with admission.request(NEED) as lease:
        lease.release(Answered(Usage()))


async def failed(admission, retry_after_s):
    async with admission.request(NEED) as lease:
        lease.release(Failed(retry_after_s))


@pytest.mark.parametrize(("asked", "waits"), [(20.0, 20.0), (9999.0, 300.0), (None, None), (0.0, None)])
def test_where_a_server_asks_to_wait_everybody_does(asked, waits):
    clock = Clock()

    async def work():
        admission = clock.admission()
        await failed(admission, asked)
        await answered(admission)
        await answered(admission)

    asyncio.run(work())
    assert clock.slept == ([] if waits is None else [waits])


def test_a_longer_wait_that_is_asked_for_meanwhile_holds_those_that_wait():
    clock = Clock()

    async def work():
        admission = clock.admission()
        async with admission.request(NEED) as late:
            await failed(admission, 5.0)
            waiting = asyncio.create_task(answered(admission))
            await asyncio.sleep(0)
            late.release(Failed(30.0))
        await waiting

    asyncio.run(work())
    assert clock.now == 130.0
