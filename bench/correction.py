"""Score correction on synthetic pools whose truth is known.

    python bench/correction.py [--rows 20000] [--seeds 2]

Prints, for each situation and method: the mean row-wise L1 error of T, the share of scores that are right
before and after, and seconds of the processor without the neighbour search, nearly all of them on one thread.
`auto+audit` has second ratings of 1,000 rows.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entp.selection import Audit, Neighbours, correct_scores, estimate_transition

NUM_SCORES = 6
PRIOR = np.array([0.08, 0.17, 0.25, 0.25, 0.18, 0.07])
ROWS_OF_A_TOPIC = 40
NEIGHBOURS = 20
AUDITED = 1000
METHODS = ("hoc", "neighbours", "auto", "auto+audit")


@dataclass(frozen=True)
class Situation:
    """A rater and what is wrong with the neighbourhoods: shares of rows or neighbours."""

    name: str
    noise: str
    strangers: float = 0.0
    redrawn: float = 0.0
    copies: float = 0.0


SITUATIONS = (
    Situation("near diagonal", "near"),
    Situation("adjacent 30 %", "adjacent"),
    Situation("upward bias", "upward"),
    Situation("strong 40 %", "strong"),
    Situation("like gpt-4o-mini", "gpt"),
    Situation("adjacent, 9 % mixed in", "adjacent", strangers=0.09),
    Situation("adjacent, 27 % mixed in", "adjacent", strangers=0.27),
    Situation("adjacent, 20 % copies with their errors", "adjacent", copies=0.2),
    Situation("adjacent, 10 % of rows misplaced", "adjacent", redrawn=0.1),
    Situation("near diagonal, 10 % of rows misplaced", "near", redrawn=0.1),
    Situation("near diagonal, 60 % redrawn", "near", redrawn=0.6),
    Situation("adjacent, 60 % redrawn", "adjacent", redrawn=0.6),
    Situation("near diagonal, neighbours mean nothing", "near", strangers=1.0),
    Situation("like gpt-4o-mini, neighbours mean nothing", "gpt", strangers=1.0),
)


def transition(noise: str) -> NDArray[np.float64]:
    """T of a rater, (6, 6), rows sum to 1."""
    true, rated = np.mgrid[:NUM_SCORES, :NUM_SCORES]
    if noise == "near":
        matrix = np.where(true == rated, 0.9, 0.02)
    elif noise == "strong":
        matrix = np.where(true == rated, 0.6, 0.08)
    elif noise == "adjacent":
        matrix = np.where(abs(true - rated) == 1, 1.0, 0.0)
        matrix *= 0.3 / matrix.sum(axis=1, keepdims=True)
        matrix += 0.7 * np.eye(NUM_SCORES)
    elif noise == "upward":
        matrix = np.select(
            [rated == true - 1, rated == true, rated == true + 1, rated == true + 2], [5, 50, 35, 10], 0.0
        )
    else:
        # errs both ways, a little upward, and shuns the ends of the scale
        matrix = np.exp(-1.4 * abs(true + 0.3 - rated)) * np.array([0.6, 1.0, 1.2, 1.2, 1.0, 0.3])
    return matrix / matrix.sum(axis=1, keepdims=True)


def rate(true: NDArray[np.int64], matrix: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """One rating of each row."""
    above = rng.random(len(true))[:, None] > np.cumsum(matrix[true], axis=1)
    return np.minimum(above.sum(axis=1), NUM_SCORES - 1)


def make_pool(situation: Situation, num_rows: int, rng: np.random.Generator):
    """True scores, ratings, neighbours and an audit. The rows of a topic lie together and share a score."""
    matrix = transition(situation.noise)
    topic = np.arange(num_rows) // ROWS_OF_A_TOPIC
    true = rng.choice(NUM_SCORES, size=topic[-1] + 1, p=PRIOR)[topic]
    redrawn = rng.random(num_rows) < situation.redrawn
    true = np.where(redrawn, rng.choice(NUM_SCORES, size=num_rows, p=PRIOR), true)
    scores = rate(true, matrix, rng)
    first = topic * ROWS_OF_A_TOPIC
    size = np.minimum(first + ROWS_OF_A_TOPIC, num_rows) - first
    # distinct members of the topic other than the row itself
    steps = rng.permuted(np.tile(np.arange(1, ROWS_OF_A_TOPIC), (num_rows, 1)), axis=1)[:, :NEIGHBOURS]
    place = (np.arange(num_rows) - first)[:, None]
    indices = first[:, None] + (place + steps) % size[:, None]
    strange = rng.random(indices.shape) < situation.strangers
    indices = np.where(strange, rng.integers(0, num_rows, indices.shape), indices)
    similarities = np.full(indices.shape, 0.7, dtype=np.float32)
    # a copy is its original's nearest neighbour, and has its rating
    copies = np.flatnonzero(rng.random(num_rows) < situation.copies)
    copies = copies[copies % 2 == 1]
    true[copies], scores[copies] = true[copies - 1], scores[copies - 1]
    indices[copies, 0], indices[copies - 1, 0] = copies - 1, copies
    similarities[copies, 0] = similarities[copies - 1, 0] = 0.99
    audited = rng.choice(num_rows, min(AUDITED, num_rows), replace=False)
    return true, scores, Neighbours(indices, similarities), Audit(audited, rate(true[audited], matrix, rng))


def measure(
    situation: Situation, num_rows: int, seed: int
) -> list[tuple[str, float, float, float, float, bool]]:
    """Method, error of T, share right before and after, seconds, whether it kept the raw scores."""
    true, scores, neighbours, audit = make_pool(situation, num_rows, np.random.default_rng(seed))
    rows = []
    for method in METHODS:
        began = time.process_time()
        estimate = estimate_transition(
            scores,
            neighbours,
            rng=np.random.default_rng(seed),
            method=method.split("+")[0],
            audit=audit if "audit" in method else None,
        )
        corrected = correct_scores(scores, neighbours, estimate)
        seconds = time.process_time() - began
        error = float(np.abs(estimate.transition - transition(situation.noise)).sum(axis=1).mean())
        before, after = float((scores == true).mean()), float((corrected.score == true).mean())
        rows.append((method, error, before, after, seconds, estimate.abstains))
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    print(f"{options.rows:,} rows, {NEIGHBOURS} neighbours, mean of {options.seeds} pools")
    for situation in SITUATIONS:
        runs = [measure(situation, options.rows, seed) for seed in range(options.seeds)]
        for each in zip(*runs, strict=True):
            error, before, after, seconds, kept = np.mean([row[1:] for row in each], axis=0)
            note = "  kept raw" if kept == 1 else ""
            print(
                f"{situation.name:42s} {each[0][0]:11s} T {error:.3f}  right {before:.3f} -> {after:.3f}"
                f"  {seconds:5.2f} s{note}"
            )


if __name__ == "__main__":
    main()
