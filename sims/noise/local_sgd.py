r"""Local SGD, many replicas and several lengths of a round at once, on the same noise.

A replica's noise is its own stream (`draws`), the workers' in order within a step, and does not depend on H: all
lengths of a round see the same numbers. `Arrays` is the reference, on arrays of any library (CuPy's too), every worker
stepping by `theory.optimizers.GD`; `run` takes machine code where there is any.
"""

from __future__ import annotations

__all__ = ["BACKENDS", "QUANTITIES", "Arrays", "Plan", "Valley", "kept", "means", "run", "trajectory"]

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lemmascope.sims.noise.draws import blocks
from lemmascope.sims.noise.local_sgd_plan import QUANTITIES, Plan, Valley, kept, means
from lemmascope.theory.errors import InputError
from lemmascope.theory.noise import local_sgd as theory
from lemmascope.theory.noise.valley import Curve
from lemmascope.theory.optimizers import GD

Array = Any

BACKENDS = ("auto", "compiled", "numpy", "cupy")

PIECES = 40
"""Steps of `trajectory` in all, at least."""


def run(
    valley: Valley,
    plan: Plan,
    start: Sequence[float],
    rngs: Sequence[np.random.Generator],
    backend: str = "auto",
    xp: Any = None,
) -> dict[str, np.ndarray]:
    """Averaged parameters w (seeds, lengths, times, 2), and each of `QUANTITIES` (seeds, lengths).

    Of the straight valley also the companion (seeds, lengths, times), which starts at 0.

    A replica that leaves the finite numbers is NaN from there on.

    Args:
        valley: whose gradient; plan: how it runs.
        start: (2,) where all workers are at first.
        rngs: one a replica (`sims.noise.draws.generators`); the noise is normal.
        backend: one of `BACKENDS`.
        xp: the array library of the backend "numpy"; default NumPy.

    Raises:
        InputError: a backend that is not there, or identities of a valley that has none.
    """
    if backend not in BACKENDS:
        raise InputError("backend", backend, f"it must be one of {', '.join(BACKENDS)}")
    if plan.check and not isinstance(valley, Curve):
        raise InputError("check", plan.check, "the identities are those of the curve uv = 1")
    kind: Callable[..., Any] = Arrays
    if backend in ("auto", "compiled") and xp is None:
        from lemmascope.sims.noise.local_sgd_loops import Compiled

        kind = Compiled
    elif backend == "cupy":
        from lemmascope.sims.cubic_cnn.backends.device import cupy_or_refused

        xp = cupy_or_refused()
    engine: Any = kind(valley, plan, np.array(start, dtype=np.float64), len(rngs), np if xp is None else xp)
    shape = (1 if plan.shared else plan.K, valley.draws)
    with np.errstate(over="ignore", invalid="ignore"):
        for first, draws in blocks(rngs, plan.steps, shape[0] * shape[1], "normals"):
            engine.advance(first, draws.reshape(*draws.shape[:2], *shape))
        found = engine.found()
    return {name: np.where(np.isfinite(x), x, np.nan) for name, x in found.items()}


class Arrays:
    """The reference: w (lengths, seeds, K, 2), on arrays of any library of the standard."""

    def __init__(self, valley: Valley, plan: Plan, start: np.ndarray, seeds: int, xp: Any) -> None:
        self.valley, self.plan, self.xp, self.optimizer = valley, plan, xp, GD(plan.eta)
        shape = (len(plan.rounds), seeds, plan.K, 2)
        self.w = xp.zeros(shape, dtype=xp.float64) + xp.asarray(start, dtype=xp.float64)
        self.last = [self._along(self.w[i, :, 0, :]) for i in range(shape[0])]
        self.sums = {name: [xp.zeros(seeds, dtype=xp.float64)] * shape[0] for name in QUANTITIES}
        self.seen: list[Any] = []
        self.companion = xp.zeros(shape[:2], dtype=xp.float64)
        self.beside: list[Any] = []
        if isinstance(valley, theory.Straight):
            self.kept = xp.asarray(kept(valley, plan), dtype=xp.float64)[:, None]

    def _across(self, w: Array) -> Array:
        return w[..., 0] * w[..., 1] - 1 if isinstance(self.valley, Curve) else w[..., 1]

    def _along(self, w: Array) -> Array:
        return w[..., 0] ** 2 - w[..., 1] ** 2 if isinstance(self.valley, Curve) else w[..., 0]

    def _add(self, name: str, i: int, value: Array) -> None:
        self.sums[name][i] = self.sums[name][i] + value

    def _largest(self, name: str, i: int, value: Array) -> None:
        self.sums[name][i] = self.xp.maximum(self.sums[name][i], value)

    def advance(self, start: int, noise: np.ndarray) -> None:
        """As many local steps as there is noise for, (seeds, steps, K or 1, draws)."""
        xp, plan, given = self.xp, self.plan, self.xp.asarray(noise)
        for k in range(noise.shape[1]):
            t, labels = start + k, given[None, :, k, :, :]
            before = self.w
            self.w, _ = self.optimizer.step(before, self.valley.gradient(before, labels), (), t)
            if plan.check and isinstance(self.valley, Curve):
                self._check_step(self.valley, before, labels)
            averaged = [i for i, H in enumerate(plan.rounds) if (t + 1) % H == 0]
            if averaged:
                self.w = xp.stack(
                    [self._average(i, t) if i in averaged else self.w[i, ...] for i in range(len(plan.rounds))]
                )
            if isinstance(self.valley, theory.Straight):
                kick = plan.eta * self.valley.tau * xp.mean(given[:, k, :, 0], axis=1)
                self.companion = self.kept * self.companion - kick
            if t + 1 in plan.times:
                self.seen.append(self.w[:, :, 0, :])
                self.beside.append(self.companion)

    def _check_step(self, valley: Curve, before: Array, labels: Array) -> None:
        xp, eta = self.xp, self.plan.eta
        r = valley.residual(before, labels)[..., 0]
        h, z, after = valley.sharpness(before), self._along(before), self._along(self.w)
        for name, factor in (("step", eta * eta), ("wrong_step", eta)):
            worst = xp.max(xp.abs(after - z * (1 - factor * r * r)) / h, axis=-1)
            for i in range(worst.shape[0]):
                self._largest(name, i, worst[i, :])

    def _average(self, i: int, t: int) -> Array:
        xp, w = self.xp, self.w[i, ...]
        mean = xp.mean(w, axis=1)
        along = self._along(mean)
        if self.plan.check:
            deviation = w - mean[:, None, :]
            variance = xp.mean(deviation * deviation, axis=1)
            each, h = xp.mean(self._along(w), axis=1), xp.mean(xp.sum(w * w, axis=-1), axis=1)
            self._largest("average", i, xp.abs(along - (each - variance[:, 0] + variance[:, 1])) / h)
            self._largest("wrong_average", i, xp.abs(along - each) / h)
        if t + 1 > self.plan.burn_in:
            self._add("after", i, self._across(mean) ** 2)
            self._add("before", i, xp.mean(self._across(w) ** 2, axis=1))
            self._add("increment", i, (along - self.last[i]) ** 2)
        self.last[i] = along
        return xp.zeros_like(w) + mean[:, None, :]

    def found(self) -> dict[str, np.ndarray]:
        """What `run` returns."""
        sums = {name: np.stack([_host(x) for x in each], axis=1) for name, each in self.sums.items()}
        found = {"w": self.seen} | ({"companion": self.beside} if isinstance(self.valley, theory.Straight) else {})
        seen = {name: np.stack([_host(x) for x in each], axis=2).swapaxes(0, 1) for name, each in found.items()}
        return means(self.plan, sums) | seen


def _host(x: Array) -> np.ndarray:
    return np.asarray(x.get() if hasattr(x, "get") else x)


def trajectory(z: float, times: np.ndarray, eta: float, s: float, K: int, H: int) -> np.ndarray:
    """ln(u² − v²) (times,) where it falls by the rate of the place where it is, from z > 0 at time 0."""
    found, log_z, now = np.empty(len(times)), np.log(z), 0.0

    def slope(log_z: float) -> float:
        return -theory.rate(eta, s, K, H, theory.sharpness(np.exp(log_z)))

    pieces = max(PIECES // len(times), 1)
    for k, time in enumerate(times):
        step = (time - now) / pieces
        for _ in range(pieces):  # Runge and Kutta's fourth order
            a = slope(log_z)
            b = slope(log_z + step / 2 * a)
            c = slope(log_z + step / 2 * b)
            log_z += step / 6 * (a + 2 * b + 2 * c + slope(log_z + step * c))
        now, found[k] = time, log_z
    return found
