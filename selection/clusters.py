"""Clusters of low-quality rows: one-hop (arXiv 2510.23160, Section 3.2, Algorithm 1) and HDBSCAN.

Both take `order`, a permutation of the rows that stands for the paper's seeded shuffle. Derived from row
ids and a seed (`seeded_order`) rather than from positions, it makes clusters independent of the order in
which a pool is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..records.rows import tagged_hash
from .arrays import BoolArray, FloatArray, IntArray, check_order, check_unit_rows
from .products import Products, exact_cosines, row_blocks


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
    """
    check_unit_rows(embeddings)
    check_order(order, len(embeddings))
    vectors = np.ascontiguousarray(embeddings, dtype=np.float32)
    near = _Near(vectors, similarity)
    centre_of = np.full(len(vectors), -1, dtype=np.int64)
    waiting = order
    while waiting.size:
        height = row_blocks(len(waiting), len(waiting), memory_mib)[0][1]
        block, waiting = waiting[:height], waiting[height:]
        made = _settle(near, block, centre_of)
        for start, stop in row_blocks(len(waiting), len(made) + vectors.shape[1], memory_mib):
            _join(near, waiting[start:stop], made, centre_of)
        waiting = waiting[centre_of[waiting] < 0]
    centres = order[centre_of[order] == order]
    number = np.empty(len(vectors), dtype=np.int64)
    number[centres] = np.arange(len(centres))
    return Clusters(labels=number[centre_of], centres=centres)


def hdbscan_clusters(
    embeddings: FloatArray, *, order: IntArray, min_cluster_size: int = 2, min_samples: int | None = None
) -> Clusters:
    """Density clusters (HDBSCAN, Euclidean on unit vectors), for encoders where no fixed cosine fits.

    Noise rows become clusters of one; the centre of a cluster is its member closest to the mean. Clusters are
    numbered by their first row in `order` (N,), in which the rows are also handed to HDBSCAN. Its
    time grows with the square of N and is far more than that of `one_hop_clusters`: hours for 100,000 rows.
    """
    check_unit_rows(embeddings)
    check_order(order, len(embeddings))
    if len(embeddings) < max(2, min_cluster_size):
        return Clusters(labels=np.argsort(order), centres=order.copy())
    import hdbscan  # heavy, and seldom needed

    model = hdbscan.HDBSCAN(min_cluster_size=min_cluster_size, min_samples=min_samples, core_dist_n_jobs=1)
    raw = model.fit_predict(np.ascontiguousarray(embeddings[order], dtype=np.float64))
    noise = raw < 0
    raw[noise] = raw.max(initial=-1) + 1 + np.arange(noise.sum())
    labels = np.empty(len(order), dtype=np.int64)
    labels[order] = number_by_first(raw)
    rank = np.argsort(order)
    unnumbered = Clusters(labels, np.zeros(labels.max() + 1, dtype=np.int64)).members()
    centres = [most_central(embeddings, rows[np.argsort(rank[rows])])[0] for rows in unnumbered]
    return Clusters(labels=labels, centres=np.array(centres, dtype=np.int64))


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


class _Near:
    """Whether rows are within reach of others, decided as exact arithmetic decides it."""

    def __init__(self, vectors: FloatArray, similarity: float) -> None:
        self._vectors = vectors
        self._similarity = similarity
        self._products = Products(vectors)

    def __call__(self, rows: IntArray, columns: IntArray) -> BoolArray:
        """(len(rows), len(columns)): the cosine is the similarity or more."""
        products = self._products.between(rows, columns)
        near: BoolArray = (products >= self._similarity).cpu().numpy()
        unsure = (products - self._similarity).abs() <= self._products.error
        place, column = unsure.nonzero().cpu().numpy().T
        near[place, column] = exact_cosines(self._vectors, rows[place], columns[column]) >= self._similarity
        return near


def _settle(near: _Near, block: IntArray, centre_of: IntArray) -> IntArray:
    """Settle the rows of one block among themselves; the centres made, in order."""
    within = near(block, block)
    made = []
    for place, row in enumerate(block):
        if centre_of[row] >= 0:
            continue
        made.append(row)
        centre_of[row] = row
        joining = block[within[place]]
        centre_of[joining[centre_of[joining] < 0]] = row
    return np.array(made, dtype=np.int64)


def _join(near: _Near, rows: IntArray, made: IntArray, centre_of: IntArray) -> None:
    """Give each waiting row to the first of the centres made that is near enough."""
    within = near(rows, made)
    joins = within.any(axis=1)
    centre_of[rows[joins]] = made[within[joins].argmax(axis=1)]
