"""The table of docs/reliability.md: what a model server's faults leave behind, and what the user reads."""

from __future__ import annotations

import functools
import json

import pytest

from command import entp
from entp.checkpoints import open_ledger
from faults import CASES, GOOD, LATER, OVERDUE, RATING, UNAVAILABLE, UNUSABLE
from scripted_server import ScriptedServer, Sent, completion, failure
from waits import Waits


@pytest.fixture
def waits(monkeypatch):
    return Waits(monkeypatch)


@pytest.fixture
def rate(tmp_path, waits):
    """A run of rows that only the model can rate; gives the command that rates them, one at a time."""

    def prepared(server, rows=3):
        pool = tmp_path / "pool.jsonl"
        records = [
            {"id": f"row-{at}", "instruction": f"Question {at}?", "output": "Yes."} for at in range(rows)
        ]
        pool.write_text("".join(f"{json.dumps(record)}\n" for record in records))
        assert entp("load", pool, "--run", tmp_path / "run").code == 0
        asked = ("--model", "fake", "--base-url", server.base_url, "--reply-mode", "json_schema")
        return functools.partial(entp, "rate", "--run", tmp_path / "run", *asked, "--concurrency", 1)

    return prepared


def strikes(fault):
    """Answers in which one row of the pool meets the fault."""
    return lambda operator, messages: fault if "Question 1?" in messages[1]["content"] else GOOD


def recorded(folder):
    """What the ledger holds of the row that was struck."""
    with open_ledger(folder / "calls.db") as ledger:
        return [call for call in ledger.calls() if "Question 1?" in call.request.messages[1].content]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_fault_is_kept_told_and_made_good(case, rate, waits, tmp_path):
    waits.retries = case.retries
    with ScriptedServer(strikes(case.fault)) as server:
        server.models = case.models
        says = case.says.replace("HOST", server.address)
        command = rate(server)
        ended = command(*case.options)

        struck = [text for _, text in server.asked if "Question 1?" in text]
        assert len(struck) == case.sent
        if case.waits is not None:
            assert waits == case.waits
        assert len(waits) == (case.sent - 1 if case.kind == UNAVAILABLE else 0)
        kept = recorded(tmp_path / "run")
        if case.kind in {UNUSABLE, "Declined"}:
            assert [(call.error_class, call.reply.text) for call in kept] == [("", case.raw)] * case.sent
        else:
            assert [(call.error_class, call.error_message) for call in kept] == [(case.kind, says)]
            assert [call.reply.text if call.reply else "" for call in kept] == [case.raw]

        books = json.loads(entp("status", "--run", tmp_path / "run", "--json").out)["books"]["rate"]
        assert books["balanced"]
        if case.stops:
            assert ended == (1, "", f"entp: {says}\n")
            assert (books["outputs"], books["pending"]) == (1, 2)
        else:
            assert ended.code == 3
            assert f"  1 x {case.kind}: {says}\n" in ended.out
            assert "entp list unrated; --retry-failed" in ended.out
            assert (books["outputs"], books["failed"]) == (2, {case.kind: 1})
            (unrated,) = json.loads(entp("list", "unrated", "--run", tmp_path / "run", "--json").out)
            assert (unrated["row_id"], unrated["raw"] or "") == ("row-1", case.raw)
            assert unrated["reason"] == f"{case.kind}: {says}"

        before = len(server.asked)
        server.answers = lambda operator, messages: GOOD
        again = command(*case.options, *(() if case.stops else ("--retry-failed",)))
        assert again.code == 0
        taken_up = "1 rating done, 2 left" if case.stops else "1 rating that failed is tried again"
        assert again.err.startswith(f"resuming {tmp_path / 'run'}: {taken_up}; about ")
        assert again.err.count("\n") == 1
        assert "rate: 3 rows in, 3 out\n" in again.out
        assert len(server.asked) - before == (2 if case.stops else 1)


@pytest.mark.parametrize(
    "odd",
    [
        Sent(GOOD.body, content_type="text/plain"),
        completion(RATING, usage={"prompt_tokens": "many", "completion_tokens": 5, "total_tokens": 15}),
    ],
    ids=["a wrong content type", "tokens that are no numbers"],
)
def test_a_reply_that_can_be_read_is_taken_however_it_came(rate, odd):
    with ScriptedServer(strikes(odd)) as server:
        ended = rate(server)()
        assert "rate: 3 rows in, 3 out\n" in ended.out
        assert len(server.asked) == 3


def test_a_wrong_model_name_is_told_before_anything_is_asked(rate):
    with ScriptedServer(lambda operator, messages: GOOD) as server:
        server.models = ["large", "small"]
        ended = rate(server)()
        assert ended.code == 1
        assert ended.err == (
            f"entp: model 'fake' is not known at {server.base_url}; "
            "choose one of those it offers: large, small\n"
        )
        assert server.asked == []
        server.models = ["fake"]
        assert "rate: 3 rows in, 3 out\n" in rate(server)().out


def test_a_server_that_stays_down_stops_the_run_and_is_asked_again(rate, tmp_path):
    with ScriptedServer(lambda operator, messages: failure(503)) as server:
        command = rate(server, rows=12)
        ended = command()
        assert (ended.code, ended.out) == (1, "")
        assert ended.err == f"entp: model server {server.base_url} answered 503: because of this; {LATER}\n"
        assert len(server.asked) == 10 * 6
        with open_ledger(tmp_path / "run" / "calls.db") as ledger:
            assert [call.error_class for call in ledger.calls()] == [UNAVAILABLE] * 10
        server.asked.clear()
        server.answers = lambda operator, messages: GOOD
        assert "rate: 12 rows in, 12 out\n" in command().out
        assert len(server.asked) == 12


def test_a_list_of_models_that_drips_is_given_up(rate):
    with ScriptedServer(lambda operator, messages: GOOD) as server:
        command = rate(server)
        server.models = Sent(manner="drip")
        ended = command("--timeout-s", 0.3)
        assert (ended.code, ended.err) == (1, f"entp: model server {server.base_url} {OVERDUE}\n")
        assert server.asked == []
