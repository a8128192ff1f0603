"""A fusion depends on the templates that its calls used, and on no others."""

from __future__ import annotations

import asyncio

import pytest

from entp.graph.fusion import fusion_graph
from entp.graph.state import FusionInput, FusionSettings
from entp.nodes.ask import Model
from entp.pipeline.stages.fused import ended_records
from entp.prompts import render as rendering
from entp.prompts.render import current_hashes
from entp.prompts.strategies import Strategy, all_strategies
from entp.records.conversation import from_json
from entp.records.fusions import Recipe
from entp.records.pairs import Operand, Pair
from entp.records.work import Claim, Side

RECIPE = Recipe(model={"model": "fake"}, profile="full", settings={})
PAIR = Pair(
    id="f1",
    position=0,
    kind="inter",
    cluster=None,
    depth=1,
    left=Operand(kind="row", id="a"),
    right=Operand(kind="row", id="b"),
)


def used(chat):
    """What one fusion used, from the records that are stored of it."""
    left, right = (
        [{"role": "user", "content": f"What is {name}?"}, {"role": "assistant", "content": "This."}]
        for name in ("photosynthesis", "interest")
    )
    given = FusionInput(fusion_id="f1", left=left, right=right)
    graph = fusion_graph(Model(chat)).compile()
    ended = asyncio.run(graph.ainvoke(given, context=FusionSettings()))
    claim = Claim(PAIR, 1, Side(from_json(left), ("a",), ()), Side(from_json(right), ("b",), ()))
    return ended_records(claim, ended, "", RECIPE).fusion.templates.items()


@pytest.fixture
def changed_text(monkeypatch):
    """Change the text of a template, as a new version of the file would."""
    original = rendering._text

    def change(name):
        def text(profile, wanted):
            return original(profile, wanted) + " " * (wanted == name)

        monkeypatch.setattr(rendering, "_text", text)
        current_hashes.cache_clear()

    yield change
    current_hashes.cache_clear()


def test_they_are_the_templates_that_were_asked_as_they_are_now(fake_chat):
    chat = fake_chat()
    found = used(chat)
    assert {name for name, _ in found} == {request.operator for request in chat.asked}
    assert len(found) >= 4
    assert found <= current_hashes("full").items()
    assert not found <= current_hashes("compact").items()


def test_a_changed_text_concerns_those_that_used_it(fake_chat, changed_text):
    found = used(fake_chat())
    changed_text("rating")
    assert found <= current_hashes("full").items()
    changed_text("final_answer_check")
    assert {name for name, _ in found - current_hashes("full").items()} == {"final_answer_check"}
    changed_text("system")
    assert not found & current_hashes("full").items()


def test_a_changed_strategy_concerns_those_that_were_shown_it(fake_chat, monkeypatch):
    found = used(fake_chat())
    others = [Strategy(name, f"{definition} Really.") for name, definition in all_strategies()]
    monkeypatch.setattr(rendering, "all_strategies", lambda: others)
    current_hashes.cache_clear()
    differ = {name for name, _ in found - current_hashes("full").items()}
    current_hashes.cache_clear()
    assert "merged_corpus_generation" in differ
    assert not differ & {"domain_analysis", "information_completeness", "final_answer_check"}
