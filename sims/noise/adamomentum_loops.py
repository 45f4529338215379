"""The loops of `sims.noise.adamomentum` as machine code."""

from __future__ import annotations

__all__ = ["Compiled", "given", "periodic"]

from collections.abc import Sequence
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.backends.machine_code import njit


@njit(nogil=True, inline="always")
def _moved(g, m, v, top, p1, p2, momentum, maximum, beta1, beta2, epsilon):
    """m, v, the largest v, β₁^t, β₂^t and u after the gradient g."""
    p1, p2 = p1 * beta1, p2 * beta2
    m = beta1 * m + (1 - beta1) * g
    if momentum:
        v = beta2 * v + (1 - beta2) * (m * m) + epsilon
    else:
        v = beta2 * v + (1 - beta2) * (g * g)
    top = max(top, v)
    root = np.sqrt((top if maximum else v) / (1 - p2))
    return m, v, top, p1, p2, m / (1 - p1) / (root if momentum else root + epsilon)


@njit(nogil=True, cache=True)
def given(gradients, momentum, maximum, beta1, beta2, epsilon, out):
    """m and u at each gradient."""
    m, v, top, p1, p2 = 0.0, 0.0, 0.0, 1.0, 1.0
    for t in range(gradients.size):
        m, v, top, p1, p2, u = _moved(gradients[t], m, v, top, p1, p2, momentum, maximum, beta1, beta2, epsilon)
        out[t, 0], out[t, 1] = m, u


@njit(nogil=True, cache=True)
def periodic(p, C, momentum, maximum, beta1, beta2, epsilon, eta, seen, out):
    """Average regret and x where they are asked for."""
    m, v, top, p1, p2 = 0.0, 0.0, 0.0, 1.0, 1.0
    x, paid, total, k = 1.0, 0.0, 0.0, 0
    for t in range(1, seen[-1] + 1):
        g = C if (t - 1) % p == 0 else -1.0
        paid += g * x
        total += g
        m, v, top, p1, p2, u = _moved(g, m, v, top, p1, p2, momentum, maximum, beta1, beta2, epsilon)
        x = min(1.0, max(-1.0, x - eta / np.sqrt(t) * u))
        if t == seen[k]:
            out[0, k], out[1, k] = (paid + abs(total)) / t, x
            k += 1


@njit(nogil=True, cache=True)
def _advance(rows, draws, counted, x, m, v, y, n, out):
    copies = draws.shape[1]
    for i in range(rows.shape[0]):
        eta, mu, h, s, b1, b2, root = rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3], rows[i, 4], rows[i, 5], rows[i, 6]
        squared = rows[i, 7]  # the weight of m in what is squared: 1 or 0
        e, c1, c2, inverse = eta / root, 1 - b1, 1 - b2, 1 / root
        X, M, v_, Y, N = x[i], m[i], v[i], y[i], n[i]
        one, two, three = 0.0, 0.0, 0.0
        for t in range(draws.shape[0]):
            noise = draws[t]
            count = 1.0 if t >= counted else 0.0
            d1, d2, d3 = 0.0, 0.0, 0.0
            for j in range(copies):
                g, f = mu + h * X[j] + s * noise[j], mu + h * Y[j] + s * noise[j]
                M[j] = b1 * M[j] + c1 * g
                N[j] = b1 * N[j] + c1 * f
                q = M[j] if squared > 0 else g
                v_[j] = b2 * v_[j] + c2 * (q * q)
                u, w = M[j] / np.sqrt(v_[j]), N[j] * inverse
                X[j] -= eta * u
                Y[j] -= e * N[j]
                d1 += u - w
                d2 += u * u - w * w
                d3 += X[j] * X[j] - Y[j] * Y[j]
            one += count * d1
            two += count * d2
            three += count * d3
        out[i, 0] += one
        out[i, 1] += two
        out[i, 2] += three


class Compiled:
    """The copies of all cases.

    Args:
        cases: `sims.noise.adamomentum.Case` each.
        start: (cases, 2, copies) x and m at first.
    """

    def __init__(self, cases: Sequence[Any], start: np.ndarray, xp: Any):
        self.rows = np.array([case.row for case in cases])
        self.x, self.m = (np.ascontiguousarray(start[:, k]) for k in (0, 1))
        self.y, self.n = self.x.copy(), self.m.copy()
        self.v = np.zeros_like(self.x) + (self.rows[:, 6] ** 2)[:, None]

    def advance(self, draws: np.ndarray, counted: int, out: np.ndarray) -> None:
        """As many steps as there are draws (steps, copies) for; to ``out`` (cases, 3) the sums from ``counted`` on."""
        _advance(self.rows, draws, counted, self.x, self.m, self.v, self.y, self.n, out)
