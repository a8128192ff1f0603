"""Looking at a run of SQLite: nothing is written, whoever else works on it."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from entp.checkpoints import open_store
from entp.checkpoints.sqlite.migrations import open_database
from entp.checkpoints.sqlite.run_schema import RUN
from entp.records.errors import RunFolderError
from made_records import row


def look(folder):
    with open_store(folder, read_only=True) as store:
        return [found.id for found in store.rows.all()]


def seen(path):
    return hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns


def refusal(folder):
    with pytest.raises(RunFolderError) as caught:
        open_store(folder, read_only=True)
    assert str(folder / "run.db") in caught.value.message
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.fixture
def folder(tmp_path):
    with open_store(tmp_path, create=True) as store:
        store.rows.replace([row("a", 0)])
    return tmp_path


def test_a_look_changes_no_byte(folder):
    before = seen(folder / "run.db")
    for _ in range(3):
        assert look(folder) == ["a"]
    assert seen(folder / "run.db") == before


def test_a_look_leaves_no_lock_and_keeps_nobody_waiting(folder):
    with open_store(folder, read_only=True) as store:
        rows = store.rows.all()
        assert next(rows).id == "a"  # in the middle of a table
        with closing(sqlite3.connect(folder / "run.db", isolation_level=None, timeout=0)) as writer:
            writer.execute("UPDATE rows SET source = 'another'")
    assert not (folder / "run.lock").exists()
    with closing(sqlite3.connect(folder / "run.db", isolation_level=None, timeout=0)) as alone:
        alone.execute("PRAGMA locking_mode = EXCLUSIVE")
        alone.execute("BEGIN EXCLUSIVE")


def test_a_run_is_looked_at_as_it_was_while_a_writer_holds_a_transaction(folder):
    with open_store(folder) as writer:
        with writer.transaction():
            writer.rows.put([row("b", 1)])
            assert look(folder) == ["a"]
        assert look(folder) == ["a", "b"]
    assert look(folder) == ["a", "b"]


def test_a_look_that_is_open_sees_what_is_written_meanwhile(folder):
    with open_store(folder, read_only=True) as store, open_store(folder) as writer:
        assert store.rows.count() == 1
        writer.rows.put([row("b", 1)])
        assert store.rows.count() == 2


def test_an_older_layout_is_not_brought_up_to_date_by_a_look(tmp_path):
    open_database(tmp_path / "run.db", replace(RUN, migrations=RUN.migrations[:4])).close()
    before = seen(tmp_path / "run.db")
    error = refusal(tmp_path)
    assert error.message.endswith("was written by an earlier ENTP (layout 4, this one reads 5)")
    assert error.remedy.startswith("run any entp command that works on it, such as entp run --run DIR")
    assert seen(tmp_path / "run.db") == before
    open_store(tmp_path).close()
    assert look(tmp_path) == []


def test_a_newer_layout_is_refused(folder):
    with closing(sqlite3.connect(folder / "run.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 6")
    assert "newer ENTP" in refusal(folder).message


def test_what_is_not_a_run_is_refused(tmp_path):
    path = tmp_path / "run.db"
    path.write_text("a text, not a database\n" * 100)
    assert "reading failed" in refusal(tmp_path).message
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    assert "is not ENTP's run.db" in refusal(tmp_path).message


@contextmanager
def as_somebody_else():
    """Without the rights of root, to whom no folder is closed."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def closed_folder():
    """A run in a folder that cannot be written, and how to copy another one there."""
    # pytest's own folders are closed to everybody else
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        folder = Path(parent) / "run"
        folder.mkdir()
        with open_store(folder, create=True) as store:
            store.rows.replace([row("a", 0)])
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


def test_a_run_in_a_folder_that_cannot_be_written_is_looked_at(closed_folder):
    before = seen(closed_folder / "run.db")
    with as_somebody_else():
        assert look(closed_folder) == ["a"]
    assert [path.name for path in closed_folder.iterdir()] == ["run.db"]
    assert seen(closed_folder / "run.db") == before


def test_a_log_that_cannot_be_read_is_not_passed_over(closed_folder):
    """What a killed process left in the log belongs to the run."""
    closed_folder.chmod(0o755)
    writer = sqlite3.connect(closed_folder / "run.db", isolation_level=None)
    writer.execute("DELETE FROM rows")
    log = (closed_folder / "run.db-wal").read_bytes()
    writer.close()
    (closed_folder / "run.db-wal").write_bytes(log)
    closed_folder.chmod(0o555)
    with as_somebody_else():
        error = refusal(closed_folder)
    assert "run.db-wal" in error.message
    assert "copy it to where you can write" in error.remedy
