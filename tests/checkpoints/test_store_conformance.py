"""What every run store does, whatever it keeps its records in: opening, transactions, the run itself."""

from __future__ import annotations

import subprocess
import sys
import uuid
from datetime import datetime

import pytest

from entp.checkpoints import holds_run, open_store
from entp.records.errors import RunFolderError, UsageError
from entp.records.listings import Orphan
from entp.records.pairs import ClusterMember
from entp.records.work import Task
from made_records import (
    ended,
    fused_row,
    fusion,
    ids,
    mark,
    member,
    pair,
    rating,
    row,
    score,
)


def test_a_run_is_made_only_where_asked_for(url):
    assert not holds_run(url)
    with pytest.raises(RunFolderError, match="does not hold a run") as caught:
        open_store(url)
    assert "entp load" in caught.value.remedy
    with pytest.raises(RunFolderError, match="does not hold a run"):
        open_store(url, create=True, read_only=True)
    assert not holds_run(url)
    open_store(url, create=True).close()
    assert holds_run(url)


def test_the_way_in_is_light():
    heavy = ["sqlite3", "pydantic", "langgraph"]
    look = f"import sys, entp.checkpoints; print([name for name in {heavy} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_what_is_kept_is_there_again(url):
    with open_store(url, create=True) as store:
        store.rows.replace([row("a", 0)])
        run_id = store.run_id
    with open_store(url) as store:
        assert store.rows.get("a") == row("a", 0)
        assert store.run_id == run_id
        assert store.place.startswith(str(url))


def test_every_run_has_an_id_of_its_own(tmp_path):
    urls = [f"memory:{uuid.uuid4()}", f"memory:{uuid.uuid4()}", tmp_path, f"sqlite:///{tmp_path}/other.db"]
    stores = [open_store(url, create=True) for url in urls]
    assert len({store.run_id for store in stores}) == len(stores)
    for store in stores:
        store.close()


@pytest.mark.parametrize("url", ["postgres://host/run", "sqlite:run.db", "mysql:x"])
def test_an_address_of_another_kind_is_refused(url):
    for use in (open_store, holds_run):
        with pytest.raises(UsageError, match="sqlite:///PATH or memory:NAME"):
            use(url)


def test_a_store_for_looking_cannot_be_written(url):
    with open_store(url, create=True) as store:
        store.rows.replace([row("a", 0)])
    with open_store(url, read_only=True) as store:
        assert ids(store.rows.all()) == ["a"]
        for write in (
            lambda: store.rows.put([row("b", 1)]),
            lambda: store.rows.remove(["a"]),
            lambda: store.exports.add("x"),
            lambda: store.tasks.refill([Task(pair_id="p", position=0)]),
        ):
            with pytest.raises(RunFolderError):
                write()
        assert ids(store.rows.all()) == ["a"]


def test_a_transaction_that_fails_leaves_nothing(store):
    store.rows.replace([row("a", 0)])

    def fail():
        with store.transaction():
            store.rows.replace([row("b", 0)])
            store.fusions.finish(ended("p", 0))
            store.set_settings({"seed": 1})
            store.exports.add("file")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert ids(store.rows.all()) == ["a"]
    assert store.fusions.count() == store.fused_rows.count() == 0
    assert store.settings() == {}
    assert not store.exports.has("file")


def test_a_transaction_that_ends_is_kept(url):
    with open_store(url, create=True) as store, store.transaction():
        store.rows.replace([row("a", 0)])
        store.ratings.put([rating("a", 3)])
    with open_store(url) as store:
        assert (store.rows.count(), store.ratings.count()) == (1, 1)


def test_transactions_are_not_nested(store):
    with pytest.raises(RuntimeError), store.transaction(), store.transaction():
        pass
    with store.transaction():
        store.rows.replace([row("a", 0)])
    assert store.rows.count() == 1


@pytest.mark.parametrize("write", ["replace", "put"])
def test_records_that_break_off_change_nothing(store, write):
    store.rows.replace([row("a", 0)])

    def broken():
        yield row("b", 1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        getattr(store.rows, write)(broken())
    assert ids(store.rows.all()) == ["a"]


def test_marks(store):
    assert store.marks.get("load") is None
    kept = store.marks.put(mark())
    assert kept == mark(finished=kept.finished)
    assert datetime.fromisoformat(kept.finished).utcoffset().total_seconds() == 0
    assert store.marks.get("load") == kept
    again = store.marks.put(mark(finished="never"))
    assert again.finished != "never"
    store.marks.put(mark("rate"))
    store.marks.remove("load")
    store.marks.remove("load")
    assert store.marks.get("load") is None
    assert store.marks.get("rate") is not None


def test_settings_and_code(store):
    assert store.settings() == store.code() == {}
    values = {"model": None, "pool": ["é", "b"], "limits": {"x": 1.5}, "strict": True}
    store.set_settings(values)
    store.set_code({"entp": "1"})
    assert store.settings() == values
    assert list(store.settings()) == list(values)
    assert store.code() == {"entp": "1"}
    store.set_settings({"seed": 1})
    assert store.settings() == {"seed": 1}


def test_a_sound_store_has_no_problems_and_no_orphans(sets):
    assert list(sets.problems()) == []
    tables = ("rows", "rejected_rows", "ratings", "audits", "embedded", "scores", "clusters", "pairs")
    assert list(sets.orphans((*tables, "fusions", "fused_rows", "lineage", "exports"))) == []


def test_a_store_whose_fusions_all_failed_has_no_orphans(store):
    store.fusions.put([fusion("f", status="failed")])
    expected = Orphan("fusions", "f", "fusion of a pair that is not planned")
    assert list(store.orphans(("fusions", "fused_rows", "lineage"))) == [expected]


def test_orphans_are_named(store):
    store.ratings.put([rating("r", 1)])
    store.audits.put([rating("r", 1)])
    store.scores.put([score("r", 1)])
    store.clusters.put([ClusterMember(row_id="r", cluster=0, role="centre")])
    store.pairs.put([pair("p", 0, "row:r", "fusion:q")])
    store.fusions.finish(ended("f", 0, sources=["s"]))
    store.fusions.put([fusion("f", carried="f-9")])
    store.fused_rows.put([fused_row("f", 1), fused_row("f", 2, loss=None)])
    store.data_sets.replace("all", [member("all", 0, "HQ", "r")])
    expected = [
        Orphan("ratings", "r", "rating of a row that is not there"),
        Orphan("audits", "r", "second rating of a row that is not there"),
        Orphan("scores", "r", "score of a row that is not there"),
        Orphan("clusters", "r", "cluster of a row that is not there"),
        Orphan("pairs", "p", "pair whose left side is not there"),
        Orphan("pairs", "p", "pair whose right side is not there"),
        Orphan("fusions", "f", "fusion of a pair that is not planned"),
        Orphan("fusions", "f", "fusion whose carried row is not there"),
        Orphan("fused_rows", "f-1", "fused row without its sources"),
        Orphan("lineage", "f-0", "fused row made from a row that is not there"),
        Orphan("datasets", "r", "row of a data set that is not there"),
    ]
    found = list(
        store.orphans(
            (
                "ratings",
                "audits",
                "scores",
                "clusters",
                "pairs",
                "fusions",
                "fused_rows",
                "lineage",
                "datasets",
            )
        )
    )
    assert found == expected
    assert list(store.orphans(("datasets",))) == expected[-1:]
