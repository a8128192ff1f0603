"""Which vector stands for which text."""

from __future__ import annotations

from .stored import Stored


class Embedded(Stored):
    """One line of a file of vectors: its place, and the hash of the text that it encodes."""

    position: int
    content: str
    file: str
