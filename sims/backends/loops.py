r"""What the compiled loops of both representations share: their arrays, the samples, the step, what is watched.

A **team** of threads calls the same function on the same arrays, each with its own ``member`` number, and the members
meet at barriers. What a member computes does not depend on the size of the team, and sums over samples are formed
in one order by whoever needs them: the results are the same, bit for bit, for every team.

``FAST`` lets the compiler re-associate sums and contract a·b + c, which vector reductions need; it is used where a
function reduces, over a range that is the same for everyone. What is done entry by entry keeps to IEEE arithmetic, so
that an entry's bits do not depend on who owns its neighbours. Nowhere may the compiler assume that numbers are finite:
divergence is watched in the loop.
"""

from __future__ import annotations

__all__ = [
    "CHUNKS", "FAST", "Shared", "diverged", "largest", "look", "note_divergence", "put", "samples", "signal_pull",
    "silence", "take_step",
]  # fmt: skip

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit

FAST = {"reassoc", "contract", "nsz", "arcp"}
CHUNKS = 4  # parts of the samples with gradient sums of their own, in weight space; also the largest team there


class Shared(NamedTuple):
    """The arrays of a unit: A optimizers, R = A m rows (padded to whole tiles), N samples."""

    y: Any  # (N,) labels
    cubed: Any  # (N,) |c_i|³; 0 without signal patches
    small: Any  # (N,) samples of small margin
    theta: Any  # (R, columns) B or W
    u: Any  # (R, columns) its buffer
    tail: Any  # (R, 2) b and a, in coefficient space
    tail_u: Any  # (R, 2) their buffers
    Xi: Any  # (R, columns) Ξ, in coefficient space
    cubes: Any  # (A, columns) Σ_r Ξ³ of each patch
    pull: Any  # (A, columns) −(3/N) y ℓ of each patch
    memorization: Any  # (A, N)
    margins: Any  # (A, N)
    ell: Any  # (A, N)
    soft: Any  # (A, N) log(1 + exp(−margin))
    c: Any  # (A m,)
    sums: Any  # (CHUNKS, R, columns) gradients, in weight space
    peaks: Any  # (team, A) max |Ξ| of each member's share
    theta_out: Any  # (k, A, m, width) recorded states
    grad_out: Any  # (k, A, m, width) and gradients
    trace: Any  # (A, steps, 5)
    T_0: Any  # (A,)
    T_1: Any  # (A,)
    dead_at: Any  # (A,) −1: alive
    dead_of: Any  # (A,) 1 c, 2 Ξ, 3 margins
    numbers: Any  # (4,) λ, gradient factor, thresholds of T₀ and T₁ (NaN: not watched)
    sync: Any  # (16,) the barrier's counters


@njit(nogil=True, cache=True, error_model="numpy")
def samples(w: Shared, m: int, Q: int, A: int, first: int, end: int, softly: bool) -> None:
    """From Σ_r Ξ³ of each column to margins, ℓ and the pull −(3/N) y ℓ of samples [first, end)."""
    N = w.y.size
    for a in range(A):
        feature = 0.0
        for r in range(a * m, (a + 1) * m):
            feature += w.c[r] * w.c[r] * w.c[r]
        for i in range(first, end):
            total = w.cubes[a, i * Q]
            for j in range(1, Q):
                total += w.cubes[a, i * Q + j]
            memorized = w.y[i] * total
            margin = memorized
            if w.cubed[i] != 0:
                margin += w.cubed[i] * feature
            e = math.exp(-abs(margin))
            # NaN must stay NaN: it is how divergence shows.
            ell = (e if margin > 0 else (1.0 if margin <= 0 else margin)) / (1 + e)
            w.memorization[a, i], w.margins[a, i], w.ell[a, i] = memorized, margin, ell
            if softly:
                w.soft[a, i] = math.log1p(e) + max(-margin, 0.0)
            pull = w.numbers[1] * (-3.0 / N) * w.y[i] * ell
            for j in range(Q):
                w.pull[a, i * Q + j] = pull


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def signal_pull(w: Shared, a: int) -> float:
    """−(3/N) Σ_i |c_i|³ ℓ_i, times the gradient factor."""
    total = 0.0
    for i in range(w.y.size):
        total += w.cubed[i] * w.ell[a, i]
    return w.numbers[1] * (-3.0 / w.y.size) * total


@njit(nogil=True, cache=True, error_model="numpy")
def diverged(w: Shared, a: int) -> bool:
    """Whether a margin of optimizer a is not finite."""
    total = 0.0
    for i in range(w.y.size):
        total += w.margins[a, i]
    return not math.isfinite(total)


@njit(nogil=True, cache=True, error_model="numpy")
def note_divergence(w: Shared, a: int, m: int, t: int, has_feature: bool, finite_Xi: bool) -> None:
    """Which quantity went first: 1 c, 2 Ξ, 3 only the margins."""
    w.dead_at[a] = t
    w.dead_of[a] = 3 if finite_Xi else 2
    if has_feature:
        for r in range(a * m, (a + 1) * m):
            if not math.isfinite(w.c[r]):
                w.dead_of[a] = 1


@njit(nogil=True, cache=True, error_model="numpy")
def _watch(w: Shared, a: int, m: int, t: int, has_feature: bool) -> None:
    """Hitting times of one optimizer."""
    if has_feature and math.isnan(w.T_0[a]):
        for r in range(a * m, (a + 1) * m):
            if w.c[r] >= w.numbers[2]:
                w.T_0[a] = t
    if math.isnan(w.T_1[a]):
        anyone, all_ = False, True
        for i in range(w.y.size):
            if w.small[i]:
                anyone = True
                if not w.memorization[a, i] >= w.numbers[3]:
                    all_ = False
                    break
        if anyone and all_:
            w.T_1[a] = t


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _trace(w: Shared, a: int, m: int, step: int, has_feature: bool, peak: float) -> None:
    """loss, ν₁, ν₂, max c and max |Ξ| of one optimizer."""
    loss, nu_1, nu_2 = 0.0, 0.0, 0.0
    for i in range(w.y.size):
        loss += w.soft[a, i]
        if w.small[i]:
            nu_2 += w.ell[a, i]
        else:
            nu_1 += w.ell[a, i]
    top = w.c[a * m] if has_feature else math.nan
    if has_feature:
        for r in range(a * m + 1, (a + 1) * m):
            top = max(top, w.c[r])
    N = w.y.size
    w.trace[a, step, 0], w.trace[a, step, 1], w.trace[a, step, 2] = loss / N, nu_1 / N, nu_2 / N
    w.trace[a, step, 3], w.trace[a, step, 4] = top, peak


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"nnan", "nsz", "reassoc"})
def largest(rows: np.ndarray, low: int, high: int) -> float:
    """max |x| over some columns; NaN does not count, as what holds one has diverged."""
    top = rows.dtype.type(0)
    for r in range(rows.shape[0]):
        row = rows[r, low:high]
        for k in range(high - low):
            size = abs(row[k])
            top = size if size > top else top
    return top


@njit(nogil=True, cache=True, error_model="numpy")
def put(there: np.ndarray, row: np.ndarray) -> None:
    """Copy a row; an assignment of slices compiles several seconds longer, for the text of errors that cannot occur."""
    for k in range(row.size):
        there[k] = row[k]


@njit(nogil=True, cache=True, error_model="numpy")
def silence(rows: np.ndarray, low: int, high: int) -> None:
    """Zeros in some columns of some rows."""
    for r in range(rows.shape[0]):
        for k in range(low, high):
            rows[r, k] = 0


@njit(nogil=True, cache=True, error_model="numpy")
def take_step(theta: np.ndarray, u: np.ndarray, g: np.ndarray, rates: np.ndarray) -> None:
    """u ← γu + κg, θ ← θ − p u − q g on one row; with κ = p = 0 there is no buffer."""
    gamma, kappa, p, q = rates[0], rates[1], rates[2], rates[3]
    if kappa == 0 and p == 0:
        for k in range(theta.size):
            theta[k] -= q * g[k]
        return
    for k in range(theta.size):
        new = gamma * u[k] + kappa * g[k]
        u[k] = new
        theta[k] -= p * new + q * g[k]


@njit(nogil=True, cache=True, error_model="numpy")
def look(w: Shared, a: int, m: int, t: int, step: int, team: int, has_feature: bool, traced: bool) -> None:
    """Hitting times and the five scalars, unless the member has diverged."""
    if w.dead_at[a] >= 0:
        if traced:
            w.trace[a, step] = math.nan
        return
    _watch(w, a, m, t, has_feature)
    if traced:
        peak = w.peaks[0, a]
        for member in range(1, team):
            peak = max(peak, w.peaks[member, a])
        _trace(w, a, m, step, has_feature, peak)
