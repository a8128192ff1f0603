"""Load: read the pool's files into the run; what is no row goes to the rejected list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from ...formats.pool import PoolFile, open_pool, read_pool
from ...records.books import Books
from ...records.conversation import to_json
from ...records.errors import PoolError, UsageError
from ...records.rows import RejectedRow, Row, content_hash
from ..run.run_folder import Run
from ..run.stage import Result


def pool_unchanged(run: Run) -> bool:
    """Whether the pool's files are as they were loaded; a file that has gone undoes nothing."""
    mark = run.store.mark("load")
    if mark is None or any(not path.exists() for path in _paths(run)):
        return True
    loaded = mark.report["pool"]
    # reading all of a large pool takes a while, so a look at size and time comes first
    return bool(loaded["seen"] == _seen(run) or loaded["digest"] == _digest(run))


def shown(path: Path | str) -> str:
    """A path as a message shows it: relative where it lies below the working folder."""
    absolute = Path(path).absolute()
    return str(absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute)


async def load(run: Run) -> Result:
    """Fill `rows` and `rejected_rows`; raises PoolError where a file cannot be read or holds no row."""
    paths = _paths(run)
    if not paths:
        message = "no pool given"
        raise UsageError(message, "name its files: entp load POOL... --run DIR")
    pool_files = [open_pool(path, max_row_bytes=run.settings.max_row_bytes) for path in paths]
    pool = {"seen": _seen(run), "digest": _digest(run)}
    for pool_file in pool_files:
        run.progress.say(_described(pool_file))
    rejected: list[RejectedRow] = []
    with run.store.transaction(), run.progress.task("loading", None) as done:
        run.store.replace("rows", _records(run, paths, rejected, done))
        run.store.replace("rejected_rows", (row.model_dump() for row in rejected))
        if not run.store.count("rows"):
            message = f"{', '.join(map(shown, paths))}: no usable row ({len(rejected)} rejected)"
            where = f"; the first, {_place(rejected[0])}" if rejected else ""
            raise PoolError(message + where, "mend the rows, or give another file")
    books = Books(
        inputs=run.store.count("rows") + len(rejected),
        outputs=run.store.count("rows"),
        rejected=dict(Counter(row.expected for row in rejected)),
    )
    sources = run.store.query(
        "SELECT source, count(*) AS n FROM rows GROUP BY source ORDER BY n DESC, source"
    )
    report = {
        "pool": pool,
        "files": [
            {"file": str(f.path), "format": f.format, "shape": f.shape, "bytes": f.bytes} for f in pool_files
        ],
        "sources": {record["source"]: record["n"] for record in sources},
        "rejected": [row.model_dump() for row in rejected[:20]],
    }
    return Result(books, report)


def _records(run: Run, paths: list[Path], rejected: list[RejectedRow], done: Any) -> Iterator[dict[str, Any]]:
    position = 0
    for row in read_pool(paths, max_row_bytes=run.settings.max_row_bytes):
        done(1)
        if isinstance(row, RejectedRow):
            if run.settings.strict:
                raise PoolError(_place(row), "mend the row, or load without --strict to leave it out")
            rejected.append(row)
            continue
        yield _record(row, position)
        position += 1


def _record(row: Row, position: int) -> dict[str, Any]:
    return {
        "id": row.id,
        "position": position,
        "source": row.source,
        "file": row.file,
        "line": row.line,
        "turns": to_json(row.turns),
        "content": content_hash(row.turns),
        "pool_ratings": row.ratings,
    }


def _paths(run: Run) -> list[Path]:
    return [Path(path) for path in run.settings.pool]


def _files(run: Run) -> list[Path]:
    """The files of the pool, those in the folders of data sets included, in a fixed order."""
    found = (sorted(path.rglob("*")) if path.is_dir() else [path] for path in _paths(run))
    return [file for files in found for file in files if file.is_file()]


def _seen(run: Run) -> list[list[Any]]:
    return [[str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in _files(run)]


def _digest(run: Run) -> str:
    """A hash of the content of the pool's files."""
    digest = sha256()
    for file in _files(run):
        with file.open("rb") as opened:
            digest.update(file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def _described(pool_file: PoolFile) -> str:
    size = f"{pool_file.bytes / 1e6:.1f} MB"
    return f"{shown(pool_file.path)}: {pool_file.format}, {pool_file.shape} shape, {size}"


def _place(row: RejectedRow) -> str:
    return f"{shown(row.file)}:{row.line}: found {row.found}, expected {row.expected}"
