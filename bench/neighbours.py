"""Exact neighbour search against brute force elsewhere.

    python bench/neighbours.py [--rows 20000] [--dimensions 1024]

Seconds for ten nearest neighbours and for all pairs within 0.9, ours and others', and whether results agree.
faiss is compared where it is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entp.selection import nearest_neighbours, neighbours_within

K = 10
WITHIN = 0.9
# in many dimensions a tree is slower than brute force by far
TREE_ROWS = 2000


def make_rows(num_rows: int, dimensions: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Unit rows in loose bunches of three, some of them within reach of each other."""
    centres = rng.normal(size=(num_rows // 3 + 1, dimensions)).astype(np.float32)
    noise = rng.normal(size=(num_rows, dimensions)).astype(np.float32)
    rows = centres[rng.integers(0, len(centres), num_rows)] + rng.uniform(0.2, 0.6, (num_rows, 1)) * noise
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32)


def timed(search: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and result."""
    began = time.perf_counter()
    found = search()
    return time.perf_counter() - began, found


def scikit_learn(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """Its brute force, in chunks."""
    from sklearn.neighbors import NearestNeighbors

    found = (
        NearestNeighbors(n_neighbors=K + 1, metric="cosine", algorithm="brute").fit(rows).kneighbors(rows)[1]
    )
    return found[:, 1:]


def ball_tree(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """What the hdbscan package searches with by default."""
    from sklearn.neighbors import BallTree

    return BallTree(rows).query(rows, K + 1)[1][:, 1:]


def faiss_flat(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """IndexFlatIP."""
    import faiss

    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    return index.search(rows, K + 1)[1][:, 1:]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--dimensions", type=int, default=1024)
    options = parser.parse_args()
    rows = make_rows(options.rows, options.dimensions, np.random.default_rng(0))
    print(f"{options.rows:,} rows, {options.dimensions} dimensions")
    nearest_neighbours(rows[:100], K)  # loads what it needs
    seconds, ours = timed(lambda: nearest_neighbours(rows, K))
    print(f"ours, {K} nearest          {seconds:7.1f} s")
    seconds, pairs = timed(lambda: neighbours_within(rows, WITHIN))
    print(f"ours, within {WITHIN}         {seconds:7.1f} s  {len(pairs.indices) // 2:,} pairs")
    print(f"peak memory              {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:7.2f} GiB")
    others = {"scikit-learn brute": scikit_learn}
    if importlib.util.find_spec("faiss"):
        others["faiss IndexFlatIP"] = faiss_flat
    for name, search in others.items():
        seconds, theirs = timed(lambda search=search: search(rows))
        same = np.mean(
            [np.isin(mine, other).mean() for mine, other in zip(ours.indices, theirs, strict=True)]
        )
        print(f"{name:24s} {seconds:7.1f} s  recall of theirs in ours {same:.5f}")
    few = rows[:TREE_ROWS]
    print(f"the first {len(few):,} rows only")
    print(f"ours                     {timed(lambda: nearest_neighbours(few, K))[0]:7.1f} s")
    print(f"ball tree (hdbscan)      {timed(lambda: ball_tree(few))[0]:7.1f} s")


if __name__ == "__main__":
    main()
