"""Seconds and memory of everything between ratings and pairs, on synthetic rows.

    python bench/scale.py [--rows 100000] [--dimensions 1024] [--hdbscan]

Twenty neighbours, corrected scores with features, the low-quality part's clusters, representatives and pairs,
as `entp score` and `entp select` make them. Rows are those of bench/neighbours.py. Memory is the most the
process has held up to then, in GiB; the rows themselves are part of it.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from neighbours import make_rows

from entp.selection import (
    choose_representatives,
    correct_scores,
    estimate_transition,
    hdbscan_clusters,
    make_pairs,
    nearest_neighbours,
    one_hop_clusters,
    row_features,
    seeded_order,
)

NEIGHBOURS = 20
NUM_SCORES = 6
LOW_BELOW = 4


def step(name: str, work: Callable[[], Any]) -> Any:
    """The result; prints name, seconds and memory."""
    began, began_cpu = time.perf_counter(), time.process_time()
    result = work()
    seconds, processor = time.perf_counter() - began, time.process_time() - began_cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{name:28s} {seconds:7.1f} s  {processor:7.1f} s of processors  {memory:5.2f} GiB", flush=True)
    return result


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=1024)
    parser.add_argument("--hdbscan", action="store_true")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    print(f"{options.rows:,} rows, {options.dimensions} dimensions")
    rows = step("rows", lambda: make_rows(options.rows, options.dimensions, 0.5, rng))
    # scores that follow one direction of the rows, with errors
    quality = rows[:, 0] / rows[:, 0].std() + rng.standard_normal(options.rows)
    scores = np.digitize(quality, [-2.2, -1.2, -0.2, 0.8, 1.8])
    found = step(f"{NEIGHBOURS} neighbours", lambda: nearest_neighbours(rows, NEIGHBOURS))
    features = row_features(rows, rng.uniform(0, 8, (options.rows, 2)))
    estimate = step(
        "transition matrix",
        lambda: estimate_transition(scores, found, rng=np.random.default_rng(0), features=features),
    )
    corrected = step("corrected scores", lambda: correct_scores(scores, found, estimate))
    low = np.flatnonzero(corrected.score < LOW_BELOW)
    ids = [str(row) for row in low.tolist()]
    vectors = rows[low]
    print(f"{len(low):,} rows of low quality")
    order = step("shuffle", lambda: seeded_order(ids, 0))
    clusters = step("one-hop clusters", lambda: one_hop_clusters(vectors, order=order))
    chosen = step("representatives", lambda: choose_representatives(vectors, clusters, order=order, seed=0))
    plan = step("pairs", lambda: make_pairs([[ids[at] for at in cluster] for cluster in chosen], seed=0))
    step("nearest of each", lambda: nearest_neighbours(vectors, 1))
    print(f"{len(clusters.centres):,} clusters, {len(plan.pairs):,} pairs")
    if options.hdbscan:
        clusters = step("HDBSCAN of near rows", lambda: hdbscan_clusters(vectors, order=order))
        print(f"{len(clusters.centres):,} clusters")


if __name__ == "__main__":
    main()
