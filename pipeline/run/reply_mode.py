"""How a server is asked for JSON: found out by a question of a few tokens, remembered in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...checkpoints.ledger import Ledger
from ...checkpoints.recorded_chat import Chat, RecordedChat
from ...nodes.ask import first_object
from ...nodes.schema import ReplyLimits, Schema, reply_schema, schemas_in
from ...nodes.templates import TEMPLATES
from ...records.calls import ChatReply, ChatRequest, call_key
from ...records.conversation import Turn
from ...records.errors import ModelError, ModelMissing, RequestRefused, ServerUnavailable
from ...records.hashing import canonical_json, tagged_hash
from ...records.vocabulary import ReplyMode

# the strictest first
MODES: tuple[ReplyMode, ...] = ("json_schema", "json_schema_unbounded", "json_object", "plain")
# enough for a model that thinks before it answers
MOST_TOKENS = 2_048
# not named in the question, so that only a server that heeds the schema gives it
KEY = "boils"
QUESTION = (
    Turn(role="system", content="Answer with one JSON object and nothing else; keep its values short."),
    Turn(role="user", content="Does water boil at 100 degrees Celsius at sea level?"),
)
# some servers answer so to a format that they do not know
_SERVER_ERRORS = frozenset({500, 501})


async def settled_reply_mode(
    chat_in: Callable[[ReplyMode], Chat],
    address: str,
    limits: ReplyLimits | None,
    ledger: Ledger | None = None,
) -> ReplyMode:
    """The strictest reply mode that the server heeds, found before the first call that depends on it.

    `chat_in` gives the chat of a mode, `limits` are those of the operators' replies. A mode is passed over
    where the server refuses it or answers as if it had not been asked for it. What the ledger knows of this
    server is not asked again. Raises the ModelError of a server that refuses to answer in any mode.
    """
    question = _question(address, limits)
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
        except ModelError as error:
            if mode == MODES[-1] or not _may_be_about_the_mode(error):
                raise
    return MODES[-1]


def probe_schema(limits: ReplyLimits | None) -> Schema:
    """The schema of the question's reply: KEY, and the smallest things that hold the operators' keywords.

    A server that refuses one of these keywords is so found out before anything is paid for.
    """
    properties: dict[str, Any] = {KEY: {"type": "boolean"}}
    schema = {"type": "object", "properties": properties, "required": [KEY], "additionalProperties": False}
    parts = [part for row in TEMPLATES for part in schemas_in(reply_schema(row.reply, limits))]
    for keyword in sorted(keywords_in(*parts)):
        if keyword not in keywords_in(schema):
            holding = [_with_few_items(part) for part in parts if keyword in part]
            properties[f"value_{len(properties)}"] = min(
                holding, key=lambda part: (len(canonical_json(part)), canonical_json(part))
            )
    return {**schema, "required": list(properties)}


def keywords_in(*schemas: Schema) -> set[str]:
    """The keywords of schemas and of all within them."""
    return {keyword for schema in schemas for part in schemas_in(schema) for keyword in part}


def _with_few_items(part: Schema) -> Schema:
    """An array of as few items as may be: a model that runs on would be cut off before the end."""
    return {**part, "maxItems": max(1, part.get("minItems", 1))} if "maxItems" in part else part


def _question(address: str, limits: ReplyLimits | None) -> ChatRequest:
    return ChatRequest(
        operator="reply_mode",
        # there is no template; another server is asked for itself
        template_hash=tagged_hash("server", address),
        messages=QUESTION,
        temperature=0,
        reply_schema=probe_schema(limits),
        max_tokens=MOST_TOKENS,
    )


def _may_be_about_the_mode(error: ModelError) -> bool:
    """Whether a weaker mode may fare better: servers word and number such refusals in every way."""
    if isinstance(error, ServerUnavailable):
        return error.status in _SERVER_ERRORS
    return isinstance(error, RequestRefused | ModelMissing)


def _heeded(mode: ReplyMode, reply: ChatReply) -> bool:
    if mode == "plain":
        return True
    if reply.finish_reason == "length":
        return f'"{KEY}"' in reply.text
    try:
        return KEY in first_object(reply.text)
    except ValueError:
        return False
