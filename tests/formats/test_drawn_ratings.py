"""The rows whose ratings are drawn with a known T, for the worked example."""

from __future__ import annotations

import json
import runpy
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("drawn", "true")


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(EXAMPLES / "draw_ratings.py"))


@pytest.fixture(scope="module")
def rows():
    return lines(EXAMPLES / "drawn.jsonl")


def test_the_rows_are_those_of_the_pool_unchanged(rows):
    pool = {row["id"]: row for row in lines(EXAMPLES / "pool.jsonl")}
    for row in rows:
        assert tuple(row["ratings"]) == NAMES
        assert all(row[name] == pool[row["id"]][name] for name in ("id", "source", "messages"))


def test_what_the_licences_page_counts(rows):
    licences = (EXAMPLES / "LICENSES.md").read_text("utf-8")
    assert f"{len(rows)} of the `dolly` rows above" in licences
    for name in NAMES:
        counts = Counter(row["ratings"][name] for row in rows)
        assert f"| {name} | {' | '.join(str(counts[score]) for score in range(6))} |" in licences


def test_the_script_draws_them_again(script, rows):
    again = script["drawn"](0)
    # regions come from floating-point sums, which may differ in a row or two on another processor
    assert sum(row in again for row in rows) > 0.95 * len(rows)
    assert script["drawn"](1) != again


def test_a_rating_is_one_off_in_three_cases_of_ten(script, rows):
    matrix = script["transition"]()
    assert np.allclose(matrix.sum(axis=1), 1)
    assert np.allclose(np.diag(matrix), 0.7)
    off = [abs(row["ratings"]["drawn"] - row["ratings"]["true"]) for row in rows]
    assert set(off) == {0, 1}
    assert 0.25 < np.mean(off) < 0.35
