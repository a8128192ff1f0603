"""A ledger outside the run folder, and several runs that share it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from entp.checkpoints import open_ledger
from entp.pipeline.ahead.job import run_all
from entp.pipeline.run.settings import Places, settings_of
from entp.pipeline.stages.order import look_at_run, open_run
from entp.pipeline.views.verify import verify
from entp.records.errors import RunFolderError


@pytest.fixture
def shared(tmp_path):
    return tmp_path / "shared.db"


def test_a_ledger_is_in_the_run_folder_unless_set(tmp_path, settings, monkeypatch):
    with open_run(tmp_path / "run", settings, create=True) as run:
        assert run.ledger_path == tmp_path / "run" / "calls.db"
    monkeypatch.chdir(tmp_path)
    with open_run(tmp_path / "run", {"ledger": "mine.db"}) as run:
        assert run.ledger_path == tmp_path / "mine.db"
    monkeypatch.chdir("/")
    with look_at_run(tmp_path / "run") as run:
        assert run.ledger_path == tmp_path / "mine.db"


def test_a_second_run_with_the_same_pool_makes_no_call(run_whole, tmp_path, shared, model_server):
    run_whole(tmp_path / "one", rater="model", ledger=str(shared))
    calls = len(model_server.calls)
    assert calls
    assert not (tmp_path / "one" / "calls.db").exists()
    run_whole(tmp_path / "two", rater="model", ledger=str(shared))
    assert len(model_server.calls) == calls
    one, two = ((tmp_path / name / "hq+entp.jsonl").read_bytes() for name in ("one", "two"))
    assert one == two


def test_another_ledger_makes_no_stage_stale(run_whole, shared, model_server):
    run_whole()
    calls = len(model_server.calls)
    again = run_whole(ledger=str(shared))
    assert not any(end.ran for end in again.values())
    assert len(model_server.calls) == calls


@pytest.mark.parametrize("kind", ["another program's text", "run.db", "no folder"])
def test_what_is_no_ledger_is_refused_and_not_stored(tmp_path, settings, kind):
    with open_run(tmp_path / "run", settings, create=True):
        pass
    other = {"run.db": tmp_path / "run" / "run.db", "no folder": tmp_path / "none" / "calls.db"}
    path = other.get(kind, tmp_path / "notes.txt")
    if kind not in other:
        path.write_text(f"{kind}\n" * 100)
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(RunFolderError) as caught, open_run(tmp_path / "run", {"ledger": str(path)}):
        pass
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (path.read_bytes() if path.exists() else None) == before
    with look_at_run(tmp_path / "run") as run:
        assert run.settings.of(Places).ledger is None


def test_verify_looks_into_the_ledger_that_is_set(run_whole, tmp_path, shared):
    run_whole(ledger=str(shared))
    with contextlib.closing(sqlite3.connect(shared)) as connection, connection:
        connection.execute("UPDATE texts SET body = x'00' WHERE id = 3")
    with look_at_run(tmp_path / "run") as run:
        assert [line for line in verify(run) if line.startswith("shared.db: text 3")]


def test_runs_at_the_same_time_answer_each_other(tmp_path, settings, shared):
    """Both runs end, and end as a third does that finds every answer in the ledger."""

    def whole(name):
        changes = {**settings, "ledger": str(shared)}
        with open_run(tmp_path / name, changes, create=True) as run:
            ends = asyncio.run(run_all(run, lambda end: None))
        return next(end.mark.findings["spent"] for end in ends if end.stage.name == "fuse")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(whole, ["one", "two"]))
    assert whole("three")["calls"] == 0
    exported = {(tmp_path / name / "hq+entp.jsonl").read_bytes() for name in ("one", "two", "three")}
    assert len(exported) == 1
    with open_ledger(shared) as ledger:
        assert ledger.verify() == []


ASK_ALL = """
import asyncio, sys
sys.path.insert(0, sys.argv[2])
from chats import FakeChat, request
from entp.checkpoints import open_ledger
from entp.checkpoints.recorded_chat import RecordedChat
async def ask():
    with open_ledger(sys.argv[1]) as ledger:
        chat = RecordedChat(FakeChat(), ledger)
        print("ready", flush=True)
        sys.stdin.readline()
        await asyncio.gather(*(chat.complete(request(str(number))) for number in range(200)))
        print(chat.counts.calls)
asyncio.run(ask())
"""


def test_two_processes_write_one_ledger(shared, request):
    support = request.config.rootpath / "tests" / "support"
    command = [sys.executable, "-c", ASK_ALL, str(shared), str(support)]
    with contextlib.ExitStack() as stack:
        asking = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(2)
        ]
        for process in asking:
            assert process.stdout.readline() == "ready\n"
        for process in asking:
            process.stdin.write("go\n")
            process.stdin.flush()
        calls = [int(process.communicate()[0]) for process in asking]
    with open_ledger(shared) as ledger:
        recorded = list(ledger.calls())
        assert ledger.verify() == []
    assert len({call.key for call in recorded}) == 200
    assert len(recorded) == sum(calls) >= 200


def test_a_settings_file_may_name_it_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    changed = settings_of({}, ()).changed({"ledger": "calls/all.db"})
    assert changed.of(Places).ledger == str(tmp_path / "calls" / "all.db")
    assert changed.whole()["ledger"] == str(tmp_path / "calls" / "all.db")
