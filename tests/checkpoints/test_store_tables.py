"""What every run store does, whatever it keeps its records in: tables."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entp.records.embeddings import Embedded
from entp.records.errors import RunFolderError
from entp.records.fusions import Fork, Fusion
from entp.records.pairs import ClusterMember, Pair
from entp.records.ratings import RowRating, Score
from entp.records.rows import RejectedRow, StoredRow
from made_records import (
    distinct,
    drawn,
    ended,
    fork,
    fused_row,
    fusion,
    ids,
    key_of,
    pair,
    rating,
    row,
    score,
)

TABLES = {
    "rows": StoredRow,
    "rejected": RejectedRow,
    "ratings": RowRating,
    "audits": RowRating,
    "embedded": Embedded,
    "scores": Score,
    "clusters": ClusterMember,
    "pairs": Pair,
    "fusions": Fusion,
    "forks": Fork,
}


@pytest.mark.parametrize("table", TABLES)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_records_come_back_as_they_were_put(shared_store, table, data):
    held = getattr(shared_store, table)
    records = distinct(table, data.draw(st.lists(drawn(TABLES[table]), max_size=4)))
    held.replace(iter(records))
    assert held.count() == len(records)
    assert {key_of(table, record): record for record in held.all()} == {
        key_of(table, record): record for record in records
    }
    for record in records:
        assert held.get(key_of(table, record)) == record
    held.remove([key_of(table, record) for record in records] + ["unknown"])
    assert list(held.all()) == []
    held.put(iter(records))
    assert held.count() == len(records)


@pytest.mark.parametrize("table", TABLES)
def test_an_unknown_key_has_no_record(store, table):
    assert getattr(store, table).get("unknown") is None


def test_put_takes_the_place_of_what_has_the_same_key(store):
    store.rows.replace([row("a", 0), row("b", 1)])
    store.rows.put([row("a", 0, source="again"), row("c", 2)])
    assert [(found.id, found.source) for found in store.rows.all()] == [
        ("a", "again"),
        ("b", "pool"),
        ("c", "pool"),
    ]


def test_a_fusion_that_is_put_keeps_its_variants_and_one_that_is_removed_takes_them_along(store):
    store.fusions.finish(ended("p", 0))
    store.fusions.put([fusion("p", carried=None)])
    assert ids(store.fused_rows.of("p")) == ["p-0"]
    store.fusions.remove(["p"])
    assert list(store.fused_rows.all()) == []
    assert store.fused_rows.sources_of("p-0") == []


def test_a_variant_belongs_to_a_fusion(store):
    for write in (store.fused_rows.put, store.fused_rows.replace):
        with pytest.raises(RunFolderError):
            write([fused_row("nowhere", 0)])
    assert store.fused_rows.count() == 0


ORDERED = {
    "rows": [row("b", 0), row("a", 1), row("c", 2)],
    "rejected": [
        RejectedRow(file=file, line=line, found="x", expected="y")
        for file, line in [("a", 2), ("a", 10), ("b", 1)]
    ],
    "ratings": [rating("a", 1), rating("b", None), rating("c", 3)],
    "embedded": [Embedded(position=at, content="c", file="f") for at in (2, 10, 11)],
    "scores": [score("a", 1), score("b", 2)],
    "clusters": [
        ClusterMember(row_id=row_id, cluster=cluster, role="member", rank=rank)
        for row_id, cluster, rank in [("d", 0, 0), ("c", 0, 1), ("a", 0, None), ("b", 0, None), ("e", 1, 0)]
    ],
    "pairs": [pair("z", 0, "row:a", "row:b"), pair("y", 1, "fusion:z", "row:c")],
    "fusions": [fusion("p"), fusion("q")],
    "forks": [fork("z", "p", created="1"), fork("a", "p", created="2"), fork("b", "p", created="2")],
}


@pytest.mark.parametrize("table", ORDERED)
def test_a_table_has_an_order_of_its_own(store, table):
    records = ORDERED[table]
    held = getattr(store, table)
    held.replace(reversed(records))
    assert list(held.all()) == records
    assert list(held.all(2)) == records[:2]
