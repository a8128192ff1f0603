"""Exact neighbour search against brute force elsewhere.

    python bench/neighbours.py [--rows 20000] [--dimensions 1024] [--decay 0.5] [--ours]

Seconds for ten nearest neighbours, for all pairs within 0.9 and for one-hop clusters, ours and others', and
whether results agree; beside them seconds of processors, which other work on the machine disturbs less.
faiss is compared where it is installed; `--ours` leaves the others out. The coordinates of the rows fall as
1 / j^DECAY: 0.5 is about what sentence encoders give, 0 is the hardest case, where no few directions tell
much of a cosine.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from entp.selection import hdbscan_clusters, nearest_neighbours, one_hop_clusters
from entp.selection.neighbours import Reach

K = 10
WITHIN = 0.9
# in many dimensions a tree is slower than brute force by far
TREE_ROWS = 2000


def make_rows(num_rows: int, dimensions: int, decay: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Unit rows in loose bunches of three, some of them within reach of each other."""
    scale = (np.arange(1, dimensions + 1) ** -decay).astype(np.float32)
    centres = rng.standard_normal((num_rows // 3 + 1, dimensions), dtype=np.float32)
    rows = centres[rng.integers(0, len(centres), num_rows)]
    for at in range(0, num_rows, 8192):
        here = rows[at : at + 8192]
        spread = rng.uniform(0.2, 0.6, (len(here), 1)).astype(np.float32)
        here += spread * rng.standard_normal(here.shape, dtype=np.float32)
        here *= scale
        here /= np.linalg.norm(here, axis=1, keepdims=True)
    return rows


def gemm_rate(dtype: torch.dtype) -> float:
    """Billions of multiplications and additions a second of this machine's own product of matrices."""
    left, right = (torch.randint(-9, 9, (1024, 1024)).to(dtype) for _ in range(2))
    multiply = torch._int_mm if dtype == torch.int8 else torch.matmul
    multiply(left, right.T)
    best = min(timed(lambda: multiply(left, right.T))[0] for _ in range(20))
    return 2 * 1024**3 / best / 1e9


def timed(search: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds, seconds of processors, and result."""
    began, began_processor = time.perf_counter(), time.process_time()
    found = search()
    return time.perf_counter() - began, time.process_time() - began_processor, found


def line(name: str, seconds: float, processor: float, note: str) -> None:
    """A line of the table."""
    print(f"{name:24s} {seconds:7.1f} s {processor:7.1f} s of processors  {note}", flush=True)


def pairs_within(rows: NDArray[np.float32]) -> int:
    """The number of pairs within reach; the product is symmetric, so no block looks back."""
    near = Reach(rows, WITHIN, 2048)
    found = 0
    for start in range(0, len(rows), near.height):
        rest = np.arange(start, len(rows))
        places, columns, _ = near.pairs(rest[: near.height], rest)
        found += int((columns > places).sum())
    return found


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
    parser.add_argument("--decay", type=float, default=0.5)
    parser.add_argument("--ours", action="store_true")
    options = parser.parse_args()
    rows = make_rows(options.rows, options.dimensions, options.decay, np.random.default_rng(0))
    print(f"{options.rows:,} rows, {options.dimensions} dimensions, decay {options.decay}")
    rates = {str(dtype)[6:]: gemm_rate(dtype) for dtype in (torch.float32, torch.bfloat16, torch.int8)}
    print("products of matrices, 10^9 a second:", ", ".join(f"{n} {rate:.0f}" for n, rate in rates.items()))
    nearest_neighbours(rows[:100], K)  # loads what it needs
    seconds, processor, ours = timed(lambda: nearest_neighbours(rows, K))
    line(
        f"ours, {K} nearest",
        seconds,
        processor,
        f"{2e-9 * options.rows**2 * options.dimensions / seconds:.0f} * 10^9 a second",
    )
    within = timed(lambda: pairs_within(rows))
    line(f"ours, within {WITHIN}", *within[:2], f"{within[2]:,} pairs")
    order = np.random.default_rng(1).permutation(options.rows)
    clusters = timed(lambda: one_hop_clusters(rows, WITHIN, order=order))
    line("one-hop clusters", *clusters[:2], f"{len(clusters[2].centres):,} clusters")
    print(f"peak memory              {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:7.2f} GiB")
    if options.ours:
        return
    others = {"faiss IndexFlatIP": faiss_flat} if importlib.util.find_spec("faiss") else {}
    for name, search in {**others, "scikit-learn brute": scikit_learn}.items():
        *spent, theirs = timed(lambda search=search: search(rows))
        same = np.mean(
            [np.isin(mine, other).mean() for mine, other in zip(ours.indices, theirs, strict=True)]
        )
        ratio = f"{spent[0] / seconds:.1f} and {spent[1] / processor:.1f} times ours"
        line(name, *spent, f"{ratio}, recall of theirs in ours {same:.5f}")
    *spent, clusters = timed(lambda: hdbscan_clusters(rows, order=order))
    line("HDBSCAN of near rows", *spent, f"{len(clusters.centres):,} clusters")
    few = rows[:TREE_ROWS]
    print(f"the first {len(few):,} rows only")
    line("ours", *timed(lambda: nearest_neighbours(few, K))[:2], "")
    line("ball tree (hdbscan)", *timed(lambda: ball_tree(few))[:2], "")


if __name__ == "__main__":
    main()
