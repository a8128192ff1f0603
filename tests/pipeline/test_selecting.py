"""Settings of selection: what stands for a cluster, and what becomes of clusters of one row."""

from __future__ import annotations

import asyncio

import pytest

from entp.pipeline.ahead.job import bring_up_to_date
from entp.pipeline.stages.order import open_run, stage_named


@pytest.fixture
def select(finished_run):
    """Select with other settings in a copy of a finished run; gives the findings, members and pairs."""

    def work(**changes):
        with open_run(finished_run, changes) as run:
            end = asyncio.run(bring_up_to_date(run, stage_named("select")))
            return end.findings, list(run.store.clusters.all()), list(run.store.pairs.all())

    return work


def test_clusters_of_one_row_pair_unless_they_are_skipped(select):
    close = {"similarity": 1.0}
    paired, members, pairs = select(**close)
    alone = {m.row_id for m in members if sum(other.cluster == m.cluster for other in members) == 1}
    assert alone
    assert paired.singletons_skipped == 0
    assert alone & {side.id for pair in pairs for side in (pair.left, pair.right)}

    skipped, members, pairs = select(**close, singletons="skip")
    assert skipped.singletons_skipped == len(alone)
    assert not alone & {side.id for pair in pairs for side in (pair.left, pair.right)}
    # they stay members of their clusters, so that the books are as before
    assert alone <= {m.row_id for m in members}
    assert skipped.representatives == paired.representatives


def test_more_rows_stand_for_a_sub_cluster_where_more_are_asked_for(select):
    few, _, _ = select(similarity=0.3, representatives=1)
    many, _, _ = select(similarity=0.3, representatives=9)
    assert few.representatives < many.representatives
