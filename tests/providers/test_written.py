"""Replies that are written by hand: which request gets which, and that nothing is answered by guess."""

from __future__ import annotations

import asyncio
import json

import pytest

from entp.providers.written import NAME, WrittenChat
from entp.records.calls import ChatRequest
from entp.records.conversation import Turn
from entp.records.errors import EntpError


@pytest.fixture
def chat(tmp_path):
    groups = [
        {
            "of": name,
            "phrases": [f"about {name}"],
            "replies": [
                {"operator": "answer", "attempt": attempt, "reply": {"answer": f"{name} {attempt}"}}
                for attempt in (2, 3)
            ],
        }
        for name in ("leaves", "lamps")
    ]
    path = tmp_path / "replies.json"
    path.write_text(json.dumps({"about": "a test", "groups": groups}), "utf-8")
    return WrittenChat(path)


def ask(chat, shown, operator="answer", attempt=2):
    request = ChatRequest(
        operator=operator,
        template_hash="0",
        messages=(Turn(role="system", content="about leaves"), Turn(role="user", content=shown)),
        temperature=0,
        reply_schema={},
        attempt=attempt,
    )
    return json.loads(asyncio.run(chat.complete(request)).text)["answer"]


def test_a_request_is_known_by_operator_attempt_and_text(chat):
    assert ask(chat, "a row about leaves") == "leaves 2"
    assert ask(chat, "a row about lamps", attempt=3) == "lamps 3"
    assert chat.identity == {"model": NAME}


@pytest.mark.parametrize(
    "other", [{"shown": "a row about cats"}, {"operator": "redundant"}, {"attempt": 1}], ids=str
)
def test_what_is_not_written_is_an_error(chat, other):
    with pytest.raises(EntpError, match="no reply is written for"):
        ask(chat, **{"shown": "a row about leaves", **other})
