"""Verify: prove that what a run folder holds is whole and fits together. Nothing in it is executed."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ..checkpoints.ledger import LAYOUT, Ledger
from ..records.conversation import from_json
from ..records.rows import content_hash
from .embed import embeddings_exist
from .order import STAGES
from .run_folder import Run
from .status import books_of

# what points to nothing, and a query that finds it
_ORPHANS = {
    "rating of a row that is not there": "SELECT row_id AS id FROM ratings "
    "WHERE row_id NOT IN (SELECT id FROM rows)",
    "score of a row that is not there": "SELECT row_id AS id FROM scores "
    "WHERE row_id NOT IN (SELECT id FROM rows)",
    "cluster of a row that is not there": "SELECT row_id AS id FROM clusters "
    "WHERE row_id NOT IN (SELECT id FROM rows)",
    "fusion of a pair that is not planned": "SELECT id FROM fusions WHERE id NOT IN (SELECT id FROM pairs)",
    "fused row without its sources": "SELECT id FROM fused_rows WHERE status = 'fused' "
    "AND id NOT IN (SELECT fused_id FROM lineage)",
    "fused row made from a row that is not there": "SELECT fused_id AS id FROM lineage "
    "WHERE row_id NOT IN (SELECT id FROM rows)",
    "blended row that is not there": "SELECT id FROM blend WHERE id NOT IN (SELECT id FROM rows) "
    "AND id NOT IN (SELECT id FROM fused_rows)",
}


def verify(run: Run) -> list[str]:
    """Everything that is wrong with a run folder, a line each; an empty list means that it is sound.

    SQLite checks its files, every row's and every call's hash is derived anew, nothing may point to what is
    not there, and the books of every stage must balance.
    """
    return list(_problems(run))


def _problems(run: Run) -> Iterator[str]:
    for record in run.store.query("PRAGMA integrity_check"):
        if record["integrity_check"] != "ok":
            yield f"run.db: {record['integrity_check']}"
    for record in run.store.query("PRAGMA foreign_key_check"):
        yield f"run.db: {record['table']} refers to a record of {record['parent']} that is not there"
    for record in run.store.query("SELECT id, turns, content FROM rows"):
        if content_hash(from_json(json.loads(record["turns"]))) != record["content"]:
            yield f"row {record['id']}: its hash does not fit its text"
    for what, sql in _ORPHANS.items():
        for record in run.store.query(sql):
            yield f"{record['id']}: {what}"
    for stage in STAGES:
        books = books_of(run, stage)
        if not books.balanced:
            yield f"{stage.name}: the books do not balance: {books.model_dump_json()}"
    if run.store.mark("embed") and not embeddings_exist(run):
        yield "the file of embeddings is gone: run entp embed"
    if (run.folder / LAYOUT.file).exists():
        with Ledger(run.folder / LAYOUT.file) as ledger:
            yield from (f"{LAYOUT.file}: {problem}" for problem in ledger.verify())
