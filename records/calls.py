"""One request to the language model and its reply, as the ledger keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from .conversation import Conversation, to_json
from .rows import canonical_json


class ChatRequest(BaseModel):
    """All that an operator decides about a call."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    operator: str = Field(description="the operator that asks, for example domain_analysis")
    template_hash: str = Field(description="SHA-256 of the template's text")
    messages: Conversation
    temperature: float = Field(ge=0)
    reply_schema: dict[str, Any] = Field(description="JSON schema of the reply")
    attempt: int = Field(
        default=1, ge=1, description="which attempt of a cycle asks; a repeat on purpose must miss"
    )

    @cached_property
    def frame(self) -> str:
        """Canonical JSON of all but the messages; made once, as `canonical` is, since several want it."""
        return canonical_json(self.model_dump(mode="json", exclude={"messages"}))

    @cached_property
    def canonical(self) -> str:
        """Canonical JSON of the whole request."""
        # names are in order, and of all the others only `attempt` comes before `messages`
        before = f'{{"attempt":{self.attempt},'
        messages = canonical_json(to_json(self.messages))
        return f'{before}"messages":{messages},{self.frame.removeprefix(before)}'

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some values changed, which has to be put into JSON anew."""
        copied = super().model_copy(update=update, deep=deep)
        for made in ("frame", "canonical"):
            copied.__dict__.pop(made, None)
        return copied


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
