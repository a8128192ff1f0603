"""OpenAIChat against a loopback server: what is sent, what comes back, how often it is tried."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from entp.providers.chat import OpenAIChat
from entp.records.calls import ChatRequest, Usage
from entp.records.conversation import Turn
from entp.records.errors import ModelMissing, RequestRefused, ServerUnavailable, UsageError

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


class Waits(list):
    """Records the waits that are asked for, and waits for none."""

    async def __call__(self, seconds):
        self.append(seconds)


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


def in_turn(*answers):
    """A script that gives these answers one after another, the last one for ever."""
    left = list(answers)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


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


def test_many_requests_share_the_slots(loopback):
    open_now, most = [], []
    three = threading.Barrier(3, timeout=60)

    def script(request):
        open_now.append(request)
        three.wait()
        most.append(len(open_now))
        three.wait()
        open_now.pop()
        return loopback.completion(request.body["messages"][0]["content"])

    server = loopback.start(script)

    async def run():
        chat = OpenAIChat("m", server.base_url, concurrency=3)
        texts = [f"text {number}" for number in range(24)]
        asked = [REQUEST.model_copy(update={"messages": (Turn(role="user", content=t),)}) for t in texts]
        replies = await asyncio.gather(*(chat.complete(request) for request in asked))
        await chat.aclose()
        assert [reply.text for reply in replies] == texts

    asyncio.run(run())
    assert set(most) == {3}


def test_a_slot_is_free_while_its_request_backs_off(loopback):
    def script(request):
        busy = request.body["messages"][0]["content"] == "busy"
        return loopback.refused(503, "overloaded") if busy else loopback.completion("fine")

    server = loopback.start(script)

    async def run():
        waiting, over = asyncio.Event(), asyncio.Event()

        async def sleep(seconds):
            waiting.set()
            await over.wait()

        chat = OpenAIChat("m", server.base_url, concurrency=1, retries=1, sleep=sleep)
        busy = REQUEST.model_copy(update={"messages": (Turn(role="user", content="busy"),)})
        first = asyncio.create_task(chat.complete(busy))
        await waiting.wait()
        assert (await chat.complete(REQUEST)).text == "fine"
        over.set()
        with pytest.raises(ServerUnavailable):
            await first
        await chat.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_unavailable_is_tried_again(loopback, status):
    server = loopback.start(in_turn(loopback.refused(status, "busy"), loopback.completion("done")))
    waits = Waits()
    assert ask(OpenAIChat("m", server.base_url, sleep=waits)).text == "done"
    assert len(server.calls()) == 2
    assert len(waits) == 1


def test_waits_grow_and_tries_end(loopback):
    server = loopback.start(lambda request: loopback.refused(503, "overloaded"))
    waits = Waits()
    with pytest.raises(ServerUnavailable, match="answered 503: overloaded"):
        ask(OpenAIChat("m", server.base_url, retries=4, sleep=waits))
    assert len(server.calls()) == 5
    assert all(2**n <= wait <= 2**n + 1 for n, wait in enumerate(waits))
    assert len(waits) == 4


def test_the_server_says_how_long_to_wait(loopback):
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=40), usegmt=True)
    asked = ["7", "0.5", soon, past, "86400", "-3"]
    answers = [loopback.refused(429, "slow down", Retry_After=value) for value in asked]
    server = loopback.start(in_turn(*answers, loopback.completion()))
    waits = Waits()
    ask(OpenAIChat("m", server.base_url, retries=len(asked), sleep=waits))
    assert waits[:2] == [7, 0.5]
    assert 30 < waits[2] <= 40
    assert waits[3:] == [0, 300, 0]


@pytest.mark.parametrize("value", ["soon", "nan", "inf", ""])
def test_a_wait_that_is_none_is_not_believed(loopback, value):
    server = loopback.start(in_turn(loopback.refused(429, "busy", Retry_After=value), loopback.completion()))
    waits = Waits()
    ask(OpenAIChat("m", server.base_url, sleep=waits))
    assert 1 <= waits[0] <= 2


def test_a_refused_request_is_sent_once(loopback):
    server = loopback.start(lambda request: loopback.refused(400, "too long"))
    waits = Waits()
    with pytest.raises(RequestRefused):
        ask(OpenAIChat("m", server.base_url, sleep=waits))
    assert len(server.calls()) == 1
    assert waits == []


def test_a_server_that_never_answers_is_given_up(loopback):
    finished = asyncio.Event()

    async def silent(reader, writer):
        await finished.wait()
        writer.close()

    async def run():
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        chat = OpenAIChat("m", f"http://127.0.0.1:{port}/v1", timeout_s=0.2, retries=0)
        with pytest.raises(ServerUnavailable, match="no answer in time"):
            await chat.complete(REQUEST)
        await chat.aclose()
        finished.set()
        server.close()
        await server.wait_closed()

    asyncio.run(run())


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
    chat = OpenAIChat(
        "m", "http://one/v1", "key", reply_mode="plain", max_tokens=5, timeout_s=1, concurrency=1
    )
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


def test_callbacks_of_a_graph_around_it_see_no_texts(loopback):
    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.runnables import RunnableLambda

    class Listener(BaseCallbackHandler):
        heard = []

        def on_chain_start(self, *args, **kwargs):
            self.heard.append("chain")

        def on_chat_model_start(self, *args, **kwargs):
            self.heard.append("chat model")

    server = loopback.start(lambda request: loopback.completion("done"))

    async def run():
        chat = OpenAIChat("m", server.base_url)

        async def node(request):
            return await chat.complete(request)

        reply = await RunnableLambda(node).ainvoke(REQUEST, {"callbacks": [Listener()]})
        await chat.aclose()
        return reply

    assert asyncio.run(run()).text == "done"
    assert Listener.heard == ["chain"]


ENVIRONMENT_PROBE = """
import asyncio, sys
from entp.providers.chat import OpenAIChat
from entp.records.calls import ChatRequest
from entp.records.conversation import Turn

async def main():
    chat = OpenAIChat("m", sys.argv[1])
    await chat.check()
    turns = (Turn(role="user", content="hello"),)
    request = ChatRequest(operator="o", template_hash="h", messages=turns, temperature=0, reply_schema={})
    await chat.complete(request)
    await chat.aclose()

asyncio.run(main())
from langchain_core.tracers.langchain import wait_for_all_tracers
wait_for_all_tracers()
"""


def test_the_environment_changes_nothing(loopback):
    def script(request):
        return loopback.models("m") if request.method == "GET" else loopback.completion()

    server, elsewhere = loopback.start(script), loopback.start(script)
    root = elsewhere.base_url.removesuffix("/v1")
    addresses = ("OPENAI_BASE_URL", "OPENAI_API_BASE", "LANGSMITH_GATEWAY", "OPENAI_PROXY")
    proxies = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY")
    secrets = (
        "OPENAI_API_KEY",
        "OPENAI_ADMIN_KEY",
        "OPENAI_ORG_ID",
        "OPENAI_PROJECT_ID",
        "LANGSMITH_API_KEY",
    )
    environment = dict.fromkeys(addresses + proxies, root) | dict.fromkeys(secrets, "from-environment")
    environment |= {
        "ALL_PROXY": "socks5://127.0.0.1:9",
        "OPENAI_CUSTOM_HEADERS": "X-Extra: from-environment\nAuthorization: from-environment",
        "LANGSMITH_TRACING": "true",
        "LANGCHAIN_TRACING_V2": "true",
        "LANGSMITH_ENDPOINT": root,
        "LC_OUTPUT_VERSION": "v1",
    }
    done = subprocess.run(
        [sys.executable, "-c", ENVIRONMENT_PROBE, server.base_url],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert elsewhere.received == []
    assert [request.path for request in server.received] == ["/v1/models", "/v1/chat/completions"]
    for request in server.received:
        assert "from-environment" not in str(request)
        assert request.headers["authorization"] == "Bearer none"
