"""The table of templates: what is asked is what it says, and all that is made from it follows it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar

import pytest

from entp.graph.fusion import fusion_graph
from entp.graph.optimizer import next_route, routes
from entp.graph.state import FusionInput, FusionSettings, calls_of_a_fusion
from entp.graph.variant import variant_graph
from entp.nodes import templates
from entp.nodes.ask import Model
from entp.nodes.replies import Answer, DomainReport, MergedVariant, turns_of
from entp.nodes.revision import RevisionFacts, UpdateFacts
from entp.nodes.schema import reply_schema
from entp.nodes.templates import (
    CYCLES,
    TEMPLATES,
    Template,
    Writer,
    by_figure,
    check_of,
    cycle_of,
    writers_of,
)
from entp.prompts import inputs
from entp.prompts.inputs import TemplateInput
from entp.records.conversation import Conversation, Turn
from entp.records.vocabulary import VARIANTS

GRAPH_PAGE = Path(__file__).parent.parent.parent / "docs" / "graph.md"


@dataclass(frozen=True, slots=True)
class ExamplesInput(TemplateInput):
    template: ClassVar[str] = "examples"
    variant: Conversation
    missing_terms: list[str]


@dataclass(frozen=True, slots=True)
class SummaryInput(TemplateInput):
    template: ClassVar[str] = "summary"
    left: Conversation


@pytest.fixture
def longer_table(monkeypatch):
    """The table with one more writer, before all others."""
    writer = Writer(ExamplesInput, MergedVariant, 1, None, 1.5, ("terms", "answer", "question"))
    monkeypatch.setattr(templates, "TEMPLATES", (writer, *TEMPLATES))


def routes_page():
    """The optimizer's routes as docs/graph.md shows them."""
    rows = [
        f"| {cycle} | {writer.route} | `{writer.name}` | {writer.figure or ''} |"
        for cycle in CYCLES
        for writer in by_figure(writers_of(cycle))
    ]
    head = ["| cycle | route | template | Fig. |", "|---|---|---|---|"]
    tail = ["| both | accept | | |", "| both | exhausted | the attempt of least loss goes on | |"]
    return "\n".join([*head, *rows, *tail])


def nodes(graph):
    return list(graph.compile().get_graph().nodes)


def test_the_table_on_the_page_of_the_graph_is_that_of_the_code(request):
    page = GRAPH_PAGE.read_text("utf-8")
    if request.config.getoption("--update-golden"):
        before, rest = page.split("| cycle | route |", 1)
        page = f"{before}{routes_page()}\n\n{rest.partition(chr(10) * 2)[2]}"
        GRAPH_PAGE.write_text(page, "utf-8")
    assert f"\n\n{routes_page()}\n\n" in page


def test_names_are_unique_and_every_input_has_its_row():
    names = [template.name for template in TEMPLATES]
    assert len(set(names)) == len(names)
    kinds = {kind for kind in vars(inputs).values() if isinstance(kind, type)} - {TemplateInput}
    assert {template.given for template in TEMPLATES} == {
        kind for kind in kinds if issubclass(kind, TemplateInput)
    }


def test_every_request_of_a_fusion_has_the_reply_that_the_table_gives(fake_chat):
    chat, answered = fake_chat(), set()
    graph = fusion_graph(Model(chat)).compile()
    for number in range(12):
        left, right = (
            [{"role": "user", "content": f"{name} {number}?"}, {"role": "assistant", "content": "So."}]
            for name in ("Photosynthesis", "Interest")
        )
        given = FusionInput(fusion_id=f"f{number}", left=left, right=right)
        asyncio.run(graph.ainvoke(given, context=FusionSettings()))
    replies = {template.name: reply_schema(template.reply) for template in TEMPLATES}
    for request in chat.asked:
        assert request.reply_schema == replies[request.operator]
        answered.add(request.operator)
    assert answered >= {"domain_analysis", "merged_corpus_generation", *(check_of(c).name for c in CYCLES)}


@pytest.mark.parametrize("cycle", CYCLES)
def test_what_a_writer_is_given_is_among_the_facts_of_its_cycle(cycle):
    known = {field.name for field in fields({1: RevisionFacts, 2: UpdateFacts}[cycle])}
    assert known == {field.name for writer in writers_of(cycle) for field in fields(writer.given)}


def test_the_templates_of_a_pair_are_nodes_of_the_fusion(fake_chat):
    found = nodes(fusion_graph(Model(fake_chat())))
    assert {template.name for template in TEMPLATES if template.place == "pair"} <= set(found)


def test_an_answer_leaves_all_before_it_and_a_merge_is_a_variant_of_its_own():
    variant = (Turn(role="user", content="Why?"), Turn(role="assistant", content="So."))
    assert Answer(answer="Thus.").applied_to(variant) == (
        variant[0],
        Turn(role="assistant", content="Thus."),
    )
    merged = MergedVariant.model_validate({"exchanges": [{"user": "How?", "assistant": "Like this."}]})
    assert merged.applied_to(variant) == turns_of(merged.exchanges)


def test_a_new_writer_becomes_node_route_and_line_of_the_page(longer_table, fake_chat):
    graph = variant_graph(Model(fake_chat()))
    assert "examples" in nodes(graph)
    drawn = graph.compile().get_graph().draw_mermaid()
    route = "terms + answer + question unmet"
    assert f"information_completeness -. &nbsp;{route}&nbsp; .-> examples;" in drawn
    assert "examples --> information_completeness;" in drawn
    assert next_route(1, ["terms", "question", "context", "answer"], 1, 3) == route
    assert routes(1)[route] == "examples"
    assert next_route(1, ["terms", "question"], 1, 3) == "terms + question unmet"
    assert cycle_of("examples") == 1
    lines = routes_page().splitlines()
    # after those that the paper has
    assert (
        lines[lines.index("| 1 | answer unmet | `answer` | 24 |") + 1] == f"| 1 | {route} | `examples` |  |"
    )


def test_a_new_operator_of_a_pair_is_counted(fake_chat, monkeypatch):
    least, most = calls_of_a_fusion(2)
    steps = FusionSettings(budget=2).recursion_limit
    summary = Template(SummaryInput, DomainReport, "pair", None, 0.5)
    monkeypatch.setattr(templates, "TEMPLATES", (*TEMPLATES, summary))
    assert calls_of_a_fusion(2) == (least + 1, most + 1)
    assert FusionSettings(budget=2).recursion_limit == steps + 1


def test_the_bound_on_the_page_is_the_bound():
    page = " ".join(GRAPH_PAGE.read_text("utf-8").split())
    for budget in (1, 3, 10):
        assert calls_of_a_fusion(budget) == (8, 2 + 2 * VARIANTS * (2 * budget - 1))
    assert "at least 8 calls" in page
    assert f"at most 2 + 6(2*b* - 1): {calls_of_a_fusion(3)[1]} with the default" in page
