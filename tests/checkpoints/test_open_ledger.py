"""Addresses of ledgers, and files that are opened only to be looked at."""

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from entp.checkpoints import open_ledger
from entp.checkpoints.sqlite.ledger_schema import LEDGER
from entp.checkpoints.sqlite.migrations import Layout, open_database
from entp.records.errors import RunFolderError, UsageError
from recorded_calls import called, find, record


@pytest.mark.parametrize("url", ["calls.db", Path("calls.db"), Path("odd:name.db"), "sqlite:///calls.db"])
def test_a_path_is_a_file(tmp_path, monkeypatch, url):
    monkeypatch.chdir(tmp_path)
    with open_ledger(url) as ledger:
        record(ledger, called())
    assert (tmp_path / str(url).removeprefix("sqlite:///")).exists()


def test_an_absolute_path_has_a_fourth_slash(tmp_path):
    open_ledger(f"sqlite:///{tmp_path}/calls.db").close()
    assert (tmp_path / "calls.db").exists()


def test_memory_is_shared_by_name():
    with open_ledger("memory:one") as ledger:
        record(ledger, called())
    with open_ledger("memory:one") as same, open_ledger("memory:two") as other:
        assert find(same, called().key)
        assert not find(other, called().key)
    with open_ledger("memory:") as one, open_ledger("memory:") as another:
        record(one, called())
        assert not find(another, called().key)


@pytest.mark.parametrize("url", ["postgresql://me:secret@host/calls", "sqlite://calls.db", "sqlite:calls.db"])
def test_another_address_is_refused_without_showing_it(url):
    with pytest.raises(UsageError, match=r"give a path, sqlite:///PATH or memory:NAME") as caught:
        open_ledger(url)
    assert url.partition(":")[0] in str(caught.value)
    assert "secret" not in str(caught.value)


def test_looking_makes_no_file(tmp_path):
    with pytest.raises(RunFolderError, match="reading failed"):
        open_ledger(tmp_path / "calls.db", read_only=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("step", "what"), [(-1, "an earlier"), (1, "a newer")])
def test_a_file_of_another_version_is_left_as_it_is(tmp_path, step, what):
    path = tmp_path / "calls.db"
    older = Layout(file=LEDGER.file, tag=LEDGER.tag, migrations=LEDGER.migrations[:-1])
    open_database(path, older if step < 0 else LEDGER).close()
    if step > 0:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA user_version = {len(LEDGER.migrations) + 1}")
    before = path.read_bytes()
    with pytest.raises(RunFolderError, match=f"was written by {what} ENTP") as caught:
        open_ledger(path, read_only=True)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_what_is_not_a_ledger_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("some text\n" * 100)
    with pytest.raises(RunFolderError, match=r"notes\.txt"):
        open_ledger(path, read_only=True)


def test_the_room_is_light_to_enter():
    code = "import sys, entp.checkpoints; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"langgraph", "sqlite3", "sqlite_utils"} & set(done.stdout.split())
