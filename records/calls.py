"""One request to the language model and its reply, as the ledger keeps them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from .conversation import Conversation, to_json
from .hashing import canonical_json

# A refusal or a filtered reply is kept for the account, but another attempt may fare better.
ANSWERS = ("stop", "length", "other")


# the fields that a request has had from the first, all of which are in every key
_FIRST_FIELDS = frozenset({"operator", "template_hash", "messages", "temperature", "reply_schema", "attempt"})


class ChatRequest(BaseModel):
    """All that an operator decides about a call.

    How it may grow: a field that is added has a default, and at its default it is in neither the key nor the
    canonical JSON, so that calls recorded before it keep their keys.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    operator: str = Field(description="the operator that asks, for example domain_analysis")
    template_hash: str = Field(description="SHA-256 of the template's text")
    messages: Conversation
    temperature: float = Field(ge=0)
    reply_schema: dict[str, Any] = Field(description="JSON schema of the reply")
    max_tokens: int | None = Field(
        default=None,
        exclude=True,
        description="most tokens of the reply; not in the key, since a reply that ended by itself has fewer",
    )
    attempt: int = Field(
        default=1, ge=1, description="which attempt of a cycle asks; a repeat on purpose must miss"
    )
    begun: int = Field(
        default=1, ge=1, description="how often the operator has begun, re-asks used up before counted"
    )

    @cached_property
    def parts(self) -> dict[str, str]:
        """Canonical JSON of each value that shapes the answer, but the messages, by its field's name.

        Made once, as `frame` and `canonical` are, since several want them.
        """
        fields = type(self).model_fields.items()
        shaping = (
            name
            for name, field in fields
            if name != "messages"
            and not field.exclude
            and (name in _FIRST_FIELDS or getattr(self, name) != field.default)
        )
        return {name: canonical_json(getattr(self, name)) for name in shaping}

    @cached_property
    def frame(self) -> str:
        """Canonical JSON of all but the messages."""
        return _object(self.parts)

    @cached_property
    def canonical(self) -> str:
        """Canonical JSON of the whole request."""
        return _object({**self.parts, "messages": canonical_json(to_json(self.messages))})

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some values changed, which has to be put into JSON again."""
        copied = super().model_copy(update=update, deep=deep)
        for made in ("parts", "frame", "canonical"):
            copied.__dict__.pop(made, None)
        return copied


def _object(parts: Mapping[str, str]) -> str:
    """The canonical JSON of an object whose values are in JSON already."""
    return "{" + ",".join(f'"{name}":{parts[name]}' for name in sorted(parts)) + "}"


class Usage(BaseModel):
    """Tokens of one call."""

    model_config = ConfigDict(frozen=True)

    prompt_tokens: int = 0
    completion_tokens: int = 0


class ChatReply(BaseModel):
    """What the server sent back."""

    model_config = ConfigDict(frozen=True)

    text: str
    finish_reason: Literal["stop", "length", "refusal", "content_filter", "other", "unreadable"] = "stop"
    """`unreadable`: the server sent what is no completion; `text` is the body as it came."""
    usage: Usage = Usage()
    latency_s: float = 0.0


def call_key(identity: dict[str, Any], request: ChatRequest) -> str:
    """The key of a call: a tagged hash of all that shapes the answer and nothing else.

    `identity` is what the provider decides: model, most tokens, way of asking for JSON. Time-outs, retries,
    addresses and keys of access are left out on purpose.
    """
    text = f'call\0{{"identity":{canonical_json(identity)},"request":{request.canonical}}}'
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class CallTrace(BaseModel):
    """What a fused row keeps of a call: enough to find it in the ledger and to add up its tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    operator: str
    template_hash: str
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class Origin:
    """Who asked and at what price: what a ledger keeps of a call beside it, and no key depends on.

    Calls of before have no run and stage. Prices are dollars per million tokens, None where not known.
    """

    run: str = ""
    stage: str = ""
    model: str = ""
    prompt_price: float | None = None
    completion_price: float | None = None

    def dollars(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """The price of so many tokens; None unless both prices are known."""
        if self.prompt_price is None or self.completion_price is None:
            return None
        return (prompt_tokens * self.prompt_price + completion_tokens * self.completion_price) / 1_000_000


UNKNOWN = Origin()


@dataclass(frozen=True)
class RecordedCall:
    """A request and what came of it: a reply, or the class and message of an error."""

    key: str
    identity: dict[str, Any]
    request: ChatRequest
    reply: ChatReply | None = None
    error_class: str = ""
    error_message: str = ""
    origin: Origin = UNKNOWN
    created_s: float = field(default_factory=time.time)
    """Seconds since 1970, UTC."""

    @property
    def answers(self) -> bool:
        """Whether an equal request may be answered with this reply."""
        return self.reply is not None and self.reply.finish_reason in ANSWERS

    @property
    def spent(self) -> Spent:
        """What it took."""
        reply = self.reply or ChatReply(text="")
        usage = reply.usage
        return Spent(
            operator=self.request.operator,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            latency_s=reply.latency_s,
            created_s=self.created_s,
            came=not self.error_class,
        )


@dataclass(frozen=True)
class Spent:
    """What one call took. `created_s` is when it ended (since 1970), `came` whether a reply came."""

    operator: str
    prompt_tokens: int
    completion_tokens: int
    latency_s: float
    created_s: float
    came: bool


@dataclass(frozen=True)
class Totals:
    """What one operator's calls came to in one stage of a run with one model.

    `failed` counts those that can answer nothing, `priced` those whose prices are known; `dollars` is what
    these took, None where there are none.
    """

    run: str
    stage: str
    model: str
    operator: str
    calls: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    priced: int
    dollars: float | None
