"""Formats of pool files, and lines and records in them that cannot be read."""

import json
import sys
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from entp.formats import json_records
from entp.formats.pool import open_pool, read_pool
from entp.records.errors import PoolError
from entp.records.rows import RejectedRow, Row

RECORDS = [{"id": f"r{n}", "instruction": f'Ask "{n}" [{{,\\', "output": "Told é."} for n in range(5)]
IDS = [record["id"] for record in RECORDS]


def ids(path, **options):
    return [row.id if isinstance(row, Row) else "-" for row in read_pool([path], **options)]


@pytest.mark.parametrize("block", [1, 2, 3, 7, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    "wrap", [lambda r: r, lambda r: {"version": 1, "meta": {"a": [1]}, "data": r, "n": 5}]
)
@pytest.mark.parametrize("mark", ["", "\ufeff", " \r\n"])
def test_a_json_array_is_read(tmp_path, monkeypatch, block, indent, wrap, mark):
    monkeypatch.setattr(json_records, "BLOCK_BYTES", block)
    path = tmp_path / "a.json"
    path.write_text(mark + json.dumps(wrap(RECORDS), indent=indent) + "\r\n", encoding="utf-8")
    pool = open_pool(path)
    assert (pool.format, pool.shape, pool.bytes) == ("json", "alpaca", path.stat().st_size)
    rows = list(pool)
    assert [row.id for row in rows] == IDS
    assert [row.line for row in rows] == [1, 2, 3, 4, 5]
    assert rows[3].turns[0].content == RECORDS[3]["instruction"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.NDJSON", "a.json"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_json_lines_are_read_under_either_ending(tmp_path, name, end, mark):
    path = tmp_path / name
    text = mark + end.join(json.dumps(record, ensure_ascii=False) for record in RECORDS)
    path.write_bytes(text.encode())
    assert open_pool(path).format == "jsonl"
    assert ids(path) == IDS


def test_blank_lines_count_and_are_passed_over(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(f"\n{json.dumps(RECORDS[0])}\n  \n\n{json.dumps(RECORDS[1])}")
    assert [(row.id, row.line) for row in read_pool([path])] == [("r0", 2), ("r1", 5)]


def nested(depth):
    return b'{"instruction": ' + b"[" * depth + b"]" * depth + b', "output": "a"}'


BAD = [
    (b'{"instruction": "q", "output": }', "malformed JSON: Expecting value"),
    (b'{"instruction": "q" "output": "a"}', "malformed JSON: Expecting ','"),
    (b"[1, 2]", "an array"),
    (b'"text"', "text"),
    (b"null", "null"),
    (b"17", "a number"),
    (b'{"instruction": "q", "output": NaN}', "the constant NaN"),
    (b'{"instruction": "q", "output": "a", "x": -Infinity}', "the constant -Infinity"),
    (b'{"instruction": "q", "output": "caf\xe9"}', "invalid UTF-8 at byte 36"),
    (b'{"instruction": "q", "output": "a\0b"}', "malformed JSON: Invalid control character"),
    (b'{"instruction": "q", "output": "a", "x": ' + b"9" * 5000 + b"}", "malformed JSON: Exceeds the limit"),
    (nested(100_000), "brackets nested too deeply"),
]


@pytest.mark.parametrize(("bad", "found"), BAD, ids=[found for _, found in BAD])
@pytest.mark.parametrize(("name", "between"), [("a.jsonl", b"\n"), ("a.json", b",")])
def test_a_record_that_cannot_be_read_harms_no_other(tmp_path, name, between, bad, found):
    good = [json.dumps(record).encode() for record in RECORDS]
    content = between.join([*good[:2], bad, *good[2:]])
    path = tmp_path / name
    path.write_bytes(b"[" + content + b"]" if name == "a.json" else content)
    rows = list(read_pool([path]))
    assert [row.line for row in rows] == [1, 2, 3, 4, 5, 6]
    (rejected,) = (row for row in rows if isinstance(row, RejectedRow))
    assert rejected.line == 3
    assert rejected.found.startswith(found)


def test_a_line_that_ends_early_harms_no_other(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join([json.dumps(RECORDS[0]), '{"instruction": "q", "out', json.dumps(RECORDS[1])]))
    assert ids(path) == ["r0", "-", "r1"]


@pytest.mark.parametrize("wrap", [b"[%b", b'{"data": [%b'])
def test_an_array_that_ends_early_loses_its_last_record_only(tmp_path, wrap):
    path = tmp_path / "a.json"
    records = b",".join(json.dumps(record).encode() for record in RECORDS)
    path.write_bytes(wrap % records[:-4])
    assert ids(path) == [*IDS[:4], "-"]


def test_what_stands_between_commas_is_a_record(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(f"[{json.dumps(RECORDS[0])}, , 5, {json.dumps(RECORDS[1])},]")
    assert ids(path) == ["r0", "-", "-", "r1", "-"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.parquet"])
def test_a_record_above_the_limit_is_rejected(tmp_path, name):
    path = tmp_path / name
    long = {**RECORDS[1], "id": "long", "output": "x" * 5_000}
    records = [RECORDS[0], long, *RECORDS[1:]]
    if name == "a.parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    else:
        lines = ",\n" if name == "a.json" else "\n"
        path.write_text(lines.join(map(json.dumps, records)).join("[]" if name == "a.json" else ["", ""]))
    rows = list(read_pool([path], max_row_bytes=1_000))
    assert [row.id if isinstance(row, Row) else "-" for row in rows] == ["r0", "-", *IDS[1:]]
    assert rows[1].found.startswith("a record of 5,0")
    assert rows[1].expected == "at most 1,000 bytes"
    assert ids(path, max_row_bytes=10_000) == ["r0", "long", *IDS[1:]]


@pytest.mark.parametrize("over", [-1, 0, 1, 2, 3])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_the_limit_is_exact(tmp_path, over, end):
    path = tmp_path / "a.jsonl"
    line = json.dumps({**RECORDS[0], "output": "Told at length."}).encode()
    path.write_bytes(json.dumps(RECORDS[1]).encode() + b"\n" + line + end)
    assert ids(path, max_row_bytes=len(line) - over) == ["r1", "r0" if over <= 0 else "-"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_memory_does_not_grow_with_a_record_above_the_limit(tmp_path, name):
    path = tmp_path / name
    with path.open("wb") as stream:
        stream.write(b"[" if name == "a.json" else b"")
        stream.write(json.dumps(RECORDS[0]).encode() + (b"," if name == "a.json" else b"") + b"\n")
        stream.write(b'{"instruction": "q", "output": "')
        for _ in range(64):
            stream.write(b"x" * (1 << 20))
        stream.write(b'"}' + (b"]" if name == "a.json" else b"\n"))
    tracemalloc.start()
    found = ids(path, max_row_bytes=100_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == ["r0", "-"]
    assert peak < 8 << 20


def test_rows_are_handed_out_before_the_file_is_read_to_its_end(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps({**RECORDS[0], "id": n}) for n in range(20_000)))
    rows = read_pool([path])
    tracemalloc.start()
    next(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < path.stat().st_size / 4
    assert sum(1 for _ in rows) == 19_999


def test_parquet_is_read_and_other_columns_are_not(tmp_path):
    path = tmp_path / "a.parquet"
    other = [{**record, "embedding": [0.5] * 10, "ratings": {"llama": 3, "gpt": None}} for record in RECORDS]
    pq.write_table(pa.Table.from_pylist(other), path)
    pool = open_pool(path)
    assert (pool.format, pool.shape) == ("parquet", "alpaca")
    assert [(row.id, row.line, row.ratings) for row in pool] == [
        (f"r{n}", n + 1, {"llama": 3}) for n in range(5)
    ]
    assert all("embedding" not in record.value for record in pool.records())


def test_invalid_utf8_in_parquet_rejects_its_row_only(tmp_path):
    path = tmp_path / "a.parquet"
    texts = pa.array([b"one", b"tw\xff", b"three"]).view(pa.string())
    pq.write_table(pa.table({"instruction": ["a", "b", "c"], "output": texts}), path)
    first, second, third = read_pool([path])
    assert (first.line, third.line) == (1, 3)
    assert second.found.startswith("invalid UTF-8 at byte 3")


@pytest.fixture
def datasets():
    return pytest.importorskip("datasets")


def test_a_data_set_on_disk_is_read(tmp_path, datasets):
    path = tmp_path / "birds v1.0"
    datasets.Dataset.from_list(RECORDS).select([4, 0, 2]).save_to_disk(path)
    pool = open_pool(path)
    assert (pool.format, pool.shape) == ("datasets", "alpaca")
    assert pool.bytes >= sum(file.stat().st_size for file in path.glob("*.arrow"))
    assert [(row.id, row.source, row.file, row.line) for row in pool] == [
        (name, "birds v1.0", str(path), n) for n, name in enumerate(["r4", "r0", "r2"], 1)
    ]


def test_every_split_of_a_data_set_is_read_and_one_may_be_given_alone(tmp_path, datasets):
    path = tmp_path / "birds"
    train, test = datasets.Dataset.from_list(RECORDS[:3]), datasets.Dataset.from_list(RECORDS[3:])
    datasets.DatasetDict({"train": train, "test": test}).save_to_disk(path)
    rows = list(read_pool([path]))
    assert [row.id for row in rows] == IDS
    assert [(row.file, row.line) for row in rows[2:4]] == [(str(path / "train"), 3), (str(path / "test"), 1)]
    assert ids(path / "test") == IDS[3:]


def test_turns_in_a_data_set_stay_as_stored(tmp_path, datasets):
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    datasets.Dataset.from_list([{"messages": messages, "when": "x"}]).save_to_disk(tmp_path / "chat")
    (row,) = read_pool([tmp_path / "chat"])
    assert [turn.model_dump() for turn in row.turns] == messages


def test_without_the_package_one_line_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "dataset_info.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(PoolError, match=r"pip install 'entp\[datasets\]'"):
        open_pool(tmp_path)


def test_a_damaged_data_set_is_named(tmp_path, datasets):
    (tmp_path / "dataset_info.json").write_text("{}")
    with pytest.raises(PoolError, match="cannot be read as a data set"):
        open_pool(tmp_path)
