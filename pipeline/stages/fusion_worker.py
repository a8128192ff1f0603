"""A worker that fuses pairs: values in, records out. It opens no run and stores nothing."""

from __future__ import annotations

from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Durability

from ...checkpoints import thread_id
from ...graph.fusion import fusion_graph
from ...graph.state import FusionInput, FusionSettings, FusionState
from ...nodes.ask import Model
from ...records.conversation import to_json
from ...records.errors import ModelError
from ...records.fusions import Ended, Recipe
from ...records.vocabulary import FusionAblation, KeepCheckpoints, Profile
from ...records.work import Claim
from .fused import OPERAND_MISSING, asked_of, ended_records, failed_fusion, recipe_of

# when LangGraph saves checkpoints: after every superstep, or once at the end
_DURABILITY: dict[KeepCheckpoints, Durability] = {"all": "async", "last": "exit"}


class FusionWorker:
    """Runs the fusion graph over pairs with one model; several at a time, in one event loop.

    `saver` keeps checkpoints as `keep` says; with `none` it only forgets what was kept before.
    """

    def __init__(
        self,
        model: Model,
        settings: FusionSettings,
        saver: BaseCheckpointSaver[Any] | None = None,
        keep: KeepCheckpoints = "none",
        ablate: FusionAblation = "none",
    ) -> None:
        self._model = model
        self._settings = settings
        self._saver = saver
        self._keep = keep
        self._ablate = ablate
        self._graphs: dict[int, CompiledStateGraph[Any, FusionSettings, Any, Any]] = {}

    @property
    def profile(self) -> Profile:
        """The prompts that its model is asked with."""
        return self._model.profile

    def asked(self, claim: Claim) -> str:
        """The hash of all that shapes the fusion of a pair, but its templates."""
        return asked_of(claim.left.turns, claim.right.turns, self._recipe(self._model))

    async def fuse(self, claim: Claim) -> Ended:
        """Fuse one pair whose operands are at hand.

        A fusion that fails before its variants begin is a record too; an error that every further call would
        meet is raised.
        """
        model = self._model.begun(claim.tries)
        recipe = self._recipe(model)
        try:
            state = await self._invoke(claim)
        except ModelError as error:
            if error.stops_run:
                raise
            return failed_fusion(claim, f"{type(error).__name__}: {error}", recipe)
        return ended_records(claim, state, self.asked(claim), recipe)

    def without_operand(self, claim: Claim) -> Ended:
        """The record of a pair that has at most one operand left; a fold goes past it."""
        return failed_fusion(claim, OPERAND_MISSING, self._recipe(self._model))

    def _recipe(self, model: Model) -> Recipe:
        return recipe_of(model, self._settings, self._ablate)

    async def _invoke(self, claim: Claim) -> FusionState:
        thread = thread_id(claim.pair.id)
        # the ledger answers what was asked before, so an unfinished thread is begun again, not resumed
        if self._saver is not None:
            await self._saver.adelete_thread(thread)
        given = FusionInput(
            fusion_id=claim.pair.id, left=to_json(claim.left.turns), right=to_json(claim.right.turns)
        )
        config = RunnableConfig(
            recursion_limit=self._settings.recursion_limit, configurable={"thread_id": thread}
        )
        ended = await self._graph(claim.tries).ainvoke(
            given, config, context=self._settings, durability=_DURABILITY.get(self._keep)
        )
        return cast(FusionState, ended)

    def _graph(self, tries: int) -> CompiledStateGraph[Any, FusionSettings, Any, Any]:
        """The graph over a model that may begin so often, compiled once."""
        if tries not in self._graphs:
            keeper = None if self._keep == "none" else self._saver
            graph = fusion_graph(self._model.begun(tries), self._ablate)
            self._graphs[tries] = graph.compile(checkpointer=keeper, name="fusion")
        return self._graphs[tries]
