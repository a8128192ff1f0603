"""A stage is one file and one line: a copy of the tree with one more knows it everywhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import entp
from small_pool import pool_rows

ROOT = Path(entp.__file__).parent
ROOMS = (
    "checkpoints",
    "cli",
    "formats",
    "graph",
    "nodes",
    "pipeline",
    "prompts",
    "providers",
    "records",
    "selection",
)
STAGE = '''
"""Count the letters of every row."""

from pydantic import Field

from ...records.books import Books
from ..run.settings import Part
from ..run.stage import Findings, Result, Stage


class LettersSettings(Part):
    letters: str = Field(default="aeiou", description="letters to count")


class LettersFindings(Findings):
    found: int


async def letters(run):
    wanted = run.settings.of(LettersSettings).letters
    texts = [turn.content for row in run.store.rows.all() for turn in row.turns]
    found = sum(text.count(letter) for text in texts for letter in wanted)
    rows = run.store.rows.count()
    return Result(Books(inputs=rows, outputs=rows), LettersFindings(found=found))


STAGE = Stage(
    name="letters",
    does="count the letters of every row",
    example="entp letters --run runs/first --letters xyz",
    settings=LettersSettings,
    findings=LettersFindings,
    lines=lambda found: iter([f"{found.found} letters"]),
    work=letters,
    so_far=lambda run: Books(inputs=run.store.rows.count(), pending=run.store.rows.count()),
    reads=("load",),
)
'''


@pytest.fixture(scope="module")
def entp_with_a_stage(tmp_path_factory):
    """Run the command of a copy of the tree that has one more stage, in a folder of its own."""
    folder = tmp_path_factory.mktemp("more")
    copy = folder / "entp"
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("__init__.py", "api.py"):
        shutil.copy(ROOT / file, copy)
    (copy / "pipeline" / "stages" / "letters.py").write_text(STAGE, "utf-8")
    order = copy / "pipeline" / "stages" / "order.py"
    text = order.read_text("utf-8")
    order.write_text(text.replace('    "load",\n', '    "load",\n    "letters",\n'), "utf-8")
    (folder / "pool.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pool_rows()), "utf-8")

    def command(*words):
        ended = subprocess.run(
            [sys.executable, "-c", "from entp.cli.main import main; main()", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    command("load", "pool.jsonl", "--run", "run")
    return command


def test_help_knows_it(entp_with_a_stage):
    assert "Count the letters of every row." in entp_with_a_stage("--help")
    help_text = entp_with_a_stage("letters", "--help")
    assert "--letters TEXT" in help_text
    assert "entp letters --run runs/first --letters xyz" in help_text
    assert "--letters TEXT" in entp_with_a_stage("run", "--help")


def test_it_runs_is_stale_by_its_settings_and_is_verified(entp_with_a_stage):
    states = {
        stage["name"]: stage["state"]
        for stage in json.loads(entp_with_a_stage("status", "--run", "run", "--json"))["stages"]
    }
    assert (states["load"], states["letters"]) == ("done", "pending")
    first = json.loads(entp_with_a_stage("letters", "--run", "run", "--json"))
    assert first["ran"]
    assert first["found"] > 100
    assert "(up to date)" in entp_with_a_stage("letters", "--run", "run")
    assert "0 letters" in entp_with_a_stage("letters", "--run", "run", "--letters", "#")
    assert "letters  done" in entp_with_a_stage("status", "--run", "run")
    assert entp_with_a_stage("verify", "--run", "run") == "sound\n"
