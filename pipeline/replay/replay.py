"""Replay: run a fusion again from the ledger alone, and prove that it comes out as it is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Any, NamedTuple, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from ...checkpoints import open_saver, thread_id
from ...checkpoints.ledger import Ledger
from ...checkpoints.recorded_chat import OfflineChat
from ...graph.fusion import fusion_graph
from ...graph.state import FusionInput, FusionSettings, FusionState
from ...nodes.ask import Model
from ...records.conversation import to_json
from ...records.errors import ModelError, ReplayMiss, RunFolderError, UsageError
from ...records.fusions import Ended, FusedRow, Fusion, Recipe
from ...records.hashing import canonical_json
from ...records.stored import JsonObject, Stored
from ...records.work import Claim
from ..run.crowd import for_each
from ..run.run_folder import Run
from ..run.settings import Asking
from ..stages.fused import OPERAND_MISSING, asked_of, ended_records, failed_fusion
from ..stages.operands import side_of
from .trace import Step, run_traced

_REMEDY = (
    "templates, rows or ledger have changed since it was made: undo that, or fuse it again with entp fuse"
)


class Replay(NamedTuple):
    """A fusion as it came out again: its steps, its records, and what differs from those that are stored."""

    steps: list[Step]
    ended: Ended
    differences: list[str]


class ReplayFindings(Stored):
    """What a replay of one fusion shows."""

    fusion: str
    model: str
    status: str
    reason: str | None
    steps: list[JsonObject]
    fused_rows: int
    answered: int
    differences: list[str]


class ReplayAllFindings(Stored):
    """What came of replaying every fusion."""

    fusions: int
    fused_rows: int
    answered: int
    differences: list[str]


async def replay(run: Run, fusion_id: str, *, keep_history: bool = False) -> ReplayFindings:
    """Replay one fusion and show its steps; `keep_history` puts its supersteps into its thread for Studio."""
    async with AsyncExitStack() as stack:
        ledger = stack.enter_context(run.open_ledger(read_only=True))
        saver = await stack.enter_async_context(open_saver(run.checkpoints)) if keep_history else None
        replayer = Replayer(run, ledger, saver)
        found = await replayer.replay(fusion_id)
    fusion = found.ended.fusion
    return ReplayFindings(
        fusion=fusion_id,
        model=fusion.recipe.model_name if fusion.recipe else "",
        status=fusion.status,
        reason=fusion.reason,
        steps=[step.told() for step in found.steps],
        fused_rows=len(found.ended.fused_rows),
        answered=replayer.answered,
        differences=found.differences,
    )


async def replay_all(run: Run) -> ReplayAllFindings:
    """Replay every fusion of a run and count; the first that misses a call ends it."""
    with run.open_ledger(read_only=True) as ledger:
        replayer = Replayer(run, ledger)
        fusions, fused_rows, differences = await replayer.all()
    return ReplayAllFindings(
        fusions=fusions, fused_rows=fused_rows, answered=replayer.answered, differences=differences
    )


class Replayer:
    """Replays the fusions of a run, each as its recipe says, without a model.

    With a saver every superstep of a fusion is kept in its thread, whatever was kept of it before.
    """

    def __init__(self, run: Run, ledger: Ledger, saver: BaseCheckpointSaver[Any] | None = None) -> None:
        self.answered = 0
        """Calls that the ledger has answered so far."""
        self._run = run
        self._ledger = ledger
        self._saver = saver

    async def replay(self, fusion_id: str) -> Replay:
        """Run one fusion again.

        Raises UsageError for an unknown fusion and ReplayMiss where the ledger lacks a call.
        """
        fusion, rows = stored_records(self._run, fusion_id)
        recipe = recipe_of_stored(self._run, fusion)
        steps: list[Step] = []
        claim = _claim_of(self._run, fusion_id, recipe)
        if claim.left.turns and claim.right.turns:
            again = await self._run_again(claim, recipe, steps)
        else:
            again = failed_fusion(claim, OPERAND_MISSING, recipe)
        before = Ended(fusion, rows, run_sources(self._run, rows))
        return Replay(steps, again, list(_differences(before, again)))

    async def all(self) -> tuple[int, int, list[str]]:
        """Replay every fusion: how many there are, how many rows they fused, and what differs in any."""
        ids = self._run.store.fusions.ids()
        fused_rows, differences = 0, list[str]()
        with self._run.progress.task("replaying fusions", len(ids)) as done:

            async def one(fusion_id: str) -> None:
                nonlocal fused_rows
                found = await self.replay(fusion_id)
                fused_rows += len(found.ended.fused_rows)
                differences.extend(found.differences)
                done(1)

            await for_each(ids, one, workers=self._run.settings.of(Asking).items_at_work)
        return len(ids), fused_rows, sorted(differences)

    async def _run_again(self, claim: Claim, recipe: Recipe, steps: list[Step]) -> Ended:
        chat = OfflineChat(self._ledger, recipe.model)
        settings = settings_of_recipe(recipe)
        graph = fusion_graph(model_of(recipe, chat), recipe.ablate).compile(
            checkpointer=self._saver, name="fusion"
        )
        fusion_id = claim.pair.id
        thread = thread_id(fusion_id)
        config = RunnableConfig(recursion_limit=settings.recursion_limit, configurable={"thread_id": thread})
        if self._saver is not None:
            await self._saver.adelete_thread(thread)
        given = FusionInput(
            fusion_id=fusion_id, left=to_json(claim.left.turns), right=to_json(claim.right.turns)
        )
        try:
            ended = await run_traced(graph, given, config, settings, steps)
        except ReplayMiss as miss:
            message = f"fusion {fusion_id}: {miss.message}"
            raise ReplayMiss(message, _REMEDY, operator=miss.operator, key=miss.key) from miss
        except ModelError as error:
            return failed_fusion(claim, f"{type(error).__name__}: {error}", recipe)
        finally:
            self.answered += chat.counts.answered
        asked = asked_of(claim.left.turns, claim.right.turns, recipe)
        return ended_records(claim, cast(FusionState, ended), asked, recipe)


def model_of(recipe: Recipe, chat: OfflineChat) -> Model:
    """A model that renders and asks again as the recipe says."""
    return Model(chat=chat, profile=recipe.profile, max_beginnings=recipe.tries)


def settings_of_recipe(recipe: Recipe) -> FusionSettings:
    """The settings that a fusion was made with."""
    # a fusion of an earlier build drew between attempts of equal loss at once
    settings: Mapping[str, Any] = {"tie": "paper", **recipe.settings}
    return FusionSettings(**settings)


def stored_records(run: Run, fusion_id: str) -> tuple[Fusion, list[FusedRow]]:
    """The record of a fusion and those of its variants, as they are stored."""
    fusion = run.store.fusions.get(fusion_id)
    if fusion is None:
        message = f"{run.folder} has no fusion {fusion_id!r}"
        raise UsageError(message, f"see entp list fusions --run {run.folder}")
    return fusion, run.store.fused_rows.of(fusion_id)


def recipe_of_stored(run: Run, fusion: Fusion) -> Recipe:
    """How a stored fusion was made; RunFolderError where an earlier ENTP did not keep that."""
    if fusion.recipe is None:
        message = f"fusion {fusion.id} was made by an earlier ENTP that did not keep its recipe"
        raise RunFolderError(message, f"make it again with entp fuse --run {run.folder}")
    return fusion.recipe


def run_sources(run: Run, rows: list[FusedRow]) -> list[str]:
    """The rows of the pool that the variants of a fusion were made from."""
    return run.store.fused_rows.sources_of(rows[0].id) if rows else []


def _claim_of(run: Run, fusion_id: str, recipe: Recipe) -> Claim:
    """What a planned fusion starts from."""
    pair = run.store.pairs.get(fusion_id)
    if pair is None:
        message = f"fusion {fusion_id} belongs to a pair that is no longer planned"
        raise RunFolderError(message, f"bring it up to date with entp fuse --run {run.folder}")
    left, right = (side_of(run.store, operand) for operand in pair.operands)
    return Claim(pair, recipe.tries, left, right)


def _differences(before: Ended, again: Ended) -> Iterator[str]:
    """What is not byte for byte the same, a line each."""
    stored, derived = _by_name(before), _by_name(again)
    for wanted in stored | derived:
        one, other = stored.get(wanted, {}), derived.get(wanted, {})
        names = [
            name for name in one | other if canonical_json(one.get(name)) != canonical_json(other.get(name))
        ]
        if names:
            yield f"{wanted}: {', '.join(names)} came out different"


def _by_name(ended: Ended) -> dict[str, JsonObject]:
    """The records of a fusion as JSON, each with its sources."""
    fusion: JsonObject = ended.fusion.model_dump(mode="json")
    rows = {
        row.id: {**row.model_dump(mode="json"), "made_from": list(ended.sources)} for row in ended.fused_rows
    }
    return {f"fusion {ended.fusion.id}": fusion, **rows}
