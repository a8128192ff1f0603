"""The table of stages in docs/architecture.md is that of the code."""

from __future__ import annotations

import re
from pathlib import Path

import entp
from entp.pipeline.stages.order import STAGES

PAGE = Path(entp.__file__).parent / "docs" / "architecture.md"


def test_the_page_names_every_stage_in_order_with_the_tables_it_leaves():
    text = PAGE.read_text("utf-8").split("| stage | reads | leaves (tables of run.db) |")[1]
    table = text.lstrip("\n").split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[1:]]
    # files stand there beside tables, and their names have an ending
    written = {name: re.findall(r"`(\w+)`", leaves) for name, _, leaves in rows}
    assert list(written) == [stage.name for stage in STAGES]
    assert {name: sorted(tables) for name, tables in written.items()} == {
        stage.name: sorted(stage.tables) for stage in STAGES
    }
