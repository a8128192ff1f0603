"""What a server can be asked for is found out once, against real servers on loopback."""

from __future__ import annotations

import json

import pytest

from entp.pipeline.stages.order import look_at_run
from tables import query

pytestmark = pytest.mark.over_http


def told_schema(messages):
    return "JSON schema" in messages[0]["content"]


def modes(model_server):
    """The ways in which the operators asked for JSON."""
    return {mode for mode, operator, _ in model_server.received if operator != "reply_mode"}


@pytest.mark.parametrize(
    ("refuses", "mode", "probes"),
    [
        ((), "json_schema", 1),
        (("json_schema",), "json_object", 2),
        (("json_schema", "json_object"), "plain", 3),
    ],
)
def test_the_strictest_mode_that_a_server_knows_is_found_once(
    run_whole, model_server, tmp_path, refuses, mode, probes
):
    model_server.refuses = refuses
    ends = run_whole(tmp_path / "run", rater="model", pairs=2)
    assert model_server.calls.count("reply_mode") == probes
    assert ends["rate"].mark.books.failed == ends["fuse"].mark.books.failed == {}
    assert modes(model_server) == {mode}
    told = {told_schema(turns) for _, operator, turns in model_server.received if operator != "reply_mode"}
    assert told == {mode != "json_schema"}


def test_what_was_found_survives_the_results(run_whole, model_server, tmp_path):
    model_server.refuses = ("json_schema",)
    folder = tmp_path / "run"
    run_whole(folder, pairs=2)
    calls = len(model_server.calls)
    (folder / "run.db").unlink()
    (folder / "hq+entp.jsonl").unlink()
    run_whole(folder, pairs=2)
    assert len(model_server.calls) == calls


def test_a_mode_that_is_set_is_not_found_out(run_whole, model_server, tmp_path):
    run_whole(tmp_path / "run", pairs=2, reply_mode="plain")
    assert "reply_mode" not in model_server.calls
    assert modes(model_server) == {"plain"}


def test_a_server_that_takes_no_heed_of_the_schema_is_told_it(run_whole, model_server, tmp_path):
    default = model_server.answers

    def heedless(operator, messages):
        if operator == "reply_mode" and not told_schema(messages):
            return "Yes, it does."
        return default(operator, messages)

    model_server.answers = heedless
    run_whole(tmp_path / "run", pairs=2)
    assert modes(model_server) == {"json_object"}


def test_a_variant_whose_replies_never_fit_keeps_the_last_one(run_whole, model_server, tmp_path):
    default = model_server.answers
    model_server.answers = lambda operator, messages: (
        "I would rather not say."
        if operator == "information_completeness" and "Variant 1." in json.dumps(messages)
        else default(operator, messages)
    )
    folder = tmp_path / "run"
    ends = run_whole(folder, pairs=2, reply_mode="json_object")
    assert ends["fuse"].mark.books.failed == {"ReplyUnusable": 2}
    assert ends["fuse"].mark.books.outputs == 4
    with look_at_run(folder) as run:
        raw = [row["raw"] for row in query(run.folder, "SELECT raw FROM fused_rows WHERE status = 'failed'")]
    assert raw == ["I would rather not say."] * 2
    again = "cannot be used: it holds no JSON object"
    assert sum(again in turns[-1]["content"] for _, _, turns in model_server.received) == 4
