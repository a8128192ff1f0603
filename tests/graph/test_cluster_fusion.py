"""Progressive fusion: a cluster folds into one corpus, over fusions that are functions of their operands."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from entp.graph.cluster_fusion import ClusterState, cluster_fusion_graph, steps_of_a_cluster
from entp.graph.fusion import fusion_graph
from entp.graph.state import FusionSettings
from entp.nodes.ask import Model
from entp.records.errors import AccessRefused, Declined
from entp.selection.pairs.plan import make_pairs

GOLDEN = Path(__file__).parent / "golden"


def turns(text):
    return [{"role": "user", "content": text}, {"role": "assistant", "content": "yes"}]


class Joining:
    """Runs a fusion by joining the questions of both operands, and remembers the order."""

    def __init__(self, error=None, at=None, empty_at=None):
        self.ran = []
        self._error, self._at, self._empty_at = error, at, empty_at

    async def __call__(self, state, config, /, *, context):
        self.ran.append(state["fusion_id"])
        number = len(self.ran)
        await asyncio.sleep(0)
        if number == self._at:
            raise self._error
        if number == self._empty_at:
            return {"corpus": []}
        joined = f"({state['left'][0]['content']}+{state['right'][0]['content']})"
        return {"corpus": turns(joined)}


def plan_of(rows, fold):
    pairs = make_pairs([rows], seed=0, fold=fold, kinds=("intra",)).pairs
    return [{"fusion_id": p.id, "left": vars(p.left), "right": vars(p.right)} for p in pairs]


def fold_cluster(run_fusion, rows="abcde", fold="left"):
    plan = plan_of(list(rows), fold)
    graph = cluster_fusion_graph(run_fusion).compile()
    state = ClusterState(rows={row: turns(row) for row in rows}, plan=plan)
    config = {"recursion_limit": steps_of_a_cluster(len(plan))}
    return plan, asyncio.run(graph.ainvoke(state, config, context=FusionSettings()))


@pytest.mark.parametrize(("fold", "expected"), [("left", "((((a+b)+c)+d)+e)"), ("tree", "(((a+b)+(c+d))+e)")])
def test_five_representatives_become_one_corpus(fold, expected):
    run_fusion = Joining()
    plan, state = fold_cluster(run_fusion, fold=fold)
    assert state["failed"] == {}
    assert len(run_fusion.ran) == len(plan) == 4
    assert state["fused"][plan[-1]["fusion_id"]][0]["content"] == expected


def test_operands_are_there_before_what_uses_them():
    for rows, fold in (("ab", "left"), ("abcdefg", "left"), ("abcdefg", "tree")):
        run_fusion = Joining()
        plan, _ = fold_cluster(run_fusion, rows, fold)
        position = {name: at for at, name in enumerate(run_fusion.ran)}
        for step in plan:
            for side in (step["left"], step["right"]):
                if side["kind"] == "fusion":
                    assert position[side["id"]] < position[step["fusion_id"]]


def test_a_failed_fusion_fails_what_builds_on_it_and_keeps_what_is_finished():
    run_fusion = Joining(Declined("the model declined"), at=2)
    plan, state = fold_cluster(run_fusion)
    first, second, *later = [step["fusion_id"] for step in plan]
    assert run_fusion.ran == [first, second]
    assert set(state["fused"]) == {first}
    assert state["failed"][second] == "Declined: the model declined"
    assert {state["failed"][name].split(":")[0] for name in later} == {"OperandMissing"}


def test_a_failure_in_one_branch_of_a_tree_leaves_the_other_alone():
    run_fusion = Joining(Declined("no"), at=1)
    plan, state = fold_cluster(run_fusion, "abcd", "tree")
    assert set(state["fused"]) == {plan[1]["fusion_id"]}
    assert state["failed"][plan[2]["fusion_id"]].startswith("OperandMissing")


def test_a_fusion_of_which_no_variant_succeeded_carries_nothing_on():
    run_fusion = Joining(empty_at=1)
    plan, state = fold_cluster(run_fusion, "abc")
    assert state["fused"] == {plan[0]["fusion_id"]: []}
    assert state["failed"][plan[1]["fusion_id"]].startswith("OperandMissing")


def test_a_plan_cut_short_fails_what_it_cannot_reach():
    plan = plan_of(list("abc"), "left")[1:]
    graph = cluster_fusion_graph(Joining()).compile()
    given = ClusterState(rows={row: turns(row) for row in "abc"}, plan=plan)
    state = asyncio.run(graph.ainvoke(given, context=FusionSettings()))
    assert state["failed"][plan[0]["fusion_id"]].startswith("OperandMissing")


def test_an_error_that_every_call_would_meet_stops_the_cluster():
    with pytest.raises(AccessRefused):
        fold_cluster(Joining(AccessRefused("wrong key"), at=2))


def test_the_compiled_fusion_graph_runs_the_steps(fake_chat):
    chat = fake_chat()
    fusion = fusion_graph(Model(chat)).compile(name="fusion")
    plan, state = fold_cluster(fusion.ainvoke, "abcde")
    operators = [request.operator for request in chat.asked]
    assert operators.count("domain_analysis") == 4
    assert list(state["fused"]) == [step["fusion_id"] for step in plan]
    for before, after in pairwise(plan):
        assert after["left"] == {"kind": "fusion", "id": before["fusion_id"]}
    assert all(state["fused"].values())


def test_the_drawing_shows_the_fusion_inside(fake_chat, request):
    fusion = fusion_graph(Model(fake_chat())).compile(name="fusion")
    drawn = cluster_fusion_graph(fusion.ainvoke).compile().get_graph(xray=1).draw_mermaid()
    golden = GOLDEN / "cluster_fusion.mmd"
    if request.config.getoption("--update-golden"):
        golden.write_text(drawn, "utf-8")
    assert drawn == golden.read_text("utf-8")
    assert "domain_analysis" in drawn
