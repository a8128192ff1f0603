"""Trees of messages, as Open Assistant publishes them, taken apart into conversations.

A message says which one it replies to, so that one prompt has many conversations: each way from a first
message down to one that nobody replied to. They come flat, a record a message, or nested, a record a tree.
Every conversation that ends in an answer is a row, as in the pool of the paper; ranks and languages choose
nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from .json_records import Record, too_long
from .misfit import Misfit, kind_of, one_line, place

Key: TypeAlias = str | int
"""What a message is called among the others: its id, or its number where a nested one has none."""

_OF_A_ROW = ("source", "dataset", "ratings")


@dataclass(frozen=True, slots=True)
class _Message:
    """`turn` is None where the message was taken back; `row` holds the keys of a row that stand beside it."""

    file: str
    line: int
    key: Key
    parent: Key | None
    tree: str | None
    turn: dict[str, Any] | None
    row: dict[str, Any]

    def at_its_place(self, value: dict[str, Any] | Misfit) -> Record:
        return Record(self.file, self.line, value)


class _Broken(NamedTuple):
    """Why no conversation leads through a message."""

    found: str
    expected: str = "every message of a conversation, from its first one on"


_LOOP = _Broken("a message whose conversation leads round in a loop")


def conversations_of_messages(records: Iterator[Record], max_row_bytes: int) -> Iterator[Record]:
    """The conversations in flat messages, each at the place of its last one, in the shape `messages`.

    A conversation has the id of its last message. A message that cannot be read, was taken back or belongs to
    no whole conversation is a Misfit at its place. Memory holds the texts of all messages.
    """
    return _conversations(map(_flat_message, records), max_row_bytes)


def conversations_of_trees(records: Iterator[Record], max_row_bytes: int) -> Iterator[Record]:
    """The conversations in nested trees, each at the place of its tree; memory holds one tree."""
    for record in records:
        yield from _conversations(_nested_messages(record), max_row_bytes)


def _flat_message(record: Record) -> _Message | Record:
    if isinstance(record.value, Misfit):
        return record
    try:
        key = _id(record.value, "message_id")
        if key is None:
            found = "no 'message_id'"
            raise Misfit(found, "an id under 'message_id'")
        tree = _id(record.value, "message_tree_id")
        return _message(record, record.value, key, _id(record.value, "parent_id"), tree)
    except Misfit as misfit:
        return record._replace(value=misfit)


def _nested_messages(record: Record) -> Iterator[_Message | Record]:
    """The messages of a tree, each before its replies."""
    if isinstance(record.value, Misfit):
        yield record
        return
    left: list[tuple[Any, Key | None]] = [(record.value.get("prompt"), None)]
    number = 0
    while left:
        node, parent = left.pop()
        number += 1
        try:
            if not isinstance(node, Mapping):
                found = f"message {number} of the tree is {kind_of(node)}"
                raise Misfit(found, "an object with text, role and replies")
            key = _id(node, "message_id") or number
            replies = [] if node.get("replies") is None else node["replies"]
            if not isinstance(replies, list):
                found = f"'replies' of message {number} is {kind_of(replies)}"
                raise Misfit(found, "an array of messages under 'replies'")
            left += [(reply, key) for reply in reversed(replies)]
            yield _message(record, {**_row_keys(record.value), **node}, key, parent, None)
        except Misfit as misfit:
            yield record._replace(value=misfit)


def _message(
    record: Record, keys: Mapping[str, Any], key: Key, parent: Key | None, tree: str | None
) -> _Message:
    turn = None
    # one that was taken back may have lost its text
    if not keys.get("deleted") and keys.get("review_result") is not False:
        text = keys.get("text")
        if not isinstance(text, str):
            found = f"'text' of message {key} is {kind_of(text)}"
            raise Misfit(found, "text in every message")
        turn = {"role": keys.get("role"), "content": text}
    return _Message(record.file, record.line, key, parent, tree, turn, _row_keys(keys))


def _row_keys(keys: Mapping[str, Any]) -> dict[str, Any]:
    return {name: keys[name] for name in _OF_A_ROW if keys.get(name) is not None}


def _id(keys: Mapping[str, Any], name: str) -> str | None:
    value = keys.get(name)
    if value is None or isinstance(value, str):
        return value or None
    if type(value) is int:
        return str(value)
    found = f"{name!r} is {kind_of(value)}"
    raise Misfit(found, f"text under {name!r}")


def _conversations(messages: Iterable[_Message | Record], max_row_bytes: int) -> Iterator[Record]:
    forest = _Forest()
    for message in [forest.take(message) for message in messages]:
        if isinstance(message, Record):
            yield message
        else:
            yield from forest.ending_in(message, max_row_bytes)


class _Forest:
    """Messages by their keys. Each is judged once, on the way up from it."""

    def __init__(self) -> None:
        self._messages: dict[Key, _Message] = {}
        self._replied_to: set[Key | None] = set()
        self._first_ones: Counter[str] = Counter()
        # the bytes of the texts from the first message down to this one, or why there is no such way
        self._judged: dict[Key, int | _Broken] = {}

    def take(self, message: _Message | Record) -> _Message | Record:
        """Note a message; a Misfit in its place where another one has its id."""
        if isinstance(message, Record):
            return message
        first = self._messages.setdefault(message.key, message)
        if first is not message:
            found = (
                f"message {one_line(str(message.key), 40)} again, first at {place(first.file, first.line)}"
            )
            return message.at_its_place(Misfit(found, "an id of its own"))
        if message.turn is not None:
            self._replied_to.add(message.parent)
        if message.parent is None and message.tree is not None:
            self._first_ones[message.tree] += 1
        return message

    def ending_in(self, message: _Message, max_row_bytes: int) -> Iterator[Record]:
        """The conversation that ends in a message, or why it is in none; nothing where others reply to it."""
        judged = self._judge(message)
        if isinstance(judged, _Broken):
            yield message.at_its_place(Misfit(*judged))
        elif message.key not in self._replied_to:
            yield message.at_its_place(self._whole(message, judged, max_row_bytes))

    def _judge(self, message: _Message) -> int | _Broken:
        way: list[_Message] = []
        above: _Message | None = message
        while above is not None and above.key not in self._judged:
            way.append(above)
            # stays so where the way up comes back to it
            self._judged[above.key] = _LOOP
            above = None if above.parent is None else self._messages.get(above.parent)
        for each in reversed(way):
            self._judged[each.key] = self._judge_below(each)
        return self._judged[message.key]

    def _judge_below(self, message: _Message) -> int | _Broken:
        """Judge a message the one above which has been judged."""
        if message.turn is None:
            return _Broken("a message that was deleted or turned down", "a message that was kept")
        size = len(message.turn["content"].encode("utf-8", "surrogatepass"))
        if message.parent is None:
            return self._second(message) or size
        above = self._judged.get(message.parent)
        replied_to = f"a reply to message {one_line(str(message.parent), 40)}"
        if above is None:
            return _Broken(f"{replied_to}, which is not there or cannot be read")
        if isinstance(above, _Broken):
            return above if above is _LOOP else _Broken(f"{replied_to}, which is in no whole conversation")
        return above + size

    def _second(self, message: _Message) -> _Broken | None:
        """Whether a message begins a tree that begins elsewhere: then what it replied to is lost."""
        if message.tree is None or message.tree == message.key or self._first_ones[message.tree] == 1:
            return None
        found = f"one of {self._first_ones[message.tree]} messages of a tree that reply to none"
        return _Broken(found, "one such message in a tree")

    def _whole(self, message: _Message, size: int, max_row_bytes: int) -> dict[str, Any] | Misfit:
        if size > max_row_bytes:
            return too_long(size, max_row_bytes)
        if message.turn and message.turn["role"] == "prompter":
            return Misfit("a question that nobody answered", "an answer at the end of a conversation")
        turns = []
        above: _Message | None = message
        while above is not None:
            turns.append(above.turn)
            above = None if above.parent is None else self._messages[above.parent]
        own = {"id": message.key} if isinstance(message.key, str) else {}
        return {**message.row, **own, "messages": turns[::-1]}
