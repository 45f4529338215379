"""Momentum along a valley at its own scale: settling by exact moments, its limit by RK4, best rates, sampled optima.

C's are the last axis throughout: 1 − β = C(ηs)^{2/3}. All take the velocity form of `theory.optimizers`.
"""

from __future__ import annotations

__all__ = ["Settled", "best_rate", "jacobian", "limit", "lowest", "narrowed", "path", "rule", "settling", "squares"]

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lemmascope.sims import stopping
from lemmascope.sims.cubic_cnn.backends.machine_code import njit
from lemmascope.sims.noise.line import advance, line_path
from lemmascope.theory.noise import flatter_faster as scaling
from lemmascope.theory.noise.valley import line_moments, rates
from lemmascope.theory.optimizers import MomentumVelocity

BLOCK = 20_000
"""Steps between two questions whether the task is given up."""

CLIP = 1e3
"""x² of a replica at most: one that diverges counts as much."""

TOGETHER = 256
"""Replicas whose places are kept at a time."""

WINDOW, DEGREE = 3, 4
"""Places on either side of the smallest through which a curve goes, and its degree."""


@dataclass(frozen=True)
class Settled:
    """What became of |x| along a run of so many steps.

    Attributes:
        hit: (2, C) the first step at which |x| ≤ rx₀, −1 where there is none; by r.
        last: (2, C) the last step at which |x| > rx₀; the run's last where it has not settled.
        squares: (C,) Σ_{k≥1} x_k².
    """

    hit: np.ndarray
    last: np.ndarray
    squares: np.ndarray


def rule(eta: float, s: float, C: np.ndarray, h: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """η and β of each C.

    Raises:
        InputError: 1 − β is above 1, or η beyond the edge of stability at the curvature h.
    """
    epsilon = np.asarray(C, dtype=np.float64) * scaling.scale(eta, s)
    for one in (epsilon.min(), epsilon.max()):
        scaling.check_stable(eta, float(one), h)
    return np.full(epsilon.shape, float(eta)), 1 - epsilon


def _rates(eta: Any, beta: Any) -> tuple[Any, Any, Any]:
    """(γ, κ, p) of the velocity form, of arrays."""
    return rates(MomentumVelocity(eta, beta))


def _note(k, x, r, R, state):
    """What step k adds to (hits of r and R, last steps above each, Σ x²)."""
    hit_r, hit_R, last_r, last_R, squares = state
    a = abs(x)
    hit_r = k if (a <= r) & (hit_r < 0) else hit_r
    hit_R = k if (a <= R) & (hit_R < 0) else hit_R
    last_r = k if a > r else last_r
    last_R = k if a > R else last_R
    return hit_r, hit_R, last_r, last_R, squares + a * a


noted = njit(nogil=True, inline="always")(_note)


@njit(nogil=True, cache=True)
def _settle(gamma, kappa, p, s, q, r, R, first, steps, z, hit, last, squares):
    for k in range(first, first + steps):
        t = float(k)
        for j in range(gamma.size):
            seen = noted(t, z[0, j], r, R, (hit[0, j], hit[1, j], last[0, j], last[1, j], squares[j]))
            hit[0, j], hit[1, j], last[0, j], last[1, j], squares[j] = seen
            moved = advance(z[0, j], z[1, j], z[2, j], z[3, j], z[4, j], gamma[j], kappa[j], p, s, q)
            z[0, j], z[1, j], z[2, j], z[3, j], z[4, j] = moved


def _settle_arrays(gamma, kappa, p, s, q, r, R, first, steps, z, hit, last, squares):
    """The reference: all C's as arrays."""
    for k in range(first, first + steps):
        a = np.abs(z[0])
        for row, level in enumerate((r, R)):
            hit[row] = np.where((a <= level) & (hit[row] < 0), k, hit[row])
            last[row] = np.where(a > level, k, last[row])
        squares += a * a
        x, V, Y, C, Q = z
        z[:] = line_moments(x, V, Y, C, Q, gamma, kappa, p, s, q)


def settling(
    eta: np.ndarray,
    beta: np.ndarray,
    *,
    s: float,
    q: float,
    x: float,
    levels: tuple[float, float],
    steps: int,
    backend: str = "auto",
) -> Settled:
    """Runs of the moments from x, all else 0, one for each (η, β).

    Args:
        eta, beta: (C,) of the velocity form; s, q: of the valley.
        levels: the two r.
        backend: "numpy" for the reference; anything else for machine code.
    """
    gamma, kappa, p = _rates(eta, beta)
    z = np.zeros((5, beta.size))
    z[0] = x
    found = Settled(np.full((2, beta.size), -1.0), np.zeros((2, beta.size)), np.full(beta.size, -float(x * x)))
    loop = _settle_arrays if backend == "numpy" else _settle
    r, R = (level * abs(x) for level in levels)
    for first in range(0, steps, BLOCK):
        stopping.check()
        count = min(BLOCK, steps - first)
        loop(gamma, kappa, float(p), s, q, r, R, first, count, z, found.hit, found.last, found.squares)
    return found


def path(eta: float, beta: float, at: np.ndarray, *, s: float, q: float, x: float, backend: str = "auto") -> np.ndarray:
    """(len(at), 5) the moments after so many steps."""
    return line_path(MomentumVelocity(eta, beta), at.tolist(), x=x, s=s, q=q, backend=backend)


# --- the scaling limit ----------------------------------------------------------------------------------------------

slopes = njit(nogil=True, inline="always")(scaling.averaged)


@njit(nogil=True, cache=True)
def _limit(C, q, exchange, x_0, levels, steps, dt, every, hit, last, seen):
    for j in range(C.size):
        x, v, e = x_0, 0.0, 0.0
        for k in range(steps):
            if k % every == 0:
                seen[j, k // every] = x
            a = slopes(x, v, e, C[j], q, exchange)
            b = slopes(x + dt / 2 * a[0], v + dt / 2 * a[1], e + dt / 2 * a[2], C[j], q, exchange)
            c = slopes(x + dt / 2 * b[0], v + dt / 2 * b[1], e + dt / 2 * b[2], C[j], q, exchange)
            d = slopes(x + dt * c[0], v + dt * c[1], e + dt * c[2], C[j], q, exchange)
            before = abs(x)
            x += dt / 6 * (a[0] + 2 * b[0] + 2 * c[0] + d[0])
            v += dt / 6 * (a[1] + 2 * b[1] + 2 * c[1] + d[1])
            e += dt / 6 * (a[2] + 2 * b[2] + 2 * c[2] + d[2])
            for i in range(levels.size):
                level = levels[i] * abs(x_0)
                if before > level >= abs(x):
                    last[i, j] = dt * (k + (before - level) / (before - abs(x)))
                    if np.isnan(hit[i, j]):
                        hit[i, j] = last[i, j]


def limit(
    C: np.ndarray,
    levels: np.ndarray,
    *,
    q: float = 1.0,
    x: float = 1.0,
    until: float = 60.0,
    dt: float = 0.005,
    every: int = 10,
    exchange: float = 1.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The averaged equations from x by RK4: first and last time at which |x| = rx₀ (levels, C), and x (C, seen).

    Times are interpolated linearly; NaN where there is none. Seen is every so many of the steps dt.
    """
    C, levels, steps = np.asarray(C, dtype=np.float64), np.asarray(levels, dtype=np.float64), round(until / dt)
    hit = np.full((levels.size, C.size), np.nan)
    last, seen = hit.copy(), np.empty((C.size, -(-steps // every)))
    _limit(C, float(q), float(exchange), float(x), levels, steps, dt, every, hit, last, seen)
    return hit, last, seen


# --- rates ----------------------------------------------------------------------------------------------------------


def jacobian(eta: float, epsilon: np.ndarray, s: float, q: float) -> np.ndarray:
    """(C, 5, 5) the derivative of `line_moments` at its fixed point with x = 0, by a complex step."""
    beta = 1 - epsilon
    gamma, kappa, p = _rates(np.full(beta.shape, eta), beta)
    Y = scaling.stationary(eta, epsilon, s)
    Q = 2 * kappa * Y / (p * (1 + beta))  # from 2C' = pQ
    at = [0 * Y, 0 * Y, Y, -p * Q / 2, Q]
    columns = []
    for k, value in enumerate(at):
        tiny = 1e-30 * (1 + 0 * value)
        x, V, M, C, N = (x + 1j * tiny if i == k else x + 0j for i, x in enumerate(at))
        columns.append(np.stack(line_moments(x, V, M, C, N, gamma, kappa, p, s, q), axis=-1).imag / tiny[:, None])
    return np.stack(columns, axis=-1)


def narrowed(
    values: Callable[[np.ndarray], np.ndarray], grids: np.ndarray, rounds: int, points: int = 17
) -> tuple[np.ndarray, np.ndarray]:
    """Where functions are least, by grids ever finer round the smallest value.

    Args:
        values: from C's (functions, points) to values there, (functions, points).
        grids: (functions, points) increasing.
        rounds: how often it is made finer, by ``points`` between the neighbours of the smallest.

    Returns:
        C and the value, (functions,) each.
    """
    found = values(grids)
    for _ in range(rounds):
        at, rows = np.argmin(found, axis=1), np.arange(len(grids))
        low, high = grids[rows, np.maximum(at - 1, 0)], grids[rows, np.minimum(at + 1, grids.shape[1] - 1)]
        grids = np.linspace(low, high, points, axis=1)
        found = values(grids)
    at, rows = np.argmin(found, axis=1), np.arange(len(grids))
    return grids[rows, at], found[rows, at]


def best_rate(eta: float, s: float, q: float, C: np.ndarray, rounds: int = 9) -> float:
    """The C at which the linear step along the valley relaxes fastest, from a grid of C's ever finer."""

    def slow(grids: np.ndarray) -> np.ndarray:
        epsilon = grids * scaling.scale(eta, s)
        step = scaling.slow_step(np, epsilon, q * eta * scaling.stationary(eta, epsilon, s))
        return -scaling.relaxation(np, epsilon, np.linalg.eigvals(step).astype(complex)) / scaling.scale(eta, s)

    return float(narrowed(slow, np.asarray(C)[None, :], rounds)[0][0])


# --- samples --------------------------------------------------------------------------------------------------------


def squares(
    valley: Any,
    eta: float,
    C: np.ndarray,
    start: float,
    rngs: list[np.random.Generator],
    *,
    horizon: float = 12.0,
    apart: float = 0.05,
    backend: str = "auto",
) -> np.ndarray:
    """(C, replicas) ∫x² dS over the horizon, x where each replica is along the valley; x² is at most `CLIP`.

    Replicas have the same draws at every C.

    Args:
        valley: of `theory.noise.valley`; start: place on it.
        horizon, apart: in the scaled time; the latter between two looks, one step at least.
    """
    from lemmascope.sims.noise.replicas import run

    one = scaling.scale(eta, valley.s)
    every = max(1, round(apart / one))
    seen = round(horizon / (one * every))
    rules = [(eta / epsilon, 1 - epsilon) for epsilon in (np.asarray(C) * one).tolist()]
    found = np.empty((len(rules), len(rngs)))
    with np.errstate(over="ignore", invalid="ignore"):
        for first in range(0, len(rngs), TOGETHER):
            some = slice(first, first + TOGETHER)
            x = run(valley, rules, start, rngs[some], steps=seen * every, every=every, backend=backend)
            np.fmin(np.square(x, out=x), CLIP, out=x)  # of NaN and the bound it is the bound
            found[:, some] = x.sum(axis=-1)
    return found * every * one


def lowest(C: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(…) log C where a curve through (log C, log value) is lowest, of values (…, C).

    C is even in logarithms. The curve is of degree `DEGREE` through 2·`WINDOW` + 1 places round the smallest value,
    moved inwards at an end, by least squares. (A parabola through as many is off by 6 %.)
    """
    logs, step = np.log(values), np.log(C[1] / C[0])
    middle = np.clip(np.argmin(logs, axis=-1), WINDOW, C.size - 1 - WINDOW)
    t, fine = np.arange(-WINDOW, WINDOW + 1), np.linspace(-WINDOW, WINDOW, 50 * WINDOW + 1)
    near = np.take_along_axis(logs, middle[..., None] + t, axis=-1)
    curve = near @ (np.vander(fine, DEGREE + 1) @ np.linalg.pinv(np.vander(t, DEGREE + 1))).T
    at = np.clip(np.argmin(curve, axis=-1), 1, fine.size - 2)
    left, least, right = (np.take_along_axis(curve, at[..., None] + k, axis=-1)[..., 0] for k in (-1, 0, 1))
    off = (left - right) / (2 * (left - 2 * least + right))
    return np.log(C)[middle] + step * (fine[at] + (fine[1] - fine[0]) * np.clip(off, -1, 1))
