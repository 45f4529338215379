"""The loops of `sims.noise.local_sgd` as machine code: one call a block of noise, replica after replica."""

from __future__ import annotations

__all__ = ["Compiled"]

from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.backends.machine_code import njit
from lemmascope.sims.noise.local_sgd import QUANTITIES, Plan, Valley, kept, means
from lemmascope.theory.noise.valley import Curve

AFTER, BEFORE, INCREMENT, STEP, WRONG_STEP, AVERAGE, WRONG_AVERAGE = range(len(QUANTITIES))


@njit(nogil=True, cache=True, inline="always")
def _check_step(eta, r, before, after, sums):
    """(h, z) before the step and after it."""
    h, z = before
    for place, factor in ((STEP, eta * eta), (WRONG_STEP, eta)):
        sums[place] = max(sums[place], abs(after[1] - z * (1 - factor * r * r)) / h)


@njit(nogil=True, cache=True)
def _check_average(u, v, sums):
    K = u.size
    mu, mv, z, h = u.mean(), v.mean(), 0.0, 0.0
    variance = 0.0
    for k in range(K):
        variance += (v[k] - mv) ** 2 - (u[k] - mu) ** 2
        z += u[k] * u[k] - v[k] * v[k]
        h += u[k] * u[k] + v[k] * v[k]
    along = mu * mu - mv * mv
    sums[AVERAGE] = max(sums[AVERAGE], abs(along - (z + variance) / K) / (h / K))
    sums[WRONG_AVERAGE] = max(sums[WRONG_AVERAGE], abs(along - z / K) / (h / K))


@njit(nogil=True, cache=True)
def _averaged(curve, u, v, last, counted, sums):
    """All workers at their mean; (where along the valley), and the sums if this average counts."""
    K, before = u.size, 0.0
    for k in range(K):
        across = u[k] * v[k] - 1 if curve else v[k]
        before += across * across
    u[:], v[:] = u.mean(), v.mean()
    along = u[0] * u[0] - v[0] * v[0] if curve else u[0]
    across = u[0] * v[0] - 1 if curve else v[0]
    if counted:
        sums[AFTER] += across * across
        sums[BEFORE] += before / K
        sums[INCREMENT] += (along - last) ** 2
    return along


@njit(nogil=True, cache=True)
def _curve(s, eta, lengths, burn_in, check, times, first, noise, u, v, last, sums, row, out):
    for replica in range(noise.shape[0]):
        for i in range(lengths.size):
            a, b, x, now = u[replica, i], v[replica, i], noise[replica], row
            for t in range(noise.shape[1]):
                for k in range(a.size):
                    r = a[k] * b[k] - 1 - s * x[t, k % x.shape[1], 0]
                    p, q = a[k] - eta * r * b[k], b[k] - eta * r * a[k]
                    if check:
                        start = a[k] * a[k] + b[k] * b[k], a[k] * a[k] - b[k] * b[k]
                        _check_step(eta, r, start, (p * p + q * q, p * p - q * q), sums[replica, i])
                    a[k], b[k] = p, q
                time = first + t + 1
                if time % lengths[i] == 0:
                    if check:
                        _check_average(a, b, sums[replica, i])
                    last[replica, i] = _averaged(True, a, b, last[replica, i], time > burn_in, sums[replica, i])
                    if now < times.size and time == times[now]:
                        out[replica, i, now, 0], out[replica, i, now, 1] = a[0], b[0]
                        now += 1


@njit(nogil=True, cache=True)
def _straight(
    s, tau, h_0, kappa, kept, companion, beside, eta, lengths, burn_in, times, first, noise, u, v, last, sums, row, out
):
    for replica in range(noise.shape[0]):
        for i in range(lengths.size):
            a, b, x, now = u[replica, i], v[replica, i], noise[replica], row
            for t in range(noise.shape[1]):
                kick = 0.0
                for j in range(x.shape[1]):
                    kick += x[t, j, 0]
                companion[replica, i] = kept[i] * companion[replica, i] - eta * tau * kick / x.shape[1]
                for k in range(a.size):
                    j = k % x.shape[1]
                    along = kappa * a[k] * b[k] * b[k] / 2 + tau * x[t, j, 0]
                    across = (h_0 + kappa * a[k] * a[k] / 2) * b[k] + s * x[t, j, 1]
                    a[k] -= eta * along
                    b[k] -= eta * across
                time = first + t + 1
                if time % lengths[i] == 0:
                    last[replica, i] = _averaged(False, a, b, last[replica, i], time > burn_in, sums[replica, i])
                    if now < times.size and time == times[now]:
                        beside[replica, i, now] = companion[replica, i]
                        out[replica, i, now, 0], out[replica, i, now, 1] = a[0], b[0]
                        now += 1


class Compiled:
    """The state of all replicas, workers last; the arguments of `local_sgd.Arrays`."""

    def __init__(self, valley: Valley, plan: Plan, start: np.ndarray, seeds: int, xp: Any) -> None:
        self.valley, self.plan = valley, plan
        shape = (seeds, len(plan.rounds))
        self.u, self.v = (np.full((*shape, plan.K), x) for x in start)
        self.last = np.full(shape, start[0] ** 2 - start[1] ** 2 if isinstance(valley, Curve) else start[0])
        self.sums = np.zeros((*shape, len(QUANTITIES)))
        self.companion, self.beside = np.zeros(shape), np.full((*shape, len(plan.times)), np.nan)
        self.out = np.full((*shape, len(plan.times), 2), np.nan)

    def advance(self, first: int, noise: np.ndarray) -> None:
        """As many local steps as there is noise for, (seeds, steps, K or 1, draws)."""
        plan, valley = self.plan, self.valley
        lengths, times = (np.array(x, dtype=np.int64) for x in (plan.rounds, plan.times))
        rest = (
            times,
            first,
            noise,
            self.u,
            self.v,
            self.last,
            self.sums,
            int(np.searchsorted(times, first + 1)),
            self.out,
        )
        if isinstance(valley, Curve):
            _curve(valley.s, plan.eta, lengths, plan.burn_in, plan.check, *rest)
        else:
            numbers = valley.s, valley.tau, valley.h_0, valley.kappa, np.array(kept(valley, plan))
            _straight(*numbers, self.companion, self.beside, plan.eta, lengths, plan.burn_in, *rest)

    def found(self) -> dict[str, np.ndarray]:
        """What `run` returns."""
        sums = dict(zip(QUANTITIES, np.moveaxis(self.sums, -1, 0), strict=True))
        found = {"w": self.out} | ({} if isinstance(self.valley, Curve) else {"companion": self.beside})
        return means(self.plan, sums) | found
