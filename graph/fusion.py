"""The graph of a fusion: DA -> SS -> MCG -> three variants side by side -> collect (Algorithm 2)."""

from __future__ import annotations

from langgraph.graph import END, START, StateGraph

from ..nodes.ask import Model
from ..records.vocabulary import FusionAblation
from .fusion_steps import FusionSteps, isolated, to_variants
from .state import FusionInput, FusionSettings, FusionState
from .variant import variant_graph

FusionGraph = StateGraph[FusionState, FusionSettings, FusionInput, FusionState]


def fusion_graph(model: Model, ablate: FusionAblation = "none") -> FusionGraph:
    """Wire a fusion; one failing variant does not take its siblings along.

    `ablate` is the part that is switched off, for a comparison.
    """
    steps = FusionSteps(model, ablate)
    graph = StateGraph(FusionState, FusionSettings, input_schema=FusionInput)
    graph.add_node("domain_analysis", steps.domain_analysis)
    graph.add_node("strategy_selection", steps.strategy_selection)
    graph.add_node("merged_corpus_generation", steps.merged_corpus_generation)
    graph.add_node("variant", isolated(variant_graph(model, ablate).compile()))
    graph.add_node("collect", steps.collect)

    graph.add_edge(START, "domain_analysis")
    graph.add_edge("domain_analysis", "strategy_selection")
    graph.add_edge("strategy_selection", "merged_corpus_generation")
    graph.add_conditional_edges("merged_corpus_generation", to_variants, ["variant"])
    graph.add_edge("variant", "collect")
    graph.add_edge("collect", END)
    return graph
