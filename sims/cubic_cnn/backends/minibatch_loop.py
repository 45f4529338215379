"""The steps of `sims.cubic_cnn.minibatch` as machine code: Ξ on the batch's patches alone, BLAS for the product."""

from __future__ import annotations

__all__ = ["Compiled"]

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.backends.machine_code import njit
from lemmascope.theory.cubic_cnn.law import Projection


@njit(nogil=True, cache=True, error_model="numpy")
def _advance(K, Xi_0, c_0, y, cubed, eta, gammas, batches, B, b, average_B, average_b):
    """State (A m, n) and (A m,) in place; everything of one number type."""
    n, m, A = K.shape[0], c_0.size, gammas.size
    steps, size = batches.shape
    Q = n // y.size
    patches = np.empty(size * Q, np.int64)
    columns = np.empty((size * Q, n), K.dtype)
    Xi = np.empty((A * m, size * Q), K.dtype)
    cubes, pull = np.empty(size * Q, K.dtype), np.empty(size * Q, K.dtype)
    zero, one = K.dtype.type(0), K.dtype.type(1)
    for t in range(steps):
        for j in range(size):
            for q in range(Q):
                patches[j * Q + q] = batches[t, j] * Q + q
        if patches.size == n:
            np.dot(B, K, Xi)
        else:
            for k in range(patches.size):
                columns[k] = K[patches[k]]
            np.dot(B, columns.T, Xi)
        for a in range(A):
            gamma, fresh = gammas[a], one - gammas[a]
            cubes[:] = zero
            signal = zero
            for r in range(m):
                row = Xi[a * m + r]
                for k in range(patches.size):
                    x = row[k] + Xi_0[r, patches[k]]
                    row[k] = x
                    cubes[k] += x * x * x
                c = c_0[r] + b[a * m + r]
                signal += c * c * c
            slope = zero
            for j in range(size):
                i = batches[t, j]
                memorized = zero
                for q in range(Q):
                    memorized += cubes[j * Q + q]
                margin = y[i] * memorized + cubed[i] * signal
                small = math.exp(-abs(margin))
                ell = (small if margin > 0 else one) / (one + small)
                slope += ell * cubed[i]
                for q in range(Q):
                    pull[j * Q + q] = -3 * y[i] * ell / size
            slope *= K.dtype.type(-3 / size)
            for row in range(a * m, (a + 1) * m):
                average, state, z = average_B[row], B[row], Xi[row]
                for k in range(n):
                    average[k] *= gamma
                for k in range(patches.size):
                    average[patches[k]] += fresh * (z[k] * z[k] * pull[k])
                for k in range(n):
                    state[k] -= eta * average[k]
                c = c_0[row - a * m] + b[row]
                average_b[row] = gamma * average_b[row] + fresh * (c * c * slope)
                b[row] -= eta * average_b[row]


class Compiled:
    """The arguments and methods of `minibatch.Arrays`."""

    def __init__(self, drawn: Projection, eta: float, gammas: Sequence[float], xp: Any, dtype: str) -> None:
        def put(x: Any) -> np.ndarray:
            return np.ascontiguousarray(x, dtype=dtype)

        self.data = put(drawn.K), put(drawn.Xi_0), put(drawn.c_0), put(drawn.y), put(np.asarray(drawn.strength) ** 3)
        self.rule = np.dtype(dtype).type(eta), put(gammas)
        self.shape = len(gammas), *drawn.Xi_0.shape
        rows = self.shape[0] * self.shape[1]
        self.B, self.b = np.zeros((rows, self.shape[2]), dtype), np.zeros(rows, dtype)
        self.average_B, self.average_b = np.zeros_like(self.B), np.zeros_like(self.b)

    def advance(self, batches: np.ndarray) -> None:
        """One step a row of ``batches`` (steps, B)."""
        _advance(*self.data, *self.rule, batches, self.B, self.b, self.average_B, self.average_b)

    def coordinates(self) -> tuple[np.ndarray, np.ndarray]:
        """B (A, m, n) and b (A, m)."""
        return self.B.reshape(self.shape), self.b.reshape(self.shape[:2])
