"""Show: a row, a pair with its fusion, a fused row or a fork, with its lineage in both directions."""

from __future__ import annotations

import json
from typing import Any

from ...checkpoints.sqlite.run_store import Record
from ...records.errors import UsageError
from ..run.run_folder import Run

_JSON = {
    "turns",
    "pool_ratings",
    "criteria",
    "domains",
    "strategies",
    "calls",
    "templates",
    "attempts",
    "recipe",
    "changes",
}


def show(run: Run, wanted: str) -> dict[str, Any]:
    """All that the run knows about an id; an unknown one is a UsageError."""
    kinds = {"rows": _row, "pairs": _fusion, "fused_rows": _fused_row, "forks": _fork}
    for table, describe in kinds.items():
        if run.store.one(f"SELECT 1 FROM [{table}] WHERE id = ?", wanted):
            return describe(run, wanted)
    message = f"nothing in {run.folder} has the id {wanted!r}"
    raise UsageError(
        message, "give the id of a row, a pair, a fused row or a fork, as the listings print them"
    )


def _row(run: Run, row_id: str) -> dict[str, Any]:
    return {
        "kind": "row",
        "row": _first(run, "SELECT * FROM rows WHERE id = ?", row_id),
        "rating": _first(run, "SELECT * FROM ratings WHERE row_id = ?", row_id),
        "second_rating": _first(run, "SELECT * FROM audits WHERE row_id = ?", row_id),
        "score": _first(run, "SELECT * FROM scores WHERE row_id = ?", row_id),
        "cluster": _first(run, "SELECT * FROM clusters WHERE row_id = ?", row_id),
        "pairs": _all(
            run,
            "SELECT * FROM pairs WHERE (left_kind = 'row' AND left_id = ?1) "
            "OR (right_kind = 'row' AND right_id = ?1) ORDER BY position",
            row_id,
        ),
        "fused_rows": _all(
            run,
            "SELECT fused_rows.id, strategy, status, loss FROM fused_rows "
            "JOIN lineage ON fused_id = fused_rows.id WHERE row_id = ? ORDER BY fused_rows.id",
            row_id,
        ),
        "in_blend": _in_blend(run, row_id),
    }


def _fusion(run: Run, pair_id: str) -> dict[str, Any]:
    pair = _first(run, "SELECT * FROM pairs WHERE id = ?", pair_id) or {}
    return {
        "kind": "pair",
        "pair": pair,
        "operands": {
            side: _operand(run, pair[f"{side}_kind"], pair[f"{side}_id"]) for side in ("left", "right")
        },
        "fusion": _first(run, "SELECT * FROM fusions WHERE id = ?", pair_id),
        "fused_rows": _all(run, "SELECT * FROM fused_rows WHERE fusion_id = ? ORDER BY variant", pair_id),
        "forks": _all(
            run,
            "SELECT id, variant, cycle, attempt, changes, status, loss FROM forks WHERE fusion_id = ?",
            pair_id,
        ),
        "used_by": _all(
            run,
            "SELECT id, kind FROM pairs WHERE (left_kind = 'fusion' AND left_id = ?1) "
            "OR (right_kind = 'fusion' AND right_id = ?1)",
            pair_id,
        ),
    }


def _fused_row(run: Run, fused_id: str) -> dict[str, Any]:
    row = _first(run, "SELECT * FROM fused_rows WHERE id = ?", fused_id) or {}
    return {
        "kind": "fused_row",
        "fused_row": row,
        "made_from": _all(
            run,
            "SELECT rows.id, source, turns, score, corrected FROM lineage "
            "JOIN rows ON rows.id = lineage.row_id LEFT JOIN scores ON scores.row_id = rows.id "
            "WHERE fused_id = ? ORDER BY rows.position",
            fused_id,
        ),
        "used_by": _all(
            run,
            "SELECT pairs.id, kind FROM fusions JOIN pairs "
            "ON (left_kind = 'fusion' AND left_id = fusions.id) "
            "OR (right_kind = 'fusion' AND right_id = fusions.id) WHERE carried = ?",
            fused_id,
        ),
        "in_blend": _in_blend(run, fused_id),
    }


def _fork(run: Run, fork_id: str) -> dict[str, Any]:
    fork = _first(run, "SELECT * FROM forks WHERE id = ?", fork_id) or {}
    original = "SELECT * FROM fused_rows WHERE fusion_id = ? AND variant = ?"
    return {
        "kind": "fork",
        "fork": fork,
        "original": next(iter(_all(run, original, fork["fusion_id"], fork["variant"])), None),
    }


def _operand(run: Run, kind: str, operand_id: str) -> Record | None:
    if kind == "row":
        return _first(run, "SELECT id, source, turns FROM rows WHERE id = ?", operand_id)
    return _first(
        run,
        "SELECT fused_rows.id, strategy, turns FROM fusions JOIN fused_rows ON fused_rows.id = carried "
        "WHERE fusions.id = ?",
        operand_id,
    )


def _in_blend(run: Run, wanted: str) -> bool:
    return run.store.one("SELECT 1 FROM blend WHERE id = ?", wanted) is not None


def _first(run: Run, sql: str, wanted: str) -> Record | None:
    return next(iter(_all(run, sql, wanted)), None)


def _all(run: Run, sql: str, *wanted: str | int) -> list[Record]:
    return [
        {name: json.loads(value) if name in _JSON else value for name, value in record.items()}
        for record in run.store.query(sql, *wanted)
    ]
