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
    "CHUNKS",
    "FAST",
    "Shared",
    "diverged",
    "largest",
    "look",
    "note_divergence",
    "put",
    "samples",
    "signal_pull",
    "silence",
    "take_step",
]

import math
from typing import Any, NamedTuple

import numpy as np

from lemmascope.sims.cubic_cnn.backends.machine_code import njit

FAST = {"reassoc", "contract", "nsz", "arcp"}
CHUNKS = 4  # parts of the samples with gradient sums of their own, in weight space; also the largest team there


class Shared(NamedTuple):
    """The arrays of a unit: A optimizers, R = A m rows (padded to whole tiles), N samples."""

    y: Any  # (N,) labels
    cubed: Any  # (N,) (y_i c_i)³; 0 without signal patches
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
    Xi_bits: Any  # (R, columns) the bits of Ξ as unsigned integers
    peaks: Any  # (team, A) max |Ξ| of each member's share
    peak_bits: Any  # (team, A) their bits
    theta_out: Any  # (k, A, m, width) recorded states
    grad_out: Any  # (k, A, m, width) and gradients
    trace: Any  # (A, steps, 5)
    T_0: Any  # (A,)
    T_1: Any  # (A,)
    dead_at: Any  # (A,) −1: alive
    dead_of: Any  # (A,) 1 c, 2 Ξ, 3 margins
    numbers: Any  # (4,) λ, gradient factor, thresholds of T₀ and T₁ (NaN: not watched)
    sync: Any  # (16,) the barrier's counters


# ln 2 in two parts, the first with trailing zeros: k · LN2_HIGH is exact. ROUND + x has the nearest integer to x in
# its last bits.
LN2_HIGH, LN2_LOW, ROUND = 0.6931471803691238, 1.9082149292705877e-10, 6755399441055744.0


@njit(nogil=True, cache=True, error_model="numpy")
def exp_minus(x: np.ndarray, out: np.ndarray, bits: np.ndarray, turns: np.ndarray, turn_bits: np.ndarray) -> None:
    """out = exp(−x) for x ≥ 0, as vector instructions; relative error below 3 u (a test measures it), 0 from 708 on.

    With k the integer nearest to −x / ln 2 and r = −x − k ln 2, |r| ≤ ln 2 / 2, exp(−x) = 2^k exp(r); the Taylor sum to
    r¹³ leaves 5·10⁻¹⁸, and 2^k is added to the exponent. ``bits`` and ``turn_bits`` are ``out`` and ``turns`` as
    integers. In a function that may be re-associated ROUND would cancel.
    """
    for i in range(x.size):
        y = -x[i]
        turn = ROUND + y * 1.4426950408889634
        k = turn - ROUND
        r = (y - k * LN2_HIGH) - k * LN2_LOW
        p = 1 / 6227020800 * r + 1 / 479001600
        p = (p * r + 1 / 39916800) * r + 1 / 3628800
        p = ((p * r + 1 / 362880) * r + 1 / 40320) * r + 1 / 5040
        p = ((p * r + 1 / 720) * r + 1 / 120) * r + 1 / 24
        p = ((p * r + 1 / 6) * r + 0.5) * r + 1
        turns[i], out[i] = turn, p * r + 1
    for i in range(x.size):
        bits[i] = bits[i] + (turn_bits[i] << 52) if x[i] < 708 else 0


@njit(nogil=True, cache=True, error_model="numpy")
def log_one_plus(e: np.ndarray, out: np.ndarray) -> None:
    """out = log(1 + e) for e in [0, 1], as vector instructions; relative error below 4 u (a test measures it).

    log(1 + e) = 2 artanh(s) with s = e / (2 + e) ≤ 1/3: the sum of s^(2j+1)/(2j+1) to j = 16 leaves 10⁻¹⁷, relatively.
    """
    for i in range(e.size):
        s = e[i] / (2 + e[i])
        q = s * s
        p = q / 33 + 1 / 31
        p = ((p * q + 1 / 29) * q + 1 / 27) * q + 1 / 25
        p = ((p * q + 1 / 23) * q + 1 / 21) * q + 1 / 19
        p = ((p * q + 1 / 17) * q + 1 / 15) * q + 1 / 13
        p = ((p * q + 1 / 11) * q + 1 / 9) * q + 1 / 7
        p = ((p * q + 1 / 5) * q + 1 / 3) * q
        out[i] = 2 * s + 2 * s * p


@njit(nogil=True, cache=True, error_model="numpy")
def samples(w: Shared, m: int, Q: int, A: int, first: int, end: int, softly: bool, room: np.ndarray) -> None:
    """From Σ_r Ξ³ of each column to margins, ℓ and the pull −(3/N) y ℓ of samples [first, end).

    ``room`` is (4, at least end − first) float64, the member's own.
    """
    N, count = w.y.size, end - first
    size, e, turns, soft = room[0, :count], room[1, :count], room[2, :count], room[3, :count]
    y, cubed = w.y[first:end], w.cubed[first:end]
    for a in range(A):
        feature = 0.0
        for r in range(a * m, (a + 1) * m):
            feature += w.c[r] * w.c[r] * w.c[r]
        memorization, margins, ell = w.memorization[a, first:end], w.margins[a, first:end], w.ell[a, first:end]
        cubes, pull = w.cubes[a, first * Q : end * Q], w.pull[a, first * Q : end * Q]
        if Q == 1:
            for i in range(count):
                memorization[i] = y[i] * cubes[i]
        else:
            for i in range(count):
                total = cubes[i * Q]
                for j in range(1, Q):
                    total += cubes[i * Q + j]
                memorization[i] = y[i] * total
        for i in range(count):
            # Without a signal patch (y_i c_i)³ is zero, and the feature, finite or not, has no part in the margin.
            signal = cubed[i] * feature if cubed[i] != 0 else 0.0
            margin = memorization[i] + signal
            margins[i], size[i] = margin, abs(margin)
        exp_minus(size, e, e.view(np.int64), turns, turns.view(np.int64))
        scale = w.numbers[1] * (-3.0 / N)
        for i in range(count):
            ell[i] = (e[i] if margins[i] > 0 else 1.0) / (1 + e[i])
        if softly:
            log_one_plus(e, soft)
            for i in range(count):
                w.soft[a, first + i] = soft[i] + (-margins[i] if margins[i] < 0 else 0.0)
        if Q == 1:
            for i in range(count):
                pull[i] = scale * y[i] * ell[i]
        else:
            for i in range(count):
                strength = scale * y[i] * ell[i]
                for j in range(Q):
                    pull[i * Q + j] = strength


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def signal_pull(w: Shared, a: int) -> float:
    """−(3/N) Σ_i (y_i c_i)³ ℓ_i, times the gradient factor."""
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
    if has_feature and math.isnan(w.T_0[a]) and not math.isnan(w.numbers[2]):
        for r in range(a * m, (a + 1) * m):
            if w.c[r] >= w.numbers[2]:
                w.T_0[a] = t
    if math.isnan(w.T_1[a]) and not math.isnan(w.numbers[3]):
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


@njit(nogil=True, cache=True)
def largest(bits: np.ndarray, low: int, high: int) -> np.uint64:
    """The bits of max |x| over some columns, from the bits of the numbers as unsigned integers.

    Without its sign bit a floating-point number orders like an integer, and a maximum of integers is a vector
    operation; that of floating-point numbers is not. NaN counts as largest.
    """
    top, unsigned = np.uint64(0), np.uint64((1 << (8 * bits.itemsize - 1)) - 1)
    for r in range(bits.shape[0]):
        row = bits[r, low:high]
        for k in range(high - low):
            size = row[k] & unsigned
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
    """u ← γu + κg, θ ← θ − p u − q g on one row; with κ = p = 0 the buffer only decays."""
    gamma, kappa, p, q = rates[0], rates[1], rates[2], rates[3]
    if kappa == 0 and p == 0:
        for k in range(theta.size):
            u[k] *= gamma
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
