"""Records of Parquet files and of Hugging Face data sets on disk, a few at a time.

Only the columns that some shape reads are loaded. Nothing of a data set is executed: `load_from_disk` maps
Arrow files and runs no script, and no column is decoded into anything but values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..records.errors import PoolError
from .json_records import Record, too_long
from .misfit import Misfit, one_line

BATCH_ROWS = 64
"""Rows in memory at once; small, because a single row may be as long as the caller's limit."""

MARKS_OF_A_DATA_SET = ("dataset_info.json", "dataset_dict.json")
"""The files by which a folder written by `save_to_disk` is known."""


class Columns(NamedTuple):
    """The columns that are loaded where they are there, and sets of which one has to be there whole."""

    loaded: Sequence[str]
    needed: Sequence[Sequence[str]]


def read_parquet(path: Path, columns: Columns, max_row_bytes: int) -> Iterator[Record]:
    """The records of a Parquet file by position, from 1, with those of the columns that the file has."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # pre-buffering would read a whole row group ahead
        with pq.ParquetFile(path, pre_buffer=False) as file:
            wanted = _wanted(path, columns, file.schema_arrow.names)
            batches = file.iter_batches(batch_size=BATCH_ROWS, columns=wanted)
            yield from _numbered(str(path), batches, max_row_bytes)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        # names of columns that are not UTF-8 are found out while they are decoded
        raise _unreadable(path, "Parquet file", error) from error


def read_data_set(path: Path, columns: Columns, max_row_bytes: int) -> Iterator[Record]:
    """The records of a folder written by `save_to_disk`; of a DatasetDict every split, in its own order.

    A split is a folder of its own and may be given alone; its records carry its path.
    """
    loaded = _load(path)
    import pyarrow as pa

    splits = loaded.items() if isinstance(loaded, dict) else [("", loaded)]
    try:
        for name, split in splits:
            wanted = _wanted(path, columns, split.column_names)
            # the Arrow format hands out the columns as stored: no image or audio is decoded
            batches = split.select_columns(wanted).with_format("arrow").iter(batch_size=BATCH_ROWS)
            yield from _numbered(str(path / name), batches, max_row_bytes)
    except pa.ArrowException as error:
        raise _unreadable(path, "data set", error) from error


def _load(path: Path) -> Any:
    try:
        import datasets
    except ImportError as error:
        message = f"{path}: reading a Hugging Face data set needs the package datasets"
        raise PoolError(message, "run: pip install 'entp[datasets]'") from error
    try:
        return datasets.load_from_disk(str(path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        # what a folder with missing or altered files makes the library raise
        raise _unreadable(path, "data set", error) from error


def _unreadable(path: Path, kind: str, error: Exception) -> PoolError:
    message = f"{path}: cannot be read as a {kind} ({type(error).__name__}: {one_line(str(error))})"
    return PoolError(message, "write it again, or give another one")


def _wanted(path: Path, columns: Columns, present: Sequence[str]) -> list[str]:
    if not any(set(names) <= set(present) for names in columns.needed):
        message = f"{path}: no recognised shape: its columns are {one_line(', '.join(present)) or 'none'}"
        known = " or ".join(", ".join(names) for names in columns.needed)
        raise PoolError(message, f"give a file with the columns {known}")
    return [name for name in present if name in columns.loaded]


def _numbered(file: str, batches: Iterator[Any], max_row_bytes: int) -> Iterator[Record]:
    position = 0
    for batch in batches:
        for value in _values(batch, max_row_bytes):
            position += 1
            yield Record(file, position, value)


def _values(batch: Any, max_row_bytes: int) -> list[dict[str, Any]] | Iterator[dict[str, Any] | Misfit]:
    """The rows of a batch; one at a time where some row may be too long or is not UTF-8."""
    if batch.nbytes <= max_row_bytes:
        with suppress(UnicodeDecodeError):
            rows: list[dict[str, Any]] = batch.to_pylist()
            return rows
    return (_value(batch.slice(position, 1), max_row_bytes) for position in range(batch.num_rows))


def _value(row: Any, max_row_bytes: int) -> dict[str, Any] | Misfit:
    try:
        value: dict[str, Any] = row.to_pylist()[0]
    except UnicodeDecodeError as error:
        return Misfit(f"invalid UTF-8 at byte {error.start + 1} of a value", "UTF-8 text")
    size = _text_bytes(value)
    return value if size <= max_row_bytes else too_long(size, max_row_bytes)


def _text_bytes(value: Any) -> int:
    """The bytes of all texts in a value, in UTF-8."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, dict):
        return sum(map(_text_bytes, value.values()))
    return sum(map(_text_bytes, value)) if isinstance(value, list) else 0
