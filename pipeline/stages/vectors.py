"""Files of vectors: filled chunk by chunk, so that an interrupted run goes on after the last chunk."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...providers import encoders
from ...records.books import Books
from ...records.conversation import plain_text
from ...records.embeddings import Embedded
from ...records.errors import RunFolderError
from ...records.hashing import tagged_hash
from ..run.run_folder import Run
from ..run.stage import Result
from .embed import EmbedFindings, EmbedSettings, vectors_file

Vectors: TypeAlias = "np.memmap[Any, np.dtype[np.float32]]"

CHUNK = 1024
# rows are unit vectors, so a row of another length has not been written, or not whole
LENGTH_TOLERANCE = 1e-3


async def embed(run: Run) -> Result[EmbedFindings]:
    """Write `embeddings-*.npy`: rows whose text has been encoded before are taken over.

    A file is named by the content of its rows in order and the encoder. The one before it goes when it is
    complete.
    """
    contents = run.store.rows.contents()
    encoder = encoders.open_encoder(run.settings.of(EmbedSettings).encoder)
    name = f"embeddings-{tagged_hash('embeddings', [encoder.name, contents])[:16]}.npy"
    vectors = _open(run.folder / name, len(contents), encoder.dimensions)
    _take_over(run, contents, name, vectors)
    missing = np.flatnonzero(~written(vectors))
    with run.progress.task(f"embedding with {encoder.name}", len(missing)) as done:
        for start in range(0, len(missing), CHUNK):
            chunk = missing[start : start + CHUNK]
            vectors[chunk] = encoder.encode(_texts(run, chunk), on_progress=_steps(done))
            vectors.flush()
    for old in run.folder.glob("embeddings-*.npy*"):
        if old.name != name:
            old.unlink()
    run.store.embedded.replace(
        Embedded(position=at, content=content, file=name) for at, content in enumerate(contents)
    )
    findings = EmbedFindings(
        encoder=encoder.name, dimensions=encoder.dimensions, encoded=len(missing), file=name
    )
    return Result(Books(inputs=len(contents), outputs=len(contents)), findings)


def embeddings(run: Run) -> Vectors:
    """The vectors (N, d) of a run whose embed stage is done, in the order of the rows' positions."""
    name = vectors_file(run)
    assert name is not None, "the stages before are done when a stage works"
    vectors: Vectors = np.load(run.folder / name, mmap_mode="r")
    return vectors


def written(vectors: Vectors) -> NDArray[np.bool_]:
    """Which rows of a file of vectors hold a unit vector: an unfinished one holds zeros, or half a vector."""
    lengths = np.linalg.norm(vectors, axis=1)
    whole: NDArray[np.bool_] = np.abs(lengths - 1) < LENGTH_TOLERANCE
    return whole


def _open(path: Path, rows: int, dimensions: int) -> Vectors:
    if not path.exists():
        _make(path, rows, dimensions)
    vectors: Vectors = np.load(path, mmap_mode="r+")
    return vectors


def _make(path: Path, rows: int, dimensions: int) -> None:
    """A file of zeros, there as a whole or not at all.

    Its space is taken now: what is written to a mapped file on a full disk kills the process.
    """
    draft = path.with_name(f"{path.name}.part")
    try:
        np.lib.format.open_memmap(draft, mode="w+", dtype=np.float32, shape=(rows, dimensions))
        if sys.platform == "linux":
            with draft.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, draft.stat().st_size)
        draft.replace(path)
    except OSError as error:
        message = f"{path}: vectors of {rows} rows cannot be written: {error.strerror}"
        raise RunFolderError(message, "free some space on that disk and run again") from error


def _take_over(run: Run, contents: list[str], name: str, vectors: Vectors) -> None:
    """Copy the vectors of texts that the file before this one holds."""
    before = {line.content: line for line in run.store.embedded.all()}
    for file in {line.file for line in before.values()} - {name}:
        if (run.folder / file).exists():
            old = np.load(run.folder / file, mmap_mode="r")
            for at, content in enumerate(contents):
                if content in before:
                    vectors[at] = old[before[content].position]


def _steps(done: Callable[[int], None]) -> Callable[[int], None]:
    """From an encoder's running total to the number of items just done."""
    before = 0

    def advance(total: int) -> None:
        nonlocal before
        done(total - before)
        before = total

    return advance


def _texts(run: Run, positions: NDArray[np.int64]) -> list[str]:
    rows = run.store.rows.between(int(positions[0]), int(positions[-1]))
    found = {row.position: plain_text(row.turns) for row in rows}
    return [found[int(position)] for position in positions]
