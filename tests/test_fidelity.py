"""docs/fidelity.md: each point of the paper has a file that exists and a verdict that is accounted for."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "fidelity.md").read_text("utf-8")
DECISIONS = {
    int(number)
    for number in re.findall(r"^(\d+)\. \*\*", (ROOT / "docs" / "decisions.md").read_text("utf-8"), re.M)
}
SECTIONS = {
    title: re.findall(r"^\| ([\d.]+) \| (.*) \| (?:`(.*)`)? \| (.*) \|$", rows, re.M)
    for title, rows in re.findall(r"^## ([^:(,\n]+)[^\n]*\n(.*?)(?=^## )", PAGE, re.M | re.S)
}
POINTS = [point for points in SECTIONS.values() for point in points]


def kind(verdict):
    return "not built" if verdict == "not built" else verdict.split()[0]


@pytest.mark.parametrize(("number", "said", "place", "verdict"), POINTS, ids=[point[0] for point in POINTS])
def test_a_point_has_its_place_and_its_reason(number, said, place, verdict):
    assert said
    if verdict == "not built":
        assert not place
        return
    assert (ROOT / place).is_file()
    how, _, why = verdict.partition(" ")
    if how == "equal":
        assert not why
    else:
        assert how in {"departs", "settled"}
        named = {int(found) for found in re.findall(r"\d+", why)}
        assert why == "(SOURCES)" or (named and named <= DECISIONS)


def test_no_point_is_there_twice_and_the_counts_are_right():
    assert len({point[0] for point in POINTS}) == len(POINTS)
    kinds = ["equal", "departs", "settled", "not built"]
    counts = {title: Counter(kind(verdict) for *_, verdict in points) for title, points in SECTIONS.items()}
    rows = {title: [count[each] for each in kinds] for title, count in counts.items()}
    rows[f"all ({len(POINTS)})"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    stated = re.findall(
        r"^\| ([^|]+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE.split("## Counts")[1], re.M
    )
    assert {title.strip(): [int(number) for number in numbers] for title, *numbers in stated} == rows
