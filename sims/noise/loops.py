"""The replicas of `sims.noise.replicas` as machine code: one call a block of draws, replica after replica."""

from __future__ import annotations

__all__ = ["Compiled"]

from collections.abc import Sequence
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.backends.machine_code import njit
from lemmascope.theory.noise.valley import Curve, Line


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
    for k in range(w.shape[0]):
        eta, beta = rules[k]
        for replica in range(w.shape[1]):
            u, v, p, g = w[k, replica, 0], w[k, replica, 1], m[k, replica, 0], m[k, replica, 1]
            for t in range(draws.shape[1]):
                r = u * v - 1 - s * draws[replica, t, 0]
                p, g = beta * p + (1 - beta) * r * v, beta * g + (1 - beta) * r * u
                u, v = u - eta * p, v - eta * g
                if (first + t + 1) % every == 0:
                    out[k, replica, (first + t + 1) // every - 1] = (u * u - v * v) / 8**0.5
            w[k, replica, 0], w[k, replica, 1], m[k, replica, 0], m[k, replica, 1] = u, v, p, g


class Compiled:
    """The state of all replicas; the arguments of `replicas.Arrays`."""

    def __init__(self, valley: Line | Curve, rules: Sequence[tuple[float, float]], start: float, count: int, xp: Any):
        self.valley, self.rules = valley, np.array(rules, dtype=np.float64)
        self.w = np.zeros((len(rules), count, valley.width)) + np.array(valley.start(start))
        self.m = np.zeros_like(self.w)

    def advance(self, draws: np.ndarray, first: int, every: int, out: np.ndarray) -> None:
        """As many steps as there are draws (replicas, steps, width) for; what is seen goes to its place in ``out``."""
        rest = self.rules, draws, first, every, self.w, self.m, out
        if isinstance(self.valley, Line):
            _line(self.valley.n, self.valley.s, self.valley.q, *rest)
        else:
            _curve(self.valley.s, *rest)
