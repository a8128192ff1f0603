import asyncio
import contextlib
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chats import IDENTITY, FakeChat, answer, called, raising, request
from entp.checkpoints import open_ledger
from entp.checkpoints.memory.ledger import MemoryLedger
from entp.checkpoints.recorded_chat import Counts, RecordedChat
from entp.records.calls import ChatReply, Origin, call_key
from entp.records.errors import EntpError, ModelError, RequestRefused, ServerUnavailable
from recorded_calls import find


@pytest.fixture
def ledger(tmp_path):
    with open_ledger(tmp_path / "calls.db") as ledger:
        yield ledger


def test_a_reply_is_in_the_ledger_before_it_is_used(ledger):
    asked = request()
    reply = asyncio.run(RecordedChat(FakeChat(), ledger).complete(asked))
    found = find(ledger, call_key(IDENTITY, asked))
    assert found.reply == reply
    assert found.request == asked
    assert found.identity == IDENTITY


def test_a_call_is_recorded_with_who_asked(ledger):
    origin = Origin("first", "fuse", "small", 2.0, 8.0)
    asyncio.run(RecordedChat(FakeChat(), ledger, origin).complete(request()))
    with pytest.raises(ModelError):
        asyncio.run(RecordedChat(FakeChat(raising(ModelError("no"))), ledger, origin).complete(request("2")))
    assert [call.origin for call in ledger.calls()] == [origin, origin]


def test_a_recorded_reply_needs_no_call(tmp_path):
    first, second = FakeChat(), FakeChat(reply=raising(AssertionError))
    with open_ledger(tmp_path / "calls.db") as ledger:
        reply = asyncio.run(RecordedChat(first, ledger).complete(request()))
    with open_ledger(tmp_path / "calls.db") as ledger:
        chat = RecordedChat(second, ledger)
        assert asyncio.run(chat.complete(request())) == reply
    assert second.asked == []
    assert chat.counts == Counts(calls=0, answered=1, prompt_tokens=0, completion_tokens=0)


@pytest.mark.parametrize(
    "other",
    [request("two"), request(attempt=2), request(temperature=0.4), request(operator="domain_analysis")],
)
def test_whatever_shapes_the_answer_makes_another_call(ledger, other):
    fake = FakeChat()
    chat = RecordedChat(fake, ledger)
    asyncio.run(chat.complete(request()))
    assert asyncio.run(chat.complete(other)).text == answer(other)
    assert fake.asked == [request(), other]


def test_another_model_makes_another_call(ledger):
    larger = FakeChat()
    larger.identity = IDENTITY | {"model": "large"}
    asyncio.run(RecordedChat(FakeChat(), ledger).complete(request()))
    chat = RecordedChat(larger, ledger)
    assert chat.identity == larger.identity
    asyncio.run(chat.complete(request()))
    assert len(larger.asked) == 1


class FarLedger(MemoryLedger):
    """Lets others run before it answers, as a ledger behind a network does."""

    async def lookup(self, key):
        found = await super().lookup(key)
        for _ in range(int(key[0], 16)):
            await asyncio.sleep(0)
        return found


@pytest.mark.parametrize("make", [open_ledger, lambda path: FarLedger()])
@settings(max_examples=30)
@given(
    questions=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=60),
    limit=st.integers(1, 64),
)
def test_each_distinct_request_is_sent_once_and_all_get_its_reply(make, questions, limit):
    async def run(ledger):
        fake = FakeChat()
        chat = RecordedChat(fake, ledger)
        slots = asyncio.Semaphore(limit)

        async def ask(question, delay):
            async with slots:
                for _ in range(delay):
                    await asyncio.sleep(0)
                return (await chat.complete(request(str(question)))).text

        replies = await asyncio.gather(*(ask(*question) for question in questions))
        assert replies == [answer(request(str(question))) for question, _ in questions]
        assert Counter(asked.messages[-1].content for asked in fake.asked) == Counter(
            {str(q): 1 for q, _ in questions}
        )
        assert chat.counts.calls + chat.counts.answered == len(questions)
        assert chat.counts.prompt_tokens == 10 * chat.counts.calls

    with TemporaryDirectory() as folder, make(Path(folder) / "calls.db") as ledger:
        asyncio.run(run(ledger))
        assert len(list(ledger.calls())) == len({question for question, _ in questions})


def test_equal_requests_in_flight_share_one_call(ledger):
    async def run():
        fake = FakeChat(gate=asyncio.Event())
        chat = RecordedChat(fake, ledger)
        waiting = [asyncio.create_task(chat.complete(request())) for _ in range(5)]
        await called(fake)
        fake.gate.set()
        assert {reply.text for reply in await asyncio.gather(*waiting)} == {answer(request())}
        assert len(fake.asked) == 1
        assert chat.counts == Counts(calls=1, answered=4, prompt_tokens=10, completion_tokens=3)

    asyncio.run(run())


@pytest.mark.parametrize("late_reply", [lambda asked: "second", raising(ServerUnavailable("busy"))])
def test_of_two_processes_that_ask_the_same_both_get_the_reply_recorded_first(ledger, late_reply):
    """They share the ledger, not the requests in flight: each pays, and a replay can only show one."""

    async def run(other):
        first, second = FakeChat(lambda asked: "first"), FakeChat(late_reply, asyncio.Event())
        late = asyncio.create_task(RecordedChat(second, other).complete(request()))
        await called(second)
        assert (await RecordedChat(first, ledger).complete(request())).text == "first"
        second.gate.set()
        assert (await late).text == "first"

    with open_ledger(ledger.path) as other:
        asyncio.run(run(other))
    assert len(list(ledger.calls())) == 2


@pytest.mark.parametrize("cancelled", [0, 1, 2])
def test_one_who_is_cancelled_takes_nothing_from_the_others(ledger, cancelled):
    async def run():
        fake = FakeChat(gate=asyncio.Event())
        chat = RecordedChat(fake, ledger)
        waiting = [asyncio.create_task(chat.complete(request())) for _ in range(3)]
        await called(fake)
        waiting[cancelled].cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting[cancelled]
        fake.gate.set()
        others = [task for task in waiting if task is not waiting[cancelled]]
        assert [reply.text for reply in await asyncio.gather(*others)] == [answer(request())] * 2
        assert len(fake.asked) == 1
        assert fake.cancelled == 0

    asyncio.run(run())


def test_a_call_nobody_waits_for_is_cancelled_and_can_be_made_again(ledger):
    async def run():
        fake = FakeChat(gate=asyncio.Event())
        chat = RecordedChat(fake, ledger)
        waiting = [asyncio.create_task(chat.complete(request())) for _ in range(2)]
        await called(fake)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        fake.gate.set()
        # asked again at once, while the first call is still being cancelled
        assert fake.cancelled == 0
        assert (await chat.complete(request())).text == answer(request())
        assert fake.cancelled == 1
        assert len(fake.asked) == 2

    asyncio.run(run())


def test_a_reply_that_has_come_is_recorded_though_its_caller_is_cancelled(ledger):
    async def run():
        def reply(asked):
            asyncio.get_running_loop().call_soon(waiting.cancel)  # while the reply is being recorded
            return answer(asked)

        waiting = asyncio.create_task(RecordedChat(FakeChat(reply), ledger).complete(request()))
        with contextlib.suppress(asyncio.CancelledError):
            await waiting

    asyncio.run(run())
    ledger.close()
    with open_ledger(ledger.path) as reopened:
        assert find(reopened, call_key(IDENTITY, request())).reply.text == answer(request())


def test_a_failure_is_recorded_raised_in_all_and_tried_again(ledger):
    async def run():
        fake = FakeChat(raising(ServerUnavailable("the server is busy", "wait")), gate=asyncio.Event())
        chat = RecordedChat(fake, ledger)
        waiting = [asyncio.create_task(chat.complete(request())) for _ in range(3)]
        await called(fake)
        fake.gate.set()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [ServerUnavailable] * 3
        (recorded,) = ledger.calls()
        assert (recorded.error_class, recorded.error_message) == (
            "ServerUnavailable",
            "the server is busy; wait",
        )

        fake.reply = answer
        assert (await chat.complete(request())).text == answer(request())
        assert chat.counts.calls == 2

    asyncio.run(run())


def test_a_retry_without_delay_is_a_new_call(ledger):
    async def run():
        outcomes = iter([ServerUnavailable("busy"), None])

        def reply(asked):
            if error := next(outcomes):
                raise error
            return answer(asked)

        chat = RecordedChat(FakeChat(reply), ledger)

        async def patient():
            try:
                return await chat.complete(request())
            except ModelError:
                return await chat.complete(request())

        replies = await asyncio.gather(patient(), patient(), patient())
        assert [reply.text for reply in replies] == [answer(request())] * 3

    asyncio.run(run())


def test_a_refusal_comes_back_but_is_asked_again(ledger):
    refusal = ChatReply(text="I would rather not", finish_reason="refusal")
    fake = FakeChat(lambda asked: refusal)
    chat = RecordedChat(fake, ledger)
    assert [asyncio.run(chat.complete(request())) for _ in range(2)] == [refusal, refusal]
    assert len(fake.asked) == 2
    assert [call.reply for call in ledger.calls()] == [refusal, refusal]


def test_an_error_in_the_program_is_not_recorded(ledger):
    with pytest.raises(ZeroDivisionError):
        asyncio.run(RecordedChat(FakeChat(raising(ZeroDivisionError())), ledger).complete(request()))
    assert list(ledger.calls()) == []


def test_a_ledger_that_cannot_write_stops_the_call(ledger):
    def reply(asked):
        ledger.close()
        return answer(asked)

    with pytest.raises(EntpError, match="closed"):
        asyncio.run(RecordedChat(FakeChat(reply), ledger).complete(request()))


def test_no_key_gets_into_the_file(ledger):
    def reply(asked):
        try:
            raise ValueError({"Authorization": "Bearer sk-secret"})
        except ValueError as error:
            raise RequestRefused("the server refused it") from error

    fake = FakeChat(reply)
    fake.api_key = "sk-secret"
    with pytest.raises(RequestRefused):
        asyncio.run(RecordedChat(fake, ledger).complete(request()))
    assert b"refused" in b"".join(file.read_bytes() for file in ledger.path.parent.iterdir())
    assert b"secret" not in b"".join(file.read_bytes() for file in ledger.path.parent.iterdir())
