"""Sub-clusters of a cluster: k-means with the number chosen by silhouette (arXiv 2510.23160, Algorithm 1)."""

from __future__ import annotations

import warnings

import numpy as np

from ..arrays import FloatArray, IntArray
from .clusters import number_by_first

_MOST_SUBCLUSTERS = 10
_RESTARTS = 4
# the silhouette needs all distances among the rows it looks at; a sample this large settles k
_SILHOUETTE_ROWS = 4096


def split_members(members: FloatArray, seed: int) -> IntArray:
    """Sub-cluster labels (n,) of a cluster's `members` (n, d) without its centre, unit rows in float64.

    k-means for k in 2..min(10, n - 1), k with the highest average silhouette (Euclidean distance; the
    smaller k of two that tie). Fewer than three members, or members that are all alike, are one
    sub-cluster. Labels are numbered by first member.

    To be called within `one_thread("sklearn.cluster")`: on so few rows threads cost more than they save, and
    the order of their sums is not fixed.
    """
    distinct = len(np.unique(members, axis=0))
    most = min(_MOST_SUBCLUSTERS, len(members) - 1, distinct)
    best_labels: IntArray = np.zeros(len(members), dtype=np.int64)
    if len(members) < 3 or most < 2:
        return best_labels
    rng = np.random.default_rng(seed)
    looked_at = np.sort(rng.permutation(len(members))[:_SILHOUETTE_ROWS])
    distances = _distances(members[looked_at])
    best = -np.inf
    for k in range(2, most + 1):
        labels = _k_means(members, k, seed)
        value = average_silhouette(distances, labels[looked_at])
        if value > best + 1e-12:
            best, best_labels = value, labels
    return number_by_first(best_labels)


def average_silhouette(distances: FloatArray, labels: IntArray) -> float:
    """Mean silhouette of labels (n,) from distances (n, n); a cluster of one scores 0, a single label -1."""
    # scikit-learn's silhouette_score takes 0.8 ms for a cluster of ten rows, eleven times as long
    _, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        return -1.0
    rows = np.arange(len(labels))
    sums = distances @ np.eye(len(sizes))[inverse]
    own = sums[rows, inverse] / np.maximum(sizes[inverse] - 1, 1)
    others = sums / sizes
    others[rows, inverse] = np.inf
    nearest = others.min(axis=1)
    larger = np.maximum(own, nearest)
    values = np.divide(nearest - own, larger, out=np.zeros(len(labels)), where=larger > 0)
    values[sizes[inverse] == 1] = 0.0
    return float(values.mean())


def _distances(rows: FloatArray) -> FloatArray:
    """Euclidean distances (n, n); exactly zero between identical rows."""
    from scipy.spatial.distance import cdist  # scipy loads slowly; --help must not wait for it

    out: FloatArray = cdist(rows, rows)
    return out


def _k_means(rows: FloatArray, k: int, seed: int) -> IntArray:
    from sklearn.cluster import KMeans  # scikit-learn loads slowly; --help must not wait for it
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # near-identical rows can leave a cluster empty: the labelling is then scored with the clusters it has
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels: IntArray = KMeans(k, n_init=_RESTARTS, random_state=seed).fit_predict(rows)
    return labels
