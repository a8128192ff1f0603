"""What a server can be asked for is found out once, against real servers on loopback."""

from __future__ import annotations

import asyncio
import json

import pytest

from entp.nodes.ask import Model
from entp.nodes.rating import rate_row
from entp.nodes.schema import ReplyLimits, reply_schema
from entp.nodes.templates import TEMPLATES
from entp.pipeline.run.reply_mode import keywords_in, probe_schema, settled_reply_mode
from entp.pipeline.run.settings import Asking, ModelSettings, Places, settings_of
from entp.pipeline.run.wiring import open_chat
from entp.pipeline.stages.order import look_at_run
from entp.records.calls import ChatReply
from entp.records.conversation import Turn
from entp.records.errors import AccessRefused, ModelMissing, RequestRefused, ServerUnavailable
from tables import query

pytestmark = pytest.mark.over_http

BOUNDS = ("minimum", "maximum", "minItems", "maxItems")


def told_schema(messages):
    return "JSON schema" in messages[0]["content"]


def modes(model_server):
    """The ways in which the operators asked for JSON."""
    return {mode for mode, operator, _ in model_server.received if operator != "reply_mode"}


@pytest.mark.parametrize(
    ("refuses", "mode", "probes"),
    [
        ((), "json_schema", 1),
        (("json_schema",), "json_object", 3),
        (("json_schema", "json_object"), "plain", 4),
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


@pytest.mark.parametrize("limits", [None, ReplyLimits()], ids=["full", "compact"])
def test_the_question_has_every_keyword_of_the_operators(limits):
    asked = keywords_in(*(reply_schema(row.reply, limits) for row in TEMPLATES))
    assert keywords_in(probe_schema(limits)) == asked
    assert set(BOUNDS) < asked
    # a model that fills all it may stays far below what a reply of the question may have
    assert len(json.dumps(probe_schema(limits))) < 1_000


def test_a_server_that_refuses_bounds_is_asked_without_them(run_whole, model_server, tmp_path):
    model_server.refuses_keywords = BOUNDS
    ends = run_whole(tmp_path / "run", rater="model", pairs=2)
    assert model_server.calls.count("reply_mode") == 2
    assert ends["rate"].mark.books.failed == ends["fuse"].mark.books.failed == {}
    assert modes(model_server) == {"json_schema"}
    schemas = [asked_for["json_schema"] for asked_for in model_server.formats[2:]]
    assert {schema["strict"] for schema in schemas} == {True}
    assert not keywords_in(*(schema["schema"] for schema in schemas)) & set(BOUNDS)
    with look_at_run(tmp_path / "run") as run, run.open_ledger() as ledger:
        found = {call.identity["reply_mode"] for call in ledger.calls(operator="rating")}
    assert found == {"json_schema_unbounded"}


def mode_of_an_answer(server, **changes):
    """The mode in which a chat opened for this server answers a row's rating."""
    settings = settings_of(
        {"model": "fake", "base_url": server.base_url, **changes}, (ModelSettings, Asking, Places)
    )
    row = (Turn(role="user", content="Why?"), Turn(role="assistant", content="Because."))

    async def ask():
        async with open_chat(settings, None) as chat:
            await rate_row(row, Model(chat=chat, profile=changes.get("profile", "full")))
            return chat.identity["reply_mode"]

    return asyncio.run(ask())


@pytest.mark.parametrize("keyword", BOUNDS)
def test_one_bound_that_is_refused_is_enough(model_server, keyword):
    model_server.refuses_keywords = (keyword,)
    model_server.refusal = (400, f"invalid payload: unknown name '{keyword}' at 'generation_config'")
    assert mode_of_an_answer(model_server) == "json_schema_unbounded"


@pytest.mark.parametrize(("profile", "mode"), [("full", "json_schema"), ("compact", "json_schema_unbounded")])
def test_a_keyword_that_the_operators_do_not_use_decides_nothing(model_server, profile, mode):
    """Lengths stand in the schemas of the compact prompts only."""
    model_server.refuses_keywords = ("maxLength",)
    assert mode_of_an_answer(model_server, profile=profile) == mode


@pytest.mark.parametrize("status", [400, 404, 413, 422, 500, 501])
def test_any_refusal_that_goes_away_in_a_weaker_mode_is_one_of_the_mode(model_server, monkeypatch, status):
    monkeypatch.setattr("entp.providers.chat._BACK_OFF", lambda state: 0)
    model_server.refuses_keywords = ("additionalProperties",)
    model_server.refusal = (status, "unknown name \"additionalProperties\" at 'generation_config'")
    assert mode_of_an_answer(model_server) == "json_object"


@pytest.mark.parametrize(
    ("status", "error", "asked"),
    [
        (400, RequestRefused, 4),
        (404, ModelMissing, 4),
        (500, ServerUnavailable, 24),
        (401, AccessRefused, 1),
        (503, ServerUnavailable, 6),
    ],
)
def test_a_server_that_refuses_every_mode_is_told_before_anything_is_paid_for(
    run_whole, model_server, tmp_path, monkeypatch, status, error, asked
):
    monkeypatch.setattr("entp.providers.chat._BACK_OFF", lambda state: 0)
    model_server.refuses = ("json_schema", "json_object", "plain")
    model_server.refusal = (status, "not today")
    with pytest.raises(error):
        run_whole(tmp_path / "run", rater="model", pairs=2)
    assert model_server.calls == ["reply_mode"] * asked


@pytest.mark.parametrize(
    ("text", "mode"), [('{"boils": true, "value_1": "and so', "json_schema"), ("It does, and so", "plain")]
)
def test_a_reply_that_is_cut_off_shows_the_mode_by_its_key(fake_chat, text, mode):
    """A model that runs on within the schema has been bound by it."""
    chat = fake_chat(lambda operator, messages: ChatReply(text=text, finish_reason="length"))
    assert asyncio.run(settled_reply_mode(lambda _: chat, "http://localhost:1/v1", None)) == mode


def test_replies_of_before_the_question_had_bounds_answer_as_they_did(run_whole, model_server, tmp_path):
    """What an operator was asked under a schema has the key that it had: only the question is asked again."""
    folder = tmp_path / "run"
    run_whole(folder, rater="model", pairs=2, reply_mode="json_schema")
    paid = len(model_server.calls)
    (folder / "run.db").unlink()
    (folder / "hq+entp.jsonl").unlink()
    run_whole(folder, rater="model", pairs=2, reply_mode="auto")
    assert model_server.calls[paid:] == ["reply_mode"]


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
