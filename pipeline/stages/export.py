"""Export: write the blended training set as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path
from typing import Any

from ...checkpoints.sqlite.run_store import Record
from ...formats.export import ExportRow, write_rows
from ...records.books import Books
from ...records.conversation import from_json
from ...records.errors import PoolError
from ..run.run_folder import Run
from ..run.stage import Result

DEFAULT_FILE = "blend.jsonl"


def target(run: Run) -> Path:
    """Where the training set goes: as set, else into the run folder."""
    return Path(run.settings.out) if run.settings.out else run.folder / DEFAULT_FILE


def target_exists(run: Run) -> bool:
    """Whether the exported file is still there; a removed one is written again."""
    return target(run).exists()


def sha256_of(path: Path) -> str:
    """The SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


async def export(run: Run) -> Result:
    """Write the blend; raises PoolError rather than overwrite a file that this run has not written."""
    path = target(run)
    with _claimed(run, path) as own, run.progress.task(f"writing {path}", None):
        written = write_rows(path, _rows(run), form=run.settings.form, overwrite=own)
    refused = len(written.refused)
    books = Books(
        inputs=written.written + refused,
        outputs=written.written,
        rejected={f"does not fit the {run.settings.form} form": refused} if refused else {},
    )
    report: dict[str, Any] = {
        "file": str(path),
        "form": run.settings.form,
        "rows": written.written,
        "bytes": path.stat().st_size,
        "sha256": sha256_of(path),
        "refused": [row._asdict() for row in written.refused[:20]],
    }
    return Result(books, report)


@contextmanager
def _claimed(run: Run, path: Path) -> Iterator[bool]:
    """Whether a file is this run's to write; one that is not there becomes so, unless the block fails.

    That is noted before the file appears: a run that is killed after it has appeared knows it again.
    """
    name = str(path.resolve())
    if not path.exists():
        run.store.insert("exports", [{"path": name}])
    try:
        yield run.store.one("SELECT 1 FROM exports WHERE path = ?", name) is not None
    except PoolError:
        if not path.exists():
            run.store.remove("exports", "path", name)
        raise


def _rows(run: Run) -> Iterator[ExportRow]:
    for record in run.store.query("SELECT kind, id FROM blend ORDER BY position"):
        yield _pool_row(run, record["id"]) if record["kind"] == "HQ" else _fused_row(run, record)


def _pool_row(run: Run, row_id: str) -> ExportRow:
    row = run.store.one("SELECT * FROM rows JOIN scores ON row_id = id WHERE id = ?", row_id) or {}
    return ExportRow(
        id=row_id,
        turns=from_json(json.loads(row["turns"])),
        metadata={"kind": "HQ", "source": row["source"], "score": row["corrected"]},
    )


def _fused_row(run: Run, entry: Record) -> ExportRow:
    row = run.store.one("SELECT * FROM fused_rows WHERE id = ?", entry["id"]) or {}
    made_from = run.store.query("SELECT row_id FROM lineage WHERE fused_id = ? ORDER BY row_id", entry["id"])
    return ExportRow(
        id=entry["id"],
        turns=from_json(json.loads(row["turns"])),
        metadata={
            "kind": entry["kind"],
            "strategy": row["strategy"],
            "loss": row["loss"],
            "model": row["model"],
            "made_from": [record["row_id"] for record in made_from],
        },
    )
