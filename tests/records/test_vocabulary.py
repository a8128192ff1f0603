"""A vocabulary is said once: nothing else in the package writes its words down again."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from entp.records import vocabulary

ROOT = Path(vocabulary.__file__).parent.parent
ROOMS = ("checkpoints", "cli", "formats", "graph", "nodes", "pipeline", "prompts", "providers", "selection")
WORDS = {name: get_args(value) for name, value in vars(vocabulary).items() if get_args(value)}


@cache
def literals():
    """The words of every Literal in the rooms, with file and line."""
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    assert len(files) > 90
    found = []
    for path in files:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
                words = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
                said = {word.value for word in words if isinstance(word, ast.Constant)}
                found.append((f"{path.relative_to(ROOT)}:{node.lineno}", said))
    return found


@pytest.mark.parametrize("name", WORDS)
def test_no_room_writes_a_vocabulary_down_again(name):
    assert [place for place, words in literals() if words >= set(WORDS[name])] == []
