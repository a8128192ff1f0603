"""The graph of a progressive fusion: a cluster's representatives are merged until one corpus is left.

It follows the pairs that were planned for the cluster (a left fold or a tree), and runs the fusion graph for
every pair whose operands are at hand (Section 3.2, Algorithm 1).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol, TypeAlias

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send
from typing_extensions import TypedDict

from ..records.errors import ModelError
from .state import FusionInput, FusionSettings, TurnJson

ClusterGraph: TypeAlias = "StateGraph[ClusterState, FusionSettings, ClusterState, ClusterState]"

DONE = "one corpus left"
OPERAND_MISSING = "OperandMissing: the fusion that it builds on has no fused row"


class Operand(TypedDict):
    """One side of a planned fusion: a row, or the corpus that an earlier fusion carries on."""

    kind: Literal["row", "fusion"]
    id: str


class PlannedFusion(TypedDict):
    """One fusion of the plan."""

    fusion_id: str
    left: Operand
    right: Operand


def joined(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    """Reducer of `fused` and `failed`: fusions end in any order and each brings its own key."""
    return {**left, **right}


class ClusterState(TypedDict, total=False):
    """State of a progressive fusion: texts and plan go in, and every planned fusion ends in one of two keys.

    `fused` holds the corpus that each fusion carries on, empty where none of its variants succeeded.
    """

    rows: dict[str, list[TurnJson]]
    plan: list[PlannedFusion]
    fused: Annotated[dict[str, list[TurnJson]], joined]
    failed: Annotated[dict[str, str], joined]


class RunFusion(Protocol):
    """What runs one fusion: a compiled fusion graph's `ainvoke`, or what keeps its results as well."""

    async def __call__(
        self, state: FusionInput, config: RunnableConfig, /, *, context: FusionSettings
    ) -> Any:
        """The state in which the fusion ended; raises a ModelError where it failed as a whole."""


def cluster_fusion_graph(
    run_fusion: RunFusion, settings: type[FusionSettings] = FusionSettings
) -> ClusterGraph:
    """Wire the fold: a fusion that fails takes along those that need it, and no others.

    `settings` is the type of the context that a run is given.
    """

    async def fusion(state: FusionInput, runtime: Runtime[FusionSettings]) -> ClusterState:
        """Run one fusion of the plan."""
        try:
            limit: RunnableConfig = {"recursion_limit": runtime.context.recursion_limit}
            ended = await run_fusion(state, limit, context=runtime.context)
        except ModelError as error:
            if error.stops_run:
                raise
            return {"failed": {state["fusion_id"]: f"{type(error).__name__}: {error}"}}
        return {"fused": {state["fusion_id"]: ended["corpus"]}}

    graph = StateGraph(ClusterState, settings)
    graph.add_node("take_stock", take_stock)
    graph.add_node("fusion", fusion)
    graph.add_edge(START, "take_stock")
    graph.add_conditional_edges("take_stock", next_fusions, {"operands at hand": "fusion", DONE: END})
    graph.add_edge("fusion", "take_stock")
    return graph


def steps_of_a_cluster(plan: int) -> int:
    """Most supersteps of the graph over a plan of so many fusions."""
    return 2 * plan + 2


async def take_stock(state: ClusterState) -> ClusterState:
    """Fail the fusions whose operand will never be there."""
    failed: dict[str, str] = {}
    lost = {*state.get("failed", {}), *(name for name, turns in state.get("fused", {}).items() if not turns)}
    known = {step["fusion_id"] for step in state["plan"]}
    for step in _open(state):
        needed = {side["id"] for side in (step["left"], step["right"]) if side["kind"] == "fusion"}
        if needed & lost or needed - known:
            failed[step["fusion_id"]] = OPERAND_MISSING
            lost.add(step["fusion_id"])
    return {"failed": failed}


def next_fusions(state: ClusterState) -> list[Send] | str:
    """Every fusion of the plan whose operands are at hand, side by side; none is left at the end."""
    sends = []
    for step in _open(state):
        left, right = _corpus(state, step["left"]), _corpus(state, step["right"])
        if left and right:
            sends.append(Send("fusion", FusionInput(fusion_id=step["fusion_id"], left=left, right=right)))
    return sends or DONE


def _open(state: ClusterState) -> list[PlannedFusion]:
    ended = {*state.get("fused", {}), *state.get("failed", {})}
    return [step for step in state["plan"] if step["fusion_id"] not in ended]


def _corpus(state: ClusterState, operand: Operand) -> list[TurnJson] | None:
    texts = state["rows"] if operand["kind"] == "row" else state.get("fused", {})
    return texts.get(operand["id"])
