from __future__ import annotations

import numpy as np
import pytest

from entp.selection import one_hop_clusters
from entp.selection.neighbours.reach import Reach, _bounding_rows


@pytest.fixture(scope="module")
def uneven_rows():
    """More rows than the bound is fitted to, in bunches, with few strong directions as encoders have."""
    rng = np.random.default_rng(3)
    scale = np.arange(1, 193) ** -0.7
    rows = np.repeat(rng.normal(size=(1250, 192)) * scale, 4, axis=0)
    rows += 0.35 * rng.normal(size=rows.shape) * scale
    rows = rows[rng.permutation(len(rows))]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_the_bound_is_used_and_holds(uneven_rows) -> None:
    bound = _bounding_rows(uneven_rows, 0.9)
    assert bound.shape[1] < uneven_rows.shape[1]
    cosines = uneven_rows[:800].astype(float) @ uneven_rows.astype(float).T
    assert (bound[:800].astype(float) @ bound.astype(float).T - cosines).min() >= -1e-6
    np.testing.assert_allclose(np.linalg.norm(bound, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(("similarity", "memory_mib"), [(0.95, 2048), (0.9, 2048), (0.8, 2048), (0.9, 1)])
def test_no_pair_is_missed_and_none_added(uneven_rows, similarity, memory_mib) -> None:
    left, right = np.arange(0, 5000, 7), np.arange(4999, -1, -1)
    places, columns, cosines = Reach(uneven_rows, similarity, memory_mib).pairs(left, right)
    exact = uneven_rows[left].astype(float) @ uneven_rows[right].astype(float).T
    within = (exact >= similarity) & (left[:, None] != right[None, :])
    found = np.zeros_like(within)
    found[places, columns] = True
    np.testing.assert_array_equal(found, within)
    np.testing.assert_allclose(cosines, exact[places, columns], atol=1e-12)


def test_the_similarity_itself_is_within_reach() -> None:
    rows = np.array([[1, 0], [0.6, 0.8]], dtype=np.float32)
    for similarity, found in ((np.float32(0.6), [0, 1]), (np.nextafter(np.float32(0.6), 1), [])):
        places, _, _ = Reach(rows, float(similarity), 2048).pairs(np.arange(2), np.arange(2))
        assert sorted(places.tolist()) == found


def test_a_similarity_at_or_below_zero(synthetic) -> None:
    rows = synthetic.unit_rows((60, 5), seed=1)
    exact = rows.astype(float) @ rows.astype(float).T
    for similarity in (0.0, -0.3):
        places, _, _ = Reach(rows, similarity, 2048).pairs(np.arange(60), np.arange(60))
        assert len(places) == (exact >= similarity).sum() - 60


def test_clusters_of_uneven_rows(uneven_rows) -> None:
    order = np.random.default_rng(0).permutation(len(uneven_rows))
    found = one_hop_clusters(uneven_rows, 0.9, order=order)
    cosines = uneven_rows.astype(float) @ uneven_rows.astype(float).T
    labels, number = np.full(len(uneven_rows), -1), 0
    for row in order:
        if labels[row] < 0:
            labels[(cosines[row] >= 0.9) & (labels < 0)] = number
            labels[row] = number
            number += 1
    np.testing.assert_array_equal(found.labels, labels)


def test_no_rows_on_one_side(synthetic) -> None:
    places, columns, cosines = Reach(synthetic.unit_rows((5, 3), 0), 0.5, 2048).pairs(
        np.arange(5), np.arange(0)
    )
    assert places.size == columns.size == cosines.size == 0
