"""What is wrong with one record, in words that fit on one line."""

from __future__ import annotations

from typing import Any

MOST_SHOWN = 120
"""The most characters of a file's content that a message repeats."""

_KINDS: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


class Misfit(Exception):
    """A record that is not a row. `found` is short, on one line and without control characters."""

    def __init__(self, found: str, expected: str) -> None:
        self.found = one_line(found)
        self.expected = expected
        super().__init__(f"found {self.found}, expected {expected}")


def one_line(text: str, most: int = MOST_SHOWN) -> str:
    """At most `most` characters of `text`, whatever cannot be printed written as an escape."""
    shown = "".join(map(_printable, text[: most + 1]))
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def place(file: str, line: int) -> str:
    """A place in a message; of a long path the end, which tells more."""
    return f"{file if len(file) <= 50 else '…' + file[-49:]}:{line}"


def kind_of(value: Any) -> str:
    """What a JSON value is, as a message calls it."""
    return _KINDS.get(type(value), type(value).__name__)


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
