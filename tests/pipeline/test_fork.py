"""Time travel: a variant run on from an earlier attempt, as it was or otherwise."""

from __future__ import annotations

import asyncio
import json

import pytest

from entp.checkpoints import open_saver, thread_id
from entp.pipeline.replay.fork import Changes, Point, point_of
from entp.pipeline.replay.travel import run_on
from entp.pipeline.stages.order import open_run
from entp.records.errors import ReplayMiss, UsageError
from tables import first, query


@pytest.fixture
def folder(finished_run):
    return finished_run


@pytest.fixture
def fused(folder):
    """A fused row of a run whose path has several attempts in both cycles."""
    with open_run(folder) as run:
        sql = (
            "SELECT * FROM fused_rows, json_each(attempts) AS made WHERE status = 'fused' "
            "GROUP BY fused_rows.id "
            "HAVING sum(made.value ->> 'cycle' = 1) >= 3 AND sum(made.value ->> 'cycle' = 2) >= 2 "
            "ORDER BY fused_rows.id"
        )
        row = first(run.folder, sql)
    return row | {"attempts": json.loads(row["attempts"]), "turns": json.loads(row["turns"])}


def travel(folder, row, cycle, attempt, *, live=False, **changes):
    with open_run(folder) as run:
        point = Point(row["variant"], cycle, attempt)
        return asyncio.run(run_on(run, row["fusion_id"], point, Changes(**changes), live=live))


def forks(folder):
    with open_run(folder) as run:
        return list(query(run.folder, "SELECT * FROM forks ORDER BY id"))


def without_place(record):
    return record.model_dump(include={"turns", "loss", "templates", "attempts", "status", "strategy"})


@pytest.mark.parametrize(("cycle", "attempt"), [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)])
def test_from_any_attempt_it_runs_on_to_the_same_end_with_the_calls_after_it_alone(
    fused, folder, lasting_server, cycle, attempt
):
    made = len(lasting_server.calls)
    found = travel(folder, fused, cycle, attempt)
    assert without_place(found.fork) == without_place(found.original)
    assert found.changes_of_text == []
    before = [a for a in fused["attempts"] if (a["cycle"], a["attempt"]) < (cycle, attempt)]
    after = [a for a in fused["attempts"] if a not in before]
    assert found.spent.answered == sum(len(a["calls"]) for a in after)
    assert found.spent.calls == 0
    assert len(lasting_server.calls) == made
    assert not found.kept
    assert forks(folder) == []


def test_another_temperature_asks_only_what_comes_after(fused, folder, lasting_server):
    made = len(lasting_server.calls)
    found = travel(folder, fused, 1, 2, temperature=0.9, live=True)
    assert 0 < found.spent.calls == len(lasting_server.calls) - made
    assert found.spent.calls < sum(len(a["calls"]) for a in fused["attempts"])
    assert found.fork.attempts[0] == fused["attempts"][0]
    assert found.fork.attempts[1]["calls"] != fused["attempts"][1]["calls"]


def test_another_template_writes_the_attempt(fused, folder):
    written = fused["attempts"][1]["template"]
    other = "terms_context_answer" if written != "terms_context_answer" else "terms"
    found = travel(folder, fused, 1, 2, template=other, live=True)
    assert found.fork.attempts[1]["template"] == other
    assert found.fork.templates[:2] == ["merged_corpus_generation", other]
    assert found.fork.attempts[0] == fused["attempts"][0]


def test_a_template_of_cycle_2(fused, folder):
    other = {"missing_answer": "redundant", "redundant": "missing_answer"}
    last = [a for a in fused["attempts"] if a["cycle"] == 2][1]
    found = travel(folder, fused, 2, 2, template=other[last["template"]], live=True)
    second = next(a for a in found.fork.attempts if (a["cycle"], a["attempt"]) == (2, 2))
    assert second["template"] == other[last["template"]]


@pytest.mark.parametrize(("cycle", "attempt"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_an_edited_text_is_judged_and_goes_on(fused, folder, cycle, attempt):
    edited = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because of it."}]
    found = travel(folder, fused, cycle, attempt, turns=edited, live=True)
    made = next(a for a in found.fork.attempts if (a["cycle"], a["attempt"]) == (cycle, attempt))
    assert (made["turns"], made["template"]) == (edited, "edited")
    before = [a for a in fused["attempts"] if (a["cycle"], a["attempt"]) < (cycle, attempt)]
    assert found.fork.attempts[: len(before)] == before
    assert found.changes_of_text


def test_another_model_is_asked_and_named(fused, folder):
    found = travel(folder, fused, 1, 2, model="fake", live=True)
    assert found.fork.model == "fake"
    with pytest.raises(ReplayMiss, match=r"first differs in identity\.model"):
        travel(folder, fused, 1, 2, model="other")


def test_a_fork_is_kept_beside_the_original(fused, folder):
    one = travel(folder, fused, 1, 2, temperature=0.9, live=True).fork
    other = travel(folder, fused, 2, 1, temperature=0.1, live=True).fork
    again = travel(folder, fused, 1, 2, temperature=0.9)
    assert again.spent.calls == 0
    assert again.fork.id == one.id
    kept = forks(folder)
    assert {row["id"] for row in kept} == {one.id, other.id}
    assert {json.loads(row["changes"])["temperature"] for row in kept} == {0.9, 0.1}
    with open_run(folder) as run:
        original = first(run.folder, "SELECT turns FROM fused_rows WHERE id = ?", fused["id"])
    assert json.loads(original["turns"]) == fused["turns"]


def test_a_fork_has_a_thread_of_its_own_with_its_history(fused, folder):
    found = travel(folder, fused, 1, 2, temperature=0.9, live=True)

    async def kept():
        async with open_saver(folder / "checkpoints.db") as saver:
            config = {"configurable": {"thread_id": thread_id(found.fork.id), "checkpoint_ns": ""}}
            return [state async for state in saver.alist(config)]

    assert len(asyncio.run(kept())) == 1 + len(found.steps)


def test_offline_a_fork_needs_what_the_ledger_lacks(fused, folder):
    with pytest.raises(ReplayMiss, match="ask the model with --live"):
        travel(folder, fused, 1, 2, temperature=0.9)
    assert forks(folder) == []


def test_a_variant_that_failed_can_be_run_on_from_where_it_failed(run_whole, tmp_path, model_server):
    folder = tmp_path / "run"
    default = model_server.answers
    model_server.answers = lambda operator, messages: (
        "no JSON" if operator == "final_answer_check" else default(operator, messages)
    )
    run_whole()
    with open_run(folder) as run:
        failed = first(run.folder, "SELECT * FROM fused_rows WHERE status = 'failed' ORDER BY id")
    offline = travel(folder, failed, 2, 1)
    assert (offline.fork.status, offline.fork.reason) == ("failed", failed["reason"])
    model_server.answers = default
    edited = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}]
    found = travel(folder, failed, 2, 1, turns=edited, live=True)
    assert (found.original.status, found.fork.status) == ("failed", "fused")


def test_wrong_points_and_templates_are_told_with_what_there_is(fused, folder):
    with pytest.raises(UsageError, match=r"has no attempt \d:1:9; it has 0:1:1, .*2:2:1"):
        travel(folder, fused, 1, 9)
    with pytest.raises(UsageError, match="no template writes it; set a template from a cycle's second"):
        travel(folder, fused, 1, 1, template="answer", live=True)
    with pytest.raises(UsageError, match=r"'redundant' can write attempt .*; choose one of terms, "):
        travel(folder, fused, 1, 2, template="redundant", live=True)
    assert forks(folder) == []


@pytest.mark.parametrize("text", ["", "1:1", "1:3:1", "a:1:1", "1:1:1:1", "-1:1:1"])
def test_what_is_no_point(text):
    with pytest.raises(UsageError, match="give VARIANT:CYCLE:ATTEMPT"):
        point_of(text)


def test_points_are_read_and_written():
    assert point_of("2:1:13") == Point(2, 1, 13)
    assert str(Point(2, 1, 13)) == "2:1:13"
