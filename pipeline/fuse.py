"""Fuse: run the fusion graph over the planned pairs (Section 3.3, Algorithm 2)."""

from __future__ import annotations

import asyncio
import json
from typing import cast

from ..checkpoints.run_store import Record
from ..checkpoints.saver import open_saver, thread_id
from ..graph.fusion import fusion_graph
from ..graph.state import FusionSettings, FusionState
from ..nodes.ask import Model
from ..prompts.render import templates_hash
from ..records.books import Books
from ..records.conversation import Conversation, from_json, to_json
from ..records.errors import ModelError
from ..records.rows import tagged_hash
from .crowd import for_each
from .fused import failed_fusion, fused_records
from .rate import by_kind
from .run_folder import CHECKPOINTS_FILE, Run
from .stages import Result, hash_of
from .wiring import open_model

VARIANTS = 3
BEYOND = "beyond --pairs"


async def fuse(run: Run) -> Result:
    """Fill `fusions`, `fused_rows` and `lineage`, one fusion at a time each in one transaction.

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


def chosen_pairs(run: Run) -> list[Record]:
    """The pairs to fuse, operands before what uses them.

    With `--pairs N` it is N of them, half of each kind where there are as many: those of two rows before
    those of earlier fusions, short texts first, so that a trial is cheap.
    """
    planned = list(
        run.store.query(
            "SELECT pairs.*, coalesce(length(l.turns), 0) + coalesce(length(r.turns), 0) AS characters "
            "FROM pairs LEFT JOIN rows AS l ON left_kind = 'row' AND l.id = left_id "
            "LEFT JOIN rows AS r ON right_kind = 'row' AND r.id = right_id ORDER BY depth, pairs.position"
        )
    )
    limit = run.settings.pairs
    if limit is None or limit >= len(planned):
        return planned
    planned.sort(key=lambda pair: (pair["depth"], pair["characters"]))
    intra, inter = ([pair for pair in planned if pair["kind"] == kind] for kind in ("intra", "inter"))
    few_inter = min(len(inter), max(limit // 2, limit - len(intra)))
    return intra[: limit - few_inter] + inter[:few_inter]


class _Fusing:
    """The fusions of one run, in flight together; a pair waits for the fusion that is its operand."""

    def __init__(self, run: Run, model: Model) -> None:
        self._run = run
        self._model = model
        self._settings = FusionSettings(
            seed=run.settings.seed,
            budget=run.settings.budget,
            temperature=run.settings.temperature,
            domain_temperature=run.settings.domain_temperature,
        )
        self._ended: dict[str, asyncio.Event] = {}

    async def all(self, pairs: list[Record]) -> None:
        self._ended = {pair["id"]: asyncio.Event() for pair in pairs}
        async with open_saver(self._run.folder / CHECKPOINTS_FILE) as saver:
            self._saver = saver
            self._graph = fusion_graph(self._model).compile(checkpointer=saver, name="fusion")
            with self._run.progress.task("fusing pairs", len(pairs)) as done:

                async def one(pair: Record) -> None:
                    await self._fuse(pair)
                    self._ended[pair["id"]].set()
                    done(1)

                await for_each(pairs, one, workers=self._run.settings.concurrency)

    async def _fuse(self, pair: Record) -> None:
        for side in ("left", "right"):
            if pair[f"{side}_kind"] == "fusion":
                await self._ended[pair[f"{side}_id"]].wait()
        operands = [self._operand(pair, side) for side in ("left", "right")]
        asked = self._asked(operands)
        known = self._run.store.one("SELECT asked, status FROM fusions WHERE id = ?", pair["id"])
        if known and known["asked"] == asked and known["status"] == "done" and not self._failures(pair["id"]):
            return
        left, right = operands
        if left is None or right is None:
            reason = "OperandMissing: the fusion that it builds on has no fused row"
            self._store(failed_fusion(pair["id"], asked, reason), [])
            return
        try:
            state = await self._invoke(pair["id"], left, right)
        except ModelError as error:
            if error.stops_run:
                raise
            self._store(failed_fusion(pair["id"], asked, f"{type(error).__name__}: {error}"), [])
            return
        fusion, rows = fused_records(state, asked, self._model.chat.identity["model"])
        self._store(fusion, rows, self._sources(pair))

    async def _invoke(self, fusion_id: str, left: Conversation, right: Conversation) -> FusionState:
        # the ledger answers what was asked before, so an unfinished thread is begun anew, not resumed
        await self._saver.adelete_thread(thread_id(fusion_id))
        state = await self._graph.ainvoke(
            FusionState(fusion_id=fusion_id, left=to_json(left), right=to_json(right)),
            {
                "configurable": {"thread_id": thread_id(fusion_id)},
                "recursion_limit": self._settings.recursion_limit,
            },
            context=self._settings,
            durability="exit",
        )
        return cast(FusionState, state)

    def _operand(self, pair: Record, side: str) -> Conversation | None:
        """The text of one side: a row's, or that of the fused row that an earlier fusion carries on."""
        if pair[f"{side}_kind"] == "row":
            sql = "SELECT turns FROM rows WHERE id = ?"
        else:
            sql = (
                "SELECT fused_rows.turns FROM fusions JOIN fused_rows ON fused_rows.id = carried "
                "WHERE fusions.id = ?"
            )
        found = self._run.store.one(sql, pair[f"{side}_id"])
        return from_json(json.loads(found["turns"])) if found else None

    def _sources(self, pair: Record) -> list[str]:
        """The rows of the pool that a fusion is made from, through all earlier fusions."""
        rows: set[str] = set()
        for side in ("left", "right"):
            if pair[f"{side}_kind"] == "row":
                rows.add(pair[f"{side}_id"])
            else:
                sql = "SELECT row_id FROM lineage JOIN fusions ON fused_id = carried WHERE fusions.id = ?"
                rows.update(record["row_id"] for record in self._run.store.query(sql, pair[f"{side}_id"]))
        return sorted(rows)

    def _asked(self, operands: list[Conversation | None]) -> str:
        return tagged_hash(
            "fusion",
            {
                "operands": [to_json(turns) if turns else None for turns in operands],
                "settings": vars(self._settings),
                "model": self._model.chat.identity,
                "templates": templates_hash(self._model.profile),
            },
        )

    def _failures(self, fusion_id: str) -> int:
        sql = "SELECT count(*) AS n FROM fused_rows WHERE fusion_id = ? AND status = 'failed'"
        found = self._run.store.one(sql, fusion_id)
        return int(found["n"]) if found else 0

    def _store(self, fusion: Record, rows: list[Record], sources: list[str] | None = None) -> None:
        with self._run.store.transaction():
            self._run.store.insert("fusions", [fusion])
            self._run.store.insert("fused_rows", rows)
            self._run.store.insert(
                "lineage",
                [{"fused_id": row["id"], "row_id": source} for row in rows for source in sources or ()],
            )


def _result(run: Run, pairs: list[Record], spent: dict[str, int]) -> Result:
    planned = run.store.count("pairs")
    outputs = run.store.count("fused_rows", "status = 'fused'")
    failed = [r["reason"] for r in run.store.query("SELECT reason FROM fused_rows WHERE status = 'failed'")]
    for record in run.store.query("SELECT reason FROM fusions WHERE status = 'failed'"):
        failed += [record["reason"]] * VARIANTS
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
        "spent": spent,
        "overrides": _overrides(run),
    }
    return Result(
        hash_of(run.store.query("SELECT id, status, turns FROM fused_rows ORDER BY id")), books, report
    )


def _overrides(run: Run) -> int:
    """How often a symbolic check overruled the model's word."""
    sql = "SELECT attempts FROM fused_rows"
    return sum(
        len(attempt["loss"]["overrides"])
        for record in run.store.query(sql)
        for attempt in json.loads(record["attempts"])
    )
