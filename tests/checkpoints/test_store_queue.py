"""What every run store does, whatever it keeps its records in: the plan and its queue."""

from __future__ import annotations

from entp.checkpoints import open_store
from entp.records.work import Task
from made_records import (
    ended,
    ids,
    operand,
    pair,
    row,
    turns,
)


def test_pairs_with_the_lengths_of_their_rows(plan):
    def lengths():
        return {found.id: length for found, length in plan.pairs.with_lengths()}

    before = lengths()
    assert list(before) == ["p1", "p2", "p3"]
    plan.rows.put([row("a", 1, said=turns("question a" + "x" * 100))])
    assert lengths() == before | {"p1": before["p1"] + 100}
    plan.rows.remove(["c"])
    assert lengths()["p2"] == 0


def test_pairs_by_operand(plan):
    assert ids(plan.pairs.using(operand("row:b"))) == ["p1", "p3"]
    assert ids(plan.pairs.using(operand("fusion:p1"))) == ["p2"]
    assert plan.pairs.using(operand("row:p1")) == []


def claim(store, holder, limit=9, now=0.0, until=10.0):
    return [task.pair_id for task in store.tasks.claim(holder, limit, now_s=now, until_s=until)]


def test_a_task_is_claimed_once_and_in_order(queue):
    assert claim(queue, "one", 1) == ["p1"]
    assert claim(queue, "two", 1) == ["p3"]
    assert claim(queue, "two") == []
    assert queue.tasks.count() == 3


def test_a_claim_says_who_holds_it(queue):
    (task,) = queue.tasks.claim("one", 1, now_s=0, until_s=5.5)
    assert task == Task(pair_id="p1", position=0, holder="one", until_s=5.5)


def test_a_task_waits_for_the_fusions_that_it_takes_up(queue):
    assert claim(queue, "one") == ["p1", "p3"]
    queue.fusions.finish(ended("p1", 0))
    assert claim(queue, "two") == ["p2"]


def test_a_settled_task_is_out_and_at_hand_for_others(queue):
    queue.tasks.settle("p1")
    queue.tasks.settle("p1")
    queue.tasks.settle("unknown")
    assert queue.tasks.count() == 2
    assert claim(queue, "one") == ["p2", "p3"]


def test_a_fusion_that_takes_up_the_same_twice_waits_once(plan):
    plan.pairs.put([pair("p4", 3, "fusion:p2", "fusion:p2")])
    plan.tasks.refill([Task(pair_id="p4", position=0), Task(pair_id="p2", position=1)])
    assert claim(plan, "one") == ["p2"]
    plan.tasks.settle("p2")
    assert claim(plan, "one") == ["p4"]


def test_a_task_waits_for_both_its_sides(plan):
    plan.pairs.put([pair("p4", 3, "fusion:p2", "fusion:p3")])
    plan.tasks.refill(
        [Task(pair_id="p4", position=0), Task(pair_id="p2", position=1), Task(pair_id="p3", position=2)]
    )
    plan.tasks.settle("p2")
    assert claim(plan, "one") == ["p3"]
    plan.fusions.finish(ended("p3", 0))
    assert claim(plan, "one") == ["p4"]


def test_a_failed_fusion_is_at_hand_too(queue):
    queue.fusions.finish(ended("p1"))
    assert claim(queue, "one") == ["p2", "p3"]


def test_claims_end(queue):
    assert claim(queue, "one", until=10) == ["p1", "p3"]
    assert claim(queue, "two", now=10) == []
    assert claim(queue, "two", now=10.5, until=20) == ["p1", "p3"]


def test_claims_are_renewed_by_their_holder(queue):
    assert claim(queue, "one", 1) == ["p1"]
    assert claim(queue, "two", 1) == ["p3"]
    queue.tasks.renew("one", until_s=100)
    assert claim(queue, "three", now=50) == ["p3"]


def test_claims_are_given_back(queue):
    claim(queue, "one", 1)
    claim(queue, "two", 1)
    queue.tasks.release("one")
    assert claim(queue, "three") == ["p1"]


def test_a_new_run_of_the_stage_drops_what_is_left(queue):
    claim(queue, "one")
    queue.tasks.refill([Task(pair_id="p3", position=5, tries=2)])
    assert queue.tasks.count() == 1
    (task,) = queue.tasks.claim("two", 9, now_s=0, until_s=1)
    assert (task.pair_id, task.position, task.tries) == ("p3", 5, 2)


def test_claims_of_another_opening_are_seen(url):
    with open_store(url, create=True) as one, open_store(url) as two:
        one.pairs.replace([pair("p1", 0, "row:a", "row:b"), pair("p2", 1, "row:a", "row:c")])
        one.tasks.refill([Task(pair_id="p1", position=0), Task(pair_id="p2", position=1)])
        assert claim(one, "one", 1) == ["p1"]
        assert claim(two, "two") == ["p2"]
