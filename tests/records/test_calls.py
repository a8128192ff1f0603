"""The key of a call: the same for ever, and another for whatever shapes the answer."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entp.records.calls import ChatRequest, call_key
from entp.records.conversation import Turn, to_json
from entp.records.hashing import tagged_hash

IDENTITY = {"model": "small", "max_tokens": 512, "reply_mode": "json_schema"}
REQUEST = ChatRequest(
    operator="rating",
    template_hash="ab" * 32,
    messages=(Turn(role="system", content="Rate."), Turn(role="user", content='Grüße\n"so"')),
    temperature=0.2,
    reply_schema={"type": "object", "properties": {"overall": {"type": "integer"}}},
)

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
requests = st.builds(
    ChatRequest,
    operator=st.text(max_size=9),
    template_hash=st.text("0123456789abcdef", min_size=4, max_size=4),
    messages=st.lists(
        st.builds(Turn, role=st.sampled_from(["system", "user"]), content=st.text(st.characters()))
    ).map(tuple),
    temperature=st.floats(0, 2),
    reply_schema=st.dictionaries(st.text(), any_json, max_size=3),
    attempt=st.integers(1, 10**6),
    begun=st.integers(1, 3),
)


def in_key(request):
    """What of a request is in its key: fields that have been added are not at their default."""
    values = request.model_dump(mode="json") | {"messages": to_json(request.messages)}
    if request.begun == 1:
        del values["begun"]
    return values


def test_keys_of_ledgers_that_exist_stay_what_they_are():
    assert call_key(IDENTITY, REQUEST) == "36e85f9499e159aef7ab303e0eb4052cc151a0124b280cda3fa227c9ae3d62cd"


@given(st.dictionaries(st.text(), any_json, max_size=3), requests)
def test_a_key_is_the_tagged_hash_of_identity_and_request(identity, request):
    asked = in_key(request)
    assert call_key(identity, request) == tagged_hash("call", {"identity": identity, "request": asked})
    assert json.loads(request.frame) == {name: asked[name] for name in asked if name != "messages"}
    assert request == ChatRequest(**request.model_dump())


@pytest.mark.parametrize(
    "changed",
    [
        {"attempt": 2},
        {"begun": 2},
        {"temperature": 0.4},
        {"messages": ()},
        {"operator": "terms"},
        {"reply_schema": {}},
    ],
)
def test_a_changed_copy_has_another_key(changed):
    before = call_key(IDENTITY, REQUEST)
    copy = REQUEST.model_copy(update=changed)
    assert (
        call_key(IDENTITY, copy)
        == call_key(IDENTITY, ChatRequest(**REQUEST.model_dump() | changed))
        != before
    )
    assert call_key(IDENTITY, REQUEST) == before


class GrownRequest(ChatRequest):
    """A request as it may become: with fields whose names come before and after all others."""

    abroad: str = ""
    zeal: int | None = None


@pytest.mark.parametrize("added", [{"abroad": "yes"}, {"zeal": 3}, {"abroad": "yes", "zeal": 3}])
def test_a_field_that_is_added_changes_no_key_at_its_default(added):
    values = REQUEST.model_dump()
    assert call_key(IDENTITY, GrownRequest(**values)) == call_key(IDENTITY, REQUEST)
    asked = in_key(REQUEST) | added
    wanted = tagged_hash("call", {"identity": IDENTITY, "request": asked})
    assert call_key(IDENTITY, GrownRequest(**values, **added)) == wanted
