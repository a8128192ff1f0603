"""The graph of one variant: Cycle 1 (merge) and Cycle 2 (answer), Algorithm 2 lines 7-59.

One node per candidate template, and on the edge to it the unmet conditions that lead there, so that the
switching of the prompt optimizer can be seen in the drawing.
"""

from __future__ import annotations

from collections.abc import Hashable

from langgraph.graph import END, START, StateGraph

from ..nodes.ask import Model
from ..nodes.templates import check_of
from ..records.vocabulary import Cycle, FusionAblation
from .optimizer import ACCEPT, EXHAUSTED, routes
from .state import FusionSettings, VariantState, cycles_of
from .variant_steps import Step, VariantSteps, optimizer_edge

VariantGraph = StateGraph[VariantState, FusionSettings, VariantState, VariantState]


def variant_graph(model: Model, ablate: FusionAblation = "none") -> VariantGraph:
    """Wire the steps of one variant; `ablate` is the part that is switched off, for a comparison."""
    steps = VariantSteps(model, ablate)
    graph = StateGraph(VariantState, FusionSettings)
    cycles = cycles_of(ablate)
    graph.add_edge(START, check_of(cycles[0]).name)
    if 1 in cycles:
        then = check_of(2).name if 2 in cycles else "finish"
        _add_cycle(graph, 1, steps, steps.information_completeness, best="keep_best_merge", then=then)
    if 2 in cycles:
        _add_cycle(graph, 2, steps, steps.final_answer_check, best="keep_best_answer", then="finish")
    graph.add_node("finish", steps.finish)
    graph.add_edge("finish", END)
    return graph


def _add_cycle(
    graph: VariantGraph, cycle: Cycle, steps: VariantSteps, judge: Step, *, best: str, then: str
) -> None:
    """Judge, write again by the template of the route, judge again; once that is over, go on to `then`."""
    check = check_of(cycle).name
    graph.add_node(check, judge)
    for name, writer in steps.writers(cycle).items():
        graph.add_node(name, writer)
        graph.add_edge(name, check)
    graph.add_node(best, steps.keep_best(cycle))
    graph.add_edge(best, then)
    ends = [*routes(cycle, steps.ablate).items(), (ACCEPT, then), (EXHAUSTED, best)]
    graph.add_conditional_edges(check, optimizer_edge(cycle, steps.ablate), dict[Hashable, str](ends))
