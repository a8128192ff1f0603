"""Key terms of the domain analysis: what binds the variants stands in the sources."""

from __future__ import annotations

import asyncio

import pytest

from entp.graph.fusion import fusion_graph
from entp.graph.state import FusionInput, FusionSettings
from entp.nodes.ask import Model


def row(question, reply):
    return [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]


@pytest.fixture
def fuse(fake_chat):
    """Fuse a pair whose left source is reported to have terms that it does not have."""

    def inventing(operator, messages):
        found = fake_chat.default(operator, messages)
        if operator == "domain_analysis":
            found["left"]["key_terms"] = ["photosynthesis", "lg", "dance music"]
        return found

    def work(ablate):
        given = FusionInput(
            fusion_id="f1",
            left=row("How does photosynthesis capture sunlight?", "Chlorophyll absorbs it."),
            right=row("What is compound interest on savings?", "Interest that earns interest."),
        )
        graph = fusion_graph(Model(fake_chat(inventing)), ablate).compile()
        return asyncio.run(graph.ainvoke(given, context=FusionSettings()))

    return work


def test_a_key_term_that_its_source_has_no_word_of_binds_no_variant(fuse):
    state = fuse("none")
    assert state["domains"]["left"]["key_terms"] == ["photosynthesis"]
    assert [note.split("'")[1] for note in state["overrides"]] == ["lg", "dance music"]


def test_without_checks_every_term_that_is_reported_counts(fuse):
    state = fuse("checks")
    assert state["domains"]["left"]["key_terms"] == ["photosynthesis", "lg", "dance music"]
    assert state["overrides"] == []
