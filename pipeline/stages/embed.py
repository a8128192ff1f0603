"""Embed: one unit vector a row, kept in a memory-mapped file whose order is that of the rows."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...records.books import Books
from ...records.conversation import from_json, plain_text
from ...records.errors import RunFolderError
from ...records.rows import tagged_hash
from ..run.run_folder import Run
from ..run.stage import Result

Vectors: TypeAlias = "np.memmap[Any, np.dtype[np.float32]]"

CHUNK = 1024
# rows are unit vectors, so a row of another length has not been written, or not whole
LENGTH_TOLERANCE = 1e-3


async def embed(run: Run) -> Result:
    """Write `embeddings.npy` files: rows whose text has been encoded before are taken over.

    A file is named by the content of its rows in order and the encoder. It fills chunk by chunk, so that an
    interrupted run goes on after the last chunk; the one before it goes when it is complete.
    """
    from ...providers.encoders import open_encoder

    contents = [record["content"] for record in run.store.query("SELECT content FROM rows ORDER BY position")]
    encoder = open_encoder(run.settings.encoder)
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
    with run.store.transaction():
        run.store.replace(
            "embedded",
            ({"position": at, "content": content, "file": name} for at, content in enumerate(contents)),
        )
    report = {
        "encoder": encoder.name,
        "dimensions": encoder.dimensions,
        "encoded": len(missing),
        "file": name,
    }
    return Result(Books(inputs=len(contents), outputs=len(contents)), report)


def embeddings(run: Run) -> Vectors:
    """The vectors (N, d) of a run whose embed stage is done, in the order of `rows.position`."""
    mark = run.store.mark("embed")
    assert mark is not None, "the stages before are done when a stage works"
    vectors: Vectors = np.load(run.folder / mark.report["file"], mmap_mode="r")
    return vectors


def embeddings_exist(run: Run) -> bool:
    """Whether the file of vectors is still there; a removed one is made again."""
    mark = run.store.mark("embed")
    return mark is not None and (run.folder / mark.report["file"]).exists()


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


def written(vectors: Vectors) -> NDArray[np.bool_]:
    """Which rows of a file of vectors hold a unit vector: an unfinished one holds zeros, or half a vector."""
    lengths = np.linalg.norm(vectors, axis=1)
    whole: NDArray[np.bool_] = np.abs(lengths - 1) < LENGTH_TOLERANCE
    return whole


def _take_over(run: Run, contents: list[str], name: str, vectors: Vectors) -> None:
    """Copy the vectors of texts that the file before this one holds."""
    before = {record["content"]: record for record in run.store.db["embedded"].rows}
    files = {record["file"] for record in before.values()}
    for file in files - {name}:
        if (run.folder / file).exists():
            old = np.load(run.folder / file, mmap_mode="r")
            for at, content in enumerate(contents):
                if content in before:
                    vectors[at] = old[before[content]["position"]]


def _steps(done: Callable[[int], None]) -> Callable[[int], None]:
    """From an encoder's running total to the number of items just done."""
    before = 0

    def told(total: int) -> None:
        nonlocal before
        done(total - before)
        before = total

    return told


def _texts(run: Run, positions: NDArray[np.int64]) -> list[str]:
    found = {
        record["position"]: plain_text(from_json(json.loads(record["turns"])))
        for record in run.store.query(
            "SELECT position, turns FROM rows WHERE position BETWEEN ? AND ?",
            int(positions[0]),
            int(positions[-1]),
        )
    }
    return [found[int(position)] for position in positions]
