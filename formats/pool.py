"""Pools: files of rows in any known format and shape, read one row at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal, TypeAlias

from ..records.errors import PoolError
from ..records.rows import RejectedRow, Row
from .arrow_records import MARKS_OF_A_DATA_SET, Columns, read_data_set, read_parquet
from .json_records import Record, find_array, read_array, read_lines
from .misfit import Misfit, one_line, place
from .row_of_record import ROW_KEYS, content_id, row_of_record
from .shapes import SHAPE_KEYS, SHAPES, Shape

Format: TypeAlias = Literal["json", "jsonl", "parquet", "datasets"]

MAX_ROW_BYTES = 1_000_000
"""A longer record is rejected: some hundred times the longest row that a training context holds."""

SAMPLE = 100
"""The first well-formed records, by which the shape of a file is decided."""

_COLUMNS = Columns((*ROW_KEYS, *sorted(SHAPE_KEYS)), tuple(shape.keys for shape in SHAPES))


@dataclass(frozen=True)
class PoolFile:
    """One readable pool file. Iterating reads it from the start: a Row, or a RejectedRow, for every record.

    `path` is what was given; `shape` the name of the entry of SHAPES that its first records have; `bytes` the
    size on disk, of a folder that of all files in it. Rows that repeat each other are all handed out here;
    `read_pool` rejects them.
    """

    path: Path
    format: Format
    shape: str
    bytes: int
    records: Callable[[], Iterator[Record]] = field(repr=False, compare=False)

    def __iter__(self) -> Iterator[Row | RejectedRow]:
        """Every record in order; PoolError where the file cannot be read on."""
        shape = next(shape for shape in SHAPES if shape.name == self.shape)
        source = self.path.resolve().name if self.format == "datasets" else self.path.stem
        with _failures_named(self.path):
            for record in self.records():
                try:
                    row: Row | RejectedRow = row_of_record(record, shape, source)
                except Misfit as misfit:
                    row = _rejected(record.file, record.line, misfit)
                yield row


def open_pool(path: Path, *, max_row_bytes: int = MAX_ROW_BYTES) -> PoolFile:
    """Find out format and shape of a file, from its ending and its first records.

    Raises PoolError where it cannot be read as a whole: no such file, an empty one, a folder that is not a
    data set, a format or shape that is not known.
    """
    with _failures_named(path):
        format_, records = _format(path, max_row_bytes)
        shape = _shape(path, records())
        if shape.gather:
            records = partial(_gathered, shape.gather, records, max_row_bytes)
        return PoolFile(path, format_, shape.name, _size(path), records)


def read_pool(paths: Sequence[Path], *, max_row_bytes: int = MAX_ROW_BYTES) -> Iterator[Row | RejectedRow]:
    """The rows of all files, one at a time, and in their place the records that are not rows.

    All files are opened before the first row is handed out, so that a file that cannot be read at all raises
    PoolError at once. A repeated id is rejected; so is a record without an id of its own whose
    content is repeated. What is rejected of one record, such as a tree of conversations, is one RejectedRow.
    Memory holds one record (of Parquet and data sets 64), the ids and hashes, and the texts of a file whose
    conversations are spread over its records.
    """
    pools = [open_pool(path, max_row_bytes=max_row_bytes) for path in paths]
    return _once_a_record(_without_repeats(chain.from_iterable(pools)))


def _once_a_record(rows: Iterator[Row | RejectedRow]) -> Iterator[Row | RejectedRow]:
    rejected: RejectedRow | None = None
    more = 0
    for row in rows:
        if rejected and (row.file, row.line) != (rejected.file, rejected.line):
            yield _with_more(rejected, more)
            rejected = None
        if isinstance(row, Row):
            yield row
        elif rejected:
            more += 1
        else:
            rejected, more = row, 0
    if rejected:
        yield _with_more(rejected, more)


def _with_more(rejected: RejectedRow, more: int) -> RejectedRow:
    found = f"{rejected.found} (and {more} more in this record)" if more else rejected.found
    return rejected.model_copy(update={"found": found})


def _without_repeats(rows: Iterator[Row | RejectedRow]) -> Iterator[Row | RejectedRow]:
    ids: dict[str, tuple[str, int]] = {}
    contents: dict[str, tuple[str, int]] = {}
    for row in rows:
        if isinstance(row, RejectedRow):
            yield row
            continue
        content = content_id(row.turns)
        if row.id == content and content in contents:
            misfit = Misfit(f"the content of {place(*contents[content])} again", "other content, or an id")
        elif row.id in ids:
            first = place(*ids[row.id])
            misfit = Misfit(f"id {one_line(row.id, 40)} again, first at {first}", "an id of its own")
        else:
            ids[row.id] = row.file, row.line
            contents.setdefault(content, ids[row.id])
            yield row
            continue
        yield _rejected(row.file, row.line, misfit)


def _rejected(file: str, line: int, misfit: Misfit) -> RejectedRow:
    return RejectedRow(file=file, line=line, found=misfit.found, expected=misfit.expected)


def _format(path: Path, max_row_bytes: int) -> tuple[Format, Callable[[], Iterator[Record]]]:
    """The format of a file, and what reads its records from the start."""
    if path.is_dir():
        if not any((path / mark).is_file() for mark in MARKS_OF_A_DATA_SET):
            message = f"{path}: a folder without {' or '.join(MARKS_OF_A_DATA_SET)}"
            raise PoolError(message, "name the files in it, or a folder written by save_to_disk")
        return "datasets", partial(read_data_set, path, _COLUMNS, max_row_bytes)
    if not path.is_file():
        message = f"{path}: {'is not a regular file' if path.exists() else 'no such file'}"
        raise PoolError(message, "give a file or a data set's folder")
    if not path.stat().st_size:
        message = f"{path}: the file is empty"
        raise PoolError(message, "give a file with records in it")
    match path.suffix.lower():
        case ".jsonl" | ".ndjson":
            return "jsonl", partial(read_lines, path, max_row_bytes)
        case ".json":
            start = find_array(path)
            if start is None:
                return "jsonl", partial(read_lines, path, max_row_bytes)
            return "json", partial(read_array, path, start, max_row_bytes)
        case ".parquet":
            return "parquet", partial(read_parquet, path, _COLUMNS, max_row_bytes)
        case ending:
            message = f"{path}: {f'unknown ending {ending}' if ending else 'a file without an ending'}"
            raise PoolError(message, "give .json, .jsonl, .parquet or a data set's folder")


def _gathered(
    gather: Callable[[Iterator[Record], int], Iterator[Record]],
    records: Callable[[], Iterator[Record]],
    max_row_bytes: int,
) -> Iterator[Record]:
    return gather(records(), max_row_bytes)


def _shape(path: Path, records: Iterator[Record]) -> Shape:
    """The shape that most of the first well-formed records have; of equally many the first in the table."""
    votes: Counter[str] = Counter()
    keys: dict[str, None] = {}
    unread: Record | None = None
    objects = 0
    for record in records:
        if isinstance(record.value, Misfit):
            unread = unread or record
            continue
        objects += 1
        keys |= dict.fromkeys(record.value)
        votes.update(shape.name for shape in SHAPES if shape.recognises(record.value))
        if objects == SAMPLE:
            break
    if votes:
        return max(SHAPES, key=lambda shape: votes[shape.name])
    raise _unrecognised(path, list(keys), unread)


def _unrecognised(path: Path, keys: list[str], unread: Record | None) -> PoolError:
    if keys:
        known = ", ".join(f"{shape.name} ({', '.join(shape.keys)})" for shape in SHAPES)
        message = f"{path}: no recognised shape: its records have the keys {one_line(', '.join(keys))}"
        return PoolError(message, f"known shapes: {known}")
    message = f"{path}: contains no records"
    if unread:
        message = f"{path}: none of its records can be read; the first, at {unread.line}: {unread.value}"
    return PoolError(message, "give a file with a JSON object for every row")


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size


@contextmanager
def _failures_named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"{path}: cannot be read ({error.strerror or one_line(str(error))})"
        raise PoolError(message, "check the file and its permissions") from error
