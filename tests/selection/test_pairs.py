from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entp.selection import Operand, make_pairs


def named(sizes):
    return [[f"{label}.{n}" for n in range(size)] for label, size in enumerate(sizes)]


def cluster_of(row):
    return row.split(".")[0]


def test_a_left_fold_by_hand() -> None:
    first, second, third = make_pairs([["a", "b", "c", "d"]], seed=0, kinds=["intra"]).pairs
    assert (first.left, first.right) == (Operand("row", "a"), Operand("row", "b"))
    assert (second.left, second.right) == (Operand("fusion", first.id), Operand("row", "c"))
    assert (third.left, third.right) == (Operand("fusion", second.id), Operand("row", "d"))
    assert [pair.depth for pair in (first, second, third)] == [1, 2, 3]
    assert {pair.kind for pair in (first, second, third)} == {"intra"}


def test_a_tree_by_hand() -> None:
    pairs = make_pairs([["a", "b", "c", "d", "e"]], seed=0, fold="tree", kinds=["intra"]).pairs
    ab, cd, abcd, everything = pairs
    assert (ab.left.id, ab.right.id, cd.left.id, cd.right.id) == ("a", "b", "c", "d")
    assert (abcd.left, abcd.right) == (Operand("fusion", ab.id), Operand("fusion", cd.id))
    assert (everything.left, everything.right) == (Operand("fusion", abcd.id), Operand("row", "e"))
    assert [pair.depth for pair in pairs] == [1, 1, 2, 3]


def test_ids_are_stable() -> None:
    pair = make_pairs([["a", "b"]], seed=0, kinds=["intra"]).pairs[0]
    assert pair.id == "b9e18538f5c55359"


def test_an_intra_and_an_inter_pair_of_the_same_rows_have_other_ids() -> None:
    intra = make_pairs([["a", "b"]], seed=0, kinds=["intra"]).pairs[0]
    inter = make_pairs([["a"], ["b"]], seed=0, kinds=["inter"]).pairs[0]
    assert intra.id != inter.id
    assert inter.cluster is None


@pytest.mark.parametrize("fold", ["left", "tree"])
def test_every_representative_is_merged_once_and_operands_come_first(fold) -> None:
    plan = make_pairs(named([1, 2, 5, 9]), seed=3, fold=fold, kinds=["intra"])
    known, used = set(), []
    for pair in plan.pairs:
        for operand in (pair.left, pair.right):
            if operand.kind == "fusion":
                assert operand.id in known
            used.append(operand.id)
        known.add(pair.id)
    assert len(used) == len(set(used))
    assert len(plan.pairs) == 0 + 1 + 4 + 8
    assert len(known - set(used)) == 3


@given(st.lists(st.integers(min_value=0, max_value=9), max_size=8), st.integers(min_value=0, max_value=99))
def test_inter_pairs_are_as_many_as_can_be(sizes, seed) -> None:
    plan = make_pairs(named(sizes), seed=seed, kinds=["inter"])
    rows = [operand.id for pair in plan.pairs for operand in (pair.left, pair.right)]
    assert all(cluster_of(pair.left.id) != cluster_of(pair.right.id) for pair in plan.pairs)
    assert len(rows) == len(set(rows))
    assert sorted([*rows, *plan.left_over]) == sorted(itertools.chain(*named(sizes)))
    total, largest = sum(sizes), max(sizes, default=0)
    assert len(plan.pairs) == min(total // 2, total - largest)


@given(st.randoms(use_true_random=False))
def test_the_order_of_clusters_does_not_matter_to_inter_pairs(shuffler: random.Random) -> None:
    clusters = named([3, 1, 4, 2, 6, 1])
    straight = make_pairs(clusters, seed=5, kinds=["inter"])
    shuffler.shuffle(clusters)
    shuffled = make_pairs(clusters, seed=5, kinds=["inter"])
    assert shuffled.pairs == straight.pairs
    assert shuffled.left_over == straight.left_over


def test_seeds_give_other_inter_pairs() -> None:
    clusters = named([2] * 20)
    assert make_pairs(clusters, seed=1) == make_pairs(clusters, seed=1)
    assert make_pairs(clusters, seed=1).pairs != make_pairs(clusters, seed=2).pairs


def test_a_row_in_two_clusters_is_named() -> None:
    with pytest.raises(ValueError, match="'a' represents more than one cluster"):
        make_pairs([["a"], ["b", "a"]], seed=0)


def test_nothing_to_pair() -> None:
    for clusters in ([], [[]], [["a"]]):
        plan = make_pairs(clusters, seed=0)
        assert plan.pairs == ()
        assert plan.left_over == tuple(itertools.chain(*clusters))
