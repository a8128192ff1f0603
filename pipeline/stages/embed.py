"""Embed: one unit vector a row, kept in a memory-mapped file whose order is that of the rows."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from ...records.books import Books
from ...records.errors import UsageError
from ...records.lines import Line
from ..run.run_folder import Run
from ..run.settings import Part
from ..run.stage import Findings, Result, Stage


class EmbedSettings(Part):
    """What encodes."""

    encoder: str = Field(
        default="BAAI/bge-large-en-v1.5", description="sentence-transformers model, or 'embedded'"
    )


class EmbedFindings(Findings):
    """The file of vectors."""

    encoder: str
    dimensions: int
    encoded: int = Field(description="rows that were encoded now; the others were taken over")
    file: str


async def _work(run: Run) -> Result[EmbedFindings]:
    from .vectors import embed

    return await embed(run)


def vectors_file(run: Run) -> str | None:
    """The name of the file of vectors that the finished stage left; None where it has not finished."""
    mark = run.store.marks.get("embed")
    return STAGE.findings_of(mark).file if mark else None


def _check(run: Run) -> None:
    now = run.settings.of(EmbedSettings).encoder
    before = run.before.of(EmbedSettings).encoder if run.before else now
    if now != before and run.store.embedded.count():
        message = f"{run.folder} was embedded with {before}, and {now} is asked for now"
        raise UsageError(message, "cosines of two encoders cannot be mixed: use another run folder")


def _intact(run: Run) -> bool:
    """Whether the file of vectors is still there; a removed one is made again."""
    name = vectors_file(run)
    return name is not None and (run.folder / name).exists()


def _missing(run: Run) -> Iterator[str]:
    from .vectors import embeddings, written

    if not _intact(run):
        yield "the file of embeddings is gone: run entp embed"
    elif missing := int((~written(embeddings(run))).sum()):
        yield f"the file of embeddings has no unit vector for {missing} rows: remove it and run entp embed"


def _so_far(run: Run) -> Books:
    rows = run.store.rows.count()
    return Books(inputs=rows, pending=rows)


def _lines(found: EmbedFindings) -> Iterator[Line]:
    yield f"{found.encoder}, {found.dimensions} dimensions, {found.encoded} newly encoded"


STAGE = Stage(
    name="embed",
    does="encode each row as a unit vector",
    example="entp embed --run runs/first --encoder BAAI/bge-large-en-v1.5",
    settings=EmbedSettings,
    findings=EmbedFindings,
    lines=_lines,
    work=_work,
    so_far=_so_far,
    reads=("load",),
    tables=("embedded",),
    check=_check,
    intact=_intact,
    missing=_missing,
)
