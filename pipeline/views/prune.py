"""Prune: make a run folder smaller by what it can do without."""

from __future__ import annotations

from pathlib import Path

from ...checkpoints import compact_folder, prune_checkpoints, thread_id
from ...records.stored import Stored
from ...records.vocabulary import KeepCheckpoints
from ..run.run_folder import Run
from ..run.settings import Places
from ..stages.embed import vectors_file


class FileSize(Stored):
    """The bytes of a file, and after pruning; None where nothing was changed."""

    before: int
    after: int | None


class Pruning(Stored):
    """What was taken out of a run folder, or would be."""

    run: str
    dry_run: bool
    keep_checkpoints: KeepCheckpoints
    threads: int
    checkpoints: int
    embeddings: list[str]
    files: dict[str, FileSize]


def prune(run: Run, keep: KeepCheckpoints | None = None, *, dry_run: bool = False) -> Pruning:
    """Take out checkpoints down to `keep` (else the run's setting) and files of vectors that no row uses.

    What is kept of the ledger's calls and of the results does not change; the databases of the folder give
    free pages back to the disk. With `dry_run` nothing changes and the sizes after it are not known.
    """
    before = _sizes(run.folder)
    keep = keep or run.settings.of(Places).keep_checkpoints
    pruned = prune_checkpoints(
        run.checkpoints,
        keep,
        fusions=[thread_id(fusion) for fusion in run.store.fusions.ids()],
        forks=[thread_id(fork.id) for fork in run.store.forks.listed()],
        dry_run=dry_run,
    )
    unused = _unused_embeddings(run)
    if not dry_run:
        for path in unused:
            path.unlink()
        compact_folder(run.folder)
    after = _sizes(run.folder)
    return Pruning(
        run=str(run.folder),
        dry_run=dry_run,
        keep_checkpoints=keep,
        threads=pruned.threads,
        checkpoints=pruned.checkpoints,
        embeddings=[path.name for path in unused],
        files={
            name: FileSize(before=size, after=None if dry_run else after.get(name, 0))
            for name, size in sorted(before.items())
        },
    )


def _unused_embeddings(run: Run) -> list[Path]:
    """Files of vectors in an order that the rows no longer have; none while the embed stage is unfinished."""
    used = vectors_file(run)
    if used is None:
        return []
    return sorted(path for path in run.folder.glob("embeddings-*.npy") if path.name != used)


def _sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
