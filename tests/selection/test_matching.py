"""Inter pairs: what holds of every matching, and how little one row more or less changes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entp.selection.pairs.matching import match_across

SEEDS = st.integers(min_value=0, max_value=99)


def rows_of(sizes):
    return {f"{label}.{at}": label for label, size in enumerate(sizes) for at in range(size)}


def like_a_pool():
    """1,324 representatives as a real encoder gives them: clusters of one, and a few of up to 21."""
    return rows_of([1] * 794 + [2] * 80 + [3] * 40 + [5] * 20 + [10] * 5 + [20] * 5)


@given(st.lists(st.integers(min_value=0, max_value=12), max_size=10), SEEDS)
def test_rows_of_different_clusters_meet_once_and_as_often_as_can_be(sizes, seed) -> None:
    cluster_of = rows_of(sizes)
    pairs, left_over = match_across(cluster_of, seed)
    assert all(cluster_of[left] != cluster_of[right] for left, right in pairs)
    rows = [row for pair in pairs for row in pair]
    assert sorted([*rows, *left_over]) == sorted(cluster_of)
    assert len(pairs) == min(sum(sizes) // 2, sum(sizes) - max(sizes, default=0))


@given(st.randoms(use_true_random=False), SEEDS)
def test_no_order_and_no_number_of_a_cluster_matters(shuffler: random.Random, seed) -> None:
    cluster_of = rows_of([3, 1, 4, 2, 6, 1, 1, 1])
    rows, numbers = list(cluster_of), list(range(8))
    shuffler.shuffle(rows)
    shuffler.shuffle(numbers)
    again = match_across({row: numbers[cluster_of[row]] for row in rows}, seed)
    assert again == match_across(cluster_of, seed)


def test_the_pairs_of_a_seed_are_those_of_every_version() -> None:
    pairs, left_over = match_across(rows_of([2, 1, 1, 2, 1]), seed=7)
    assert pairs == [("0.1", "3.1"), ("2.0", "0.0"), ("3.0", "4.0")]
    assert left_over == ["1.0"]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_row_more_or_less_changes_a_handful_of_pairs(seed) -> None:
    cluster_of = like_a_pool()
    pairs = set(match_across(cluster_of, seed).pairs)
    assert (len(cluster_of), len(pairs)) == (1324, 662)
    changes = []
    for row in random.Random(seed).sample(sorted(cluster_of), 100):
        without = set(match_across({r: at for r, at in cluster_of.items() if r != row}, seed).pairs)
        changes.append(max(len(pairs - without), len(without - pairs)))
    for at in range(100):
        # a cluster of its own, or one more of a cluster that is there
        more = set(match_across({**cluster_of, f"new.{at}": -1 if at % 2 else 900}, seed).pairs)
        changes.append(max(len(pairs - more), len(more - pairs)))
    assert max(changes) <= 7
    assert sum(changes) / len(changes) < 4


def test_seeds_give_other_pairs() -> None:
    one, other = (set(match_across(like_a_pool(), seed).pairs) for seed in (1, 2))
    assert len(one & other) < 10
