"""What a command prints: lines of text, and tables."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class Table(NamedTuple):
    """Rows of cells under a header; numbers differ from text by their type."""

    header: tuple[str, ...]
    rows: list[tuple[object, ...]]


Line: TypeAlias = str | Table
