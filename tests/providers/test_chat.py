"""OpenAIChat against a loopback server: what is sent and what comes back."""

from __future__ import annotations

import asyncio

import pytest

from entp.providers.chat import OpenAIChat
from entp.records.calls import ChatRequest, Usage
from entp.records.conversation import Turn
from entp.records.errors import ModelMissing, UsageError

SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
REQUEST = ChatRequest(
    operator="domain_analysis",
    template_hash="0" * 64,
    messages=(Turn(role="system", content="Be brief."), Turn(role="user", content="Which domain? 🦆")),
    temperature=0.4,
    reply_schema=SCHEMA,
)


def ask(chat, request=REQUEST):
    async def run():
        try:
            return await chat.complete(request)
        finally:
            await chat.aclose()

    return asyncio.run(run())


def check(chat):
    async def run():
        try:
            await chat.check()
        finally:
            await chat.aclose()

    asyncio.run(run())


def test_a_reply_comes_back_with_text_usage_and_latency(loopback):
    server = loopback.start(lambda request: loopback.completion('{"a": "é"}'))
    reply = ask(OpenAIChat("m", server.base_url))
    assert reply.text == '{"a": "é"}'
    assert reply.finish_reason == "stop"
    assert reply.usage == Usage(prompt_tokens=11, completion_tokens=7)
    assert 0 < reply.latency_s < 60


def test_what_is_sent(loopback):
    server = loopback.start(lambda request: loopback.completion())
    ask(OpenAIChat("m", server.base_url, "key-of-mine", max_tokens=99))
    (call,) = server.calls()
    assert call.path == "/v1/chat/completions"
    assert call.headers["authorization"] == "Bearer key-of-mine"
    assert call.body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Which domain? 🦆"},
        ],
        "temperature": 0.4,
        "max_tokens": 99,
        "stream": False,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "domain_analysis", "schema": SCHEMA, "strict": True},
        },
    }


@pytest.mark.parametrize(("mode", "sent"), [("json_object", {"type": "json_object"}), ("plain", None)])
def test_other_reply_modes(loopback, mode, sent):
    server = loopback.start(lambda request: loopback.completion())
    ask(OpenAIChat("m", server.base_url, reply_mode=mode))
    assert server.calls()[0].body.get("response_format") == sent


def test_an_unbounded_schema_says_keys_and_types_only(loopback):
    server = loopback.start(lambda request: loopback.completion())
    bounds = {"minimum": 1, "maximum": 10, "minLength": 1, "maxLength": 9, "pattern": "a"}
    bounded = {
        "type": "object",
        "properties": {
            "maximum": {"type": "integer", **bounds},  # a name, not a keyword
            "kind": {"anyOf": [{"enum": ["a", "b"], "type": "string"}, {"type": "null"}]},
            "items": {
                "type": "array",
                "items": {"type": "string", "maxLength": 3},
                "maxItems": 2,
                "minItems": 1,
            },
        },
        "required": ["maximum", "kind", "items"],
        "additionalProperties": False,
    }
    chat = OpenAIChat("m", server.base_url, reply_mode="json_schema_unbounded")
    ask(chat, REQUEST.model_copy(update={"reply_schema": bounded}))
    sent = server.calls()[0].body["response_format"]
    assert (sent["type"], sent["json_schema"]["strict"]) == ("json_schema", True)
    assert sent["json_schema"]["schema"] == {
        **bounded,
        "properties": {
            "maximum": {"type": "integer"},
            "kind": bounded["properties"]["kind"],
            "items": {"type": "array", "items": {"type": "string"}},
        },
    }


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("eos", "other"),
        (None, "other"),
    ],
)
@pytest.mark.parametrize("mode", ["json_schema", "plain"])
def test_finish_reasons_keep_the_text(loopback, mode, sent, read):
    server = loopback.start(lambda request: loopback.completion('{"a": "cut of', finish_reason=sent))
    reply = ask(OpenAIChat("m", server.base_url, reply_mode=mode))
    assert (reply.finish_reason, reply.text) == (read, '{"a": "cut of')
    assert reply.usage.completion_tokens == 7


def test_a_refusal_is_a_reply(loopback):
    server = loopback.start(lambda request: loopback.completion(None, refusal="I cannot help with that."))
    reply = ask(OpenAIChat("m", server.base_url))
    assert (reply.finish_reason, reply.text) == ("refusal", "I cannot help with that.")


def test_a_server_that_counts_no_tokens(loopback):
    def script(request):
        answer = loopback.completion()
        del answer.body["usage"]
        return answer

    assert ask(OpenAIChat("m", loopback.start(script).base_url)).usage == Usage()


def test_check_passes_where_the_model_is_listed(loopback):
    check(OpenAIChat("m", loopback.start(lambda request: loopback.models("a", "m")).base_url))
    check(OpenAIChat("m", loopback.start(lambda request: loopback.models("m:latest")).base_url))


def test_check_passes_where_there_is_no_list(loopback):
    for answer in (loopback.refused(404, "no such page"), loopback.models()):
        server = loopback.start(lambda request, answer=answer: answer)
        check(OpenAIChat("m", server.base_url))
        assert [request.path for request in server.received] == ["/v1/models"]


def test_check_names_what_is_offered(loopback):
    server = loopback.start(lambda request: loopback.models(*(f"model-{n}" for n in range(12))))
    with pytest.raises(ModelMissing, match=r"'m' is not known .* model-0, .* and 4 more") as caught:
        check(OpenAIChat("m", server.base_url))
    assert "\n" not in str(caught.value)


def test_one_chat_serves_one_event_loop_after_another(loopback):
    server = loopback.start(lambda request: loopback.completion("again"))
    chat = OpenAIChat("m", server.base_url)
    assert [ask(chat).text, ask(chat).text] == ["again", "again"]


def test_identity_is_what_shapes_the_answer(loopback):
    chat = OpenAIChat("m", "http://one/v1", "key", reply_mode="plain", max_tokens=5, timeout_s=1)
    other = OpenAIChat("m", "http://two/v1", reply_mode="plain", max_tokens=5)
    assert chat.identity == other.identity == {"model": "m", "max_tokens": 5, "reply_mode": "plain"}


@pytest.mark.parametrize(
    "url",
    ["host:8000/v1", "ftp://host/v1", "http://", "nonsense", "http://[", "http://host:port", "u:hidden@host"],
)
def test_an_address_that_is_none(url):
    with pytest.raises(UsageError, match="no address") as caught:
        OpenAIChat("m", url)
    assert "hidden" not in str(caught.value)
