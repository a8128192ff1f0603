"""The ledger: every call to the language model with its raw reply, under the key of all that shaped it.

A reply is in the ledger before anybody uses it, so that no accident makes us pay for it twice and a run can
be replayed from the ledger alone. Only what the provider's identity, ChatRequest and ChatReply hold gets in:
no header, no key of access. `entp.checkpoints.open_ledger` opens one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, Self

from ..records.calls import ChatReply, RecordedCall, Spent, Totals


class Ledger(Protocol):
    """A ledger that is open.

    Use it as a context manager or call `close`. It may be read from any thread; others, in this process or
    in another, may have the same ledger open. A method raises RunFolderError where the ledger is closed,
    damaged or out of reach.
    """

    def __enter__(self) -> Self:
        """Itself."""

    def __exit__(self, *_: object) -> None:
        """Close it."""

    def close(self) -> None:
        """Write what is waiting and close. May be called twice."""

    async def record(self, call: RecordedCall) -> RecordedCall:
        """Return when the call cannot be lost any more. Raises RunFolderError where it cannot be written.

        Gives the call that answers its key from now on, if any does: that is an earlier one where another
        process has asked the same at the same time.
        """

    async def lookup(self, key: str) -> ChatReply | None:
        """The reply of the call that answers this key; cheap, since every request is looked up first."""

    async def find(self, key: str) -> RecordedCall | None:
        """The recorded call that answers this key: the first of them, so that the answer never changes."""

    def calls(self, *, operator: str | None = None, key_prefix: str = "") -> Iterator[RecordedCall]:
        """The calls in the order of recording, those included that are recorded meanwhile.

        Only those of `operator`, only those whose key starts with `key_prefix` (hexadecimal digits).
        """

    def latest(self, number: int, *, run: str | None = None, model: str | None = None) -> list[Spent]:
        """What the latest so many calls took, the newest first; only those of a run or a model if named."""

    def totals(self, run: str | None = None) -> list[Totals]:
        """What all calls came to, or those of one run: by run, stage, model and operator, in that order."""

    def verify(self) -> list[str]:
        """Everything that is wrong with the ledger, a line each; an empty list is a proof of soundness."""
