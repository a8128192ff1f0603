"""JSON schemas of the replies, as servers want them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict

from ..records.vocabulary import Profile
from .replies import PHRASE, SENTENCE, SMALL_MODELS, TEXT, Reply

Schema = dict[str, Any]


class ReplyLimits(BaseModel):
    """How long a reply of a small model may get; left alone, such a model runs on until it is cut off."""

    model_config = ConfigDict(frozen=True)

    text_characters: int = 240
    least_text_characters: int = 20
    sentence_characters: int = 80
    phrase_characters: int = 32
    items: int = 4
    exchanges: int = 1


def limits_of(profile: Profile) -> ReplyLimits | None:
    """Small models get their replies bounded by the schema."""
    return ReplyLimits() if profile == "compact" else None


@cache
def reply_schema(reply: type[Reply], limits: ReplyLimits | None = None) -> Schema:
    """The JSON schema of a reply, references resolved and every key required.

    Without limits, lengths are left out: strict modes of hosted servers refuse those keywords, and the reply
    is validated here anyway. With limits they are tightened for servers that enforce them by grammar, and
    keys with a default go: a small model fills whatever it is offered.
    """
    whole = reply.model_json_schema()
    schema: Schema = _resolved(whole, whole.get("$defs", {}), limits)
    _require_all(schema)
    return schema


def schemas_in(schema: Any) -> Iterator[Schema]:
    """A schema and all within it, from the outermost in; their keys are the keywords."""
    if isinstance(schema, list):
        for part in schema:
            yield from schemas_in(part)
    elif isinstance(schema, dict):
        yield schema
        for key, value in schema.items():
            # the names of properties are data, not keywords
            yield from schemas_in([*value.values()] if key == "properties" else value)


def _resolved(node: Any, definitions: Mapping[str, Any], limits: ReplyLimits | None) -> Any:
    if isinstance(node, list):
        return [_resolved(item, definitions, limits) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _resolved(definitions[node["$ref"].rsplit("/", 1)[1]], definitions, limits)
    dropped = {"$defs", "title", "description", "default"}
    # the names of properties are data, not keywords: one may well be called "title"
    kept = {
        key: {
            name: _resolved(sub, definitions, limits)
            for name, sub in value.items()
            if not (limits and "default" in sub)
        }
        if key == "properties"
        else _resolved(value, definitions, limits)
        for key, value in node.items()
        if key not in dropped
    }
    return _with_limits(kept, limits)


def _with_limits(schema: Schema, limits: ReplyLimits | None) -> Schema:
    if limits is None:
        return {key: value for key, value in schema.items() if key not in {"maxLength", "minLength"}}
    if "maxLength" in schema:
        kinds = {
            PHRASE: limits.phrase_characters,
            SENTENCE: limits.sentence_characters,
            TEXT: limits.text_characters,
        }
        schema["maxLength"] = kinds[schema["maxLength"]]
    if SMALL_MODELS.keys() <= schema.get("properties", {}).keys():
        parts = schema["properties"]
        schema["properties"] = {
            name: parts[key] | {"minLength": limits.least_text_characters}
            for key, name in SMALL_MODELS.items()
        }
    if schema.get("type") == "number":
        # grammars do not bound fractions; a list of tenths does
        tenths = range(round(10 * schema["minimum"]), round(10 * schema["maximum"]) + 1)
        return {"enum": [tenth / 10 for tenth in tenths]}
    if schema.get("type") == "array" and schema.get("minItems") != schema.get("maxItems"):
        holds_exchanges = SMALL_MODELS["assistant"] in schema["items"].get("properties", {})
        schema["maxItems"] = limits.exchanges if holds_exchanges else limits.items
    return schema


def _require_all(node: Any) -> None:
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _require_all(child)
    if isinstance(node, dict) and node.get("type") == "object":
        node["required"] = list(node["properties"])
        node["additionalProperties"] = False
