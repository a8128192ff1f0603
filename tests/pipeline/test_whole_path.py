"""Twenty rows through every stage, against a real loopback server."""

from __future__ import annotations

import json

import pytest

from entp.formats.pool import read_pool
from entp.pipeline.stages.order import look_at_run
from entp.pipeline.views.show import show
from entp.pipeline.views.status import status
from entp.records.rows import Row
from tables import first, query


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


@pytest.mark.over_http
def test_a_pool_goes_in_and_a_training_set_comes_out(run_whole, folder, model_server):
    ends = run_whole()
    assert all(end.ran and end.mark.books.balanced for end in ends.values())
    assert ends["rate"].mark.findings["from_pool"] == 20
    assert "rating" not in model_server.calls
    report = ends["select"].mark.findings
    assert report["intra_pairs"] > 0
    assert report["inter_pairs"] > 0
    assert ends["fuse"].mark.books.outputs == 3 * ends["fuse"].mark.findings["pairs"]

    exported = list(read_pool([folder / "hq+entp.jsonl"]))
    assert all(isinstance(row, Row) for row in exported)
    lines = [json.loads(line) for line in (folder / "hq+entp.jsonl").read_text("utf-8").splitlines()]
    fused = [line for line in lines if line["kind"] != "HQ"]
    high = [line for line in lines if line["kind"] == "HQ"]
    assert len(high) == ends["score"].mark.findings["HQ"]
    assert fused
    for line in fused:
        assert len(line["made_from"]) >= 2


def test_a_second_run_makes_no_call_and_does_nothing(run_again, lasting_server, finished_run):
    calls = len(lasting_server.calls)
    before = (finished_run / "hq+entp.jsonl").read_bytes()
    again = run_again()
    assert len(lasting_server.calls) == calls
    assert not any(end.ran for end in again.values())
    assert (finished_run / "hq+entp.jsonl").read_bytes() == before


def test_the_same_pool_and_seed_give_the_same_bytes_in_another_folder(run_whole, finished_run, tmp_path):
    run_whole(tmp_path / "other")
    one, two = ((folder / "hq+entp.jsonl").read_bytes() for folder in (finished_run, tmp_path / "other"))
    assert one == two


def test_deleting_the_results_costs_no_call(run_again, lasting_server, finished_run):
    """The ledger is the truth: fusions are made again from it."""
    calls, before = len(lasting_server.calls), (finished_run / "hq+entp.jsonl").read_bytes()
    with look_at_run(finished_run) as run:
        settings = run.settings.whole()
    (finished_run / "run.db").unlink()
    (finished_run / "checkpoints.db").unlink()
    (finished_run / "hq+entp.jsonl").unlink()
    ends = run_again(**settings)
    assert all(end.ran for end in ends.values())
    assert len(lasting_server.calls) == calls
    assert (finished_run / "hq+entp.jsonl").read_bytes() == before


def test_a_changed_row_asks_only_what_depends_on_it(run_whole, model_server, pool, encoder, folder):
    run_whole(correction="raw")
    calls, encoded = len(model_server.calls), encoder.encoded
    with look_at_run(folder) as run:
        used = first(run.folder, "SELECT left_id FROM pairs WHERE kind = 'inter' ORDER BY position")[
            "left_id"
        ]
        depend = [row["asked"] for row in query(run.folder, "SELECT asked FROM fusions")]
    rows = [json.loads(line) for line in pool.read_text("utf-8").splitlines()]
    next(row for row in rows if row["id"] == used)["response"] += " With a word more."
    pool.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    run_whole(correction="raw")
    assert encoder.encoded == encoded + 1
    assert 0 < len(model_server.calls) - calls < calls
    with look_at_run(folder) as run:
        now = [row["asked"] for row in query(run.folder, "SELECT asked FROM fusions")]
    assert set(now) & set(depend)
    assert set(now) - set(depend)


def test_a_later_setting_leaves_the_stages_before_alone(run_whole, model_server):
    run_whole()
    calls = len(model_server.calls)
    again = run_whole(sets=("hq+entp@50%",))
    assert {name for name, end in again.items() if end.ran} == {"blend", "export"}
    assert again["blend"].mark.books.rejected["not drawn"] > 0
    assert len(model_server.calls) == calls


def test_rows_without_a_rating_are_rated_by_the_model(run_whole, model_server, pool):
    rows = [json.loads(line) for line in pool.read_text("utf-8").splitlines()]
    for row in rows[:3]:
        del row["ratings"]
    pool.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    ends = run_whole()
    assert model_server.calls.count("rating") == 3
    assert ends["rate"].mark.findings["from_model"] == 3


def test_a_row_that_cannot_be_rated_is_kept_as_unrated_and_taken_up_again(run_whole, model_server, folder):
    default = model_server.answers

    def mute(operator, messages):
        wanted = operator == "rating" and "number 4." in messages[1]["content"]
        return "I cannot say." if wanted else default(operator, messages)

    model_server.answers = mute
    ends = run_whole(rater="model")
    assert ends["rate"].mark.books.failed == {"ReplyUnusable": 1}
    assert ends["score"].mark.books.rejected == {"unrated": 1}
    with look_at_run(folder) as run:
        rating = show(run, "row-04").rating
    assert (rating.score, rating.raw) == (None, "I cannot say.")

    calls = len(model_server.calls)
    assert not run_whole(rater="model")["rate"].ran
    assert len(model_server.calls) == calls
    model_server.answers = default
    again = run_whole(rater="model", retry_failed=True)
    assert again["rate"].mark.books.failed == {}


def test_a_fusion_that_fails_is_counted_with_its_reason_and_retried_on_request(run_whole, model_server):
    default = model_server.answers
    model_server.answers = lambda operator, messages: (
        400 if operator == "merged_corpus_generation" else default(operator, messages)
    )
    ends = run_whole()
    pairs = ends["fuse"].mark.findings["pairs"]
    depth_one = sum(ends["fuse"].mark.books.failed.values())
    assert depth_one == 3 * pairs
    assert set(ends["fuse"].mark.books.failed) <= {"RequestRefused", "OperandMissing"}
    model_server.answers = default
    again = run_whole(retry_failed=True)
    assert again["fuse"].mark.books.failed == {}
    assert again["fuse"].mark.books.outputs == 3 * pairs


def test_status_balances_at_every_stage(run_again, finished_run):
    told = run_again()["fuse"].mark.findings["overrides"]
    with look_at_run(finished_run) as run:
        now = status(run)
        attempts = [
            json.loads(row["attempts"]) for row in query(run.folder, "SELECT attempts FROM fused_rows")
        ]
    assert told == sum(len(a["loss"]["overrides"]) for made in attempts for a in made)
    assert now.balanced
    assert now.overrides == told > 0
    assert {stage.state for stage in now.stages} == {"done"}
    for books in now.books.values():
        assert books.inputs == (
            books.outputs + sum(books.rejected.values()) + sum(books.failed.values()) + books.pending
        )


def test_lineage_goes_both_ways_and_through_earlier_fusions(finished_run):
    with look_at_run(finished_run) as run:
        deep = first(run.folder, "SELECT id FROM pairs WHERE depth = 2")["id"]
        fused = show(run, f"{deep}-0")
        sources = [row.id for row in fused.made_from]
        assert len(sources) == 3
        for source in sources:
            used_in = [row.id for row in show(run, source).fused_rows]
            assert f"{deep}-0" in used_in
        carried = show(run, deep).left.id
        assert show(run, carried).used_by[0].id == deep


def test_what_is_carried_into_a_later_fusion_is_not_blended_twice(run_again, finished_run):
    ends = run_again()
    with look_at_run(finished_run) as run:
        carried = {
            row["carried"]
            for row in query(
                run.folder,
                "SELECT carried FROM fusions "
                "WHERE id IN (SELECT left_id FROM pairs UNION SELECT right_id FROM pairs)",
            )
        }
        blended = {row["id"] for row in query(run.folder, "SELECT id FROM datasets")}
    assert carried
    assert not carried & blended
    assert ends["blend"].mark.books.rejected["carried into a later fusion"] == len(carried)


def test_pairs_limit_takes_both_kinds_and_keeps_the_books(run_whole):
    ends = run_whole(pairs=4)
    assert ends["fuse"].mark.findings["pairs"] == 4
    assert ends["fuse"].mark.books.pending > 0
    (made,) = ends["blend"].mark.findings["sets"]
    assert made["kinds"]["intra"] > 0
    assert made["kinds"]["inter"] > 0


def test_the_same_ledger_gives_the_same_bytes_whatever_ends_first(run_whole, tmp_path, model_server):
    """The ledger of one run answers another in which everything happens in another order."""
    run_whole(tmp_path / "one", concurrency=1)
    calls = len(model_server.calls)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "calls.db").write_bytes((tmp_path / "one" / "calls.db").read_bytes())
    run_whole(tmp_path / "two", concurrency=16)
    assert len(model_server.calls) == calls
    one, two = ((tmp_path / name / "hq+entp.jsonl").read_bytes() for name in ("one", "two"))
    assert one == two
