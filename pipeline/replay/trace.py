"""The steps of a graph as it runs: which node, with what state, what it changed, and in words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph

from ...graph.optimizer import MERGE_TEMPLATE
from ...graph.state import FusionSettings, Json, VariantState
from ...graph.variant_steps import attempts_of
from ...nodes.templates import cycle_of
from .changes import changed_turns

# of a key of the state that a step outside the two cycles has changed, what is shown
_SHOWN: dict[str, Callable[[Any], Json]] = {
    "domains": lambda domains: (
        {"relationship": domains["relationship"]}
        | {side: domains[side]["key_terms"] for side in ("left", "right")}
    ),
    "strategies": lambda chosen: {"strategies": [strategy["name"] for strategy in chosen]},
    "drafts": lambda drafts: {"drafts": len(drafts)},
    "carried": lambda variant: {"carried": variant},
    "variants": lambda ended: {key: one[key] for one in ended.values() for key in ("status", "loss")},
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
    def cycle(self) -> int | None:
        """The cycle whose attempt it writes or judges; None for the other nodes."""
        # without the prompt optimizer a variant merges the pair again
        return 1 if self.node == MERGE_TEMPLATE and self.variant is not None else cycle_of(self.node)

    @property
    def attempt(self) -> int | None:
        """The attempt of its cycle that it writes or judges; None for the other nodes."""
        return self.cycle and len(attempts_of(cast(VariantState, self.given), self.cycle)) + 1

    def told(self) -> Json:
        """The step as a replay shows it; the keys that say nothing of this step are left out."""
        judged = self.changed.get("attempts", [None])[-1]
        shown = {
            "variant": self.variant,
            "strategy": self.given["brief"]["strategy"]["name"] if self.variant is not None else None,
            "node": self.node,
            "cycle": self.cycle,
            "attempt": self.attempt,
            "template": judged["template"] if judged else self.changed.get("template"),
            "unmet": judged["loss"]["unmet"] if judged else None,
            "changes": changed_turns(self.given["turns"], self.changed["turns"])
            if "turns" in self.changed
            else None,
            "edit": self.changed.get("edit"),
            "calls": self._calls(),
            "found": self._found(),
            "error": self.error or None,
        }
        return {name: value for name, value in shown.items() if value is not None}

    def _calls(self) -> int:
        """How many calls it made, re-asks included: a node and its operator have one name."""
        judged = self.changed.get("attempts", [{}])[-1]
        calls = judged.get("calls") or self.changed.get("calls", ())
        return sum(call["operator"] == self.node for call in calls)

    def _found(self) -> Json | None:
        """What a step outside the two cycles came to."""
        found = [shown(self.changed[name]) for name, shown in _SHOWN.items() if name in self.changed]
        return {name: value for part in found for name, value in part.items()} if found else None


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
