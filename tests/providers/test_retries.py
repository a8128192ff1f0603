"""How often and how soon OpenAIChat tries again, and how many requests it has in flight."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from entp.providers.admission import Admission
from entp.providers.chat import OpenAIChat
from entp.records.calls import ChatRequest
from entp.records.conversation import Turn
from entp.records.errors import RequestRefused, ServerUnavailable

REQUEST = ChatRequest(
    operator="o",
    template_hash="h",
    messages=(Turn(role="user", content="hello"),),
    temperature=0,
    reply_schema={"type": "object"},
)


class Waits(list):
    """Records the waits that are asked for, and waits for none; `admission` goes by its clock."""

    async def __call__(self, seconds):
        self.append(seconds)

    @property
    def admission(self):
        return Admission(sleep=self, clock=lambda: sum(self))


def ask(chat):
    async def run():
        try:
            return await chat.complete(REQUEST)
        finally:
            await chat.aclose()

    return asyncio.run(run())


def in_turn(*answers):
    """A script that gives these answers one after another, the last one for ever."""
    left = list(answers)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


def test_many_requests_share_the_slots(loopback):
    open_now, most = [], []
    three = threading.Barrier(3, timeout=60)

    def script(request):
        open_now.append(request)
        three.wait()
        most.append(len(open_now))
        three.wait()
        open_now.pop()
        return loopback.completion(request.body["messages"][0]["content"])

    server = loopback.start(script)

    async def run():
        chat = OpenAIChat("m", server.base_url, admission=Admission(3))
        texts = [f"text {number}" for number in range(24)]
        asked = [REQUEST.model_copy(update={"messages": (Turn(role="user", content=t),)}) for t in texts]
        replies = await asyncio.gather(*(chat.complete(request) for request in asked))
        await chat.aclose()
        assert [reply.text for reply in replies] == texts

    asyncio.run(run())
    assert set(most) == {3}


def test_a_slot_is_free_while_its_request_backs_off(loopback):
    def script(request):
        busy = request.body["messages"][0]["content"] == "busy"
        return loopback.refused(503, "overloaded") if busy else loopback.completion("fine")

    server = loopback.start(script)

    async def run():
        waiting, over = asyncio.Event(), asyncio.Event()

        async def sleep(seconds):
            waiting.set()
            await over.wait()

        chat = OpenAIChat("m", server.base_url, admission=Admission(1), retries=1, sleep=sleep)
        busy = REQUEST.model_copy(update={"messages": (Turn(role="user", content="busy"),)})
        first = asyncio.create_task(chat.complete(busy))
        await waiting.wait()
        assert (await chat.complete(REQUEST)).text == "fine"
        over.set()
        with pytest.raises(ServerUnavailable):
            await first
        await chat.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_unavailable_is_tried_again(loopback, status):
    server = loopback.start(in_turn(loopback.refused(status, "busy"), loopback.completion("done")))
    waits = Waits()
    assert ask(OpenAIChat("m", server.base_url, sleep=waits)).text == "done"
    assert len(server.calls()) == 2
    assert len(waits) == 1


def test_waits_grow_and_tries_end(loopback):
    server = loopback.start(lambda request: loopback.refused(503, "overloaded"))
    waits = Waits()
    with pytest.raises(ServerUnavailable, match="answered 503: overloaded"):
        ask(OpenAIChat("m", server.base_url, retries=4, sleep=waits))
    assert len(server.calls()) == 5
    assert all(2**n <= wait <= 2**n + 1 for n, wait in enumerate(waits))
    assert len(waits) == 4


def test_the_server_says_how_long_to_wait(loopback):
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=40), usegmt=True)
    asked = ["7", "0.5", soon, past, "86400", "-3"]
    answers = [loopback.refused(429, "slow down", Retry_After=value) for value in asked]
    server = loopback.start(in_turn(*answers, loopback.completion()))
    waits = Waits()
    ask(OpenAIChat("m", server.base_url, retries=len(asked), sleep=waits, admission=waits.admission))
    assert waits[:2] == [7, 0.5]
    assert 30 < waits[2] <= 40
    assert waits[3:] == [0, 300, 0]


@pytest.mark.parametrize("value", ["soon", "nan", "inf", ""])
def test_a_wait_that_is_none_is_not_believed(loopback, value):
    server = loopback.start(in_turn(loopback.refused(429, "busy", Retry_After=value), loopback.completion()))
    waits = Waits()
    ask(OpenAIChat("m", server.base_url, sleep=waits))
    assert 1 <= waits[0] <= 2


def test_a_refused_request_is_sent_once(loopback):
    server = loopback.start(lambda request: loopback.refused(400, "too long"))
    waits = Waits()
    with pytest.raises(RequestRefused):
        ask(OpenAIChat("m", server.base_url, sleep=waits))
    assert len(server.calls()) == 1
    assert waits == []


def test_a_server_that_never_answers_is_given_up(loopback):
    finished = asyncio.Event()

    async def silent(reader, writer):
        await finished.wait()
        writer.close()

    async def run():
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        chat = OpenAIChat("m", f"http://127.0.0.1:{port}/v1", timeout_s=0.2, retries=0)
        with pytest.raises(ServerUnavailable, match="no answer in time"):
            await chat.complete(REQUEST)
        await chat.aclose()
        finished.set()
        server.close()
        await server.wait_closed()

    asyncio.run(run())


def test_one_request_that_always_fails_does_not_stop_the_others(loopback):
    def script(request):
        wanted = request.body["messages"][0]["content"] == "bad"
        return loopback.refused(500, "it broke") if wanted else loopback.completion("fine")

    server = loopback.start(script)
    bad = REQUEST.model_copy(update={"messages": (Turn(role="user", content="bad"),)})

    async def run():
        chat = OpenAIChat("m", server.base_url, retries=0)
        for _ in range(30):
            with pytest.raises(ServerUnavailable) as caught:
                await chat.complete(bad)
            assert not caught.value.stops_run
            await chat.complete(REQUEST)
        await chat.aclose()

    asyncio.run(run())


def test_ten_failures_in_a_row_say_that_going_on_is_of_no_use(loopback):
    server = loopback.start(lambda request: loopback.refused(503, "overloaded"))

    async def run():
        chat = OpenAIChat("m", server.base_url, retries=0)
        stops = []
        for _ in range(10):
            with pytest.raises(ServerUnavailable) as caught:
                await chat.complete(REQUEST)
            stops.append(caught.value.stops_run)
        await chat.aclose()
        return stops

    assert asyncio.run(run()) == [False] * 9 + [True]


def test_a_server_that_is_not_there_stops_the_run_at_once():
    with pytest.raises(ServerUnavailable) as caught:
        ask(OpenAIChat("m", "http://127.0.0.1:9/v1", retries=1, sleep=Waits()))
    assert caught.value.stops_run
