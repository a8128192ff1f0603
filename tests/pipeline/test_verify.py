"""A sound run proves to be sound, and damage of every kind is found."""

from __future__ import annotations

import sqlite3

import pytest

from entp.pipeline.run_folder import look_at_run
from entp.pipeline.verify import verify


@pytest.fixture
def folder(run_whole, tmp_path):
    run_whole()
    return tmp_path / "run"


def problems(folder):
    with look_at_run(folder) as run:
        return verify(run)


def damage(folder, sql, file="run.db"):
    connection = sqlite3.connect(folder / file)
    with connection:
        assert connection.execute(sql).rowcount > 0
    connection.close()


def test_a_whole_run_is_sound(folder):
    assert problems(folder) == []


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("UPDATE rows SET turns = replace(turns, 'beginner', 'expert') WHERE id = 'row-03'", "row row-03"),
        ("DELETE FROM rows WHERE id = 'row-03'", "row that is not there"),
        ("DELETE FROM pairs WHERE kind = 'inter'", "not planned"),
        ("DELETE FROM lineage", "without its sources"),
        ("DELETE FROM fusions", "refers to a record of fusions"),
        (
            "UPDATE stages SET books = replace(books, '\"outputs\": 20', '\"outputs\": 19')",
            "do not balance",
        ),
    ],
)
def test_damage_to_the_tables_is_found(folder, sql, says):
    damage(folder, sql)
    found = problems(folder)
    assert any(says in line for line in found), found


def test_damage_to_the_ledger_is_found(folder):
    damage(folder, "UPDATE texts SET body = x'00' WHERE id = 3", "calls.db")
    assert any(line.startswith("calls.db: text 3") for line in problems(folder))


def test_a_lost_file_of_embeddings_is_found(folder):
    next(folder.glob("embeddings-*.npy")).unlink()
    assert problems(folder) == ["the file of embeddings is gone: run entp embed"]


def test_a_run_that_broke_off_is_sound_though_later_stages_are_of_before(folder):
    """The fuse stage was at work again when the process died: the old blend names rows that are gone."""
    damage(folder, "DELETE FROM stages WHERE name = 'fuse'")
    damage(folder, "DELETE FROM lineage")
    damage(folder, "DELETE FROM fused_rows")
    damage(folder, "DELETE FROM fusions")
    assert problems(folder) == []
