"""A run that an earlier build has made, brought to the present layout."""

from __future__ import annotations

import json
import sqlite3
import uuid
from contextlib import closing
from dataclasses import replace

import pytest

from entp.checkpoints import open_store
from entp.checkpoints.sqlite.migrations import open_database
from entp.checkpoints.sqlite.run_schema import RUN
from entp.pipeline.run.settings import settings_of
from entp.pipeline.stages.order import STAGES
from entp.records.conversation import to_json
from entp.records.datasets import DataSetRow, Member, RowFacts
from entp.records.errors import RunFolderError
from entp.records.fusions import Fusion, Recipe
from entp.records.listings import ListedDataSet, MadeAlike
from entp.records.ratings import RowRating
from entp.records.rows import RejectedRow, StoredRow
from made_records import call, turns

TALK = json.dumps(to_json(turns("question", "answer")), ensure_ascii=False)
ATTEMPT = {"cycle": 1, "attempt": 1, "template": "merge", "loss": {"unmet": [], "overrides": ["x"]}}
ATTEMPTS = json.dumps([ATTEMPT])
MADE = {"model": {"model": "fake"}, "profile": "full", "tries": 2, "settings": {"seed": 0}}
RECIPE = json.dumps(MADE | {"templates": "hash"})
CALLS = json.dumps([call().model_dump()])

OLD = {
    "rows": [
        ["a", 0, "pool", "pool.jsonl", 1, TALK, "hash a", '{"gpt": 7}'],
        ["b", 1, "pool", "pool.jsonl", 2, TALK, "hash b", "{}"],
    ],
    "rejected_rows": [["pool.jsonl", 3, "nothing", "a row"], ["pool.jsonl", 3, "nothing", "a row"]],
    "ratings": [
        ["a", "gpt", "pool", 7, 3, "{}", "", ""],
        ["b", "fake", "model", None, None, "{}", "ReplyUnusable: no", "{"],
        ["c", "fake", "model", 9, 4, '{"rarity": 1}', "", ""],
    ],
    "audits": [["c", "fake", 8, 4, '{"rarity": 2}', "", ""]],
    "embedded": [[0, "hash a", "embeddings-1.npy"]],
    "scores": [["a", 3, 4, "HQ", None, 0.25], ["b", 1, 1, "LQ", "math", None]],
    "clusters": [["b", 0, "centre", 0]],
    "pairs": [
        ["p1", 0, "intra", 0, 1, "row", "a", "row", "b"],
        ["p2", 1, "inter", None, 2, "fusion", "p1", "row", "b"],
    ],
    "fusions": [
        ["p1", "asked", "done", "", '{"relationship": "x"}', '["analogy"]', "p1-0", CALLS, RECIPE],
        ["p2", "", "failed", "Declined: no", "{}", "[]", None, "[]", "{}"],
    ],
    "fused_rows": [
        ["p1-0", "p1", 0, "analogy", "fused", TALK, 2, '["merge"]', ATTEMPTS, "", "", "fake", 7, 8],
        ["p1-1", "p1", 1, "analogy", "failed", "[]", 0, "[]", "[]", "ReplyUnusable: no", "raw", "fake", 1, 2],
    ],
    "lineage": [["p1-0", "a"], ["p1-0", "b"], ["p1-1", "a"], ["p1-1", "b"]],
    "blend": [[0, "HQ", "a"], [1, "intra", "p1-0"]],
    "exports": [["/out/blend.jsonl"]],
    "forks": [
        ["f1", "p1", 0, 1, 2, "{}", "analogy", "fused", TALK, 0, "[]", "[]", "", "", "fake", 1, 1, "26"],
        ["f2", "p1", 1, 1, 1, "{}", "analogy", "failed", "[]", 0, "[]", "[]", "no", "raw", "m", 1, 1, "27"],
    ],
    "code": [["entp", '"0.1.0"']],
    "stages": [["load", "i", "s", "o", "{}", '{"pool": {}}', "2026"]],
}  # fmt: skip
SETTINGS = {
    "pool": ["pool.jsonl"],
    "model": "fake",
    "tries": 3,
    "pairs": 1,
    "blend_percent": 100.0,
    "blend_kinds": ["intra", "inter"],
    "max_loss": None,
}


def old_run(folder, *, layout=4, records=OLD, settings=SETTINGS):
    """A run.db as the build of an earlier layout has left it."""
    path = folder / "run.db"
    with closing(open_database(path, replace(RUN, migrations=RUN.migrations[:layout]))) as connection:
        for table, lines in records.items():
            for line in lines:
                connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(line))})", line)
        for name, value in settings.items():
            connection.execute("INSERT INTO settings VALUES (?, ?)", (name, json.dumps(value)))
    return folder


@pytest.fixture
def migrated(tmp_path):
    with open_store(old_run(tmp_path)) as store:
        yield store


def test_a_migrated_run_is_sound(migrated):
    assert list(migrated.problems()) == []
    tables = ("pairs", "fusions", "fused_rows", "lineage", "datasets", "scores", "clusters")
    assert list(migrated.orphans(tables)) == []


def test_the_pool_stays(migrated):
    assert list(migrated.rows.all()) == [
        StoredRow(
            id="a",
            position=0,
            source="pool",
            file="pool.jsonl",
            line=1,
            turns=turns("question", "answer"),
            content="hash a",
            ratings={"gpt": 7},
        ),
        migrated.rows.get("b"),
    ]
    expected = RejectedRow(file="pool.jsonl", line=3, found="nothing", expected="a row")
    assert list(migrated.rejected.all()) == [expected]
    assert [line.file for line in migrated.embedded.all()] == ["embeddings-1.npy"]


def test_ratings_know_how_often_they_were_begun(migrated):
    assert list(migrated.ratings.all()) == [
        RowRating(row_id="a", rater="gpt", origin="pool", rating=7, score=3, tries=1),
        RowRating(row_id="b", rater="fake", reason="ReplyUnusable: no", raw="{", tries=3),
        RowRating(row_id="c", rater="fake", rating=9, score=4, criteria={"rarity": 1}, tries=3),
    ]
    expected = RowRating(row_id="c", rater="fake", rating=8, score=4, criteria={"rarity": 2}, tries=3)
    assert list(migrated.audits.all()) == [expected]


def test_what_was_not_known_of_a_fusion_is_null(migrated):
    recipe = Recipe(**MADE)
    assert list(migrated.fusions.all()) == [
        Fusion(
            id="p1",
            asked="asked",
            status="done",
            recipe=recipe,
            domains={"relationship": "x"},
            strategies=["analogy"],
            carried="p1-0",
            calls=[call()],
        ),
        Fusion(id="p2", asked="", status="failed", recipe=None, reason="Declined: no"),
    ]
    found = migrated.fusions.made_alike(["p1", "p2"])
    expected = [MadeAlike(recipe, {}, True, 1), MadeAlike(None, {}, True, 1)]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert migrated.fusions.failed() == {"p1": 2, "p2": 1}
    assert (migrated.fusions.totals(9).fusions, migrated.fused_rows.overrides()) == (1, 1)


def test_a_failed_variant_has_no_loss(migrated):
    fused, failed = migrated.fused_rows.all()
    assert (fused.loss, fused.reason, fused.raw, fused.prompt_tokens) == (2, None, None, 7)
    assert fused.attempts == [ATTEMPT]
    assert (failed.loss, failed.reason, failed.raw) == (None, "ReplyUnusable: no", "raw")
    assert [fork.loss for fork in migrated.forks.all()] == [0, None]
    assert [(fork.reason, fork.raw) for fork in migrated.forks.all()] == [
        (None, None),
        ("no", "raw"),
    ]


def test_fused_rows_still_go_with_their_fusion(migrated):
    assert migrated.fused_rows.sources_of("p1-0") == ["a", "b"]
    migrated.fusions.remove(["p1"])
    assert migrated.fused_rows.count() == 0
    assert migrated.fused_rows.sources_of("p1-0") == []


def test_the_blend_becomes_a_data_set(migrated):
    assert migrated.data_sets.names() == [ListedDataSet(name="hq+entp", rows=2, made_by="blend")]
    first, second = migrated.data_sets.rows("hq+entp")
    assert first == DataSetRow(
        Member(name="hq+entp", position=0, kind="HQ", id="a", made_by="blend"),
        turns("question", "answer"),
        RowFacts(kind="HQ", source="pool", score=4),
    )
    assert second.facts.made_from == ["a", "b"]
    assert migrated.exports.has("/out/blend.jsonl")


def test_marks_go_and_code_stays(migrated):
    assert migrated.marks.get("load") is None
    assert migrated.code() == {"entp": "0.1.0"}
    assert migrated.tasks.count() == 0


def test_a_migrated_run_keeps_the_id_that_it_is_given(migrated, tmp_path):
    assert uuid.UUID(migrated.run_id).version == 4
    with open_store(tmp_path) as again:
        assert again.run_id == migrated.run_id


def test_settings_of_one_command_are_dropped(migrated):
    expected = {"pool": ["pool.jsonl"], "model": "fake", "max_loss": None, "sets": ["hq+entp"]}
    assert migrated.settings() == expected


@pytest.mark.parametrize(
    ("percent", "kinds", "name"),
    [
        (100.0, ["intra"], "hq+intra"),
        (100, ["inter"], "hq+inter"),
        (50.0, ["inter", "intra"], "hq+entp@50%"),
        (12.5, ["inter"], "hq+inter@12.5%"),
        (0, ["intra", "inter"], "hq+entp@0%"),
        (100.0, [], "hq+entp@0%"),
    ],
)
def test_settings_of_the_blend_become_the_name_of_a_data_set(tmp_path, percent, kinds, name):
    settings = {**SETTINGS, "blend_percent": percent, "blend_kinds": kinds}
    with open_store(old_run(tmp_path, settings=settings)) as store:
        assert store.settings()["sets"] == [name]


@pytest.mark.parametrize(
    ("excluded", "included"),
    [(["math", "code", "table"], []), (["code"], ["math", "table"]), ([], ["math", "code", "table"])],
)
def test_classes_that_were_left_out_become_those_that_are_not(tmp_path, excluded, included):
    with open_store(old_run(tmp_path, settings={**SETTINGS, "exclude": excluded})) as store:
        settings = store.settings()
    assert settings["include"] == included
    # and there is no name that is unknown now
    assert set(settings_of(settings, [stage.settings for stage in STAGES]).values) == set(settings)


def test_a_run_without_settings_stays_without(tmp_path):
    with open_store(old_run(tmp_path, records={}, settings={})) as store:
        assert store.settings() == {}
        assert store.rows.count() == 0


def test_settings_that_cannot_be_read_stop_the_migration(tmp_path):
    old_run(tmp_path, settings={})
    with closing(sqlite3.connect(tmp_path / "run.db")) as connection:
        connection.execute("INSERT INTO settings VALUES ('model', '{')")
        connection.commit()
    for _ in range(2):  # nothing of it is left
        with pytest.raises(RunFolderError, match="settings of the run cannot be read"):
            open_store(tmp_path)


def test_nothing_of_a_migration_that_breaks_off_is_left(tmp_path):
    old_run(tmp_path)
    with closing(sqlite3.connect(tmp_path / "run.db")) as connection:
        connection.execute("CREATE TABLE new_forks (x)")
        connection.commit()
    with pytest.raises(RunFolderError, match=r"migration 5 \(typed records\)"):
        open_store(tmp_path)
    with closing(sqlite3.connect(tmp_path / "run.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (4,)
        assert connection.execute("SELECT count(*) FROM blend").fetchone() == (2,)
        connection.execute("DROP TABLE new_forks")
        connection.commit()
    with open_store(tmp_path) as store:
        assert store.data_sets.count("hq+entp") == 2


@pytest.mark.parametrize(("abstains", "kept"), [("true", None), ("false", 0.25)])
def test_a_run_that_abstained_loses_the_confidence_it_did_not_have(tmp_path, abstains, kept):
    records = {
        "scores": [["a", 1, 2, 0.25, "LQ", "math"]],
        "stages": [["score", "", "", "", "{}", f'{{"abstains": {abstains}}}', ""]],
    }
    with open_store(old_run(tmp_path, layout=3, records=records)) as store:
        (found,) = store.scores.all()
    assert tuple(found.model_dump().values()) == ("a", 1, 2, kept, "LQ", "math")
