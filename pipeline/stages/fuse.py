"""Fuse: run the fusion graph over the planned pairs (Section 3.3, Algorithm 2)."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from contextvars import Context
from typing import cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Durability

from ...checkpoints.sqlite.run_store import Record
from ...checkpoints.sqlite.saver import open_saver, thread_id
from ...graph.cluster_fusion import (
    ClusterState,
    Operand,
    PlannedFusion,
    cluster_fusion_graph,
    steps_of_a_cluster,
)
from ...graph.fusion import fusion_graph
from ...graph.state import FusionInput, FusionSettings, FusionState, TurnJson
from ...nodes.ask import Model
from ...records.books import Books
from ..run.crowd import for_each
from ..run.run_folder import CHECKPOINTS_FILE, Run
from ..run.stage import Result
from ..run.wiring import open_model
from .fused import asked_of, failed_fusion, fused_records, overrides, recipe_of
from .planned import chosen_pairs, fusion_settings
from .rate import by_kind, first_of_each_kind

VARIANTS = 3
# when LangGraph saves checkpoints: after every superstep, or once at the end
_DURABILITY: dict[str, Durability] = {"all": "async", "last": "exit"}
SIDES = ("left", "right")
BEYOND = "beyond --pairs"


async def fuse(run: Run) -> Result:
    """Fill `fusions`, `fused_rows` and `lineage`, each fusion in one transaction.

    A fusion whose operands, settings and templates have not changed is kept as it is; any other is run, its
    calls answered from the ledger where they have been made before.
    """
    pairs = chosen_pairs(run)
    ids = {pair["id"] for pair in pairs}
    with run.store.transaction():
        stale = [(row["id"],) for row in run.store.query("SELECT id FROM fusions") if row["id"] not in ids]
        run.store.db.conn.executemany("DELETE FROM fusions WHERE id = ?", stale)
    spent: dict[str, int] = {}
    if pairs:
        async with open_model(run) as opened:
            await _Fusing(run, opened.model).all(pairs)
            spent = vars(opened.counts)
    return _result(run, pairs, spent)


class _Fusing:
    """The fusions of one run: clusters and inter pairs in flight together."""

    def __init__(self, run: Run, model: Model) -> None:
        self._run = run
        self._model = model
        self._settings = fusion_settings(run)
        self._recipe = recipe_of(model, self._settings)
        self._saver: AsyncSqliteSaver | None = None
        self._cluster = cluster_fusion_graph(self._fuse).compile(name="cluster_fusion")

    async def all(self, pairs: list[Record]) -> None:
        self._pairs = {pair["id"]: pair for pair in pairs}
        keep = self._run.settings.keep_checkpoints
        checkpoints = self._run.folder / CHECKPOINTS_FILE
        async with AsyncExitStack() as stack:
            # what a fusion left before has to go even where it leaves nothing now
            if keep != "none" or checkpoints.exists():
                self._saver = await stack.enter_async_context(open_saver(checkpoints))
            keeper = None if keep == "none" else self._saver
            self._fusion = fusion_graph(self._model).compile(checkpointer=keeper, name="fusion")
            with self._run.progress.task("fusing pairs", len(pairs)) as self._done:
                await for_each(_groups(pairs), self._fold, workers=self._run.settings.concurrency)

    async def _fold(self, group: list[Record]) -> None:
        """Merge one cluster into one corpus, or the two rows of an inter pair."""
        state = await self._cluster.ainvoke(
            ClusterState(rows=self._texts(group), plan=[_planned(pair) for pair in group]),
            {"recursion_limit": steps_of_a_cluster(len(group))},
            context=self._settings,
        )
        for fusion_id, reason in state["failed"].items():
            self._store(failed_fusion(fusion_id, reason, self._recipe), [])
            self._done(1)

    async def _fuse(
        self, state: FusionInput, config: RunnableConfig, /, *, context: FusionSettings
    ) -> FusionState:
        """One fusion: the one at hand where nothing that shapes it has changed, else run and stored."""
        asked = asked_of(state, self._recipe)
        kept = self._kept(state["fusion_id"], asked)
        if kept is not None:
            self._done(1)
            return kept
        # a task of its own, since within the cluster's the thread would be taken for a part of the cluster's
        ended = await asyncio.create_task(self._invoke(state, config), context=Context())
        fusion, rows = fused_records(ended, asked, self._recipe)
        self._store(fusion, rows, sorted(self._sources(state["fusion_id"])))
        self._done(1)
        return ended

    async def _invoke(self, state: FusionInput, config: RunnableConfig) -> FusionState:
        thread = thread_id(state["fusion_id"])
        # the ledger answers what was asked before, so an unfinished thread is begun anew, not resumed
        if self._saver is not None:
            await self._saver.adelete_thread(thread)
        ended = await self._fusion.ainvoke(
            state,
            {**config, "configurable": {"thread_id": thread}},
            context=self._settings,
            durability=_DURABILITY.get(self._run.settings.keep_checkpoints),
        )
        return cast(FusionState, ended)

    def _kept(self, fusion_id: str, asked: str) -> FusionState | None:
        """A finished fusion without a failed variant, asked for in the same way."""
        known = self._run.store.one(
            "SELECT carried.turns FROM fusions JOIN fused_rows AS carried ON carried.id = carried "
            "WHERE fusions.id = ? AND asked = ? AND NOT EXISTS "
            "(SELECT 1 FROM fused_rows WHERE fusion_id = fusions.id AND status = 'failed')",
            fusion_id,
            asked,
        )
        return FusionState(corpus=json.loads(known["turns"])) if known else None

    def _texts(self, group: list[Record]) -> dict[str, list[TurnJson]]:
        wanted = [pair[f"{side}_id"] for pair in group for side in SIDES if pair[f"{side}_kind"] == "row"]
        sql = "SELECT id, turns FROM rows WHERE id IN (SELECT value FROM json_each(?))"
        return {row["id"]: json.loads(row["turns"]) for row in self._run.store.query(sql, json.dumps(wanted))}

    def _sources(self, fusion_id: str) -> set[str]:
        """The rows of the pool that a fusion is made from, through all earlier fusions."""
        rows: set[str] = set()
        for side in SIDES:
            operand = self._pairs[fusion_id][f"{side}_id"]
            from_row = self._pairs[fusion_id][f"{side}_kind"] == "row"
            rows |= {operand} if from_row else self._sources(operand)
        return rows

    def _store(self, fusion: Record, rows: list[Record], sources: list[str] | None = None) -> None:
        with self._run.store.transaction():
            self._run.store.insert("fusions", [fusion])
            self._run.store.insert("fused_rows", rows)
            self._run.store.insert(
                "lineage",
                [{"fused_id": row["id"], "row_id": source} for row in rows for source in sources or ()],
            )


def _groups(pairs: list[Record]) -> list[list[Record]]:
    """The pairs of each cluster together, in the order of their plan; every inter pair by itself."""
    groups: dict[object, list[Record]] = {}
    for pair in pairs:
        groups.setdefault(pair["id"] if pair["cluster"] is None else pair["cluster"], []).append(pair)
    return list(groups.values())


def _planned(pair: Record) -> PlannedFusion:
    left, right = (Operand(kind=pair[f"{side}_kind"], id=pair[f"{side}_id"]) for side in SIDES)
    return PlannedFusion(fusion_id=pair["id"], left=left, right=right)


def _result(run: Run, pairs: list[Record], spent: dict[str, int]) -> Result:
    planned = run.store.count("pairs")
    outputs = run.store.count("fused_rows", "status = 'fused'")
    failed = _reasons(run, "fused_rows")
    for reason in _reasons(run, "fusions"):
        failed += [reason] * VARIANTS
    beyond = VARIANTS * (planned - len(pairs))
    books = Books(
        unit="variants",
        inputs=VARIANTS * planned,
        outputs=outputs,
        rejected={BEYOND: beyond} if beyond else {},
        failed=by_kind(failed),
    )
    losses = run.store.query(
        "SELECT loss, count(*) AS n FROM fused_rows WHERE status = 'fused' GROUP BY loss ORDER BY loss"
    )
    report = {
        "pairs": len(pairs),
        "fused_rows": outputs,
        "losses": {str(record["loss"]): record["n"] for record in losses},
        "why": first_of_each_kind(failed),
        "spent": spent,
        "overrides": overrides(run),
    }
    return Result(books, report)


def _reasons(run: Run, table: str) -> list[str]:
    found = run.store.query(f"SELECT reason FROM {table} WHERE status = 'failed' ORDER BY id")
    return [record["reason"] for record in found]
