"""A conversation: the turns of one row, or of one variant of a fusion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

Role: TypeAlias = Literal["system", "user", "assistant"]


class Turn(BaseModel):
    """One turn: who speaks and what is said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role
    content: str


Conversation: TypeAlias = tuple[Turn, ...]


def to_json(turns: Conversation) -> list[dict[str, str]]:
    """Turns as JSON values: `[{"role": ..., "content": ...}, ...]`."""
    return [{"role": turn.role, "content": turn.content} for turn in turns]


def from_json(turns: Iterable[Mapping[str, Any]]) -> Conversation:
    """Turns from JSON values; raises pydantic's ValidationError on anything else."""
    return tuple(Turn.model_validate(turn) for turn in turns)


def last_content(turns: Conversation, role: Role) -> str:
    """The text of the last turn of `role`, or an empty string where there is none."""
    return next((turn.content for turn in reversed(turns) if turn.role == role), "")


def with_last_answer(turns: Conversation, answer: str) -> Conversation:
    """The same turns with the last assistant part replaced (or added, where there is none)."""
    position = max((i for i, turn in enumerate(turns) if turn.role == "assistant"), default=len(turns))
    return (*turns[:position], Turn(role="assistant", content=answer), *turns[position + 1 :])


def plain_text(turns: Conversation) -> str:
    """All that is said, in order, as the encoder and the content rules read it."""
    return "\n".join(turn.content for turn in turns)


def out_of_order(turns: Conversation) -> str | None:
    """What is wrong with the order of roles, or None.

    In order: system first if at all, then user and assistant in turn. A training row ends with an answer,
    so the last role must be assistant.
    """
    spoken = turns[1:] if turns and turns[0].role == "system" else turns
    if not spoken:
        return "no user or assistant turn"
    for position, turn in enumerate(spoken):
        expected = "user" if position % 2 == 0 else "assistant"
        if turn.role != expected:
            return f"turn {position + 1} is {turn.role}, expected {expected}"
    return None if spoken[-1].role == "assistant" else "the last turn is user, expected assistant"
