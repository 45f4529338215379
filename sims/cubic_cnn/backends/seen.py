r"""What a certificate sees of the iterations of a call, kept by the compiled loops while they run.

Entrywise maxima, whose bounds are formed once a window (`theory.cubic_cnn.certificate.window`), and eight scalars an
iteration. Every number may be a few roundings off; their users round up.
"""

from __future__ import annotations

__all__ = [
    "SCALARS",
    "Maxima",
    "nothing",
    "nothing_yet",
    "see_columns",
    "see_member",
    "see_norms",
    "see_row",
    "see_samples",
]

import math
from typing import Any, NamedTuple

import numpy as np

from lemmascope.sims.cubic_cnn.backends.machine_code import njit
from lemmascope.theory.cubic_cnn.certificate.data import Data
from lemmascope.theory.cubic_cnn.certificate.relief import FLOOR, SHARE, SIGNAL, TAKEN
from lemmascope.theory.cubic_cnn.certificate.window import COMPLEMENT

SCALARS = ("signal", "signal_down", "pull_signal", "pull_noise", "pull_trace", "c_max", "memorization_min", "lent")
"""Of one iteration: max_r ± 6c_r (1/N) Σ ℓ s³, or 0; with w_i = ℓ_i(1 − ℓ_i)/N, Σ_i w_i s_i⁶ Σ_r c_r⁴, and from above
max_k w_i Σ_r Ξ_kr⁴ and Σ_i w_i (Σ_j ‖Ξ_ij²‖‖x_ij‖)²; max_r c_r; min of y_i Σ Ξ³ over the small-margin samples; and what
relief costs along w* (`theory.cubic_cnn.certificate.relief`)."""

FAST = {"reassoc", "contract", "nsz", "arcp"}


class Maxima(NamedTuple):
    """Arrays of a unit: A optimizers, R = A m rows, N samples, n patches; all empty where nothing is to be seen."""

    rise: Any  # (R, columns) max (6/N) ℓ_i y_i Ξ less what the positive part takes from it
    top: Any  # (R, columns) max |Ξ|
    total: Any  # (A, columns) Σ_r |Ξ|³, now
    best: Any  # (A, columns) max_r |Ξ|, now
    star: Any  # (A, columns) the largest |Ξ| of the sample where relief is of this column, else infinite, now
    relief: Any  # (2, A, columns) by how much D is smaller there, and by which part of |D| it is larger elsewhere
    costs: Any  # (A, N) what a sample's relief costs along w*
    rows: Any  # (R,) max ‖θ_r‖²
    buffer: Any  # (R,) max ‖u_r‖²
    tails: Any  # (R, 4) max |b|, |a| and those of their buffers, in coefficient space
    c: Any  # (R,) max |c|
    ell: Any  # (A, N) max ℓ
    scalars: Any  # (A, steps, 8) `SCALARS`
    x: Any  # (n,) ‖x_k‖
    sixth: Any  # (N,) s_i⁶
    lends: Any  # (N,) 1 of the samples that lend, else 0


def nothing() -> Maxima:
    """Of a run without a certificate."""
    shapes = [(0, 0)] * 5 + [(0, 0, 0), (0, 0), (0,), (0,), (0, 0), (0,), (0, 0), (0, 0, 0), (0,), (0,), (0,)]
    return Maxima._make([np.zeros(shape) for shape in shapes])


def nothing_yet(A: int, m: int, columns: int, steps: int, data: Data) -> Maxima:
    """Of a call of so many steps, at its beginning."""
    R, N = A * m, data.y.size
    return Maxima(
        rise=np.full((R, columns), -np.inf),
        top=np.zeros((R, columns)),
        total=np.zeros((A, columns)),
        best=np.zeros((A, columns)),
        star=np.full((A, columns), np.inf),
        relief=np.zeros((2, A, columns)),
        costs=np.zeros((A, N)),
        rows=np.zeros(R),
        buffer=np.zeros(R),
        tails=np.zeros((R, 4)),
        c=np.zeros(R),
        ell=np.zeros((A, N)),
        scalars=np.zeros((A, steps, len(SCALARS))),
        x=data.x,
        sixth=data.strength**6,
        lends=data.lends,
    )


@njit(nogil=True, cache=True, error_model="numpy")
def see_row(seen: Maxima, Xi: np.ndarray, pull: np.ndarray, a: int, row: int, low: int) -> None:
    """A neuron of optimizer a, which is ``row`` of all, on the columns from ``low`` on; pull is −(3/N) y ℓ of each."""
    high = low + Xi.size
    rise, top = seen.rise[row, low:high], seen.top[row, low:high]
    star, less, more = seen.star[a, low:high], seen.relief[0, a, low:high], seen.relief[1, a, low:high]
    for k in range(Xi.size):
        x, force = abs(Xi[k]), -2 * pull[k] * Xi[k]
        left = force + (-less[k] if x == star[k] else more[k] * abs(force))
        rise[k] = left if left > rise[k] else rise[k]
        top[k] = x if x > top[k] else top[k]


@njit(nogil=True, cache=True, error_model="numpy")
def see_columns(seen: Maxima, Xi: np.ndarray, a: int, low: int) -> None:
    """Sums and maxima over the rows Xi of optimizer a, on the columns from ``low`` on."""
    high = low + Xi.shape[1]
    total, best = seen.total[a, low:high], seen.best[a, low:high]
    total[:] = 0
    best[:] = 0
    for r in range(Xi.shape[0]):
        row = Xi[r]
        for k in range(row.size):
            x = abs(row[k])
            total[k] += x * x * x
            best[k] = x if x > best[k] else best[k]


@njit(nogil=True, cache=True, error_model="numpy")
def see_samples(
    seen: Maxima, a: int, Q: int, ell: np.ndarray, cubed: np.ndarray, c: np.ndarray, first: int, end: int
) -> None:
    """Relief of samples first … end − 1, from `see_columns`.

    Args:
        seen, a: what is seen, of which optimizer. Q: patches of a sample.
        ell, cubed: (N,). c: (m,). first, end: the samples.
    """
    quartic, N = 0.0, cubed.size
    for r in range(c.size):
        quartic += c[r] ** 4
    for i in range(first, end):
        place, total = i * Q, 0.0
        for k in range(i * Q, (i + 1) * Q):
            total += seen.total[a, k]
            place = k if seen.best[a, k] > seen.best[a, place] else place
            seen.star[a, k], seen.relief[0, a, k], seen.relief[1, a, k] = math.inf, 0.0, 0.0
        seen.costs[a, i] = 0.0
        best = seen.best[a, place]
        largest = best * best * best
        rest = max(total - largest, 0.0) + FLOOR * largest
        signal = abs(cubed[i]) * math.sqrt(quartic)
        if seen.lends[i] > 0 and rest < largest and signal <= SIGNAL * best * best:
            own, h = 9 * ell[i] * (1 - ell[i]) / N, SHARE * (1 - rest / largest)
            for k in range(i * Q, (i + 1) * Q):
                seen.relief[1, a, k] = h
            seen.star[a, place] = best  # alone, or R were as large
            seen.relief[0, a, place] = own * best * largest / (1 + (1.5 * (1 - ell[i]) * rest / h + TAKEN))
            seen.costs[a, i] = 2 * own * signal * signal / TAKEN


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
def _sums(
    seen: Maxima, cubed: np.ndarray, ell: np.ndarray, best: np.ndarray, total: np.ndarray, out: np.ndarray
) -> None:
    """Σ ℓ s³, Σ w s⁶, max w Σ Ξ⁴ and Σ_i w_i (Σ_j ‖Ξ_ij²‖‖x_ij‖)², w = ℓ(1 − ℓ), without 1/N."""
    Q = seen.x.size // cubed.size
    moment, sixth, trace, most = 0.0, 0.0, 0.0, 0.0
    for i in range(cubed.size):
        weight, length = ell[i] * (1 - ell[i] + COMPLEMENT), 0.0
        moment += cubed[i] * ell[i]
        sixth += weight * seen.sixth[i]
        for k in range(i * Q, (i + 1) * Q):
            fourth = best[k] * total[k]
            length += math.sqrt(fourth) * seen.x[k]
            most = max(most, weight * fourth)
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
    _sums(seen, cubed, ell, seen.best[a], seen.total[a], out)
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
    lent = 0.0
    for i in range(N):
        lent += seen.costs[a, i]
        seen.ell[a, i] = max(seen.ell[a, i], ell[i])
        if small[i]:
            lowest = min(lowest, memorization[i])
    out[4], out[3], out[2] = out[3] / N, out[2] / N, out[1] / N * quartic
    out[0], out[1], out[5], out[6], out[7] = signal, down, highest, lowest, lent
