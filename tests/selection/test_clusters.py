from __future__ import annotations

import numpy as np
import pytest

from entp.selection import hdbscan_clusters, one_hop_clusters, seeded_order


def slow_one_hop(rows, similarity, order):
    """Algorithm 1 as it stands, one row at a time."""
    cosines = rows.astype(float) @ rows.astype(float).T
    labels, centres = np.full(len(rows), -1), []
    for row in order:
        if labels[row] < 0:
            labels[row] = len(centres)
            labels[(cosines[row] >= similarity) & (labels < 0)] = len(centres)
            centres.append(row)
    return labels, np.array(centres)


def test_four_rows_by_hand() -> None:
    angles = np.radians([0, 20, 40, 90])
    rows = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    # cos 20 = 0.94, cos 40 = 0.77: the middle row reaches both sides, an outer one only the middle
    first_in_the_middle = one_hop_clusters(rows, order=np.array([1, 0, 2, 3]))
    assert first_in_the_middle.labels.tolist() == [0, 0, 0, 1]
    assert first_in_the_middle.centres.tolist() == [1, 3]
    from_outside = one_hop_clusters(rows, order=np.array([2, 0, 3, 1]))
    assert from_outside.labels.tolist() == [1, 0, 0, 2]
    assert from_outside.centres.tolist() == [2, 0, 3]


def test_equal_to_the_algorithm_row_by_row(synthetic, rng) -> None:
    rows = synthetic.bunches(40, 20, spread=0.45, seed=8)
    order = rng.permutation(len(rows))
    for memory_mib in (2048, 1):
        found = one_hop_clusters(rows, 0.9, order=order, memory_mib=memory_mib)
        labels, centres = slow_one_hop(rows, 0.9, order)
        np.testing.assert_array_equal(found.labels, labels)
        np.testing.assert_array_equal(found.centres, centres)


def test_more_rows_than_a_block(synthetic) -> None:
    rows = synthetic.bunches(250, 20, spread=0.4, seed=3, d=8)
    order = np.random.default_rng(0).permutation(len(rows))
    labels, centres = slow_one_hop(rows, 0.92, order)
    found = one_hop_clusters(rows, 0.92, order=order)
    np.testing.assert_array_equal(found.labels, labels)
    np.testing.assert_array_equal(found.centres, centres)


def test_every_member_is_within_reach_of_its_centre_and_centres_are_not(synthetic, rng) -> None:
    rows = synthetic.bunches(30, 12, spread=0.5, seed=9)
    found = one_hop_clusters(rows, 0.9, order=rng.permutation(len(rows)))
    cosines = (rows * rows[found.centres[found.labels]]).sum(axis=1)
    assert cosines.min() >= 0.9 - 1e-6
    between = rows[found.centres] @ rows[found.centres].T
    assert between[~np.eye(len(between), dtype=bool)].max() < 0.9
    np.testing.assert_array_equal(found.labels[found.centres], np.arange(len(found.centres)))
    assert sorted(np.concatenate(found.members()).tolist()) == list(range(len(rows)))


@pytest.mark.parametrize("cluster", [one_hop_clusters, hdbscan_clusters])
def test_shuffling_the_pool_changes_only_positions(synthetic, rng, cluster) -> None:
    rows = synthetic.bunches(15, 10, spread=0.35, seed=10)
    ids = [f"row-{n}" for n in range(len(rows))]
    shuffle = rng.permutation(len(rows))
    straight = cluster(rows, order=seeded_order(ids, seed=4))
    shuffled = cluster(rows[shuffle], order=seeded_order([ids[n] for n in shuffle], seed=4))
    np.testing.assert_array_equal(shuffled.labels, straight.labels[shuffle])
    np.testing.assert_array_equal(shuffle[shuffled.centres], straight.centres)


def test_seeds_give_other_orders_and_repeat() -> None:
    ids = [str(n) for n in range(50)]
    assert seeded_order(ids, 1).tolist() == seeded_order(ids, 1).tolist() != seeded_order(ids, 2).tolist()
    assert sorted(seeded_order(ids, 1).tolist()) == list(range(50))


def test_a_repeated_id_is_named() -> None:
    with pytest.raises(ValueError, match="'b' occurs more than once"):
        seeded_order(["a", "b", "c", "b"], 0)


def test_an_order_that_is_no_permutation_is_refused(synthetic) -> None:
    with pytest.raises(ValueError, match="permutation of the 3 row positions"):
        one_hop_clusters(synthetic.unit_rows((3, 2), 0), order=np.array([0, 0, 2]))


def test_rows_all_alike_are_one_cluster() -> None:
    rows = np.tile(np.array([[0.6, 0.8]], dtype=np.float32), (7, 1))
    found = one_hop_clusters(rows, order=np.array([3, 0, 1, 2, 4, 5, 6]))
    assert found.labels.tolist() == [0] * 7
    assert found.centres.tolist() == [3]
    assert hdbscan_clusters(rows, order=np.arange(7)).labels.max() >= 0


@pytest.mark.parametrize("cluster", [one_hop_clusters, hdbscan_clusters])
def test_no_rows_and_one_row(cluster) -> None:
    none = cluster(np.empty((0, 4), dtype=np.float32), order=np.arange(0))
    assert none.labels.shape == none.centres.shape == (0,)
    assert none.members() == []
    one = cluster(np.array([[1, 0]], dtype=np.float32), order=np.arange(1))
    assert one.labels.tolist() == one.centres.tolist() == [0]


def test_hdbscan_finds_bunches_and_leaves_noise_alone(rng) -> None:
    degrees = np.concatenate([np.linspace(0, 1, 20), np.linspace(10, 11, 20), [90, 200]])
    angles = np.radians(degrees)
    rows = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    found = hdbscan_clusters(rows, order=rng.permutation(len(rows)), min_cluster_size=5)
    left, right, *noise = (set(members.tolist()) for members in sorted(found.members(), key=min))
    assert left == set(range(20))
    assert right == set(range(20, 40))
    assert noise == [{40}, {41}]
    for label, members in enumerate(found.members()):
        mean = rows[members].mean(axis=0)
        assert found.centres[label] in members
        assert rows[found.centres[label]] @ mean >= (rows[members] @ mean).max() - 1e-6


def test_hdbscan_from_near_rows_is_the_packages_own(synthetic) -> None:
    import hdbscan

    rows = synthetic.bunches(30, 12, spread=0.3, seed=12)
    found = hdbscan_clusters(rows, order=np.arange(len(rows)))
    own = hdbscan.HDBSCAN(min_cluster_size=2, core_dist_n_jobs=1).fit_predict(rows.astype(np.float64))
    clustered = own >= 0
    together = own[clustered, None] == own[None, clustered]
    np.testing.assert_array_equal(found.labels[clustered, None] == found.labels[None, clustered], together)
    assert len(found.centres) == own.max() + 1 + (~clustered).sum()
