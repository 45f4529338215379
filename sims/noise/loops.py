"""The replicas of `sims.noise.replicas` as machine code: one call a block of draws.

Replica after replica; where one has two parameters, `LANES` of them step side by side, which a processor does at once.
"""

from __future__ import annotations

__all__ = ["Compiled"]

from collections.abc import Sequence
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.backends.machine_code import njit
from lemmascope.theory.noise.valley import Curve, Line

LANES = 64


@njit(nogil=True, cache=True)
def _line_of_one(s, q, rules, draws, first, every, w, u, out):
    """`_line` at n = 1, to the same bits."""
    root = q**0.5
    x, y, V, p, xi, zeta = np.empty((6, LANES))
    for start in range(0, w.shape[1], LANES):
        lanes = min(LANES, w.shape[1] - start)
        for k in range(w.shape[0]):
            eta, beta = rules[k]
            for j in range(lanes):
                x[j], y[j] = w[k, start + j]
                V[j], p[j] = u[k, start + j]
            for t in range(draws.shape[1]):
                for j in range(lanes):
                    xi[j], zeta[j] = draws[start + j, t, 0], draws[start + j, t, 1]
                for j in range(lanes):
                    pull = root * x[j]
                    miss = pull * y[j] - s * zeta[j]
                    V[j] = beta * V[j] + (1 - beta) * (root * y[j] * miss)
                    p[j] = beta * p[j] + (1 - beta) * (y[j] - s * xi[j] + pull * miss)
                    x[j] -= eta * V[j]
                    y[j] -= eta * p[j]
                if (first + t + 1) % every == 0:
                    for j in range(lanes):
                        out[k, start + j, (first + t + 1) // every - 1] = x[j]
            for j in range(lanes):
                w[k, start + j, 0], w[k, start + j, 1] = x[j], y[j]
                u[k, start + j, 0], u[k, start + j, 1] = V[j], p[j]


@njit(nogil=True, cache=True)
def _line(n, s, q, rules, draws, first, every, w, u, out):
    root, size = q**0.5, s / n**0.5
    for k in range(w.shape[0]):
        eta, beta = rules[k]
        for replica in range(w.shape[1]):
            y, p = w[k, replica, 1:], u[k, replica, 1:]
            x, V = w[k, replica, 0], u[k, replica, 0]
            for t in range(draws.shape[1]):
                along = 0.0
                pull = root * x
                for i in range(n):
                    miss = pull * y[i] - size * draws[replica, t, n + i]
                    along += root * y[i] * miss
                    p[i] = beta * p[i] + (1 - beta) * (y[i] - size * draws[replica, t, i] + pull * miss)
                    y[i] -= eta * p[i]
                V = beta * V + (1 - beta) * along
                x -= eta * V
                if (first + t + 1) % every == 0:
                    out[k, replica, (first + t + 1) // every - 1] = x
            w[k, replica, 0], u[k, replica, 0] = x, V


@njit(nogil=True, cache=True)
def _curve(s, rules, draws, first, every, w, m, out):
    u, v, p, g, xi = np.empty((5, LANES))
    for start in range(0, w.shape[1], LANES):
        lanes = min(LANES, w.shape[1] - start)
        for k in range(w.shape[0]):
            eta, beta = rules[k]
            for j in range(lanes):
                u[j], v[j] = w[k, start + j]
                p[j], g[j] = m[k, start + j]
            for t in range(draws.shape[1]):
                for j in range(lanes):
                    xi[j] = draws[start + j, t, 0]
                for j in range(lanes):
                    r = u[j] * v[j] - 1 - s * xi[j]
                    p[j] = beta * p[j] + (1 - beta) * r * v[j]
                    g[j] = beta * g[j] + (1 - beta) * r * u[j]
                    u[j] -= eta * p[j]
                    v[j] -= eta * g[j]
                if (first + t + 1) % every == 0:
                    for j in range(lanes):
                        out[k, start + j, (first + t + 1) // every - 1] = (u[j] * u[j] - v[j] * v[j]) / 8**0.5
            for j in range(lanes):
                w[k, start + j, 0], w[k, start + j, 1] = u[j], v[j]
                m[k, start + j, 0], m[k, start + j, 1] = p[j], g[j]


class Compiled:
    """The state of all replicas; the arguments of `replicas.Arrays`."""

    def __init__(self, valley: Line | Curve, rules: Sequence[tuple[float, float]], start: float, count: int, xp: Any):
        self.valley, self.rules = valley, np.array(rules, dtype=np.float64)
        self.w = np.zeros((len(rules), count, valley.width)) + np.array(valley.start(start))
        self.m = np.zeros_like(self.w)

    def advance(self, draws: np.ndarray, first: int, every: int, out: np.ndarray) -> None:
        """As many steps as there are draws (replicas, steps, width) for; what is seen goes to its place in ``out``."""
        rest = self.rules, draws, first, every, self.w, self.m, out
        if isinstance(self.valley, Line) and self.valley.n == 1:
            _line_of_one(self.valley.s, self.valley.q, *rest)
        elif isinstance(self.valley, Line):
            _line(self.valley.n, self.valley.s, self.valley.q, *rest)
        else:
            _curve(self.valley.s, *rest)
