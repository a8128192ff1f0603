"""The graph of one variant: Cycle 1 (merge) and Cycle 2 (answer), Algorithm 2 lines 22-53.

One node per candidate template, and on the edge to it the unmet conditions that lead there, so that the
switching of the prompt optimizer can be seen in the drawing.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import get_args

from langgraph.graph import END, START, StateGraph

from ..nodes.ask import Model
from ..nodes.revision import RevisionTemplate
from .optimizer import ACCEPT, EXHAUSTED, REVISION_ROUTES, UPDATE_ROUTES
from .state import FusionSettings, VariantState
from .variant_steps import VariantSteps, after_answer_check, after_completeness

VariantGraph = StateGraph[VariantState, FusionSettings, VariantState, VariantState]


def variant_graph(model: Model, settings: type[FusionSettings] = FusionSettings) -> VariantGraph:
    """Wire the steps of one variant; `settings` is the type of the context that a run is given."""
    steps = VariantSteps(model)
    graph = StateGraph(VariantState, settings)
    graph.add_edge(START, "information_completeness")

    graph.add_node("information_completeness", steps.information_completeness)
    revisions: tuple[RevisionTemplate, ...] = get_args(RevisionTemplate)
    for template in revisions:
        graph.add_node(template, steps.revision(template))
        graph.add_edge(template, "information_completeness")
    graph.add_node("keep_best_merge", steps.keep_best_merge)
    graph.add_conditional_edges(
        "information_completeness",
        after_completeness,
        _ends(REVISION_ROUTES, accept="final_answer_check", exhausted="keep_best_merge"),
    )
    graph.add_edge("keep_best_merge", "final_answer_check")

    graph.add_node("final_answer_check", steps.final_answer_check)
    graph.add_node("missing_answer", steps.missing_answer)
    graph.add_node("redundant", steps.redundant)
    graph.add_node("keep_best_answer", steps.keep_best_answer)
    graph.add_node("finish", steps.finish)
    graph.add_conditional_edges(
        "final_answer_check",
        after_answer_check,
        _ends(UPDATE_ROUTES, accept="finish", exhausted="keep_best_answer"),
    )
    graph.add_edge("missing_answer", "final_answer_check")
    graph.add_edge("redundant", "final_answer_check")
    graph.add_edge("keep_best_answer", "finish")
    graph.add_edge("finish", END)
    return graph


def _ends(routes: Mapping[str, str], *, accept: str, exhausted: str) -> dict[Hashable, str]:
    """Where each route of the prompt optimizer leads."""
    return dict([*routes.items(), (ACCEPT, accept), (EXHAUSTED, exhausted)])
