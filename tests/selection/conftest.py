"""Synthetic pools whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from entp.selection import Neighbours

PRIOR = np.array([0.08, 0.17, 0.25, 0.25, 0.18, 0.07])


@dataclass(frozen=True)
class Truth:
    """Rows of topics; the rows of a topic share a true score, and each row's neighbours are of its topic.

    `second` are ratings of all rows by the same rater, drawn again.
    """

    true: NDArray[np.int64]
    scores: NDArray[np.int64]
    second: NDArray[np.int64]
    neighbours: Neighbours


def adjacent(error: float = 0.3, num_scores: int = 6) -> NDArray[np.float64]:
    """Errors go to the next scores only."""
    steps = np.abs(np.subtract.outer(np.arange(num_scores), np.arange(num_scores)))
    matrix = np.where(steps == 1, 1.0, 0.0)
    matrix *= error / matrix.sum(axis=1, keepdims=True)
    return matrix + (1 - error) * np.eye(num_scores)


def upward() -> NDArray[np.float64]:
    """A rater that flatters: the next score up is nearly as likely as the truth."""
    matrix = np.zeros((6, 6))
    for true in range(6):
        for step, share in ((-1, 0.05), (0, 0.5), (1, 0.35), (2, 0.1)):
            matrix[true, np.clip(true + step, 0, 5)] += share
    return matrix


def rate(true: NDArray[Any], matrix: NDArray[Any], rng: np.random.Generator) -> NDArray[np.int64]:
    above = rng.random(len(true))[:, None] > np.cumsum(matrix[true], axis=1)
    return np.minimum(above.sum(axis=1), matrix.shape[1] - 1)


def make_truth(
    num_rows: int,
    matrix: NDArray[Any],
    *,
    seed: int = 0,
    prior: NDArray[Any] | None = None,
    strangers: float = 0.0,
    redrawn: float = 0.0,
    k: int = 10,
) -> Truth:
    """`strangers`: the share of neighbours drawn from the whole pool, whatever their topic.

    `redrawn`: the share of rows that do not have their topic's score.
    """
    rng = np.random.default_rng(seed)
    prior = PRIOR if prior is None else prior
    topic = np.arange(num_rows) // 40
    true = rng.choice(len(prior), size=topic[-1] + 1, p=prior)[topic]
    true = np.where(rng.random(num_rows) < redrawn, rng.choice(len(prior), size=num_rows, p=prior), true)
    first = topic * 40
    size = np.minimum(first + 40, num_rows) - first
    indices = first[:, None] + rng.integers(0, 1 << 40, (num_rows, k)) % size[:, None]
    drawn = rng.random((num_rows, k)) < strangers
    indices = np.where(drawn, rng.integers(0, num_rows, (num_rows, k)), indices)
    own = indices == np.arange(num_rows)[:, None]
    indices = np.where(own, (indices + 1) % num_rows, indices)
    similarities = np.full((num_rows, k), 0.5, dtype=np.float32)
    scores, second = rate(true, matrix, rng), rate(true, matrix, rng)
    return Truth(true, scores, second, Neighbours(indices, similarities))


def unit_rows(shape: tuple[int, int], seed: int) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def bunches(num_bunches: int, size: int, *, spread: float, seed: int, d: int = 16) -> NDArray[np.float32]:
    """Unit rows in tight bunches around random directions."""
    centres = np.repeat(unit_rows((num_bunches, d), seed), size, axis=0)
    rows = centres + spread * np.random.default_rng(seed + 1).normal(size=centres.shape) / np.sqrt(d)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="session")
def synthetic() -> SimpleNamespace:
    """The makers of this file: tests have no package to import them from."""
    return SimpleNamespace(
        truth=make_truth, adjacent=adjacent, upward=upward, rate=rate, unit_rows=unit_rows, bunches=bunches
    )


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)
