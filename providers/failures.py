"""What goes wrong at a model server, read as the errors of records/errors.py: one line, without the key."""

from __future__ import annotations

import math
import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from ..records.errors import AccessRefused, ModelError, ModelMissing, RequestRefused, ServerUnavailable

if TYPE_CHECKING:
    import openai

_NOT_FOUND = 404
_PAYMENT_REQUIRED = 402
_UNAUTHORIZED = 401
_FORBIDDEN = 403
_TOO_LARGE = 413
_TRANSIENT = frozenset({408, 409, 425, 429})
_CLIENT_ERRORS = 400
_SERVER_ERRORS = 500
_FORMAT_WORDS = (
    "response_format",
    "json_schema",
    "json_object",
    "json schema",
    "structured output",
    "grammar",
)
_NO_QUOTA = "insufficient_quota"
_NO_MODEL = "model_not_found"
_TOO_LONG = "context_length_exceeded"

_GIVE_KEY = "give a key that is valid there, in OPENAI_API_KEY or with --key-file"
_TOP_UP = "add credit to the account, or use another key or server"
_CHECK_ADDRESS = "check that the server is running and that its address is right (it often ends in /v1)"
_LATER = "the server may recover: try again later, with a lower --concurrency if this goes on"
_LONGER = "try again later, with a lower --concurrency or a longer --timeout-s if this goes on"
_FORMAT_REFUSED = (
    "if the server cannot bind replies to a JSON schema, choose another reply mode:"
    " json_schema_unbounded, json_object or plain"
)

_SHORTER = "leave rows of that length out with --max-row-bytes, or ask a model that takes more"

_MESSAGE_LENGTH = 300
_RAW_LENGTH = 100_000
# what a key looks like, whole or with its middle starred out, as OpenAI echoes it
_KEY_LIKE = re.compile(
    r"\b(?:sk|pk|gsk|hf)[-_][\w*.-]{6,}|[\w-]*\*{4,}[\w-]*"
    r"|(?i:(?:authorization\W{1,4})?bearer)\s+[^\s'\",<]+"
)


@dataclass(frozen=True)
class Server:
    """Who was asked: the server's address, the model, and the key that no message may show."""

    url: str = field(repr=False)
    model: str
    key: str | None = field(repr=False)

    @property
    def address(self) -> str:
        """The address as messages show it: without user name, password and query, where keys may stand."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()

    @property
    def bare_url(self) -> str:
        """The address without its query, which the client would put before the path of a request."""
        return urlsplit(self.url)._replace(query="", fragment="").geturl()

    @property
    def query(self) -> dict[str, str]:
        """What the address's query asks for in every request, such as Azure's api-version."""
        return dict(parse_qsl(urlsplit(self.url).query))

    def scrub(self, text: str) -> str:
        """`text` with the key, the address's password and all that looks like a key replaced."""
        for secret in (self.key, urlsplit(self.url).password):
            if secret:
                text = text.replace(secret, "[key]")
        return _KEY_LIKE.sub("[key]", text)

    def shorten(self, text: str) -> str:
        """What a server said, on one line of bounded length and without the key."""
        if text.lstrip()[:1] == "<":
            return "a page of HTML"
        line = " ".join(self.scrub(text).split())
        return line if len(line) <= _MESSAGE_LENGTH else f"{line[: _MESSAGE_LENGTH - 3]}..."


def body_of(answers: list[Any]) -> str:
    """The body of the last of these answers; empty where it broke off."""
    try:
        return str(answers[-1].text) if answers else ""
    except RuntimeError:  # what either of the two HTTP libraries raises over a body not read to its end
        return ""


def read_failure(error: Exception, server: Server, body: str) -> ModelError:
    """The failure behind an exception of openai, httpx or langchain-openai; `body` is what was sent."""
    import openai

    if isinstance(error, openai.APIStatusError):
        return _read_status(error, server)
    if isinstance(error, openai.APITimeoutError | TimeoutError):
        message = f"model server {server.address} gave no answer in time"
        return ServerUnavailable(message, _LONGER)
    if isinstance(error, openai.APIConnectionError):
        reason = server.shorten(_deepest(error))
        if _nobody_there(error):
            message = f"no answer from model server {server.address}: {reason}"
            return ServerUnavailable(message, _CHECK_ADDRESS, stops_run=True)
        message = f"the connection to model server {server.address} broke off: {reason}"
        return ServerUnavailable(message, _LATER)
    if isinstance(error, UnicodeEncodeError):
        message = f"the request cannot be written as UTF-8: {error.reason}"
        return RequestRefused(message, "fix the row that holds such characters")
    said = server.shorten(body) or "an empty body"
    message = f"model server {server.address} sent what is no reply of an OpenAI-compatible server: {said}"
    return ServerUnavailable(message, _CHECK_ADDRESS, raw=server.scrub(body[:_RAW_LENGTH]))


def _nobody_there(error: openai.APIConnectionError) -> bool:
    """Whether no connection came about at all; one that broke off may be the request's own fault."""
    # by name, since the client may be built on either of two HTTP libraries; langchain-openai adds a layer
    causes = (error.__cause__, getattr(error.__cause__, "__cause__", None))
    return any(type(cause).__name__ in {"ConnectError", "ConnectTimeout"} for cause in causes)


def _deepest(error: BaseException) -> str:
    """The words of the innermost cause that has any: those around it say only that there was an error."""
    words, cause = "", error.__cause__ or error.__context__
    while cause is not None:
        words, cause = str(cause) or words, cause.__cause__ or cause.__context__
    return words or type(error).__name__


def safe_cause(error: Exception, server: Server) -> Exception | None:
    """`error`, to be raised from, unless its traceback would show the key."""
    shown = "".join(traceback.format_exception(error))
    return error if server.scrub(shown) == shown else None


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The wait that a Retry-After header asks for, in seconds from now: it holds seconds or an HTTP date."""
    asked = headers.get("retry-after", "").strip()
    try:
        seconds = float(asked)
    except ValueError:
        try:
            until = parsedate_to_datetime(asked)
        except ValueError:
            return None
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        seconds = (until - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _read_status(error: openai.APIStatusError, server: Server) -> ModelError:
    status, kinds = error.status_code, (error.code, error.type)
    said = server.shorten(_words(error))
    found = f"model server {server.address} answered {status}: {said}"
    if status == _PAYMENT_REQUIRED or _NO_QUOTA in kinds:
        return AccessRefused(f"the account has no quota left at {server.address}: {said}", _TOP_UP)
    if status == _NOT_FOUND or _NO_MODEL in kinds:
        return ModelMissing(f"model {server.model!r} cannot be asked at {server.address} ({status}: {said})")
    if status == _UNAUTHORIZED:
        # what servers say here is the key once more
        shown = "the key" if server.key else "a request without a key"
        return AccessRefused(f"model server {server.address} refused {shown} (401)", _GIVE_KEY)
    if status == _FORBIDDEN:
        return AccessRefused(found, _GIVE_KEY)
    if status < _CLIENT_ERRORS:
        return ServerUnavailable(f"{found} (the key does not follow a redirect)", _CHECK_ADDRESS)
    about_format = any(word in said.casefold() for word in _FORMAT_WORDS)
    # some servers answer 500 or 501 to a format that they do not know: waiting does not help
    if status in _TRANSIENT or (status >= _SERVER_ERRORS and not about_format):
        wait_s = retry_after_s(error.response.headers)
        return ServerUnavailable(found, _LATER, retry_after_s=wait_s, status=status)
    remedy = _SHORTER if status == _TOO_LARGE or _TOO_LONG in kinds else ""
    return RequestRefused(found, _FORMAT_REFUSED if about_format else remedy)


def _words(error: openai.APIStatusError) -> str:
    """The server's own message, wherever it stands in the body."""
    body = error.body
    if isinstance(body, Mapping):
        return str(body.get("message") or body.get("detail") or dict(body))
    return str(body or "no further words")
