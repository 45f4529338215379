"""The loops of `sims.scale_invariant.runs` as machine code: case after case, replica after replica, step after step.

Sums over d are taken in any order, the same at each scale of w: multiplied by a power of two, w gives the same bits.
"""

from __future__ import annotations

__all__ = ["Compiled"]

from collections.abc import Sequence
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.backends.machine_code import njit
from lemmascope.sims.scale_invariant.plan import QUANTITIES, SEEN, AdamCase
from lemmascope.theory.scale_invariant.losses import Loss, Noise, Quadratic, Rayleigh, curvatures

G, LOSS, PATH = range(len(SEEN))
ERROR, WRONG, ANGLE = range(len(QUANTITIES))
KINDS = {Noise: 0, Rayleigh: 1, Quadratic: 2}


@njit(nogil=True, cache=True, fastmath={"reassoc", "nsz"})
def _dot(x, y):
    total = 0.0
    for k in range(x.size):
        total += x[k] * y[k]
    return total


@njit(nogil=True, cache=True)
def _gradient(kind, sigma, A, length, w, noise, unit, g):
    """g of the loss at w of this length, and w/|w|."""
    for k in range(w.size):
        unit[k] = w[k] / length
    if kind == 1:
        for k in range(w.size):
            g[k] = A[k] * unit[k] + sigma * noise[k]
    else:
        for k in range(w.size):
            g[k] = noise[k]
    for _ in range(2):
        along = _dot(unit, g)
        for k in range(w.size):
            g[k] -= along * unit[k]
    scale = length if kind == 1 else length * np.sqrt(_dot(g, g))
    for k in range(w.size):
        g[k] /= scale
    if kind == 2:
        for k in range(w.size):
            g[k] += A[k] * w[k]


@njit(nogil=True, cache=True)
def _turned(unit, w):
    """The angle from ``unit`` to w."""
    along, square = _dot(unit, w), 0.0
    for k in range(w.size):
        square += (w[k] - along * unit[k]) ** 2
    return np.arctan2(np.sqrt(square), along)


@njit(nogil=True, cache=True)
def _loss(kind, A, w, square):
    value = 0.0
    if kind > 0:
        for k in range(w.size):
            value += A[k] * w[k] * w[k]
    return value / (2 * square if kind == 1 else 2.0)


@njit(nogil=True, cache=True)
def _sgd_step(eta, a, beta, projected, x, y, g, unit, move):
    """One step of x and its buffer y; s and P of it."""
    for k in range(x.size):
        y[k] = beta * y[k] + g[k]
        move[k] = y[k]
    s, p = _dot(x, y), 0.0
    if projected:
        along = _dot(unit, y)
        for k in range(x.size):
            move[k] -= along * unit[k]
    p = _dot(move, move)
    for k in range(x.size):
        x[k] = a * x[k] - eta * move[k]
    return s, p


@njit(nogil=True, cache=True)
def _sgd(kind, sigma, A, rows, noise, times, first, w, v, kept, sums, out):
    steps, d = noise.shape[1], w.shape[2]
    unit, g, move = np.empty(d), np.empty(d), np.empty(d)
    for i in range(rows.shape[0]):
        eta, a, beta, projected, reset = rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3] > 0, rows[i, 4] > 0
        for r in range(w.shape[1]):
            x, y = w[i, r], v[i, r]
            square = _dot(x, x)
            s, p, path = kept[i, r]
            error, wrong = sums[i, r, ERROR], sums[i, r, WRONG]
            row = np.searchsorted(times, first + 1)
            for t in range(steps):
                length = np.sqrt(square)
                _gradient(kind, sigma, A, length, x, noise[r, t], unit, g)
                stated = beta * (a * s - eta * p)
                s, p = _sgd_step(eta, a, beta, projected, x, y, g, unit, move)
                size = np.sqrt(_dot(y, y)) if projected else np.sqrt(p)
                new = _dot(x, x)
                plain = a * a * square + eta * eta * p
                whole = plain if projected else plain - 2 * a * eta * stated
                error = max(error, abs(whole - new) / new, abs(stated - s) / (length * size))
                wrong = max(wrong, abs(plain - new) / new)
                path += p
                time = first + t + 1
                if time == times[-1]:
                    sums[i, r, ANGLE] = _turned(unit, x)
                square = new
                if reset:
                    for k in range(d):
                        x[k] /= np.sqrt(new)
                    square = _dot(x, x)
                if row < times.size and time == times[row]:
                    out[G, i, r, row], out[PATH, i, r, row] = square, path
                    out[LOSS, i, r, row] = _loss(kind, A, x, square)
                    row += 1
            kept[i, r, 0], kept[i, r, 1], kept[i, r, 2] = s, p, path
            sums[i, r, ERROR], sums[i, r, WRONG] = error, wrong


@njit(nogil=True, cache=True)
def _adam_step(eta, beta1, beta2, epsilon, projected, length, bias1, bias2, x, p, q, g, move):
    for k in range(x.size):
        p[k] = beta1 * p[k] + (1 - beta1) * g[k]
        q[k] = beta2 * q[k] + (1 - beta2) * (g[k] * g[k])
        move[k] = p[k] / bias1 / (np.sqrt(q[k] / bias2) + epsilon)
    if projected:
        along = _dot(x, move) / (length + epsilon) ** 2
        for k in range(x.size):
            move[k] -= along * x[k]
    for k in range(x.size):
        x[k] -= eta * move[k]


@njit(nogil=True, cache=True)
def _adam(rows, noise, times, first, w, m, v, out):
    steps, d = noise.shape[1], w.shape[2]
    unit, g, move = np.empty(d), np.empty(d), np.empty(d)
    for i in range(rows.shape[0]):
        eta, beta1, beta2, epsilon, projected = rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3], rows[i, 4] > 0
        for r in range(w.shape[1]):
            x, p, q = w[i, r], m[i, r], v[i, r]
            row = np.searchsorted(times, first + 1)
            for t in range(steps):
                time = first + t + 1
                length = np.sqrt(_dot(x, x))
                _gradient(0, 0.0, x, length, x, noise[r, t], unit, g)
                bias1, bias2 = 1 - beta1**time, 1 - beta2**time
                _adam_step(eta, beta1, beta2, epsilon, projected, length, bias1, bias2, x, p, q, g, move)
                if row < times.size and time == times[row]:
                    out[G, i, r, row] = _dot(x, x)
                    row += 1


class Compiled:
    """All cases; arguments as of `runs.Arrays`."""

    def __init__(self, loss: Loss, cases: Sequence[Any], w: np.ndarray, times: Sequence[int], xp: Any) -> None:
        self.adam, self.times = isinstance(cases[0], AdamCase), np.array(times)
        self.rows, self.w = np.array([case.row for case in cases]), np.array(w, order="C")
        self.v, self.m = np.zeros_like(self.w), np.zeros_like(self.w)
        self.kept, self.sums = np.zeros((*w.shape[:2], 3)), np.zeros((*w.shape[:2], len(QUANTITIES)))
        self.out = np.full((len(SEEN), *w.shape[:2], len(times)), np.nan)
        d = w.shape[-1]
        self.kind, self.A = KINDS[type(loss)], np.asarray(curvatures(np, d))
        self.sigma = loss.sigma / d**0.5 if isinstance(loss, Rayleigh) else 0.0

    def advance(self, start: int, noise: np.ndarray) -> None:
        """As many steps as there is noise for, (replicas, steps, d)."""
        noise = np.ascontiguousarray(noise)  # the compiler is told that neighbours are side by side
        if self.adam:
            _adam(self.rows, noise, self.times, start, self.w, self.m, self.v, self.out)
        else:
            loss = self.kind, self.sigma, self.A
            state = self.w, self.v, self.kept, self.sums
            _sgd(*loss, self.rows, noise, self.times, start, *state, self.out)

    def found(self) -> dict[str, np.ndarray]:
        """What `runs.run` returns."""
        return dict(zip(SEEN, self.out, strict=True)) | {q: self.sums[..., k] for k, q in enumerate(QUANTITIES)}
