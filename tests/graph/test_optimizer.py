"""The prompt optimizer is a pure total function: every case has a row here."""

from __future__ import annotations

from itertools import chain, combinations
from typing import get_args

import pytest

from entp.graph.optimizer import least, next_route, routes
from entp.graph.state import FusionSettings
from entp.graph.variant_steps import best_of
from entp.nodes.templates import CYCLES, writers_of
from entp.records.vocabulary import Condition

MERGE = ("terms", "question", "context", "answer")
ANSWER = ("direct_answer", "nothing_to_remove")


def subsets(names):
    return [set(s) for s in chain.from_iterable(combinations(names, n) for n in range(len(names) + 1))]


# Figures 16 to 24, as the paper's table has them
TABLE = {
    ("terms",): "terms",
    ("terms", "answer"): "terms_answer",
    ("terms", "context"): "terms_context",
    ("terms", "context", "answer"): "terms_context_answer",
    ("context",): "context",
    ("context", "answer"): "context_answer",
    ("answer",): "answer",
}


@pytest.mark.parametrize("unmet", subsets(MERGE), ids=lambda s: "+".join(sorted(s)) or "none")
@pytest.mark.parametrize("budget", range(1, 6))
def test_every_set_and_budget_has_its_template(unmet, budget):
    for attempts in range(1, budget + 1):
        found = next_route(1, unmet, attempts, budget)
        if not unmet:
            assert found == "accept"
        elif attempts == budget:
            assert found == "exhausted"
        elif "question" in unmet:
            assert routes(1)[found] == ("terms_question" if "terms" in unmet else "question")
        else:
            present = tuple(name for name in MERGE if name in unmet)
            assert routes(1)[found] == TABLE[present]
            assert found == f"{' + '.join(present)} unmet"


@pytest.mark.parametrize("cycle", CYCLES)
def test_every_template_is_reached(cycle):
    reached = {next_route(cycle, unmet, 1, 2) for unmet in subsets({1: MERGE, 2: ANSWER}[cycle])}
    assert reached == {*routes(cycle), "accept"}
    assert len(routes(cycle)) == len(writers_of(cycle))


@pytest.mark.parametrize("unmet", subsets(ANSWER), ids=lambda s: "+".join(sorted(s)) or "none")
@pytest.mark.parametrize("budget", range(1, 6))
def test_a_missing_answer_goes_before_what_should_be_removed(unmet, budget):
    for attempts in range(1, budget + 1):
        found = next_route(2, unmet, attempts, budget)
        if not unmet:
            assert found == "accept"
        elif attempts == budget:
            assert found == "exhausted"
        else:
            assert routes(2)[found] == ("missing_answer" if "direct_answer" in unmet else "redundant")


def test_the_conditions_are_those_of_both_cycles():
    assert get_args(Condition) == (*MERGE, *ANSWER)


def test_the_least_loss_wins_whatever_the_key():
    assert {least([2, 1, 3], seed, "fusion", 0, 1) for seed in range(20)} == {1}
    assert {least([(1, 9), (1, 1), (1, 9)], seed, "fusion", 0, 1) for seed in range(20)} == {1}


def test_ties_are_drawn_by_the_key_and_by_nothing_else():
    draws = [least([1, 1, 4, 1], seed, "fusion", 0, 1) for seed in range(200)]
    assert draws == [least([1, 1, 4, 1], seed, "fusion", 0, 1) for seed in range(200)]
    assert set(draws) == {0, 1, 3}
    assert min(draws.count(place) for place in (0, 1, 3)) > 30


def test_of_equal_losses_the_fewest_missing_terms_win_unless_the_tie_is_the_papers():
    made = [
        {"attempt": number, "loss": {"unmet": ["terms"], "missing_terms": ["a term"] * missing}}
        for number, missing in enumerate((9, 1, 9), start=1)
    ]

    def kept(tie):
        settings = (FusionSettings(seed=seed, tie=tie) for seed in range(30))
        return {best_of(made, each, "fusion", 0, 1)["attempt"] for each in settings}

    assert kept("terms") == {2}
    assert kept("paper") == {1, 2, 3}
