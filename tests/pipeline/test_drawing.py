"""Drawings: of the graphs, of the path of a real fusion, and as pictures without a network."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from entp.cli.main import entp
from entp.nodes.templates import CYCLES, writers_of
from entp.pipeline.stages.order import look_at_run
from tables import query

TEMPLATES = {template.name for cycle in CYCLES for template in writers_of(cycle)}


def draw(*words):
    done = CliRunner().invoke(entp, ["graph", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


@pytest.fixture
def fused(run_whole, tmp_path, model_server):
    """A run in which one variant of the first pair fails."""
    default = model_server.answers
    model_server.answers = lambda operator, messages: (
        "no JSON"
        if operator == "final_answer_check" and "Variant 1." in messages[1]["content"]
        else default(operator, messages)
    )
    run_whole(tmp_path / "run", pairs=2)
    with look_at_run(tmp_path / "run") as run:
        return tmp_path / "run", list(query(run.folder, "SELECT * FROM fused_rows ORDER BY id"))


def test_the_drawing_shows_every_template_and_what_leads_to_it():
    for words in ((), ("--variant",)):
        drawn = draw(*words)
        assert all(re.search(rf"-\. .* unmet \.-> (variant\.)?{name};", drawn) for name in TEMPLATES)


def test_pictures_need_no_network(tmp_path):
    svg, png = tmp_path / "fusion.svg", tmp_path / "fusion.png"
    draw("--svg", svg, "--png", png)
    picture = svg.read_text("utf-8")
    assert picture.startswith("<svg")
    assert "foreignObject" not in picture
    for name in TEMPLATES:
        assert name in picture
    # a label is a row of words
    assert "terms + context + answer unmet" in re.sub(r"<[^>]*>", "", picture)
    assert png.read_bytes().startswith(b"\x89PNG")


def test_the_picture_in_the_documents_is_that_of_the_code(tmp_path, request):
    kept = Path(__file__).parent.parent.parent / "docs" / "fusion.svg"
    draw("--svg", kept if request.config.getoption("--update-golden") else tmp_path / "fusion.svg")
    if not request.config.getoption("--update-golden"):
        assert (tmp_path / "fusion.svg").read_bytes() == kept.read_bytes()


def test_the_path_of_a_fusion_has_its_losses_on_its_edges(fused, tmp_path):
    folder, rows = fused
    fusion_id = rows[0]["fusion_id"]
    drawn = draw("--fusion", fusion_id, "--run", folder)
    ours = [row for row in rows if row["fusion_id"] == fusion_id]
    for row in ours:
        for attempt in json.loads(row["attempts"]):
            assert f"loss {len(attempt['loss']['unmet'])}: " in drawn
        for template in json.loads(row["templates"]):
            assert f'"{template}"' in drawn
        assert row["strategy"] in drawn
        assert (
            f"{row['id']}, loss {row['loss']}" if row["status"] == "fused" else row["reason"][:60]
        ) in drawn
    assert {row["status"] for row in ours} == {"fused", "failed"}
    assert drawn.count("(carried on)") == 1
    draw("--fusion", fusion_id, "--run", folder, "--svg", tmp_path / "path.svg")
    assert ours[0]["id"] in (tmp_path / "path.svg").read_text("utf-8")


def test_an_unknown_fusion_is_named(fused):
    done = CliRunner().invoke(entp, ["graph", "--fusion", "none", "--run", str(fused[0])])
    assert "has no fusion 'none'" in str(done.exception)
