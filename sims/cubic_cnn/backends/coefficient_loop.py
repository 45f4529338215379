r"""The compiled loop in coefficient space: one product with K an iteration.

K is packed once into panels two vectors wide, so that it is read from front to back once an iteration whatever its
size; while a panel is used by all rows, the next one is brought closer. A member of the team owns some panels.
"""

from __future__ import annotations

__all__ = ["BUILT_ON", "CoefficientData", "coefficient_loop"]

import math
from typing import Any, NamedTuple

import numpy as np

from lemmascope.sims.cubic_cnn.backends.loops import (
    FAST,
    Shared,
    diverged,
    largest,
    look,
    note_divergence,
    put,
    samples,
    signal_pull,
    silence,
    take_step,
)
from lemmascope.sims.cubic_cnn.backends.machine_code import njit
from lemmascope.sims.cubic_cnn.backends.seen import Maxima, see_columns, see_member, see_norms, see_row, see_samples
from lemmascope.sims.cubic_cnn.backends.tiles import ROWS, barrier, narrow_tile, outer_tile

BUILT_ON = "68205a1316ba"  # of loops.py, seen.py and tiles.py; see there


class CoefficientData(NamedTuple):
    """The data of one seed."""

    K: Any  # (panels, n, 2 vectors)
    Xi_0: Any  # (m, columns)
    c_0: Any  # (m,)
    overlap: Any  # (n,) ⟨x_k, w*⟩ of a user's data, else empty


@njit(nogil=True, cache=True)
def _all_finite(rows: np.ndarray, n: int) -> bool:
    for r in range(rows.shape[0]):
        for k in range(n):
            if not math.isfinite(rows[r, k]):
                return False
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def _complete_Xi(w: Shared, Xi_0: np.ndarray, a: int, low: int, high: int) -> None:
    """Ξ = BK + a Ξ₀ and Σ_r Ξ³ on some columns of one optimizer."""
    m = Xi_0.shape[0]
    cubes = w.cubes[a, low:high]
    cubes[:] = 0
    for r in range(m):
        share, begin, row = w.tail[a * m + r, 1], Xi_0[r, low:high], w.Xi[a * m + r, low:high]
        for k in range(high - low):
            x = row[k] + share * begin[k]
            row[k] = x
            cubes[k] += x * x * x


@njit(nogil=True, cache=True, error_model="numpy")
def _pulled(w: Shared, a: int, row: int, low: int, high: int, g: np.ndarray) -> None:
    """The gradient for some columns of one row of B, into g."""
    pull, Xi, theta = w.pull[a, low:high], w.Xi[row, low:high], w.theta[row, low:high]
    decay = w.numbers[0] * w.numbers[1]
    if decay == 0:
        for k in range(high - low):
            g[k] = pull[k] * Xi[k] * Xi[k]
        return
    shrink = g.dtype.type(decay)
    for k in range(high - low):
        g[k] = pull[k] * Xi[k] * Xi[k] + shrink * theta[k]


@njit(nogil=True, cache=True, error_model="numpy")
def _average_step(w: Shared, a: int, row: int, low: int, high: int, rates: np.ndarray) -> None:
    """`_pulled` and `loops.take_step` in one pass, for the commonest case: momentum (q = 0) without penalty."""
    pull, Xi, theta, u = w.pull[a, low:high], w.Xi[row, low:high], w.theta[row, low:high], w.u[row, low:high]
    gamma, kappa, p = rates[0], rates[1], rates[2]
    for k in range(high - low):
        new = gamma * u[k] + kappa * (pull[k] * Xi[k] * Xi[k])
        u[k] = new
        theta[k] -= p * new


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _coefficients_c(w: Shared, data: CoefficientData, n: int) -> None:
    """c = a c₀ + b (+ B X w*, for a user's own data)."""
    m = data.c_0.size
    for row in range(w.c.size):
        c = w.tail[row, 1] * data.c_0[row % m] + w.tail[row, 0]
        if data.overlap.size:
            for k in range(n):
                c += w.theta[row, k] * data.overlap[k]
        w.c[row] = c


@njit(nogil=True, cache=True, error_model="numpy")
def _tails(
    w: Shared, a: int, m: int, n: int, has_feature: bool, keep: bool, kept: int, go: bool, rates: np.ndarray
) -> None:
    """The columns b and a of one optimizer: gradient, record, step; as `loops.take_step`, on two numbers."""
    pull = signal_pull(w, a) if has_feature else 0.0
    decay = w.numbers[0] * w.numbers[1]
    gamma, kappa, p, q = rates[0], rates[1], rates[2], rates[3]
    for row in range(a * m, (a + 1) * m):
        for j in range(2):
            state = w.tail[row, j]
            g = w.tail.dtype.type(decay * state)
            if j == 0:
                g = w.tail.dtype.type(g + pull * w.c[row] * w.c[row])
            if keep:
                w.theta_out[kept, a, row - a * m, n + j] = state
                w.grad_out[kept, a, row - a * m, n + j] = g
            if go and kappa == 0 and p == 0:
                w.tail_u[row, j] *= gamma
                w.tail[row, j] = state - q * g
            elif go:
                new = gamma * w.tail_u[row, j] + kappa * g
                w.tail_u[row, j] = new
                w.tail[row, j] = state - (p * new + q * g)


@njit(nogil=True, cache=True, error_model="numpy")
def coefficient_loop(
    member: int,
    team: int,
    data: CoefficientData,
    w: Shared,
    seen: Maxima,
    has_feature: bool,
    rates: np.ndarray,
    record: np.ndarray,
    start: int,
    stop: int,
    last: int,
) -> None:
    """Iterations start … stop − 1 in coefficient space; see `sims.cubic_cnn.backends.kernel`. Each member calls it."""
    panels, n, wide = data.K.shape
    N, m, R = w.y.size, data.c_0.size, w.c.size
    A, Q = R // m, n // N
    first, end = panels * member // team, panels * (member + 1) // team
    low, high = first * wide, min(n, end * wide)
    i_0, i_1 = N * member // team, N * (member + 1) // team
    traced, decays, certified = w.trace.size > 0, w.numbers[0] != 0, seen.rows.size > 0
    g, room = np.empty(high - low, w.theta.dtype), np.empty((4, max(1, i_1 - i_0)))
    pace = max(1, wide * ROWS // w.theta.shape[0])  # all row tiles together bring the next panel
    kept = 0
    for t in range(start, stop):
        for p in range(first, end):
            ahead = (p + 1) * n * wide
            for r in range(0, w.theta.shape[0], ROWS):
                if n - p * wide > wide // 2:
                    outer_tile(w.theta, r, data.K, p * n * wide, wide, w.Xi, p * wide, n, False, ahead, pace)
                else:
                    narrow_tile(w.theta, r, data.K, p * n * wide, wide, w.Xi, p * wide, n, False, ahead, pace)
                ahead += n * pace
        for a in range(A):
            _complete_Xi(w, data.Xi_0, a, low, high)
            if traced:
                w.peak_bits[member, a] = largest(w.Xi_bits[a * m : (a + 1) * m], low, high)
            if certified:
                see_columns(seen, w.Xi[a * m : (a + 1) * m, low:high], a, low)
        if member == 0 and has_feature:
            _coefficients_c(w, data, n)
        barrier(w.sync, team)
        samples(w, m, Q, A, i_0, i_1, traced, room)
        if certified:
            see_norms(seen, w.theta, w.u, member, team, n)
            for a in range(A):
                see_samples(seen, a, Q, w.ell[a], w.cubed, w.c[a * m : (a + 1) * m], i_0, i_1)
        barrier(w.sync, team)
        keep = kept < record.size and record[kept] == t
        step = rates[t - start] if rates.shape[0] > 1 else rates[0]
        for a in range(A):
            if diverged(w, a):
                if member == 0:
                    finite = _all_finite(w.Xi[a * m : (a + 1) * m], n)
                    note_divergence(w, a, m, t, has_feature, finite)
                barrier(w.sync, team)  # all have seen it before the state is silenced
                silence(w.theta[a * m : (a + 1) * m], low, high)
                silence(w.u[a * m : (a + 1) * m], low, high)
                silence(w.Xi[a * m : (a + 1) * m], low, high)
                silence(w.pull[a : a + 1], low, high)
                if member == 0:
                    silence(w.tail[a * m : (a + 1) * m], 0, 2)
                    silence(w.tail_u[a * m : (a + 1) * m], 0, 2)
                    for row in range(a * m, (a + 1) * m):
                        w.c[row] = 0
                    w.ell[a] = 0
                barrier(w.sync, team)
            if member == 0:
                look(w, a, m, t, t - start, team, has_feature, traced)
                if certified:
                    see_member(
                        seen, a, m, t - start, w.cubed, w.ell[a], w.small, w.memorization[a], w.c, w.tail, w.tail_u
                    )
            for row in range(a * m, (a + 1) * m):
                if certified:
                    see_row(seen, w.Xi[row, low:high], w.pull[a, low:high], a, row, low)
                if keep or decays or step[a, 3] != 0:
                    _pulled(w, a, row, low, high, g)
                if keep:
                    put(w.theta_out[kept, a, row - a * m, low:high], w.theta[row, low:high])
                    put(w.grad_out[kept, a, row - a * m, low:high], g)
                if t < last and (decays or step[a, 3] != 0):
                    take_step(w.theta[row, low:high], w.u[row, low:high], g, step[a])
                elif t < last:
                    _average_step(w, a, row, low, high, step[a])
            if member == 0:
                _tails(w, a, m, n, has_feature, keep, kept, t < last, step[a])
        kept += keep
        barrier(w.sync, team)
