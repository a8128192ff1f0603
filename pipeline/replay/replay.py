"""Replay: run a fusion again from the ledger alone, and prove that it comes out as it is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from ...checkpoints.recorded_chat import OfflineChat
from ...checkpoints.sqlite.ledger import Ledger
from ...checkpoints.sqlite.run_store import Record
from ...checkpoints.sqlite.saver import open_saver, thread_id
from ...graph.cluster_fusion import OPERAND_MISSING
from ...graph.fusion import fusion_graph
from ...graph.state import FusionInput, FusionSettings, FusionState, TurnJson
from ...nodes.ask import Model
from ...records.errors import ModelError, ReplayMiss, RunFolderError, UsageError
from ...records.rows import canonical_json
from ..run.crowd import for_each
from ..run.run_folder import CHECKPOINTS_FILE, Run, ledger_path
from ..stages.fused import asked_of, failed_fusion, fused_records
from .trace import Step, run_traced

_REMEDY = (
    "templates, rows or ledger have changed since it was made: undo that, or fuse it anew with entp fuse"
)
_JSON = ("recipe", "domains", "strategies", "calls", "turns", "templates", "attempts")


@dataclass(frozen=True)
class Replay:
    """A fusion as it came out again: its steps, its records, and what differs from those that are stored."""

    fusion_id: str
    steps: list[Step]
    fusion: Record
    fused_rows: list[Record]
    differences: list[str]


async def replay(run: Run, fusion_id: str, *, keep_history: bool = False) -> Record:
    """Replay one fusion and tell its steps; `keep_history` puts its supersteps into its thread for Studio."""
    async with AsyncExitStack() as stack:
        ledger = stack.enter_context(Ledger(ledger_path(run)))
        saver = None
        if keep_history:
            saver = await stack.enter_async_context(open_saver(run.folder / CHECKPOINTS_FILE))
        replayer = Replayer(run, ledger, saver)
        found = await replayer.replay(fusion_id)
    return {
        "fusion": fusion_id,
        "model": found.fusion["recipe"]["model"]["model"],
        "status": found.fusion["status"],
        "reason": found.fusion["reason"],
        "steps": [step.told() for step in found.steps],
        "fused_rows": len(found.fused_rows),
        "answered": replayer.answered,
        "differences": found.differences,
    }


async def replay_all(run: Run) -> Record:
    """Replay every fusion of a run and count; the first that misses a call ends it."""
    with Ledger(ledger_path(run)) as ledger:
        replayer = Replayer(run, ledger)
        fusions, fused_rows, differences = await replayer.all()
    return {
        "fusions": fusions,
        "fused_rows": fused_rows,
        "answered": replayer.answered,
        "differences": differences,
    }


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
        recipe = fusion["recipe"]
        if not recipe:
            message = f"fusion {fusion_id} was made by an ENTP that did not keep how"
            raise RunFolderError(message, f"make it anew with entp fuse --run {self._run.folder}")
        steps: list[Step] = []
        found = operands_of(self._run, fusion_id)
        if found is None:
            again = failed_fusion(fusion_id, OPERAND_MISSING, recipe), list[Record]()
        else:
            again = await self._run_again(found, recipe, steps)
        return Replay(fusion_id, steps, *again, list(_differences((fusion, rows), again)))

    async def all(self) -> tuple[int, int, list[str]]:
        """Replay every fusion: how many there are, how many rows they fused, and what differs in any."""
        ids = [record["id"] for record in self._run.store.query("SELECT id FROM fusions ORDER BY id")]
        fused_rows, differences = 0, list[str]()
        with self._run.progress.task("replaying fusions", len(ids)) as done:

            async def one(fusion_id: str) -> None:
                nonlocal fused_rows
                found = await self.replay(fusion_id)
                fused_rows += len(found.fused_rows)
                differences.extend(found.differences)
                done(1)

            await for_each(ids, one, workers=self._run.settings.concurrency)
        return len(ids), fused_rows, sorted(differences)

    async def _run_again(
        self, state: FusionInput, recipe: Record, steps: list[Step]
    ) -> tuple[Record, list[Record]]:
        chat = OfflineChat(self._ledger, recipe["model"])
        settings = FusionSettings(**recipe["settings"])
        graph = fusion_graph(model_of(recipe, chat)).compile(checkpointer=self._saver, name="fusion")
        thread = thread_id(state["fusion_id"])
        config = RunnableConfig(recursion_limit=settings.recursion_limit, configurable={"thread_id": thread})
        if self._saver is not None:
            await self._saver.adelete_thread(thread)
        try:
            ended = await run_traced(graph, state, config, settings, steps)
        except ReplayMiss as miss:
            message = f"fusion {state['fusion_id']}: {miss.message}"
            raise ReplayMiss(message, _REMEDY, operator=miss.operator, key=miss.key) from miss
        except ModelError as error:
            return failed_fusion(state["fusion_id"], f"{type(error).__name__}: {error}", recipe), []
        finally:
            self.answered += chat.counts.answered
        return fused_records(cast(FusionState, ended), asked_of(state, recipe), recipe)


def model_of(recipe: Record, chat: OfflineChat) -> Model:
    """A model that renders and re-asks as the recipe says."""
    return Model(chat=chat, profile=recipe["profile"], tries=recipe["tries"])


def stored_records(run: Run, fusion_id: str) -> tuple[Record, list[Record]]:
    """The record of a fusion and those of its variants, as they are stored."""
    fusion = run.store.one("SELECT * FROM fusions WHERE id = ?", fusion_id)
    if fusion is None:
        message = f"{run.folder} holds no fusion {fusion_id!r}"
        raise UsageError(message, f"see entp list fusions --run {run.folder}")
    rows = run.store.query("SELECT * FROM fused_rows WHERE fusion_id = ? ORDER BY variant", fusion_id)
    return _decoded(fusion), [_decoded(row) for row in rows]


def operands_of(run: Run, fusion_id: str) -> FusionInput | None:
    """What a planned fusion starts from; None where an operand is a fusion that has no fused row."""
    pair = run.store.one("SELECT * FROM pairs WHERE id = ?", fusion_id)
    if pair is None:
        message = f"fusion {fusion_id} is of a pair that is no longer planned"
        raise RunFolderError(message, f"bring it up to date with entp fuse --run {run.folder}")
    left, right = (_text(run, pair[f"{side}_kind"], pair[f"{side}_id"]) for side in ("left", "right"))
    return FusionInput(fusion_id=fusion_id, left=left, right=right) if left and right else None


def _text(run: Run, kind: str, wanted: str) -> list[TurnJson]:
    sql = "SELECT turns FROM rows WHERE id = ?"
    if kind == "fusion":
        sql = "SELECT turns FROM fused_rows JOIN fusions ON fused_rows.id = carried WHERE fusions.id = ?"
    found = run.store.one(sql, wanted)
    turns: list[TurnJson] = json.loads(found["turns"]) if found else []
    return turns


def _decoded(record: Record) -> Record:
    return {name: json.loads(value) if name in _JSON else value for name, value in record.items()}


def _differences(stored: tuple[Record, list[Record]], again: tuple[Record, list[Record]]) -> Iterator[str]:
    """What is not byte for byte the same, a line each."""
    before, after = (
        {f"fusion {fusion['id']}": fusion} | {r["id"]: r for r in rows} for fusion, rows in (stored, again)
    )
    for wanted in before | after:
        one, other = before.get(wanted, {}), after.get(wanted, {})
        names = [
            name for name in one | other if canonical_json(one.get(name)) != canonical_json(other.get(name))
        ]
        if names:
            yield f"{wanted}: {', '.join(names)} came out otherwise"
