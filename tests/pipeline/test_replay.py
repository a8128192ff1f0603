"""Replay: a fusion run again from the ledger alone comes out as it is stored."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections import defaultdict

import pytest
from click.testing import CliRunner

from entp.checkpoints import open_saver, thread_id
from entp.cli.main import entp
from entp.pipeline.replay.replay import replay, replay_all
from entp.pipeline.stages.fused import OPERAND_MISSING
from entp.pipeline.stages.order import look_at_run, open_run
from entp.records.errors import ReplayMiss, RunFolderError, UsageError
from tables import change, first, query


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


def again(folder):
    with look_at_run(folder) as run:
        return asyncio.run(replay_all(run))


def one(folder, fusion_id, **how):
    with look_at_run(folder) as run:
        return asyncio.run(replay(run, fusion_id, **how))


def first_fusion(folder, where="1"):
    with look_at_run(folder) as run:
        return first(run.folder, f"SELECT id FROM fusions WHERE {where} ORDER BY id")["id"]


def test_every_fusion_comes_out_the_same_without_a_call(run_whole, folder, model_server):
    ends = run_whole()
    made = len(model_server.calls)
    found = again(folder)
    assert found.differences == []
    assert found.fusions == ends["fuse"].mark.findings["pairs"] > 5
    assert found.fused_rows == ends["fuse"].mark.findings["fused_rows"]
    assert found.answered > 100
    assert len(model_server.calls) == made


def test_it_follows_the_recipe_not_the_settings_of_today(finished_run):
    with open_run(finished_run, {"temperature": 1.5, "budget": 1, "model": "another", "seed": 9}):
        pass
    assert again(finished_run).differences == []


def test_a_stored_row_that_differs_is_named_with_what_differs(finished_run):
    with open_run(finished_run) as run:
        row = next(row for row in run.store.fused_rows.all() if row.status == "fused")
        turns = (row.turns[0].model_copy(update={"content": "x"}), *row.turns[1:])
        run.store.fused_rows.put([row.model_copy(update={"turns": turns, "loss": row.loss + 1})])
    assert again(finished_run).differences == [f"{row.id}: turns, loss came out different"]


def test_a_row_that_is_gone_is_named(finished_run):
    with open_run(finished_run) as run:
        gone = first(run.folder, "SELECT id FROM fused_rows ORDER BY id")["id"]
        run.store.fused_rows.remove([gone])
        (told,) = asyncio.run(replay(run, gone[:-2])).differences
    assert told.startswith(f"{gone}: id, fusion_id, ")


def test_the_steps_tell_node_template_loss_and_what_changed(finished_run):
    fusion_id = first_fusion(
        finished_run, "id IN (SELECT fusion_id FROM fused_rows WHERE templates LIKE '%,%')"
    )
    found = one(finished_run, fusion_id)
    steps = found.steps
    assert [step["node"] for step in steps[:3]] == [
        "domain_analysis",
        "strategy_selection",
        "merged_corpus_generation",
    ]
    assert steps[-1]["node"] == "collect"
    with look_at_run(finished_run) as run:
        rows = list(query(run.folder, "SELECT * FROM fused_rows WHERE fusion_id = ?", fusion_id))
    for row in rows:
        judged = [s for s in steps if s.get("variant") == row["variant"] and "unmet" in s]
        attempts = json.loads(row["attempts"])
        assert [(s["cycle"], s["attempt"], s["template"], s["unmet"]) for s in judged] == [
            (a["cycle"], a["attempt"], a["template"], a["loss"]["unmet"]) for a in attempts
        ]
    written = [step for step in steps if "changes" in step]
    assert written
    assert all("{+" in "".join(step["changes"]) for step in written if not step["node"].startswith("keep"))
    assert sum(step["calls"] for step in steps) == found.answered


def test_what_the_model_refused_comes_out_refused(run_whole, folder, model_server):
    default = model_server.answers

    def declining(operator, messages):
        if operator in {"missing_answer", "redundant"}:
            return {"answer": "", "declined": "I would rather not"}
        return 400 if operator == "answer" else default(operator, messages)

    model_server.answers = declining
    ends = run_whole()
    assert set(ends["fuse"].mark.books.failed) >= {"Declined", "RequestRefused"}
    assert again(folder).differences == []


def test_a_fusion_that_failed_as_a_whole_fails_again(run_whole, folder, model_server):
    default = model_server.answers
    model_server.answers = lambda operator, messages: (
        "no JSON" if operator == "domain_analysis" else default(operator, messages)
    )
    run_whole()
    found = one(folder, first_fusion(folder, "status = 'failed' AND reason LIKE 'ReplyUnusable%'"))
    assert (found.status, found.differences) == ("failed", [])
    assert "ReplyUnusable" in found.steps[-1]["error"]
    built_on_it = one(folder, first_fusion(folder, f"reason = '{OPERAND_MISSING}'"))
    assert (built_on_it.steps, built_on_it.differences) == ([], [])


def test_where_every_variant_fails_the_last_step_carries_none(run_whole, folder, model_server):
    default = model_server.answers
    model_server.answers = lambda operator, messages: (
        "no JSON" if operator == "final_answer_check" else default(operator, messages)
    )
    run_whole(pairs=1)
    last = one(folder, first_fusion(folder)).steps[-1]
    assert (last["node"], last["found"]) == ("collect", {"carried": None})
    shown = CliRunner().invoke(entp, ["replay", first_fusion(folder), "--run", str(folder)])
    assert "collect: carried none\n" in shown.output


def test_failed_items_taken_up_again_are_replayed_as_they_ended(run_whole, folder, model_server):
    default = model_server.answers
    model_server.answers = lambda operator, messages: (
        "no JSON" if operator == "final_answer_check" else default(operator, messages)
    )
    assert run_whole()["fuse"].mark.books.failed
    model_server.answers = default
    assert not run_whole(retry_failed=True)["fuse"].mark.books.failed
    assert again(folder).differences == []


def test_a_miss_names_fusion_operator_key_and_difference(finished_run):
    fusion_id = first_fusion(finished_run)
    with look_at_run(finished_run) as run:
        key = json.loads(first(run.folder, "SELECT calls FROM fusions WHERE id = ?", fusion_id)["calls"])[1][
            "key"
        ]
    with contextlib.closing(sqlite3.connect(finished_run / "calls.db")) as calls, calls:
        calls.execute("DELETE FROM calls WHERE key = ?", [bytes.fromhex(key)])
    with pytest.raises(ReplayMiss) as missed:
        one(finished_run, fusion_id)
    assert (missed.value.operator, missed.value.key) == ("merged_corpus_generation", key)
    assert f"fusion {fusion_id}: the ledger has no answer to merged_corpus_generation" in str(missed.value)
    assert "first differs in messages[1].content" in str(missed.value)
    with pytest.raises(ReplayMiss):
        again(finished_run)


def test_an_unknown_fusion_and_one_that_is_no_longer_planned(finished_run):
    with pytest.raises(UsageError, match="has no fusion 'nothing'; see entp list fusions"):
        one(finished_run, "nothing")
    with open_run(finished_run) as run:
        change(run.folder, "DELETE FROM pairs")
    with pytest.raises(RunFolderError, match="no longer planned"):
        one(finished_run, first_fusion(finished_run))


def test_a_fusion_without_its_recipe_says_so(finished_run):
    with open_run(finished_run) as run:
        change(run.folder, "UPDATE fusions SET recipe = NULL")
    with pytest.raises(RunFolderError, match="did not keep its recipe; make it again"):
        again(finished_run)


def test_the_history_can_be_put_into_the_thread(finished_run):
    fusion_id = first_fusion(finished_run)
    one(finished_run, fusion_id, keep_history=True)

    async def supersteps():
        kept = defaultdict(list)
        async with open_saver(finished_run / "checkpoints.db") as saver:
            async for state in saver.alist({"configurable": {"thread_id": thread_id(fusion_id)}}):
                namespace = state.config["configurable"]["checkpoint_ns"].partition(":")[0]
                kept[namespace].append(state.metadata["step"])
        return kept

    kept = asyncio.run(supersteps())
    assert sorted(kept[""]) == [-1, 0, 1, 2, 3, 4, 5]
    assert kept["variant"].count(-1) == 3
    assert len(kept["variant"]) > 3 * 4
