"""What a run in memory can tell about itself: a hash of what its tables hold, entries that point nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from pydantic import BaseModel

from ...records.hashing import canonical_json
from ...records.listings import Orphan
from ...records.pairs import Operand
from ..store import TableName
from .table import Access


def digest(access: Access, tables: Sequence[TableName]) -> str:
    """SHA-256 (hex) over every field of every record, in the order of keys."""
    hashed = sha256()
    for table in tables:
        for key, record in sorted(access.table(table).items()):
            values = record.model_dump(mode="json") if isinstance(record, BaseModel) else record
            line = canonical_json([table, key, values])
            hashed.update(line.encode("utf-8", "surrogatepass") + b"\n")
        hashed.update(f"end of {table}\n".encode())
    return hashed.hexdigest()


def orphans(access: Access, tables: Sequence[TableName]) -> Iterator[Orphan]:
    """Entries of these tables that point to what is not there."""
    for table in tables:
        for condition, what in _conditions(access).get(table, ()):
            found = [_id_of(record) for record in access.table(table).values() if condition(record)]
            yield from (Orphan(table, key, what) for key in sorted(found))


def _conditions(access: Access) -> Mapping[TableName, Sequence[tuple[Callable[[Any], bool], str]]]:
    """By table: when an entry points to nothing, and what is wrong with it."""
    rows, pairs, fusions, fused_rows = map(access.table, ("rows", "pairs", "fusions", "fused_rows"))
    fused = {fused_id for fused_id, _ in access.table("lineage").values()}

    def gone(operand: Operand) -> bool:
        return operand.id not in (rows if operand.kind == "row" else pairs)

    return {
        "ratings": [(lambda of: of.row_id not in rows, "rating of a row that is not there")],
        "audits": [(lambda of: of.row_id not in rows, "second rating of a row that is not there")],
        "scores": [(lambda of: of.row_id not in rows, "score of a row that is not there")],
        "clusters": [(lambda of: of.row_id not in rows, "cluster of a row that is not there")],
        "pairs": [
            (lambda pair: gone(pair.left), "pair whose left side is not there"),
            (lambda pair: gone(pair.right), "pair whose right side is not there"),
        ],
        "fusions": [
            (lambda fusion: fusion.id not in pairs, "fusion of a pair that is not planned"),
            (
                lambda fusion: fusion.carried is not None and fusion.carried not in fused_rows,
                "fusion whose carried row is not there",
            ),
        ],
        "fused_rows": [
            (lambda row: row.fusion_id not in fusions, "fused row of a fusion that is not there"),
            (lambda row: row.status == "fused" and row.id not in fused, "fused row without its sources"),
        ],
        "lineage": [
            (lambda source: source[1] not in rows, "fused row made from a row that is not there"),
            (lambda source: source[0] not in fused_rows, "source of a fused row that is not there"),
        ],
        "datasets": [
            (
                lambda member: member.id not in rows and member.id not in fused_rows,
                "row of a data set that is not there",
            )
        ],
    }


def _id_of(record: Any) -> str:
    if isinstance(record, tuple):
        return str(record[0])
    return str(record.row_id if hasattr(record, "row_id") else record.id)
