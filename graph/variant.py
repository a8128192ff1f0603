"""The graph of one variant: Cycle 1 (merge) and Cycle 2 (answer), Algorithm 2 lines 7-59.

One node per candidate template, and on the edge to it the unmet conditions that lead there, so that the
switching of the prompt optimizer can be seen in the drawing.
"""

from __future__ import annotations

from collections.abc import Hashable

from langgraph.graph import END, START, StateGraph

from ..nodes.ask import Model
from ..nodes.templates import by_figure, check_of, writers_of
from ..records.vocabulary import Cycle
from .optimizer import ACCEPT, EXHAUSTED, routes
from .state import FusionSettings, VariantState
from .variant_steps import Step, VariantSteps, optimizer_edge

VariantGraph = StateGraph[VariantState, FusionSettings, VariantState, VariantState]


def variant_graph(model: Model) -> VariantGraph:
    """Wire the steps of one variant."""
    steps = VariantSteps(model)
    graph = StateGraph(VariantState, FusionSettings)
    graph.add_edge(START, check_of(1).name)
    _add_cycle(graph, 1, steps, steps.information_completeness, best="keep_best_merge", then=check_of(2).name)
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
    for template in by_figure(writers_of(cycle)):
        graph.add_node(template.name, steps.revision(template))
        graph.add_edge(template.name, check)
    graph.add_node(best, steps.keep_best(cycle))
    graph.add_edge(best, then)
    ends = [*routes(cycle).items(), (ACCEPT, then), (EXHAUSTED, best)]
    graph.add_conditional_edges(check, optimizer_edge(cycle), dict[Hashable, str](ends))
