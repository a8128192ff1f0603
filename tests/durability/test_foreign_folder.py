"""A run folder from somebody else: looking at it runs nothing of theirs, and damage is one line."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sqlite3
from contextlib import closing

import pytest

from command import entp
from entp.pipeline.views.listings import LISTINGS
from scripted_server import ScriptedServer


class Evil:
    """An object that, unpickled, makes the folder `canary`."""

    def __init__(self, canary):
        self.canary = str(canary)

    def __reduce__(self):
        return os.mkdir, (self.canary,)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, fake_answers):
    """A whole run of one fusion."""
    folder = tmp_path_factory.mktemp("whole")
    records = [
        {"id": f"row-{at}", "instruction": f"Question {at}?", "output": f"No {at}.", "ratings": {"c": at % 3}}
        for at in range(8)
    ]
    (folder / "pool.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records))
    with ScriptedServer(fake_answers) as server:
        asked = ("--model", "fake", "--base-url", server.base_url, "--reply-mode", "json_schema")
        selection = ("--encoder", "embedded", "--similarity", 0.6, "--pairs", 1)
        ended = entp("run", folder / "pool.jsonl", "--run", folder / "run", *asked, *selection)
    assert ended.code == 0, ended.err
    return folder / "run"


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "run")


def change(folder, sql, *values, file="run.db"):
    with closing(sqlite3.connect(folder / file)) as connection:
        connection.executescript(sql) if not values else connection.execute(sql, values)
        connection.commit()


def looked_at(folder, fusion):
    """How every command that looks at a run ends."""
    views = [("status",), ("status", "--json"), ("verify",), ("show", "row-0"), ("show", fusion)]
    views += [("show", f"{fusion}-0"), *(("list", kind) for kind in LISTINGS)]
    return {view: entp(*view, "--run", folder) for view in views}


@pytest.fixture
def fusion(whole):
    with closing(sqlite3.connect(whole / "run.db")) as connection:
        return connection.execute("SELECT id FROM fusions").fetchone()[0]


def assert_told(ended):
    """No view fails but with one line."""
    for view, (code, _, err) in ended.items():
        assert code in {0, 1, 2}, view
        if err:
            assert err.startswith("entp: "), view
            assert err.count("\n") == 1, view


def test_a_folder_in_order_is_looked_at_without_a_word(folder, fusion):
    ended = looked_at(folder, fusion)
    assert {(code, err) for code, _, err in ended.values()} == {(0, "")}


SETTINGS = [
    ("budget", '"many"'),
    ("budget", "{"),
    ("pool", "7"),
    ("exclude", "null"),
    ("temperature", "[]"),
    ("base_url", '"http://user:hidden@127.0.0.1/v1"'),
    ("__class__", '"os.system"'),
]


@pytest.mark.parametrize(("name", "value"), SETTINGS)
def test_odd_settings_are_one_line(folder, fusion, name, value):
    change(folder, "INSERT OR REPLACE INTO settings VALUES (?, ?)", name, value)
    ended = looked_at(folder, fusion)
    assert_told(ended)
    assert {code for code, _, _ in ended.values()} <= {1, 2}
    assert not any("hidden" in err for _, _, err in ended.values())


DAMAGE = [
    "UPDATE stages SET findings = '{'",
    "UPDATE stages SET books = '[1]'",
    "UPDATE stages SET outputs = '/etc/passwd' WHERE name = 'embed'",
    "UPDATE rows SET turns = 'not json'",
    "UPDATE rows SET turns = '7'",
    'UPDATE rows SET turns = \'[{"role": "system", "content": 7}]\'',
    "UPDATE rows SET ratings = '{'",
    "UPDATE fusions SET domains = '{'; UPDATE fusions SET recipe = '[]'",
    "UPDATE fused_rows SET attempts = '['",
    "UPDATE fused_rows SET attempts = '[7]', templates = '7', turns = '\"text\"'",
    "UPDATE pairs SET left_id = x'80'",
    "DROP TABLE datasets",
    "DROP TABLE datasets; CREATE VIEW datasets AS SELECT load_extension('/tmp/no.so') AS id, 1 AS position",
    "DROP TABLE scores; CREATE VIEW scores AS SELECT writefile('/tmp/no', 'x') AS score, 'LQ' AS quality",
]


@pytest.mark.parametrize("sql", DAMAGE)
def test_what_entp_did_not_write_is_one_line(folder, fusion, sql):
    change(folder, sql)
    assert_told(looked_at(folder, fusion))


COLUMNS = [
    ("rows", "turns"),
    ("rows", "ratings"),
    ("stages", "findings"),
    ("settings", "value"),
    ("fusions", "domains"),
    ("fused_rows", "attempts"),
    ("fused_rows", "raw"),
    ("ratings", "criteria"),
]


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_pickle_in_a_table_is_not_loaded(folder, fusion, tmp_path, table, column):
    canary = tmp_path / "canary"
    change(folder, f"UPDATE {table} SET {column} = ?", pickle.dumps(Evil(canary)))
    assert_told(looked_at(folder, fusion))
    assert not canary.exists()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE texts SET body = ?, zipped = 0",
        "UPDATE calls SET messages = ?",
        "UPDATE calls SET error_class = ?",
    ],
)
def test_a_pickle_in_the_ledger_is_not_loaded_and_verify_says_so(folder, fusion, tmp_path, sql):
    canary = tmp_path / "canary"
    change(folder, sql, pickle.dumps(Evil(canary)), file="calls.db")
    ended = looked_at(folder, fusion)
    assert_told(ended)
    assert not canary.exists()
    if "error_class" not in sql:
        assert ended["verify",].code == 1
        assert "calls.db: " in ended["verify",].out


def test_a_ledger_elsewhere_is_left_as_it_is(folder, fusion, tmp_path):
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE mine (value)")
    before = other.read_bytes()
    change(folder, "INSERT OR REPLACE INTO settings VALUES ('ledger', ?)", json.dumps(str(other)))
    ended = looked_at(folder, fusion)
    assert_told(ended)
    assert "is not ENTP's calls.db" in ended["verify",].out
    missing = tmp_path / "missing.db"
    change(folder, "UPDATE settings SET value = ? WHERE name = 'ledger'", json.dumps(str(missing)))
    assert_told(looked_at(folder, fusion))
    assert other.read_bytes() == before
    assert not missing.exists()


def test_checkpoints_are_not_opened_to_look_at_a_run(folder, fusion):
    (folder / "checkpoints.db").write_bytes(pickle.dumps(Evil(folder / "canary")))
    ended = looked_at(folder, fusion)
    assert {code for code, _, _ in ended.values()} == {0}
    assert not (folder / "canary").exists()
