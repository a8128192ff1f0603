"""Agreement of a row with its two nearest neighbours, as moments (arXiv 2510.23160, Eq. 1).

`q3[a, b, c]` (K, K, K) is the share of rows rated a whose two nearest neighbours are rated b and c; q1 and
q2 are its margins. With T, p as in `latent_class` and neighbours rated as the row itself is, q3[a, b, c] =
sum_i p_i T_ia T_ib T_ic.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..arrays import FloatArray, IntArray
from .latent_class import Model, leaning_rows, name_classes
from .patterns import MISSING, Patterns


def third_order(scores: IntArray, views: IntArray, num_scores: int) -> FloatArray:
    """q3 over the rows with at least two neighbours that count; zero where there are none."""
    complete = (views[:, :2] != MISSING).all(axis=1)
    codes = (scores[complete] * num_scores + views[complete, 0]) * num_scores + views[complete, 1]
    counts = np.bincount(codes, minlength=num_scores**3).astype(np.float64)
    return counts.reshape((num_scores,) * 3) / max(int(complete.sum()), 1)


def implied_third_order(model: Model) -> FloatArray:
    """The q3 that a model implies."""
    tensor: FloatArray = np.einsum(
        "i,ia,ib,ic->abc", model.prior, model.own, model.neighbour, model.neighbour
    )
    return tensor


def match_moments(q3: FloatArray, starts: Sequence[Model]) -> Model:
    """T and p (B tied to T) with the least squared distance of first-, second- and third-order agreement.

    This is the estimator of the paper and of HOC (arXiv 2102.05291) with exact counts in place of resampled
    subsets and a quasi-Newton search in place of gradient descent. The best of what `starts` lead to.
    """
    from scipy.optimize import minimize  # scipy loads slowly; --help must not wait for it

    num_scores = len(q3)
    found = []
    for start in starts:
        logits = np.log(np.vstack([start.prior[None], start.own])).ravel()
        found.append(
            minimize(_distance, logits, args=(q3,), jac=True, method="L-BFGS-B", options={"maxiter": 500})
        )
    best = min(found, key=lambda result: float(result.fun))
    rows = _softmax(best.x.reshape(num_scores + 1, num_scores))
    # a row that nothing was seen of stays where the start put it; nothing may be exactly zero
    own = 0.999 * rows[1:] + leaning_rows(num_scores, 0.001)
    return name_classes(Model(rows[0], own, own))


def spectral_start(patterns: Patterns, rng: np.random.Generator) -> Model:
    """A start from moments: whitened third-order agreement, diagonalised.

    The neighbours' second moment is B' diag(p) B; joint with own score y it is B' diag(p * T[:, y]) B.
    Whitened by the first, the second has the same eigenvectors for every y, and T[:, y] for eigenvalues.
    """
    counts, weights = patterns.counts, patterns.weights
    joint = np.stack([counts.T @ (counts * own[:, None]) - np.diag(own @ counts) for own in weights.T])
    joint /= max(joint.sum(), 1.0)
    values, vectors = np.linalg.eigh(joint.sum(axis=0))
    # directions in which there is no agreement are left alone: they only feed noise into the start
    root = np.sqrt(np.maximum(values, 1e-4))
    whiten = vectors / root
    whitened = whiten.T @ joint @ whiten
    mixture = np.tensordot(rng.dirichlet(np.ones(weights.shape[1])), whitened, axes=1)
    basis = np.linalg.eigh(mixture)[1]
    own = np.einsum("ai,yab,bi->iy", basis, whitened, basis)
    # rows of the whitening's inverse times the basis are B[i] * sqrt(p_i), up to sign
    scaled = ((vectors * root) @ basis).T
    sums = scaled.sum(axis=1)
    prior = _stochastic(sums[None] ** 2)[0]
    return Model(prior, _stochastic(own), _stochastic(scaled * np.sign(sums)[:, None]))


def _distance(logits: FloatArray, q3: FloatArray) -> tuple[float, FloatArray]:
    """Squared distance of all three orders and its gradient, at softmax parameters."""
    num_scores = len(q3)
    rows = _softmax(logits.reshape(num_scores + 1, num_scores))
    prior, own = rows[0], rows[1:]
    off3 = np.einsum("i,ia,ib,ic->abc", prior, own, own, own) - q3
    off2 = np.einsum("i,ia,ib->ab", prior, own, own) - q3.sum(axis=2)
    off1 = prior @ own - q3.sum(axis=(1, 2))
    value = float((off3**2).sum() + (off2**2).sum() + (off1**2).sum())
    # every place that T takes in a product gives one term
    pulled3 = off3 + off3.transpose(1, 0, 2) + off3.transpose(2, 1, 0)
    by_own = np.einsum("abc,ib,ic->ia", pulled3, own, own) + own @ (off2 + off2.T) + off1
    to_own = 2 * prior[:, None] * by_own
    to_prior = 2 * (
        np.einsum("abc,ia,ib,ic->i", off3, own, own, own)
        + np.einsum("ab,ia,ib->i", off2, own, own)
        + own @ off1
    )
    slope = np.vstack([to_prior[None], to_own])
    return value, (rows * (slope - (rows * slope).sum(axis=1, keepdims=True))).ravel()


def _softmax(logits: FloatArray) -> FloatArray:
    rows = np.exp(logits - logits.max(axis=1, keepdims=True))
    out: FloatArray = rows / rows.sum(axis=1, keepdims=True)
    return out


def _stochastic(rows: FloatArray) -> FloatArray:
    """Rows made probabilities: negative and tiny entries raised, each row divided by its sum."""
    positive = np.maximum(rows, 1e-3)
    out: FloatArray = positive / positive.sum(axis=1, keepdims=True)
    return out
