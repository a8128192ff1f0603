"""What is special to a run that SQLite keeps: damage, hashes of columns, streams, several processes."""

from __future__ import annotations

import sqlite3
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import get_args

import pytest

from entp.checkpoints import open_store
from entp.checkpoints.store import TableName
from entp.records.embeddings import Embedded
from entp.records.errors import RunFolderError
from entp.records.fusions import Ended
from entp.records.pairs import ClusterMember
from entp.records.rows import RejectedRow
from entp.records.work import Task
from made_records import (
    ended,
    fork,
    fused_row,
    fusion,
    mark,
    member,
    pair,
    rating,
    row,
    score,
    turns,
)

RESTORE = "it was damaged or changed: restore a copy of it"


@pytest.fixture
def folder(tmp_path):
    """A run with a record in every table."""
    with open_store(tmp_path, create=True) as store:
        store.rows.replace([row("a", 0, ratings={"gpt": 7}), row("b", 1)])
        store.rejected.replace([RejectedRow(file="f", line=1, found="x", expected="y")])
        store.ratings.put([rating("a", 3), rating("b", None)])
        store.audits.put([rating("a", 4)])
        store.embedded.put([Embedded(position=0, content="c", file="f")])
        store.scores.put([score("a", 4, quality="HQ"), score("b", 1)])
        store.clusters.put([ClusterMember(row_id="b", cluster=0, role="centre", rank=0)])
        store.pairs.put([pair("p1", 0, "row:a", "row:b")])
        store.tasks.refill([Task(pair_id="p1", position=0)])
        store.fusions.finish(ended("p1", 0, None))
        store.tasks.refill([Task(pair_id="p1", position=0)])
        store.forks.put([fork("f1", "p1")])
        store.data_sets.replace("all", [member("all", 0, "HQ", "a")])
        store.exports.add("/out")
        store.marks.put(mark())
        store.set_settings({"seed": 1})
        store.set_code({"entp": "1"})
    return tmp_path


def execute(folder, sql, *values):
    with closing(sqlite3.connect(folder / "run.db", isolation_level=None)) as connection:
        connection.execute(sql, values)


# a value that no stage writes, by table and column: the record's key, and what reads it
DAMAGE = [
    ("rows", "turns", "{", "a", lambda store: store.rows.all()),
    ("rows", "turns", '[{"role": "robot", "content": ""}]', "a", lambda store: store.rows.get("a")),
    ("rows", "turns", "[" * 100_000, "a", lambda store: store.rows.turns_of(["a"])),
    ("rows", "ratings", "[]", "a", lambda store: store.rows.between(0, 0)),
    ("rejected_rows", "line", "x", "f:x", lambda store: store.rejected.all()),
    ("ratings", "score", "x", "a", lambda store: store.rows.scored()),
    ("ratings", "origin", "", "a", lambda store: store.ratings.all()),
    ("audits", "score", "x", "a", lambda store: store.audits.beside_first()),
    ("audits", "score", "x", "a", lambda store: store.audits.listed()),
    ("embedded", "content", b"\xff", "0", lambda store: store.embedded.all()),
    ("scores", "quality", "MQ", "a", lambda store: store.scores.all()),
    ("scores", "content_class", "poem", "a", lambda store: store.scores.of_quality("HQ")),
    ("clusters", "role", "?", "b", lambda store: store.clusters.all()),
    ("pairs", "left_kind", "?", "p1", lambda store: store.pairs.with_lengths()),
    ("tasks", "tries", "x", "p1", lambda store: store.tasks.claim("w", 1, now_s=0, until_s=1)),
    ("fusions", "recipe", "{}", "p1", lambda store: store.fusions.get("p1")),
    ("fusions", "recipe", "{", "p1", lambda store: store.fusions.made_alike(["p1"])),
    ("fusions", "templates", "[]", "p1", lambda store: store.fusions.standing("p1")),
    ("fused_rows", "attempts", "{}", "p1-0", lambda store: store.fused_rows.of("p1")),
    ("fused_rows", "loss", "x", "p1-0", lambda store: store.fused_rows.candidates()),
    ("fused_rows", "templates", "{", "p1-0", lambda store: store.fused_rows.made_from("a")),
    ("forks", "changes", "x", "f1", lambda store: store.forks.of("p1")),
    ("datasets", "kind", "?", "all:0", lambda store: store.data_sets.members("all")),
    ("stages", "books", "[]", "load", lambda store: store.marks.get("load")),
    ("settings", "value", "{", "seed", lambda store: store.settings()),
    ("code", "value", "{", "entp", lambda store: store.code()),
]


def damage(folder, table, column, value):
    with closing(sqlite3.connect(folder / "run.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = 1")
        connection.execute(
            f"UPDATE {table} SET {column} = ? WHERE rowid = (SELECT min(rowid) FROM {table})", [value]
        )


def everything(read, store):
    """All that is read, also where it comes bit by bit."""
    found = read(store)
    return found if found is None else list(found)


CASES = [f"{table}.{column}-{number}" for number, (table, column, *_) in enumerate(DAMAGE)]


@pytest.mark.parametrize(("table", "column", "value", "key", "read"), DAMAGE, ids=CASES)
def test_a_record_that_cannot_be_read_is_named(folder, table, column, value, key, read):
    damage(folder, table, column, value)
    with open_store(folder) as store, pytest.raises(RunFolderError) as caught:
        everything(read, store)
    assert f"{folder / 'run.db'}: {key!r} in table {table} cannot be read: " in caught.value.message
    assert caught.value.remedy == RESTORE
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(("table", "column", "value", "key"), [case[:4] for case in DAMAGE], ids=CASES)
def test_problems_name_every_record_that_cannot_be_read(folder, table, column, value, key):
    damage(folder, table, column, value)
    with open_store(folder) as store:
        (problem,) = [line for line in store.problems() if "cannot be read" in line]
    assert f"{key!r} in table {table}" in problem


def test_a_run_without_its_id_is_damaged(folder):
    execute(folder, "DELETE FROM run")
    with pytest.raises(RunFolderError, match="has lost the id of its run") as caught:
        open_store(folder)
    assert caught.value.remedy == RESTORE


def test_what_sqlite_cannot_read_in_a_query_is_an_error_of_the_file(folder):
    execute(folder, "UPDATE rows SET ratings = '{' WHERE id = 'a'")
    execute(folder, "UPDATE ratings SET rater = CAST(x'ff' AS TEXT)")
    with open_store(folder) as store:
        for read, message in ((store.rows.raters, "reading failed"), (store.ratings.raters, "holds a text")):
            with pytest.raises(RunFolderError, match=message) as caught:
                read()
            assert str(folder / "run.db") in caught.value.message
            assert caught.value.remedy == RESTORE


def test_what_is_not_a_text_is_named_by_its_record(folder):
    execute(folder, "UPDATE rows SET source = CAST(x'ff' AS TEXT) WHERE id = 'b'")
    execute(folder, "UPDATE fused_rows SET turns = CAST(x'ff' AS TEXT) WHERE id = 'p1-1'")
    with open_store(folder) as store:
        for read, named in ((store.rows.all, "'b' in table rows"), (store.fused_rows.all, "'p1-1' in table")):
            with pytest.raises(RunFolderError, match=named):
                list(read())
        assert len(list(store.problems())) == 2


def test_problems_of_references_are_named(folder):
    execute(folder, "DELETE FROM fusions")
    with open_store(folder) as store:
        problems = list(store.problems())
    assert (
        problems == [f"{folder / 'run.db'}: fused_rows refers to a record of fusions that is not there"] * 2
    )


def test_problems_of_the_file_are_named(folder):
    execute(folder, "PRAGMA wal_checkpoint(TRUNCATE)")
    with closing(sqlite3.connect(folder / "run.db")) as connection:
        page, size = connection.execute(
            "SELECT rootpage, (SELECT * FROM pragma_page_size) FROM sqlite_master WHERE name = 'scores'"
        ).fetchone()
    with (folder / "run.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    with open_store(folder) as store:
        problems = list(store.problems())
    assert problems
    assert all(str(folder / "run.db") in problem for problem in problems)


@pytest.mark.parametrize("table", get_args(TableName))
def test_a_digest_is_of_every_column_as_it_is_stored(folder, table):
    def digest():
        with open_store(folder, read_only=True) as store:
            return store.digest([table])

    with closing(sqlite3.connect(folder / "run.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = 1")
        names = [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", [table])]
        seen = {digest()}
        for number, name in enumerate(names):
            value = 1000 + number
            connection.execute(
                f"UPDATE {table} SET {name} = ? WHERE rowid = (SELECT min(rowid) FROM {table})", [value]
            )
            seen.add(digest())
    assert len(seen) == len(names) + 1


def test_a_digest_knows_types_apart(folder):
    with open_store(folder) as store:
        seen = set()
        for value in (None, "", "0", b"0"):
            execute(folder, "UPDATE fused_rows SET raw = ? WHERE id = 'p1-0'", value)
            seen.add(store.digest(["fused_rows"]))
    assert len(seen) == 4


def test_texts_with_half_a_surrogate_pair_are_kept(folder):
    said = turns("half \ud83d", "é \udc00")
    rows = [fused_row("p1", 0, turns=said, reason="é \ud83d", raw="\udc00", attempts=[{"turns": "\ud83d"}])]
    with open_store(folder) as store:
        store.fusions.finish(Ended(fusion("p1"), rows, ["a"]))
        assert store.fused_rows.of("p1") == rows
        assert list(store.problems()) == []
        assert store.fused_rows.overrides() == 0
        failed = [fused_row("p1", 0, loss=None, reason="é \ud83d")]
        store.fusions.finish(Ended(fusion("p1"), failed, ["a"]))
        assert store.fused_rows.failure_reasons() == ["é \ud83d"]
        store.digest(["fused_rows"])


def test_large_tables_are_read_and_written_in_a_stream(tmp_path):
    text = "x" * 10_000
    with open_store(tmp_path, create=True) as store:
        tracemalloc.start()
        store.rows.replace(row(str(at), at, said=turns(text)) for at in range(2_000))
        assert sum(len(found.turns[0].content) for found in store.rows.all()) == 20_000_000
        assert sum(found.position for found in store.rows.unrated()) == 1_999_000
        store.digest(["rows"])
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < 5_000_000


def test_the_path_of_a_fusion_looks_at_no_schema(folder):
    with open_store(folder) as store:
        statements = []
        store._file._connection.set_trace_callback(statements.append)
        (task,) = store.tasks.claim("w", 1, now_s=0, until_s=1)
        store.rows.turns_of(["a", "b"])
        store.fusions.standing(task.pair_id)
        store.fusions.finish(ended("p1", 0, 0, 0))
        store.marks.get("load")
    assert len(statements) < 30
    assert not [sql for sql in statements if "sqlite_master" in sql or "PRAGMA" in sql]


def test_workers_share_a_queue_without_taking_a_task_twice(tmp_path):
    pairs = [pair(f"p{at}", at, "row:a", "row:b") for at in range(60)]
    with open_store(tmp_path, create=True) as store:
        store.pairs.replace(pairs)
        store.tasks.refill(Task(pair_id=found.id, position=found.position) for found in pairs)
    together = threading.Barrier(4)

    def work(holder):
        done = []
        with open_store(tmp_path) as store:
            together.wait()
            while claimed := store.tasks.claim(holder, 2, now_s=0, until_s=1):
                for task in claimed:
                    store.fusions.finish(ended(task.pair_id, 0))
                    done.append(task.pair_id)
        return done

    with ThreadPoolExecutor(4) as pool:
        done = [pair_id for found in pool.map(work, "abcd") for pair_id in found]
    assert sorted(done) == sorted(found.id for found in pairs)
    with open_store(tmp_path) as store:
        assert store.tasks.count() == 0
        assert store.fused_rows.count() == 60
