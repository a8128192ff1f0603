"""Verify: prove that what a run folder holds is whole and fits together. Nothing in it is executed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import takewhile

from ...checkpoints.sqlite.ledger import Ledger
from ...checkpoints.sqlite.run_store import Record, StageMark
from ...records.conversation import from_json
from ...records.rows import content_hash
from ..run.run_folder import Run, ledger_path
from ..run.stage import Stage, outputs_of, state_of
from ..stages.embed import embeddings, embeddings_exist, written
from ..stages.export import sha256_of, target, target_exists
from ..stages.order import STAGES
from .status import books_of

# what points to nothing: the stage that wrote it, what it is, and a query that finds it
_ORPHANS = (
    ("rate", "rating of a row that is not there", "ratings", "row_id NOT IN (SELECT id FROM rows)"),
    ("score", "score of a row that is not there", "scores", "row_id NOT IN (SELECT id FROM rows)"),
    ("select", "cluster of a row that is not there", "clusters", "row_id NOT IN (SELECT id FROM rows)"),
    ("fuse", "fusion of a pair that is not planned", "fusions", "id NOT IN (SELECT id FROM pairs)"),
    (
        "fuse",
        "fused row without its sources",
        "fused_rows",
        "status = 'fused' AND id NOT IN (SELECT fused_id FROM lineage)",
    ),
    (
        "fuse",
        "fused row made from a row that is not there",
        "lineage",
        "row_id NOT IN (SELECT id FROM rows)",
    ),
    (
        "blend",
        "blended row that is not there",
        "blend",
        "id NOT IN (SELECT id FROM rows) AND id NOT IN (SELECT id FROM fused_rows)",
    ),
)
_IDS = {"ratings": "row_id", "scores": "row_id", "clusters": "row_id", "lineage": "fused_id"}


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
        if not _fits(record):
            yield f"row {record['id']}: its hash does not fit its text"
    # from the first stage on that has to run again, records may well point to what has been replaced since
    settled = [stage.name for stage in takewhile(lambda stage: state_of(run, stage) == "done", STAGES)]
    for writer, what, table, orphan in _ORPHANS:
        if writer in settled:
            for record in run.store.query(
                f"SELECT {_IDS.get(table, 'id')} AS id FROM {table} WHERE {orphan}"
            ):
                yield f"{record['id']}: {what}"
    for stage in STAGES:
        mark = run.store.mark(stage.name)
        if mark and not _as_left(run, stage, mark):
            yield f"{stage.name}: its records are not those that it left behind"
        books = books_of(run, stage)
        if not books.balanced:
            yield f"{stage.name}: the books do not balance: {books.model_dump_json()}"
    yield from _files(run)
    calls = ledger_path(run)
    if calls.exists():
        with Ledger(calls) as ledger:
            yield from (f"{calls.name}: {problem}" for problem in ledger.verify())


def _as_left(run: Run, stage: Stage, mark: StageMark) -> bool:
    """Whether the hash of a stage's records is the one in its mark."""
    try:
        return outputs_of(run, stage) == mark.outputs
    except (TypeError, ValueError):  # a value that no stage has written
        return False


def _files(run: Run) -> Iterator[str]:
    """What is wrong with the files that stages left beside the tables."""
    if run.store.mark("embed"):
        if not embeddings_exist(run):
            yield "the file of embeddings is gone: run entp embed"
        elif missing := int((~written(embeddings(run))).sum()):
            yield f"the file of embeddings holds no unit vector for {missing} rows: run entp embed without it"
    exported = run.store.mark("export")
    if exported and target_exists(run) and sha256_of(target(run)) != exported.report["sha256"]:
        yield f"{target(run)} is not as it was exported"


def _fits(row: Record) -> bool:
    """Whether a row's hash is that of its text."""
    try:
        return bool(content_hash(from_json(json.loads(row["turns"]))) == row["content"])
    except (ValueError, TypeError, KeyError, AttributeError):  # it is no conversation
        return False
