"""Data sets by name: what each holds, nested draws, and their files."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from entp.pipeline.ahead.job import bring_up_to_date
from entp.pipeline.run.stage import state_of
from entp.pipeline.stages.blend import SetPart, members_of, parts_of
from entp.pipeline.stages.order import look_at_run, open_run, stage_named
from entp.records.errors import UsageError
from tables import change, query


def members(folder, name, **changes):
    with look_at_run(folder, changes) as run:
        return members_of(run, name)[0]


def lines_of(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def do(folder, *names, **changes):
    with open_run(folder, changes) as run:
        for name in names:
            end = asyncio.run(bring_up_to_date(run, stage_named(name)))
    return end


def test_what_a_name_says():
    assert parts_of("hq+entp@50%") == (SetPart("hq"), SetPart("entp", percent=50.0))
    assert parts_of("inter@1000") == (SetPart("inter", rows=1000),)


@pytest.mark.parametrize("name", ["", "hq+", "best", "hq@", "entp@101%", "entp@x", "hq entp", "hq@5%%"])
def test_a_name_that_says_nothing_is_refused(name):
    with pytest.raises(UsageError, match=r"hq\+entp@50%"):
        parts_of(name)


def test_each_source_holds_its_rows(finished_run):
    quality = {row["row_id"]: row["quality"] for row in query(finished_run, "SELECT * FROM scores")}
    kinds = {row["id"]: row["kind"] for row in query(finished_run, "SELECT * FROM pairs")}
    for source, wanted in (("hq", "HQ"), ("lq", "LQ")):
        assert {m.id for m in members(finished_run, source)} == {i for i, q in quality.items() if q == wanted}
    assert {m.id for m in members(finished_run, "full")} == set(quality)
    entp, intra, inter = (members(finished_run, name) for name in ("entp", "intra", "inter"))
    assert {m.id for m in entp} == {m.id for m in intra} | {m.id for m in inter}
    assert intra
    assert inter
    assert {kinds[m.id.rsplit("-", 1)[0]] for m in intra} == {"intra"}
    both = [m.id for m in members(finished_run, "hq+entp")]
    assert both == [m.id for m in members(finished_run, "hq")] + [m.id for m in entp]


def test_a_larger_share_holds_the_smaller_one(finished_run):
    sizes = []
    before: set[str] = set()
    for share in (10, 40, 70, 100):
        now = {m.id for m in members(finished_run, f"entp@{share}%")}
        assert before <= now
        sizes.append(len(now))
        before = now
    whole = len(members(finished_run, "entp"))
    assert sizes == [round(whole * share / 100) for share in (10, 40, 70, 100)]
    assert len(members(finished_run, "entp@5")) == 5
    assert {m.id for m in members(finished_run, "entp@5")} <= before
    assert len(members(finished_run, "entp@100000")) == whole


def test_high_quality_rows_of_a_class_may_be_left_out(finished_run):
    change(
        finished_run, "UPDATE scores SET content_class = 'math' WHERE quality = 'HQ' AND row_id < 'row-08'"
    )
    with_math, without = members(finished_run, "hq"), members(finished_run, "hq", hq_exclude=("math",))
    gone = {m.id for m in with_math} - {m.id for m in without}
    assert gone
    assert all(row_id < "row-08" for row_id in gone)


def test_several_sets_each_with_its_file(finished_run):
    do(finished_run, "blend", sets=("hq+entp", "entp", "lq@3"))
    for name, form in (("entp", "messages"), ("lq@3", "alpaca")):
        found = do(finished_run, "export", set=name, form=form).mark.findings
        lines = lines_of(Path(found["file"]))
        assert [line["id"] for line in lines] == [m.id for m in members(finished_run, name)]
        assert found["file"] == str(finished_run / f"{name}.jsonl")
    # a set that the settings no longer name goes, with nothing else
    do(finished_run, "blend", sets=("entp",))
    assert {row["name"] for row in query(finished_run, "SELECT DISTINCT name FROM datasets")} == {"entp"}


def test_a_set_that_was_not_made_is_named(finished_run):
    with pytest.raises(UsageError, match=r"there is no data set 'entp' \(there is hq\+entp\)"):
        do(finished_run, "export", set="entp")


def test_a_loss_that_changes_makes_the_blend_stale(finished_run):
    """Losses shape a data set though no text changes: the whole table is what a stage leaves."""
    with open_run(finished_run) as run:
        fused = next(row for row in run.store.fused_rows.all() if row.status == "fused")
        run.store.fused_rows.put([fused.model_copy(update={"loss": (fused.loss or 0) + 1})])
        mark = run.store.marks.get("fuse")
        outputs = run.store.digest(("fusions", "fused_rows", "lineage"))
        run.store.marks.put(mark.model_copy(update={"outputs": outputs}))
        assert state_of(run, stage_named("blend")) == "stale"


def test_a_bound_on_the_loss_keeps_the_best_row_of_a_cluster(finished_run):
    with look_at_run(finished_run) as run:
        row = next(row for row in run.store.fused_rows.candidates() if row.carried_by)
    carried, later = row.id, row.carried_by
    change(finished_run, "UPDATE fused_rows SET loss = 0 WHERE id = ?", carried)
    change(finished_run, "UPDATE fused_rows SET loss = 3 WHERE fusion_id = ?", later)
    assert carried not in {m.id for m in members(finished_run, "entp")}
    assert carried in {m.id for m in members(finished_run, "entp", max_loss=1)}
    # one row of the later fusion that is good enough stands for it
    change(finished_run, "UPDATE fused_rows SET loss = 1 WHERE id = ?", f"{later}-1")
    found = {m.id for m in members(finished_run, "entp", max_loss=1)}
    assert carried not in found
    assert f"{later}-1" in found


def test_every_line_of_an_export_has_the_same_keys(finished_run):
    lines = lines_of(finished_run / "hq+entp.jsonl")
    assert {line["kind"] for line in lines} > {"HQ"}
    assert len({tuple(line) for line in lines}) == 1
