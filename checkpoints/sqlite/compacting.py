"""Giving what is free in SQLite's files back to the disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .ledger_schema import LEDGER
from .migrations import compact
from .run_schema import RUN
from .saver import LAYOUT

_LAYOUTS = {layout.file: layout for layout in (RUN, LEDGER, LAYOUT)}


def compact_files(paths: Iterable[Path]) -> None:
    """Compact those that there are, each by the layout of its name."""
    for path in paths:
        if path.exists():
            compact(path, _LAYOUTS[path.name])
