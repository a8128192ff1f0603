"""Representatives of a cluster (arXiv 2510.23160, Section 3.2, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..arrays import FloatArray, IntArray, check_order
from ..threads import one_thread
from .clusters import Clusters, most_central
from .subclusters import split_members

# a smaller rest of a cluster is taken whole
_SMALLEST_SPLIT = 3


def choose_representatives(
    embeddings: FloatArray,
    clusters: Clusters,
    *,
    order: IntArray,
    seed: int,
    alpha: float = 0.2,
    number: int = 2,
) -> list[IntArray]:
    """Representatives of each cluster as row positions, most central first; one array per cluster.

    The centre is one and leaves the cluster; the rest is split into sub-clusters, each of which gives
    `number` rows (1 or more): that of highest cosine to its mean, then by maximal marginal relevance with
    weight `alpha` (0..1) on relevance. Sub-clusters of no more rows, and clusters with fewer than three rows
    left, give all. "Most central" is by cosine to the mean of the whole cluster. `embeddings` (N, d) are
    unit rows; `order` (N,) breaks ties and orders what k-means sees, so that with `seeded_order` nothing
    depends on the order of the pool.
    """
    check_order(order, len(embeddings))
    rank = np.argsort(order)
    with one_thread("sklearn.cluster"):
        return [
            _of_cluster(embeddings, members[np.argsort(rank[members])], centre, seed, alpha, number)
            for members, centre in zip(clusters.members(), clusters.centres, strict=True)
        ]


def next_by_relevance(rows: FloatArray, chosen: Sequence[int], alpha: float) -> int:
    """The next row after `chosen` by maximal marginal relevance to the mean of `rows` (n, d), unit vectors.

    It maximises alpha * cos(row, mean) - (1 - alpha) * (highest cosine to a chosen row); the first of equals.
    """
    mean = rows.mean(axis=0)
    length = float(np.sqrt((mean * mean).sum()))
    relevance = (rows * mean).sum(axis=1) / length if length > 0 else np.zeros(len(rows))
    likeness = np.max([(rows * rows[at]).sum(axis=1) for at in chosen], axis=0)
    value = alpha * relevance - (1 - alpha) * likeness
    value[list(chosen)] = -np.inf
    return int(value.round(12).argmax())


def _of_cluster(
    embeddings: FloatArray, members: IntArray, centre: int, seed: int, alpha: float, number: int
) -> IntArray:
    rest = members[members != centre]
    if len(rest) < _SMALLEST_SPLIT:
        return most_central(embeddings, members)
    chosen = [centre]
    labels = split_members(embeddings[rest].astype(np.float64), seed)
    for label in range(int(labels.max()) + 1):
        rows = rest[labels == label]
        if len(rows) <= number:
            chosen.extend(rows)
            continue
        vectors = embeddings[rows].astype(np.float64)
        taken = [int(np.flatnonzero(rows == most_central(embeddings, rows)[0])[0])]
        while len(taken) < number:
            taken.append(next_by_relevance(vectors, taken, alpha))
        chosen.extend(rows[taken])
    by_centrality = most_central(embeddings, members)
    return by_centrality[np.isin(by_centrality, chosen)]
