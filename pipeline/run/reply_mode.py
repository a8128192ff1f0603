"""How a server is asked for JSON: found out by a question of a few tokens, remembered in the ledger."""

from __future__ import annotations

import asyncio
from typing import Any

from ...checkpoints.recorded_chat import RecordedChat
from ...checkpoints.sqlite.ledger import Ledger
from ...nodes.ask import first_object, with_schema
from ...providers.chat import OpenAIChat, ReplyMode
from ...records.calls import ChatReply, ChatRequest, call_key
from ...records.conversation import Turn
from ...records.errors import RequestRefused
from ...records.rows import tagged_hash

# the strictest first
MODES: tuple[ReplyMode, ...] = ("json_schema", "json_object", "plain")
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


async def settle_reply_mode(chat: OpenAIChat, address: str, ledger: Ledger | None = None) -> None:
    """Set the strictest reply mode that the server heeds, before the first call that depends on it.

    A mode is passed over where the server refuses it or answers as if it had not been asked for it. What the
    ledger knows of this server is not asked again.
    """
    asked = {mode: _question(mode, address) for mode in MODES}
    if ledger is not None:
        for mode in MODES:
            chat.reply_mode = mode
            found = await asyncio.to_thread(ledger.find, call_key(chat.identity, asked[mode]))
            if found and found.reply and _heeded(mode, found.reply):
                return
    answering = RecordedChat(chat, ledger) if ledger is not None else chat
    for mode in MODES:
        chat.reply_mode = mode
        try:
            if _heeded(mode, await answering.complete(asked[mode])):
                return
        except RequestRefused as error:
            if mode == "plain" or not error.about_format:
                raise


def _question(mode: ReplyMode, address: str) -> ChatRequest:
    return ChatRequest(
        operator="reply_mode",
        # there is no template; another server is asked anew
        template_hash=tagged_hash("server", address),
        messages=QUESTION if mode == "json_schema" else with_schema(QUESTION, SCHEMA),
        temperature=0,
        reply_schema=SCHEMA,
    )


def _heeded(mode: ReplyMode, reply: ChatReply) -> bool:
    if mode == "plain":
        return True
    try:
        return KEY in first_object(reply.text)
    except ValueError:
        return False
