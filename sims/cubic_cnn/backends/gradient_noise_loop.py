"""The steps of `sims.cubic_cnn.gradient_noise` as machine code, BLAS for the product."""

from __future__ import annotations

__all__ = ["Compiled"]

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.backends.machine_code import njit


@njit(nogil=True, cache=True, error_model="numpy")
def _samples(Xi, c, y, cubed, along, ell, u):
    """ℓ (N,) and both components u (2, N) of one optimizer, from its Ξ (m, n) and c (m,)."""
    m, n = Xi.shape
    N = y.size
    Q = n // N
    signal, squares = 0.0, 0.0
    for r in range(m):
        signal += c[r] * c[r] * c[r]
        squares += c[r] * c[r]
    ell[:] = 0.0
    u[1] = 0.0
    for r in range(m):
        for k in range(n):
            square = Xi[r, k] * Xi[r, k]
            ell[k // Q] += square * Xi[r, k]
            u[1, k // Q] += square * along[r, k]
    for i in range(N):
        margin = y[i] * ell[i] + cubed[i] * signal
        small = math.exp(-abs(margin))
        ell[i] = (small if margin > 0 else 1.0) / (1.0 + small)
        u[0, i] = 3 * ell[i] * cubed[i] * squares
        u[1, i] *= 3 * y[i] * ell[i]


@njit(nogil=True, cache=True, error_model="numpy")
def _advance(K, Xi_0, c_0, y, cubed, along, eta, gammas, floor, batches, root, B, b, average_B, average_b, out):
    """State (A m, n) and (A m,) in place; noise, raw, σ to ``out`` (3, 2, A, steps)."""
    n, m, A = K.shape[0], c_0.size, gammas.size
    steps, size = batches.shape
    N = y.size
    Q = n // N
    Xi = np.empty((A * m, n))
    c = np.empty(A * m)
    ell, u = np.empty((A, N)), np.empty((A, 2, N))
    mean, sigma = np.empty((A, 2)), np.empty((A, 2))
    for t in range(steps):
        if eta != 0 or t == 0:
            np.dot(B, K, Xi)
            for a in range(A):
                for r in range(m):
                    c[a * m + r] = c_0[r] + b[a * m + r]
                    for k in range(n):
                        Xi[a * m + r, k] += Xi_0[r, k]
                _samples(Xi[a * m : (a + 1) * m], c[a * m : (a + 1) * m], y, cubed, along, ell[a], u[a])
                for j in range(2):
                    mean[a, j] = np.sum(u[a, j]) / N
                    total = 0.0
                    for i in range(N):
                        total += (u[a, j, i] - mean[a, j]) ** 2
                    sigma[a, j] = math.sqrt(total / N)
        for a in range(A):
            for j in range(2):
                raw = 0.0
                for i in batches[t]:
                    raw += u[a, j, i]
                raw /= size
                out[1, j, a, t], out[2, j, a, t] = raw, sigma[a, j]
                alive = sigma[a, j] > floor
                out[0, j, a, t] = (raw - mean[a, j]) / (sigma[a, j] * root) if alive else np.nan
        if eta == 0:
            continue
        for a in range(A):
            gamma = gammas[a]
            fresh = 1 - gamma
            slope = 0.0
            for i in batches[t]:
                slope += ell[a, i] * cubed[i]
            slope *= -3.0 / size
            for row in range(a * m, (a + 1) * m):
                average, state, z = average_B[row], B[row], Xi[row]
                for k in range(n):
                    average[k] *= gamma
                for i in batches[t]:
                    pull = -3 * y[i] * ell[a, i] / size * fresh
                    for k in range(i * Q, (i + 1) * Q):
                        average[k] += pull * z[k] * z[k]
                for k in range(n):
                    state[k] -= eta * average[k]
                average_b[row] = gamma * average_b[row] + fresh * (c[row] * c[row] * slope)
                b[row] -= eta * average_b[row]


class Compiled:
    """The arguments and methods of `gradient_noise.Arrays`."""

    def __init__(self, data: Any, eta: float, gammas: Sequence[float], xp: Any) -> None:
        one = data.projection
        given = one.K, one.Xi_0, one.c_0, one.y, np.asarray(one.strength) ** 3, data.along.T
        self.data = tuple(np.ascontiguousarray(x, dtype=np.float64) for x in given)
        self.eta, self.gammas = float(eta), np.array(gammas, dtype=np.float64)
        m, n = one.Xi_0.shape
        self.B, self.b = np.zeros((len(gammas) * m, n)), np.zeros(len(gammas) * m)
        self.average_B, self.average_b = np.zeros_like(self.B), np.zeros_like(self.b)

    def advance(self, batches: np.ndarray, share: float) -> np.ndarray:
        """A step a row of ``batches`` (steps, B): noise, raw, σ as (3, 2, A, steps)."""
        from lemmascope.sims.cubic_cnn.gradient_noise import FLOOR

        out = np.empty((3, 2, self.gammas.size, batches.shape[0]))
        state = self.B, self.b, self.average_B, self.average_b
        _advance(*self.data, self.eta, self.gammas, FLOOR, batches, share**0.5, *state, out)
        return out
