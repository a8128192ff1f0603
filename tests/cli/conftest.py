"""The command as the shell calls it, and a small pool for it."""

from __future__ import annotations

import json
import sys

import pytest

from entp.cli.main import main
from small_pool import TOPICS, every_encoder_faked


@pytest.fixture(scope="module", autouse=True)
def _encoder():
    """No command here is about vectors."""
    with every_encoder_faked():
        yield


@pytest.fixture
def entp_command(monkeypatch, capsys):
    """Run `entp ARGS` as the shell would; gives exit code, stdout and stderr."""

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["entp", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run


@pytest.fixture
def pool(tmp_path):
    path = tmp_path / "pool.jsonl"
    rows = [
        {
            "instruction": f"Question number {at} on {TOPICS[at % 2]}?",
            "output": f"Answer number {at} on {TOPICS[at % 2]}.",
            "ratings": {"critic": at % 6},
        }
        for at in range(12)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture
def arguments(pool, model_server, tmp_path):
    return [
        *(pool, "--run", tmp_path / "run", "--base-url", model_server.base_url, "--model", "fake"),
        *("--encoder", "embedded", "--similarity", "0.6", "--pairs", "2"),
    ]
