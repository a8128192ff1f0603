"""Files that cannot be read at all: one line that says why."""

import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from entp.formats.pool import open_pool, read_pool
from entp.records.errors import PoolError

RECORD = {"instruction": "q", "output": "a"}

WHOLE_FILE = [
    ("missing.jsonl", None, "no such file"),
    ("empty.jsonl", b"", "the file is empty"),
    ("blank.jsonl", b" \n\n", "contains no records"),
    ("empty.json", b"[ ]", "contains no records"),
    ("pool.csv", b"a,b", "unknown ending .csv"),
    ("pool", b"a", "a file without an ending"),
    ("a.json", b'{"instruction": "q", "output": "a"}', "contains no array"),
    ("a.json", b'{"a": [1], "b": [2]}', "contains 2 arrays"),
    ("a.json", b"hello", "begins with b'h'"),
    ("a.json", b"\xff\xfe[\0", r"begins with b'\xff'"),
    ("a.json", b'[{"a": 1}]\n[{"b": 2}]', "its array ends at byte 10 and text follows"),
    (
        "a.jsonl",
        b'{"question": "q", "text": "a"}',
        "no recognised shape: its records have the keys question, text",
    ),
    ("a.jsonl", b"{\n}", "none of its records can be read; the first, at 1: found malformed JSON"),
    ("a.jsonl", b'{"messages": null}', "no recognised shape"),
    ("a.parquet", b"PAR1 is what it begins with", "cannot be read as a Parquet file"),
]


@pytest.mark.parametrize(("name", "content", "message"), WHOLE_FILE, ids=[w[2] for w in WHOLE_FILE])
def test_a_file_that_cannot_be_read_as_a_whole_is_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PoolError) as caught:
        read_pool([path])
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


def test_an_unknown_shape_lists_those_that_are_known(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"question": "q"}')
    with pytest.raises(
        PoolError, match=r"messages \(messages\), sharegpt \(conversations\), alpaca \(instruction"
    ):
        open_pool(path)


def test_parquet_columns_that_no_shape_reads_are_named(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"question": ["q"], "text": ["a"]}), path)
    with pytest.raises(PoolError, match="its columns are question, text"):
        open_pool(path)


def test_parquet_columns_with_names_that_are_not_utf8_are_one_line(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist([RECORD]), path)
    path.write_bytes(path.read_bytes().replace(b"output", b"out\xffut"))
    with pytest.raises(PoolError, match="cannot be read as a Parquet file"):
        open_pool(path)


def test_a_folder_without_a_data_set_is_told_so(tmp_path):
    with pytest.raises(PoolError, match=r"a folder without dataset_info\.json or dataset_dict\.json"):
        open_pool(tmp_path)


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path):
    path = tmp_path / "a.jsonl"
    os.mkfifo(path)
    with pytest.raises(PoolError, match="not a regular file"):
        open_pool(path)


def test_a_file_that_vanishes_is_a_pool_error(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(RECORD))
    rows = read_pool([path])
    path.unlink()
    with pytest.raises(PoolError, match="cannot be read"):
        next(rows)


def test_every_file_is_opened_before_the_first_row(tmp_path):
    good = tmp_path / "good.jsonl"
    good.write_text(json.dumps(RECORD))
    with pytest.raises(PoolError, match="no such file"):
        read_pool([good, tmp_path / "missing.jsonl"])
