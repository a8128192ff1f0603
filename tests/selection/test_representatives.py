from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import silhouette_score

from entp.selection import Clusters, choose_representatives, one_hop_clusters, seeded_order
from entp.selection.pairs.representatives import next_by_relevance
from entp.selection.pairs.subclusters import average_silhouette, split_members
from entp.selection.threads import one_thread


def split(rows):
    """Sub-clusters of rows as `choose_representatives` has them split."""
    with one_thread("sklearn.cluster"):
        return split_members(rows.astype(np.float64), seed=0)


def test_average_silhouette_equals_scikit_learns(rng) -> None:
    rows = rng.normal(size=(60, 5))
    for k in (2, 4, 9):
        labels = rng.integers(0, k, 60)
        labels[:k] = np.arange(k)
        ours = average_silhouette(cdist(rows, rows), labels)
        assert ours == pytest.approx(silhouette_score(rows, labels), abs=1e-12)


def test_average_silhouette_with_a_cluster_of_one_and_with_one_cluster(rng) -> None:
    rows = rng.normal(size=(10, 3))
    labels = np.array([0] * 9 + [1])
    assert average_silhouette(cdist(rows, rows), labels) == pytest.approx(silhouette_score(rows, labels))
    assert average_silhouette(cdist(rows, rows), np.zeros(10, dtype=np.int64)) == -1.0


def test_three_bunches_are_three_sub_clusters(synthetic) -> None:
    rows = synthetic.bunches(3, 8, spread=0.05, seed=1)
    assert split(rows).tolist() == [0] * 8 + [1] * 8 + [2] * 8


@pytest.mark.parametrize("num_rows", [0, 1, 2])
def test_fewer_than_three_are_one_sub_cluster(synthetic, num_rows: int) -> None:
    assert split(synthetic.unit_rows((num_rows, 4), 0)).tolist() == [0] * num_rows


def test_members_all_alike_are_one_sub_cluster() -> None:
    assert split(np.tile(np.float32([0.6, 0.8]), (12, 1))).tolist() == [0] * 12


def test_two_kinds_of_copies_are_two_sub_clusters() -> None:
    rows = np.repeat(np.float32([[1, 0], [0, 1]]), 5, axis=0)
    assert split(rows).tolist() == [0] * 5 + [1] * 5


def test_never_more_than_ten_sub_clusters(synthetic) -> None:
    labels = split(synthetic.bunches(14, 4, spread=0.01, seed=2))
    assert labels.max() <= 9
    assert len(np.unique(labels)) == labels.max() + 1


def test_the_second_is_relevant_but_different() -> None:
    rows = np.array([[1.0, 0.0], [0.98, 0.199], [0.8, -0.6], [0.6, 0.8]])
    mean = rows.mean(axis=0) / np.linalg.norm(rows.mean(axis=0))
    for alpha in (0.2, 0.9):
        values = [alpha * (row @ mean) - (1 - alpha) * (row @ rows[0]) for row in rows[1:]]
        assert next_by_relevance(rows, [0], alpha) == 1 + int(np.argmax(values))
    assert next_by_relevance(rows, [0], 0.2) == 3
    assert next_by_relevance(rows, [0], 1.0) == 1


def test_a_small_cluster_is_taken_whole_most_central_first() -> None:
    angles = np.radians([0, 18, 24])
    rows = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    clusters = Clusters(labels=np.zeros(3, dtype=np.int64), centres=np.array([2]))
    (chosen,) = choose_representatives(rows, clusters, order=np.arange(3), seed=0)
    # the mean points to 14 degrees
    assert chosen.tolist() == [1, 2, 0]


def test_a_third_is_unlike_both_before_it() -> None:
    rows = np.array([[1.0, 0.0], [0.6, 0.8], [0.8, 0.6], [0.0, -1.0]])
    assert next_by_relevance(rows, [0], 0.0) == 3
    assert next_by_relevance(rows, [0, 3], 0.0) == 1
    assert next_by_relevance(rows, [0, 1], 1.0) == 2


@pytest.mark.parametrize("number", [1, 2, 4, 12])
def test_so_many_of_each_sub_cluster_and_the_centre(synthetic, number: int) -> None:
    rows = np.vstack([synthetic.unit_rows((1, 16), seed=4), synthetic.bunches(3, 10, spread=0.02, seed=3)])
    clusters = Clusters(labels=np.zeros(31, dtype=np.int64), centres=np.array([0]))
    (chosen,) = choose_representatives(rows, clusters, order=np.arange(31), seed=0, number=number)
    assert np.bincount((chosen[chosen > 0] - 1) // 10).tolist() == [min(number, 10)] * 3
    assert len(set(chosen.tolist())) == len(chosen)


def test_at_most_two_of_each_sub_cluster_and_the_centre(synthetic) -> None:
    rows = synthetic.bunches(3, 10, spread=0.02, seed=3)
    centre = synthetic.unit_rows((1, 16), seed=4)
    everything = np.vstack([centre, rows])
    clusters = Clusters(labels=np.zeros(31, dtype=np.int64), centres=np.array([0]))
    (chosen,) = choose_representatives(everything, clusters, order=np.arange(31), seed=0)
    assert 0 in chosen
    assert sorted((chosen[chosen > 0] - 1) // 10) == [0, 0, 1, 1, 2, 2]
    for bunch in range(3):
        members = np.arange(1 + 10 * bunch, 11 + 10 * bunch)
        mean = everything[members].mean(axis=0)
        assert members[(everything[members] @ mean).argmax()] in chosen
    centrality = everything[chosen] @ everything.mean(axis=0)
    assert (np.diff(centrality) <= 1e-6).all()


def test_representatives_belong_to_their_cluster_once(synthetic, rng) -> None:
    rows = synthetic.bunches(20, 9, spread=0.5, seed=5)
    clusters = one_hop_clusters(rows, 0.88, order=rng.permutation(len(rows)))
    chosen = choose_representatives(rows, clusters, order=rng.permutation(len(rows)), seed=1)
    for label, representatives in enumerate(chosen):
        assert set(clusters.labels[representatives]) == {label}
        assert clusters.centres[label] in representatives
        assert len(set(representatives.tolist())) == len(representatives)


def test_shuffling_the_pool_chooses_the_same_rows_in_the_same_order(synthetic, rng) -> None:
    rows = synthetic.bunches(8, 25, spread=0.4, seed=6)
    rows[10:14] = rows[9]
    ids = [f"{n:x}" for n in range(len(rows))]
    shuffle = rng.permutation(len(rows))

    def chosen_ids(positions):
        names = [ids[n] for n in positions]
        order = seeded_order(names, seed=2)
        clusters = one_hop_clusters(rows[positions], 0.85, order=order)
        chosen = choose_representatives(rows[positions], clusters, order=order, seed=2)
        return [[names[n] for n in cluster] for cluster in chosen]

    assert chosen_ids(shuffle) == chosen_ids(np.arange(len(rows)))
