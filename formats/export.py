"""Training files out of rows: four forms, as JSON Lines or Parquet, whole or not at all."""

from __future__ import annotations

import glob
import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ..records.conversation import Conversation, Turn
from ..records.errors import PoolError
from ..records.vocabulary import ExportForm
from .misfit import Misfit, one_line
from .parquet_export import write_parquet
from .row_of_record import check_name
from .shapes import SHAPE_KEYS, SHAPES, check_turns
from .text_form import to_markers, to_text

_WRITERS: dict[str, Callable[[Conversation], dict[str, Any]]] = {
    "text": lambda turns: {"text": to_text(turns)},
    "markers": lambda turns: {"text": to_markers(turns)},
    **{shape.name: shape.write for shape in SHAPES if shape.write},
}

# its record has every key that a form may write
_EVERY_PART = tuple(
    Turn(role=role, content=role) for role in ("system", "user", "assistant", "user", "assistant")
)

DRAFT = ".part"

# a key of some other shape beside the form's own would change how the file is read back
_TAKEN = SHAPE_KEYS | {"id", "text"}


class ExportRow(BaseModel):
    """A row of a training file. `metadata` stands beside the keys of the form, like source and kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    turns: Conversation
    metadata: dict[str, JsonValue] = Field(default_factory=dict)


class RefusedRow(NamedTuple):
    """A row that was not written: what was found, and what it would have to be."""

    id: str
    found: str
    expected: str


class WriteReport(NamedTuple):
    """How many rows a training file has, and those it could not take."""

    written: int
    refused: tuple[RefusedRow, ...]


def write_rows(
    path: Path, rows: Iterable[ExportRow], *, form: ExportForm, overwrite: bool = False
) -> WriteReport:
    """Write a training file: JSON Lines (.jsonl) or Parquet (.parquet) by its ending.

    The file appears under its name when it is complete and on disk; until then, and after a failure, whatever
    stood there stays. Metadata is written as it is (to Parquet as columns, see `write_parquet`). A row that
    would not be read back with its id and turns is refused and reported: turns out of order or blank, NUL or
    half surrogates, an id that is blank or not a short line, metadata that is not JSON or under a form's key.
    `overwrite` says that the path is the caller's alone: what an export that was killed left beside it goes.

    Raises PoolError where the file exists and `overwrite` is not given, for another ending, and where the
    file system refuses.
    """
    refused: list[RefusedRow] = []
    records = _encoded(rows, form, refused)
    _check_target(path, overwrite)
    if overwrite:
        for left in path.parent.glob(f".{glob.escape(path.name)}.*{DRAFT}"):
            left.unlink(missing_ok=True)
    with _appearing_whole(path) as stream:
        if path.suffix.lower() == ".parquet":
            written = write_parquet(stream, records, {"id": "", **_WRITERS[form](_EVERY_PART)})
        else:
            written = _write_lines(stream, records)
    return WriteReport(written, tuple(refused))


def _encoded(
    rows: Iterable[ExportRow], form: ExportForm, refused: list[RefusedRow]
) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The record of every row that can be written, also as a line of JSON; the others go to `refused`."""
    for row in rows:
        try:
            record = _record(row, form)
            yield record, _line(record)
        except Misfit as misfit:
            refused.append(RefusedRow(row.id, misfit.found, misfit.expected))


def _record(row: ExportRow, form: ExportForm) -> dict[str, Any]:
    check_turns(row.turns)
    check_name(row.id, "the id")
    if not row.id.strip():
        found = "a blank id"
        raise Misfit(found, "an id by which the row is known")
    if taken := sorted(_TAKEN & row.metadata.keys()):
        found = f"metadata under {', '.join(taken)}"
        raise Misfit(found, "metadata under keys that no form uses")
    return {"id": row.id, **_WRITERS[form](row.turns), **row.metadata}


def _line(record: dict[str, Any]) -> bytes:
    try:
        return json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except ValueError as error:
        found = f"a value that cannot be written: {error}"
        raise Misfit(found, "JSON values, and text that can be written as UTF-8") from error


def _write_lines(stream: BinaryIO, records: Iterable[tuple[dict[str, Any], bytes]]) -> int:
    written = 0
    for _, line in records:
        stream.write(line)
        written += 1
    return written


def _check_target(path: Path, overwrite: bool) -> None:
    if path.suffix.lower() not in (".jsonl", ".parquet"):
        message = f"{path}: unknown ending of a training file"
        raise PoolError(message, "use .jsonl or .parquet")
    if path.is_dir() or (path.exists() and not overwrite):
        message = f"{path}: {'is a folder' if path.is_dir() else 'exists already'}"
        raise PoolError(message, "choose another name, or ask for overwriting")
    if not path.parent.is_dir():
        message = f"{path}: there is no folder {path.parent}"
        raise PoolError(message, "make it first")


@contextmanager
def _appearing_whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which takes its name when the block ends without an error."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}{DRAFT}")
    try:
        with draft.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except OSError as error:
        message = f"{path}: cannot be written ({error.strerror or one_line(str(error))})"
        raise PoolError(message, "check the folder, its permissions and the space left") from error
    finally:
        draft.unlink(missing_ok=True)
