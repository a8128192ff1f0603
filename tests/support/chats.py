"""A chat model that answers by a function of the request, for tests of what stands before the ledger."""

import asyncio

from entp.records.calls import ChatReply, ChatRequest, Usage
from entp.records.conversation import Turn

IDENTITY = {"model": "small", "most_tokens": 512}


def request(question="one", rules="Answer with JSON.", operator="rating", **more):
    messages = (Turn(role="system", content=rules), Turn(role="user", content=question))
    given = {"template_hash": "ab" * 32, "temperature": 0.2, "reply_schema": {"type": "object"}}
    return ChatRequest(operator=operator, messages=messages, **given | more)


def answer(asked):
    return f"{asked.operator} to {asked.messages[-1].content}"


class FakeChat:
    """Answers each request as a function of it; `gate`, where there is one, holds the replies back."""

    identity = IDENTITY

    def __init__(self, reply=answer, gate=None):
        self.reply = reply
        self.gate = gate
        self.asked = []
        self.cancelled = 0

    async def complete(self, asked):
        self.asked.append(asked)
        try:
            if self.gate:
                await self.gate.wait()
        except asyncio.CancelledError:
            for _ in range(9):  # as a client does that closes its connection
                await asyncio.sleep(0)
            self.cancelled += 1
            raise
        reply = self.reply(asked)
        if isinstance(reply, str):
            reply = ChatReply(text=reply, usage=Usage(prompt_tokens=10, completion_tokens=3))
        return reply


def raising(error):
    def reply(asked):
        raise error

    return reply


async def called(chat):
    """Wait until the model has been asked."""
    while not chat.asked:
        await asyncio.sleep(0)
