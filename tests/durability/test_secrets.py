"""No key in any file, log or message, whatever a model server sends back."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import zlib
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from command import entp
from entp.pipeline.run.settings import Places
from entp.pipeline.stages.order import look_at_run
from scripted_server import ScriptedServer, Sent, as_json

KEY = "Xq9-distinctive-4711"
CHILD = Path(__file__).parents[1] / "support" / "loud_child.py"
ECHO = f"Incorrect key {KEY}, sent as Authorization: Bearer {KEY}"
ECHOING = {"X-Echo": f"Bearer {KEY}", "WWW-Authenticate": f'Bearer realm="{KEY}"'}


def told(status):
    """An error that repeats the key in its headers and body."""
    return as_json({"error": {"message": ECHO}}, status, headers=ECHOING)


HTML = f"<html><body>{ECHO}</body></html>".encode()
# by the row that meets them; what stops a run meets the last
FAULTS = {
    "number 0?": told(400),
    "number 1?": Sent(HTML, 500, ECHOING, "text/html"),
    "number 2?": Sent(HTML, 200, ECHOING, "text/html"),
    "number 3?": as_json({"choices": [], "echo": ECHO}, headers=ECHOING),
    "number 4?": told(429),
    "number 7?": told(401),
}


@pytest.fixture
def loud(tmp_path):
    """Run a command as a process that logs everything, with the key; gives all that it printed."""

    def run(*args, **environment):
        surroundings = {**os.environ, "OPENAI_API_KEY": KEY, "PYTHONDEVMODE": "1", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", CHILD, *map(str, args)],
            env=surroundings | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture
def arguments(tmp_path):
    pool = tmp_path / "pool.jsonl"
    records = [{"instruction": f"Question number {at}?", "output": f"Answer {at}."} for at in range(8)]
    pool.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    model = ("--model", "fake", "--reply-mode", "json_schema")
    selection = ("--encoder", "embedded", "--similarity", 0.6, "--lq-below", 5, "--pairs", 1)
    return (pool, "--run", tmp_path / "run", *model, *selection)


def held(folder):
    """Every byte in a folder, and what is packed in its databases."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    packed = [value for file in files if file.suffix == ".db" for value in blobs(file)]
    return b"".join([*(file.read_bytes() for file in files), *map(unpacked, packed)])


def blobs(path):
    with closing(sqlite3.connect(path)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in connection.execute(f"SELECT * FROM [{table}]"):
                yield from (value for value in row if isinstance(value, bytes))


def unpacked(blob):
    try:
        return zlib.decompress(blob)
    except zlib.error:
        return blob


@pytest.mark.parametrize("faults", [(), tuple(FAULTS)[:-1], tuple(FAULTS)], ids=["none", "many", "a stop"])
def test_the_key_is_nowhere(loud, arguments, tmp_path, fake_chat, faults):
    """The run finds its files open elsewhere, so that their write-ahead logs stay behind."""

    def answers(operator, messages):
        struck = [fault for fault in faults if fault in messages[1]["content"] and operator == "rating"]
        return FAULTS[struck[0]] if struck else fake_chat.default(operator, messages)

    with ScriptedServer(answers) as server, ExitStack() as stack:
        assert entp("load", arguments[0], "--run", tmp_path / "run").code == 0
        for file in ("run.db", "calls.db"):
            reader = stack.enter_context(closing(sqlite3.connect(tmp_path / "run" / file)))
            reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        code, printed = loud("run", *arguments, "--base-url", server.base_url)
        assert code == {0: 0, 5: 3, 6: 1}[len(faults)], printed[-2000:]
        assert any(file.suffix == ".db-wal" for file in (tmp_path / "run").iterdir())
        kept = held(tmp_path / "run")
        assert server.headers[-1]["authorization"] == f"Bearer {KEY}"
    assert b"Question number 0?" in kept
    assert b"training data for a model" in kept  # of a prompt, which is packed
    for secret in (KEY, "Bearer", "Authorization"):
        assert secret.encode() not in kept
    assert "DEBUG:" in printed  # the logs are in it
    assert KEY not in printed


def test_a_bug_shows_its_traceback_and_not_the_key(loud, arguments, tmp_path):
    with ScriptedServer(lambda operator, messages: "never asked") as server:
        code, printed = loud("run", *arguments, "--base-url", server.base_url, BUG="rate")
    assert code == 1
    assert "Traceback" in printed
    assert "RuntimeError: Run(folder=" in printed
    assert KEY not in printed
    assert KEY.encode() not in held(tmp_path / "run")


SECRET_ADDRESSES = (
    f"http://user:{KEY}@HOST/v1",
    f"http://{KEY}@HOST/v1",
    f"HOST:{KEY}@HOST/v1",
    f"http://HOST/v1?api_key={KEY}",
    f"http://HOST/v1?api-version=1&{KEY}",
    f"http://HOST/v1#{KEY}",
)


@pytest.mark.parametrize("address", SECRET_ADDRESSES)
@pytest.mark.parametrize("given", ["option", "file"])
def test_an_address_with_a_secret_is_refused_unseen(arguments, tmp_path, address, given):
    address = address.replace("HOST", "127.0.0.1:9")
    (tmp_path / "settings.toml").write_text(f'base_url = "{address}"\n')
    options = ("--base-url", address) if given == "option" else ("--settings", tmp_path / "settings.toml")
    ended = entp("run", *arguments, *options)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "may be a key; give the key in OPENAI_API_KEY" in ended.err
    assert KEY not in ended.err
    assert KEY.encode() not in held(tmp_path / "run")


def test_a_query_of_azures_is_kept_and_sent(arguments, tmp_path, fake_chat):
    with ScriptedServer(fake_chat.default) as server:
        ended = entp("run", *arguments, "--base-url", f"{server.base_url}?api-version=2024-10-21")
    assert ended.code == 0
    assert {path.partition("?")[2] for path in server.paths} == {"api-version=2024-10-21"}
    with look_at_run(tmp_path / "run") as run:
        assert run.settings.of(Places).base_url.endswith("?api-version=2024-10-21")


def test_a_key_among_the_settings_is_refused_unseen(arguments, tmp_path):
    (tmp_path / "settings.toml").write_text(f'api_key = "{KEY}"\n')
    ended = entp("run", *arguments, "--settings", tmp_path / "settings.toml")
    assert ended.code == 2
    assert "there is no setting 'api_key'" in ended.err
    assert KEY not in ended.err
