"""A model server that misbehaves in the middle of a fusion."""

from __future__ import annotations

import functools
import json
import shutil

import pytest

from command import entp
from faults import HTML, REFUSED, UNAVAILABLE, UNUSABLE
from scripted_server import ScriptedServer, Sent, completion, failure
from waits import Waits


@pytest.fixture
def waits(monkeypatch):
    return Waits(monkeypatch)


@pytest.fixture(scope="module")
def selected(tmp_path_factory):
    """A run up to its pairs."""
    folder = tmp_path_factory.mktemp("selected")
    records = [
        {"instruction": f"Question number {at}?", "output": f"Answer {at}.", "ratings": {"critic": at % 6}}
        for at in range(12)
    ]
    (folder / "pool.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records))
    at = ("--run", folder / "run")
    assert entp("load", folder / "pool.jsonl", *at).code == 0
    for stage in (("rate",), ("embed", "--encoder", "embedded"), ("score",), ("select", "--similarity", 0.6)):
        assert entp(*stage, *at).code == 0
    return folder / "run"


@pytest.fixture
def fuse(selected, tmp_path, waits, fake_chat):
    """Two fusions, one question at a time: `fuse(server)` gives the command."""
    shutil.copytree(selected, tmp_path / "run")

    def prepared(server):
        asked = ("--model", "fake", "--base-url", server.base_url, "--reply-mode", "json_schema")
        return functools.partial(entp, "fuse", "--run", tmp_path / "run", *asked, "--concurrency", 1)

    return prepared


class Striking:
    """The fake model's answers, but for one question of one operator a fault, however often it comes."""

    def __init__(self, default, operator, fault):
        self.answered = set()
        self.fault = fault
        self._default = default
        self._operator = operator
        self._struck = None

    def __call__(self, operator, messages):
        question = json.dumps(messages[:2])
        if self.fault and operator == self._operator and self._struck in (None, question):
            self._struck = question
            return self.fault
        self.answered.add((operator, json.dumps(messages)))
        return self._default(operator, messages)


@pytest.mark.parametrize(
    ("operator", "fault", "kind", "failed"),
    [
        ("domain_analysis", failure(400), REFUSED, 3),
        ("merged_corpus_generation", failure(500), UNAVAILABLE, 3),
        ("merged_corpus_generation", completion('{"variants": [', finish_reason="length"), UNUSABLE, 3),
        ("information_completeness", failure(413), REFUSED, 1),
        ("information_completeness", Sent(HTML.encode()), UNAVAILABLE, 1),
        ("final_answer_check", completion(None, message={"refusal": "I will not."}), "Declined", 1),
        ("final_answer_check", completion({"direct_answer": 7}), UNUSABLE, 1),
    ],
)
def test_a_fault_in_a_fusion_takes_no_more_along_than_it_must(fuse, fake_chat, operator, fault, kind, failed):
    striking = Striking(fake_chat.default, operator, fault)
    with ScriptedServer(striking) as server:
        command = fuse(server)
        ended = command()
        assert ended.code == 3
        # the second fusion builds on the first
        lost = 6 if failed == 3 else failed
        assert ended.out.startswith(f"fuse: 6 variants in, {6 - lost} out, {lost} failed\n")
        assert ("3 x OperandMissing: " in ended.out) == (lost == 6)
        assert f"  {failed} x {kind}: " in ended.out
        assert "entp list fused; --retry-failed tries them again" in ended.out

        striking.fault, paid = None, set(striking.answered)
        server.asked.clear()
        again = command("--retry-failed")
        assert again.code == 0
        assert not paid & set(server.asked)
        assert server.asked
        server.asked.clear()
        assert "(up to date)" in command().out
        assert not server.asked


def test_a_key_that_is_refused_half_way_stops_the_fusions_and_loses_none(fuse, fake_chat):
    striking = Striking(fake_chat.default, "final_answer_check", failure(401))
    with ScriptedServer(striking) as server:
        command = fuse(server)
        ended = command()
        assert ended.code == 1
        assert ended.out == ""
        assert ended.err.startswith(f"entp: model server {server.base_url} refused a request")
        assert ended.err.count("\n") == 1
        striking.fault, paid = None, set(striking.answered)
        server.asked.clear()
        assert command().code == 0
        assert not paid & set(server.asked)
        assert len(paid) > 1
