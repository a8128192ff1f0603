"""`entp demo` as a newcomer runs it, on the real embedded model, with one pair."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


def entp(*args):
    command = [sys.executable, "-c", "from entp.cli.main import main; main()", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.embedded
@pytest.mark.timeout(900)
def test_the_demo_fuses_a_pair_and_says_what_it_is(tmp_path):
    folder = tmp_path / "demo"
    ended = entp("demo", "--run", folder, "--pairs", "1")
    assert ended.returncode in {0, 3}, ended.stderr
    assert "It shows the machinery, not the quality" in ended.stdout
    assert "intra pair" in ended.stdout

    now = json.loads(entp("status", "--run", folder, "--json").stdout)
    assert now["balanced"]
    assert {stage["state"] for stage in now["stages"]} == {"done"}
    assert now["books"]["load"]["inputs"] == 1200
    assert now["books"]["rate"]["outputs"] + sum(now["books"]["rate"]["failed"].values()) == 1200
    assert now["books"]["fuse"]["outputs"] + sum(now["books"]["fuse"]["failed"].values()) == 3

    # a second time nothing is asked, and the server is not even started
    again = entp("demo", "--run", folder, "--pairs", "1")
    assert again.returncode == ended.returncode
    assert again.stdout.count("(up to date)") == 8
