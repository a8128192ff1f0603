"""The one way in which an operator asks the language model: render, send, read, re-ask."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from pydantic import ValidationError

from ..prompts.inputs import TemplateInput
from ..prompts.render import Profile, Prompt, render
from ..records.calls import CallTrace, ChatReply, ChatRequest, call_key
from ..records.conversation import Conversation, Turn
from ..records.errors import Declined, ReplyUnusable
from ..records.rows import canonical_json
from .replies import Reply
from .schema import ReplyLimits, reply_schema

# the paper's temperature for everything but domain analysis (Section C.3)
TEMPERATURE = 0.2
MAX_REASKS = 2
# reply modes in which the server does not see the schema
UNBOUND = ("json_object", "plain")
# far above any attempt number of a cycle
NEXT_TRY = 1000

R = TypeVar("R", bound=Reply)


class ChatModel(Protocol):
    """What the operators need of a language model."""

    @property
    def identity(self) -> dict[str, Any]:
        """What besides the request shapes an answer: the model's name, the most tokens, the reply mode."""

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Answer one request, or raise a ModelError."""


@dataclass(frozen=True, slots=True)
class Model:
    """A chat model and how to talk to it: the prompt profile that suits it."""

    chat: ChatModel
    profile: Profile = "full"
    tries: int = 1
    """How often an operator may begin anew after all its re-asks; more than once on request only."""

    @property
    def limits(self) -> ReplyLimits | None:
        """Small models get their replies bounded by the schema."""
        return ReplyLimits() if self.profile == "compact" else None


@dataclass(frozen=True, slots=True)
class Asked(Generic[R]):
    """A typed reply and the calls that it took, re-asks included."""

    reply: R
    calls: list[CallTrace]


async def ask(
    model: Model,
    given: TemplateInput,
    reply: type[R],
    *,
    temperature: float = TEMPERATURE,
    attempt: int = 1,
) -> Asked[R]:
    """Ask until the reply fits its type, at most MAX_REASKS times more than once.

    `attempt` is the attempt of a cycle that asks. Raises Declined when the model declines and ReplyUnusable,
    with the last raw text, when no reply fits.
    """
    for begun in range(1, model.tries + 1):
        try:
            # another attempt number makes another call: the ledger would only repeat what failed
            number = attempt + (begun - 1) * NEXT_TRY
            return await _ask_until_it_fits(model, given, reply, temperature, number)
        except (ReplyUnusable, Declined):
            if begun == model.tries:
                raise
    message = f"tries is {model.tries}, expected 1 or more"
    raise ValueError(message)


async def _ask_until_it_fits(
    model: Model, given: TemplateInput, reply: type[R], temperature: float, attempt: int
) -> Asked[R]:
    prompt = render(given, model.profile)
    messages = prompt.messages
    if model.chat.identity.get("reply_mode") in UNBOUND:
        messages = with_schema(messages, reply_schema(reply, model.limits))
    calls: list[CallTrace] = []
    for _ in range(MAX_REASKS + 1):
        request = _request(model, prompt, messages, reply, temperature, attempt)
        answer = await model.chat.complete(request)
        calls.append(_trace(model, request, answer))
        try:
            return Asked(read_reply(answer, reply, prompt.template), calls)
        except ReplyUnusable as error:
            unusable = error
            # the whole exchange goes along, so that no re-ask repeats an earlier request
            messages = (*messages, *_reask(answer.text, error.message))
    raise unusable


def _request(
    model: Model, prompt: Prompt, messages: Conversation, reply: type[Reply], temperature: float, attempt: int
) -> ChatRequest:
    return ChatRequest(
        operator=prompt.template,
        template_hash=prompt.template_hash,
        messages=messages,
        temperature=temperature,
        reply_schema=reply_schema(reply, model.limits),
        attempt=attempt,
    )


def with_schema(messages: Conversation, schema: dict[str, Any]) -> Conversation:
    """The messages with the schema of the reply at the end of the system turn."""
    system, *others = messages
    told = (
        f"{system.content}\n\nThe reply is one JSON object under this JSON schema:\n{canonical_json(schema)}"
    )
    return (Turn(role="system", content=told), *others)


def _trace(model: Model, request: ChatRequest, answer: ChatReply) -> CallTrace:
    return CallTrace(
        key=call_key(model.chat.identity, request),
        operator=request.operator,
        template_hash=request.template_hash,
        prompt_tokens=answer.usage.prompt_tokens,
        completion_tokens=answer.usage.completion_tokens,
    )


def _reask(raw: str, reason: str) -> Conversation:
    return (
        Turn(role="assistant", content=raw),
        Turn(
            role="user",
            content=f"Your reply cannot be used: {reason}. Reply again with the complete JSON object only.",
        ),
    )


def read_reply(answer: ChatReply, reply: type[R], operator: str) -> R:
    """Read a reply into its type; fenced or padded JSON is accepted, anything else raises with the reason."""
    if answer.finish_reason in {"refusal", "content_filter"}:
        message = f"{operator}: the model declined ({answer.finish_reason})"
        raise Declined(message, raw=answer.text)
    try:
        value = first_object(answer.text)
        parsed = reply.model_validate(value)
    except (ValueError, ValidationError) as error:
        reason, remedy = _reason(error), f"see what {operator} sent with entp show"
        if answer.finish_reason == "length":
            reason, remedy = "it was cut off at the length limit", "allow longer replies with --max-tokens"
        raise ReplyUnusable(reason, remedy, raw=answer.text) from error
    if parsed.declined:
        message = f"{operator}: the model declined: {parsed.declined}"
        raise Declined(message, raw=answer.text)
    return parsed


def first_object(text: str) -> dict[str, Any]:
    """The first whole JSON object in a text, whatever fence or chatter stands around it."""
    start = text.find("{")
    if start < 0:
        message = "it holds no JSON object" if text.strip() else "it is empty"
        raise ValueError(message)
    value: dict[str, Any]
    # models leave raw line breaks in strings: not strict
    value, _ = json.JSONDecoder(strict=False).raw_decode(text, start)
    return value


def _reason(error: Exception) -> str:
    """Why a reply does not fit, in words a model can act on; never the reply's own text."""
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the object"
        return f"{where}: {first['msg']}"
    return str(error)
