"""How many steps momentum takes to settle: exact second moments of many modes, and the best of its rates."""

from __future__ import annotations

__all__ = ["Best", "best", "settling"]

from dataclasses import dataclass

import numpy as np

from lemmascope.sims import stopping
from lemmascope.sims.cubic_cnn.backends.machine_code import njit
from lemmascope.theory.noise.marginal_value import floor, mode_moments

_step = njit(nogil=True, inline="always")(mode_moments)

SHARES = -3.0, 9.0
"""Ends of the first grid of rates, as logarithms of share/(1 − share), the share being that of the largest rate."""

ZOOMS = 3
"""Finer grids about the best, each as wide as two gaps of the one before."""


@njit(nogil=True, cache=True)
def _settling(eta, beta, h, noise, target, most, horizon):
    X, C, Q = 1 / h, np.zeros(h.size), np.zeros(h.size)
    found = 0
    for k in range(horizon + 1):
        loss = 0.0
        for i in range(h.size):
            loss += h[i] * X[i]
        if not loss <= target * h.size:
            found = k + 1
            if found > most:
                return found
        for i in range(h.size):
            X[i], C[i], Q[i] = _step(X[i], C[i], Q[i], h[i], noise[i], eta, beta)
    return found


@njit(nogil=True, inline="always")
def _apply(M, z, n, room):
    """z ← Mz + n."""
    for i in range(3):
        room[i] = M[i, 0] * z[0] + M[i, 1] * z[1] + M[i, 2] * z[2] + n[i]
    z[:] = room


@njit(nogil=True, cache=True)
def _below(steps, eta, beta, h, noise, target):
    """Whether E L ≤ target after so many steps, by doubling: z ← Mz + n, z = (E x², E xm, E m²), for each mode."""
    most, found = target * h.size, 0.0
    M, square = np.empty((3, 3)), np.empty((3, 3))
    n, z, room = np.empty(3), np.empty(3), np.empty(3)
    for i in range(h.size):
        n[0], n[1], n[2] = _step(0.0, 0.0, 0.0, h[i], noise[i], eta, beta)
        M[0, 0], M[1, 0], M[2, 0] = _step(1.0, 0.0, 0.0, h[i], 0.0, eta, beta)
        M[0, 1], M[1, 1], M[2, 1] = _step(0.0, 1.0, 0.0, h[i], 0.0, eta, beta)
        M[0, 2], M[1, 2], M[2, 2] = _step(0.0, 0.0, 1.0, h[i], 0.0, eta, beta)
        z[0], z[1], z[2] = 1 / h[i], 0.0, 0.0
        left = steps
        while left:
            if left % 2:
                _apply(M, z, n, room)
            left //= 2
            if left:
                _apply(M, n, n, room)
                for row in range(3):
                    for column in range(3):
                        square[row, column] = (
                            M[row, 0] * M[0, column] + M[row, 1] * M[1, column] + M[row, 2] * M[2, column]
                        )
                M[:] = square
        found += h[i] * z[0]
        if not found <= most:
            return False
    return True


@njit(nogil=True, cache=True)
def _least(etas, betas, h, noise, target, most, horizon):
    found, at = most + 1, -1
    for j in range(etas.size):
        if _below(found - 1, etas[j], betas[j], h, noise, target):  # else it settles later
            steps = _settling(etas[j], betas[j], h, noise, target, found - 1, horizon)
            if steps < found:
                found, at = steps, j
    return found, at


def settling(eta: float, beta: float, h: np.ndarray, noise: np.ndarray, target: float, horizon: int) -> int:
    """K: one more than the last step k ≤ horizon with E L > target, from E x_i² = 1/h_i and m = 0.

    Args:
        eta, beta: of the average form; h, noise: (d,) curvatures and variances of the gradients' noise.
        target: of E L = mean_i h_i E x_i², which is 1 at the start.
        horizon: horizon + 1 is what has not settled.
    """
    return int(_settling(eta, beta, h, noise, target, horizon, horizon))


@dataclass(frozen=True)
class Best:
    """The fewest steps, and the rates that take them; ``steps`` is the horizon and one where none settles."""

    steps: int
    eta: float
    beta: float


def best(
    h: np.ndarray, noise: np.ndarray, target: float, damping: tuple[float, float], *, horizon: int, size: int = 40
) -> Best:
    """The best of η and β, on a grid and on finer ones about its best.

    η is given as a share of the largest with which E L settles below the target at all (`floor`), which ends at the
    edge of stability too.

    Args:
        h, noise, target, horizon: as of `settling`.
        damping: least and largest 1 − β; both 1 for SGD.
        size: rates of a grid, of each kind; four times as many for SGD.
    """
    found = Best(horizon + 1, 0.0, 0.0)
    ends = np.log(damping)
    momentum = ends[1] > ends[0]
    width = np.array([SHARES[1] - SHARES[0], ends[1] - ends[0]]) / 2
    middle = np.array([sum(SHARES) / 2, ends.mean()])
    counts = (2 * size, size) if momentum else (4 * size, 1)
    for _ in range(1 + ZOOMS):
        stopping.check()
        logits = middle[0] + width[0] * np.linspace(-1, 1, counts[0])
        logs = np.unique(np.clip(middle[1] + width[1] * np.linspace(-1, 1, counts[1]), *ends))
        c, z = (x.ravel() for x in np.meshgrid(np.exp(logs), logits, indexing="ij"))
        betas = 1 - c
        etas = _largest(betas, h, noise, target) / (1 + np.exp(-z))
        steps, at = _least(etas, betas, h, noise, target, found.steps - 1, horizon)
        if at >= 0:
            found, middle = Best(int(steps), float(etas[at]), float(betas[at])), np.array([z[at], np.log(c[at])])
        width = width * 2 / np.array([counts[0] - 1, max(counts[1] - 1, 1)])
    return found


def _largest(betas: np.ndarray, h: np.ndarray, noise: np.ndarray, target: float) -> np.ndarray:
    """The largest η with `floor` ≤ target, by bisection, for each β."""
    low, high = np.zeros(betas.shape), 2 * (1 + betas) / ((1 - betas) * h.max())
    for _ in range(60):
        middle = (low + high) / 2
        fits = floor(middle, betas, h, noise) <= target
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    return low
