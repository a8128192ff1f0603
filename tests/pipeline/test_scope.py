"""The scope of one command: never stored, and a narrower one takes nothing away."""

from __future__ import annotations

import asyncio

import pytest

from entp import api
from entp.pipeline.ahead.job import bring_up_to_date
from entp.pipeline.ahead.outlook import outlook
from entp.pipeline.run.settings import Scope
from entp.pipeline.run.stage import state_of
from entp.pipeline.stages.order import look_at_run, open_run, stage_named
from entp.pipeline.views.status import status
from entp.records.errors import UsageError
from tables import count, query


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


def state(folder, name):
    with look_at_run(folder) as run:
        return state_of(run, stage_named(name))


def fuse(folder, changes=None, **scope):
    with open_run(folder, changes, scope=Scope(**scope)) as run:
        return asyncio.run(bring_up_to_date(run, stage_named("fuse")))


def test_a_trial_after_a_whole_run_takes_nothing_away(run_whole, folder, model_server):
    run_whole()
    fused, calls = count(folder, "fused_rows"), len(model_server.calls)
    assert not fuse(folder, pairs=1).ran
    assert (count(folder, "fused_rows"), len(model_server.calls)) == (fused, calls)
    # nor where the stage has to run again: what is beyond the scope is kept, though it is of before
    fuse(folder, {"budget": 2}, pairs=1)
    assert count(folder, "fused_rows") == fused


def test_a_trial_is_a_part_and_the_whole_job_goes_on_with_the_rest(run_whole, folder, model_server, tmp_path):
    ends = run_whole(pairs=2)
    assert ends["fuse"].mark.books.outputs == 6
    assert ends["fuse"].mark.findings["left"] > 0
    assert ends["export"].ran
    assert {state(folder, name) for name in ("fuse", "blend", "export")} == {"partial"}
    with look_at_run(folder) as run:
        assert status(run).balanced
    trial = len(model_server.calls)

    ends = run_whole()
    assert ends["fuse"].mark.books.pending == 0
    assert {state(folder, name) for name in ("fuse", "blend", "export")} == {"done"}
    assert "left" not in run_whole()["fuse"].mark.books.rejected
    assert len(model_server.calls) > trial
    # what the trial had asked was not asked again
    together = len(model_server.calls)
    run_whole(tmp_path / "at_once")
    assert len(model_server.calls) - together == together


def test_one_pair_is_fused_with_what_it_builds_on(run_whole, folder):
    run_whole(pairs=1)
    with look_at_run(folder) as run:
        there = set(run.store.fusions.ids())
        deep = max(run.store.pairs.all(), key=lambda pair: pair.depth)
    assert deep.depth > 1
    fuse(folder, only=(deep.id,))
    with look_at_run(folder) as run:
        new = set(run.store.fusions.ids()) - there
        assert deep.id in new
        assert len(new | there) < run.store.pairs.count()
        assert all(run.store.pairs.get(fusion).cluster == deep.cluster for fusion in new)
    with pytest.raises(UsageError, match="no pair 'unknown' is planned"):
        fuse(folder, only=("unknown",))


def test_the_scope_is_not_a_setting(run_whole, folder):
    run_whole(pairs=1)
    names = {row["name"] for row in query(folder, "SELECT name FROM settings")}
    assert names
    assert not names & {"pairs", "tries", "retry_failed"}
    with pytest.raises(UsageError, match="--pairs N"), open_run(folder, {"pairs": 3}):
        pass


def test_a_dry_run_changes_nothing(run_whole, folder, model_server):
    run_whole()
    before, calls = (folder / "run.db").read_bytes(), len(model_server.calls)
    planned = api.plan_fusions(folder, {"temperature": 0.7}, scope=Scope(pairs=2))
    assert planned.pairs == 2
    assert planned.estimate.calls
    assert (folder / "run.db").read_bytes() == before
    assert state(folder, "fuse") == "done"
    api.plan((), folder, {"temperature": 0.7})
    assert state(folder, "fuse") == "done"
    assert len(model_server.calls) == calls


def test_a_command_that_was_wrong_stores_no_setting(run_whole, folder):
    run_whole()
    with (
        pytest.raises(UsageError, match="unknown ending"),
        open_run(folder, {"out": str(folder / "x.csv")}) as run,
    ):
        asyncio.run(bring_up_to_date(run, stage_named("export")))
    with open_run(folder) as run:
        assert not asyncio.run(bring_up_to_date(run, stage_named("export"))).ran


BROKEN = 5


def mute(server):
    """Let the ratings of the first rows never fit."""
    default = server.answers

    def answers(operator, messages):
        ours = any(f"number {at}." in messages[1]["content"] for at in range(BROKEN))
        return "never" if operator == "rating" and ours else default(operator, messages)

    server.answers = answers


def test_retrying_counts_by_item_and_its_bounds_hold(run_whole, folder, model_server):
    mute(model_server)
    run_whole(rater="model")
    for _ in range(2):
        run_whole(rater="model", retry_failed=True)
    tries = [row["tries"] for row in query(folder, "SELECT tries FROM ratings")]
    assert sorted(tries) == [1] * (20 - BROKEN) + [3] * BROKEN
    with look_at_run(folder) as run:
        assert outlook(run, "rate") is None
    with look_at_run(folder, scope=Scope(retry_failed=True)) as run:
        bound = outlook(run, "rate").estimate.most
    calls = len(model_server.calls)
    run_whole(rater="model", retry_failed=True)
    assert len(model_server.calls) - calls <= bound == BROKEN * 3 * 4


def test_retrying_does_not_let_others_begin_more_often(run_whole, folder, model_server, pool):
    mute(model_server)
    run_whole(rater="model")
    run_whole(rater="model", retry_failed=True)
    more = pool.read_text("utf-8").splitlines()[0].replace("row-00", "row-99").replace("part 0", "part 7")
    with pool.open("a", encoding="utf-8") as file:
        file.write(more + "\n")
    calls = len(model_server.calls)
    run_whole(rater="model")
    # three questions of the new row, and none of the old ones, whose replies are in the ledger
    assert len(model_server.calls) - calls == 3
