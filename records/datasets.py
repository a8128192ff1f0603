"""Data sets by name: which rows of the pool and which fused rows each holds."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import Field

from .conversation import Conversation
from .stored import Stored
from .vocabulary import MemberKind


class Member(Stored):
    """One row of a data set."""

    name: str = Field(description="the data set's name, such as hq+entp")
    position: int
    kind: MemberKind
    id: str = Field(description="a row of the pool, or a fused row")
    made_by: str = Field(description="the command that made the data set")


class Candidate(NamedTuple):
    """A fused row that a data set may take."""

    id: str
    kind: MemberKind
    loss: int
    carried_by: str | None
    """The fused row itself is part of what this later fusion made; None where none took it up."""


class RowFacts(Stored):
    """What is known of a row of a data set beside its text; None where it does not apply to its kind.

    Every row has all of them, since many readers of training files take the columns from the first rows.
    """

    kind: MemberKind
    source: str | None = Field(default=None, description="of a row of the pool: the data set it came from")
    score: int | None = Field(default=None, description="of a row of the pool: its corrected score")
    strategy: str | None = None
    loss: int | None = None
    model: str | None = None
    made_from: list[str] | None = Field(
        default=None, description="ids of the rows that a fused row was made from"
    )


class DataSetRow(NamedTuple):
    """A row of a data set with its text and what is known of it."""

    member: Member
    turns: Conversation
    facts: RowFacts
