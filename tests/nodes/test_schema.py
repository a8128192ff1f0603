"""The JSON schemas that servers are given."""

from __future__ import annotations

import json

import pytest

from entp.nodes import replies
from entp.nodes.schema import ReplyLimits, reply_schema

REPLIES = [
    replies.Rating,
    replies.DomainReport,
    replies.MergedCorpora,
    replies.MergedVariant,
    replies.CompletenessReport,
    replies.AnswerCheck,
    replies.Answer,
]


def objects(node):
    if isinstance(node, list):
        for item in node:
            yield from objects(item)
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield node
        for value in node.values():
            yield from objects(value)


def strings(node):
    if isinstance(node, list):
        for item in node:
            yield from strings(item)
    if isinstance(node, dict):
        if node.get("type") == "string":
            yield node
        for value in node.values():
            yield from strings(value)


@pytest.mark.parametrize("limits", [None, ReplyLimits()], ids=["full", "compact"])
@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: reply.__name__)
def test_every_object_names_all_its_keys_and_allows_no_other(reply, limits):
    schema = reply_schema(reply, limits)
    for node in objects(schema):
        assert node["required"] == list(node["properties"])
        assert node["additionalProperties"] is False
    assert "$ref" not in json.dumps(schema)


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: reply.__name__)
def test_small_models_get_every_length_bounded(reply):
    schema = reply_schema(
        reply, ReplyLimits(text_characters=77, sentence_characters=66, phrase_characters=55)
    )
    bounded = [node for node in strings(schema) if "enum" not in node]
    assert all(node["maxLength"] in {77, 66, 55} for node in bounded)
    assert all("maxLength" not in node for node in strings(reply_schema(reply)))


def test_a_small_model_writes_one_exchange_and_three_variants():
    variants = reply_schema(replies.MergedCorpora, ReplyLimits())["properties"]["variants"]
    assert (variants["minItems"], variants["maxItems"]) == (3, 3)
    exchanges = variants["items"]["properties"]["exchanges"]
    assert exchanges["maxItems"] == 1
    # it would take `user` for the name of somebody, and answer in one word
    assert list(exchanges["items"]["properties"]) == ["question", "answer"]
    assert {part["minLength"] for part in exchanges["items"]["properties"].values()} == {20}


def test_the_names_that_a_small_model_is_asked_for_are_read_like_the_others():
    asked, stored = ({"question": "How?", "answer": "So."}, {"user": "How?", "assistant": "So."})
    assert replies.Exchange.model_validate(asked) == replies.Exchange.model_validate(stored)


def test_a_small_model_chooses_a_fraction_from_a_list():
    similarity = reply_schema(replies.DomainReport, ReplyLimits())["properties"]["semantic_similarity"]
    assert similarity["enum"] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
