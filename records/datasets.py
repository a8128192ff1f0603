"""Data sets by name: which rows of the pool and which fused rows each holds."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import Field

from .conversation import Conversation
from .stored import JsonObject, Stored
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


class DataSetRow(NamedTuple):
    """A row of a data set with its text and all that is told of it beside."""

    member: Member
    turns: Conversation
    metadata: JsonObject
