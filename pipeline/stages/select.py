"""Select: cluster the low-quality rows, choose representatives, plan the pairs (Section 3.2, Algorithm 1)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...records.books import Books
from ...selection import (
    Clusters,
    PlannedPair,
    choose_representatives,
    hdbscan_clusters,
    make_pairs,
    nearest_neighbours,
    one_hop_clusters,
    seeded_order,
)
from ...selection.arrays import FloatArray
from ..run.run_folder import Run
from ..run.stage import Result
from .embed import embeddings

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
# shares of rows with a neighbour within the threshold beyond which it does not suit the encoder
LEAST_SHARE, MOST_SHARE = 0.01, 0.6


async def select(run: Run) -> Result:
    """Fill `clusters` and `pairs`; rows of excluded content classes are set aside."""
    low = list(
        run.store.query(
            "SELECT id, position, content_class FROM rows JOIN scores ON row_id = id "
            "WHERE quality = 'LQ' ORDER BY position"
        )
    )
    taken = [row for row in low if row["content_class"] not in run.settings.exclude]
    ids = [row["id"] for row in taken]
    vectors = embeddings(run)[[row["position"] for row in taken]]
    clusters, representatives = _cluster(run, ids, vectors)
    plan = make_pairs(
        [[ids[at] for at in cluster] for cluster in representatives],
        seed=run.settings.seed,
        fold=run.settings.fold,
        kinds=run.settings.kinds,
    )
    pairs = [_pair_record(pair, position) for position, pair in enumerate(plan.pairs)]
    with run.store.transaction():
        run.store.replace("clusters", _cluster_records(ids, clusters, representatives))
        run.store.replace("pairs", pairs)
    set_aside: dict[str, int] = {}
    for row in low:
        if row["content_class"] in run.settings.exclude:
            reason = f"set aside: {row['content_class']}"
            set_aside[reason] = set_aside.get(reason, 0) + 1
    sizes = np.bincount(clusters.labels, minlength=len(clusters.centres))
    report = {
        "clusters": len(clusters.centres),
        "clusters_of_two_or_more": int((sizes > 1).sum()),
        "largest_cluster": int(sizes.max(initial=0)),
        "representatives": sum(len(cluster) for cluster in representatives),
        "intra_pairs": sum(pair.kind == "intra" for pair in plan.pairs),
        "inter_pairs": sum(pair.kind == "inter" for pair in plan.pairs),
        "left_over": list(plan.left_over),
        "set_aside": set_aside,
        **_similarities(run, vectors),
    }
    books = Books(inputs=len(low), outputs=len(taken), rejected=set_aside)
    return Result(books, report)


def _cluster(run: Run, ids: list[str], vectors: FloatArray) -> tuple[Clusters, list[Any]]:
    order = seeded_order(ids, run.settings.seed)
    with run.progress.task(f"clustering {len(ids)} low-quality rows", None):
        if run.settings.clusterer == "hdbscan":
            clusters = hdbscan_clusters(vectors, order=order)
        else:
            clusters = one_hop_clusters(vectors, run.settings.similarity, order=order)
        chosen = choose_representatives(vectors, clusters, order=order, seed=run.settings.seed)
    return clusters, chosen


def _cluster_records(ids: list[str], clusters: Clusters, representatives: list[Any]) -> list[dict[str, Any]]:
    ranks = {int(at): rank for cluster in representatives for rank, at in enumerate(cluster)}
    centres = {int(at) for at in clusters.centres}
    return [
        {
            "row_id": row_id,
            "cluster": int(clusters.labels[at]),
            "role": "centre" if at in centres else "member",
            "rank": ranks.get(at),
        }
        for at, row_id in enumerate(ids)
    ]


def _pair_record(pair: PlannedPair, position: int) -> dict[str, Any]:
    return {
        "id": pair.id,
        "position": position,
        "kind": pair.kind,
        "cluster": pair.cluster,
        "depth": pair.depth,
        "left_kind": pair.left.kind,
        "left_id": pair.left.id,
        "right_kind": pair.right.kind,
        "right_id": pair.right.id,
    }


def _similarities(run: Run, vectors: FloatArray) -> dict[str, Any]:
    """Quantiles of each row's cosine to its nearest neighbour, and a warning where the threshold is off."""
    if len(vectors) < 2:
        return {"nearest_similarity": {}, "share_within": 0.0, "warning": ""}
    nearest = nearest_neighbours(vectors, 1).similarities[:, 0]
    share = float((nearest >= run.settings.similarity).mean())
    quantiles = dict(zip(map(str, QUANTILES), np.quantile(nearest, QUANTILES).round(3).tolist(), strict=True))
    warning = ""
    if run.settings.clusterer == "one_hop" and not LEAST_SHARE <= share <= MOST_SHARE:
        often = "hardly any row has" if share < LEAST_SHARE else "most rows have"
        warning = (
            f"{often} a neighbour at {run.settings.similarity} ({share:.1%}): the threshold may not suit "
            f"{run.settings.encoder}; see the quantiles and set --similarity, or use --clusterer hdbscan"
        )
    return {"nearest_similarity": quantiles, "share_within": round(share, 4), "warning": warning}
