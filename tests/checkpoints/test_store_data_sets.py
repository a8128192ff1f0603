"""What every run store does, whatever it keeps its records in: data sets."""

from __future__ import annotations

from entp.records.datasets import RowFacts
from entp.records.listings import ListedDataSet
from made_records import (
    ids,
    member,
)


def test_data_sets_by_name(sets):
    assert sets.data_sets.names() == [
        ListedDataSet(name="all", rows=1, made_by="baseline"),
        ListedDataSet(name="hq+entp", rows=6, made_by="blend"),
    ]
    assert ids(sets.data_sets.members("hq+entp")) == ["a", "gone", "p1-0", "gone-0", "p1-1", "d"]
    assert ids(sets.data_sets.members("hq+entp", 2)) == ["a", "gone"]
    assert list(sets.data_sets.members("unknown")) == []
    assert (sets.data_sets.count("hq+entp"), sets.data_sets.count("unknown")) == (6, 0)
    assert sets.data_sets.holding("a") == ["all", "hq+entp"]
    assert sets.data_sets.holding("b") == []


def test_the_rows_of_a_data_set(sets):
    rows = list(sets.data_sets.rows("hq+entp"))
    assert [found.member.id for found in rows] == ["a", "p1-0", "d"]
    assert [found.turns for found in rows] == [
        sets.rows.get("a").turns,
        sets.fused_rows.get("p1-0").turns,
        sets.rows.get("d").turns,
    ]
    assert [found.facts for found in rows] == [
        RowFacts(kind="HQ", source="y", score=4),
        RowFacts(kind="intra", strategy="analogy", loss=0, model="fake", made_from=["a", "b"]),
        RowFacts(kind="LQ", source="z"),
    ]


def test_a_data_set_is_replaced_as_a_whole(sets):
    sets.data_sets.replace("hq+entp", iter([member("hq+entp", 0, "HQ", "b")]))
    assert ids(sets.data_sets.members("hq+entp")) == ["b"]
    assert sets.data_sets.count("all") == 1
    sets.data_sets.replace("all", [])
    assert [found.name for found in sets.data_sets.names()] == ["hq+entp"]


def test_only_the_data_sets_of_one_command_are_dropped(sets):
    sets.data_sets.replace("hq+intra", [member("hq+intra", 0, "HQ", "a")])
    sets.data_sets.retain(["hq+intra"], "blend")
    assert [found.name for found in sets.data_sets.names()] == ["all", "hq+intra"]
    sets.data_sets.retain([], "blend")
    assert [found.name for found in sets.data_sets.names()] == ["all"]


def test_exports_are_known_again(store):
    assert not store.exports.has("/a")
    store.exports.add("/a")
    store.exports.add("/a")
    assert store.exports.has("/a")
    store.exports.remove("/a")
    store.exports.remove("/b")
    assert not store.exports.has("/a")
