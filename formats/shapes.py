"""The shapes in which pools keep their records: one entry of `SHAPES` each.

A shape has a name, the keys by which it is recognised, a function from record to turns and, where rows may be
exported in it, the reverse. Where a record is less or more than a row, `gather` makes records of rows first.
To add one, write the function and add an entry; where two shapes fit a record, the earlier entry is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ..records.conversation import Conversation, Role, Turn, out_of_order, to_json
from .json_records import Record
from .message_trees import conversations_of_messages, conversations_of_trees
from .misfit import Misfit, kind_of, one_line

Value = TypeVar("Value")

ROLES: Mapping[str, Role] = {
    "system": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
}
"""Who speaks, by the names that pools use (compared in lower case)."""


@dataclass(frozen=True)
class Shape:
    """One way to keep a conversation in a record.

    `keys` must all be there (and not null) for a record to be recognised; `optional` are read as well.
    `read` raises Misfit on a record that does not fit. `write` gives the keys of the record, without an id.
    `gather` takes a file's records and the most bytes of a row, and gives the records that `read` takes.
    """

    name: str
    keys: tuple[str, ...]
    read: Callable[[Mapping[str, Any]], Conversation]
    optional: tuple[str, ...] = ()
    write: Callable[[Conversation], dict[str, Any]] | None = None
    gather: Callable[[Iterator[Record], int], Iterator[Record]] | None = None

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """Whether the record has all the keys of the shape."""
        return all(record.get(key) is not None for key in self.keys)


def check_turns(turns: Conversation) -> None:
    """Raise Misfit where the turns are not a training row: wrong order, blank parts, unusable characters."""
    wrong_order = out_of_order(turns)
    if wrong_order:
        raise Misfit(
            wrong_order, "a system turn first if at all, then user and assistant in turn, an answer last"
        )
    for position, turn in enumerate(turns, 1):
        if not turn.content.strip():
            found = f"turn {position} ({turn.role}) is empty"
            raise Misfit(found, "text in every question and answer")
        check_text(turn.content, f"turn {position} ({turn.role})")


def check_text(text: str, where: str) -> None:
    """Raise Misfit where a text cannot be stored and written as UTF-8 everywhere."""
    if "\0" in text:
        found = f"a NUL character in {where}"
        raise Misfit(found, "text without NUL")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        found = f"half of a surrogate pair in {where}, character {error.start + 1}"
        raise Misfit(found, "text that can be written as UTF-8") from error


def _field(record: Mapping[str, Any], key: str, kind: type[Value], called: str) -> Value:
    value = record.get(key)
    if not isinstance(value, kind):
        found = f"no {key!r} (keys: {', '.join(record)})" if value is None else f"{key!r} is {kind_of(value)}"
        raise Misfit(found, f"{called} under {key!r}")
    return value


def _text(record: Mapping[str, Any], key: str) -> str:
    return _field(record, key, str, "text")


def _optional_text(record: Mapping[str, Any], key: str) -> str:
    return "" if record.get(key) is None else _text(record, key)


def _system(record: Mapping[str, Any]) -> Conversation:
    """The system turn that stands beside the others; a blank one says nothing and is left out."""
    text = _optional_text(record, "system")
    return (Turn(role="system", content=text),) if text.strip() else ()


def _spoken(record: Mapping[str, Any], key: str) -> Conversation:
    """The turns of an array of objects, with role and content or with from and value."""
    turns = [
        _turn(item, position, key) for position, item in enumerate(_field(record, key, list, "an array"), 1)
    ]
    if turns and turns[0].role == "system" and not turns[0].content.strip():
        turns = turns[1:]
    return tuple(turns)


def _turn(item: Any, position: int, key: str) -> Turn:
    if not isinstance(item, Mapping):
        found = f"item {position} of {key!r} is {kind_of(item)}"
        raise Misfit(found, "an object with role and content")
    role_key, text_key = ("from", "value") if "from" in item else ("role", "content")
    name = item.get(role_key)
    role = ROLES.get(name.lower()) if isinstance(name, str) else None
    if role is None:
        shown = f"'{one_line(name, 40)}'" if isinstance(name, str) else kind_of(name)
        found = f"{role_key!r} of turn {position} is {shown}"
        raise Misfit(found, f"one of {', '.join(ROLES)}")
    content = item.get(text_key)
    if not isinstance(content, str):
        found = f"{text_key!r} of turn {position} is {kind_of(content)}"
        raise Misfit(found, "text in every turn")
    return Turn(role=role, content=content)


def _joined(*parts: str) -> str:
    """An instruction with its input on the lines below it, as the pools of the paper are put together."""
    return "\n".join(part for part in parts if part.strip())


def _asked(question: str, answer: str) -> Conversation:
    return (Turn(role="user", content=question), Turn(role="assistant", content=answer))


def _read_alpaca(record: Mapping[str, Any]) -> Conversation:
    question = _joined(_text(record, "instruction"), _optional_text(record, "input"))
    return (*_system(record), *_history(record), *_asked(question, _text(record, "output")))


def _history(record: Mapping[str, Any]) -> Conversation:
    """Earlier questions and answers, `[[question, answer], ...]`."""
    if record.get("history") is None:
        return ()
    turns: list[Turn] = []
    for position, pair in enumerate(_field(record, "history", list, "an array"), 1):
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair)):
            found = f"item {position} of 'history' is not a pair of texts"
            raise Misfit(found, "[question, answer] in every item of 'history'")
        turns.extend(_asked(*pair))
    return tuple(turns)


def _write_alpaca(turns: Conversation) -> dict[str, Any]:
    *earlier, question, answer = turns
    record: dict[str, Any] = {"instruction": question.content, "input": "", "output": answer.content}
    if earlier and earlier[0].role == "system":
        record["system"] = earlier.pop(0).content
    if earlier:
        said = [turn.content for turn in earlier]
        record["history"] = [list(pair) for pair in zip(said[::2], said[1::2], strict=True)]
    return record


def _read_dolly(record: Mapping[str, Any]) -> Conversation:
    question = _joined(_text(record, "instruction"), _optional_text(record, "context"))
    return _asked(question, _text(record, "response"))


def _read_messages(record: Mapping[str, Any]) -> Conversation:
    return _spoken(record, "messages")


def _write_messages(turns: Conversation) -> dict[str, Any]:
    return {"messages": to_json(turns)}


def _read_sharegpt(record: Mapping[str, Any]) -> Conversation:
    return (*_system(record), *_spoken(record, "conversations"))


def _write_sharegpt(turns: Conversation) -> dict[str, Any]:
    names = {"system": "system", "user": "human", "assistant": "gpt"}
    return {"conversations": [{"from": names[turn.role], "value": turn.content} for turn in turns]}


def _read_flan(record: Mapping[str, Any]) -> Conversation:
    return _asked(_text(record, "inputs"), _text(record, "targets"))


def _read_prompt_completion(record: Mapping[str, Any]) -> Conversation:
    return (*_part(record, "prompt", "user"), *_part(record, "completion", "assistant"))


def _part(record: Mapping[str, Any], key: str, role: Role) -> Conversation:
    if isinstance(record.get(key), list):
        return _spoken(record, key)
    return (Turn(role=role, content=_text(record, key)),)


SHAPES: tuple[Shape, ...] = (
    Shape("messages", ("messages",), _read_messages, write=_write_messages),
    Shape("sharegpt", ("conversations",), _read_sharegpt, optional=("system",), write=_write_sharegpt),
    Shape(
        "alpaca",
        ("instruction", "output"),
        _read_alpaca,
        optional=("input", "system", "history"),
        write=_write_alpaca,
    ),
    Shape("dolly", ("instruction", "response"), _read_dolly, optional=("context",)),
    Shape("prompt_completion", ("prompt", "completion"), _read_prompt_completion),
    Shape("flan", ("inputs", "targets"), _read_flan),
    Shape(
        "oasst_messages",
        ("message_id", "text", "role"),
        _read_messages,
        optional=("parent_id", "message_tree_id", "deleted", "review_result"),
        gather=conversations_of_messages,
    ),
    Shape("oasst_trees", ("message_tree_id", "prompt"), _read_messages, gather=conversations_of_trees),
)

SHAPE_KEYS: frozenset[str] = frozenset(key for shape in SHAPES for key in (*shape.keys, *shape.optional))
"""All keys that any shape reads."""
