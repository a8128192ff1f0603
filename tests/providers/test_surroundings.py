"""What stands around OpenAIChat must not reach it: a graph's callbacks, variables of the environment."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

from entp.providers.chat import OpenAIChat
from entp.records.calls import ChatRequest
from entp.records.conversation import Turn

REQUEST = ChatRequest(
    operator="o",
    template_hash="h",
    messages=(Turn(role="user", content="hello"),),
    temperature=0,
    reply_schema={"type": "object"},
)


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
