"""Rows of a pool, as read, and those that could not be read."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from .conversation import Conversation, to_json
from .hashing import tagged_hash


class Row(BaseModel):
    """One conversation of the source pool."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(description="the pool's own id, or a hash of the content where it brings none")
    turns: Conversation
    source: str = Field(default="", description="the data set it came from, as the pool names it")
    ratings: dict[str, int] = Field(
        default_factory=dict, description="overall ratings that the pool brings, by rater"
    )
    file: str = ""
    line: int = Field(default=0, description="line of a text file, else position of the record; both from 1")


class StoredRow(Row):
    """A row as a run keeps it: with its place among all rows, and the hash of what is said."""

    position: int
    content: str


class RejectedRow(BaseModel):
    """A record of the pool that is not a row: where it stands, what was found, what was expected."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    line: int
    found: str
    expected: str


def content_hash(turns: Conversation) -> str:
    """The hash of what is said: what decides whether a row has changed."""
    return tagged_hash("row", to_json(turns))
