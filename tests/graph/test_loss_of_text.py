"""The stored loss is that of the stored text: worked out once more, from the reports and the text alone."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entp.graph.fusion import fusion_graph
from entp.graph.state import FusionInput, FusionSettings
from entp.graph.terms import is_quoted, same_term, stands_in, words_of
from entp.nodes.ask import Model

LEFT = [
    {"role": "user", "content": "How does a spring tide come about?"},
    {"role": "assistant", "content": "Sun and Moon pull in one line."},
]
RIGHT = [
    {"role": "user", "content": "When is proofing over?"},
    {"role": "assistant", "content": "When the dough has doubled; yeast is slow in the cold."},
]
TERMS = {"left": ["spring tide", "Moon"], "right": ["proofing", "yeast", "dough"]}
SCRAPS = [
    "A spring tide and proofing.",
    "The Moon is high.",
    "the moon",
    "Yeast. Dough.",
    "Springs, tides.",
    "rising at full moon",
    "What now?",
]


class RandomModel:
    """Writes scraps, and reports on them what comes to its mind."""

    def __init__(self, seed):
        self._drawn = Random(seed)

    def __call__(self, operator, messages):
        draw = self._drawn
        text = " ".join(draw.sample(SCRAPS, 2))
        if operator == "domain_analysis":
            sides = {
                side: {"domain": "nature", "key_terms": terms, "matching_rule": "asked, answered"}
                for side, terms in TERMS.items()
            }
            return {**sides, "semantic_similarity": 0, "bridging_concepts": [], "relationship": "same-domain"}
        if operator == "merged_corpus_generation":
            return {"variants": [{"exchanges": [self._exchange()]} for _ in range(3)]}
        if operator == "information_completeness":
            return self._report()
        if operator == "final_answer_check":
            return {
                "direct_answer": draw.choice([None, "the moon", text]),
                "information_to_remove": draw.choice([None, "nothing", "the second sentence"]),
            }
        return {"answer": text} if operator in {"answer", "missing_answer", "redundant"} else self._merged()

    def _exchange(self):
        user, assistant = (" ".join(self._drawn.sample(SCRAPS, 2)) for _ in range(2))
        return {"user": user, "assistant": assistant}

    def _merged(self):
        return {"exchanges": [self._exchange()]}

    def _report(self):
        draw = self._drawn
        sides = {f"{side}_terms": {"included": [], "by_meaning": [], "missing": []} for side in TERMS}
        for side, terms in TERMS.items():
            for term in terms:
                kind = draw.choice(["included", "by_meaning", "missing", "nowhere"])
                claim = {"term": term, "words": draw.choice(SCRAPS)} if kind == "by_meaning" else term
                if kind != "nowhere":
                    sides[f"{side}_terms"][kind].append(claim)
        missing = draw.choice([None, "the place"])
        return {
            **sides,
            "question": {
                "exists": draw.random() < 0.8,
                "type": "open",
                "context_contain": None,
                "context_missing": missing,
                "needs_context": draw.random() < 0.5,
            },
            "answer": {
                "explanation": None,
                "direct": draw.random() < 0.7,
                "needs_regeneration": draw.random() < 0.3,
            },
        }


def least(attempts, text):
    """The attempts with this text that the draw is between: of least loss, then of fewest terms missing."""
    ranked = [(len(a["loss"]["unmet"]), len(a["loss"]["missing_terms"])) for a in attempts]
    return [a for a, rank in zip(attempts, ranked, strict=True) if rank == min(ranked) and a["turns"] == text]


def expected(merged, answered, final):
    """The number of conditions that the final text does not meet, by both reports."""
    words = words_of(*(turn["content"] for turn in final))
    report, unmet = merged["report"], set()
    for side, terms in TERMS.items():
        part = report[f"{side}_terms"]
        for term in terms:
            claims = [said for said in part["included"] if same_term(said, term)]
            claims += [said["words"] for said in part["by_meaning"] if same_term(said["term"], term)]
            by_claim = term not in part["missing"] and any(is_quoted(claim, words) for claim in claims)
            if not stands_in(term, words) and not by_claim:
                unmet.add("terms")
    question, answer = report["question"], report["answer"]
    if not question["exists"]:
        unmet |= {"question", "context", "answer"}
    if question["needs_context"] and question["context_missing"]:
        unmet.add("context")
    unmet |= set(answered["loss"]["unmet"])
    rewritten = merged["turns"] != final
    fault = answer["needs_regeneration"] or not answer["direct"]
    if fault and not rewritten and "direct_answer" not in unmet:
        unmet.add("answer")
    return len(unmet)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9), budget=st.integers(1, 3))
def test_the_stored_loss_is_what_the_checks_say_of_the_stored_text(fake_chat, seed, budget):
    graph = fusion_graph(Model(fake_chat(RandomModel(seed)))).compile()
    given_pair = FusionInput(fusion_id=str(seed), left=LEFT, right=RIGHT)
    settings_ = FusionSettings(budget=budget)
    limit = {"recursion_limit": settings_.recursion_limit}
    ended = asyncio.run(graph.ainvoke(given_pair, limit, context=settings_))
    for outcome in ended["variants"].values():
        first, second = ([a for a in outcome["attempts"] if a["cycle"] == cycle] for cycle in (1, 2))
        chosen = [
            expected(merged, answered, outcome["turns"])
            for merged in least(first, second[0]["turns"])
            for answered in least(second, outcome["turns"])
        ]
        assert outcome["loss"] in chosen, pytest.fail(f"{outcome['loss']} is not in {chosen}")
