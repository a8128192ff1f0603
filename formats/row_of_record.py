"""From one record of a pool file to a row: turns, id, source and ratings, each checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..records.conversation import Conversation
from ..records.rows import Row, content_hash
from .json_records import Record
from .misfit import Misfit, kind_of, one_line
from .shapes import Shape, check_text, check_turns

ROW_KEYS = ("id", "source", "dataset", "ratings")
"""The keys that are read of a record in any shape."""

HIGHEST_RATING = 10
"""Raters give 1 to 10, published ratings are often scores of 0 to 5: a number outside 0..10 is neither."""

LONGEST_NAME = 200
"""The most characters of an id, a source or a rater's name."""


def row_of_record(record: Record, shape: Shape, source: str) -> Row:
    """The row of a record, else Misfit. `source` is the data set where the record names none."""
    if isinstance(record.value, Misfit):
        raise record.value
    turns = shape.read(record.value)
    check_turns(turns)
    return Row(
        id=_own_id(record.value) or content_id(turns),
        turns=turns,
        source=_name(record.value, "source") or _name(record.value, "dataset") or source,
        ratings=_ratings(record.value),
        file=record.file,
        line=record.line,
    )


def content_id(turns: Conversation) -> str:
    """The id of a row whose record brings none: the first 16 hex digits of the hash of its content."""
    return content_hash(turns)[:16]


def _own_id(record: Mapping[str, Any]) -> str:
    value = record.get("id")
    return _name({"id": str(value)} if type(value) is int else record, "id")


def _name(record: Mapping[str, Any], key: str) -> str:
    """A name in a record, or an empty one where it has none or a blank one."""
    value = record.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        found = f"{key!r} is {kind_of(value)}"
        raise Misfit(found, f"text under {key!r}")
    check_name(value, repr(key))
    return value if value.strip() else ""


def check_name(name: str, where: str) -> None:
    """Raise Misfit where a name cannot be shown in a line of a listing."""
    check_text(name, where)
    if len(name) > LONGEST_NAME or not name.isprintable():
        found = f"{where} is {name}"
        raise Misfit(found, f"one line of at most {LONGEST_NAME} characters in {where}")


def _ratings(record: Mapping[str, Any]) -> dict[str, int]:
    """The ratings by rater. Null is no rating: a Parquet column has one where a rater gave none."""
    value = record.get("ratings")
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        found = f"'ratings' is {kind_of(value)}"
        raise Misfit(found, "an object of ratings by rater under 'ratings'")
    return {rater: _rating(rater, given) for rater, given in value.items() if given is not None}


def _rating(rater: str, given: Any) -> int:
    check_name(rater, "a rater's name")
    number = isinstance(given, int | float) and not isinstance(given, bool)
    if not number or not 0 <= given <= HIGHEST_RATING or given != int(given):
        shown = (
            f"'{one_line(given, 40)}'" if isinstance(given, str) else str(given) if number else kind_of(given)
        )
        found = f"the rating of {one_line(rater, 40)} is {shown}"
        raise Misfit(found, f"a whole number from 0 to {HIGHEST_RATING}")
    return int(given)
