"""Which model a run asks, and with which prompts."""

from __future__ import annotations

import asyncio

import pytest

from entp.pipeline.run.settings import EMBEDDED, ModelSettings, settings_of
from entp.pipeline.run.wiring import open_model, resolved_model
from entp.pipeline.stages.order import open_run
from entp.records.errors import UsageError


@pytest.mark.parametrize(
    ("settings", "key", "model"),
    [
        ({}, None, EMBEDDED),
        ({"model": "gpt-4o-mini"}, "sk-1", "gpt-4o-mini"),
        ({"model": EMBEDDED}, "sk-1", EMBEDDED),
        ({"model": "m", "base_url": "http://localhost:1/v1"}, None, "m"),
    ],
)
def test_the_model_is_the_one_named_or_else_the_embedded_one(settings, key, model):
    assert resolved_model(settings_of(settings, (ModelSettings,)), key) == model


@pytest.mark.parametrize(("settings", "key"), [({}, "sk-1"), ({"base_url": "http://localhost:1/v1"}, None)])
def test_an_address_or_a_key_alone_is_no_choice(settings, key):
    with pytest.raises(UsageError, match="--model"):
        resolved_model(settings_of(settings, (ModelSettings,)), key)


@pytest.mark.parametrize(
    ("chosen", "model", "profile"),
    [
        (None, EMBEDDED, "compact"),
        (None, "m", "full"),
        ("full", EMBEDDED, "full"),
        ("compact", "m", "compact"),
    ],
)
def test_the_profile_suits_the_model_unless_set(chosen, model, profile):
    assert ModelSettings(profile=chosen).profile_for(model) == profile


@pytest.mark.over_http
def test_an_open_model_records_and_counts_its_calls(tmp_path, settings):
    from entp.nodes.rating import rate_row
    from entp.records.conversation import Turn

    row = (Turn(role="user", content="Why?"), Turn(role="assistant", content="Because."))

    async def ask(run):
        async with open_model(run, "rate") as opened:
            for _ in range(2):
                await rate_row(row, opened.model)
            return opened.counts

    with open_run(tmp_path / "run", settings, create=True) as run:
        first, second = asyncio.run(ask(run)), asyncio.run(ask(run))
    assert (first.calls, first.answered) == (1, 1)
    assert (second.calls, second.answered) == (0, 2)
