"""docs/worked-example.md, and the README's first part of the demo: what they print is what is printed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from pages import fits, ran, shown_in

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "worked-example.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")


@pytest.fixture
def beside_the_examples(tmp_path, monkeypatch):
    """A folder as a user has it, with the shipped examples."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("beside_the_examples")
def test_the_page_prints_what_its_commands_print():
    names = {}
    compared = 0
    for shown in shown_in(PAGE):
        printed = ran(shown, names)
        if shown.printed is not None:
            assert fits(shown.printed, printed), f"{shown.code}prints\n{printed}"
            compared += 1
    assert compared > 10
    line = beside(names["pair"].left, names["pair"].right, names["fused"])
    assert line in PAGE
    assert line in README


def beside(*conversations):
    """Conversations of one exchange as a table has them, a column each."""
    said = zip(*([turn.content for turn in each.turns] for each in conversations), strict=True)
    cells = ([re.sub(" +", " ", text).replace("\n\n", "<br><br>") for text in turns] for turns in said)
    return "".join(
        f"| {who} | {' | '.join(row)} |\n" for who, row in zip(("user", "assistant"), cells, strict=True)
    )


@pytest.mark.usefixtures("beside_the_examples")
def test_the_readme_shows_how_the_demo_opens():
    (opening,) = (shown for shown in shown_in(README) if "entp demo --pairs 0" in shown.code)
    assert fits(opening.printed, ran(opening, {}))


@pytest.mark.parametrize(
    ("shown", "same"),
    [("a\nb\n", True), ("a\n...\n", True), ("...\nb\n", True), ("a\n", False), ("b\n...\n", False)],
)
def test_what_fits(shown, same):
    assert fits(shown, "a\nb  \n") is same
