"""What a run says before it goes on, and when it refuses to."""

from __future__ import annotations

import asyncio
import json

import pytest

from entp.graph.state import calls_of_a_fusion
from entp.pipeline.ahead.estimate import estimate_of_fusions
from entp.pipeline.ahead.job import fusion_plan, run_all
from entp.pipeline.ahead.outlook import outlook, outlooks
from entp.pipeline.ahead.resume import refuse_begun
from entp.pipeline.run.progress import Quiet
from entp.pipeline.run.settings import Scope
from entp.pipeline.run.stage import run_stage
from entp.pipeline.stages.fuse import FuseSettings
from entp.pipeline.stages.order import look_at_run, open_run, stage_named
from entp.records.errors import AccessRefused, UsageError
from tables import count, query


class Heard(Quiet):
    """Keeps the lines that a run says."""

    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


@pytest.fixture
def go(folder, settings):
    """Run all stages, one call at a time; gives what was said."""

    def work(resume="if-possible", retry_failed=False, **changes):
        heard = Heard()
        given = {**settings, "concurrency": 1, "kinds": ("inter",), **changes}
        with open_run(
            folder, given, scope=Scope(retry_failed=retry_failed), progress=heard, create=True
        ) as run:
            asyncio.run(run_all(run, lambda end: None, resume=resume))
        return [line for line in heard.lines if "dolly shape" not in line]  # which load says of a new pool

    return work


@pytest.fixture
def stopped(go, model_server):
    """Break a run off at the so-manieth question of an operator: from there on the key is refused."""

    def work(operator, number, **changes):
        default, seen = model_server.answers, []

        def refusing(asked, messages):
            seen.append(asked)
            return 401 if seen.count(operator) >= number else default(asked, messages)

        model_server.answers = refusing
        with pytest.raises(AccessRefused):
            go(**changes)
        model_server.answers = default

    return work


def ahead_of(folder, name="fuse"):
    with look_at_run(folder) as run:
        return outlook(run, name)


def planned(folder):
    with look_at_run(folder) as run:
        return count(run.folder, "pairs")


def test_fresh_and_finished_runs_say_nothing(go):
    assert go() == []
    assert go() == []


def test_an_interrupted_run_says_what_is_done_and_left(go, stopped, folder, model_server):
    stopped("domain_analysis", 3)
    pairs = planned(folder)
    ahead = ahead_of(folder)
    assert (ahead.done, ahead.failed, ahead.left, ahead.again) == (2, 0, pairs - 2, 0)
    with look_at_run(folder) as run:
        made = [json.loads(row["calls"]) for row in query(run.folder, "SELECT calls FROM fusions")]
        for row in query(run.folder, "SELECT attempts FROM fused_rows"):
            made += [attempt["calls"] for attempt in json.loads(row["attempts"])]
    calls = [call for calls in made for call in calls]
    tokens = sum(call["prompt_tokens"] + call["completion_tokens"] for call in calls)
    expected = round((pairs - 2) * len(calls) / 2)
    assert ahead.estimate.calls == expected
    assert ahead.estimate.prompt_tokens + ahead.estimate.completion_tokens == round((pairs - 2) * tokens / 2)
    (line,) = go()
    most = (pairs - 2) * calls_of_a_fusion(3)[1] * 3
    work = f"2 fusions done, {pairs - 2} left; about {expected} calls (at most {most:,})"
    assert line.startswith(f"resuming {folder}: {work}, ")
    assert line.endswith((" tokens", " s"))  # the time is told where calls ended one after another


def test_money_is_told_where_the_prices_are_known(go, stopped, folder):
    stopped("domain_analysis", 3)
    (line,) = go(prompt_price=1_000_000, completion_price=0)
    tokens = int(line.split("$")[1].split(".")[0].replace(",", ""))
    assert "tokens" not in line
    assert tokens > 0
    assert tokens % 10 == 0  # the server counts 10 prompt tokens a call


def test_interrupted_ratings_are_told_apart_from_those_that_are_left(go, stopped, folder):
    stopped("rating", 9, rater="model")
    ahead = ahead_of(folder, "rate")
    assert (ahead.unit, ahead.done, ahead.left, ahead.estimate.calls) == ("ratings", 8, 12, 12)
    (line,) = go(rater="model")
    assert line.startswith(
        f"resuming {folder}: 8 ratings done, 12 left; about 12 calls (at most 36), 180 tokens"
    )


def test_only_what_has_failed_is_announced_when_it_is_taken_up(go, folder, model_server):
    default, struck = model_server.answers, []

    def refusing(operator, messages):
        struck[:] = struck or [messages] if operator == "merged_corpus_generation" else struck
        return 400 if struck == [messages] else default(operator, messages)

    model_server.answers = refusing
    go()
    model_server.answers = default
    assert go() == []
    (line,) = go(retry_failed=True)
    assert line.startswith(f"resuming {folder}: 1 fusion that failed is tried again; about ")
    assert go(retry_failed=True) == []


def test_a_setting_changed_on_this_command_is_told_and_obeyed(go, stopped, folder, model_server):
    stopped("domain_analysis", 3)
    first, second = go(budget=1)
    assert first.startswith(f"resuming {folder}: 0 fusions done, {planned(folder) - 2} left; ")
    assert second == (
        "asking again for 2 fusions done before, where the ledger has no answer: budget changed"
    )


def test_another_model_asks_for_every_rating_again(go, stopped, folder, model_server):
    stopped("rating", 9, rater="model")
    with open_run(folder, {"max_tokens": 50}) as run:
        ahead = outlook(run, "rate")
    assert (ahead.done, ahead.again, ahead.left, ahead.differs) == (0, 8, 12, ("max_tokens",))


@pytest.fixture
def other_templates(monkeypatch):
    """What another version of ENTP would find."""

    def changed():
        for module in ("ahead.outlook", "stages.fusing"):
            monkeypatch.setattr(f"entp.pipeline.{module}.current_hashes", lambda profile: {})

    return changed


def test_changed_templates_stop_a_run_before_it_pays_again(
    go, stopped, folder, model_server, other_templates
):
    stopped("domain_analysis", 3)
    other_templates()
    calls = len(model_server.calls)
    with pytest.raises(UsageError) as caught:
        go()
    assert f"{folder}: 2 fusions done would be asked for again: templates changed since" in str(caught.value)
    assert "--resume always" in caught.value.remedy
    assert len(model_server.calls) == calls
    first, second = go(resume="always")
    assert "0 fusions done" in first
    assert "asking again for 2 fusions done before" in second
    assert go() == []


def test_finished_work_is_not_touched_by_changed_templates(go, model_server, other_templates):
    go()
    calls = len(model_server.calls)
    other_templates()
    assert go(sets=("hq+entp@50%",)) == []
    assert len(model_server.calls) == calls


def test_a_changed_template_of_rating_stops_a_run_that_is_being_rated(go, stopped, folder):
    stopped("rating", 9, rater="model")
    # storing settings leaves the code's record alone
    with open_run(folder, {"sets": ("hq+entp@50%",)}) as run:
        code = run.store.code()
        code["templates"]["full"]["question"] = "other"
        run.store.set_code(code)
    with open_run(folder) as run:
        assert outlook(run, "rate").again == 0
        code["templates"]["full"]["rating"] = "other"
        run.store.set_code(code)
    with pytest.raises(UsageError, match="8 ratings done would be asked for again"):
        go(rater="model")
    assert len(go(rater="model", resume="always")) == 2


def test_a_folder_that_must_be_empty_is_refused_and_keeps_its_settings(go, folder):
    go()
    with (
        pytest.raises(UsageError, match=r"has work in it already: 20 rows, \d+ fusions; choose another"),
        open_run(folder, {"budget": 1}) as run,
    ):
        refuse_begun(run, "run")
    with look_at_run(folder) as run:
        assert run.settings.of(FuseSettings).budget == 3


def test_without_a_record_the_bounds_are_told(folder, settings):
    with open_run(folder, {**settings, "kinds": ("inter",)}, create=True) as run:
        for name in ("load", "rate", "embed", "score", "select"):
            asyncio.run(run_stage(run, stage_named(name)))
        plan = fusion_plan(run)
        assert plan.estimate.calls is None
        assert plan.estimate.least == plan.fusion_calls.least > 0
        assert plan.estimate.most == plan.fusion_calls.most_with_reasks
        assert estimate_of_fusions(run, 0, 0).most == 0


def test_what_cannot_be_told_is_none(tmp_path, pool):
    rows = [json.loads(line) for line in pool.read_text("utf-8").splitlines()]
    for row in rows:
        row["ratings"]["second"] = 1
    pool.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with open_run(tmp_path / "run", {"pool": (str(pool),)}, create=True) as run:
        asyncio.run(run_stage(run, stage_named("load")))
        assert outlooks(run) == {"rate": None, "fuse": None}  # no rater is chosen, no pair is planned
