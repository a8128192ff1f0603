"""Which ratings count, and on what scale."""

from __future__ import annotations

import asyncio
import json

import pytest

from entp.pipeline.run.stage import run_stage
from entp.pipeline.stages.order import open_run, stage_named
from entp.records.errors import AccessRefused, UsageError
from tables import query


@pytest.fixture
def rate(tmp_path, settings, pool):
    """Rate a pool whose rows bring the given ratings; gives the stored ones."""

    def work(ratings, **changes):
        rows = [json.loads(line) for line in pool.read_text("utf-8").splitlines()][: len(ratings)]
        for row, given in zip(rows, ratings, strict=True):
            row["ratings"] = given
        pool.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        with open_run(tmp_path / "run", {**settings, **changes}, create=True) as run:
            for name in ("load", "rate"):
                end = asyncio.run(run_stage(run, stage_named(name)))
            return end, list(query(run.folder, "SELECT * FROM ratings ORDER BY row_id"))

    return work


def test_scores_are_taken_as_they_are(rate):
    end, ratings = rate([{"critic": 0}, {"critic": 5}])
    assert [r["score"] for r in ratings] == [0, 5]
    assert end.mark.findings["scale"] == "0-5"


def test_ratings_up_to_ten_are_scaled(rate):
    end, ratings = rate([{"critic": 4}, {"critic": 7}, {"critic": 10}])
    assert [r["score"] for r in ratings] == [0, 3, 5]
    assert [r["rating"] for r in ratings] == [4, 7, 10]
    assert end.mark.findings["scale"] == "1-10"


def test_a_scale_can_be_set(rate):
    _, ratings = rate([{"critic": 4}, {"critic": 5}], rating_scale="1-10")
    assert [r["score"] for r in ratings] == [0, 1]


@pytest.mark.parametrize(
    ("ratings", "scale"), [([{"critic": 0}, {"critic": 9}], "auto"), ([{"critic": 8}], "0-5")]
)
def test_numbers_off_the_scale_are_refused(rate, ratings, scale):
    with pytest.raises(UsageError, match="--rating-scale"):
        rate(ratings, rating_scale=scale)


def test_several_raters_need_a_choice(rate):
    with pytest.raises(UsageError, match="critic, editor"):
        rate([{"critic": 1, "editor": 2}])


def test_one_of_several_raters(rate, model_server):
    end, ratings = rate([{"critic": 1, "editor": 2}, {"critic": 3}], rater="editor")
    assert ratings[0]["score"] == 2
    assert ratings[1]["origin"] == "model"
    assert model_server.calls == ["reply_mode", "rating"]
    assert end.mark.findings["rater"] == "editor"


def test_an_unknown_rater(rate):
    with pytest.raises(UsageError, match="no rater 'nobody'"):
        rate([{"critic": 1}], rater="nobody")


def test_the_model_can_rate_every_row(rate, model_server):
    _, ratings = rate([{"critic": 1}, {"critic": 1}], rater="model")
    assert model_server.calls == ["reply_mode", "rating", "rating"]
    assert {r["rater"] for r in ratings} == {"fake"}
    assert set(json.loads(ratings[0]["criteria"])) == {"rarity", "complexity", "informativeness"}


def test_a_rubric_is_another_prompt_for_the_same_four_numbers(rate, model_server):
    _, ratings = rate([{"critic": 1}], rater="model", rubric="ds2")
    assert model_server.calls == ["reply_mode", "rating_ds2"]
    assert set(json.loads(ratings[0]["criteria"])) == {"rarity", "complexity", "informativeness"}


def test_a_wrong_key_stops_the_stage_at_once(rate, model_server):
    model_server.answers = lambda operator, messages: 401
    with pytest.raises(AccessRefused):
        rate([{"critic": 1}] * 5, rater="model")
