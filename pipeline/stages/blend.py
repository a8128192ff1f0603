"""Blend: the high-quality rows and a seeded share of the fused ones make the training set."""

from __future__ import annotations

from collections import Counter

from ...checkpoints.sqlite.run_store import Record
from ...records.books import Books
from ...records.rows import tagged_hash
from ..run.run_folder import Run
from ..run.stage import Result


async def blend(run: Run) -> Result:
    """Fill `blend`: all HQ rows in the order of the pool, then the fused rows that take part."""
    high = [
        {"kind": "HQ", "id": record["id"]}
        for record in run.store.query(
            "SELECT id FROM rows JOIN scores ON row_id = id WHERE quality = 'HQ' ORDER BY position"
        )
    ]
    taken, left_out = _sample(run)
    chosen = [{"position": position, **entry} for position, entry in enumerate([*high, *taken])]
    with run.store.transaction():
        run.store.replace("blend", chosen)
    kinds = Counter(entry["kind"] for entry in chosen)
    books = Books(
        inputs=len(chosen) + left_out.total(), outputs=len(chosen), rejected=dict(sorted(left_out.items()))
    )
    report = {"HQ": kinds["HQ"], "intra": kinds["intra"], "inter": kinds["inter"]}
    return Result(books, report)


def _sample(run: Run) -> tuple[list[Record], Counter[str]]:
    """The fused rows that take part, and why the others do not."""
    settings = run.settings
    carried = {
        record["carried"]
        for record in run.store.query(
            "SELECT carried FROM fusions JOIN pairs ON 'fusion' IN (left_kind, right_kind) "
            "AND fusions.id IN (left_id, right_id) WHERE EXISTS "
            "(SELECT 1 FROM fused_rows WHERE fusion_id = pairs.id AND fused_rows.status = 'fused')"
        )
    }
    left_out: Counter[str] = Counter()
    candidates: list[Record] = []
    for record in run.store.query(
        "SELECT fused_rows.id, kind, loss FROM fused_rows JOIN pairs ON pairs.id = fusion_id "
        "WHERE status = 'fused' ORDER BY pairs.position, variant"
    ):
        if record["id"] in carried:
            left_out["carried into a later fusion"] += 1
        elif record["kind"] not in settings.blend_kinds:
            left_out[f"{record['kind']} rows not wanted"] += 1
        elif settings.max_loss is not None and record["loss"] > settings.max_loss:
            left_out["loss above --max-loss"] += 1
        else:
            candidates.append({"kind": record["kind"], "id": record["id"]})
    number = round(len(candidates) * settings.blend_percent / 100)
    drawn = sorted(candidates, key=lambda entry: tagged_hash("blend", [settings.seed, entry["id"]]))[:number]
    wanted = {entry["id"] for entry in drawn}
    if len(candidates) > number:
        left_out["not drawn"] += len(candidates) - number
    return [entry for entry in candidates if entry["id"] in wanted], left_out
