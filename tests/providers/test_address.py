"""The query of an address goes along with every request, behind its path."""

from __future__ import annotations

import asyncio

import pytest

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


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_api_version_is_sent_with_every_request(loopback, slash):
    def script(request):
        return loopback.models("m") if request.method == "GET" else loopback.completion()

    server = loopback.start(script)

    async def run():
        chat = OpenAIChat("m", f"{server.base_url}{slash}?api-version=2024-10-21")
        await chat.check()
        await chat.complete(REQUEST)
        await chat.aclose()

    asyncio.run(run())
    assert [request.path for request in server.received] == [
        "/v1/models?api-version=2024-10-21",
        "/v1/chat/completions?api-version=2024-10-21",
    ]
