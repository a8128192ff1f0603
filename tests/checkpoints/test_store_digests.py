"""What every run store does, whatever it keeps its records in: digests."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entp.records.embeddings import Embedded
from entp.records.fusions import FusedRow, Fusion
from entp.records.pairs import ClusterMember, Pair
from entp.records.ratings import RowRating, Score
from entp.records.rows import RejectedRow, StoredRow
from made_records import (
    distinct,
    drawn,
    drawn_field,
    ended,
    fusion,
    mark,
    member,
    rating,
    row,
)

DIGESTED = {
    "rows": ("rows", StoredRow),
    "rejected_rows": ("rejected", RejectedRow),
    "ratings": ("ratings", RowRating),
    "audits": ("audits", RowRating),
    "embedded": ("embedded", Embedded),
    "scores": ("scores", Score),
    "clusters": ("clusters", ClusterMember),
    "pairs": ("pairs", Pair),
    "fusions": ("fusions", Fusion),
    "fused_rows": ("fused_rows", FusedRow),
}
FIELDS = [(table, name) for table, (_, kind) in DIGESTED.items() for name in kind.model_fields]


def fill(store, table, records):
    attribute, _ = DIGESTED[table]
    if table == "fused_rows":
        store.fusions.replace(fusion(record.fusion_id) for record in records)
    getattr(store, attribute).replace(records)
    return store.digest([table])


@pytest.mark.parametrize(("table", "name"), FIELDS)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_a_digest_changes_with_any_value_of_any_field(shared_store, table, name, data):
    kind = DIGESTED[table][1]
    record = data.draw(drawn(kind))
    value = data.draw(drawn_field(kind, name).filter(lambda value: value != getattr(record, name)))
    before = fill(shared_store, table, [record])
    assert fill(shared_store, table, [record.model_copy(update={name: value})]) != before
    assert fill(shared_store, table, [record]) == before


@pytest.mark.parametrize("table", DIGESTED)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_digest_is_of_all_records_in_whatever_order_they_came(shared_store, table, data):
    attribute, kind = DIGESTED[table]
    records = distinct(attribute, data.draw(st.lists(drawn(kind), min_size=2, max_size=4)))
    whole = fill(shared_store, table, records)
    assert fill(shared_store, table, records[::-1]) == whole
    assert fill(shared_store, table, records[1:]) != whole


def test_a_digest_is_of_the_tables_that_are_named(sets):
    tables = [*DIGESTED, "lineage", "datasets", "exports"]
    before = {table: sets.digest([table]) for table in tables}
    assert len(set(before.values())) == len(tables)

    def changed(change):
        change()
        now = {table: sets.digest([table]) for table in tables}
        found = [table for table in tables if now[table] != before[table]]
        before.update(now)
        return found

    assert changed(lambda: sets.rows.put([row("e", 9)])) == ["rows"]
    assert changed(lambda: sets.exports.add("/a")) == ["exports"]
    assert changed(lambda: sets.data_sets.replace("x", [member("x", 0, "HQ", "a")])) == ["datasets"]
    assert changed(lambda: sets.fusions.finish(ended("p1", 0, None, sources=["a"]))) == ["lineage"]
    assert changed(lambda: sets.marks.put(mark())) == []
    both = sets.digest(["rows", "ratings"])
    assert both != sets.digest(["ratings", "rows"])
    sets.ratings.put([rating("a", 1)])
    assert both != sets.digest(["rows", "ratings"])


def test_a_field_does_not_run_over_into_the_next(store):
    def digest(found, expected):
        store.rejected.replace([RejectedRow(file="f", line=1, found=found, expected=expected)])
        return store.digest(["rejected_rows"])

    assert digest("ab", "c") != digest("a", "bc")
    assert digest("", "abc") != digest("abc", "")
