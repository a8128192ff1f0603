"""Training files: their forms, what they refuse, and that they appear whole or not at all."""

import errno
import json
from typing import get_args

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entp.formats.export import ExportRow, write_rows
from entp.records.conversation import from_json
from entp.records.errors import PoolError
from entp.records.vocabulary import ExportForm

FORMS = get_args(ExportForm)
SHORT = [("user", "Name a bird."), ("assistant", "A wren.")]
LONG = [("system", "Be short."), *SHORT, ("user", "Another?"), ("assistant", "An owl.")]


def row(said=SHORT, name="r", **metadata):
    turns = from_json([{"role": role, "content": content} for role, content in said])
    return ExportRow(id=name, turns=turns, metadata=metadata)


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("form", "short", "long"),
    [
        (
            "messages",
            {"messages": [{"role": role, "content": text} for role, text in SHORT]},
            {"messages": [{"role": role, "content": text} for role, text in LONG]},
        ),
        (
            "text",
            {"text": "### User\nName a bird.\n\n### Assistant\nA wren."},
            {
                "text": "### System\nBe short.\n\n### User\nName a bird.\n\n### Assistant\nA wren.\n\n"
                "### User\nAnother?\n\n### Assistant\nAn owl."
            },
        ),
        (
            "markers",
            {"text": "### User\nName a bird.\n### Assistant\nA wren."},
            {
                "text": "### System\nBe short.\n### User\nName a bird.\n### Assistant\nA wren.\n"
                "### User\nAnother?\n### Assistant\nAn owl."
            },
        ),
        (
            "alpaca",
            {"instruction": "Name a bird.", "input": "", "output": "A wren."},
            {
                "instruction": "Another?",
                "input": "",
                "output": "An owl.",
                "system": "Be short.",
                "history": [["Name a bird.", "A wren."]],
            },
        ),
        (
            "sharegpt",
            {
                "conversations": [
                    {"from": "human", "value": "Name a bird."},
                    {"from": "gpt", "value": "A wren."},
                ]
            },
            {
                "conversations": [
                    {"from": "system", "value": "Be short."},
                    {"from": "human", "value": "Name a bird."},
                    {"from": "gpt", "value": "A wren."},
                    {"from": "human", "value": "Another?"},
                    {"from": "gpt", "value": "An owl."},
                ]
            },
        ),
    ],
)
def test_the_forms(tmp_path, form, short, long):
    report = write_rows(tmp_path / "a.jsonl", [row(kind="intra"), row(LONG, "s")], form=form)
    assert report == (2, ())
    assert lines(tmp_path / "a.jsonl") == [{"id": "r", **short, "kind": "intra"}, {"id": "s", **long}]
    write_rows(tmp_path / "a.parquet", [row(kind="intra"), row(LONG, "s")], form=form)
    first, second = pq.read_table(tmp_path / "a.parquet").to_pylist()
    missing = dict.fromkeys(long.keys() - short.keys())
    assert first == {"id": "r", **short, **missing, "kind": "intra"}
    assert second == {"id": "s", **long, "kind": None}


REFUSED = [
    (row([("user", "q")]), "the last turn is user"),
    (row([("user", "q"), ("assistant", " ")]), "turn 2 (assistant) is empty"),
    (row([("system", ""), *SHORT]), "turn 1 (system) is empty"),
    (row([("user", "q"), ("assistant", "a\0")]), "a NUL character"),
    (row([("user", "q\udfff"), ("assistant", "a")]), "half of a surrogate pair"),
    (row(messages=[]), "metadata under messages"),
    (row(instruction="x", text="y"), "metadata under instruction, text"),
    (row(loss=float("nan")), "a value that cannot be written"),
    (row(note="\ud800"), "a value that cannot be written"),
    (row(name=""), "a blank id"),
    (row(name="two\nlines"), "the id is two\\nlines"),
]


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
@pytest.mark.parametrize("form", FORMS)
def test_a_row_that_cannot_be_written_is_reported_and_the_others_are_written(tmp_path, form, ending):
    path = tmp_path / f"a{ending}"
    report = write_rows(path, [row(name="a"), *(bad for bad, _ in REFUSED), row(name="z")], form=form)
    written = lines(path) if ending == ".jsonl" else pq.read_table(path).to_pylist()
    assert [record["id"] for record in written] == ["a", "z"]
    assert report.written == 2
    assert [refused.id for refused in report.refused] == [bad.id for bad, _ in REFUSED]
    for refused, (_, found) in zip(report.refused, REFUSED, strict=True):
        assert found in refused.found
        assert refused.expected


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, ending, failure):
    def rows():
        yield from (row(name=str(number)) for number in range(2_500))
        raise failure

    path = tmp_path / f"a{ending}"
    path.write_text("old")
    with pytest.raises(failure):
        write_rows(path, rows(), form="messages", overwrite=True)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_no_file_is_there_before_the_last_row(tmp_path):
    path = tmp_path / "a.jsonl"
    seen = []

    def rows():
        seen.append(path.exists())
        yield row()
        seen.append(path.exists())

    write_rows(path, rows(), form="messages")
    assert seen == [False, False]
    assert path.exists()


def test_an_existing_file_is_kept_unless_overwriting_is_asked_for(tmp_path):
    path = tmp_path / "a.jsonl"
    write_rows(path, [row()], form="messages")
    with pytest.raises(PoolError, match="exists already"):
        write_rows(path, [row(LONG)], form="messages")
    assert len(lines(path)[0]["messages"]) == 2
    write_rows(path, [row(LONG)], form="messages", overwrite=True)
    assert len(lines(path)[0]["messages"]) == 5


@pytest.mark.parametrize(
    ("name", "message"),
    [("a.csv", "unknown ending"), ("no/a.jsonl", "there is no folder"), ("folder.jsonl", "is a folder")],
)
def test_a_target_that_cannot_be_written_is_one_line(tmp_path, name, message):
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(PoolError, match=message):
        write_rows(tmp_path / name, [row()], form="text", overwrite=True)


def test_a_failing_disk_is_one_line(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(PoolError, match=r"cannot be written \(No space left on device\)"):
        write_rows(tmp_path / "a.jsonl", [row()], form="text")
    assert not list(tmp_path.iterdir())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
metadata = st.dictionaries(st.sampled_from(["kind", "loss", "é n", "path"]), json_values, max_size=4)


@settings(max_examples=60, deadline=None)
@given(st.lists(metadata, min_size=1, max_size=5))
def test_any_metadata_fits_a_parquet_file(tmp_path_factory, given_metadata):
    folder = tmp_path_factory.mktemp("metadata")
    rows = [row(name=f"r{n}", **values) for n, values in enumerate(given_metadata)]
    report = write_rows(folder / "a.parquet", rows, form="messages")
    writable = [item for item in rows if item.id not in {refused.id for refused in report.refused}]
    records = pq.read_table(folder / "a.parquet").to_pylist()
    assert [record["id"] for record in records] == [item.id for item in writable]
    for key in {key for item in writable for key in item.metadata}:
        values = [item.metadata.get(key) for item in writable]
        assert same([record[key] for record in records], values)


def same(column, values):
    """Whether a column holds the values, as they are or as JSON texts."""
    return column == values or [item if item is None else json.loads(item) for item in column] == values


def test_metadata_of_one_kind_becomes_a_typed_column(tmp_path):
    rows = [
        row(name="a", kind="intra", loss=1, share=1, kept=True, path=["terms"], mixed=1),
        row(name="b", kind="inter", loss=0, share=0.5, kept=False, path=[], mixed="x"),
        row(name="c", huge=2**70),
    ]
    write_rows(tmp_path / "a.parquet", rows, form="text")
    types = {field.name: str(field.type) for field in pq.read_schema(tmp_path / "a.parquet")}
    assert types == {
        "id": "string",
        "text": "string",
        "kind": "string",
        "loss": "int64",
        "share": "double",
        "kept": "bool",
        "path": "string",
        "mixed": "string",
        "huge": "string",
    }
    first = pq.read_table(tmp_path / "a.parquet").to_pylist()[0]
    assert (first["path"], first["mixed"]) == ('["terms"]', "1")
