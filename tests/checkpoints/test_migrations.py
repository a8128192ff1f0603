import functools
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from entp.checkpoints.sqlite import migrations
from entp.checkpoints.sqlite.migrations import (
    Layout,
    Migration,
    migrate,
    open_database,
    transaction,
)
from entp.records.errors import RunFolderError

ANIMALS = Migration("animals", "CREATE TABLE animals (name TEXT); INSERT INTO animals VALUES ('cat')")
FARM = Layout(file="farm.db", tag="FARM", migrations=(ANIMALS,))
ZOO = Layout(file="zoo.db", tag="ZOO1", migrations=(ANIMALS,))


def grown(*more):
    return Layout(file="farm.db", tag="FARM", migrations=(ANIMALS, *more))


def names(connection):
    return [name for (name,) in connection.execute("SELECT name FROM animals ORDER BY rowid")]


def pragma(connection, name):
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


@pytest.fixture
def farm(tmp_path):
    path = tmp_path / "farm.db"
    open_database(path, FARM).close()
    return path


def refusal(path, layout=FARM):
    with pytest.raises(RunFolderError) as caught:
        open_database(path, layout)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    assert caught.value.remedy
    return text


def test_a_new_file_gets_tag_version_and_settings(tmp_path):
    connection = open_database(tmp_path / "farm.db", FARM)
    assert pragma(connection, "application_id") == int.from_bytes(b"FARM", "big")
    assert pragma(connection, "user_version") == 1
    assert pragma(connection, "journal_mode") == "wal"
    assert pragma(connection, "foreign_keys") == 1
    assert pragma(connection, "busy_timeout") == 60_000
    connection.close()


@pytest.mark.parametrize(("synchronous", "number"), [("NORMAL", 1), ("FULL", 2)])
def test_durability_is_the_callers_choice(farm, synchronous, number):
    connection = open_database(farm, FARM, synchronous=synchronous)
    assert pragma(connection, "synchronous") == number
    connection.close()


def test_only_new_migrations_are_applied(farm):
    def rename(connection):
        connection.execute("UPDATE animals SET name = name || 's'")

    layout = grown(Migration("dog", "INSERT INTO animals VALUES ('dog')"), Migration("plural", rename))
    for _ in range(2):
        connection = open_database(farm, layout)
        assert names(connection) == ["cats", "dogs"]
        assert pragma(connection, "user_version") == 3
        connection.close()


def test_a_failed_migration_leaves_nothing_behind_and_can_be_repeated(farm):
    broken = Migration("half", "INSERT INTO animals VALUES ('cow'); INSERT INTO nowhere VALUES (1)")
    dog = Migration("dog", "INSERT INTO animals VALUES ('dog')")
    with pytest.raises(RunFolderError, match=r"migration 3 \(half\)"):
        open_database(farm, grown(dog, broken))

    connection = open_database(farm, grown(dog, Migration("half", "INSERT INTO animals VALUES ('hen')")))
    assert names(connection) == ["cat", "dog", "hen"]
    connection.close()


def test_an_error_in_a_function_rolls_back_too(farm):
    def change(connection):
        connection.execute("INSERT INTO animals VALUES ('cow')")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        open_database(farm, grown(Migration("change", change)))
    connection = open_database(farm, FARM)
    assert names(connection) == ["cat"]
    connection.close()


def test_sql_is_split_at_the_ends_of_statements_only(tmp_path):
    sql = """
    CREATE TABLE animals (name TEXT); -- a comment; with a semicolon
    CREATE TABLE log (line TEXT);
    CREATE TRIGGER added AFTER INSERT ON animals BEGIN
        INSERT INTO log VALUES (new.name); INSERT INTO log VALUES ('; done');
    END;
    INSERT INTO animals VALUES ('a;b')"""
    connection = open_database(tmp_path / "farm.db", Layout("farm.db", "FARM", (Migration("all", sql),)))
    assert names(connection) == ["a;b"]
    assert connection.execute("SELECT line FROM log").fetchall() == [("a;b",), ("; done",)]
    connection.close()


def test_sql_that_does_not_end_is_an_error(tmp_path):
    layout = Layout("farm.db", "FARM", (Migration("open", "CREATE TABLE animals (name TEXT DEFAULT 'x)"),))
    with pytest.raises(RunFolderError, match=r"migration 1 \(open\)"):
        open_database(tmp_path / "farm.db", layout)


def test_another_kind_of_file_is_refused_as_it_was(farm):
    before = farm.read_bytes()
    assert "tag FARM, not ZOO1" in refusal(farm, ZOO)
    assert farm.read_bytes() == before


def test_a_file_of_another_program_is_refused_as_it_was(tmp_path):
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.close()
    before = path.read_bytes()
    assert "is not ENTP's farm.db" in refusal(path)
    assert path.read_bytes() == before


def test_a_file_with_a_version_but_no_tag_is_refused(tmp_path):
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 1")
    other.close()
    assert "is not ENTP's farm.db" in refusal(path)


def test_a_file_from_a_newer_entp_is_refused(farm):
    open_database(farm, grown(Migration("dog", "INSERT INTO animals VALUES ('dog')"))).close()
    text = refusal(farm)
    assert "newer ENTP (version 2, this one knows 1)" in text
    assert "upgrade" in text


def test_what_is_no_database_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("a text, not a database\n" * 100)
    assert "not an SQLite file" in refusal(path)


def test_a_missing_folder_is_named(tmp_path):
    assert "folder exists" in refusal(tmp_path / "nowhere" / "farm.db")


def test_many_may_create_a_file_at_once(tmp_path):
    together = threading.Barrier(6)

    def create(path):
        together.wait()
        connection = open_database(path, grown(Migration("dog", "INSERT INTO animals VALUES ('dog')")))
        found = names(connection)
        connection.close()
        return found

    with ThreadPoolExecutor(6) as pool:
        for attempt in range(20):
            assert list(pool.map(create, [tmp_path / f"{attempt}.db"] * 6)) == [["cat", "dog"]] * 6


class Contended(sqlite3.Connection):
    """A connection whose first changes to the write-ahead log are refused, as in a race of two processes."""

    refusals = 2
    code = sqlite3.SQLITE_BUSY

    def execute(self, sql, *parameters):
        if "journal_mode" in sql and self.refusals:
            self.refusals -= 1
            error = sqlite3.OperationalError("not now")
            error.sqlite_errorcode = self.code
            raise error
        return super().execute(sql, *parameters)


@pytest.fixture
def waits(monkeypatch):
    """Opens contended connections; the list of the waits that this causes, which take no time."""
    waits = []
    monkeypatch.setattr(migrations.sqlite3, "connect", functools.partial(sqlite3.connect, factory=Contended))
    monkeypatch.setattr(migrations.time, "sleep", waits.append)
    return waits


def test_a_race_for_the_write_ahead_log_is_waited_out(tmp_path, waits):
    connection = open_database(tmp_path / "farm.db", FARM)
    assert pragma(connection, "journal_mode") == "wal"
    assert len(waits) == 2
    connection.close()


def test_the_wait_for_the_write_ahead_log_ends(tmp_path, waits, monkeypatch):
    monkeypatch.setattr(migrations, "BUSY_TIMEOUT_S", 0)
    assert "another process" in refusal(tmp_path / "farm.db")


def test_other_trouble_with_the_write_ahead_log_is_not_waited_for(tmp_path, waits, monkeypatch):
    monkeypatch.setattr(Contended, "code", sqlite3.SQLITE_FULL)
    assert "free some space" in refusal(tmp_path / "farm.db")
    assert waits == []


def test_a_transaction_is_all_or_nothing(farm):
    connection = open_database(farm, FARM)
    with transaction(connection):
        connection.execute("INSERT INTO animals VALUES ('dog')")
    with pytest.raises(sqlite3.OperationalError), transaction(connection):
        connection.executemany("INSERT INTO animals VALUES (?)", [("cow",), ("hen",)]).execute("nonsense")
    assert names(connection) == ["cat", "dog"]
    assert not connection.in_transaction
    connection.close()


def test_a_migration_that_finds_the_file_locked_says_so(farm, monkeypatch):
    other = open_database(farm, FARM)
    monkeypatch.setattr(migrations, "BUSY_TIMEOUT_S", 0.01)
    with transaction(other):
        assert "another process is writing" in refusal(farm, grown(Migration("dog", "DELETE FROM animals")))
    other.close()


def test_migrate_works_on_a_connection_of_ones_own():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, FARM)
    assert names(connection) == ["cat"]
    connection.close()
