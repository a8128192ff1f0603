"""Replay: the ledger's answers, and what a miss says."""

import asyncio

import pytest

from chats import IDENTITY, FakeChat, answer, raising, request
from entp.checkpoints import open_ledger, recorded_chat
from entp.checkpoints.recorded_chat import Counts, OfflineChat, RecordedChat
from entp.records.calls import ChatReply, call_key
from entp.records.errors import ModelError, ReplayMiss, RequestRefused, ServerUnavailable


@pytest.fixture
def ledger(tmp_path):
    with open_ledger(tmp_path / "calls.db") as ledger:
        yield ledger


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
    name = f"{'Of all that moves in the sky ' * 2}name the largest "
    recorded(ledger, request(f"{name}planet."), request("What is rust?"), request("x", operator="y"))
    text = missed(ledger, request(f"{name}moon\nof Saturn."))
    nearest = call_key(IDENTITY, request(f"{name}planet."))[:12]
    assert f"the nearest, call {nearest}, first differs in messages[1].content" in text
    assert r"""asked 'moon\\nof Saturn."', recorded 'planet."'""" in text


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        (request(attempt=2), "attempt: asked '2', recorded '1'"),
        (
            request(reply_schema={"type": "array"}),
            "reply_schema.type: asked '\"array\"', recorded '\"object\"'",
        ),
        (
            request(reply_schema={"type": "object", "title": "T"}),
            "reply_schema.title: asked '\"T\"', recorded",
        ),
        (request(template_hash="ac" * 32, rules="Answer."), "template_hash: asked"),
        (request(rules="Answer in JSON."), "messages[0].content: asked '\"Answer in JSON.\"', recorded"),
    ],
)
def test_a_miss_names_the_setting_that_differs(ledger, asked, where):
    recorded(ledger, request("something else altogether", rules="Other."), request())
    assert f"first differs in {where}" in missed(ledger, asked)


def test_a_miss_names_another_model(ledger):
    recorded(ledger, request())
    text = missed(ledger, request(), IDENTITY | {"model": "large"})
    assert "first differs in identity.model: asked '\"large\"', recorded '\"small\"'" in text


def test_a_miss_in_a_ledger_without_that_operator_says_so(ledger):
    recorded(ledger, request(operator="domain_analysis"))
    assert "has no call of that operator" in missed(ledger, request())


def test_a_refusal_is_replayed_as_it_was_recorded(ledger):
    filtered = FakeChat(lambda asked: ChatReply(text="", finish_reason="content_filter"))
    asyncio.run(RecordedChat(filtered, ledger).complete(request()))
    assert asyncio.run(OfflineChat(ledger, IDENTITY).complete(request())).finish_reason == "content_filter"


def test_a_failure_is_replayed_as_it_ended_the_last_time(ledger):
    for error in (ServerUnavailable("no answer", "wait"), RequestRefused("it is too\nlong", "shorten it")):
        with pytest.raises(type(error)):
            asyncio.run(RecordedChat(FakeChat(raising(error)), ledger).complete(request()))
    with pytest.raises(RequestRefused) as replayed:
        asyncio.run(OfflineChat(ledger, IDENTITY).complete(request()))
    assert str(replayed.value) == "it is too long; shorten it"


def test_a_body_that_could_not_be_read_is_kept_and_replayed_as_the_failure_it_was(ledger):
    error = ServerUnavailable("that is no reply", "check the address", raw="<html>")
    with pytest.raises(ServerUnavailable):
        asyncio.run(RecordedChat(FakeChat(raising(error)), ledger).complete(request()))
    (call,) = ledger.calls()
    assert (call.error_class, call.reply.text, call.answers) == ("ServerUnavailable", "<html>", False)
    with pytest.raises(ServerUnavailable, match="no reply") as replayed:
        asyncio.run(OfflineChat(ledger, IDENTITY).complete(request()))
    assert replayed.value.raw == "<html>"


def test_an_answer_is_replayed_rather_than_an_earlier_or_later_failure(ledger):
    failing = RecordedChat(FakeChat(raising(ServerUnavailable("no answer"))), ledger)
    with pytest.raises(ServerUnavailable):
        asyncio.run(failing.complete(request()))
    recorded(ledger, request())
    assert asyncio.run(OfflineChat(ledger, IDENTITY).complete(request())).text == answer(request())


def test_a_miss_is_compared_with_a_bounded_number_of_calls(ledger, monkeypatch):
    monkeypatch.setattr(recorded_chat, "COMPARED", 2)
    recorded(ledger, *(request(f"number {number}") for number in range(9)))
    nearest = call_key(IDENTITY, request("number 1"))[:12]
    assert f"the nearest, call {nearest}" in missed(ledger, request("number 123"))
    monkeypatch.setattr(recorded_chat, "COMPARED", 1)
    assert f"the nearest, call {nearest}" not in missed(ledger, request("number 123"))
