"""How a stage tells what it is doing; the command line shows it, a library user may ignore it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """Where progress goes."""

    def task(self, label: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
        """Show one piece of work; call what it yields with the number of items just done."""

    def say(self, line: str) -> None:
        """Show one line."""


class Quiet:
    """Shows nothing."""

    @contextmanager
    def task(self, label: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Count nothing."""
        yield lambda done: None

    def say(self, line: str) -> None:
        """Say nothing."""
