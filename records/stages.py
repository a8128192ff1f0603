"""The mark that a finished stage leaves."""

from __future__ import annotations

from pydantic import Field

from .books import Books
from .stored import JsonObject, Stored


class StageMark(Stored):
    """Hashes of what a stage read, how, and what it left behind; its books, and what it found."""

    name: str
    inputs: str
    settings: str
    outputs: str
    books: Books
    findings: JsonObject
    finished: str = Field(default="", description="UTC; set by the store")
