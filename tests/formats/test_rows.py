"""Ids, sources and ratings of rows, and the rows that repeat others."""

import json

import pytest

from entp.formats.misfit import MOST_SHOWN
from entp.formats.pool import read_pool
from entp.records.rows import RejectedRow, Row, content_hash


def pool(folder, *records, name="birds.jsonl"):
    path = folder / name
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def asked(question, **more):
    return {"instruction": question, "output": "Told.", **more}


def test_a_row_keeps_its_own_id_and_place(tmp_path):
    path = pool(tmp_path, asked("a", id="first"), asked("b", id=7), asked("c", id="née 1"))
    rows = list(read_pool([path]))
    assert [row.id for row in rows] == ["first", "7", "née 1"]
    assert [(row.file, row.line) for row in rows] == [(str(path), 1), (str(path), 2), (str(path), 3)]


@pytest.mark.parametrize("none", [{}, {"id": None}, {"id": ""}, {"id": "  "}])
def test_a_row_without_an_id_is_named_by_its_content(tmp_path, none):
    (row,) = read_pool([pool(tmp_path, asked("a", **none))])
    assert row.id == content_hash(row.turns)[:16]


def test_a_repeated_id_is_rejected_with_the_place_of_the_first(tmp_path):
    one = pool(tmp_path, asked("a", id=1), asked("b", id="1"), name="one.jsonl")
    two = pool(tmp_path, asked("c", id="1"), asked("d", id=2), name="two.jsonl")
    rows = list(read_pool([one, two]))
    assert [isinstance(row, Row) for row in rows] == [True, False, False, True]
    assert "id 1 again, first at" in rows[1].found
    assert rows[2].found.endswith("one.jsonl:1")
    assert (rows[2].file, rows[2].line) == (str(two), 1)


def test_repeated_content_is_rejected_unless_the_row_has_an_id(tmp_path):
    path = pool(tmp_path, asked("a", id="x"), asked("b"), asked("b"), asked("a"), asked("a", id="y"))
    rows = list(read_pool([path]))
    assert [isinstance(row, Row) for row in rows] == [True, True, False, False, True]
    assert "birds.jsonl:2 again" in rows[2].found
    assert "birds.jsonl:1 again" in rows[3].found


def test_the_source_is_the_record_s_or_the_file_s(tmp_path):
    path = pool(
        tmp_path,
        asked("a", source="flan_v2/cot"),
        asked("b", dataset="dolly"),
        asked("c", source="x", dataset="y"),
        asked("d", source=" "),
        asked("e"),
    )
    assert [row.source for row in read_pool([path])] == ["flan_v2/cot", "dolly", "x", "birds", "birds"]


def test_whole_ratings_are_read(tmp_path):
    path = pool(
        tmp_path,
        asked("a", ratings={"gpt-4o-mini": 0, "llama": 10, "mistral": 3.0, "none": None}),
        asked("b", ratings=None),
        asked("c", ratings={}),
    )
    assert [row.ratings for row in read_pool([path])] == [
        {"gpt-4o-mini": 0, "llama": 10, "mistral": 3},
        {},
        {},
    ]


@pytest.mark.parametrize(
    "rating", [3.5, "4", True, -1, 11, 1e999, [4], {"overall": 4}, 10**400, float("1e300")], ids=str
)
def test_any_other_rating_rejects_the_row(tmp_path, rating):
    line = json.dumps(asked("a", ratings={"llama": rating})).replace("Infinity", "1e999")
    path = tmp_path / "birds.jsonl"
    path.write_text(line + "\n" + json.dumps(asked("b")))
    rejected, _ = read_pool([path])
    assert rejected.found.startswith("the rating of llama is ")
    assert rejected.expected == "a whole number from 0 to 10"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", 1.5),
        ("id", True),
        ("id", ["x"]),
        ("id", "two\nlines"),
        ("id", "x" * 201),
        ("id", "\ud800"),
        ("id", "a\0b"),
        ("id", 10**300),
        ("source", 3),
        ("source", "\x1b[31m"),
        ("dataset", {}),
        ("ratings", [4]),
        ("ratings", "4"),
        ("ratings", {"x" * 201: 4}),
    ],
    ids=str,
)
def test_a_field_that_cannot_be_used_rejects_the_row(tmp_path, key, value):
    rejected, row = read_pool([pool(tmp_path, asked("a", **{key: value}), asked("b"))])
    assert isinstance(rejected, RejectedRow)
    assert isinstance(row, Row)
    assert len(rejected.found) <= MOST_SHOWN
    assert rejected.found.isprintable()


def test_what_was_found_is_short_and_on_one_line(tmp_path):
    keys = {f"\x1b[2J\n\u202e{n}": n for n in range(1000)}
    rejected, _ = read_pool([pool(tmp_path, {"output": "a", **keys}, asked("b"))])
    assert len(rejected.found) == MOST_SHOWN
    assert rejected.found.isprintable()
    assert "\\x1b[2J\\n\\u202e0" in rejected.found
