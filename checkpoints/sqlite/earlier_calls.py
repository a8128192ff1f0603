"""What migrations make of calls that an earlier ENTP has recorded. What is damaged is left as it is found."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from typing import Any

from ...records.hashing import canonical_json, tagged_hash
from .texts import Texts, unpack

_DAMAGE = (ValueError, TypeError, KeyError, zlib.error)
_A_BEGINNING = 1000


def name_models(connection: sqlite3.Connection) -> None:
    """Give each call the origin of its model, so that estimates by model know of it."""
    origins: dict[str, int] = {}
    for number, frame in _frames(connection):
        model = frame["identity"].get("model")
        if not isinstance(model, str):
            continue
        if model not in origins:
            insert = "INSERT INTO origins (run, stage, model) VALUES ('', '', ?) RETURNING id"
            origins[model] = connection.execute(insert, (model,)).fetchone()[0]
        connection.execute(
            "UPDATE calls SET origin = ? WHERE frame = ? AND origin IS NULL", (origins[model], number)
        )


def count_beginnings(connection: sqlite3.Connection) -> None:
    """Take apart what was one number: 1000 for each earlier beginning of the operator, and the attempt."""
    for number, frame in _frames(connection):
        attempt = frame["request"].get("attempt")
        if isinstance(attempt, int) and attempt > _A_BEGINNING and attempt % _A_BEGINNING:
            counted = {"attempt": attempt % _A_BEGINNING, "begun": attempt // _A_BEGINNING + 1}
            _rewrite(connection, number, {**frame, "request": {**frame["request"], **counted}})


def _rewrite(connection: sqlite3.Connection, number: int, frame: dict[str, Any]) -> None:
    """Give the calls of one frame another, and the key that goes with it."""
    calls = connection.execute("SELECT id, messages FROM calls WHERE frame = ?", (number,)).fetchall()
    stored = Texts(connection).store_whole(canonical_json(frame))
    for call, messages in calls:
        try:
            turns = [
                {"role": role, "content": _text(connection, parts)} for role, *parts in json.loads(messages)
            ]
        except _DAMAGE:
            continue
        request = {**frame["request"], "messages": turns}
        key = tagged_hash("call", {"identity": frame["identity"], "request": request})
        update = "UPDATE calls SET key = ?, frame = ? WHERE id = ?"
        connection.execute(update, (bytes.fromhex(key), stored, call))


def _frames(connection: sqlite3.Connection) -> Iterator[tuple[int, dict[str, Any]]]:
    """The frames of all calls with their numbers: identity, and the request without its messages."""
    for number in [row[0] for row in connection.execute("SELECT DISTINCT frame FROM calls")]:
        try:
            frame = json.loads(_text(connection, [number]))
            if isinstance(frame["identity"], dict) and isinstance(frame["request"], dict):
                yield number, frame
        except _DAMAGE:
            continue


def _text(connection: sqlite3.Connection, numbers: list[int]) -> str:
    """The parts of these numbers, joined; raises what damage raises."""
    select = "SELECT hash, zipped, body FROM texts WHERE id = ?"
    return "".join(unpack(*connection.execute(select, (number,)).fetchone()) for number in numbers)
