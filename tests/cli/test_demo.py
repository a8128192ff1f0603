"""`entp demo`: how it opens, and its live part on the real embedded model, which gets few calls to answer."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files

import pytest

from entp.cli.example import PAIR, REPLIES
from entp.providers.written import NAME

# the shipped pool ends in twelve rows that only the model can rate
UNRATED, ASKED = 12, 2
CHILD = """
import sys
from entp.cli import demo, main
from entp.nodes.schema import ReplyLimits
for name, most in (("text_characters", 80), ("sentence_characters", 30), ("items", 2)):
    ReplyLimits.model_fields[name].default = most
ReplyLimits.model_rebuild(force=True)
demo.POOL = sys.argv.pop(1)
demo.SETTINGS["budget"] = 1
if "--pairs=1" in sys.argv:  # the live part alone: the opening has a test of its own
    demo.show_example = lambda folder: None
main.main()
"""


@pytest.fixture
def entp(tmp_path):
    """The command, with fewer rows to rate, short replies and no second attempt at a variant."""
    rows = (files("entp") / "examples/pool.jsonl").read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "pool.jsonl").write_text("".join(rows[: len(rows) - UNRATED + ASKED]), "utf-8")

    def run(*args):
        command = [sys.executable, "-c", CHILD, tmp_path / "pool.jsonl", *args]
        return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)

    return run


@pytest.mark.embedded
@pytest.mark.timeout(900)
def test_the_demo_fuses_a_pair_and_says_what_it_is(entp, tmp_path):
    folder = tmp_path / "demo"
    ended = entp("demo", "--run", folder, "--pairs=1")
    assert ended.returncode in {0, 3}, ended.stderr
    assert "It shows the machinery, not the quality" in ended.stdout
    assert "intra pair" in ended.stdout

    now = json.loads(entp("status", "--run", folder, "--json").stdout)
    assert now["balanced"]
    assert {stage["state"] for stage in now["stages"]} == {"done", "partial"}
    assert now["books"]["load"]["inputs"] == 1190
    assert now["books"]["rate"]["outputs"] + sum(now["books"]["rate"]["failed"].values()) == 1190
    assert now["books"]["fuse"]["outputs"] + sum(now["books"]["fuse"]["failed"].values()) == 3

    # a second time nothing is asked, and the server is not even started
    again = entp("demo", "--run", folder, "--pairs=1")
    assert again.returncode == ended.returncode
    assert again.stdout.count("(up to date)") == 8


def test_the_opening_is_a_run_like_any_other(entp, entp_command, tmp_path):
    ended = entp("demo", "--run", tmp_path / "demo", "--pairs", "0")
    assert ended.returncode == 0, ended.stderr
    assert not (tmp_path / "demo").exists()
    folder = tmp_path / "demo-by-hand"
    assert "these replies are written by hand" in ended.stdout
    assert f"entp replay {PAIR} --run {folder}" in ended.stdout

    assert entp_command("verify", "--run", folder)[1] == "sound\n"
    assert "the same byte for byte" in entp_command("replay", PAIR, "--run", folder)[1]
    assert "context_answer" in entp_command("graph", "--fusion", PAIR, "--run", folder)[1]

    # every reply that is written has its use
    now = json.loads(entp_command("status", "--run", folder, "--json")[1])
    assert {spent["model"] for spent in now["spent"]} == {NAME}
    groups = json.loads((files("entp") / REPLIES).read_text("utf-8"))["groups"]
    assert sum(spent["calls"] for spent in now["spent"]) == sum(len(group["replies"]) for group in groups)

    # a second time it prints the same, and answers from what is there
    assert entp("demo", "--run", tmp_path / "demo", "--pairs", "0").stdout == ended.stdout
