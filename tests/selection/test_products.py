from __future__ import annotations

import numpy as np
import pytest
import torch

from entp.selection.neighbours import products
from entp.selection.neighbours.products import (
    as_factor,
    as_factors,
    block_height,
    exact_cosines,
    may_reach,
    multiply,
)


@pytest.fixture(params=["as the machine has it", "float32"])
def form(request, monkeypatch):
    """Rows as bytes where the processor multiplies these, and what takes their place elsewhere."""
    if request.param == "float32":
        monkeypatch.setattr(products, "_as_bytes", lambda: False)
    return request.param


@pytest.mark.parametrize("d", [3, 64, 1024])
def test_products_are_off_by_no_more_than_they_say(synthetic, form, d) -> None:
    rows = np.vstack(
        [synthetic.unit_rows((200, d), seed=1), synthetic.bunches(4, 50, spread=0.02, seed=2, d=d)]
    )
    # one coordinate that stands out makes bytes coarse, unless it is spread over all
    rows[:50] = np.eye(d, dtype=np.float32)[0] + rows[:50] / 100
    rows[:50] /= np.linalg.norm(rows[:50], axis=1, keepdims=True)
    product = multiply(as_factor(rows), as_factor(rows[:60]))
    exact = rows.astype(np.float64) @ rows[:60].astype(np.float64).T
    off = np.abs(product.values.numpy() * product.unit - exact).max()
    assert off <= product.error < (1e-4 if form == "float32" else 0.04)


def test_products_of_bytes_do_not_overflow(form) -> None:
    rows = np.full((4, 4096), 1 / 64, dtype=np.float32)
    rows[::2] *= -1
    product = multiply(as_factor(rows), as_factor(rows))
    cosines = product.values.numpy() * product.unit
    np.testing.assert_allclose(cosines, np.outer([-1, 1, -1, 1], [-1, 1, -1, 1]), atol=product.error)


def test_blocks_hold_each_row_once_and_multiply_to_cosines(synthetic, form) -> None:
    rows = synthetic.unit_rows((75, 32), seed=3)
    factors, blocks = as_factors(rows, 20)
    assert [len(block) for block in blocks] == [20, 20, 20, 15]
    assert sorted(np.concatenate(blocks)) == list(range(75))
    for left, some in zip(factors, blocks, strict=True):
        for right, others in zip(factors, blocks, strict=True):
            product = multiply(left, right)
            cosines = product.values.numpy() * product.unit
            np.testing.assert_allclose(cosines, rows[some] @ rows[others].T, atol=product.error)


def test_products_that_may_reach_a_number_are_found(synthetic, form) -> None:
    rows = synthetic.unit_rows((90, 16), seed=5)
    exact = rows[:40].astype(float) @ rows.astype(float).T
    product = multiply(as_factor(rows[:40]), as_factor(rows))
    by_row = np.quantile(exact, 0.9, axis=1)
    by_column = np.quantile(exact, 0.95, axis=0)
    reaching = {
        "number": (exact >= 0.3, product.reaching(0.3)),
        "rows": (exact >= by_row[:, None], product.reaching(by_row[:, None])),
        "either": (
            (exact >= by_row[:, None]) | (exact >= by_column),
            product.reaching(by_row[:, None], by_column),
        ),
    }
    for wanted, (row, column, values) in reaching.values():
        found = np.zeros_like(wanted)
        found[row, column] = True
        assert not (wanted & ~found).any()
        assert found.sum() < 0.5 * found.size
        np.testing.assert_allclose(values, exact[row, column], atol=product.error)


def test_chosen_rows_of_a_factor(synthetic, form) -> None:
    rows = synthetic.unit_rows((20, 8), seed=3)
    factor = as_factor(rows)
    product = multiply(factor.chosen(np.array([4, 1, 9])), factor.chosen(np.array([0, 19])))
    cosines = product.values.numpy() * product.unit
    np.testing.assert_allclose(cosines, rows[[4, 1, 9]] @ rows[[0, 19]].T, atol=product.error)


def test_bytes_are_used_where_the_processor_multiplies_them() -> None:
    bytes_expected = torch.cpu._is_vnni_supported() and not torch.cuda.is_available()
    values = as_factor(np.eye(3, dtype=np.float32)).values
    assert values.dtype == (torch.int8 if bytes_expected else torch.float32)


def test_exact_cosines_do_not_depend_on_position(synthetic) -> None:
    rows = synthetic.unit_rows((50, 1000), seed=4)
    left, right = np.arange(50).repeat(50), np.tile(np.arange(50), 50)
    cosines = exact_cosines(rows, left, right).reshape(50, 50)
    np.testing.assert_array_equal(cosines, cosines.T)
    np.testing.assert_array_equal(
        cosines[::-1, ::-1], exact_cosines(rows[::-1].copy(), left, right).reshape(50, 50)
    )


def test_which_pairs_may_reach_a_cosine(synthetic) -> None:
    rows = synthetic.unit_rows((40, 24), seed=6)
    left, right = np.arange(40).repeat(40), np.tile(np.arange(40), 40)
    exact = exact_cosines(rows, left, right)
    least = np.where(left % 2, exact, exact + 1e-3)
    np.testing.assert_array_equal(may_reach(rows, left, right, least), left % 2 == 1)


@pytest.mark.parametrize(("memory_mib", "height"), [(1, 362), (2, 512), (2048, 1024)])
def test_the_product_of_two_blocks_stays_within_memory(memory_mib, height) -> None:
    assert block_height(memory_mib) == height
