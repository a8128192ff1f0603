"""Each ablation takes away what it says and nothing else, shown by what the fake model is asked."""

from __future__ import annotations

import asyncio
import json
from typing import get_args

import pytest

from entp.graph.fusion import fusion_graph
from entp.graph.optimizer import ACCEPT, EXHAUSTED, next_route, routes
from entp.graph.state import FusionInput, FusionSettings, calls_of_a_fusion
from entp.graph.unchecked_loss import unchecked_answer_loss, unchecked_final_loss, unchecked_merge_loss
from entp.graph.variant import variant_graph
from entp.nodes.ask import Model
from entp.nodes.replies import AnswerCheck, CompletenessReport
from entp.nodes.templates import check_of, template_named, writers_of
from entp.pipeline.stages.fused import asked_of, fused_row, recipe_of
from entp.records.conversation import from_json, to_json
from entp.records.fusions import FusedRow
from entp.records.hashing import tagged_hash
from entp.records.vocabulary import FusionAblation

MERGE = "merged_corpus_generation"
PARTS = [part for part in get_args(FusionAblation) if part != "none"]


def row(question, reply):
    return [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]


LEFT = row("How does photosynthesis capture sunlight?", "Chlorophyll absorbs it.")
RIGHT = row("What is compound interest on savings?", "Interest that earns interest.")


def fuse(chat, ablate="none", **changes):
    context = FusionSettings(**changes)
    graph = fusion_graph(Model(chat), ablate).compile()
    given = FusionInput(fusion_id="f1", left=LEFT, right=RIGHT)
    ended = asyncio.run(graph.ainvoke(given, {"recursion_limit": context.recursion_limit}, context=context))
    return [ended["variants"][str(number)] for number in range(3)]


def operators(chat):
    return {request.operator for request in chat.asked}


def templates(outcome, cycle):
    return [a["template"] for a in outcome["attempts"] if a["cycle"] == cycle]


def reporting(fake_chat, report=None, check=None):
    """A model whose reports say this of every attempt."""

    def answer(operator, messages):
        found = fake_chat.default(operator, messages)
        if operator == "information_completeness" and report:
            found = {**found, **report}
        if operator == "final_answer_check" and check:
            found = check
        return found

    return fake_chat(answer)


def finding_fault(fake_chat):
    """A model that finds fault with every attempt of both cycles."""
    again = {"direct": False, "needs_regeneration": True, "explanation": "it wanders"}
    return reporting(
        fake_chat, {"answer": again}, {"direct_answer": "sugar", "information_to_remove": "the rest"}
    )


@pytest.mark.parametrize("part", ["none", *PARTS])
@pytest.mark.parametrize("budget", [1, 3])
def test_calls_stay_within_the_bound_of_what_is_left_and_reach_it(fake_chat, part, budget):
    chat = finding_fault(fake_chat)
    fuse(chat, part, budget=budget)
    assert len(chat.asked) == calls_of_a_fusion(budget, part)[1]


def test_one_cycle_less_is_three_checks_less():
    least = {part: calls_of_a_fusion(3, part)[0] for part in ["none", *PARTS]}
    assert least == {part: 5 if part in ("cycle1", "cycle2") else 8 for part in ["none", *PARTS]}


@pytest.mark.parametrize("part", PARTS)
def test_a_graph_has_the_nodes_that_are_left(fake_chat, part):
    def nodes(ablate):
        return set(variant_graph(Model(fake_chat()), ablate).nodes)

    cycle = {1: {t.name for t in writers_of(1)}, 2: {t.name for t in writers_of(2)}}
    gone = {
        "spo": (cycle[1] | cycle[2]) - {"missing_answer"},
        "cycle1": cycle[1] | {check_of(1).name, "keep_best_merge"},
        "cycle2": cycle[2] | {check_of(2).name, "keep_best_answer"},
    }
    assert nodes("none") - nodes(part) == gone.get(part, set())
    assert nodes(part) - nodes("none") == ({MERGE} if part == "spo" else set())


def test_without_spo_the_pair_is_merged_again_within_the_same_budget(fake_chat):
    class Numbered(fake_chat):
        """Says in every merge at which attempt it was asked."""

        async def complete(self, request):
            reply = await super().complete(request)
            if request.operator != MERGE:
                return reply
            return reply.model_copy(
                update={"text": reply.text.replace("Variant ", f"Attempt {request.attempt}, variant ")}
            )

    plain = finding_fault(fake_chat)
    fuse(plain)
    chat = Numbered(plain._answers)
    outcomes = fuse(chat, "spo", budget=3)
    for number, outcome in enumerate(outcomes):
        assert templates(outcome, 1) == [MERGE] * 3
        assert templates(outcome, 2)[1:] == ["missing_answer"] * 2
        texts = [a["turns"][0]["content"] for a in outcome["attempts"] if a["cycle"] == 1]
        for attempt, text in enumerate(texts, start=1):
            assert text.startswith(f"Attempt {attempt}, variant {number}.")
    merges = [request for request in chat.asked if request.operator == MERGE]
    assert {request.messages for request in merges} == {merges[0].messages}
    assert sorted(request.attempt for request in merges) == [1, 2, 2, 2, 3, 3, 3]
    (first,) = (request for request in plain.asked if request.operator == MERGE)
    assert first == merges[0]
    assert operators(chat) == {"domain_analysis", MERGE, check_of(1).name, check_of(2).name, "missing_answer"}


@pytest.mark.parametrize("cycle", [1, 2])
def test_without_spo_every_fault_has_one_route(cycle):
    (route,) = routes(cycle, "spo")
    for writer in writers_of(cycle):
        assert next_route(cycle, writer.unmet, 1, 3, "spo") == route
    assert next_route(cycle, [], 1, 3, "spo") == ACCEPT
    assert next_route(cycle, writer.unmet, 3, 3, "spo") == EXHAUSTED


def test_without_strategies_every_variant_is_a_free_merge(fake_chat):
    chat, plain = fake_chat(), fake_chat()
    assert {outcome["strategy"] for outcome in fuse(chat, "strategies")} == {"free_merge"}
    assert "free_merge" not in {outcome["strategy"] for outcome in fuse(plain)}
    free, chosen = (
        next(json.loads(request.messages[1].content.splitlines()[-1]) for request in asked)
        for asked in (
            (request for request in each.asked if request.operator == MERGE) for each in (chat, plain)
        )
    )
    assert [each["name"] for each in free] == ["free_merge"] * 3
    assert len({each["definition"] for each in chosen} - {each["definition"] for each in free}) == 3


def report(**changes):
    found = {
        "left_terms": {"included": ["leaf"], "missing": []},
        "right_terms": {"included": [], "missing": []},
        "question": {
            "exists": True,
            "type": "open",
            "needs_context": False,
            "context_contain": None,
            "context_missing": None,
        },
        "answer": {"direct": True, "needs_regeneration": False, "explanation": None},
    }
    for name, value in changes.items():
        found[name] = {**found[name], **value}
    return CompletenessReport.model_validate(found)


@pytest.mark.parametrize(
    ("changes", "unmet"),
    [
        ({}, []),
        ({"left_terms": {"included": []}}, []),  # a term that is not reported is not looked for
        ({"right_terms": {"missing": ["sugar"]}}, ["terms"]),
        ({"question": {"exists": False}}, ["question", "context", "answer"]),
        ({"question": {"needs_context": True}}, ["context"]),  # though nothing is named
        ({"question": {"context_missing": "the place"}}, []),
        ({"answer": {"needs_regeneration": True}}, ["answer"]),
        ({"answer": {"direct": False}}, ["answer"]),
    ],
)
def test_the_models_word_is_the_loss_of_a_merge(changes, unmet):
    assert unchecked_merge_loss(report(**changes)).unmet == unmet
    assert unchecked_merge_loss(report(**changes)).overrides == []


@pytest.mark.parametrize(
    ("direct", "remove", "unmet"),
    [
        ("sugar", None, []),
        ("words of no text", "none", ["nothing_to_remove"]),  # a word for nothing is not interpreted
        (None, "the rest", ["direct_answer", "nothing_to_remove"]),
        ("", "", ["direct_answer"]),
    ],
)
def test_the_models_word_is_the_loss_of_an_answer(direct, remove, unmet):
    check = AnswerCheck(direct_answer=direct, information_to_remove=remove)
    assert unchecked_answer_loss(check).unmet == unmet


def test_the_final_loss_without_checks_adds_up_the_models_word():
    merged = unchecked_merge_loss(
        report(left_terms={"missing": ["leaf"]}, answer={"needs_regeneration": True})
    )
    fine = unchecked_answer_loss(AnswerCheck(direct_answer="sugar", information_to_remove=None))
    none = unchecked_answer_loss(AnswerCheck(direct_answer=None, information_to_remove=None))
    assert unchecked_final_loss(merged, fine, rewritten=False).unmet == ["terms", "answer"]
    assert unchecked_final_loss(merged, fine, rewritten=True).unmet == ["terms"]
    assert unchecked_final_loss(merged, none, rewritten=False).unmet == ["terms", "direct_answer"]


def test_without_checks_nothing_is_overruled_and_every_call_goes_by_the_report(fake_chat):
    """The report calls a term missing that stands in the text, and quotes an answer that does not."""
    wrong = {"included": [], "missing": ["photosynthesis"]}
    given = {**report().model_dump(exclude={"declined"}), "left_terms": wrong}
    check = {"direct_answer": "words of no text", "information_to_remove": None}
    for outcome in fuse(reporting(fake_chat, given, check), "none"):
        assert any("photosynthesis" in said for a in outcome["attempts"] for said in a["loss"]["overrides"])
        assert len(templates(outcome, 2)) == 3
    for outcome in fuse(reporting(fake_chat, given, check), "checks"):
        assert [a["loss"]["overrides"] for a in outcome["attempts"]] == [[]] * 4
        assert templates(outcome, 1) == [MERGE, "terms", "terms"]
        assert len(templates(outcome, 2)) == 1
        assert outcome["loss"] == 1


def test_without_cycle_one_the_drafts_go_straight_to_cycle_two(fake_chat):
    chat = finding_fault(fake_chat)
    outcomes = fuse(chat, "cycle1")
    assert operators(chat) == {"domain_analysis", MERGE, check_of(2).name, "missing_answer"}
    for outcome in outcomes:
        assert [(a["cycle"], a["attempt"]) for a in outcome["attempts"]] == [(2, 1), (2, 2), (2, 3)]
        made = FusedRow.model_validate(fused_row("f1", outcome, "fake"))
        assert made.templates[0] == MERGE
        assert made.templates[1:] == templates(outcome, 2)[1:]
        assert made.loss == made.summed_loss == min(len(a["loss"]["unmet"]) for a in outcome["attempts"])


def test_without_cycle_two_no_final_answer_is_checked(fake_chat):
    chat = finding_fault(fake_chat)
    outcomes = fuse(chat, "cycle2")
    assert {template_named(name).place for name in operators(chat)} == {"pair", 1}
    for outcome in outcomes:
        assert {a["cycle"] for a in outcome["attempts"]} == {1}
        assert outcome["loss"] == min(len(a["loss"]["unmet"]) for a in outcome["attempts"]) >= 1
        assert outcome["turns"] in [a["turns"] for a in outcome["attempts"]]


def test_a_fusion_with_nothing_switched_off_is_asked_for_as_before_there_were_ablations(fake_chat):
    recipe = recipe_of(Model(fake_chat()), FusionSettings())
    left, right = from_json(LEFT), from_json(RIGHT)
    shaping = {
        "operands": [to_json(left), to_json(right)],
        "model": recipe.model,
        "settings": recipe.settings,
    }
    assert asked_of(left, right, recipe) == tagged_hash("fusion", shaping)
    others = {asked_of(left, right, recipe_of(Model(fake_chat()), FusionSettings(), part)) for part in PARTS}
    assert len(others) == len(PARTS)
