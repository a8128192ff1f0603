"""Ablations of a run: the data set that each leaves, what is made again for it, and the way back."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import get_args

import pytest

from entp.pipeline.ahead.job import fusion_plan
from entp.pipeline.replay.fork import Changes, Point
from entp.pipeline.replay.replay import replay_all
from entp.pipeline.replay.travel import run_on
from entp.pipeline.run.stage import state_of
from entp.pipeline.stages.blend import name_of
from entp.pipeline.stages.order import look_at_run, open_run
from entp.pipeline.views.drawing import fusion_drawing
from entp.pipeline.views.verify import verify
from entp.records.errors import UsageError
from entp.records.vocabulary import Ablation
from tables import query

PARTS = [part for part in get_args(Ablation) if part != "none"]
MERGE = "merged_corpus_generation"


def data_sets(folder):
    with look_at_run(folder) as run:
        return [found.name for found in run.store.data_sets.names()]


def lines_of(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("part", PARTS)
def test_each_leaves_a_data_set_under_its_name(run_again, finished_run, part):
    plain = (finished_run / "hq+entp.jsonl").read_bytes()
    ended = run_again(ablate=part)
    name = f"hq+entp-without-{part}"
    assert {stage for stage, end in ended.items() if end.ran} - {"select"} == {"fuse", "blend", "export"}
    assert ended["select"].ran == (part == "progressive")
    assert data_sets(finished_run) == [name]
    assert [made.name for made in ended["blend"].findings.sets] == [name]
    assert (finished_run / "hq+entp.jsonl").read_bytes() == plain
    fused = [line for line in lines_of(finished_run / f"{name}.jsonl") if line["strategy"]]
    assert fused
    assert {line["strategy"] == "free_merge" for line in fused} == {part == "strategies"}
    with look_at_run(finished_run) as run:
        assert verify(run) == []
        assert asyncio.run(replay_all(run)).differences == []


def test_the_way_back_costs_no_call(run_again, finished_run, lasting_server):
    plain = (finished_run / "hq+entp.jsonl").read_bytes()
    (finished_run / "hq+entp.jsonl").unlink()  # of the run that this one is a copy of
    run_again(ablate="spo")
    calls = len(lasting_server.calls)
    run_again(unset=("ablate",))
    assert len(lasting_server.calls) == calls
    assert data_sets(finished_run) == ["hq+entp"]
    assert (finished_run / "hq+entp.jsonl").read_bytes() == plain


def test_nothing_switched_off_changes_nothing(run_again):
    assert not any(end.ran for end in run_again(ablate="none").values())


def test_the_name_says_it_of_fused_rows_only():
    assert name_of("hq+entp@50%", "spo") == "hq+entp@50%-without-spo"
    assert name_of("intra", "cycle1") == "intra-without-cycle1"
    assert [name_of(recipe, "spo") for recipe in ("hq", "lq@10", "full")] == ["hq", "lq@10", "full"]
    assert name_of("entp", "none") == "entp"


def test_equal_shares_are_of_the_same_pairs(run_again, finished_run):
    """The variants of two data sets that are compared come from one plan and one draw."""
    sets = ("hq", "inter@40%")
    run_again(sets=sets, set="inter@40%")
    run_again(ablate="cycle2")
    assert data_sets(finished_run) == ["hq", "inter@40%-without-cycle2"]
    names = ("inter@40%", "inter@40%-without-cycle2")
    whole, without = (lines_of(finished_run / f"{name}.jsonl") for name in names)
    assert [line["id"] for line in whole] == [line["id"] for line in without]
    assert whole != without


def test_a_data_set_may_be_exported_by_its_recipe_or_its_name(run_again, finished_run):
    run_again(ablate="checks", sets=("hq+entp", "entp"))
    for wanted in ("entp", "entp-without-checks"):
        found = run_again(set=wanted)["export"].findings
        assert (found.set, found.file) == ("entp-without-checks", str(finished_run / f"{found.set}.jsonl"))
    with pytest.raises(UsageError, match=r"no data set 'entp-without-spo' \(there is entp-without-checks, "):
        run_again(set="entp-without-spo")


def test_without_the_optimizer_variants_share_the_calls_that_merge_again(
    run_again, finished_run, lasting_server
):
    before = len(lasting_server.calls)
    run_again(ablate="spo")
    asked = lasting_server.received[before:]
    checks = {"domain_analysis", "information_completeness", "final_answer_check"}
    assert {operator for _, operator, _ in asked} == checks | {MERGE, "missing_answer"}
    merges = Counter(json.dumps(messages) for _, operator, messages in asked if operator == MERGE)
    with look_at_run(finished_run) as run:
        attempts = [made for row in run.store.fused_rows.all() for made in row.attempts]
    # three variants with three attempts each, and still at most three merges of a pair
    assert sum(made["cycle"] == 1 and made["attempt"] > 1 for made in attempts) > merges.total()
    assert max(merges.values()) <= 3


def test_a_fork_goes_on_without_what_was_switched_off(run_again, finished_run):
    run_again(ablate="spo")
    with open_run(finished_run) as run:
        row = next(row for row in run.store.fused_rows.all() if len(row.templates) > 2)
        point = Point(row.variant, 1, 2)
        found = asyncio.run(run_on(run, row.fusion_id, point, Changes(), live=False))
        assert found.steps[0]["node"] == MERGE
        assert found.fork.attempts == found.original.attempts
        with pytest.raises(UsageError, match=f"choose one of {MERGE}"):
            asyncio.run(run_on(run, row.fusion_id, point, Changes(template="terms"), live=False))


def test_the_path_of_a_fusion_begins_with_the_cycle_that_is_left(run_again, finished_run):
    run_again(ablate="cycle1")
    with look_at_run(finished_run) as run:
        drawn = fusion_drawing(run, next(iter(run.store.fusions.ids())))
    assert f"{MERGE} --> v0_2_1" in drawn
    assert "information_completeness" not in drawn


def test_the_bounds_of_a_plan_are_those_of_what_is_left(finished_run):
    with look_at_run(finished_run, {"ablate": "cycle2"}) as run:
        planned = fusion_plan(run)
        assert planned.pairs
        assert planned.fusion_calls.least == 5 * planned.pairs
        assert planned.fusion_calls.most == 17 * planned.pairs
        assert state_of(run, run.stages[5]) == "stale"


def test_pairs_only_never_takes_up_a_fusion(run_again, finished_run):
    def pairs():
        return {row["id"]: row for row in query(finished_run, "SELECT * FROM pairs")}

    def operands(row):
        return [row["left_id"], row["right_id"]]

    folded = pairs()
    representatives = Counter(
        row["cluster"] for row in query(finished_run, "SELECT * FROM clusters WHERE rank IS NOT NULL")
    )
    left_out = run_again(ablate="progressive")["blend"].findings.sets[0].left_out
    two_rows = pairs()
    assert max(row["depth"] for row in folded.values()) > 1
    assert {row["depth"] for row in two_rows.values()} == {1}
    inter = {key for key, row in folded.items() if row["kind"] == "inter"}
    assert {key for key, row in two_rows.items() if row["kind"] == "inter"} == inter
    intra = [row for row in two_rows.values() if row["kind"] == "intra"]
    assert len(intra) == sum(number // 2 for number in representatives.values())
    used = [row_id for row in intra for row_id in operands(row)]
    assert len(used) == len(set(used))
    assert "carried into a later fusion" not in left_out


def test_some_pairs_are_not_made_in_another_way_beside_the_others(run_whole, finished_run, tmp_path):
    with pytest.raises(UsageError, match="--pairs would leave fusions made with --ablate none beside"):
        run_whole(finished_run, pairs=2, ablate="spo")
    with look_at_run(finished_run) as run:
        assert run.settings.values.get("ablate", "none") == "none"
    ended = run_whole(tmp_path / "trial", pairs=2, ablate="spo")
    assert ended["fuse"].findings.pairs == 2
    assert run_whole(tmp_path / "trial", ablate="spo")["fuse"].findings.left == 0
