"""Chat models over the ledger: one that records every call it makes, one that replays and makes none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, Protocol

from ..records.calls import UNKNOWN, ChatReply, ChatRequest, Origin, RecordedCall, call_key
from ..records.conversation import to_json
from ..records.errors import ModelError, ReplayMiss
from ..records.hashing import canonical_json
from .ledger import Ledger

# how many calls of its operator a miss is compared with: a fraction of a second's work
COMPARED = 1000
# how many characters of a difference a message shows
SHOWN = 40

_MODEL_ERRORS = {kind.__name__: kind for kind in ModelError.__subclasses__()}


class Chat(Protocol):
    """What is recorded: anything that answers a request."""

    @property
    def identity(self) -> dict[str, Any]:
        """What the provider decides about a call, as `call_key` takes it."""

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Answer one request, or raise a ModelError."""


@dataclass
class Counts:
    """What has been asked so far. Tokens are those spent now, not those of replies found in the ledger."""

    calls: int = 0
    answered: int = 0
    """Requests that needed no call: found in the ledger, or equal to one in flight."""
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass
class _InFlight:
    """A request on its way, first to the ledger and then to the model, and how many wait for its reply."""

    task: asyncio.Task[ChatReply] | None = None
    """The call to the model, where the ledger has no answer."""
    waiting: int = 0


class RecordedChat:
    """A chat model whose every reply is in the ledger before anybody sees it.

    A request that the ledger answers is not sent; equal requests in flight share one call. `origin` is
    recorded with each call. Use it in one event loop.
    """

    def __init__(self, chat: Chat, ledger: Ledger, origin: Origin = UNKNOWN) -> None:
        self.counts = Counts()
        self._origin = origin
        self._chat = chat
        self._ledger = ledger
        self._in_flight: dict[str, _InFlight] = {}

    @property
    def identity(self) -> dict[str, Any]:
        """The identity of the model behind it."""
        return self._chat.identity

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The recorded reply, or else the model's, once it is recorded; its ModelErrors are recorded too."""
        identity = self._chat.identity
        key = call_key(identity, request)
        shared = self._in_flight.get(key)
        if shared is None or (shared.task is not None and shared.task.done()):
            shared = self._in_flight[key] = _InFlight()
        shared.waiting += 1
        try:
            # whoever comes while another waits for the ledger gets what that one gets: nobody asks twice
            found = await self._ledger.lookup(key) if shared.task is None else None
            if found or shared.task:
                self.counts.answered += 1
            if found:
                return found
            if shared.task is None:
                shared.task = asyncio.create_task(self._ask(key, identity, request))
            # shielded: when one of those that share the call is cancelled, the others still get its reply
            return await asyncio.shield(shared.task)
        finally:
            shared.waiting -= 1
            if not shared.waiting:
                if shared.task is not None:
                    shared.task.cancel()  # without effect when it is done
                if self._in_flight.get(key) is shared:
                    del self._in_flight[key]

    async def _ask(self, key: str, identity: dict[str, Any], request: ChatRequest) -> ChatReply:
        self.counts.calls += 1
        try:
            reply = await self._chat.complete(request)
        except ModelError as error:
            came = ChatReply(text=error.raw, finish_reason="unreadable") if error.raw else None
            kind = type(error).__name__
            answering = await self._ledger.record(
                RecordedCall(key, identity, request, came, kind, str(error), self._origin)
            )
            if answering.reply is None or not answering.answers:
                raise
            return answering.reply  # another process has had more luck meanwhile
        self.counts.prompt_tokens += reply.usage.prompt_tokens
        self.counts.completion_tokens += reply.usage.completion_tokens
        answering = await self._ledger.record(
            RecordedCall(key, identity, request, reply, origin=self._origin)
        )
        return answering.reply or reply


class OfflineChat:
    """A chat model that only knows what is in the ledger: a replay.

    `identity` is that of the model whose replies are recorded. A request that was only ever refused or failed
    ends as it did the last time: what came of it then is what a replay has to show.
    """

    def __init__(self, ledger: Ledger, identity: dict[str, Any]) -> None:
        self.identity = identity
        self.counts = Counts()
        self._ledger = ledger

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The recorded reply, or the recorded ModelError; raises ReplayMiss where there is neither."""
        key = call_key(self.identity, request)
        found = await self._ledger.find(key) or await asyncio.to_thread(self._failed, key)
        if found is None:
            raise await asyncio.to_thread(self._miss, key, request)
        self.counts.answered += 1
        if found.reply is None or found.error_class:
            raw = found.reply.text if found.reply else ""
            raise _MODEL_ERRORS.get(found.error_class, ModelError)(found.error_message, raw=raw)
        return found.reply

    def _failed(self, key: str) -> RecordedCall | None:
        """The last call of this key, which was refused or failed."""
        return next(reversed([*self._ledger.calls(key_prefix=key)]), None)

    def _miss(self, key: str, request: ChatRequest) -> ReplayMiss:
        asked = dict(_leaves("", _shape(self.identity, request)))
        others = islice(self._ledger.calls(operator=request.operator), COMPARED)
        nearest = max((_difference(asked, call) for call in others), default=None)
        why = nearest.text if nearest else "it has no call of that operator"
        return ReplayMiss(
            f"the ledger has no answer to {request.operator} (call {key[:12]}): {why}",
            "replay with the prompts and settings of the recorded run, or ask the model with --live",
            operator=request.operator,
            key=key,
        )


class _Difference(NamedTuple):
    """How a recorded request differs from one that was asked; the greatest is the nearest."""

    equal_values: int
    equal_characters: int
    text: str


def _difference(asked: dict[str, str], call: RecordedCall) -> _Difference:
    recorded = dict(_leaves("", _shape(call.identity, call.request)))
    different = [path for path in asked | recorded if asked.get(path) != recorded.get(path)]
    here, there = asked.get(different[0], "nothing"), recorded.get(different[0], "nothing")
    pairs = enumerate(zip(here, there, strict=False))
    start = next((at for at, (left, right) in pairs if left != right), min(len(here), len(there)))
    shown = 0 if max(len(here), len(there)) <= SHOWN else start
    text = (
        f"the nearest, call {call.key[:12]}, first differs in {different[0]}: "
        f"asked {here[shown : shown + SHOWN]!r}, recorded {there[shown : shown + SHOWN]!r}"
    )
    return _Difference(len(asked) - len(different), start, text)


def _shape(identity: dict[str, Any], request: ChatRequest) -> dict[str, Any]:
    """All that shapes an answer, settings first, since a difference there explains those in the messages."""
    settings = request.model_dump(mode="json", include=set(request.parts))
    return {"identity": identity, **settings, "messages": to_json(request.messages)}


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """The plain values inside a JSON value, as JSON, each under its path."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(f"{path}.{name}" if path else name, inner)
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _leaves(f"{path}[{position}]", inner)
    else:
        yield path, canonical_json(value)
