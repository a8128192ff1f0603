"""What is written in any form is read back as the same rows."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entp.formats.export import ExportRow, write_rows
from entp.formats.pool import open_pool, read_pool
from entp.formats.text_form import from_text
from entp.records.conversation import Turn

# writing files takes as long as the disk pleases
files = settings(max_examples=40, deadline=None)

visible = st.characters(exclude_categories=["C", "Z"])
anything = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
texts = st.tuples(anything, visible, anything).map("".join)
names = st.text(visible, min_size=1, max_size=20)


@st.composite
def conversations(draw):
    system = [Turn(role="system", content=draw(texts))] if draw(st.booleans()) else []
    spoken = [
        Turn(role=role, content=draw(texts))
        for _ in range(draw(st.integers(1, 3)))
        for role in ("user", "assistant")
    ]
    return (*system, *spoken)


pools = st.lists(
    st.builds(
        ExportRow,
        id=names,
        turns=conversations(),
        metadata=st.fixed_dictionaries({"source": names, "kind": st.sampled_from(["intra", "inter"])}),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row.id,
)


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
@pytest.mark.parametrize("form", ["messages", "alpaca", "sharegpt"])
@files
@given(rows=pools)
def test_rows_come_back_from_every_form(tmp_path_factory, form, ending, rows):
    path = tmp_path_factory.mktemp("trip") / f"pool{ending}"
    assert write_rows(path, rows, form=form) == (len(rows), ())
    assert open_pool(path).shape == form
    read = list(read_pool([path]))
    assert [(row.id, row.source, row.turns) for row in read] == [
        (row.id, row.metadata["source"], row.turns) for row in rows
    ]


@files
@given(rows=pools)
def test_rows_come_back_from_the_text_form(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("trip") / "pool.jsonl"
    write_rows(path, rows, form="text")
    records = [json.loads(line) for line in path.read_bytes().split(b"\n") if line]
    assert [(record["id"], from_text(record["text"])) for record in records] == [
        (row.id, row.turns) for row in rows
    ]


@files
@given(rows=pools)
def test_a_pool_read_and_written_again_is_the_same_file(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("trip")
    write_rows(folder / "one.jsonl", rows, form="sharegpt")
    read = [
        ExportRow(id=row.id, turns=row.turns, metadata={"source": row.source})
        for row in read_pool([folder / "one.jsonl"])
    ]
    write_rows(folder / "two.jsonl", read, form="alpaca")
    again = [
        ExportRow(id=row.id, turns=row.turns, metadata=old.metadata)
        for row, old in zip(read_pool([folder / "two.jsonl"]), rows, strict=True)
    ]
    write_rows(folder / "three.jsonl", again, form="sharegpt")
    assert (folder / "one.jsonl").read_bytes() == (folder / "three.jsonl").read_bytes()
