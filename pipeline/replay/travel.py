"""From a fusion of a run to a fork of it: the original rebuilt, the model opened, the outcomes compared."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from ...checkpoints import open_saver
from ...checkpoints.recorded_chat import Counts, OfflineChat
from ...records.conversation import to_json
from ...records.fusions import Fork, FusedRow, Recipe
from ...records.stored import JsonObject, Stored
from ..run.run_folder import Run
from ..run.wiring import OpenModel, open_model
from ..stages.spending import Spent
from .changes import changed_turns
from .fork import Changes, ForkedRun, Point, fork
from .replay import Replayer, model_of, recipe_of_stored, settings_of_recipe, stored_records
from .trace import Step


class Comparison(Stored):
    """How a variant ended when it was run on from a point, beside how it had ended."""

    fork: Fork
    original: FusedRow
    kept: bool
    spent: Spent
    changes_of_text: list[str]
    steps: list[JsonObject]


async def rebuilt_steps(run: Run, fusion_id: str) -> list[Step]:
    """The steps of a fusion, from the ledger alone."""
    with run.open_ledger(read_only=True) as ledger:
        return (await Replayer(run, ledger).replay(fusion_id)).steps


async def run_on(run: Run, fusion_id: str, point: Point, changes: Changes, *, live: bool) -> Comparison:
    """Run a variant on from a point and compare how it ends with how it ended.

    Without `live` only the ledger is asked. What was changed or asked live is kept as a fork of the run, for
    which the run must be open for work.
    """
    fusion, rows = stored_records(run, fusion_id)
    recipe = recipe_of_stored(run, fusion)
    steps = await rebuilt_steps(run, fusion_id)
    keep = live or changes != Changes()
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(_model(run, recipe, changes.model, live=live))
        saver: BaseCheckpointSaver[Any] = InMemorySaver()
        if keep:
            saver = await stack.enter_async_context(open_saver(run.checkpoints))
        settings = settings_of_recipe(recipe)
        ended = await fork(steps, point, changes, opened.model, settings, saver, recipe.ablate)
    if keep:
        run.store.forks.put([ended.record])
    return _compared(rows[point.variant], ended, opened.counts, kept=keep)


@asynccontextmanager
async def _model(run: Run, recipe: Recipe, name: str | None, *, live: bool) -> AsyncIterator[OpenModel]:
    """The model named, else the run's where it is asked live, and the fusion's own where not."""
    named = {"model": name} if name else {}
    if live:
        async with open_model(replace(run, settings=run.settings.changed(named)), "fork") as opened:
            yield opened
        return
    with run.open_ledger(read_only=True) as ledger:
        identity = recipe.model | named
        chat = OfflineChat(ledger, identity)
        yield OpenModel(model_of(recipe, chat), chat.counts)


def _compared(original: FusedRow, ended: ForkedRun, counts: Counts, *, kept: bool) -> Comparison:
    return Comparison(
        fork=ended.record,
        original=original,
        kept=kept,
        spent=Spent(**vars(counts)),
        changes_of_text=changed_turns(to_json(original.turns), to_json(ended.record.turns)),
        steps=[step.told() for step in ended.steps],
    )
