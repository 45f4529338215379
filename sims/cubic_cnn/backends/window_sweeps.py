"""The fixed-point sweeps of a fast-forward window as machine code; see `sims.cubic_cnn.backends.fast_forward`."""

from __future__ import annotations

__all__ = ["Data", "evaluate", "sweep"]

import math
from typing import Any, NamedTuple

import numpy as np

from lemmascope.sims.cubic_cnn.backends.machine_code import njit


class Data(NamedTuple):
    """One seed's system, as of `theory.cubic_cnn.coefficients.CoefficientSystem`."""

    K: Any  # (n, n)
    Xi_0: Any  # (m, n)
    c_0: Any  # (m,)
    overlap: Any  # (n,) ⟨x_k, w*⟩
    y: Any  # (N,)
    cubed: Any  # (N,) (y_i c_i)³; zeros without signal patches
    lam: float
    factor: float  # of the gradient
    of_the_law: bool


@njit(nogil=True, cache=True, error_model="numpy")
def evaluate(data: Data, theta: np.ndarray) -> Any:
    """c (k, m), Ξ (k, m, n), memorization and margins (k, N), and gradients of k states (k, m, n + 2)."""
    k, m, width = theta.shape
    n, N = width - 2, data.y.size
    Q = n // N
    Xi = np.dot(np.ascontiguousarray(theta[:, :, :n]).reshape(k * m, n), data.K).reshape(k, m, n)
    c, memorization, margins = np.empty((k, m)), np.zeros((k, N)), np.empty((k, N))
    grads, pull = np.empty(theta.shape), np.empty(N)
    for s in range(k):
        feature = 0.0
        for r in range(m):
            share, total = theta[s, r, n + 1], 0.0
            for j in range(n):
                x = Xi[s, r, j] + share * data.Xi_0[r, j]
                Xi[s, r, j] = x
                memorization[s, j // Q] += x * x * x
            if not data.of_the_law:
                for j in range(n):
                    total += theta[s, r, j] * data.overlap[j]
            c[s, r] = share * data.c_0[r] + theta[s, r, n] + total
            feature += c[s, r] * c[s, r] * c[s, r]
        signal = 0.0
        for i in range(N):
            memorization[s, i] *= data.y[i]
            margin = memorization[s, i] + (data.cubed[i] * feature if data.cubed[i] != 0 else 0.0)
            margins[s, i] = margin
            e = math.exp(-abs(margin))
            ell = (e if margin > 0 else 1.0) / (1 + e)
            pull[i] = -3.0 / N * data.factor * data.y[i] * ell
            signal += -3.0 / N * data.factor * data.cubed[i] * ell
        shrink = data.lam * data.factor
        for r in range(m):
            for j in range(n):
                grads[s, r, j] = pull[j // Q] * Xi[s, r, j] * Xi[s, r, j] + shrink * theta[s, r, j]
            grads[s, r, n] = (signal * c[s, r] * c[s, r] if data.of_the_law else 0.0) + shrink * theta[s, r, n]
            grads[s, r, n + 1] = shrink * theta[s, r, n + 1]
    return c, Xi, memorization, margins, grads


@njit(nogil=True, cache=True, error_model="numpy")
def _change(new: np.ndarray, old: np.ndarray, floor: float) -> float:
    """The largest change of (k, …) numbers over their size at the last node, with a floor for small ones."""
    k = new.shape[0]
    new, old = new.reshape(k, -1), old.reshape(k, -1)
    least, worst = floor * np.max(np.abs(new[k - 1])) + 2.3e-308, 0.0
    for s in range(k):
        for j in range(new.shape[1]):
            gap = abs(new[s, j] - old[s, j]) / (abs(new[k - 1, j]) + least)
            if not gap <= worst:  # NaN counts as largest
                worst = gap
    return worst


@njit(nogil=True, cache=True, error_model="numpy")
def sweep(
    data: Data, start: np.ndarray, u: np.ndarray, w_u: np.ndarray, w: np.ndarray, enough: float, floor: float, most: int
) -> Any:
    """Sweep until the coefficients at the nodes change by ``enough`` at most.

    Args:
        data: the system.
        start, u: (m, n + 2) state and buffer at the window's beginning.
        w_u, w: (nodes,), (nodes, nodes) the weights of `sims.cubic_cnn.backends.response.Window`.
        enough: relative change at which it is done; floor: see `sims.cubic_cnn.backends.fast_forward.FLOOR`.
        most: sweeps.

    Returns:
        whether it was done; how many states were evaluated; the states at the nodes and `evaluate` of them.
    """
    k, m, width = w_u.size, start.shape[0], start.shape[1]
    drift = np.empty((k, m * width))
    flat, buffer = start.reshape(m * width), u.reshape(m * width)
    for s in range(k):
        for j in range(m * width):
            drift[s, j] = flat[j] + w_u[s] * buffer[j]
    first = evaluate(data, np.ascontiguousarray(start).reshape(1, m, width))[4].reshape(m * width)
    grads = np.empty((k, m * width))
    for s in range(k):
        grads[s] = first
    states = (drift + np.dot(w, grads)).reshape(k, m, width)
    seen = evaluate(data, states)
    change, counted, good = np.inf, 1 + k, False
    for _ in range(most):
        states = (drift + np.dot(w, seen[4].reshape(k, m * width))).reshape(k, m, width)
        before = seen
        seen = evaluate(data, states)
        counted += k
        previous = change
        change = max(_change(seen[0], before[0], floor), _change(seen[1], before[1], floor))
        if not change < np.inf:
            break
        if change <= enough:
            good = True
            break
        if change > 0.8 * previous:
            break
    return good, counted, states, seen
