"""What every run store does, whatever it keeps its records in: fusions."""

from __future__ import annotations

import pytest

from entp.records.datasets import Candidate
from entp.records.errors import RunFolderError
from entp.records.fusions import Ended, Standing
from entp.records.listings import FusionTotals, MadeAlike
from entp.records.work import Task
from made_records import (
    RECIPE,
    ended,
    fork,
    fused_row,
    fusion,
    ids,
)


def test_finish_keeps_all_of_a_fusion_and_takes_its_task_out(queue):
    queue.fusions.finish(ended("p1", 0, 2, None))
    assert queue.fusions.get("p1") == fusion("p1", carried="p1-0")
    assert queue.fused_rows.of("p1") == [
        fused_row("p1", at, loss=loss) for at, loss in enumerate([0, 2, None])
    ]
    assert queue.fused_rows.sources_of("p1-0") == ["a", "b"]
    assert queue.tasks.count() == 2


def test_finish_takes_the_place_of_an_earlier_end(queue):
    queue.fusions.finish(ended("p1", 0, 1, 2))
    queue.fusions.finish(ended("p1", 3, sources=["c"], asked="otherwise"))
    assert queue.fusions.get("p1").asked == "otherwise"
    assert ids(queue.fused_rows.all()) == ["p1-0"]
    assert queue.fused_rows.sources_of("p1-0") == ["c"]
    assert queue.fused_rows.sources_of("p1-2") == []
    queue.fusions.finish(ended("p1"))
    assert queue.fused_rows.count() == 0
    assert queue.fused_rows.made_from("c") == []


def test_a_finish_that_breaks_off_changes_nothing(queue):
    queue.fusions.finish(ended("p1", 1))
    whole = ended("p1", 0, 0)
    stray = Ended(whole.fusion, [*whole.fused_rows, fused_row("nowhere", 0)], whole.sources)
    queue.tasks.refill([Task(pair_id="p1", position=0)])
    with pytest.raises(RunFolderError):
        queue.fusions.finish(stray)
    assert [found.loss for found in queue.fused_rows.all()] == [1]
    assert queue.tasks.count() == 1


def test_what_decides_whether_a_fusion_is_kept(plan):
    plan.fusions.finish(ended("p1", 0, 1, templates={"merge": "h"}))
    plan.fusions.finish(ended("p2", 0, None))
    plan.fusions.finish(ended("p3", recipe=RECIPE.model_copy(update={"tries": 3})))
    plan.fusions.put([fusion("p4", status="failed", recipe=None)])
    assert plan.fusions.standing("p1") == Standing("asked", {"merge": "h"}, whole=True)
    assert plan.fusions.standing("p2") == Standing("asked", {}, whole=False)
    assert plan.fusions.standing("p3") == Standing("", {}, whole=False)
    assert plan.fusions.standing("unknown") is None
    assert plan.fusions.failed() == {"p2": 1, "p3": 3, "p4": 1}


def test_fusions_of_pairs_that_are_no_longer_planned_go(plan):
    for name in ("p1", "old", "older"):
        plan.fusions.finish(ended(name, 0))
    assert plan.fusions.drop_unplanned() == 2
    assert plan.fusions.ids() == ["p1"]
    assert ids(plan.fused_rows.all()) == ["p1-0"]
    assert plan.fusions.drop_unplanned() == 0


def test_why_fusions_and_variants_failed(plan):
    plan.fusions.finish(ended("p2", reason="Declined: b"))
    plan.fusions.finish(ended("p1", reason="Declined: a"))
    plan.fusions.finish(ended("p3", None, 0, None))
    assert plan.fusions.failure_reasons() == ["Declined: a", "Declined: b"]
    assert plan.fused_rows.failure_reasons() == ["ModelError: no", "ModelError: no"]


def test_fusions_that_were_made_alike_are_counted_together(plan):
    other = RECIPE.model_copy(update={"settings": {"seed": 1}})
    for name in ("p1", "p2"):
        plan.fusions.finish(ended(name, 0))
    plan.fusions.finish(ended("p3", 0, recipe=other, templates={"merge": "h"}))
    plan.fusions.finish(ended("p4", 0, None))
    plan.fusions.finish(ended("p5", 0, recipe=None))
    plan.fusions.finish(ended("p6", 0))
    found = plan.fusions.made_alike(["p1", "p2", "p2", "p3", "p4", "p5", "unknown"])
    assert sorted(found, key=str) == sorted(
        [
            MadeAlike(RECIPE, {}, failed=False, number=2),
            MadeAlike(other, {"merge": "h"}, failed=False, number=1),
            MadeAlike(RECIPE, {}, failed=True, number=1),
            MadeAlike(None, {}, failed=False, number=1),
        ],
        key=str,
    )
    assert plan.fusions.made_alike([]) == []


def test_what_the_latest_fusions_took(plan):
    assert plan.fusions.totals(10) == FusionTotals(0, 0, 0, 0)
    plan.fusions.finish(ended("p1", 0, 0, 0))
    plan.fusions.finish(ended("p2", 0))
    plan.fusions.finish(ended("p3"))
    # two calls of a fusion with 10 and 5 tokens each, and two of a variant with 100 and 50 together
    assert plan.fusions.totals(10) == FusionTotals(2, 2 * 2 + 4 * 2, 4 * 10 + 4 * 100, 4 * 5 + 4 * 50)
    assert plan.fusions.totals(1) == FusionTotals(1, 4, 120, 60)
    plan.fusions.finish(ended("p1", 0, 0, 0))
    assert plan.fusions.totals(1) == FusionTotals(1, 8, 320, 160)


def test_fused_rows_in_figures(plan):
    plan.fusions.finish(ended("p1", 2, 0, None))
    plan.fusions.finish(ended("p3", 2))
    assert list(plan.fused_rows.losses().items()) == [(0, 1), (2, 2)]
    assert plan.fused_rows.overrides() == 4
    plan.fused_rows.put([fused_row("p3", 1, attempts=[{"loss": {}}, {}])])
    assert plan.fused_rows.overrides() == 4


def test_what_a_row_went_into(plan):
    plan.fusions.finish(ended("p3", 1, sources=["d", "b"]))
    plan.fusions.finish(ended("p1", 0, None, sources=["a", "b"]))
    assert plan.fused_rows.sources_of("p3-0") == ["b", "d"]
    found = [tuple(row.model_dump().values()) for row in plan.fused_rows.made_from("b")]
    assert found == [
        ("p1-0", "analogy", "fused", 0, ["merge"], None),
        ("p1-1", "analogy", "failed", None, ["merge"], "ModelError: no"),
        ("p3-0", "analogy", "fused", 1, ["merge"], None),
    ]
    assert list(plan.fused_rows.listed()) == plan.fused_rows.made_from("b")
    assert ids(plan.fused_rows.listed(2)) == ["p1-0", "p1-1"]


def test_candidates_name_the_fusion_that_took_them_up(plan):
    plan.fusions.finish(ended("p3", 4))
    plan.fusions.finish(ended("p1", 0, 1, None))
    assert list(plan.fused_rows.candidates()) == [
        Candidate("p1-0", "intra", 0, None),
        Candidate("p1-1", "intra", 1, None),
        Candidate("p3-0", "inter", 4, None),
    ]
    plan.fusions.finish(ended("p2", None, None))
    assert next(plan.fused_rows.candidates()).carried_by is None
    plan.fusions.finish(ended("p2", None, 0))
    assert [(found.id, found.carried_by) for found in plan.fused_rows.candidates()] == [
        ("p1-0", "p2"),
        ("p1-1", None),
        ("p2-1", None),
        ("p3-0", None),
    ]


def test_fused_rows_of_pairs_that_are_no_longer_planned_are_not_candidates(plan):
    plan.fusions.finish(ended("old", 0))
    assert list(plan.fused_rows.candidates()) == []


def test_forks_the_oldest_first(store):
    store.forks.put([fork("b", "p", created="2"), fork("c", "q", created="1"), fork("a", "p", created="2")])
    assert ids(store.forks.listed()) == ["c", "a", "b"]
    assert ids(store.forks.listed(1)) == ["c"]
    assert ids(store.forks.of("p")) == ["a", "b"]
    (found,) = store.forks.of("q")
    assert found.point == "0:1:2"
    assert found.changes == {"temperature": 0.9}
