"""Prune: make a run folder smaller by what it can do without."""

from __future__ import annotations

from pathlib import Path

from ...checkpoints.sqlite.ledger_schema import LEDGER
from ...checkpoints.sqlite.migrations import compact
from ...checkpoints.sqlite.run_schema import RUN
from ...checkpoints.sqlite.run_store import Record
from ...checkpoints.sqlite.saver import LAYOUT, thread_id
from ...checkpoints.sqlite.threads import Keep, Pruned, prune_threads
from ..run.run_folder import Run


def prune(run: Run, keep: Keep | None = None, *, dry_run: bool = False) -> Record:
    """Take out checkpoints down to `keep` (else the run's setting) and files of vectors that no row uses.

    What is kept of the ledger's calls and of the results does not change; the databases of the folder give
    free pages back to the disk. With `dry_run` nothing changes and the sizes after it are not known.
    """
    before = _sizes(run.folder)
    keep = keep or run.settings.keep_checkpoints
    checkpoints = run.folder / LAYOUT.file
    pruned = Pruned(0, 0)
    if checkpoints.exists():
        pruned = prune_threads(
            checkpoints,
            keep,
            fusions=_threads_of(run, "fusions"),
            forks=_threads_of(run, "forks"),
            dry_run=dry_run,
        )
    unused = _unused_embeddings(run)
    if not dry_run:
        for path in unused:
            path.unlink()
        for layout in (RUN, LEDGER, LAYOUT):
            if (run.folder / layout.file).exists():
                compact(run.folder / layout.file, layout)
    after = _sizes(run.folder)
    files = {
        name: {"before": size, "after": None if dry_run else after.get(name, 0)}
        for name, size in sorted(before.items())
    }
    return {
        "run": str(run.folder),
        "dry_run": dry_run,
        "keep_checkpoints": keep,
        "removed": {**pruned._asdict(), "embeddings": [path.name for path in unused]},
        "files": files,
    }


def _threads_of(run: Run, table: str) -> list[str]:
    return [thread_id(record["id"]) for record in run.store.query(f"SELECT id FROM [{table}]")]


def _unused_embeddings(run: Run) -> list[Path]:
    """Files of vectors in an order that the rows no longer have; none while the embed stage is unfinished."""
    mark = run.store.mark("embed")
    if mark is None:
        return []
    used = {record["file"] for record in run.store.query("SELECT DISTINCT file FROM embedded")}
    used.add(mark.report["file"])
    return sorted(path for path in run.folder.glob("embeddings-*.npy") if path.name not in used)


def _sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
