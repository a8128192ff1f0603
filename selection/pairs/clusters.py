"""Clusters of low-quality rows: one-hop (arXiv 2510.23160, Section 3.2, Algorithm 1) and HDBSCAN.

Both take `order`, a permutation of the rows that stands for the paper's seeded shuffle. Derived from row
ids and a seed (`seeded_order`) rather than from positions, it makes clusters independent of the order in
which a pool is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...records.hashing import tagged_hash
from ..arrays import FloatArray, IntArray, check_order, check_unit_rows
from ..neighbours import Reach, nearest_neighbours

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# nearest rows of a row that HDBSCAN is given
_LINKS = 32
_PAIRS_AT_ONCE = 8192
_LEAST_DISTANCE = 1e-9
# no two unit vectors are farther apart
_MOST_DISTANCE = 2.0


@dataclass(frozen=True)
class Clusters:
    """A partition of N rows.

    `labels` (N,) gives each row's cluster, 0..M-1; `centres` (M,) gives each cluster's centre as a row
    position.
    """

    labels: IntArray
    centres: IntArray

    def members(self) -> list[IntArray]:
        """Row positions of each cluster, ascending."""
        sorting = np.argsort(self.labels, kind="stable")
        sizes = np.bincount(self.labels, minlength=len(self.centres))
        return np.split(sorting, np.cumsum(sizes)[:-1]) if len(self.centres) else []


def seeded_order(ids: Sequence[str], seed: int) -> IntArray:
    """A shuffle of the rows that depends on their ids and the seed only: positions in the order to visit.

    Raises ValueError where an id occurs twice.
    """
    if len(set(ids)) != len(ids):
        repeated = next(row for row in ids if ids.count(row) > 1)
        msg = f"row id {repeated!r} occurs more than once"
        raise ValueError(msg)
    keys = [tagged_hash("order", [seed, row]) for row in ids]
    return np.array(sorted(range(len(ids)), key=keys.__getitem__), dtype=np.int64)


def one_hop_clusters(
    embeddings: FloatArray, similarity: float = 0.9, *, order: IntArray, memory_mib: int = 2048
) -> Clusters:
    """Greedy clusters of rows within one hop of a centre (Algorithm 1, lines 1-12).

    In `order` (N,), each row that belongs to no cluster yet becomes a centre, and every row without a
    cluster whose cosine to it is `similarity` or more joins. Each row ends in exactly one cluster; clusters
    are numbered as they are made. `embeddings` (N, d) are unit rows; `memory_mib` bounds the working
    memory.

    >>> rows = np.array([[1, 0], [0.6, 0.8], [0, 1]], dtype=np.float32)
    >>> one_hop_clusters(rows, 0.7, order=np.array([2, 0, 1]))
    Clusters(labels=array([1, 0, 0]), centres=array([2, 0]))
    """
    check_unit_rows(embeddings)
    check_order(order, len(embeddings))
    near = Reach(np.ascontiguousarray(embeddings, dtype=np.float32), similarity, memory_mib)
    centre_of = np.full(len(embeddings), -1, dtype=np.int64)
    waiting = order
    while waiting.size:
        block, waiting = waiting[: near.height], waiting[near.height :]
        made = _settle(near, block, centre_of)
        centre, joining, _ = near.pairs(made, waiting)
        # centres are in order, so that written backwards the first one within reach is written last
        last = np.argsort(-centre, kind="stable")
        centre_of[waiting[joining[last]]] = made[centre[last]]
        waiting = waiting[centre_of[waiting] < 0]
    centres = order[centre_of[order] == order]
    number = np.empty(len(embeddings), dtype=np.int64)
    number[centres] = np.arange(len(centres))
    return Clusters(labels=number[centre_of], centres=centres)


def hdbscan_clusters(
    embeddings: FloatArray, *, order: IntArray, min_cluster_size: int = 2, min_samples: int | None = None
) -> Clusters:
    """Density clusters (HDBSCAN, Euclidean on unit vectors), for encoders where no fixed cosine fits.

    Noise rows become clusters of one; the centre of a cluster is its member closest to the mean. Clusters are
    numbered by their first row in `order` (N,), in which the rows are also handed to HDBSCAN.

    HDBSCAN's own search trees take hours for 100,000 rows of many dimensions, so it is given the distances of
    each row to its 32 nearest, which are exact, as are core distances; rows farther apart than that are
    linked only above all others. With up to 33 rows the result is HDBSCAN's own; beyond that a cluster
    which HDBSCAN would join to another through rows that are not among each other's 32 nearest stays apart.
    """
    check_unit_rows(embeddings)
    check_order(order, len(embeddings))
    if len(embeddings) < max(2, min_cluster_size):
        return Clusters(labels=np.argsort(order), centres=order.copy())
    import hdbscan  # heavy, and seldom needed

    distances = _linked_distances(np.ascontiguousarray(embeddings[order], dtype=np.float32), min_samples or 0)
    model = hdbscan.HDBSCAN(
        min_cluster_size=min_cluster_size, min_samples=min_samples, metric="precomputed", core_dist_n_jobs=1
    )
    raw = model.fit_predict(distances)
    noise = raw < 0
    raw[noise] = raw.max(initial=-1) + 1 + np.arange(noise.sum())
    labels = np.empty(len(order), dtype=np.int64)
    labels[order] = number_by_first(raw)
    rank = np.argsort(order)
    unnumbered = Clusters(labels, np.zeros(labels.max() + 1, dtype=np.int64)).members()
    centres = [most_central(embeddings, rows[np.argsort(rank[rows])])[0] for rows in unnumbered]
    return Clusters(labels=labels, centres=np.array(centres, dtype=np.int64))


def _linked_distances(vectors: FloatArray, min_samples: int) -> csr_matrix:
    """Symmetric distances (N, N) of near rows, sparse; parts without a link have one of the most distance."""
    from scipy.sparse import csr_matrix  # slow to load
    from scipy.sparse.csgraph import connected_components

    num_rows = len(vectors)
    near = nearest_neighbours(vectors, max(_LINKS, min_samples)).indices
    rows, columns = np.repeat(np.arange(num_rows), near.shape[1]), near.ravel()
    distances = np.empty(len(rows))
    for at in range(0, len(rows), _PAIRS_AT_ONCE):
        here = slice(at, at + _PAIRS_AT_ONCE)
        apart = vectors[rows[here]].astype(np.float64) - vectors[columns[here]]
        # a distance of zero would be no entry
        distances[here] = np.maximum(np.sqrt((apart * apart).sum(axis=1)), _LEAST_DISTANCE)
    links = csr_matrix((distances, (rows, columns)), shape=(num_rows, num_rows))
    links = links.maximum(links.T)
    _, part = connected_components(links, directed=False)
    _, first = np.unique(part, return_index=True)
    far = csr_matrix(
        (np.full(len(first) - 1, _MOST_DISTANCE), (np.full(len(first) - 1, first[0]), first[1:])),
        shape=links.shape,
    )
    return links + far + far.T


def number_by_first(labels: IntArray) -> IntArray:
    """The same partition with labels 0, 1, ... in the order in which they first occur."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def most_central(embeddings: FloatArray, rows: IntArray) -> IntArray:
    """`rows` by falling cosine to their mean; equal ones keep their order."""
    vectors = embeddings[rows].astype(np.float64)
    # rounded, so that copies of one row tie whatever the order in which a product adds
    return rows[np.argsort(-(vectors * vectors.mean(axis=0)).sum(axis=1).round(12), kind="stable")]


def _settle(near: Reach, block: IntArray, centre_of: IntArray) -> IntArray:
    """Settle the rows of one block among themselves; the centres made, in order."""
    left, right, _ = near.pairs(block, block)
    sorting = np.argsort(left, kind="stable")
    starts = np.searchsorted(left[sorting], np.arange(len(block) + 1))
    right = right[sorting]
    made = []
    for place, row in enumerate(block):
        if centre_of[row] >= 0:
            continue
        made.append(row)
        centre_of[row] = row
        if starts[place] < starts[place + 1]:
            joining = block[right[starts[place] : starts[place + 1]]]
            centre_of[joining[centre_of[joining] < 0]] = row
    return np.array(made, dtype=np.int64)
