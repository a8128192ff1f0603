"""A sound run proves to be sound, and damage of every kind is found."""

from __future__ import annotations

import asyncio
import sqlite3

import numpy as np
import pytest

from entp.pipeline.run.stage import run_stage
from entp.pipeline.stages.order import look_at_run, open_run, stage_named
from entp.pipeline.views.verify import verify


@pytest.fixture
def folder(finished_run):
    return finished_run


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
        (
            "UPDATE fused_rows SET turns = replace(turns, 'Variant', 'Version')",
            "fuse: its records have changed",
        ),
        ("UPDATE scores SET corrected = 5 WHERE row_id = 'row-03'", "score: its records have changed"),
        ("UPDATE pairs SET left_id = right_id WHERE position = 0", "select: its records have changed"),
        ("UPDATE ratings SET score = 1 - score WHERE score < 2", "rate: its records have changed"),
        ("UPDATE rows SET ratings = '{}' WHERE id = 'row-03'", "load: its records have changed"),
        ("UPDATE datasets SET kind = 'HQ'", "blend: its records have changed"),
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


def test_damage_to_the_vectors_is_found(folder):
    path = next(folder.glob("embeddings-*.npy"))
    vectors = np.load(path)
    vectors[3:5] = 0
    np.save(path, vectors)
    (found,) = problems(folder)
    assert "no unit vector for 2 rows" in found


def test_an_exported_file_that_was_changed_is_named(folder):
    with (folder / "hq+entp.jsonl").open("a") as file:
        file.write("{}\n")
    assert problems(folder) == [f"{folder / 'hq+entp.jsonl'} has changed since it was exported"]


def test_a_stage_that_has_to_run_again_is_sound(folder, tmp_path):
    """What it left is still what it left, though the stages before have gone on."""
    pool = tmp_path / "other.jsonl"
    pool.write_text('{"id": "row-03", "instruction": "Why?", "response": "So."}\n', "utf-8")
    with open_run(folder, {"pool": (str(pool),)}) as run:
        asyncio.run(run_stage(run, stage_named("load")))
    assert problems(folder) == []


def test_a_run_that_broke_off_is_sound_though_later_stages_are_of_before(folder):
    """The fuse stage was at work again when the process died: the old blend names rows that are gone."""
    damage(folder, "DELETE FROM stages WHERE name = 'fuse'")
    damage(folder, "DELETE FROM lineage")
    damage(folder, "DELETE FROM fused_rows")
    damage(folder, "DELETE FROM fusions")
    assert problems(folder) == []
