"""Conversations and hashes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entp.records.conversation import (
    Turn,
    from_json,
    last_content,
    out_of_order,
    to_json,
    with_last_answer,
)
from entp.records.errors import EntpError, ServerUnavailable
from entp.records.hashing import tagged_hash
from entp.records.rows import content_hash


def turns(*roles):
    return tuple(Turn(role=role, content=f"{role} {at}") for at, role in enumerate(roles))


@pytest.mark.parametrize(
    "roles",
    [
        ("user", "assistant"),
        ("system", "user", "assistant"),
        ("user", "assistant", "user", "assistant"),
    ],
)
def test_order(roles):
    assert out_of_order(turns(*roles)) is None


@pytest.mark.parametrize(
    ("roles", "wrong"),
    [
        ((), "no user"),
        (("system",), "no user"),
        (("assistant", "user"), "turn 1 is assistant"),
        (("user", "user"), "turn 2 is user"),
        (("user", "assistant", "user"), "the last turn is user"),
        (("user", "system"), "turn 2 is system"),
    ],
)
def test_out_of_order(roles, wrong):
    assert wrong in out_of_order(turns(*roles))


def test_the_last_answer_is_replaced_and_nothing_else():
    before = turns("user", "assistant", "user", "assistant")
    after = with_last_answer(before, "new")
    assert after[:3] == before[:3]
    assert last_content(after, "assistant") == "new"


def test_a_missing_answer_is_added():
    assert with_last_answer(turns("user"), "new")[1] == Turn(role="assistant", content="new")


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text()), max_size=6))
def test_json_gives_the_turns_back(pairs):
    made = tuple(Turn(role=role, content=content) for role, content in pairs)
    assert from_json(to_json(made)) == made
    assert content_hash(made) == content_hash(from_json(to_json(made)))


def test_a_hash_depends_on_its_tag():
    assert tagged_hash("row", ["a"]) != tagged_hash("call", ["a"])


def test_an_error_is_one_line():
    assert str(EntpError("first\nsecond", "do\tthis")) == "first second; do this"
    assert ServerUnavailable("gone", retry_after_s=2.0).retryable
