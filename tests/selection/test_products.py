from __future__ import annotations

import numpy as np
import pytest

from entp.selection.products import Products, exact_cosines, row_blocks


@pytest.mark.parametrize("fine", [False, True])
@pytest.mark.parametrize("d", [3, 64, 1024])
def test_products_are_off_by_no_more_than_they_say(synthetic, fine, d) -> None:
    rows = np.vstack(
        [synthetic.unit_rows((200, d), seed=1), synthetic.bunches(4, 50, spread=0.02, seed=2, d=d)]
    )
    products = Products(rows, fine=fine)
    positions = np.arange(len(rows))
    found = products.between(positions, slice(None)).cpu().numpy().astype(np.float64)
    exact = rows.astype(np.float64) @ rows.astype(np.float64).T
    assert np.abs(found - exact).max() <= products.error < (1e-4 if fine else 0.01)


def test_products_of_chosen_rows(synthetic) -> None:
    rows = synthetic.unit_rows((20, 8), seed=3)
    some, others = np.array([4, 1, 9]), np.array([0, 19])
    found = Products(rows, fine=True).between(some, others).numpy()
    np.testing.assert_allclose(found, rows[some] @ rows[others].T, atol=1e-6)


def test_exact_cosines_do_not_depend_on_position(synthetic) -> None:
    rows = synthetic.unit_rows((50, 1000), seed=4)
    left, right = np.arange(50).repeat(50), np.tile(np.arange(50), 50)
    cosines = exact_cosines(rows, left, right).reshape(50, 50)
    np.testing.assert_array_equal(cosines, cosines.T)
    np.testing.assert_array_equal(
        cosines[::-1, ::-1], exact_cosines(rows[::-1].copy(), left, right).reshape(50, 50)
    )


@pytest.mark.parametrize(
    ("num_rows", "width", "memory_mib"), [(0, 5, 1), (10, 10**9, 1), (5000, 5000, 16), (7, 1, 1)]
)
def test_blocks_cover_all_rows_within_memory(num_rows, width, memory_mib) -> None:
    blocks = row_blocks(num_rows, width, memory_mib)
    assert [row for start, stop in blocks for row in range(start, stop)] == list(range(num_rows))
    heights = [stop - start for start, stop in blocks]
    assert all(height == 1 or height * width * 4 <= memory_mib << 20 for height in heights)
