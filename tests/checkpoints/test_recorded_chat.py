import asyncio
import contextlib
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entp.checkpoints import recorded_chat
from entp.checkpoints.ledger import Ledger
from entp.checkpoints.recorded_chat import Counts, OfflineChat, RecordedChat
from entp.records.calls import ChatReply, ChatRequest, Usage, call_key
from entp.records.conversation import Turn
from entp.records.errors import EntpError, ModelError, ReplayMiss, RequestRefused, ServerUnavailable

IDENTITY = {"model": "small", "most_tokens": 512}


def request(question="one", rules="Answer with JSON.", operator="rating", **more):
    messages = (Turn(role="system", content=rules), Turn(role="user", content=question))
    given = {"template_hash": "ab" * 32, "temperature": 0.2, "reply_schema": {"type": "object"}}
    return ChatRequest(operator=operator, messages=messages, **given | more)


def answer(asked):
    return f"{asked.operator} to {asked.messages[-1].content}"


class FakeChat:
    """Answers each request as a function of it; `gate`, where there is one, holds the replies back."""

    identity = IDENTITY

    def __init__(self, reply=answer, gate=None):
        self.reply = reply
        self.gate = gate
        self.asked = []
        self.cancelled = 0

    async def complete(self, asked):
        self.asked.append(asked)
        try:
            if self.gate:
                await self.gate.wait()
        except asyncio.CancelledError:
            for _ in range(9):  # as a client does that closes its connection
                await asyncio.sleep(0)
            self.cancelled += 1
            raise
        reply = self.reply(asked)
        if isinstance(reply, str):
            reply = ChatReply(text=reply, usage=Usage(prompt_tokens=10, completion_tokens=3))
        return reply


def raising(error):
    def reply(asked):
        raise error

    return reply


async def called(chat):
    """Wait until the model has been asked."""
    while not chat.asked:
        await asyncio.sleep(0)


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "calls.db") as ledger:
        yield ledger


def test_a_reply_is_in_the_ledger_before_it_is_used(ledger):
    asked = request()
    reply = asyncio.run(RecordedChat(FakeChat(), ledger).complete(asked))
    found = ledger.find(call_key(IDENTITY, asked))
    assert found.reply == reply
    assert found.request == asked
    assert found.identity == IDENTITY


def test_a_recorded_reply_needs_no_call(tmp_path):
    first, second = FakeChat(), FakeChat(reply=raising(AssertionError))
    with Ledger(tmp_path / "calls.db") as ledger:
        reply = asyncio.run(RecordedChat(first, ledger).complete(request()))
    with Ledger(tmp_path / "calls.db") as ledger:
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


@settings(max_examples=30, deadline=None)
@given(
    questions=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=60),
    limit=st.integers(1, 64),
)
def test_each_distinct_request_is_sent_once_and_all_get_its_reply(questions, limit):
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

    with TemporaryDirectory() as folder, Ledger(Path(folder) / "calls.db") as ledger:
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


def test_a_call_nobody_waits_for_is_cancelled_and_can_be_made_anew(ledger):
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
    with Ledger(ledger.path) as reopened:
        assert reopened.find(call_key(IDENTITY, request())).reply.text == answer(request())


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


def recorded(ledger, *requests):
    chat = RecordedChat(FakeChat(), ledger)
    for asked in requests:
        asyncio.run(chat.complete(asked))


def missed(ledger, asked, identity=IDENTITY):
    with pytest.raises(ReplayMiss) as caught:
        asyncio.run(OfflineChat(ledger, identity).complete(asked))
    assert not isinstance(caught.value, ModelError)  # never to be taken for a failure of the model
    assert caught.value.operator == asked.operator
    assert caught.value.key == call_key(identity, asked)
    text = str(caught.value)
    assert f"{asked.operator} (call {caught.value.key[:12]})" in text
    assert "\n" not in text
    return text


def test_a_replay_gives_what_was_recorded(ledger):
    recorded(ledger, request("one"), request("two"))
    chat = OfflineChat(ledger, IDENTITY)
    assert asyncio.run(chat.complete(request("two"))).text == answer(request("two"))
    assert chat.counts == Counts(answered=1)


def test_a_miss_shows_where_the_nearest_request_first_differs(ledger):
    recorded(
        ledger, request("Name the largest planet."), request("What is rust?"), request("x", operator="y")
    )
    text = missed(ledger, request("Name the largest moon\nof Saturn."))
    nearest = call_key(IDENTITY, request("Name the largest planet."))[:12]
    assert f"the nearest, call {nearest}, first differs in messages[1].content" in text
    assert r"""asked 'moon\\nof Saturn."', recorded 'planet."'""" in text


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        (request(attempt=2), "attempt: asked '2', recorded '1'"),
        (request(reply_schema={"type": "array"}), "reply_schema.type: asked 'array"),
        (
            request(reply_schema={"type": "object", "title": "T"}),
            "reply_schema.title: asked '\"T\"', recorded",
        ),
        (request(template_hash="ac" * 32, rules="Answer."), "template_hash: asked"),
        (request(rules="Answer in JSON."), "messages[0].content: asked 'in JSON"),
    ],
)
def test_a_miss_names_the_setting_that_differs(ledger, asked, where):
    recorded(ledger, request("something else altogether", rules="Other."), request())
    assert f"first differs in {where}" in missed(ledger, asked)


def test_a_miss_names_another_model(ledger):
    recorded(ledger, request())
    text = missed(ledger, request(), IDENTITY | {"model": "large"})
    assert "first differs in identity.model: asked 'large" in text


def test_a_miss_in_a_ledger_without_that_operator_says_so(ledger):
    recorded(ledger, request(operator="domain_analysis"))
    assert "holds no call of that operator" in missed(ledger, request())


def test_a_recorded_failure_is_a_miss_that_says_how_it_ended(ledger, monkeypatch):
    monkeypatch.setattr(recorded_chat, "COMPARED", 2)
    recorded(ledger, *(request(str(number)) for number in range(3)))
    filtered = FakeChat(lambda asked: ChatReply(text="", finish_reason="content_filter"))
    asyncio.run(RecordedChat(filtered, ledger).complete(request()))
    assert "the same request was recorded and ended in content_filter" in missed(ledger, request())


def test_a_miss_is_compared_with_a_bounded_number_of_calls(ledger, monkeypatch):
    monkeypatch.setattr(recorded_chat, "COMPARED", 2)
    recorded(ledger, *(request(f"number {number}") for number in range(9)))
    nearest = call_key(IDENTITY, request("number 1"))[:12]
    assert f"the nearest, call {nearest}" in missed(ledger, request("number 123"))
    monkeypatch.setattr(recorded_chat, "COMPARED", 1)
    assert f"the nearest, call {nearest}" not in missed(ledger, request("number 123"))
