"""The ledger in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Self

from ...records.calls import ChatReply, RecordedCall, Spent, Totals, call_key
from ...records.errors import RunFolderError


class _Calls:
    """What all who have one ledger open share."""

    def __init__(self) -> None:
        self.writing = threading.Lock()
        self.recorded: list[RecordedCall] = []
        self.answering: dict[str, RecordedCall] = {}


_named: dict[str, _Calls] = {}


class MemoryLedger:
    """A ledger in memory. One with a name is shared by all in this process who open that name."""

    def __init__(self, name: str = "", *, read_only: bool = False) -> None:
        self._name = f"memory:{name}"
        self._read_only = read_only
        self._closed = False
        # one step, so that two threads cannot both make it
        self._calls = _named.setdefault(name, _Calls()) if name else _Calls()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close this way in; what is recorded under a name stays."""
        self._closed = True

    async def record(self, call: RecordedCall) -> RecordedCall:
        """Keep a call; gives the one that answers its key from now on, if any does."""
        calls = self._opened()
        if self._read_only:
            message = f"{self._name} is open for reading only"
            raise RunFolderError(message)
        with calls.writing:
            calls.recorded.append(call)
            if call.answers:
                calls.answering.setdefault(call.key, call)
            return calls.answering.get(call.key, call)

    async def lookup(self, key: str) -> ChatReply | None:
        """The reply of the call that answers this key."""
        found = self._opened().answering.get(key)
        return found.reply if found else None

    async def find(self, key: str) -> RecordedCall | None:
        """The first recorded call that answers this key."""
        return self._opened().answering.get(key)

    def calls(self, *, operator: str | None = None, key_prefix: str = "") -> Iterator[RecordedCall]:
        """The calls in the order of recording; those recorded meanwhile come too."""
        # a list that only grows may be read while it does
        for call in self._opened().recorded:
            if operator in {None, call.request.operator} and call.key.startswith(key_prefix.lower()):
                yield call

    def latest(self, number: int, *, run: str | None = None, model: str | None = None) -> list[Spent]:
        """What the latest so many calls took, the newest first."""
        chosen = (
            call.spent
            for call in reversed(self._opened().recorded)
            if run in {None, call.origin.run} and model in {None, call.origin.model}
        )
        return list(islice(chosen, number))

    def totals(self, run: str | None = None) -> list[Totals]:
        """What all calls came to, by run, stage, model and operator."""
        groups: dict[tuple[str, str, str, str], list[RecordedCall]] = {}
        for call in self.calls():
            origin = call.origin
            if run in {None, origin.run}:
                group = (origin.run, origin.stage, origin.model, call.request.operator)
                groups.setdefault(group, []).append(call)
        return [_total(*group, groups[group]) for group in sorted(groups)]

    def verify(self) -> list[str]:
        """Calls whose key is not that of their request."""
        return [
            f"call {number}: its key does not fit its request"
            for number, call in enumerate(self.calls(), start=1)
            if call_key(call.identity, call.request) != call.key
        ]

    def _opened(self) -> _Calls:
        if self._closed:
            message = f"{self._name} is closed"
            raise RunFolderError(message)
        return self._calls


def _total(run: str, stage: str, model: str, operator: str, calls: Sequence[RecordedCall]) -> Totals:
    spent = [call.spent for call in calls]
    prices = [
        call.origin.dollars(one.prompt_tokens, one.completion_tokens)
        for call, one in zip(calls, spent, strict=True)
    ]
    known = [price for price in prices if price is not None]
    return Totals(
        run,
        stage,
        model,
        operator,
        calls=len(calls),
        failed=sum(not call.answers for call in calls),
        prompt_tokens=sum(one.prompt_tokens for one in spent),
        completion_tokens=sum(one.completion_tokens for one in spent),
        priced=len(known),
        dollars=sum(known) if known else None,
    )
