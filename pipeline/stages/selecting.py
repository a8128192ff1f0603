"""Clusters, representatives and pairs of the low-quality rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

import numpy as np

from ...records.books import Books
from ...records.pairs import ClusterMember, Operand, Pair
from ...records.vocabulary import PairKind
from ...selection import (
    Clusters,
    Plan,
    PlannedPair,
    choose_representatives,
    draw_pairs,
    hdbscan_clusters,
    make_pairs,
    most_rows,
    nearest_neighbours,
    one_hop_clusters,
    seeded_order,
)
from ...selection.arrays import FloatArray, IntArray
from ..run.run_folder import Run
from ..run.stage import Result
from .embed import EmbedSettings
from .select import SelectFindings, SelectSettings
from .vectors import embeddings

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
# shares of rows with a neighbour within the threshold beyond which it does not suit the encoder
LEAST_SHARE, MOST_SHARE = 0.01, 0.6


async def select(run: Run) -> Result[SelectFindings]:
    """Fill `clusters` and `pairs`; rows of classes that are not included are set aside."""
    settings = run.settings.of(SelectSettings)
    low = list(run.store.scores.of_quality("LQ"))
    taken = [row for row in low if row.content_class is None or row.content_class in settings.include]
    aside = Counter(row.content_class for row in low) - Counter(row.content_class for row in taken)
    ids = [row.row_id for row in taken]
    vectors = embeddings(run)[[row.position for row in taken]]
    clusters, representatives = _cluster(run, ids, vectors)
    skipped = [settings.singletons == "skip" and len(cluster) == 1 for cluster in representatives]
    folded = settings.ablate != "progressive"
    chosen = [
        [] if skip else [ids[at] for at in cluster]
        for skip, cluster in zip(skipped, representatives, strict=True)
    ]
    fold = settings.fold if folded else "tree"
    plan = make_pairs(chosen, seed=settings.seed, fold=fold, kinds=settings.kinds)
    if not folded:  # the first level of a tree: each representative in one pair at most
        plan = replace(plan, pairs=tuple(pair for pair in plan.pairs if pair.depth == 1))
    drawn = draw_pairs(
        plan.pairs, seed=settings.seed, intra=settings.intra, inter=settings.inter, rows=settings.rows
    )
    with run.store.transaction():
        run.store.clusters.replace(_members(ids, clusters, representatives))
        run.store.pairs.replace(_pair(pair, position) for position, pair in enumerate(drawn))
    set_aside = {f"set aside: {name}": rows for name, rows in aside.items()}
    similarities = _similarities(run, vectors)
    findings = _findings(clusters, representatives, sum(skipped), plan, drawn, set_aside, *similarities)
    return Result(Books(inputs=len(low), outputs=len(taken), rejected=set_aside), findings)


def _cluster(run: Run, ids: list[str], vectors: FloatArray) -> tuple[Clusters, list[IntArray]]:
    settings = run.settings.of(SelectSettings)
    order = seeded_order(ids, settings.seed)
    with run.progress.task(f"clustering {len(ids)} low-quality rows", None):
        if settings.clusterer == "hdbscan":
            clusters = hdbscan_clusters(vectors, order=order)
        else:
            clusters = one_hop_clusters(vectors, settings.similarity, order=order)
        chosen = choose_representatives(
            vectors,
            clusters,
            order=order,
            seed=settings.seed,
            alpha=settings.alpha,
            number=settings.representatives,
        )
    return clusters, chosen


def _members(ids: list[str], clusters: Clusters, representatives: list[IntArray]) -> Iterator[ClusterMember]:
    ranks = {int(at): rank for cluster in representatives for rank, at in enumerate(cluster)}
    centres = {int(at) for at in clusters.centres}
    for at, row_id in enumerate(ids):
        yield ClusterMember(
            row_id=row_id,
            cluster=int(clusters.labels[at]),
            role="centre" if at in centres else "member",
            rank=ranks.get(at),
        )


def _pair(pair: PlannedPair, position: int) -> Pair:
    return Pair(
        id=pair.id,
        position=position,
        kind=pair.kind,
        cluster=pair.cluster,
        depth=pair.depth,
        left=Operand(kind=pair.left.kind, id=pair.left.id),
        right=Operand(kind=pair.right.kind, id=pair.right.id),
    )


def _findings(
    clusters: Clusters,
    representatives: list[IntArray],
    skipped: int,
    plan: Plan,
    drawn: tuple[PlannedPair, ...],
    set_aside: dict[str, int],
    quantiles: dict[str, float],
    share: float,
    warning: str | None,
) -> SelectFindings:
    kinds, possible = (Counter(pair.kind for pair in pairs) for pairs in (drawn, plan.pairs))
    sizes = np.bincount(clusters.labels, minlength=len(clusters.centres))
    return SelectFindings(
        clusters=len(clusters.centres),
        clusters_of_two_or_more=int((sizes > 1).sum()),
        largest_cluster=int(sizes.max(initial=0)),
        representatives=sum(len(cluster) for cluster in representatives),
        singletons_skipped=skipped,
        intra_pairs=kinds["intra"],
        inter_pairs=kinds["inter"],
        possible={kind: possible[kind] for kind in get_args(PairKind)},
        most_rows=most_rows(drawn),
        left_over=list(plan.left_over),
        set_aside=set_aside,
        nearest_similarity=quantiles,
        share_within=round(share, 4),
        warning=warning,
    )


def _similarities(run: Run, vectors: FloatArray) -> tuple[dict[str, float], float, str | None]:
    """Quantiles of each row's cosine to its nearest neighbour, and a warning where the threshold is off."""
    settings = run.settings.of(SelectSettings)
    if len(vectors) < 2:
        return {}, 0.0, None
    nearest = nearest_neighbours(vectors, 1).similarities[:, 0]
    share = float((nearest >= settings.similarity).mean())
    quantiles = dict(zip(map(str, QUANTILES), np.quantile(nearest, QUANTILES).round(3).tolist(), strict=True))
    if settings.clusterer != "one_hop" or LEAST_SHARE <= share <= MOST_SHARE:
        return quantiles, share, None
    often = "hardly any row has" if share < LEAST_SHARE else "most rows have"
    warning = (
        f"{often} a neighbour at {settings.similarity} ({share:.1%}): the threshold may not suit "
        f"{run.settings.of(EmbedSettings).encoder}; see the quantiles and set --similarity, "
        "or use --clusterer hdbscan"
    )
    return quantiles, share, warning
