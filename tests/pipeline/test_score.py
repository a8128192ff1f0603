"""Score: every method, what it is given, and how far raters agree."""

from __future__ import annotations

import asyncio
import json

import pytest

from entp.pipeline.run.stage import run_stage
from entp.pipeline.stages.order import open_run, stage_named
from entp.records.errors import UsageError
from tables import change, query


@pytest.fixture
def score(tmp_path, settings):
    """Run the stages up to score; gives its report."""

    def work(**changes):
        with open_run(tmp_path / "run", {**settings, **changes}, create=True) as run:
            for name in ("load", "rate", "embed", "score"):
                end = asyncio.run(run_stage(run, stage_named(name)))
        return end.mark.findings

    return work


@pytest.mark.parametrize("method", ["auto", "neighbours", "crossfit", "audited", "hoc", "raw"])
def test_every_method_can_be_chosen(score, method):
    report = score(correction=method, rater="model", audit=10)
    assert report["method"] == method or method == "auto"
    assert report["LQ"] + report["HQ"] == 20
    assert len(report["transition"]) == len(report["prior"]) == 6
    if method == "raw":
        assert report["moved"] == 0


def test_an_audited_correction_without_an_audit_is_told(score):
    with pytest.raises(UsageError, match="--audit N"):
        score(correction="audited")


def test_a_second_rater_of_the_pool_is_no_audit(score, pool):
    rows = [json.loads(line) for line in pool.read_text("utf-8").splitlines()]
    for at, row in enumerate(rows):
        row["ratings"]["editor"] = at % 6
    pool.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    report = score(rater="critic")
    assert report["audited"] == 0
    with pytest.raises(UsageError, match="--audit N"):
        score(rater="critic", correction="audited")


def test_raters_are_compared_before_and_after(score, pool):
    rows = [json.loads(line) for line in pool.read_text("utf-8").splitlines()]
    for at, row in enumerate(rows):
        row["ratings"] |= {"twin": row["ratings"]["critic"], "tens": 10 - row["ratings"]["critic"]}
        if at < 18:
            del row["ratings"]["tens"]
    rows[0]["ratings"]["tens"] = 9
    pool.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    report = score(rater="critic", correction="hoc")
    pairs = {(pair["left"], pair["right"]): pair for pair in report["agreement"]}
    assert set(pairs) == {
        ("critic", "twin"),
        ("critic", "tens"),
        ("critic, corrected", "twin"),
        ("critic, corrected", "tens"),
        ("tens", "twin"),
    }
    raw = pairs["critic", "twin"]
    assert (raw["rows"], raw["kappa"], raw["spearman"], raw["length_out"]) == (20, 1, 1, 1)
    assert pairs["critic", "tens"]["rows"] == 3
    assert pairs["critic, corrected", "twin"]["spearman"] < 1


def test_where_scores_stay_as_rated_agreement_does_too(score, pool):
    text = pool.read_text("utf-8").replace('"ratings": {', '"ratings": {"other": 1, ')
    pool.write_text(text, "utf-8")
    raw, corrected = score(rater="critic", correction="raw")["agreement"]
    assert raw == corrected | {"left": "critic"}


@pytest.mark.parametrize("method", ["auto", "crossfit", "hoc"])
def test_a_pool_in_another_order_gets_the_same_scores(score, pool, tmp_path, method):
    first = score(correction=method)
    pool.write_text("".join(reversed(pool.read_text("utf-8").splitlines(keepends=True))), "utf-8")
    assert score(correction=method) == first


def test_examples_are_the_surest_moves_with_their_text(score):
    report = score(correction="hoc")
    examples = report["examples"]
    assert 0 < len(examples) <= 10
    assert all(row["score"]["score"] != row["score"]["corrected"] for row in examples)
    assert [row["score"]["confidence"] for row in examples] == sorted(
        (row["score"]["confidence"] for row in examples), reverse=True
    )
    assert examples[0]["text"].startswith("Explain ")


@pytest.mark.parametrize(("method", "known"), [("hoc", True), ("raw", False)])
def test_where_scores_stay_as_rated_nothing_is_said_of_how_sure_they_are(score, tmp_path, method, known):
    report = score(correction=method)
    assert report["abstains"] != known
    with open_run(tmp_path / "run", {}) as run:
        stored = [row["confidence"] for row in query(run.folder, "SELECT confidence FROM scores")]
    assert len(stored) == 20
    assert all((value is not None) == known for value in [*stored, report["mean_confidence"]])


def test_a_class_can_be_included(score, run_whole, tmp_path):
    score()
    change(tmp_path / "run", "UPDATE scores SET content_class = 'math' WHERE quality = 'LQ'")
    with open_run(tmp_path / "run") as run:
        run.store.marks.remove("select")
        assert asyncio.run(run_stage(run, stage_named("select"))).mark.books.outputs == 0
    with open_run(tmp_path / "run", {"include": ("math",)}) as run:
        books = asyncio.run(run_stage(run, stage_named("select"))).mark.books
    assert books.outputs == books.inputs > 0
