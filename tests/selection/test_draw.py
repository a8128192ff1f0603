"""How many pairs are planned: drawn at random, nested, clusters whole."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entp.selection import draw_pairs, make_pairs, most_rows

SIZES = [3, 2, 5, 1, 1, 4, 2, 1, 1, 9] * 8


def plan_of(sizes, **options):
    clusters = [[f"{label}.{at}" for at in range(size)] for label, size in enumerate(sizes)]
    return make_pairs(clusters, seed=0, **options).pairs


PLANNED = plan_of(SIZES)


def of_kind(pairs, kind):
    return [pair for pair in pairs if pair.kind == kind]


def test_all_are_planned_where_no_number_is_given_or_there_are_no_more() -> None:
    assert draw_pairs(PLANNED, seed=1) == PLANNED
    assert draw_pairs(PLANNED, seed=1, intra=10_000, inter=10_000, rows=10_000) == PLANNED


@given(st.integers(min_value=1, max_value=200), st.integers(min_value=0, max_value=9))
def test_clusters_are_drawn_whole_and_pairs_by_number(number, seed) -> None:
    drawn = draw_pairs(PLANNED, seed=seed, intra=number, inter=number)
    # in the order of the plan, operands before what uses them
    ids = {pair.id for pair in drawn}
    assert drawn == tuple(pair for pair in PLANNED if pair.id in ids)
    clusters = {pair.cluster for pair in of_kind(drawn, "intra")}
    assert of_kind(drawn, "intra") == [pair for pair in PLANNED if pair.cluster in clusters]
    intra, inter = (len(of_kind(drawn, kind)) for kind in ("intra", "inter"))
    assert min(number, len(of_kind(PLANNED, "intra"))) <= intra < number + max(SIZES) - 1
    assert inter == min(number, len(of_kind(PLANNED, "inter")))


@pytest.mark.parametrize("name", ["intra", "inter", "rows"])
def test_a_larger_number_draws_what_a_smaller_one_does(name) -> None:
    drawn = [set(draw_pairs(PLANNED, seed=3, **{name: number})) for number in (1, 20, 60, 150)]
    assert all(fewer < more for fewer, more in itertools.pairwise(drawn))


@pytest.mark.parametrize("fold", ["left", "tree"])
def test_a_cluster_gives_two_rows_less_than_three_a_pair_for_each_that_is_taken_up(fold) -> None:
    # 9 representatives: 8 fusions of three rows each, 7 of which are taken up
    assert most_rows(plan_of([9], kinds=["intra"], fold=fold)) == 8 * 3 - 7
    assert most_rows(plan_of([1, 1])) == 3
    assert most_rows([]) == 0


@given(st.integers(min_value=1, max_value=400), st.integers(min_value=0, max_value=9))
def test_pairs_for_a_number_of_rows_are_as_few_as_can_give_them(rows, seed) -> None:
    drawn = draw_pairs(PLANNED, seed=seed, rows=rows)
    # the largest cluster gives 17 rows, and one more than enough is never drawn
    assert rows <= most_rows(drawn) < rows + 17


def test_rows_are_for_both_kinds_as_they_come() -> None:
    share = len(of_kind(PLANNED, "inter")) / len(PLANNED)
    drawn = [draw_pairs(PLANNED, seed=seed, rows=200) for seed in range(30)]
    found = sum(len(of_kind(pairs, "inter")) for pairs in drawn) / sum(len(pairs) for pairs in drawn)
    assert abs(found - share) < 0.05
    # and together with numbers of pairs: whatever is reached first
    few = draw_pairs(PLANNED, seed=0, rows=200, inter=5)
    assert len(of_kind(few, "inter")) == 5
    assert most_rows(few) >= 200


def test_every_pair_is_drawn_as_often_as_any_other_whatever_its_place() -> None:
    inter = of_kind(PLANNED, "inter")
    counts = dict.fromkeys((pair.id for pair in inter), 0)
    for seed in range(400):
        for pair in draw_pairs(inter, seed=seed, inter=len(inter) // 4):
            counts[pair.id] += 1
    # 100 times each, with a deviation of 9
    assert all(60 < count < 140 for count in counts.values())


def test_one_row_more_leaves_most_of_what_was_drawn() -> None:
    before = set(draw_pairs(plan_of(SIZES), seed=0, inter=40))
    after = set(draw_pairs(plan_of([*SIZES, 1]), seed=0, inter=40))
    assert len(before - after) <= 6
