"""Nothing above the room of the stores knows in what language, or in what files, they keep a run."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("cli", "pipeline", "graph", "nodes", "prompts", "selection", "providers", "formats", "records")
# the rules for content know SQL as something that a row of the pool may hold
ABOUT_CONTENT = ROOT / "formats/content.py"
SOURCES = sorted({path for room in ROOMS for path in (ROOT / room).rglob("*.py")} - {ABOUT_CONTENT})

SQL = re.compile(
    r"\b(SELECT|INSERT( OR \w+)? INTO|DELETE FROM|UPDATE \S+ SET|(CREATE|ALTER|DROP) (TABLE|INDEX)"
    r"|(INNER|LEFT|CROSS) JOIN|WHERE|(ORDER|GROUP) BY|PRAGMA|VACUUM)\b"
)
DRIVERS = re.compile(r"(sqlite3|sqlite_utils|aiosqlite|langgraph\.checkpoint\.sqlite)(\.|$)")


def literals(tree):
    """The strings of a module without its docstrings, the fixed parts of f-strings included."""
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node.lineno, f"{node.module}.{name.name}") for name in node.names)


def trespasses(text):
    """The lines of a module that hold SQL, or import what speaks it."""
    tree = ast.parse(text)
    sql = [line for line, literal in literals(tree) if SQL.search(" ".join(literal.split()))]
    return sorted({*sql, *(line for line, name in imported(tree) if DRIVERS.match(name))})


@pytest.mark.parametrize(
    "text",
    [
        'query("SELECT id FROM rows")',
        'query(f"{start} ORDER BY {column}")',
        'query("PRAGMA integrity_check")',
        'sql = """\n  delete everything: DELETE\n  FROM rows"""',
        "import sqlite3",
        "from sqlite_utils import Database",
        "from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver",
        "from langgraph.checkpoint import sqlite",
    ],
)
def test_trespasses_are_seen(text):
    assert trespasses(text)


@pytest.mark.parametrize(
    "text",
    [
        'say("select the pairs from these, ordered by length")',
        'def f():\n    """SELECT id FROM rows."""',
        "from langgraph.checkpoint.base import BaseCheckpointSaver",
        "from .sqlite3 import x",
    ],
)
def test_what_only_looks_alike_is_not(text):
    assert trespasses(text) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_sql_outside_the_room_of_the_stores(path):
    assert trespasses(path.read_text("utf-8")) == []
