"""Tables and lines of data on a terminal, whose cells are not characters."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entp.cli.output import one_line, table


def cells(text):
    """How many cells of a terminal a text takes, for texts without combining characters."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def test_columns_stand_below_each_other_whatever_is_in_them(capsys):
    table(
        ("row", "text", "rows"),
        [("a", "plain", 7), ("日本語の行", "🍞 bread", 12), ("b", "[bold]ﾊﾝ", 100)],
    )
    header, *lines = capsys.readouterr().out.splitlines()
    assert [cells(line) for line in (header, *lines)] == [cells(header)] * 4
    for line, cell in zip(lines, ("plain", "🍞 bread", "[bold]"), strict=True):
        assert cells(line[: line.index(cell)]) == header.index("text")
    assert "[bold]ﾊﾝ" in lines[2]  # data, not markup


def test_a_table_without_rows_is_its_header(capsys):
    table(("score", "rows"), [])
    assert capsys.readouterr().out == "score  rows\n"


@pytest.mark.parametrize(
    ("text", "width", "line"),
    [
        ("short", 5, "short"),
        ("longer", 5, "long…"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("two\nlines\tof it", 40, "two lines of it"),
        ("\x1b[2J", 40, "\\x1b[2J"),
    ],
)
def test_a_text_is_cut_at_cells(text, width, line):
    assert one_line(text, width) == line


@given(st.text("ab 日🍞ﾊ", max_size=30), st.integers(1, 20))
def test_a_cut_line_fits(text, width):
    assert cells(one_line(text, width)) <= width
