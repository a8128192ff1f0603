"""What bench/prompts.py asks about: pairs of real rows, and texts into which code has planted a fault.

A text is known to be right, so that the right verdict on it, and on each fault in it, is known too.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from entp.graph.terms import stands_in, words_of
from entp.records.conversation import (
    Conversation,
    Turn,
    from_json,
    last_content,
    plain_text,
    with_last_answer,
)
from entp.records.vocabulary import Relationship

HERE = Path(__file__).parent
ROWS = (HERE.parent / "examples" / "pool.jsonl", HERE / "prompt_rows.jsonl")
CASES = HERE / "prompt_cases.toml"

Origin: TypeAlias = Literal["row", "accepted"]
"""A row of the pool, chosen by hand; or a fused row that the model itself has accepted."""
Fault: TypeAlias = Literal["none", "term removed", "question cut off", "answer swapped", "paragraph added"]

# ends of sentences, references as in "1865.[1]" included; the pieces joined give the text back
_ENDS = re.compile(r"(?<=[.!?\]])(?=\s)|(?=\n)")


@dataclass(frozen=True)
class Pair:
    """Two rows to be fused, how a person relates their fields, and why the pair was chosen."""

    left_id: str
    right_id: str
    left: Conversation
    right: Conversation
    relation: Relationship
    why: str

    @property
    def id(self) -> str:
        """Names the fusion, and so breaks its ties."""
        return f"{self.left_id}+{self.right_id}"


@dataclass(frozen=True)
class Text:
    """A conversation that is right as it stands, and key terms that stand in it."""

    origin: Origin
    turns: Conversation
    left_terms: list[str]
    right_terms: list[str]


@dataclass(frozen=True)
class Case:
    """A text with a fault, or with none. `planted` is the term that is gone or the paragraph that is new."""

    fault: Fault
    text: Text
    planted: str = ""


def pairs() -> list[Pair]:
    """All pairs, in their order."""
    rows = _rows()
    return [
        Pair(
            each["left"],
            each["right"],
            rows[each["left"]],
            rows[each["right"]],
            each["relation"],
            each["why"],
        )
        for each in _cases()["pair"]
    ]


def row_texts() -> list[Text]:
    """The texts made of rows chosen by hand."""
    rows = _rows()
    return [
        Text("row", question_last(rows[each["row"]]), each["left_terms"], each["right_terms"])
        for each in _cases()["text"]
    ]


def question_last(turns: Conversation) -> Conversation:
    """The same turns, the question of the first one after its passage in place of before it."""
    question, passage = turns[0].content.split("\n", 1)
    return (Turn(role="user", content=f"{passage.strip()}\n\n{question.strip()}"), *turns[1:])


def cases_of(text: Text, unrelated: Sequence[str]) -> Iterator[Case]:
    """The text with each fault that it can have; `unrelated` are two answers to other questions.

    A row of the pool comes without a fault as well. An accepted row does not: the model has just said of it
    that nothing is wrong, and the ledger would only repeat that.
    """
    if text.origin == "row":
        yield Case("none", text)
    found = without_a_term(text)
    if found:
        term, turns = found
        yield Case("term removed", replace(text, turns=turns), term)
    without = without_question(text.turns)
    if without:
        yield Case("question cut off", replace(text, turns=without))
    swapped, paragraph = unrelated
    yield Case("answer swapped", replace(text, turns=with_last_answer(text.turns, swapped)))
    longer = f"{last_content(text.turns, 'assistant')}\n\n{paragraph}"
    yield Case("paragraph added", replace(text, turns=with_last_answer(text.turns, longer)), paragraph)


def without_a_term(text: Text) -> tuple[str, Conversation] | None:
    """The first term that can go, and the text without any sentence that has it.

    Whole sentences go, so that nothing else says the same of it. A term can stay away where the final
    question stands as it was and no turn is left empty.
    """
    question = _sentences(last_content(text.turns, "user"))[-1]
    for term in (*text.left_terms, *text.right_terms):
        turns = tuple(
            Turn(role=turn.role, content=_without(term, turn.content).strip()) for turn in text.turns
        )
        if (
            all(turn.content for turn in turns)
            and _sentences(last_content(turns, "user"))[-1].strip() == question.strip()
            and not stands_in(term, words_of(plain_text(turns)))
        ):
            return term, turns
    return None


def without_question(turns: Conversation) -> Conversation | None:
    """The turns with the final question cut off; None where that leaves nothing, or another question."""
    *before, question = _sentences(last_content(turns, "user"))
    rest = "".join(before).strip()
    if not question.endswith("?") or not rest or "?" in rest:
        return None
    position = max(at for at, turn in enumerate(turns) if turn.role == "user")
    return (*turns[:position], Turn(role="user", content=rest), *turns[position + 1 :])


def _without(term: str, text: str) -> str:
    return "".join(piece for piece in _sentences(text) if not stands_in(term, words_of(piece)))


def _sentences(text: str) -> list[str]:
    return _ENDS.split(text.rstrip())


@cache
def _cases() -> dict[str, Any]:
    return tomllib.loads(CASES.read_text("utf-8"))


@cache
def _rows() -> dict[str, Conversation]:
    lines = (line for path in ROWS for line in path.read_text("utf-8").splitlines())
    return {row["id"]: from_json(row["messages"]) for row in map(json.loads, lines)}
