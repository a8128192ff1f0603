"""A target size: numbers of pairs or fused rows, drawn by `select`; `--pairs` is the trial of one command."""

from __future__ import annotations

import asyncio

from entp import api
from entp.pipeline.ahead.job import bring_up_to_date
from entp.pipeline.run.settings import Scope
from entp.pipeline.stages.order import open_run, stage_named
from tables import count, query


def lines(end):
    return [line for line in end.stage.lines(end.findings) if isinstance(line, str)]


def planned(folder):
    return {row["id"] for row in query(folder, "SELECT id FROM pairs")}


def of_kind(folder, kind):
    return {row["id"] for row in query(folder, f"SELECT id FROM pairs WHERE kind = '{kind}'")}


def select(folder, **changes):
    with open_run(folder, changes) as run:
        return asyncio.run(bring_up_to_date(run, stage_named("select")))


def test_select_says_how_many_pairs_there_could_be_and_how_many_were_drawn(finished_run):
    intra, inter = (len(of_kind(finished_run, kind)) for kind in ("intra", "inter"))
    end = select(finished_run, inter=2)
    assert (end.findings.intra_pairs, end.findings.inter_pairs) == (intra, 2)
    assert end.findings.possible == {"intra": intra, "inter": inter}
    assert f"drawn at random: 6 of 6 intra pairs, 2 of {inter} inter pairs; at most 22 fused rows" in lines(
        end
    )
    end = select(finished_run, unset="inter")
    assert f"6 intra pairs, {inter} inter pairs; at most 31 fused rows" in lines(end)


def test_a_dry_run_says_how_many_pairs_of_all(finished_run):
    possible = len(planned(finished_run))
    select(finished_run, inter=1)
    plan = api.plan_fusions(finished_run, scope=Scope(pairs=1))
    assert (plan.pairs, plan.possible) == (1, possible)
    assert api.plan_fusions(finished_run).pairs == len(planned(finished_run)) < possible


def test_a_larger_number_adds_fusions_and_redoes_none(run_whole, tmp_path, model_server):
    folder = tmp_path / "run"
    run_whole(inter=1, kinds=("inter",))
    few, asked = planned(folder), len(model_server.calls)
    assert len(few) == 1
    ends = run_whole(inter=3, kinds=("inter",))
    more = planned(folder)
    assert few < more
    assert len(more) == 3
    assert ends["fuse"].findings.pairs == 3
    # rating took the same calls both times, and a fusion takes as many as another
    together = len(model_server.calls)
    run_whole(tmp_path / "at_once", inter=3, kinds=("inter",))
    assert len(model_server.calls) - together == together
    assert together > asked


def test_rows_come_where_no_fusion_fails(run_whole, tmp_path):
    ends = run_whole(rows=7, sets=("entp", "entp@7"))
    entp, exactly = ends["blend"].findings.sets
    assert 7 <= entp.rows == ends["select"].findings.most_rows
    assert exactly.rows == 7
    assert ends["fuse"].findings.pairs == count(tmp_path / "run", "pairs") < 11
    assert ends["fuse"].mark.books.pending == 0


def test_a_sample_is_not_of_the_shortest(finished_run):
    with open_run(finished_run) as run:
        lengths = {pair.id: length for pair, length in run.store.pairs.with_lengths() if pair.kind == "inter"}
    shortest, differ = sorted(lengths, key=lambda pair: lengths[pair]), 0
    drawn: set[str] = set()
    for number in range(1, len(shortest)):
        select(finished_run, inter=number)
        assert drawn < of_kind(finished_run, "inter")
        drawn = of_kind(finished_run, "inter")
        differ += drawn != set(shortest[:number])
    assert differ


def test_a_trial_says_what_it_is(run_whole):
    text = "\n".join(lines(run_whole(pairs=1)["fuse"]))
    assert "a command for the whole plan goes on with them" in text
    assert "a cheap trial, not a sample" in text
    assert "trial" not in "\n".join(lines(run_whole()["fuse"]))
