r"""What a certificate sees of the iterations of a call, kept by the compiled loops while they run.

Entrywise maxima, whose bounds are formed once a window (`theory.cubic_cnn.certificate.window`), and seven scalars an
iteration. Every number may be a few roundings off; their users round up.
"""

from __future__ import annotations

__all__ = ["SCALARS", "Maxima", "nothing", "nothing_yet", "see_fourths", "see_member", "see_norms", "see_row"]

import math
from typing import Any, NamedTuple

import numpy as np

from lemmascope.sims.cubic_cnn.backends.machine_code import njit

SCALARS = ("signal", "signal_down", "pull_signal", "pull_noise", "pull_trace", "c_max", "memorization_min")
"""Of one iteration: max_r ± 6c_r (1/N) Σ ℓ s³, or 0; with w_i = ℓ_i(1 − ℓ_i)/N, Σ_i w_i s_i⁶ Σ_r c_r⁴,
max_k w_i Σ_r Ξ_kr⁴ and Σ_i w_i (Σ_j ‖Ξ_ij²‖‖x_ij‖)²; max_r c_r; min of y_i Σ Ξ³ over the small-margin samples."""

FAST = {"reassoc", "contract", "nsz", "arcp"}


class Maxima(NamedTuple):
    """Arrays of a unit: A optimizers, R = A m rows, N samples, n patches; all empty where nothing is to be seen."""

    rise: Any  # (R, columns) max (6/N) ℓ_i (y_i Ξ)⁺ …
    fall: Any  # (R, columns) … and (6/N) ℓ_i (y_i Ξ)⁻
    top: Any  # (R, columns) max |Ξ|
    fourth: Any  # (A, columns) Σ_r Ξ⁴, now
    rows: Any  # (R,) max ‖θ_r‖²
    buffer: Any  # (R,) max ‖u_r‖²
    tails: Any  # (R, 4) max |b|, |a| and those of their buffers, in coefficient space
    c: Any  # (R,) max |c|
    ell: Any  # (A, N) max ℓ
    scalars: Any  # (A, steps, 7) `SCALARS`
    x: Any  # (n,) ‖x_k‖
    sixth: Any  # (N,) s_i⁶


def nothing() -> Maxima:
    """Of a run without a certificate."""
    shapes = [(0, 0)] * 4 + [(0,)] * 2 + [(0, 0), (0,), (0, 0), (0, 0, 0), (0,), (0,)]
    return Maxima(*map(np.zeros, shapes))


def nothing_yet(A: int, m: int, columns: int, steps: int, x: np.ndarray, strength: np.ndarray) -> Maxima:
    """Of a call of so many steps, at its beginning."""
    R, N = A * m, strength.size
    shapes = [(R, columns)] * 3 + [(A, columns), (R,), (R,), (R, 4), (R,), (A, N), (A, steps, len(SCALARS))]
    return Maxima(*map(np.zeros, shapes), x, strength**6)


@njit(nogil=True, cache=True, error_model="numpy")
def see_row(Xi: np.ndarray, pull: np.ndarray, rise: np.ndarray, fall: np.ndarray, top: np.ndarray) -> None:
    """One neuron's Ξ, on some columns; pull is −(3/N) y ℓ of each."""
    for k in range(Xi.size):
        x, force = abs(Xi[k]), -2 * pull[k] * Xi[k]
        rise[k] = force if force > rise[k] else rise[k]
        fall[k] = -force if -force > fall[k] else fall[k]
        top[k] = x if x > top[k] else top[k]


@njit(nogil=True, cache=True, error_model="numpy")
def see_fourths(Xi: np.ndarray, out: np.ndarray) -> None:
    """Σ_r Ξ⁴ of some columns, from all rows of one optimizer."""
    out[:] = 0
    for r in range(Xi.shape[0]):
        row = Xi[r]
        for k in range(out.size):
            square = row[k] * row[k]
            out[k] += square * square


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _square(row: np.ndarray, width: int) -> float:
    total = 0.0
    for k in range(width):
        total += row[k] * row[k]
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def see_norms(seen: Maxima, theta: np.ndarray, u: np.ndarray, member: int, team: int, width: int) -> None:
    """Of states and buffers, row by row; a member of the team has rows of its own."""
    for row in range(member, seen.rows.size, team):
        seen.rows[row] = max(seen.rows[row], _square(theta[row], width))
        seen.buffer[row] = max(seen.buffer[row], _square(u[row], width))


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _sums(seen: Maxima, cubed: np.ndarray, ell: np.ndarray, fourth: np.ndarray, out: np.ndarray) -> None:
    """Σ ℓ s³, Σ w s⁶, max w Σ Ξ⁴ and Σ_i w_i (Σ_j ‖Ξ_ij²‖‖x_ij‖)², w = ℓ(1 − ℓ), without 1/N."""
    Q = seen.x.size // cubed.size
    moment, sixth, trace, most = 0.0, 0.0, 0.0, 0.0
    for i in range(cubed.size):
        weight, length = ell[i] * (1 - ell[i]), 0.0
        moment += cubed[i] * ell[i]
        sixth += weight * seen.sixth[i]
        for k in range(i * Q, (i + 1) * Q):
            length += math.sqrt(fourth[k]) * seen.x[k]
            most = max(most, weight * fourth[k])
        trace += weight * length * length
    out[0], out[1], out[2], out[3] = moment, sixth, most, trace


@njit(nogil=True, cache=True, error_model="numpy")
def see_member(
    seen: Maxima,
    a: int,
    m: int,
    step: int,
    cubed: np.ndarray,
    ell: np.ndarray,
    small: np.ndarray,
    memorization: np.ndarray,
    c: np.ndarray,
    tail: np.ndarray,
    tail_u: np.ndarray,
) -> None:
    """What is small, of one optimizer: by one member, once ℓ is known."""
    N, out = cubed.size, seen.scalars[a, step]
    _sums(seen, cubed, ell, seen.fourth[a], out)
    along, quartic, highest, lowest = 6 * out[0] / N, 0.0, -math.inf, math.inf
    signal, down = 0.0, 0.0
    for row in range(a * m, (a + 1) * m):
        signal, down = max(signal, along * c[row]), max(down, -along * c[row])
        quartic += c[row] ** 4
        highest = max(highest, c[row])
        seen.c[row] = max(seen.c[row], abs(c[row]))
        for j in range(tail.shape[1] if tail.shape[0] > 0 else 0):
            seen.tails[row, j] = max(seen.tails[row, j], abs(tail[row, j]))
            seen.tails[row, 2 + j] = max(seen.tails[row, 2 + j], abs(tail_u[row, j]))
    for i in range(N):
        seen.ell[a, i] = max(seen.ell[a, i], ell[i])
        if small[i]:
            lowest = min(lowest, memorization[i])
    out[4], out[3], out[2] = out[3] / N, out[2] / N, out[1] / N * quartic
    out[0], out[1], out[5], out[6] = signal, down, highest, lowest
