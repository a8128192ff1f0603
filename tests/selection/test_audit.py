from __future__ import annotations

import numpy as np
import pytest

from entp.selection import Audit, correct_scores, estimate_transition


def audit_of(truth, rng, num_rows=1000):
    rows = rng.choice(len(truth.true), num_rows, replace=False)
    return Audit(rows, truth.second[rows])


def corrected(truth, method, audit=None):
    found = estimate_transition(
        truth.scores, truth.neighbours, rng=np.random.default_rng(1), method=method, audit=audit
    )
    return found, (correct_scores(truth.scores, truth.neighbours, found).score == truth.true).mean()


def test_an_audit_tells_misplaced_rows_from_a_poor_rater(synthetic, rng) -> None:
    truth = synthetic.truth(12_000, synthetic.adjacent(0.2), redrawn=0.5, k=20)
    raw = (truth.scores == truth.true).mean()
    misled, right_misled = corrected(truth, "neighbours")
    audited, right_audited = corrected(truth, "audited", audit_of(truth, rng))
    error = {
        name: np.abs(found.transition - synthetic.adjacent(0.2)).sum(axis=1).mean()
        for name, found in (("misled", misled), ("audited", audited))
    }
    assert error["audited"] < 0.15 < 0.4 < error["misled"]
    assert right_misled < raw < right_audited
    # how far a neighbourhood binds: half of its rows, and some of the others by chance
    assert 0.5 < np.diag(audited.binding).mean() < 0.7


def test_left_to_itself_it_audits_only_where_that_is_called_for(synthetic, rng) -> None:
    clean = synthetic.truth(8000, synthetic.adjacent(), k=20)
    assert corrected(clean, "auto", audit_of(clean, rng))[0].method == "neighbours"
    misplaced = synthetic.truth(8000, synthetic.adjacent(), redrawn=0.5, k=20)
    found, right = corrected(misplaced, "auto", audit_of(misplaced, rng))
    assert found.method == "audited"
    assert right >= (misplaced.scores == misplaced.true).mean()


@pytest.mark.parametrize("redrawn", [0.0, 0.1, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("noise", ["adjacent", "upward"])
def test_an_audited_correction_does_no_harm(synthetic, rng, noise, redrawn) -> None:
    truth = synthetic.truth(4000, getattr(synthetic, noise)(), redrawn=redrawn, k=20)
    raw = (truth.scores == truth.true).mean()
    assert corrected(truth, "auto", audit_of(truth, rng))[1] >= raw - 0.005


@pytest.mark.parametrize("redrawn", [0.2, 0.5, 0.7, 1.0])
def test_without_an_audit_it_abstains_rather_than_do_harm(synthetic, redrawn) -> None:
    truth = synthetic.truth(8000, np.full((6, 6), 0.02) + 0.88 * np.eye(6), redrawn=redrawn, k=20)
    found, right = corrected(truth, "auto")
    assert found.abstains
    assert {"unbound", "weak_signal", "no_signal"} & {flag.name for flag in found.flags}
    assert right == (truth.scores == truth.true).mean()


def test_both_ratings_of_an_audited_row_count(synthetic) -> None:
    truth = synthetic.truth(8000, synthetic.adjacent(0.4), redrawn=0.6, k=20)
    rows = np.arange(0, 8000, 4)
    audit = Audit(rows, truth.second[rows])
    found = estimate_transition(
        truth.scores, truth.neighbours, rng=np.random.default_rng(0), method="audited", audit=audit
    )
    right = correct_scores(truth.scores, truth.neighbours, found).score == truth.true
    others = np.setdiff1d(np.arange(8000), rows)
    assert right[rows].mean() > right[others].mean() + 0.02


@pytest.mark.parametrize(
    ("rows", "scores", "said"),
    [
        ([0, 9], [1, 1], "audited row at position 1 is 9"),
        ([0, 1], [1, 6], "second score"),
        ([1, 1], [2, 2], "got 2 for 1 rows"),
        ([1, 2], [2], "got 1 for 2 rows"),
        (np.arange(0), np.arange(0), "got 0 for 0 rows"),
    ],
)
def test_a_bad_audit_is_refused(synthetic, rng, rows, scores, said) -> None:
    truth = synthetic.truth(9, synthetic.adjacent())
    audit = Audit(np.array(rows), np.array(scores))
    with pytest.raises(ValueError, match=said):
        estimate_transition(truth.scores, truth.neighbours, rng=rng, method="audited", audit=audit)
