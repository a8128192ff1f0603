"""Load: read the pool's files into the run; what is not a row goes to the rejected list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from hashlib import file_digest, sha256
from pathlib import Path

from pydantic import Field

from ...formats.pool import PoolFile, open_pool, read_pool
from ...records.books import Books
from ...records.errors import PoolError, UsageError
from ...records.lines import Line, Table
from ...records.rows import RejectedRow, StoredRow, content_hash
from ...records.stored import Stored
from ..run.run_folder import Run
from ..run.settings import Part, Places
from ..run.stage import Findings, Result, Stage, shown

SHOWN = 20


class LoadSettings(Part):
    """What counts as a row."""

    strict: bool = Field(default=False, description="stop at the first record that is not a row")
    max_row_bytes: int = Field(default=1_000_000, gt=0, description="a longer row is rejected")


class PoolState(Stored):
    """The pool's files as they were read: `seen` is path, size and time of each, `digest` a hash of all."""

    seen: list[tuple[str, int, int]]
    digest: str


class LoadedFile(Stored):
    """A file of the pool, and what it was taken for."""

    file: str
    format: str
    shape: str
    bytes: int


class LoadedSource(Stored):
    """The rows of one source in numbers, as the paper's Table 5 has them: means over rows and over turns."""

    source: str
    rows: int
    rounds: float = Field(description="turns of the user in a row, on average")
    prompt_words: float = Field(description="words of a user's turn, on average")
    response_words: float = Field(description="words of an assistant's turn, on average")


class LoadFindings(Findings):
    """What was read; the largest source first."""

    pool: PoolState
    files: list[LoadedFile]
    sources: list[LoadedSource]
    rejected: list[RejectedRow] = Field(description=f"the first {SHOWN}")


async def load(run: Run) -> Result[LoadFindings]:
    """Fill `rows` and `rejected_rows`; raises PoolError where a file cannot be read or holds no row."""
    paths, settings = _paths(run), run.settings.of(LoadSettings)
    pool_files = [open_pool(path, max_row_bytes=settings.max_row_bytes) for path in paths]
    seen = _seen(run)
    pool = PoolState(seen=seen, digest=_digest(tuple(seen)))
    for pool_file in pool_files:
        run.progress.say(_described(pool_file))
    rejected: list[RejectedRow] = []
    counted: dict[str, Counter[str]] = {}
    with run.store.transaction(), run.progress.task("loading", None) as done:
        rows = _rows(paths, settings, rejected, done)
        run.store.rows.replace(_counting(rows, counted))
        run.store.rejected.replace(rejected)
        if not run.store.rows.count():
            message = f"{', '.join(map(shown, paths))}: no usable row ({len(rejected)} rejected)"
            where = f"; the first, {_place(rejected[0])}" if rejected else ""
            raise PoolError(message + where, "fix the rows, or give another file")
    findings = LoadFindings(
        pool=pool,
        files=[
            LoadedFile(file=str(file.path), format=file.format, shape=file.shape, bytes=file.bytes)
            for file in pool_files
        ],
        sources=_sources(counted),
        rejected=rejected[:SHOWN],
    )
    return Result(_books(run), findings)


def _rows(
    paths: list[Path], settings: LoadSettings, rejected: list[RejectedRow], done: Callable[[int], None]
) -> Iterator[StoredRow]:
    position = 0
    for row in read_pool(paths, max_row_bytes=settings.max_row_bytes):
        done(1)
        if isinstance(row, RejectedRow):
            if settings.strict:
                raise PoolError(_place(row), "fix the row, or load without --strict to leave it out")
            rejected.append(row)
            continue
        yield StoredRow(**dict(row), position=position, content=content_hash(row.turns))
        position += 1


def _counting(rows: Iterator[StoredRow], counted: dict[str, Counter[str]]) -> Iterator[StoredRow]:
    """The rows as they come; turns and words are counted by source, turns under `user` and `assistant`."""
    for row in rows:
        of_source = counted.setdefault(row.source, Counter())
        of_source["rows"] += 1
        for turn in row.turns:
            of_source[turn.role] += 1
            of_source[f"words of {turn.role}"] += len(turn.content.split())
        yield row


def _sources(counted: dict[str, Counter[str]]) -> list[LoadedSource]:
    return [
        LoadedSource(
            source=source,
            rows=found["rows"],
            rounds=round(found["user"] / found["rows"], 2),
            prompt_words=round(found["words of user"] / max(found["user"], 1), 1),
            response_words=round(found["words of assistant"] / max(found["assistant"], 1), 1),
        )
        for source, found in sorted(counted.items(), key=lambda each: (-each[1]["rows"], each[0]))
    ]


def _books(run: Run) -> Books:
    rejected = Counter(row.expected for row in run.store.rejected.all())
    rows = run.store.rows.count()
    return Books(inputs=rows + rejected.total(), outputs=rows, rejected=dict(rejected))


def _check(run: Run) -> None:
    if not _paths(run):
        message = "no pool given"
        raise UsageError(message, "name its files: entp load POOL... --run DIR")


def _unchanged(run: Run) -> bool:
    """Whether the pool's files are as they were loaded; a file that has gone undoes nothing."""
    mark = run.store.marks.get("load")
    if mark is None or any(not path.exists() for path in _paths(run)):
        return True
    findings, seen = STAGE.findings_of(mark), _seen(run)
    # reading all of a large pool takes a while, so a look at size and time comes first
    if findings.pool.seen == seen:
        return True
    if findings.pool.digest != _digest(tuple(seen)):
        return False
    if run.writable:
        pool = findings.pool.model_copy(update={"seen": seen})
        kept = findings.model_copy(update={"pool": pool}).model_dump(mode="json")
        run.store.marks.put(mark.model_copy(update={"findings": kept}))
    return True


def _lines(found: LoadFindings) -> Iterator[Line]:
    header = ("source", "rows", "rounds", "words a prompt", "words a response")
    yield Table(header, [tuple(source.model_dump().values()) for source in found.sources])
    for row in found.rejected:
        yield f"rejected {_place(row)}"


def _paths(run: Run) -> list[Path]:
    return [Path(path) for path in run.settings.of(Places).pool]


def _files(run: Run) -> list[Path]:
    """The files of the pool, those in the folders of data sets included, in a fixed order."""
    found = (sorted(path.rglob("*")) if path.is_dir() else [path] for path in _paths(run))
    return [file for files in found for file in files if file.is_file()]


def _seen(run: Run) -> list[tuple[str, int, int]]:
    return [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in _files(run)]


@lru_cache(maxsize=1)
def _digest(seen: tuple[tuple[str, int, int], ...]) -> str:
    """A hash of the content of the pool's files; read once a command as long as they are seen unchanged."""
    digest = sha256()
    for file, *_ in seen:
        with Path(file).open("rb") as opened:
            digest.update(file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def _described(pool_file: PoolFile) -> str:
    size = f"{pool_file.bytes / 1e6:.1f} MB"
    return f"{shown(pool_file.path)}: {pool_file.format}, {pool_file.shape} shape, {size}"


def _place(row: RejectedRow) -> str:
    return f"{shown(row.file)}:{row.line}: found {row.found}, expected {row.expected}"


STAGE = Stage(
    name="load",
    does="read the pool's files; what is not a row goes to the rejected list",
    example="entp load pool.jsonl more.parquet --run runs/first",
    settings=LoadSettings,
    findings=LoadFindings,
    lines=_lines,
    work=load,
    so_far=_books,
    tables=("rows", "rejected_rows"),
    check=_check,
    intact=_unchanged,
    rejects=True,
)
