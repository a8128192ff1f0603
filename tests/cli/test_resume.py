"""entp run and entp fuse with --resume: what is printed where, and the exit code."""

from __future__ import annotations

import json

import pytest

from command import entp
from small_pool import TOPICS


@pytest.fixture
def arguments(tmp_path, model_server):
    pool = tmp_path / "pool.jsonl"
    records = [
        {
            "instruction": f"Question {at} on {TOPICS[at % 2]}?",
            "output": f"Answer {at} on {TOPICS[at % 2]}.",
            "ratings": {"critic": at % 3},
        }
        for at in range(12)
    ]
    pool.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    model = ("--model", "fake", "--base-url", model_server.base_url, "--concurrency", 1)
    selection = ("--encoder", "embedded", "--similarity", 0.6)
    return (pool, "--run", tmp_path / "run", *model, *selection)


def test_a_run_that_is_gone_on_with(arguments, model_server, tmp_path):
    at = ("--run", tmp_path / "run")
    default = model_server.answers
    seen = []

    def refusing(operator, messages):
        seen.append(operator)
        return 401 if seen.count("domain_analysis") > 2 else default(operator, messages)

    model_server.answers = refusing
    ended = entp("run", *arguments)
    assert (ended.code, ended.err.count("\n")) == (1, 2)  # the pool's shape, and the error
    assert "resuming" not in ended.err
    model_server.answers = default

    told = json.loads(entp("status", *at, "--json").out)["outlook"]
    assert told["rate"] is None
    assert (told["fuse"]["done"], told["fuse"]["failed"]) == (2, 0)
    left = told["fuse"]["left"]
    assert left > 0
    assert f"{left} fusions to ask for: about " in entp("status", *at).out
    asked = len(model_server.calls)
    planned = json.loads(entp("fuse", *at, "--dry-run", "--json").out)
    assert planned["estimate"] == told["fuse"]["estimate"]
    assert planned["estimate"]["seconds"] > 0
    priced = entp("run", *arguments, "--dry-run", "--prompt-price", 2000, "--completion-price", 8000)
    assert "left to do: about " in priced.out
    assert ", $" in priced.out
    assert len(model_server.calls) == asked

    ended = entp("rate", *at, "--resume", "never")
    assert (ended.code, "already: 12 ratings" in ended.err) == (2, True)
    for command in (("run", *arguments), ("fuse", *at)):
        ended = entp(*command, "--resume", "never", "--budget", 1)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert f"{tmp_path / 'run'} has work in it already: " in ended.err
        assert "2 fusions" in ended.err
        assert "--resume if-possible" in ended.err

    ended = entp("fuse", *at)
    assert ended.code == 0
    assert ended.err.startswith(f"resuming {tmp_path / 'run'}: 2 fusions done, {left} left; about ")
    assert "resuming" not in ended.out
    assert entp("fuse", *at).err == ""


def test_a_new_folder_may_be_said_to_be_new(arguments):
    ended = entp("run", *arguments, "--resume", "never", "--dry-run")
    assert ended.code == 0
    assert "would fuse " in ended.out
