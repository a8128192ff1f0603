"""The Parquet half of a training file: typed columns out of records whose metadata may be anything."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Literal, TypeAlias

BATCH_ROWS = 1000
"""Rows of a row group, and rows in memory at once."""

_EXACT = 2**53
"""Whole numbers up to here are exact as floating point too, so that both kinds may share a column."""

_Kind: TypeAlias = Literal["text", "flag", "whole", "number", "json"]


def write_parquet(
    stream: BinaryIO, records: Iterable[tuple[dict[str, Any], bytes]], example: dict[str, Any]
) -> int:
    """Write records, each given also as a line of JSON, and return how many.

    The keys of `example` become columns of the types of its values. Every other key becomes a column of text,
    booleans or numbers where its values allow; a key with objects, arrays or values of several kinds becomes
    a column of JSON texts. A record without some key has null there.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    # the types of the columns are known after the last record only, so all of them are put aside first
    with TemporaryFile(dir=Path(stream.name).parent) as aside:
        kinds: dict[str, _Kind | None] = {}
        written = 0
        for record, line in records:
            aside.write(line)
            written += 1
            for key in record:
                if key not in example:
                    kinds[key] = _common(kinds.get(key), _kind(record[key]))
        types = {"flag": pa.bool_(), "whole": pa.int64(), "number": pa.float64()}
        fields = {key: pa.array([value]).type for key, value in example.items()}
        fields |= {key: types.get(kind or "text", pa.string()) for key, kind in kinds.items()}
        as_json = [key for key, kind in kinds.items() if kind == "json"]
        aside.seek(0)
        with pq.ParquetWriter(stream, pa.schema(fields)) as writer:
            while lines := list(islice(aside, BATCH_ROWS)):
                rows = [_with_texts(json.loads(line), as_json) for line in lines]
                writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=writer.schema))
    return written


def _kind(value: Any) -> _Kind | None:
    match value:
        case None:
            return None
        case bool():
            return "flag"
        case str():
            return "text"
        case float():
            return "number"
        case int() if abs(value) <= _EXACT:
            return "whole"
    return "json"


def _common(one: _Kind | None, other: _Kind | None) -> _Kind | None:
    if one is None or other is None or one == other:
        return one or other
    return "number" if {one, other} == {"whole", "number"} else "json"


def _with_texts(record: dict[str, Any], as_json: list[str]) -> dict[str, Any]:
    texts = {
        key: json.dumps(record[key], ensure_ascii=False) for key in as_json if record.get(key) is not None
    }
    return record | texts
