r"""Copies of RMSprop and Adam on one noisy coordinate, beside a linear process on the same noise that is known exactly.

Each copy has a companion that steps by d_k, v's mean field, in place of η/(√v + ε): its first two moments and the mean
of its v are those of `theory.noise.adam_sde.mean_field` exactly. So only the difference is measured with an error, and
that of Eθ² becomes some forty times smaller.
"""

from __future__ import annotations

__all__ = ["Arrays", "Case", "expected", "run"]

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.backends.machine_code import njit
from lemmascope.sims.noise.draws import blocks
from lemmascope.sims.noise.replicas import BACKENDS
from lemmascope.theory.errors import InputError, check_size
from lemmascope.theory.noise.adam_sde import PlainAdam, Rates
from lemmascope.theory.noise.adam_sde import mean_field as one_step


@dataclass(frozen=True)
class Case:
    """A run of a = σ = 1: its rates, where it starts and which v it divides by.

    Args:
        theta, v: at the start.
        lagged: the old v, else the new one.
        frozen: v's mean field stays at ``v``.
    """

    rates: Rates
    theta: float = 0.0
    v: float = 0.0
    lagged: bool = True
    frozen: bool = False

    @property
    def row(self) -> tuple[float, ...]:
        """η, 1 − β₁, 1 − β₂, ε, whether the old v is taken."""
        r = self.rates
        return r.eta, r.damping1, r.damping2, r.epsilon, float(self.lagged)


stepped = njit(nogil=True, inline="always")(one_step)


@njit(nogil=True, cache=True)
def _expected(rows, start, still, noise, every, seen, d):
    for i in range(rows.shape[0]):
        M, v = start[i, 0], start[i, 1]
        m, X, C, Q, held = 0.0, M * M, 0.0, 0.0, v
        eta, damping1, damping2, epsilon = rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3]
        for k in range(d.shape[1]):
            M, m, X, C, Q, v, d[i, k] = stepped(M, m, X, C, Q, v, eta, damping1, damping2, epsilon, 1.0, noise)
            v = held if still[i] else v
            if (k + 1) % every == 0:
                seen[i, (k + 1) // every - 1, 0] = M
                seen[i, (k + 1) // every - 1, 1] = X
                seen[i, (k + 1) // every - 1, 2] = v


def expected(cases: Sequence[Case], kappa: float, *, steps: int, every: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean field at the batch κ: Eθ, Eθ², v (cases, seen, 3), and d (cases, steps)."""
    rows, start = np.array([one.row for one in cases]), np.array([(one.theta, one.v) for one in cases])
    seen, d = np.empty((len(cases), steps // every, 3)), np.empty((len(cases), steps))
    _expected(rows, start, np.array([one.frozen for one in cases]), 1 / kappa, every, seen, d)
    return seen, d


@njit(nogil=True, cache=True)
def _advance(rows, d, draws, scale, first, every, state, out):
    copies = draws.shape[1]
    for i in range(rows.shape[0]):
        eta, c1, c2, epsilon, lagged = rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3], rows[i, 4] > 0
        b1, b2 = 1 - c1, 1 - c2
        x, m, v, y, p, u = state[i, 0], state[i, 1], state[i, 2], state[i, 3], state[i, 4], state[i, 5]
        for t in range(draws.shape[0]):
            step, noise = d[i, first + t], draws[t]
            for j in range(copies):
                g, h = x[j] + scale * noise[j], y[j] + scale * noise[j]
                new = b2 * v[j] + c2 * (g * g)
                m[j] = b1 * m[j] + c1 * g
                p[j] = b1 * p[j] + c1 * h
                x[j] -= eta * (m[j] / (np.sqrt(v[j] if lagged else new) + epsilon))
                y[j] -= step * p[j]
                v[j] = new
                u[j] = b2 * u[j] + c2 * (h * h)
            if (first + t + 1) % every == 0:
                one, two, three = 0.0, 0.0, 0.0
                for j in range(copies):
                    one += x[j] - y[j]
                    two += x[j] * x[j] - y[j] * y[j]
                    three += v[j] - u[j]
                at = (first + t + 1) // every - 1
                out[i, at, 0], out[i, at, 1], out[i, at, 2] = one / copies, two / copies, three / copies


class Compiled:
    """All copies of all cases; arguments as of `Arrays`."""

    def __init__(self, cases: Sequence[Case], copies: int, xp: Any):
        self.rows, self.state = np.array([one.row for one in cases]), np.zeros((len(cases), 6, copies))
        for one, state in zip(cases, self.state, strict=True):
            state[[0, 3]], state[[2, 5]] = one.theta, one.v

    def advance(self, d: np.ndarray, draws: np.ndarray, scale: float, first: int, every: int, out: np.ndarray) -> None:
        """As many steps as there are draws (steps, copies) for; differences of means go to their places in ``out``."""
        _advance(self.rows, d, draws, scale, first, every, self.state, out)


class Arrays:
    """The reference: all copies of all cases as one batch, by `theory.noise.adam_sde.PlainAdam`."""

    def __init__(self, cases: Sequence[Case], copies: int, xp: Any):
        if len({one.lagged for one in cases}) > 1:
            raise InputError("cases", "old and new v", "give those of one order at a time")
        self.xp = xp
        zero = xp.zeros((len(cases), copies), dtype=xp.float64)
        eta, c1, c2, epsilon, theta, v = (
            xp.asarray(column, dtype=xp.float64)[:, None]
            for column in zip(*((*one.row[:4], one.theta, one.v) for one in cases), strict=True)
        )
        self.optimizer = PlainAdam(eta, 1 - c1, 1 - c2, epsilon, lagged=cases[0].lagged)
        self.x, self.y = zero + theta, zero + theta
        self.state, self.linear = (self.optimizer.init(zero)._replace(v=zero + v) for _ in range(2))

    def advance(self, d: np.ndarray, draws: np.ndarray, scale: float, first: int, every: int, out: np.ndarray) -> None:
        """As of `Compiled`."""
        xp, o = self.xp, self.optimizer
        noise, rates = scale * xp.asarray(draws), xp.asarray(d)
        for t in range(draws.shape[0]):
            g, h = self.x + noise[t, :], self.y + noise[t, :]
            self.x, self.state = o.step(self.x, g, self.state, first + t)
            _, self.linear = o.step(self.y, h, self.linear, first + t)
            self.y = self.y - rates[:, first + t][:, None] * self.linear.m
            if (first + t + 1) % every == 0:
                apart = self.x - self.y, self.x**2 - self.y**2, self.state.v - self.linear.v
                for k, one in enumerate(apart):
                    seen = xp.mean(one, axis=-1)
                    out[:, (first + t + 1) // every - 1, k] = seen.get() if hasattr(seen, "get") else seen


def run(
    cases: Sequence[Case],
    kappa: float,
    rng: np.random.Generator,
    *,
    copies: int,
    steps: int,
    every: int,
    backend: str = "auto",
    xp: Any = None,
) -> np.ndarray:
    """Eθ, Eθ² and Ev over the copies (cases, seen, 3) at the batch κ: after ``every`` steps, twice as many, ….

    All cases see the same noise.

    Args:
        kappa: noise has the variance 1/κ.
        copies: how many draw from the stream.
        steps: in all; every: a divisor of it.
        backend: one of `BACKENDS`; xp: the array library of "numpy", default NumPy.

    Raises:
        InputError: steps that ``every`` does not divide, or a backend that is not there.
    """
    if check_size("steps", steps) % check_size("every", every):
        raise InputError("every", every, f"it must divide the {steps} steps")
    if backend not in BACKENDS:
        raise InputError("backend", backend, f"it must be one of {', '.join(BACKENDS)}")
    kind: Any = Arrays
    if backend in ("auto", "compiled") and xp is None:
        kind = Compiled
    elif backend == "cupy":
        from lemmascope.sims.cubic_cnn.backends.device import cupy_or_refused

        xp = cupy_or_refused()
    exact, d = expected(cases, kappa, steps=steps, every=every)
    groups = [[i for i, one in enumerate(cases) if one.lagged is lagged] for lagged in (True, False)]
    engines = [
        (rows, kind([cases[i] for i in rows], copies, np if xp is None else xp), d[rows], np.empty_like(exact[rows]))
        for rows in groups
        if rows
    ]
    for first, draws in blocks([rng], steps, copies, "normals"):
        for _, engine, rates, apart in engines:
            engine.advance(rates, draws[0], kappa**-0.5, first, every, apart)
    for rows, _, _, apart in engines:
        exact[rows] += apart
    return exact
