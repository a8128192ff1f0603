"""What can go wrong, as the user reads it.

EntpError                 a one-line message and what to do; the command line prints it without a traceback
├── UsageError            wrong option, setting or identifier: exit code 2
├── PoolError             a pool or data set cannot be read or written as a whole
├── RunFolderError        a run folder cannot be used: unwritable, another encoder, a missing stage
├── ReplayMiss            a replay asks for a call that the ledger cannot answer
└── ModelError            the model server did not give a usable answer
    ├── ServerUnavailable   unreachable, overloaded, timed out: may be tried again
    ├── AccessRefused       wrong key or no permission: every further call would fail too
    ├── ModelMissing        no such model on that server: likewise
    ├── Declined            the model declined to answer, in words or through the server's refusal field
    ├── RequestRefused      this one request was refused, for example longer than the context
    └── ReplyUnusable       the reply does not fit its type after all re-asks; the raw text is kept
"""

from __future__ import annotations


class EntpError(Exception):
    """A failure that the user can act on.

    `message` says what went wrong, where, and what was found; `remedy` says what to do about it.
    """

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        """Message and remedy on one line, whatever line breaks the parts brought along."""
        text = f"{self.message}; {self.remedy}" if self.remedy else self.message
        return " ".join(text.split())


class UsageError(EntpError):
    """A wrong option, setting or identifier."""

    exit_code = 2


class PoolError(EntpError):
    """A pool or data set that cannot be read or written as a whole."""


class RunFolderError(EntpError):
    """A run folder that cannot be used as asked."""


class ReplayMiss(EntpError):
    """A replay asks for a call that the ledger cannot answer. `operator` asked, `key` is the call's key."""

    def __init__(self, message: str, remedy: str = "", *, operator: str, key: str) -> None:
        super().__init__(message, remedy)
        self.operator = operator
        self.key = key


class ModelError(EntpError):
    """The model server did not give a usable answer.

    `retryable`: the same request may succeed later. `stops_run`: every other request would fail too. `raw` is
    the text that came and could not be used, where any came.
    """

    retryable = False
    stops_run = False

    def __init__(self, message: str, remedy: str = "", *, raw: str = "") -> None:
        super().__init__(message, remedy)
        self.raw = raw


class ServerUnavailable(ModelError):
    """Unreachable, overloaded or timed out. `retry_after_s` is the wait the server asked for, if any.

    `status` is the HTTP status that it answered with, None where it did not. One request may fail alone, over
    and over; `stops_run` says that the others would as well.
    """

    retryable = True

    def __init__(
        self,
        message: str,
        remedy: str = "",
        *,
        retry_after_s: float | None = None,
        status: int | None = None,
        stops_run: bool = False,
        raw: str = "",
    ) -> None:
        super().__init__(message, remedy, raw=raw)
        self.retry_after_s = retry_after_s
        self.status = status
        self.stops_run = stops_run


class AccessRefused(ModelError):
    """The key is wrong or lacks permission."""

    stops_run = True


class ModelMissing(ModelError):
    """The server does not know the model."""

    stops_run = True


class Declined(ModelError):
    """The model declined to answer; asking again would ask for the same."""


class RequestRefused(ModelError):
    """This one request was refused, for example because it is longer than the model's context."""


class ReplyUnusable(ModelError):
    """The reply does not fit its type after all re-asks. `raw` is the last text the model sent."""
