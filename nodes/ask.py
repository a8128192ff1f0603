"""The one way in which an operator asks the language model: render, send, read, re-ask."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from pydantic import ValidationError

from ..prompts.inputs import TemplateInput
from ..prompts.render import Prompt, render
from ..records.calls import CallTrace, ChatReply, ChatRequest, call_key
from ..records.conversation import Conversation, Turn
from ..records.errors import Declined, ReplyUnusable
from ..records.vocabulary import TEMPERATURE, Profile
from .replies import Reply, Writing
from .schema import ReplyLimits, limits_of, reply_schema
from .templates import template_named

# a re-ask goes on with what was wrong; after them an operator may begin again, `Model.max_beginnings` in all
MAX_REASKS = 2
# a reply's tokens besides what it repeats of its data, and the most that it may have
FIXED_TOKENS, LONGEST_REPLY = 2_048, 16_384
# fewer than English text has, so that the bound is generous
CHARACTERS_A_TOKEN = 3

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
    max_beginnings: int = 1
    """How often an operator may begin, each time with all its re-asks; more than once on request only."""

    def begun(self, beginnings: int) -> Model:
        """The same model, whose operators may begin so often."""
        return replace(self, max_beginnings=beginnings)

    @property
    def limits(self) -> ReplyLimits | None:
        """How long its replies may get, where the schema says so."""
        return limits_of(self.profile)


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
    """Ask until the reply fits its type: with MAX_REASKS re-asks, and from the beginning as often as allowed.

    `attempt` is the attempt of a cycle that asks. Raises Declined when the model declines and ReplyUnusable,
    with the last raw text, when no reply fits.
    """
    for begun in range(1, model.max_beginnings + 1):
        try:
            return await _ask_until_it_fits(model, given, reply, temperature, attempt, begun)
        except (ReplyUnusable, Declined):
            if begun == model.max_beginnings:
                raise
    message = f"max_beginnings is {model.max_beginnings}, expected 1 or more"
    raise ValueError(message)


async def _ask_until_it_fits(
    model: Model, given: TemplateInput, reply: type[R], temperature: float, attempt: int, begun: int
) -> Asked[R]:
    prompt = render(given, model.profile)
    messages = prompt.messages
    calls: list[CallTrace] = []
    for _ in range(MAX_REASKS + 1):
        request = _request(model, prompt, messages, reply, temperature, attempt, begun)
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
    model: Model,
    prompt: Prompt,
    messages: Conversation,
    reply: type[Reply],
    temperature: float,
    attempt: int,
    begun: int,
) -> ChatRequest:
    return ChatRequest(
        operator=prompt.template,
        template_hash=prompt.template_hash,
        messages=messages,
        temperature=temperature,
        reply_schema=reply_schema(reply, model.limits),
        attempt=attempt,
        max_tokens=most_tokens(prompt),
        # makes another call of it: the ledger would only repeat what failed
        begun=begun,
    )


def most_tokens(prompt: Prompt) -> int:
    """The bound of a reply: a fixed part, and what it may repeat of the prompt's data."""
    repeated = math.ceil(
        template_named(prompt.template).repeats * prompt.data_characters / CHARACTERS_A_TOKEN
    )
    return min(LONGEST_REPLY, FIXED_TOKENS + repeated)


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
    if isinstance(parsed, Writing) and parsed.declined:
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
