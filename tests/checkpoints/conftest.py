"""Every implementation of the run store, for the suite that holds all of them to one behaviour."""

from __future__ import annotations

import uuid

import pytest

from entp.checkpoints import open_store
from entp.records.work import Task
from made_records import (
    ended,
    member,
    pair,
    row,
    score,
    turns,
)

KINDS = ("sqlite", "memory")


def address(kind, folder):
    return f"memory:{uuid.uuid4()}" if kind == "memory" else folder


@pytest.fixture(params=KINDS)
def url(request, tmp_path):
    return address(request.param, tmp_path)


@pytest.fixture
def store(url):
    with open_store(url, create=True) as opened:
        yield opened


@pytest.fixture(scope="module", params=KINDS)
def shared_store(request, tmp_path_factory):
    """One store for all examples of a property, each of which fills it again."""
    with open_store(address(request.param, tmp_path_factory.mktemp("run")), create=True) as opened:
        yield opened


@pytest.fixture
def pool(store):
    store.rows.replace(
        [
            row("c", 0, source="x", ratings={"gpt": 7, "other": 1}),
            row("a", 1, source="y", ratings={'a "quoted" rater': 2}),
            row("b", 2, source="y", ratings={"gpt": 3}, said=turns("né\0e", '"')),
            row("d", 3, source="z"),
        ]
    )
    return store


@pytest.fixture
def plan(pool):
    """Two fusions in a row, p1 and p2, and one by itself."""
    pool.pairs.replace(
        [
            pair("p1", 0, "row:a", "row:b"),
            pair("p2", 1, "fusion:p1", "row:c", depth=2),
            pair("p3", 2, "row:b", "row:d", kind="inter"),
        ]
    )
    return pool


@pytest.fixture
def queue(plan):
    plan.tasks.refill(Task(pair_id=found.id, position=found.position) for found in plan.pairs.all())
    return plan


@pytest.fixture
def sets(plan):
    plan.scores.put([score("a", 4, quality="HQ"), score("b", 1)])
    plan.fusions.finish(ended("p1", 0, None))
    plan.data_sets.replace(
        "hq+entp",
        [
            member("hq+entp", 2, "intra", "p1-0"),
            member("hq+entp", 0, "HQ", "a"),
            member("hq+entp", 1, "HQ", "gone"),
            member("hq+entp", 3, "inter", "gone-0"),
            member("hq+entp", 4, "intra", "p1-1"),
            member("hq+entp", 5, "LQ", "d"),
        ],
    )
    plan.data_sets.replace("all", [member("all", 0, "HQ", "a", made_by="baseline")])
    return plan
