"""One langchain-openai client, with everything pinned that a variable of the environment would change."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import openai
    from langchain_openai import ChatOpenAI

    from .failures import Server

_NO_KEY = "none"  # the client insists on a key; servers that want none ignore it
_CONNECT_TIMEOUT_S = 15.0
_HEADERS = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host", "user-agent"}
)
_CLIENT_HEADERS = "x-stainless-"  # the client reads one of these back from the request it sent


# where the answers to the request at hand are noted: the client's errors do not bring along what came
_heard: ContextVar[list[Any] | None] = ContextVar("heard", default=None)


def listen() -> list[Any]:
    """A list in which the HTTP responses to what is sent from here on, in this context, are noted."""
    answers: list[Any] = []
    _heard.set(answers)
    return answers


async def _note(response: Any) -> None:
    answers = _heard.get()
    if answers is not None:
        answers.append(response)


# whose records hold headers, in which some servers send the key back
_LOGGERS = tuple(f"httpcore{which}.http{version}" for which in ("", "2") for version in ("11", "2"))


class _WithoutKey(logging.Filter):
    """Takes the key out of what the HTTP libraries log."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, scrubbed."""
        record.msg, record.args = self._server.scrub(record.getMessage()), ()
        return True


@dataclass(frozen=True)
class Connection:
    """What belongs to one event loop: the chat model and its HTTP client."""

    model: ChatOpenAI
    http: openai.DefaultAsyncHttpxClient
    scrubbing: logging.Filter

    async def aclose(self) -> None:
        """Close the connections."""
        await self.http.aclose()
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self.scrubbing)


@cache
def _certificates() -> ssl.SSLContext:
    """The authorities that the client trusts by default, read once."""
    import certifi

    return ssl.create_default_context(cafile=certifi.where())


def _only_our_headers(key: str) -> Callable[[Any], Awaitable[None]]:
    """Drops what the client adds from OPENAI_CUSTOM_HEADERS, OPENAI_ORG_ID and the like."""

    async def send(request: Any) -> None:
        for name in list(request.headers):
            if name not in _HEADERS and not name.startswith(_CLIENT_HEADERS):
                del request.headers[name]
        request.headers["authorization"] = f"Bearer {key}"

    return send


def connect(server: Server, *, timeout_s: float) -> Connection:
    """Make the client of a server; nothing is sent yet."""
    import openai
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    key = server.key or _NO_KEY
    http = openai.DefaultAsyncHttpxClient(
        trust_env=False,  # no proxy or certificate from the environment
        verify=_certificates(),
        follow_redirects=False,  # the key goes to this server only
        event_hooks={"request": [_only_our_headers(key)], "response": [_note]},
    )
    model = ChatOpenAI(
        model=server.model,
        base_url=server.bare_url,
        default_query=server.query,
        api_key=SecretStr(key),
        timeout=openai.Timeout(timeout_s, connect=min(_CONNECT_TIMEOUT_S, timeout_s)),
        max_retries=0,  # retries are counted in one place, above
        http_async_client=http,
        http_client=openai.DefaultHttpxClient(trust_env=False, verify=_certificates()),
        http_socket_options=(),
        openai_proxy=None,
        output_version="v0",
        use_responses_api=False,
        cache=False,
        disable_streaming=True,
    )
    scrubbing = _WithoutKey(server)
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(scrubbing)
    return Connection(model, http, scrubbing)
