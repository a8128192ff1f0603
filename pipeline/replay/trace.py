"""The steps of a graph as it runs: which node, with what state, what it changed, and in words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph

from ...graph.optimizer import REVISIONS, UPDATES
from ...graph.state import FusionSettings, Json, VariantState
from ...graph.variant_steps import CHECKS, attempts_of
from .changes import changed_turns

# the cycle of each node that judges or writes an attempt
CYCLE_OF: dict[str, int] = {
    **{node: cycle for cycle, node in CHECKS.items()},
    **dict.fromkeys(REVISIONS.values(), 1),
    **dict.fromkeys(UPDATES.values(), 2),
}


@dataclass(frozen=True)
class Step:
    """One node that has run: the state it was given, and what it changed or why it failed."""

    node: str
    given: Json
    changed: Json
    error: str = ""

    @property
    def variant(self) -> int | None:
        """The variant it belongs to; None for the steps around the variants."""
        brief = self.given.get("brief")
        return None if brief is None else int(brief["variant"])

    @property
    def attempt(self) -> int | None:
        """The attempt of its cycle that it writes or judges; None for the other nodes."""
        cycle = CYCLE_OF.get(self.node)
        return None if cycle is None else len(attempts_of(cast(VariantState, self.given), cycle)) + 1

    def told(self) -> Json:
        """The step as a replay shows it; the keys that say nothing of this step are left out."""
        judged = self.changed.get("attempts", [None])[-1]
        shown = {
            "variant": self.variant,
            "strategy": self.given["brief"]["strategy"] if self.variant is not None else None,
            "node": self.node,
            "cycle": CYCLE_OF.get(self.node),
            "attempt": self.attempt,
            "template": judged["template"] if judged else self.changed.get("template"),
            "unmet": judged["loss"]["unmet"] if judged else None,
            "changes": changed_turns(self.given["turns"], self.changed["turns"])
            if "turns" in self.changed
            else None,
            "calls": self._calls(),
            "found": _found(self),
            "error": self.error or None,
        }
        return {name: value for name, value in shown.items() if value is not None}

    def _calls(self) -> int:
        """How many calls it made, re-asks included."""
        if "attempts" in self.changed:  # with those of the node that wrote the text
            return len(self.changed["attempts"][-1]["calls"]) - len(self.given.get("calls", ()))
        return sum(len(made) for name, made in self.changed.items() if name.endswith("calls"))


def _found(step: Step) -> Json | None:
    """What a step outside the two cycles came to."""
    match step.node:
        case "domain_analysis":
            domains = step.changed.get("domains", {})
            sides = {side: domains[side]["key_terms"] for side in ("left", "right") if side in domains}
            return {"relationship": domains.get("relationship")} | sides
        case "strategy_selection" | "collect":
            return {name: value for name, value in step.changed.items() if name != "corpus"}
        case "merged_corpus_generation":
            return {"drafts": len(step.changed.get("drafts", ()))}
        case "finish":
            (outcome,) = step.changed["variants"].values()
            return {"status": outcome["status"], "loss": outcome["loss"]}
    return None


async def run_traced(
    graph: CompiledStateGraph[Any, FusionSettings, Any, Any],
    state: Any,
    config: RunnableConfig,
    settings: FusionSettings,
    steps: list[Step],
) -> Json:
    """Run a graph to its end and return its last state; every node is added to `steps` as it ends.

    What a node raises is raised, after the steps up to it are there.
    """
    ended: Json = {}
    begun: dict[str, Json] = {}
    parts: AsyncIterator[Any] = graph.astream(
        state, config, context=settings, stream_mode=["tasks", "values"], subgraphs=True
    )
    async for namespace, mode, told in parts:
        if mode == "values":
            ended = ended if namespace else told
        elif told["name"] == "variant":
            continue  # it runs a variant, whose own steps say all
        elif "input" in told:
            begun[told["id"]] = told["input"]
        else:
            error = told["error"]
            failed = f"{type(error).__name__}: {error}" if error else ""
            steps.append(Step(told["name"], begun.pop(told["id"]), told["result"] or {}, failed))
    return ended
