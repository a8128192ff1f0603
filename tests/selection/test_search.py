from __future__ import annotations

import numpy as np
import pytest

from entp.selection.neighbours import products, search
from entp.selection.neighbours.search import Search


def brute_force(rows, k):
    cosines = (rows.astype(np.float64) @ rows.astype(np.float64).T).astype(np.float32)
    np.fill_diagonal(cosines, -np.inf)
    indices = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return indices, np.take_along_axis(cosines, indices, axis=1)


@pytest.fixture(params=["as the machine has it", "float32"])
def rows(request, synthetic, monkeypatch):
    """Many blocks of bunches, copies and rows by themselves."""
    if request.param == "float32":
        monkeypatch.setattr(products, "_as_bytes", lambda: False)
    monkeypatch.setattr(products, "_LARGEST_BLOCK", 64)
    parts = [
        synthetic.bunches(30, 8, spread=0.3, seed=1, d=64),
        np.repeat(synthetic.unit_rows((3, 64), seed=2), 40, axis=0),
        synthetic.unit_rows((200, 64), seed=3),
    ]
    return np.concatenate(parts)[np.random.default_rng(4).permutation(560)]


def assert_exact(rows, k, found):
    indices, similarities = found
    wanted, cosines = brute_force(rows, k)
    np.testing.assert_allclose(similarities, cosines, atol=1e-7)
    # where sums in another order tie or do not, positions may differ from those of the plain product
    differ = indices != wanted
    exact = products.exact_cosines(rows, np.nonzero(differ)[0], indices[differ])
    np.testing.assert_allclose(exact, cosines[differ], atol=1e-7)
    assert all(len(set(row)) == k for row in indices.tolist())


@pytest.mark.parametrize("k", [1, 5, 20, 100])
def test_equal_to_brute_force(rows, k) -> None:
    assert_exact(rows, k, Search(rows, k, 2048).run())


def test_pairs_that_outgrow_memory_are_computed_on_the_way(rows, monkeypatch) -> None:
    monkeypatch.setattr(search, "_FRESH_PAIRS", 50)
    monkeypatch.setattr(search, "_BYTES_OF_A_PAIR", 1 << 15)
    computed = []
    compute = Search._compute
    monkeypatch.setattr(Search, "_compute", lambda self, pairs: computed.append(compute(self, pairs)))
    assert_exact(rows, 5, Search(rows, 5, 1).run())
    assert len(computed) > 2


def test_a_bound_that_was_too_high_is_noticed(rows, monkeypatch) -> None:
    """Bounds are taken for higher than products allow, so that pairs are passed over wrongly."""
    monkeypatch.setattr(search, "_likely_error", lambda product, dimensions: -0.2)
    searched = []
    alone = Search._search_alone
    monkeypatch.setattr(Search, "_search_alone", lambda self, row: (searched.append(row), alone(self, row)))
    assert_exact(rows, 5, Search(rows, 5, 2048).run())
    assert searched
