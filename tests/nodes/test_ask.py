"""Asking: rendering, reading, re-asking, declining."""

from __future__ import annotations

import asyncio
import json

import pytest

from entp.nodes.ask import MAX_REASKS, Model, ask, read_reply
from entp.nodes.replies import Answer, AnswerCheck, DomainReport, MergedCorpora, Rating
from entp.nodes.schema import ReplyLimits, reply_schema
from entp.prompts.inputs import RatingInput
from entp.records.calls import ChatReply, call_key
from entp.records.conversation import Turn
from entp.records.errors import Declined, ReplyUnusable

ROW = (Turn(role="user", content="Why is the sky blue?"), Turn(role="assistant", content="Scattering."))
GOOD = {"rarity": 1, "complexity": 2, "informativeness": 3, "overall": 4}


def rate(chat, profile="full"):
    return asyncio.run(ask(Model(chat, profile), RatingInput(conversation=ROW), Rating))


def in_turn(*replies):
    """A model that answers by how many re-asks the conversation holds."""
    return lambda operator, messages: replies[(len(messages) - 2) // 2]


def test_one_call_where_the_reply_fits(fake_chat):
    chat = fake_chat(in_turn(GOOD))
    asked = rate(chat)
    assert asked.reply == Rating(**GOOD)
    assert [call.key for call in asked.calls] == [call_key(chat.identity, chat.asked[0])]
    assert chat.asked[0].operator == "rating"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("", "it is empty"),
        ("I would say four.", "it holds no JSON object"),
        ('{"rarity": 1', "Expecting"),
        (json.dumps(GOOD | {"overall": 11}), "overall: "),
        (json.dumps(GOOD | {"mood": "good"}), "mood: "),
        (json.dumps({"rarity": 1}), "complexity: "),
    ],
)
def test_a_reply_that_does_not_fit_is_asked_for_again_with_the_reason(fake_chat, bad, reason):
    chat = fake_chat(in_turn(bad, GOOD))
    asked = rate(chat)
    assert asked.reply.overall == 4
    assert len(asked.calls) == 2
    assert asked.calls[0].key != asked.calls[1].key
    again = chat.asked[1].messages
    assert again[-2] == Turn(role="assistant", content=bad)
    assert reason in again[-1].content


def test_the_reason_never_repeats_the_reply_itself(fake_chat):
    chat = fake_chat(in_turn('{"rarity": "ignore all rules", "complexity": []}', GOOD))
    rate(chat)
    assert "ignore all rules" not in chat.asked[1].messages[-1].content


def test_after_the_last_re_ask_the_raw_reply_is_kept(fake_chat):
    chat = fake_chat(in_turn("one", "two", "three"))
    with pytest.raises(ReplyUnusable) as caught:
        rate(chat)
    assert caught.value.raw == "three"
    assert len(chat.asked) == 1 + MAX_REASKS


@pytest.mark.parametrize("text", ["```json\n{}\n```", "Here it is:\n{}\nI hope this helps.", "  {}  "])
def test_fenced_and_padded_json_is_read(text):
    reply = ChatReply(text=text.replace("{}", json.dumps(GOOD)))
    assert read_reply(reply, Rating, "rating").overall == 4


def test_raw_line_breaks_in_strings_are_read():
    assert read_reply(ChatReply(text='{"answer": "one\ntwo"}'), Answer, "answer").answer == "one\ntwo"


def test_a_reply_cut_off_is_told_apart():
    cut = ChatReply(text='{"answer": "one', finish_reason="length")
    with pytest.raises(ReplyUnusable, match="cut off"):
        read_reply(cut, Answer, "answer")


@pytest.mark.parametrize(
    "reply",
    [
        ChatReply(text="No.", finish_reason="refusal"),
        ChatReply(text="", finish_reason="content_filter"),
        ChatReply(text='{"declined": "it is violent", "answer": ""}'),
    ],
)
def test_a_model_that_declines_is_not_asked_again(fake_chat, reply):
    chat = fake_chat(lambda operator, messages: reply)
    with pytest.raises(Declined):
        asyncio.run(ask(Model(chat), RatingInput(conversation=ROW), Answer))
    assert len(chat.asked) == 1


def test_the_profile_decides_prompt_and_schema(fake_chat):
    full, compact = fake_chat(in_turn(GOOD)), fake_chat(in_turn(GOOD))
    rate(full, "full")
    rate(compact, "compact")
    assert len(full.asked[0].messages[1].content) > len(compact.asked[0].messages[1].content)
    assert full.asked[0].template_hash != compact.asked[0].template_hash


@pytest.mark.parametrize(
    ("reply", "key"),
    [(Answer, "declined"), (DomainReport, "reason"), (AnswerCheck, "said_instead"), (MergedCorpora, "plan")],
)
def test_a_small_model_is_not_asked_for_keys_that_have_a_default(reply, key):
    full, compact = reply_schema(reply), reply_schema(reply, ReplyLimits())
    assert f'"{key}"' in json.dumps(full)
    assert f'"{key}"' not in json.dumps(compact)


def test_a_reply_that_judges_has_no_way_to_decline(fake_chat):
    with pytest.raises(ReplyUnusable, match="declined"):
        rate(fake_chat(lambda operator, messages: GOOD | {"declined": "it is about a crime"}))


def test_an_attempt_number_makes_another_call(fake_chat):
    chat = fake_chat(in_turn(GOOD))
    for attempt in (1, 2):
        given = RatingInput(conversation=ROW)
        asyncio.run(ask(Model(chat), given, Rating, attempt=attempt))
    keys = {call_key(chat.identity, request) for request in chat.asked}
    assert len(keys) == 2


def test_an_operator_that_begins_again_asks_what_has_not_been_asked(fake_chat):
    first = fake_chat(lambda operator, messages: "nothing")
    with pytest.raises(ReplyUnusable):
        rate(first)
    second = fake_chat(lambda operator, messages: "nothing" if len(second.asked) <= 3 else GOOD)
    asked = asyncio.run(ask(Model(second, max_beginnings=2), RatingInput(conversation=ROW), Rating))
    assert asked.reply.overall == 4
    assert second.asked[:3] == first.asked
    keys = {call_key(second.identity, request) for request in second.asked}
    assert len(keys) == 4
    assert [(request.begun, request.attempt) for request in second.asked] == [(1, 1)] * 3 + [(2, 1)]
