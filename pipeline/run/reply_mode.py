"""How a server is asked for JSON: found out by a question of a few tokens, remembered in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...checkpoints.ledger import Ledger
from ...checkpoints.recorded_chat import Chat, RecordedChat
from ...nodes.ask import first_object
from ...records.calls import ChatReply, ChatRequest, call_key
from ...records.conversation import Turn
from ...records.errors import RequestRefused
from ...records.hashing import tagged_hash
from ...records.vocabulary import ReplyMode

# the strictest first
MODES: tuple[ReplyMode, ...] = ("json_schema", "json_object", "plain")
# enough for a model that thinks before it answers
MOST_TOKENS = 2_048
# not named in the question, so that only a server that heeds the schema gives it
KEY = "boils"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {KEY: {"type": "boolean"}},
    "required": [KEY],
    "additionalProperties": False,
}
QUESTION = (
    Turn(role="system", content="Answer with one JSON object and nothing else."),
    Turn(role="user", content="Does water boil at 100 degrees Celsius at sea level?"),
)


async def settled_reply_mode(
    chat_in: Callable[[ReplyMode], Chat], address: str, ledger: Ledger | None = None
) -> ReplyMode:
    """The strictest reply mode that the server heeds, found before the first call that depends on it.

    `chat_in` gives the chat of a mode. A mode is passed over where the server refuses it or answers as if it
    had not been asked for it. What the ledger knows of this server is not asked again.
    """
    question = _question(address)
    if ledger is not None:
        for mode in MODES:
            found = await ledger.lookup(call_key(chat_in(mode).identity, question))
            if found and _heeded(mode, found):
                return mode
    for mode in MODES:
        chat = chat_in(mode)
        answering = RecordedChat(chat, ledger) if ledger is not None else chat
        try:
            if _heeded(mode, await answering.complete(question)):
                return mode
        except RequestRefused as error:
            if mode == "plain" or not error.about_format:
                raise
    return MODES[-1]


def _question(address: str) -> ChatRequest:
    return ChatRequest(
        operator="reply_mode",
        # there is no template; another server is asked for itself
        template_hash=tagged_hash("server", address),
        messages=QUESTION,
        temperature=0,
        reply_schema=SCHEMA,
        max_tokens=MOST_TOKENS,
    )


def _heeded(mode: ReplyMode, reply: ChatReply) -> bool:
    if mode == "plain":
        return True
    try:
        return KEY in first_object(reply.text)
    except ValueError:
        return False
