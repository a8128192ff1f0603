from __future__ import annotations

import numpy as np
import pytest

from entp.selection import nearest_neighbours, one_hop_clusters


def slow_neighbours(rows, k):
    """All cosines in float64, sorted by falling float32 value and then position."""
    found = []
    for at, row in enumerate(rows):
        cosines = [
            (-np.float32(np.dot(row.astype(float), other.astype(float))), n) for n, other in enumerate(rows)
        ]
        found.append([n for _, n in sorted(pair for pair in cosines if pair[1] != at)[:k]])
    return np.array(found)


def test_three_rows_by_hand() -> None:
    rows = np.array([[1, 0], [0.6, 0.8], [0, 1]], dtype=np.float32)
    found = nearest_neighbours(rows, 2)
    assert found.indices.tolist() == [[1, 2], [2, 0], [1, 0]]
    np.testing.assert_allclose(found.similarities, [[0.6, 0], [0.8, 0.6], [0.8, 0]], atol=1e-7)
    assert found.similarities.dtype == np.float32


def test_equal_to_sorting_all_cosines(synthetic) -> None:
    rows = synthetic.unit_rows((150, 12), seed=1)
    np.testing.assert_array_equal(nearest_neighbours(rows, 7).indices, slow_neighbours(rows, 7))


def test_copies_and_ties_come_in_order_of_position(synthetic) -> None:
    rows = np.repeat(synthetic.unit_rows((4, 8), seed=2), 30, axis=0)
    found = nearest_neighbours(rows, 5)
    np.testing.assert_array_equal(found.indices, slow_neighbours(rows, 5))
    assert found.indices[0].tolist() == [1, 2, 3, 4, 5]
    assert found.indices[119].tolist() == [90, 91, 92, 93, 94]


def test_small_memory_changes_nothing(synthetic) -> None:
    rows = np.vstack(
        [synthetic.unit_rows((6000, 8), seed=3), synthetic.bunches(20, 30, spread=1e-3, seed=4, d=8)]
    )
    whole, tight = nearest_neighbours(rows, 4), nearest_neighbours(rows, 4, memory_mib=1)
    np.testing.assert_array_equal(whole.indices, tight.indices)
    np.testing.assert_array_equal(whole.similarities, tight.similarities)


def test_shuffled_rows_have_the_same_neighbours(synthetic, rng) -> None:
    rows = synthetic.unit_rows((400, 24), seed=5)
    order = rng.permutation(len(rows))
    straight, shuffled = nearest_neighbours(rows, 6), nearest_neighbours(rows[order], 6)
    np.testing.assert_array_equal(order[shuffled.indices], straight.indices[order])
    np.testing.assert_array_equal(shuffled.similarities, straight.similarities[order])


@pytest.mark.parametrize(("num_rows", "width"), [(1, 0), (2, 1), (4, 3), (10, 5)])
def test_k_shrinks_to_the_rows_there_are(synthetic, num_rows: int, width: int) -> None:
    found = nearest_neighbours(synthetic.unit_rows((num_rows, 3), seed=0), 5)
    assert found.indices.shape == found.similarities.shape == (num_rows, width)


@pytest.mark.parametrize(
    ("value", "said"),
    [(np.nan, "NaN or infinity"), (np.inf, "NaN or infinity"), (0.0, "only zeros"), (3.0, "length")],
)
def test_a_bad_vector_is_named(synthetic, value: float, said: str) -> None:
    rows = synthetic.unit_rows((9, 4), seed=0)
    rows[6] = value
    order = np.arange(9)
    for search in (lambda: nearest_neighbours(rows, 2), lambda: one_hop_clusters(rows, 0.9, order=order)):
        with pytest.raises(ValueError, match=rf"row 6 has {said}"):
            search()


def test_no_neighbours_asked_for_is_an_error(synthetic) -> None:
    with pytest.raises(ValueError, match="k is 0"):
        nearest_neighbours(synthetic.unit_rows((3, 2), seed=0), 0)
