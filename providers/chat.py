"""The chat model: langchain-openai against any server that speaks OpenAI's chat completions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)

from ..records.calls import ChatReply, ChatRequest, Usage
from ..records.conversation import to_json
from ..records.errors import (
    AccessRefused,
    ModelError,
    ModelMissing,
    RequestRefused,
    ServerUnavailable,
    UsageError,
)
from ..records.vocabulary import ReplyMode
from .admission import LONGEST_PAUSE_S, Admission, Answered, Failed, Need
from .connection import Connection, connect, listen
from .failures import Server, body_of, read_failure, safe_cause
from .reply_format import messages_in, response_format

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

_OPENAI_URL = "https://api.openai.com/v1"
_LIST_TIMEOUT_S = 30.0
_BACK_OFF = wait_exponential_jitter(initial=1, max=60, jitter=1)
_NAMES_SHOWN = 8
_GIVE_UP_AFTER = 10

_FINISH_REASONS: dict[str, Literal["stop", "length", "content_filter", "other"]] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
}
# what langchain-openai raises over a body that is no reply of such a server
_MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError)


class OpenAIChat:
    """A chat model behind an OpenAI-compatible server.

    `base_url` None is OpenAI's own server. `reply_mode` is how JSON is asked for: `json_schema` binds the
    reply to the request's schema, `json_schema_unbounded` to the schema without its bounds on numbers and
    lengths, `json_object` to any JSON object, `plain` to nothing; in these last two the system turn says the
    schema in words. `max_tokens` bounds every reply; without it the request's own bound
    does. `timeout_s` bounds one try, from sending to the last byte. A request that found the server
    unavailable is sent up to `retries` times more, after a growing wait or the one that the server asks for;
    `sleep` is what waits. Every try passes `admission`, by default one of its own; an error that stops the
    run closes one that is given, and is raised when the others in flight have ended.

    No environment variable has any effect. One event loop at a time: call `aclose` before its end.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        reply_mode: ReplyMode = "json_schema",
        max_tokens: int | None = None,
        timeout_s: float = 600,
        retries: int = 5,
        admission: Admission | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._server = Server(_checked_url(base_url or _OPENAI_URL), model, _checked_key(api_key))
        self._reply_mode: ReplyMode = reply_mode
        self._max_tokens = max_tokens
        self._timeout_s = timeout_s
        self._retries = retries
        self._admission = admission or Admission(sleep=sleep)
        self._shared = admission is not None
        self._sleep = sleep
        self._connection: Connection | None = None
        self._failed_in_a_row = 0

    @property
    def identity(self) -> dict[str, Any]:
        """What of this provider shapes an answer, for the key of a call."""
        return {
            "model": self._server.model,
            "max_tokens": self._max_tokens,
            "reply_mode": self._reply_mode,
        }

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Send a request and hand back what came, unread: the text may be cut off or fit no schema.

        A refusal is a reply whose text is the refusal. Raises a ModelError where there is no reply; after ten
        failures in a row, each after all its retries, it says that going on is of no use.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(ServerUnavailable),
            stop=stop_after_attempt(1 + self._retries),
            wait=_wait_s,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            reply: ChatReply = await retrying(self._try, request)
        except ModelError as error:
            if isinstance(error, ServerUnavailable):
                self._failed_in_a_row += 1
                error.stops_run |= self._failed_in_a_row >= _GIVE_UP_AFTER
            if error.stops_run and self._shared:
                # whoever catches it cancels what runs beside it, and those replies are being paid for
                await self._admission.close()
            raise
        self._failed_in_a_row = 0
        return reply

    async def check(self) -> None:
        """Find out from the server's list of models whether it answers, takes the key and knows the model.

        A server that keeps no list passes. Raises AccessRefused, ModelMissing or ServerUnavailable, at once.
        """
        try:
            names = await self._offered()
        except (ModelMissing, RequestRefused):
            return
        model = self._server.model
        # Ollama lists the full name of what it also knows by a short one
        if names and not {model, f"{model}:latest"} & set(names):
            message = f"model {model!r} is not known at {self._server.address}"
            raise ModelMissing(message, _offer(names))

    async def aclose(self) -> None:
        """Close the connections. The next call opens new ones, in another event loop if need be."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()

    async def _try(self, request: ChatRequest) -> ChatReply:
        import openai
        from langsmith import tracing_context

        async with self._admission.request(self._need(request)) as lease:
            answers = listen()
            started = time.monotonic()
            try:
                with tracing_context(enabled=False):
                    async with asyncio.timeout(self._timeout_s):
                        message = await self._opened().model.ainvoke(
                            to_json(messages_in(self._reply_mode, request)),
                            # without the callbacks of a graph around it, which may send texts elsewhere
                            {"callbacks": []},
                            temperature=request.temperature,
                            extra_body=self._body(request),
                        )
                reply = _read_reply(message, time.monotonic() - started)
                lease.release(Answered(reply.usage))
                return reply
            except (openai.OpenAIError, OSError, *_MALFORMED) as error:
                failed = error
            failure = read_failure(failed, self._server, body_of(answers))
            lease.release(Failed(getattr(failure, "retry_after_s", None)))
        if isinstance(failure, ModelMissing):
            failure.remedy = await self._offer_if_known()
        raise failure from safe_cause(failed, self._server)

    def _need(self, request: ChatRequest) -> Need:
        characters = sum(len(turn.content) for turn in request.messages)
        return Need(request.operator, characters, self._bound(request))

    def _bound(self, request: ChatRequest) -> int | None:
        """The most tokens of the reply."""
        return self._max_tokens or request.max_tokens

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        """What goes into the request's body beside messages and temperature.

        Under langchain-openai's own names the reply's format would make the client raise, and lose the text,
        where a reply was cut off; and the most tokens would get a name that not every server knows.
        """
        body: dict[str, Any] = {}
        most = self._bound(request)
        if most is not None:
            host = urlsplit(self._server.url).hostname or ""
            new_name = host.endswith((".openai.com", ".azure.com"))
            body["max_completion_tokens" if new_name else "max_tokens"] = most
        asked_for = response_format(self._reply_mode, request)
        if asked_for is not None:
            body["response_format"] = asked_for
        return body

    async def _offered(self) -> list[str]:
        """The names of the models that the server lists."""
        import openai

        client = self._opened().model.root_async_client
        answers = listen()
        try:
            # the client's own time-out starts again with every byte
            async with asyncio.timeout(min(_LIST_TIMEOUT_S, self._timeout_s)):
                page = await client.models.list()
            return [str(model.id) for model in page.data or ()]
        except (openai.OpenAIError, OSError, *_MALFORMED) as error:
            failed = error
        raise read_failure(failed, self._server, body_of(answers)) from safe_cause(failed, self._server)

    async def _offer_if_known(self) -> str:
        try:
            names = await self._offered()
        except ModelError:
            names = []
        if self._server.model in names:
            return "the server lists this model: check that it is one for chat, and the server's address"
        return _offer(names)

    def _opened(self) -> Connection:
        if self._connection is None:
            self._connection = connect(self._server, timeout_s=self._timeout_s)
        return self._connection


def _read_reply(message: AIMessage, latency_s: float) -> ChatReply:
    usage = _read_usage(message)
    refusal = message.additional_kwargs.get("refusal")
    if refusal:
        return ChatReply(text=str(refusal), finish_reason="refusal", usage=usage, latency_s=latency_s)
    finish_reason = _FINISH_REASONS.get(message.response_metadata.get("finish_reason", ""), "other")
    return ChatReply(text=str(message.text), finish_reason=finish_reason, usage=usage, latency_s=latency_s)


def _read_usage(message: AIMessage) -> Usage:
    """The tokens of a call; none where they are not told in numbers, which is no reason to lose a reply."""
    tokens = message.usage_metadata
    if tokens is None:
        return Usage()
    try:
        return Usage(prompt_tokens=tokens["input_tokens"], completion_tokens=tokens["output_tokens"])
    except (TypeError, ValueError):
        return Usage()


def _wait_s(state: RetryCallState) -> float:
    """How long to wait before the next try: as long as the server asked for, else longer every time."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after_s if isinstance(error, ServerUnavailable) else None
    return _BACK_OFF(state) if asked is None else min(asked, LONGEST_PAUSE_S)


def _offer(names: list[str]) -> str:
    """What to do about a model that the server does not know."""
    if not names:
        return "check the model's name and the server's address (it often ends in /v1)"
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"choose one of those it offers: {', '.join(sorted(names)[:_NAMES_SHOWN])}{more}"


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets or a port that are none
        usable = False
    if not usable:
        # what stands before an @ may be a password
        message = f"the model server's address {url.rpartition('@')[2]!r} is no address"
        raise UsageError(message, "give one such as http://localhost:8000/v1")
    return url


def _checked_key(key: str | None) -> str | None:
    if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
        message = "the key holds a space, a line break or another character that no key has"
        raise AccessRefused(message, "give the key alone, in OPENAI_API_KEY or with --key-file")
    return key
