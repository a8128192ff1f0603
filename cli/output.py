"""How things look on a terminal: progress to stderr, results to stdout, data never as markup or control."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from pydantic import BaseModel

# a task without a terminal reports so often
PLAIN_SECONDS = 10.0


def printable(text: str) -> str:
    """A text with control characters escaped, so that data cannot move the cursor or change colours."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def one_line(text: str, width: int) -> str:
    """A text on one line of at most `width` terminal cells, of which many an Asian character takes two."""
    from rich.cells import cell_len, set_cell_size  # rich loads slowly; --help must not wait for it

    folded = " ".join(printable(text).split())
    # a cut through a wide character leaves a blank
    return folded if cell_len(folded) <= width else set_cell_size(folded, width - 1).rstrip() + "…"


def emit(line: str = "") -> None:
    """One line of results."""
    click.echo(printable(line))


def emit_json(value: Any) -> None:
    """A result as JSON: a record, or plain values."""
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    click.echo(json.dumps(plain, indent=2, ensure_ascii=False))


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table: numbers to the right, the rest to the left; cells are data, not markup."""
    from rich.cells import cell_len  # rich loads slowly; --help must not wait for it

    cells = [[printable(str(cell)) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(header, *cells, strict=True)]
    numeric = [all(isinstance(row[at], int | float) for row in rows) for at in range(len(header))]
    for line in (header, *cells):
        parts = []
        for cell, width, right in zip(line, widths, numeric, strict=True):
            blanks = " " * (width - cell_len(cell))
            parts.append(blanks + cell if right else cell + blanks)
        click.echo("  ".join(parts).rstrip())


class TerminalProgress:
    """Bars with rate and time left on a terminal, plain lines elsewhere; everything to stderr."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()

    def say(self, line: str) -> None:
        """Show one line."""
        click.echo(printable(line), err=True)

    @contextmanager
    def task(self, label: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Show one piece of work."""
        with (self._bar if self._live else self._lines)(label, total) as advance:
            yield advance

    @contextmanager
    def _bar(self, label: str, total: int | None) -> Iterator[Callable[[int], None]]:
        from rich import progress
        from rich.console import Console

        class Rate(progress.ProgressColumn):
            """Items a second."""

            def render(self, task: progress.Task) -> str:
                return f"{task.speed:.1f}/s" if task.speed else ""

        columns = (
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            Rate(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("left"),
            progress.TimeRemainingColumn(),
        )
        with progress.Progress(*columns, console=Console(stderr=True)) as bars:
            task = bars.add_task(printable(label), total=total)
            yield lambda done: bars.advance(task, done)

    @contextmanager
    def _lines(self, label: str, total: int | None) -> Iterator[Callable[[int], None]]:
        started = shown = time.monotonic()
        count = 0

        def advance(done: int) -> None:
            nonlocal count, shown
            count += done
            now = time.monotonic()
            if now - shown >= PLAIN_SECONDS:
                shown = now
                self.say(f"{label}: {_so_far(count, total, now - started)}")

        yield advance
        took = time.monotonic() - started
        if took >= 1:
            done = f"{count} done in " if count else "done in "
            self.say(f"{label}: {done}{took:.0f} s")


def _so_far(count: int, total: int | None, seconds: float) -> str:
    rate = count / seconds
    if total is None or not count:
        return f"{count}, {rate:.1f}/s"
    return f"{count} of {total}, {rate:.1f}/s, about {(total - count) / rate:.0f} s left"
