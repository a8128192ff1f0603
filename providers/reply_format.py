"""How a request asks for JSON: by the server's `response_format`, or in words."""

from __future__ import annotations

from typing import Any

from ..records.calls import ChatRequest
from ..records.conversation import Conversation, Turn
from ..records.hashing import canonical_json
from ..records.vocabulary import ReplyMode

_STRUCTURE = frozenset(
    {"type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "const"}
)
"""The keywords that say which keys a value has and of what type; every other one bounds a value."""


def response_format(mode: ReplyMode, request: ChatRequest) -> dict[str, Any] | None:
    """The `response_format` of a request's body; None where it has none."""
    match mode:
        case "json_schema" | "json_schema_unbounded":
            schema = request.reply_schema if mode == "json_schema" else without_bounds(request.reply_schema)
            named = {"name": request.operator, "schema": schema, "strict": True}
            return {"type": "json_schema", "json_schema": named}
        case "json_object":
            return {"type": "json_object"}
        case "plain":
            return None


def messages_in(mode: ReplyMode, request: ChatRequest) -> Conversation:
    """What is sent: with the schema in words where the server does not see it."""
    if mode in {"json_schema", "json_schema_unbounded"}:
        return request.messages
    system, *others = request.messages
    words = "The reply is one JSON object under this JSON schema:"
    said = f"{system.content}\n\n{words}\n{canonical_json(request.reply_schema)}"
    return (Turn(role="system", content=said), *others)


def without_bounds(schema: Any) -> Any:
    """A JSON schema without its bounds on numbers, lengths and counts."""
    if isinstance(schema, list):
        return [without_bounds(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    # the names of properties are data, not keywords
    return {
        key: {name: without_bounds(part) for name, part in value.items()}
        if key == "properties"
        else without_bounds(value)
        for key, value in schema.items()
        if key in _STRUCTURE
    }
