"""From a fusion of a run to a fork of it: the original rebuilt, the model opened, the outcomes compared."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from ...checkpoints.recorded_chat import Counts, OfflineChat
from ...checkpoints.sqlite.ledger import Ledger
from ...checkpoints.sqlite.run_store import Record
from ...checkpoints.sqlite.saver import open_saver
from ...graph.state import FusionSettings
from ..run.run_folder import CHECKPOINTS_FILE, Run, ledger_path
from ..run.wiring import OpenModel, open_model
from .changes import changed_turns
from .fork import Changes, Fork, Point, fork
from .replay import Replayer, model_of, stored_records
from .trace import Step


async def rebuilt_steps(run: Run, fusion_id: str) -> list[Step]:
    """The steps of a fusion, from the ledger alone."""
    with Ledger(ledger_path(run)) as ledger:
        return (await Replayer(run, ledger).replay(fusion_id)).steps


async def run_on(run: Run, fusion_id: str, point: Point, changes: Changes, *, live: bool) -> Record:
    """Run a variant on from a point and compare how it ends with how it ended.

    Without `live` only the ledger is asked. What was changed or asked live is kept as a fork of the run, for
    which the run must be open for work.
    """
    fusion, rows = stored_records(run, fusion_id)
    recipe = fusion["recipe"]
    steps = await rebuilt_steps(run, fusion_id)
    settings = FusionSettings(**recipe["settings"])
    keep = live or changes != Changes()
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(_model(run, recipe, changes.model, live=live))
        saver: BaseCheckpointSaver[Any] = InMemorySaver()
        if keep:
            saver = await stack.enter_async_context(open_saver(run.folder / CHECKPOINTS_FILE))
        ended = await fork(steps, point, changes, opened.model, settings, saver)
    if keep:
        run.store.insert("forks", [ended.record])
    return _compared(rows[point.variant], ended, opened.counts, kept=keep)


@asynccontextmanager
async def _model(run: Run, recipe: Record, name: str | None, *, live: bool) -> AsyncIterator[OpenModel]:
    """The model named, else the run's where it is asked live, and the fusion's own where not."""
    named = {"model": name} if name else {}
    if live:
        async with open_model(replace(run, settings=run.settings.changed(named))) as opened:
            yield opened
        return
    with Ledger(ledger_path(run)) as ledger:
        chat = OfflineChat(ledger, recipe["model"] | named)
        yield OpenModel(model_of(recipe, chat), chat.counts)


def _compared(original: Record, ended: Fork, counts: Counts, *, kept: bool) -> dict[str, Any]:
    record = ended.record
    return {
        "fork": record,
        "original": original,
        "kept": kept,
        "spent": vars(counts),
        "changes_of_text": changed_turns(original["turns"], record["turns"]),
        "steps": [step.told() for step in ended.steps],
    }
