"""What a user reads when a model server fails: the right error, one line, and never the key."""

from __future__ import annotations

import asyncio
import logging
import socket
import traceback

import openai
import pytest

from entp.providers.chat import OpenAIChat
from entp.providers.failures import Server
from entp.records.calls import ChatRequest
from entp.records.conversation import Turn
from entp.records.errors import (
    AccessRefused,
    ModelError,
    ModelMissing,
    RequestRefused,
    ServerUnavailable,
)

KEY = "sk-proj-Zz9secretsecretsecretWxQz"
REQUEST = ChatRequest(
    operator="o",
    template_hash="h",
    messages=(Turn(role="user", content="hello"),),
    temperature=0,
    reply_schema={"type": "object"},
)


def failure(base_url, *, method="complete", key=KEY, request=REQUEST, **settings):
    """The error that one call ends with."""

    async def run():
        chat = OpenAIChat("the-model", base_url, key, **({"retries": 0} | settings))
        try:
            await (chat.complete(request) if method == "complete" else chat.check())
        finally:
            await chat.aclose()

    with pytest.raises(ModelError) as caught:
        asyncio.run(run())
    assert "\n" not in str(caught.value)
    return caught.value


def answered(loopback, answer, **settings):
    return failure(loopback.start(lambda request: answer).base_url, **settings)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, ServerUnavailable),
        (400, RequestRefused),
        (401, AccessRefused),
        (402, AccessRefused),
        (403, AccessRefused),
        (404, ModelMissing),
        (408, ServerUnavailable),
        (409, ServerUnavailable),
        (413, RequestRefused),
        (422, RequestRefused),
        (425, ServerUnavailable),
        (429, ServerUnavailable),
        (500, ServerUnavailable),
        (503, ServerUnavailable),
        (529, ServerUnavailable),
    ],
)
def test_each_status_is_one_kind_of_failure(loopback, status, kind):
    error = answered(loopback, loopback.refused(status, "because\nof this"))
    assert type(error) is kind
    assert "127.0.0.1" in str(error)
    assert status in {401} or "because of this" in str(error)


def test_the_key_does_not_follow_a_redirect(loopback):
    elsewhere = loopback.start(lambda request: loopback.completion())
    location = f"{elsewhere.base_url}/chat/completions"
    error = answered(loopback, loopback.answer("", 307, {"Location": location}))
    assert type(error) is ServerUnavailable
    assert "redirect" in str(error)
    assert elsewhere.received == []


def test_no_quota_is_no_reason_to_wait(loopback):
    error = answered(loopback, loopback.refused(429, "You exceeded your quota.", "insufficient_quota"))
    assert type(error) is AccessRefused
    assert "no quota left" in str(error)


def test_a_refused_key_says_how_to_give_one(loopback):
    error = answered(loopback, loopback.refused(401, "bad key"))
    assert "OPENAI_API_KEY" in error.remedy
    assert "--key-file" in error.remedy


def test_a_missing_model_is_named_with_what_there_is(loopback):
    def script(request):
        if request.method == "GET":
            return loopback.models("small", "large")
        return loopback.refused(404, "The model does not exist", "model_not_found")

    error = failure(loopback.start(script).base_url)
    assert type(error) is ModelMissing
    assert "'the-model'" in str(error)
    assert "large, small" in str(error)


def test_a_missing_model_where_nothing_is_listed(loopback):
    error = answered(loopback, loopback.refused(404, "Not Found"))
    assert "'the-model'" in str(error)
    assert "/v1" in error.remedy


def test_a_long_message_is_cut(loopback):
    error = answered(loopback, loopback.refused(400, "too long " * 500))
    assert 250 < len(str(error)) < 450


def test_a_refused_reply_format_names_the_other_modes(loopback):
    error = answered(loopback, loopback.refused(400, "response_format is not supported"))
    assert "json_object" in error.remedy


@pytest.mark.parametrize("body", [{"detail": "not there"}, {"error": "not there"}, "not there"])
def test_servers_word_their_errors_in_several_ways(loopback, body):
    assert "not there" in str(answered(loopback, loopback.answer(body, 400)))


HTML = "<html><body><h1>Sign in</h1></body></html>"


@pytest.mark.parametrize("method", ["complete", "check"])
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (HTML, "text/html"),
        (HTML, "application/json"),
        ("", "application/json"),
        ("", "text/plain"),
        ("[]", "application/json"),
        ("null", "application/json"),
        ('"text"', "application/json"),
        ('{"choices": [', "application/json"),
        ('{"data": 5}', "application/json"),
    ],
)
def test_what_is_no_reply_counts_as_unavailable(loopback, method, body, content_type):
    error = answered(loopback, loopback.answer(body, content_type=content_type), method=method)
    assert type(error) is ServerUnavailable
    assert "/v1" in error.remedy


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"choices": None},
        {"choices": []},
        {"choices": [{}]},
        {"choices": [{"message": None}]},
        {"error": {"message": "upstream failed", "code": 502}},
    ],
)
def test_a_body_without_a_completion_counts_as_unavailable(loopback, body):
    assert type(answered(loopback, loopback.answer(body))) is ServerUnavailable


def test_a_page_of_html_is_not_quoted(loopback):
    error = answered(loopback, loopback.answer(HTML, 502, content_type="text/html"))
    assert "answered 502: a page of HTML" in str(error)


def test_a_connection_that_breaks_half_way(loopback):
    answer = loopback.completion("x" * 5000)
    error = answered(loopback, loopback.answer(answer.body, cut=True))
    assert type(error) is ServerUnavailable


@pytest.mark.parametrize("method", ["complete", "check"])
def test_nobody_listens(method):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    error = failure(f"http://127.0.0.1:{port}/v1", method=method)
    assert type(error) is ServerUnavailable
    assert f"127.0.0.1:{port}" in str(error)
    assert "running" in error.remedy


def test_check_raises_what_stops_a_run(loopback):
    assert type(answered(loopback, loopback.refused(401, "bad key"), method="check")) is AccessRefused
    assert type(answered(loopback, loopback.models("other"), method="check")) is ModelMissing
    assert type(answered(loopback, loopback.refused(500, "down"), method="check")) is ServerUnavailable


def test_the_vendors_exception_is_kept_as_the_cause(loopback):
    error = answered(loopback, loopback.refused(500, "down"))
    assert isinstance(error.__cause__, openai.InternalServerError)


ECHOES = [
    f"Incorrect API key provided: {KEY}. You can find it in your settings.",
    f"Incorrect API key provided: {KEY[:8]}{'*' * 17}{KEY[-4:]}.",
    f"header was 'Authorization: Bearer {KEY}'",
]


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("method", ["complete", "check"])
def test_the_key_is_never_shown(loopback, caplog, capfd, echo, method):
    caplog.set_level(logging.DEBUG)
    statuses = [400, 401, 403, 404, 422, 429, 500]
    left = list(statuses)
    # the list of models, asked for when one is missing, is no step of its own
    expected = "POST" if method == "complete" else "GET"
    server = loopback.start(
        lambda request: loopback.refused(left.pop(0) if request.method == expected else 500, echo)
    )
    shown = []

    async def run():
        chat = OpenAIChat("the-model", server.base_url, KEY, retries=0)
        for _ in statuses:
            try:
                await (chat.complete(REQUEST) if method == "complete" else chat.check())
            except ModelError as error:
                shown.extend([str(error), repr(error), *traceback.format_exception(error)])
        shown.append(repr(chat))
        await chat.aclose()

    asyncio.run(run())
    shown += [caplog.text, *capfd.readouterr()]
    assert left == []
    assert "AccessRefused" in "".join(shown)
    assert server.received[0].headers["authorization"] == f"Bearer {KEY}"
    assert "secret" not in "".join(shown)
    assert KEY[-4:] not in "".join(shown)


def test_a_text_that_utf8_cannot_carry_is_this_requests_fault(loopback):
    server = loopback.start(lambda request: loopback.completion())
    broken = REQUEST.model_copy(update={"messages": (Turn(role="user", content="half \ud83d"),)})
    error = failure(server.base_url, request=broken)
    assert type(error) is RequestRefused
    assert server.received == []


@pytest.mark.parametrize("odd", [{"type": {}}, {"code": ["x"]}, {"message": {"a": 1}}, {"message": None}])
def test_odd_errors_are_still_errors(loopback, odd):
    answer = loopback.answer({"error": {"message": "m"} | odd}, 429)
    assert type(answered(loopback, answer)) is ServerUnavailable


def test_a_key_in_the_address_is_never_shown(loopback):
    server = loopback.start(lambda request: loopback.refused(500, "down"))
    url = server.base_url.replace("http://", "http://user:hidden-password@") + "?token=hidden-token"
    error = failure(url, key=None)
    assert "hidden" not in "".join(traceback.format_exception(error))
    server_of_mine = Server(url, "m", "hidden-key")
    assert "hidden" not in repr(server_of_mine)
    assert "hidden" not in server_of_mine.scrub("got user:hidden-password@host and hidden-key")


@pytest.mark.parametrize("key", ["mine alone", "mine\n", "schlüssel"])
def test_a_key_that_is_none_is_refused_unseen(key):
    with pytest.raises(AccessRefused) as caught:
        OpenAIChat("m", "http://127.0.0.1:9/v1", key)
    assert key.strip() not in str(caught.value)
