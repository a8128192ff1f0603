"""Export: write a data set as a training file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path

from pydantic import Field

from ...records.books import Books
from ...records.errors import PoolError, UsageError
from ...records.lines import Line
from ...records.stored import Stored
from ...records.vocabulary import ExportForm
from ..run.run_folder import Run
from ..run.settings import Part, Places
from ..run.stage import Findings, Result, Stage, shown
from .blend import WITHOUT, BlendSettings, name_of

ENDINGS = (".jsonl", ".parquet")
SHOWN = 20


class ExportSettings(Part):
    """Which data set is written, and how."""

    form: ExportForm = Field(default="messages", description="form of the exported rows")
    set: str | None = Field(default=None, description="data set to write; by default the first that was made")


class Refused(Stored):
    """A row that was not written: what was found, and what it would have to be."""

    id: str
    found: str
    expected: str


class ExportFindings(Findings):
    """The file that was written."""

    file: str
    form: ExportForm
    set: str
    rows: int
    bytes: int
    sha256: str
    refused: list[Refused] = Field(description=f"the first {SHOWN}")


def target(run: Run) -> Path:
    """Where the training set goes: as set, else into the run folder under the data set's name."""
    out = run.settings.of(Places).out
    return Path(out) if out else run.folder / f"{data_set(run)}.jsonl"


def data_set(run: Run) -> str:
    """The name of the data set to write; `set` may be that, or the recipe that it is made by."""
    blended = run.settings.of(BlendSettings)
    wanted = run.settings.of(ExportSettings).set or blended.sets[0]
    return wanted if WITHOUT in wanted else name_of(wanted, blended.ablate)


async def export(run: Run) -> Result[ExportFindings]:
    """Write the data set; raises PoolError rather than overwrite a file that this run has not written."""
    from ...formats.export import ExportRow, write_rows

    path, name, form = target(run), data_set(run), run.settings.of(ExportSettings).form
    rows = (
        ExportRow(id=row.member.id, turns=row.turns, metadata=row.facts.model_dump(mode="json"))
        for row in run.store.data_sets.rows(name)
    )
    with _claimed(run, path) as own, run.progress.task(f"writing {path}", None):
        written = write_rows(path, rows, form=form, overwrite=own)
    refused = len(written.refused)
    books = Books(
        inputs=written.written + refused,
        outputs=written.written,
        rejected={f"does not fit the {form} form": refused} if refused else {},
    )
    findings = ExportFindings(
        file=str(path),
        form=form,
        set=name,
        rows=written.written,
        bytes=path.stat().st_size,
        sha256=sha256_of(path),
        refused=[Refused(**row._asdict()) for row in written.refused[:SHOWN]],
    )
    return Result(books, findings)


def sha256_of(path: Path) -> str:
    """The SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


@contextmanager
def _claimed(run: Run, path: Path) -> Iterator[bool]:
    """Whether a file is this run's to write; one that is not there becomes so, unless the block fails.

    That is noted before the file appears: a run that is killed after it has appeared knows it again.
    """
    name = str(path.resolve())
    if not path.exists():
        run.store.exports.add(name)
    try:
        yield run.store.exports.has(name)
    except PoolError:
        if not path.exists():
            run.store.exports.remove(name)
        raise


def _check(run: Run) -> None:
    path, name = target(run), data_set(run)
    if path.suffix.lower() not in ENDINGS:
        message = f"{path}: unknown ending of a training file"
        raise UsageError(message, f"use {' or '.join(ENDINGS)}")
    names = [found.name for found in run.store.data_sets.names()]
    if name not in names:
        message = f"there is no data set {name!r} (there is {', '.join(names) or 'none'})"
        raise UsageError(message, f"make it first: entp blend --sets {name} --run {run.folder}")


def _intact(run: Run) -> bool:
    """Whether the file that was written is the one that is asked for, and still there."""
    mark, out = run.store.marks.get("export"), run.settings.of(Places).out
    same = mark is not None and out in (None, STAGE.findings_of(mark).file)
    return same and target(run).exists()


def _missing(run: Run) -> Iterator[str]:
    mark = run.store.marks.get("export")
    if mark and _intact(run) and sha256_of(target(run)) != STAGE.findings_of(mark).sha256:
        yield f"{target(run)} has changed since it was exported"


def _so_far(run: Run) -> Books:
    rows = run.store.data_sets.count(data_set(run))
    return Books(inputs=rows, pending=rows)


def _lines(found: ExportFindings) -> Iterator[Line]:
    yield f"{found.rows} rows of {found.set} as {found.form} in {shown(found.file)}"


STAGE = Stage(
    name="export",
    does="write a data set as a training file",
    example="entp export --run runs/first --form sharegpt --out train.parquet",
    settings=ExportSettings,
    findings=ExportFindings,
    lines=_lines,
    work=export,
    so_far=_so_far,
    reads=("blend",),
    tables=("exports",),
    heeds=("out",),
    check=_check,
    intact=_intact,
    missing=_missing,
)
