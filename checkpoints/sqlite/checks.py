"""What run.db can tell about itself: a hash of what its tables hold, damage, entries that point nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from ...records.errors import RunFolderError
from ...records.listings import Orphan
from ..store import TableName
from .run_file import RunFile

_KEYS: Mapping[TableName, str] = {
    "rows": "id",
    "rejected_rows": "file, line",
    "ratings": "row_id",
    "audits": "row_id",
    "embedded": "position",
    "scores": "row_id",
    "clusters": "row_id",
    "pairs": "id",
    "fusions": "id",
    "fused_rows": "id",
    "lineage": "fused_id, row_id",
    "datasets": "name, position",
    "exports": "path",
}
_NO_ROW = "row_id NOT IN (SELECT id FROM rows)"
_NO_OPERAND = (
    "({side}_kind = 'row' AND {side}_id NOT IN (SELECT id FROM rows)) "
    "OR ({side}_kind = 'fusion' AND {side}_id NOT IN (SELECT id FROM pairs))"
)
# by table: the column of the id, the condition of an orphan, and what is wrong with it
_ORPHANS: Mapping[TableName, Sequence[tuple[str, str, str]]] = {
    "ratings": [("row_id", _NO_ROW, "rating of a row that is not there")],
    "audits": [("row_id", _NO_ROW, "second rating of a row that is not there")],
    "scores": [("row_id", _NO_ROW, "score of a row that is not there")],
    "clusters": [("row_id", _NO_ROW, "cluster of a row that is not there")],
    "pairs": [
        ("id", _NO_OPERAND.format(side="left"), "pair whose left side is not there"),
        ("id", _NO_OPERAND.format(side="right"), "pair whose right side is not there"),
    ],
    "fusions": [
        ("id", "id NOT IN (SELECT id FROM pairs)", "fusion of a pair that is not planned"),
        (
            "id",
            # in SQL, NULL is not in a table without records
            "carried IS NOT NULL AND carried NOT IN (SELECT id FROM fused_rows)",
            "fusion whose carried row is not there",
        ),
    ],
    "fused_rows": [
        ("id", "fusion_id NOT IN (SELECT id FROM fusions)", "fused row of a fusion that is not there"),
        (
            "id",
            "status = 'fused' AND id NOT IN (SELECT fused_id FROM lineage)",
            "fused row without its sources",
        ),
    ],
    "lineage": [
        ("fused_id", _NO_ROW, "fused row made from a row that is not there"),
        (
            "fused_id",
            "fused_id NOT IN (SELECT id FROM fused_rows)",
            "source of a fused row that is not there",
        ),
    ],
    "datasets": [
        (
            "id",
            "id NOT IN (SELECT id FROM rows) AND id NOT IN (SELECT id FROM fused_rows)",
            "row of a data set that is not there",
        )
    ],
}


def digest(file: RunFile, tables: Sequence[TableName]) -> str:
    """SHA-256 (hex) over every column of every record as it is stored, in the order of keys."""
    hashed = sha256()
    for table in tables:
        select = f"SELECT * FROM {table}"
        hashed.update(_marked([table, *file.header(f"{select} LIMIT 0")]))
        for values in file.read(f"{select} ORDER BY {_KEYS[table]}"):
            hashed.update(_marked(values))
        hashed.update(b"end of table\n")
    return hashed.hexdigest()


def damage(file: RunFile) -> Iterator[str]:
    """What SQLite itself finds wrong with its file, a line each."""
    try:
        for (found,) in file.read("PRAGMA integrity_check"):
            if found != "ok":
                yield f"{file.path}: {found}"
        for table, _, parent, _ in file.read("PRAGMA foreign_key_check"):
            yield f"{file.path}: {table} refers to a record of {parent} that is not there"
    except RunFolderError as error:
        yield error.message


def orphans(file: RunFile, tables: Sequence[TableName]) -> Iterator[Orphan]:
    """Entries of these tables that point to what is not there."""
    for table in tables:
        for column, condition, what in _ORPHANS.get(table, ()):
            sql = f"SELECT {column} FROM {table} WHERE {condition} ORDER BY {column}"
            for (key,) in file.read(sql):
                yield Orphan(table, str(key), what)


def _marked(values: Sequence[Any]) -> bytes:
    """Values with their types and lengths, so that no two lists of them give the same bytes."""
    parts = [f"{len(values)}".encode()]
    for value in values:
        octets = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
        parts.append(b"%s %d " % (type(value).__name__.encode(), len(octets)))
        parts.append(octets)
    return b"".join(parts)
