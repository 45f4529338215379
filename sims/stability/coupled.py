r"""Coupled runs of SGD with momentum on data that differ in one sample: the same start, the same indices.

Each copy has targets z ~ N(0, 1) of its own, and its neighbour the same but for sample 0's, z − Δ. The first samples
are curved, h = 1, and the others are flat; f' = h(w − z), or h tanh(w − z) of the Lipschitz loss h log cosh(w − z).
"""

from __future__ import annotations

__all__ = ["BACKENDS", "LOSSES", "Arrays", "Case", "Compiled", "Plan", "laid_out", "run"]

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lemmascope.sims import stopping
from lemmascope.sims.cubic_cnn.backends.machine_code import njit
from lemmascope.theory.errors import InputError, check_number, check_size

BACKENDS = ("auto", "compiled", "numpy", "cupy")
LOSSES = ("quadratic", "log cosh")
NEVER = 2**62

MOST = 2**22
"""Steps of copies whose indices are drawn at a time."""


@dataclass(frozen=True)
class Case:
    """Heavy ball in the velocity form, or SGDEM.

    Args:
        eta: step size, > 0; gamma: momentum in [0, 1).
        until: steps after which the momentum is dropped; None: never.
    """

    eta: float
    gamma: float = 0.0
    until: int | None = None

    def __post_init__(self) -> None:
        check_number("eta", self.eta, 0, open_low=True)
        check_number("gamma", self.gamma, 0, 1, open_high=True)
        if self.until is not None:
            check_size("until", self.until, 0)

    @property
    def row(self) -> tuple[float, float, int]:
        """η, γ, T_d."""
        return self.eta, self.gamma, NEVER if self.until is None else self.until


@dataclass(frozen=True)
class Plan:
    """Which data, and what is seen.

    Args:
        loss: one of `LOSSES`.
        n: samples; curved: how many of them are curved, at least sample 0.
        times: steps after which D is seen, increasing; the last is the end of a run.
        burn_in: steps that the mean of |D| leaves out at first.
        delta: Δ.
    """

    loss: str
    n: int
    curved: int
    times: tuple[int, ...]
    burn_in: int = 0
    delta: float = 1.0

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise InputError("loss", self.loss, f"it must be one of {', '.join(LOSSES)}")
        if check_size("n", self.n) > 2**16:
            raise InputError("n", self.n, "it must be at most 65536")
        if check_size("curved", self.curved) > self.n:
            raise InputError("curved", self.curved, f"it must be from 1 to n = {self.n}")
        if not self.times or list(self.times) != sorted({check_size("times", t) for t in self.times}):
            raise InputError("times", self.times, "give one or more, increasing")
        if check_size("burn_in", self.burn_in, 0) >= self.times[-1]:
            raise InputError("burn_in", self.burn_in, f"it must be less than the {self.times[-1]} steps")
        check_number("delta", self.delta)

    @property
    def steps(self) -> int:
        """In all."""
        return self.times[-1]


@njit(nogil=True, cache=True)
def _advance(quadratic, eta, gamma, until, curved, delta, z, index, first, times, burn_in, state, total, at):
    start = np.searchsorted(times, first + 1)
    for j in range(index.shape[0]):
        w, v, p, u, mean, row = state[0, j], state[1, j], state[2, j], state[3, j], total[j], start
        for t in range(first, first + index.shape[1]):
            k = index[j, t - first]
            kept = gamma if t < until else 0.0
            v *= kept
            u *= kept
            if k < curved:
                a, b = w - z[j, k], p - z[j, k]
                if k == 0:
                    b += delta
                if not quadratic:
                    a, b = np.tanh(a), np.tanh(b)
                v -= eta * a
                u -= eta * b
            w += v
            p += u
            if t >= burn_in:
                mean += abs(w - p)
            if row < times.size and t + 1 == times[row]:
                at[j, row] = w - p
                row += 1
        state[0, j], state[1, j], state[2, j], state[3, j], total[j] = w, v, p, u, mean


class Compiled:
    """All copies of one case, copy by copy; arguments as of `Arrays`."""

    def __init__(self, plan: Plan, z: np.ndarray, index: np.ndarray, xp: Any) -> None:
        self.plan, self.z, self.index = plan, z, index

    def start(self) -> Any:
        """w, v and the neighbour's (4, copies), Σ |D|, and D at the times."""
        copies = len(self.z)
        return np.zeros((4, copies)), np.zeros(copies), np.empty((copies, len(self.plan.times)))

    def advance(self, case: Case, state: Any, first: int, steps: int) -> Any:
        """The state ``steps`` steps after the step ``first``, by as many of the indices."""
        plan, times = self.plan, np.array(self.plan.times, dtype=np.int64)
        data = plan.curved, plan.delta, self.z, self.index[:, :steps], first, times, plan.burn_in
        _advance(plan.loss == "quadratic", *case.row, *data, *state)
        return state

    def found(self, state: Any) -> tuple[np.ndarray, np.ndarray]:
        """D at the times (copies, times), and the mean of |D| after the burn-in (copies,)."""
        return state[2], state[1] / (self.plan.steps - self.plan.burn_in)


class Arrays:
    """The reference, on arrays of any library of the standard.

    Args:
        plan: which data.
        z: (copies, n) targets; index: (copies, steps) of the samples.
        xp: the array library.
    """

    def __init__(self, plan: Plan, z: np.ndarray, index: np.ndarray, xp: Any) -> None:
        self.plan, self.xp = plan, xp
        self.seen, self.other, self.h = (xp.asarray(x) for x in laid_out(plan, z, index))

    def start(self) -> Any:
        """As of `Compiled`, D at the times as a list."""
        zero = self.xp.zeros_like(self.seen[0, :])
        return (zero, zero, zero, zero), zero, []

    def advance(self, case: Case, state: Any, first: int, steps: int) -> Any:
        """As of `Compiled`."""
        xp, plan, (eta, gamma, until) = self.xp, self.plan, case.row
        (w, v, p, u), total, at = state
        for k in range(steps):
            t, a, b = first + k, w - self.seen[k, :], p - self.other[k, :]
            kept = gamma if t < until else 0.0
            if plan.loss == "log cosh":
                a, b = xp.tanh(a), xp.tanh(b)
            v, u = kept * v - eta * self.h[k, :] * a, kept * u - eta * self.h[k, :] * b
            w, p = w + v, p + u
            if t >= plan.burn_in:
                total = total + xp.abs(w - p)
            if t + 1 in plan.times:
                at.append(w - p)
        return (w, v, p, u), total, at

    def found(self, state: Any) -> tuple[np.ndarray, np.ndarray]:
        """As of `Compiled`."""
        _, total, at = state
        return _host(self.xp.stack(at, axis=1)), _host(total / (self.plan.steps - self.plan.burn_in))


def laid_out(plan: Plan, z: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The target of each step, the neighbour's, and whether the sample is curved, 1 or 0: (steps, copies) each."""
    seen = np.ascontiguousarray(np.take_along_axis(z, index.astype(np.int64), axis=1).T)
    order = np.ascontiguousarray(index.T)
    return seen, seen - plan.delta * (order == 0), np.where(order < plan.curved, 1.0, 0.0)


def _host(x: Any) -> np.ndarray:
    return np.asarray(x.get() if hasattr(x, "get") else x)


def run(
    plan: Plan, cases: Sequence[Case], rng: np.random.Generator, copies: int, backend: str = "auto", xp: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """D at the plan's times (cases, copies, times), and the mean of |D| after the burn-in (cases, copies).

    All cases see the same targets and the same indices, which are drawn with replacement.

    Args:
        copies: how many draw from the stream.
        backend: one of `BACKENDS`; xp: the array library of "numpy", default NumPy.

    Raises:
        InputError: a backend that is not there.
        KeyboardInterrupt: the task is given up.
    """
    if backend not in BACKENDS:
        raise InputError("backend", backend, f"it must be one of {', '.join(BACKENDS)}")
    check_size("copies", copies)
    kind: Any = Arrays
    if backend in ("auto", "compiled") and xp is None:
        kind = Compiled
    elif backend == "cupy":
        from lemmascope.sims.cubic_cnn.backends.device import cupy_or_refused

        xp = cupy_or_refused()
    parts, most = [], max(1, MOST // plan.steps)
    for start in range(0, copies, most):
        count = min(most, copies - start)
        z = rng.standard_normal((count, plan.n))
        index = rng.integers(0, plan.n, (count, plan.steps), dtype=np.uint16)
        engine, found = kind(plan, z, index, np if xp is None else xp), []
        for case in cases:
            stopping.check()
            with np.errstate(over="ignore", invalid="ignore"):
                found.append(engine.found(engine.advance(case, engine.start(), 0, plan.steps)))
        parts.append([np.stack(x) for x in zip(*found, strict=True)])
    at, mean = (np.concatenate(x, axis=1) for x in zip(*parts, strict=True))
    return at, mean
