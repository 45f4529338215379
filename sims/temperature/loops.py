"""The chains of `sims.temperature.chains` as machine code: one call a block of steps, chain after chain.

The same arithmetic as the reference, sample by sample in the order of the draws; sums are in another order, so the
two agree to rounding.
"""

from __future__ import annotations

__all__ = ["Compiled"]

import math
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.backends.machine_code import njit
from lemmascope.sims.temperature.problems import Chain, Problem, Quadratic, Regression
from lemmascope.theory.temperature.finite_data import SAMPLINGS

REPLACED, DISTINCT, RESHUFFLED = range(3)


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _taken(sampling: int, order: np.ndarray, uniform: float, first: int, j: int) -> int:
    """The sample of the j-th draw; ``order`` is where those that are left stand from first + j on."""
    if sampling == REPLACED:
        return int(uniform * order.size)
    at = first + j + int(uniform * (order.size - first - j))
    sample = order[at]
    order[at] = order[first + j]
    order[first + j] = sample
    return sample


@njit(nogil=True, cache=True, error_model="numpy")
def _quadratic(h, xi, eta, mu, sampling, start, burn_in, every, uniform, order, e, v, out):
    N, d = xi.shape
    chains, steps, B = uniform.shape
    n, g = N // B, np.empty(d)
    for k in range(chains):
        row = 0
        for t in range(steps):
            past = start + t - burn_in
            if past >= 0 and past % every == 0:
                loss = 0.0
                for i in range(d):
                    loss += h[i] * e[k, i] * e[k, i]
                out[k, row] = loss / 2
                row += 1
            first = B * ((start + t) % n) if sampling == RESHUFFLED else 0
            g[:] = 0.0
            for j in range(B):
                sample = _taken(sampling, order[k], uniform[k, t, j], first, j)
                for i in range(d):
                    g[i] += xi[sample, i]
            for i in range(d):
                v[k, i] = mu * v[k, i] + eta * (h[i] * e[k, i] + g[i] / B)
                e[k, i] -= v[k, i]


@njit(nogil=True, cache=True, error_model="numpy")
def _regression(X, r, H, eta, mu, sampling, start, burn_in, every, uniform, order, e, v, out):
    N, d = X.shape
    chains, steps, B = uniform.shape
    n, g = N // B, np.empty(d)
    for k in range(chains):
        row = 0
        for t in range(steps):
            past = start + t - burn_in
            if past >= 0 and past % every == 0:
                loss = 0.0
                for i in range(d):
                    slope = 0.0
                    for c in range(d):
                        slope += H[i, c] * e[k, c]
                    loss += slope * e[k, i]
                out[k, row] = loss / 2
                row += 1
            first = B * ((start + t) % n) if sampling == RESHUFFLED else 0
            g[:] = 0.0
            for j in range(B):
                sample = _taken(sampling, order[k], uniform[k, t, j], first, j)
                misfit = r[sample]
                for i in range(d):
                    misfit += X[sample, i] * e[k, i]
                for i in range(d):
                    g[i] += misfit * X[sample, i]
            for i in range(d):
                v[k, i] = mu * v[k, i] + eta * (g[i] / B)
                e[k, i] -= v[k, i]


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _output(X, W, sample, z):
    """f(X_i), and z (m, P)."""
    P, d = X.shape[1:]
    m = W.shape[0]
    f = 0.0
    for r in range(m):
        for p in range(P):
            x = 0.0
            for c in range(d):
                x += W[r, c] * X[sample, p, c]
            z[r, p] = x
            f += x * x * x
    return f


@njit(nogil=True, cache=True, error_model="numpy")
def _cubic_cnn(X, y, lam, W_star, least, eta, mu, sampling, start, burn_in, every, uniform, order, e, v, out):
    N, P, d = X.shape
    m = W_star.shape[0]
    chains, steps, B = uniform.shape
    n = N // B
    W, g, z = np.empty((m, d)), np.empty((m, d)), np.empty((m, P))
    for k in range(chains):
        row = 0
        for t in range(steps):
            size = 0.0
            for r in range(m):
                for c in range(d):
                    W[r, c] = W_star[r, c] + e[k, r * d + c]
                    size += W[r, c] * W[r, c]
            past = start + t - burn_in
            if past >= 0 and past % every == 0:
                loss = 0.0
                for i in range(N):
                    margin = y[i] * _output(X, W, i, z)
                    loss += math.log1p(math.exp(-abs(margin))) + max(-margin, 0.0)
                out[k, row] = loss / N + 0.5 * lam * size - least
                row += 1
            first = B * ((start + t) % n) if sampling == RESHUFFLED else 0
            g[:] = 0.0
            for j in range(B):
                sample = _taken(sampling, order[k], uniform[k, t, j], first, j)
                margin = y[sample] * _output(X, W, sample, z)
                small = math.exp(-abs(margin))
                ell = (small if margin > 0 else 1.0) / (1 + small)
                pull = -3.0 / B * y[sample] * ell
                for r in range(m):
                    for p in range(P):
                        weight = pull * z[r, p] * z[r, p]
                        for c in range(d):
                            g[r, c] += weight * X[sample, p, c]
            for r in range(m):
                for c in range(d):
                    i = r * d + c
                    v[k, i] = mu * v[k, i] + eta * (g[r, c] + lam * W[r, c])
                    e[k, i] -= v[k, i]


class Compiled:
    """The state of all chains, carried on block by block; the arguments of `chains.Arrays`."""

    def __init__(self, problem: Problem, chain: Chain, count: int, xp: Any) -> None:
        self.chain = chain
        self.sampling = SAMPLINGS.index(chain.sampling)
        self.order = np.tile(np.arange(problem.samples), (count, 1))
        self.e, self.v = np.zeros((count, problem.width)), np.zeros((count, problem.width))
        data: tuple[Any, ...]
        self.loop: Any
        if isinstance(problem, Quadratic):
            self.loop, data = _quadratic, (problem.h, problem.xi)
        elif isinstance(problem, Regression):
            self.loop, data = _regression, (problem.X, problem.r, problem.X.T @ problem.X / problem.samples)
        else:
            self.loop, data = _cubic_cnn, (problem.X, problem.y, float(problem.lam), problem.W, float(problem.least))
        self.data = tuple(np.ascontiguousarray(x, dtype=np.float64) if isinstance(x, np.ndarray) else x for x in data)

    def advance(self, start: int, uniform: np.ndarray) -> np.ndarray:
        """As many steps as there are draws (chains, steps, B) for; what is seen of them (chains, seen)."""
        chain = self.chain
        times = np.arange(start, start + uniform.shape[1]) - chain.burn_in
        out = np.empty((uniform.shape[0], int(np.count_nonzero((times >= 0) & (times % chain.every == 0)))))
        rule = chain.eta, chain.mu, self.sampling, start, chain.burn_in, chain.every
        self.loop(*self.data, *rule, uniform, self.order, self.e, self.v, out)
        return out
