"""Calls as the ledger's tests record them."""

import asyncio

from entp.records.calls import ChatReply, ChatRequest, RecordedCall, Usage, call_key
from entp.records.conversation import Turn

IDENTITY = {"model": "small", "most_tokens": 512}
RULES = "Answer with one JSON object. " * 50


def request(question, operator="rating", **more):
    messages = (Turn(role="system", content=RULES), Turn(role="user", content=question))
    given = {"template_hash": "ab" * 32, "temperature": 0.2, "reply_schema": {"type": "object"}}
    return ChatRequest(operator=operator, messages=messages, **given | more)


def called(question="one", reply="fine", operator="rating", **more):
    asked = request(question, operator)
    if isinstance(reply, str):
        reply = ChatReply(text=reply, usage=Usage(prompt_tokens=10, completion_tokens=3), latency_s=0.5)
    return RecordedCall(call_key(IDENTITY, asked), IDENTITY, asked, reply, **more)


def failed(question="one", **more):
    return called(question, None, error_class="ServerUnavailable", error_message="timed out", **more)


def record(ledger, *calls):
    async def run():
        for call in calls:
            await ledger.record(call)

    asyncio.run(run())


def find(ledger, key):
    return asyncio.run(ledger.find(key))


def look_up(ledger, key):
    return asyncio.run(ledger.lookup(key))
