"""The loops of `sims.noise.local_sgd` as machine code: all workers of all replicas a step, length after length.

The noise of a few steps is laid out as the state is, so that a step is one loop over neighbours in memory, and stays in
the cache for every length of a round.
"""

from __future__ import annotations

__all__ = ["Compiled"]

from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.backends.machine_code import njit
from lemmascope.sims.noise.local_sgd_plan import QUANTITIES, Plan, Valley, kept, means
from lemmascope.theory.noise.valley import Curve

AFTER, BEFORE, INCREMENT, STEP, WRONG_STEP, AVERAGE, WRONG_AVERAGE = range(len(QUANTITIES))

NUMBERS = 2**15
"""Of the noise that is laid out at a time, about."""


@njit(nogil=True, cache=True)
def _lay_out(noise, draw, start, steps, scale, shift, out):
    """shift + scale · noise of some steps, (replicas, steps, K or 1, draws) to (steps, K · replicas)."""
    replicas = noise.shape[0]
    own = min(noise.shape[2] - 1, 1)  # 0 where workers share their noise
    for t in range(steps):
        for replica in range(replicas):
            for k in range(out.shape[1] // replicas):
                out[t, k * replicas + replica] = shift + scale * noise[replica, start + t, own * k, draw]


@njit(nogil=True, cache=True)
def _curve_step(eta, u, v, y):
    for k in range(u.size):
        pull = eta * (u[k] * v[k] - y[k])
        u[k], v[k] = u[k] - pull * v[k], v[k] - pull * u[k]


@njit(nogil=True, cache=True)
def _checked_step(eta, u, v, y, sums):
    replicas = sums.shape[1]
    for k in range(u.size):
        r = u[k] * v[k] - y[k]
        h, z = u[k] * u[k] + v[k] * v[k], u[k] * u[k] - v[k] * v[k]
        u[k], v[k] = u[k] - eta * r * v[k], v[k] - eta * r * u[k]
        after, replica = u[k] * u[k] - v[k] * v[k], k % replicas
        for place, factor in ((STEP, eta * eta), (WRONG_STEP, eta)):
            sums[place, replica] = max(sums[place, replica], abs(after - z * (1 - factor * r * r)) / h)


@njit(nogil=True, cache=True)
def _straight_step(eta, h_0, kappa, x, y, along, across):
    for k in range(x.size):
        square = kappa * x[k] * x[k] / 2
        x[k], y[k] = (
            x[k] - eta * (kappa * x[k] * y[k] * y[k] / 2 + along[k]),
            y[k] - eta * ((h_0 + square) * y[k] + across[k]),
        )


@njit(nogil=True, cache=True)
def _mean(x, out):
    """Over the workers, (K, replicas) to (replicas)."""
    out[:] = 0.0
    for k in range(x.shape[0]):
        for replica in range(out.size):
            out[replica] += x[k, replica]
    for replica in range(out.size):
        out[replica] /= x.shape[0]


@njit(nogil=True, cache=True)
def _check_average(u, v, a, b, sums):
    K = u.shape[0]
    for replica in range(a.size):
        variance, z, h = 0.0, 0.0, 0.0
        for k in range(K):
            p, q = u[k, replica], v[k, replica]
            variance += (q - b[replica]) ** 2 - (p - a[replica]) ** 2
            z += p * p - q * q
            h += p * p + q * q
        along = a[replica] * a[replica] - b[replica] * b[replica]
        for place, stated in ((AVERAGE, z + variance), (WRONG_AVERAGE, z)):
            sums[place, replica] = max(sums[place, replica], abs(along - stated / K) / (h / K))


@njit(nogil=True, cache=True)
def _average(curve, check, counted, u, v, last, sums, a, b):
    """Every replica's workers (K, replicas) at their mean, left in a and b; the sums where the average counts."""
    _mean(u, a)
    _mean(v, b)
    if check:
        _check_average(u, v, a, b, sums)
    if counted:
        for k in range(u.shape[0]):
            for replica in range(a.size):
                across = u[k, replica] * v[k, replica] - 1 if curve else v[k, replica]
                sums[BEFORE, replica] += across * across / u.shape[0]
    for replica in range(a.size):
        along = a[replica] * a[replica] - b[replica] * b[replica] if curve else a[replica]
        across = a[replica] * b[replica] - 1 if curve else b[replica]
        if counted:
            sums[AFTER, replica] += across * across
            sums[INCREMENT, replica] += (along - last[replica]) ** 2
        last[replica] = along
    for k in range(u.shape[0]):
        u[k], v[k] = a, b


@njit(nogil=True, cache=True)
def _curve(s, eta, lengths, burn_in, check, times, first, noise, u, v, last, sums, out):
    steps, size = noise.shape[1], u.shape[1] * u.shape[2]
    labels = np.empty((max(1, min(NUMBERS // size, steps)), size))
    p, q = np.empty((2, u.shape[2]))
    for start in range(0, steps, labels.shape[0]):
        count = min(labels.shape[0], steps - start)
        _lay_out(noise, 0, start, count, s, 1.0, labels)
        for i in range(lengths.size):
            a, b = u[i].reshape(size), v[i].reshape(size)
            row = np.searchsorted(times, first + start + 1)
            for t in range(count):
                if check:
                    _checked_step(eta, a, b, labels[t], sums[i])
                else:
                    _curve_step(eta, a, b, labels[t])
                time = first + start + t + 1
                if time % lengths[i] == 0:
                    _average(True, check, time > burn_in, u[i], v[i], last[i], sums[i], p, q)
                if row < times.size and time == times[row]:
                    out[i, row, 0], out[i, row, 1] = p, q
                    row += 1


@njit(nogil=True, cache=True)
def _straight(
    s, tau, h_0, kappa, kept, companion, beside, eta, lengths, burn_in, times, first, noise, u, v, last, sums, out
):
    steps, size = noise.shape[1], u.shape[1] * u.shape[2]
    along = np.empty((max(1, min(NUMBERS // size, steps)), size))
    across = np.empty_like(along)
    p, q = np.empty((2, u.shape[2]))
    for start in range(0, steps, along.shape[0]):
        count = min(along.shape[0], steps - start)
        _lay_out(noise, 0, start, count, tau, 0.0, along)
        _lay_out(noise, 1, start, count, s, 0.0, across)
        for i in range(lengths.size):
            x, y = u[i].reshape(size), v[i].reshape(size)
            row = np.searchsorted(times, first + start + 1)
            for t in range(count):
                _mean(along[t].reshape(u.shape[1:]), p)
                for replica in range(p.size):
                    companion[i, replica] = kept[i] * companion[i, replica] - eta * p[replica]
                _straight_step(eta, h_0, kappa, x, y, along[t], across[t])
                time = first + start + t + 1
                if time % lengths[i] == 0:
                    _average(False, False, time > burn_in, u[i], v[i], last[i], sums[i], p, q)
                if row < times.size and time == times[row]:
                    out[i, row, 0], out[i, row, 1], beside[i, row] = p, q, companion[i]
                    row += 1


class Compiled:
    """The state of all replicas, (lengths, K, replicas); the arguments of `local_sgd.Arrays`."""

    def __init__(self, valley: Valley, plan: Plan, start: np.ndarray, seeds: int, xp: Any) -> None:
        self.valley, self.plan = valley, plan
        lengths, times = len(plan.rounds), len(plan.times)
        self.u, self.v = (np.full((lengths, plan.K, seeds), x) for x in start)
        along = start[0] ** 2 - start[1] ** 2 if isinstance(valley, Curve) else start[0]
        self.last = np.full((lengths, seeds), along)
        self.sums = np.zeros((lengths, len(QUANTITIES), seeds))
        self.companion, self.beside = np.zeros((lengths, seeds)), np.full((lengths, times, seeds), np.nan)
        self.out = np.full((lengths, times, 2, seeds), np.nan)

    def advance(self, first: int, noise: np.ndarray) -> None:
        """As many local steps as there is noise for, (seeds, steps, K or 1, draws)."""
        plan, valley = self.plan, self.valley
        lengths, times = (np.array(x, dtype=np.int64) for x in (plan.rounds, plan.times))
        rest = times, first, noise, self.u, self.v, self.last, self.sums, self.out
        if isinstance(valley, Curve):
            _curve(valley.s, plan.eta, lengths, plan.burn_in, plan.check, *rest)
        else:
            numbers = valley.s, valley.tau, valley.h_0, valley.kappa, np.array(kept(valley, plan))
            _straight(*numbers, self.companion, self.beside, plan.eta, lengths, plan.burn_in, *rest)

    def found(self) -> dict[str, np.ndarray]:
        """What `run` returns."""
        sums = {name: self.sums[:, k].T for k, name in enumerate(QUANTITIES)}
        seen = {"w": self.out} | ({} if isinstance(self.valley, Curve) else {"companion": self.beside})
        return means(self.plan, sums) | {name: np.moveaxis(x, -1, 0) for name, x in seen.items()}
