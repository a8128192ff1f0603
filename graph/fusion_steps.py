"""The steps of a fusion around its variants."""

from __future__ import annotations

from typing import Any, Protocol

from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send

from ..nodes.ask import Model
from ..nodes.domain_analysis import analyse_domains
from ..nodes.merged_corpus_generation import merge_corpora
from ..nodes.replies import turns_of
from ..prompts.strategies import FREE_MERGE, strategies_for
from ..records.conversation import from_json, to_json
from ..records.errors import ModelError
from ..records.vocabulary import VARIANTS, FusionAblation
from .optimizer import MERGE_TEMPLATE, least
from .state import Brief, Draft, FusionSettings, FusionState, Json, Outcome, TurnJson, VariantState
from .terms import is_foreign, words_of


class VariantNode(Protocol):
    """The node that runs a variant, as LangGraph calls it."""

    async def __call__(self, state: VariantState, *, runtime: Runtime[FusionSettings]) -> FusionState:
        """Return the variant's outcome."""


class FusionSteps:
    """The nodes of the fusion graph, bound to a model; `ablate` is the part that is switched off."""

    def __init__(self, model: Model, ablate: FusionAblation = "none") -> None:
        self._model = model
        self._ablate = ablate

    async def domain_analysis(self, state: FusionState, runtime: Runtime[FusionSettings]) -> FusionState:
        """Report both domains and their relationship (DA), without key terms that no source has."""
        asked = await analyse_domains(
            from_json(state["left"]),
            from_json(state["right"]),
            self._model,
            temperature=runtime.context.domain_temperature,
        )
        domains, overrides = asked.reply.model_dump(), list[str]()
        if self._ablate != "checks":
            overrides = [
                note for side in ("left", "right") for note in _set_aside(domains[side], state[side])
            ]
        return {
            "domains": domains,
            "overrides": overrides,
            "calls": [call.model_dump() for call in asked.calls],
        }

    async def strategy_selection(self, state: FusionState) -> FusionState:
        """Take the three strategies of the relationship (SS): a table, no model.

        Whatever follows reads them from the state. Without `strategies` every variant is a free merge.
        """
        free = (FREE_MERGE,) * VARIANTS
        chosen = free if self._ablate == "strategies" else strategies_for(state["domains"]["relationship"])
        return {"strategies": [strategy._asdict() for strategy in chosen]}

    async def merged_corpus_generation(
        self, state: FusionState, runtime: Runtime[FusionSettings]
    ) -> FusionState:
        """Write three variants, one per strategy (MCG)."""
        asked = await merge_corpora(
            from_json(state["left"]),
            from_json(state["right"]),
            state["domains"],
            state["strategies"],
            self._model,
            temperature=runtime.context.temperature,
        )
        return {
            "drafts": [
                Draft(plan=draft.plan, turns=to_json(turns_of(draft.exchanges)))
                for draft in asked.reply.variants
            ],
            "calls": [*state["calls"], *(call.model_dump() for call in asked.calls)],
        }

    async def collect(self, state: FusionState, runtime: Runtime[FusionSettings]) -> FusionState:
        """Choose the variant that a progressive fusion carries forward: least loss, ties by the seed."""
        ended = [outcome for _, outcome in sorted(state["variants"].items())]
        fused = [(outcome["loss"], outcome) for outcome in ended if outcome["loss"] is not None]
        if not fused:
            return {"carried": None, "corpus": []}
        position = least([loss for loss, _ in fused], runtime.context.seed, state["fusion_id"])
        _, best = fused[position]
        return {"carried": best["variant"], "corpus": best["turns"]}


def _set_aside(corpus: Json, turns: list[TurnJson]) -> list[str]:
    """Take the key terms out of a corpus's report that have no word in its turns, and say which."""
    words = words_of(*(turn["content"] for turn in turns))
    foreign = [term for term in corpus["key_terms"] if is_foreign(term, words)]
    corpus["key_terms"] = [term for term in corpus["key_terms"] if term not in foreign]
    return [f"terms: {term!r} is a key term of a source that has no word of it" for term in foreign]


def to_variants(state: FusionState) -> list[Send]:
    """Send each draft into a variant graph of its own; they run side by side with no barrier between."""
    return [
        Send(
            "variant",
            VariantState(
                brief=Brief(
                    fusion_id=state["fusion_id"],
                    variant=number,
                    strategy=strategy,
                    strategies=state["strategies"],
                    left=state["left"],
                    right=state["right"],
                    domains=state["domains"],
                ),
                turns=draft["turns"],
                template=MERGE_TEMPLATE,
                plan=draft["plan"],
                attempts=[],
                calls=[],
            ),
        )
        for number, (strategy, draft) in enumerate(zip(state["strategies"], state["drafts"], strict=True))
    ]


def isolated(variant: CompiledStateGraph[Any, FusionSettings, Any, Any]) -> VariantNode:
    """The node that runs a variant graph: where it fails its siblings go on, unless every call would fail.

    An error handler of LangGraph's would do the same, but stand in every drawing as a loose node.
    """

    async def run_variant(state: VariantState, *, runtime: Runtime[FusionSettings]) -> FusionState:
        try:
            ended = await variant.ainvoke(state, context=runtime.context)
        except ModelError as error:
            if error.stops_run:
                raise
            return {"variants": {str(state["brief"]["variant"]): failed_outcome(state["brief"], error)}}
        return {"variants": ended["variants"]}

    return run_variant


def failed_outcome(brief: Brief, error: ModelError) -> Outcome:
    """How a variant ends whose operator got no usable answer."""
    return {
        "variant": brief["variant"],
        "strategy": brief["strategy"]["name"],
        "status": "failed",
        "turns": [],
        "loss": None,
        "attempts": [],
        "reason": f"{type(error).__name__}: {error}",
        "raw": error.raw,
    }
