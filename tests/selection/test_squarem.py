from __future__ import annotations

import numpy as np
import pytest

from entp.selection.raters.squarem import climb


def shares_step(counts):
    """EM for the share of two known coins among tosses: a slow climb to a maximum that a grid can find."""
    coins = np.array([[0.6, 0.4], [0.5, 0.5]])

    def step(rows):
        rated = rows[0] @ coins
        value = float(counts @ np.log(rated))
        responsible = rows[0] * (coins @ (counts / rated))
        return (responsible / responsible.sum())[None], value

    return step


def test_the_maximum_is_found_and_faster_than_by_plain_steps() -> None:
    step = shares_step(np.array([530.0, 470.0]))
    grid = np.linspace(0.001, 0.999, 999)
    values = [step(np.array([[share, 1 - share]]))[1] for share in grid]
    rows, value = climb(step, np.array([[0.9, 0.1]]), most_cycles=30, smallest_gain=1e-12)
    assert rows[0, 0] == pytest.approx(grid[int(np.argmax(values))], abs=2e-3)
    assert value == pytest.approx(max(values), abs=1e-6)
    plain = np.array([[0.9, 0.1]])
    for _ in range(90):
        plain, reached = step(plain)
    assert value > reached


def test_it_never_goes_down() -> None:
    step = shares_step(np.array([900.0, 100.0]))
    reached = []
    for most_cycles in range(1, 12):
        rows, _ = climb(step, np.array([[0.3, 0.7]]), most_cycles=most_cycles, smallest_gain=0.0)
        reached.append(step(rows)[1])
        assert rows.sum() == pytest.approx(1.0)
    assert (np.diff(reached) >= -1e-9).all()
