"""The steps of `sims.cubic_cnn.gradient_noise` as machine code, without a product with all of K.

What trains is Ξ itself: a step of B moves Ξ = Ξ₀ + BK by K's rows of the batch's patches alone, so that the average of
gradients is kept as its product with K. What rounding adds up to so is some 10⁻¹³ of Ξ in 10⁴ steps.
"""

from __future__ import annotations

__all__ = ["Compiled"]

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.backends.machine_code import njit
from lemmascope.theory.noise.long_memory import FLOOR


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"}, error_model="numpy")
def _cubes(Xi, along, memorized, moved):
    """Σ_r Ξ³ and Σ_r Ξ²⟨x, D_r⟩ of every patch, from Ξ (m, n)."""
    memorized[:] = 0.0
    moved[:] = 0.0
    for r in range(Xi.shape[0]):
        row, other = Xi[r], along[r]
        for k in range(row.size):
            square = row[k] * row[k]
            memorized[k] += square * row[k]
            moved[k] += square * other[k]


@njit(nogil=True, cache=True, error_model="numpy")
def _samples(Xi, c, y, cubed, along, memorized, moved, ell, u, mean, sigma):
    """ℓ (N,), both components u (2, N) of one optimizer, their means and standard deviations."""
    N = y.size
    Q = Xi.shape[1] // N
    signal, squares = 0.0, 0.0
    for r in range(c.size):
        signal += c[r] * c[r] * c[r]
        squares += c[r] * c[r]
    _cubes(Xi, along, memorized, moved)
    for i in range(N):
        own, other = 0.0, 0.0
        for k in range(i * Q, (i + 1) * Q):
            own += memorized[k]
            other += moved[k]
        margin = y[i] * own + cubed[i] * signal
        small = math.exp(-abs(margin))
        ell[i] = (small if margin > 0 else 1.0) / (1.0 + small)
        u[0, i] = 3 * ell[i] * cubed[i] * squares
        u[1, i] = 3 * y[i] * ell[i] * other
    for j in range(2):
        total = 0.0
        for i in range(N):
            total += u[j, i]
        mean[j] = total / N
        total = 0.0
        for i in range(N):
            total += (u[j, i] - mean[j]) ** 2
        sigma[j] = math.sqrt(total / N)


@njit(nogil=True, cache=True, error_model="numpy")
def _train(K, y, cubed, eta, gamma, batch, ell, Xi, c, average, average_c, push):
    """One step of Ξ (m, n) and c (m,) on a batch's gradient."""
    m, n = Xi.shape
    Q = n // y.size
    fresh = 1 - gamma
    slope = 0.0
    for i in batch:
        slope += ell[i] * cubed[i]
    slope *= -3.0 / batch.size
    for r in range(m):
        z = Xi[r]
        push[:] = 0.0
        for i in batch:
            pull = -3 * y[i] * ell[i] / batch.size * fresh
            for k in range(i * Q, (i + 1) * Q):
                weight, row = pull * z[k] * z[k], K[k]
                for j in range(n):
                    push[j] += weight * row[j]
        for j in range(n):
            average[r, j] = gamma * average[r, j] + push[j]
            z[j] -= eta * average[r, j]
        average_c[r] = gamma * average_c[r] + fresh * (c[r] * c[r] * slope)
        c[r] -= eta * average_c[r]


@njit(nogil=True, cache=True, error_model="numpy")
def _advance(K, y, cubed, along, eta, gammas, floor, batches, root, Xi, c, average, average_c, out):
    """Ξ (A, m, n), c (A, m) and their averages in place; noise, raw, σ to ``out`` (3, 2, A, steps)."""
    A, _, n = Xi.shape
    steps, size = batches.shape
    ell, u = np.empty((A, y.size)), np.empty((A, 2, y.size))
    mean, sigma = np.empty((A, 2)), np.empty((A, 2))
    memorized, moved, push = np.empty(n), np.empty(n), np.empty(n)
    for t in range(steps):
        for a in range(A):
            if eta != 0 or t == 0:
                _samples(Xi[a], c[a], y, cubed, along, memorized, moved, ell[a], u[a], mean[a], sigma[a])
            for j in range(2):
                raw = 0.0
                for i in batches[t]:
                    raw += u[a, j, i]
                raw /= size
                out[1, j, a, t], out[2, j, a, t] = raw, sigma[a, j]
                alive = sigma[a, j] > floor
                out[0, j, a, t] = (raw - mean[a, j]) / (sigma[a, j] * root) if alive else np.nan
            if eta != 0:
                _train(K, y, cubed, eta, gammas[a], batches[t], ell[a], Xi[a], c[a], average[a], average_c[a], push)


class Compiled:
    """The arguments and methods of `gradient_noise.Arrays`."""

    def __init__(self, data: Any, eta: float, gammas: Sequence[float], xp: Any) -> None:
        one = data.projection
        given = one.K, one.y, np.asarray(one.strength) ** 3, data.along.T
        self.data = tuple(np.ascontiguousarray(x, dtype=np.float64) for x in given)
        self.eta, self.gammas = float(eta), np.array(gammas, dtype=np.float64)
        self.Xi, self.c = (np.stack([x] * len(gammas)).astype(np.float64) for x in (one.Xi_0, one.c_0))
        self.average_Xi, self.average_c = np.zeros_like(self.Xi), np.zeros_like(self.c)

    def advance(self, batches: np.ndarray, share: float) -> np.ndarray:
        """A step a row of ``batches`` (steps, B): noise, raw, σ as (3, 2, A, steps)."""
        out = np.empty((3, 2, self.gammas.size, batches.shape[0]))
        state = self.Xi, self.c, self.average_Xi, self.average_c
        _advance(*self.data, self.eta, self.gammas, FLOOR, batches, share**0.5, *state, out)
        return out
