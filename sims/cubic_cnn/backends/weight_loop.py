r"""The compiled loop in weight space: one pass over the patches an iteration.

A block of samples goes forward (⟨w_r, x⟩), through ℓ, and backward (Σ pull · x) while its rows are in the second-level
cache, and the next block is brought closer meanwhile. Samples are cut into `loops.CHUNKS` parts, each with a
gradient sum of its own, whatever the size of the team: so the result does not depend on it.
The signal patch c_i w* is not multiplied out: its part of the gradient is along w*.
"""

from __future__ import annotations

__all__ = ["BUILT_ON", "WeightData", "weight_loop"]

import math
from typing import Any, NamedTuple

import numpy as np

from lemmascope.sims.cubic_cnn.backends.loops import (
    CHUNKS,
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
from lemmascope.sims.cubic_cnn.backends.tiles import ROWS, VECTOR, barrier, dot_tile, outer_tile

BUILT_ON = "68205a1316ba"  # of loops.py, seen.py and tiles.py; see there
SAMPLES = 32  # rows of X in a block, so that a block and the weights fit a second-level cache
SPAN = 6144  # bytes of a row in a tile of dot products, so that the tile's rows of W stay in a first-level cache


class WeightData(NamedTuple):
    """The data of one seed."""

    X: Any  # (n + 4, columns) patches, sample by sample, padded with zeros
    w_star: Any  # (columns,), zeros where it is not known


@njit(nogil=True, cache=True, error_model="numpy")
def _weight_samples(
    w: Shared,
    seen: Maxima,
    data: WeightData,
    Q: int,
    m: int,
    chunk: int,
    first: int,
    end: int,
    z: np.ndarray,
    bits: np.ndarray,
    p: np.ndarray,
    softly: bool,
    peaks: np.ndarray,
) -> None:
    """One part of the samples: responses, ℓ and its sum of gradients, block by block while a block is in cache."""
    R, columns = w.theta.shape
    A, wide = w.c.size // m, 2 * VECTOR // w.theta.itemsize
    room = np.empty((4, max(1, SAMPLES)))
    per, span = max(1, SAMPLES // Q), SPAN // w.theta.itemsize
    w.sums[chunk] = 0
    for i in range(first, end, per):
        i_end = min(end, i + per)
        rows, base = (i_end - i) * Q, i * Q
        for low in range(0, columns, span):
            count = min(span, columns - low)
            for r in range(0, R, ROWS):
                for k in range(0, rows, 4):
                    dot_tile(w.theta, r, data.X, base + k, z, k, low, count, low > 0)
        for a in range(A):
            cubes = w.cubes[a, base : base + rows]
            cubes[:] = 0
            for r in range(a * m, (a + 1) * m):
                line = z[r]
                for k in range(rows):
                    cubes[k] += line[k] * line[k] * line[k]
            if softly:
                peaks[a] = max(peaks[a], largest(bits[a * m : (a + 1) * m], 0, rows))
        samples(w, m, Q, A, i, i_end, softly, room)
        for a in range(A):
            pull = w.pull[a, base : base + rows]
            for r in range(a * m, (a + 1) * m):
                line, out = z[r], p[r]
                for k in range(rows):
                    out[k] = pull[k] * line[k] * line[k]
        if seen.rows.size > 0:
            for a in range(A):
                own = slice(a * m, (a + 1) * m)
                see_columns(seen, z[own, :rows], a, base)
                see_samples(seen, a, Q, w.ell[a], w.cubed, w.c[own], i, i_end)
                for r in range(a * m, (a + 1) * m):
                    see_row(seen, z[r, :rows], w.pull[a, base : base + rows], a, r, base)
        here, ahead = base * columns, (base + rows) * columns
        pace = max(1, wide * ROWS // R)
        for column in range(0, columns, wide):
            for r in range(0, R, ROWS):
                outer_tile(p, r, data.X, here + column, columns, w.sums[chunk], column, rows, True, ahead, pace)
                ahead += rows * pace


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _weight_c(w: Shared, w_star: np.ndarray) -> None:
    """c_r = ⟨w_r, w*⟩."""
    for row in range(w.c.size):
        weights, c = w.theta[row], w.theta.dtype.type(0)
        for k in range(w_star.size):
            c += weights[k] * w_star[k]
        w.c[row] = c


@njit(nogil=True, cache=True, error_model="numpy")
def _weight_gradient(
    w: Shared, w_star: np.ndarray, row: int, signal: float, chunks: int, low: int, high: int, g: np.ndarray
) -> None:
    """The gradient for some columns of one row of W, into g: chunk by chunk, always in the same order."""
    theta, feature, decay = w.theta[row, low:high], w_star[low:high], g.dtype.type(w.numbers[0] * w.numbers[1])
    towards = g.dtype.type(signal * w.c[row] * w.c[row])
    for k in range(high - low):
        g[k] = decay * theta[k] + towards * feature[k]
    for chunk in range(chunks):
        part = w.sums[chunk, row, low:high]
        for k in range(high - low):
            g[k] += part[k]


@njit(nogil=True, cache=True, error_model="numpy")
def _finite_responses(w: Shared, data: WeightData, a: int, m: int, n: int) -> bool:
    for row in range(a * m, (a + 1) * m):
        for k in range(n):
            if not math.isfinite(np.dot(w.theta[row], data.X[k])):
                return False
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def weight_loop(
    member: int,
    team: int,
    data: WeightData,
    w: Shared,
    seen: Maxima,
    has_feature: bool,
    of_the_law: bool,
    Q: int,
    rates: np.ndarray,
    record: np.ndarray,
    start: int,
    stop: int,
    last: int,
) -> None:
    """Iterations start … stop − 1 in weight space; see `sims.cubic_cnn.backends.kernel`. Each member calls it."""
    R, columns = w.theta.shape
    N, m = w.y.size, w.theta_out.shape[2]
    A, d, wide = w.c.size // m, w.theta_out.shape[3], VECTOR // w.theta.itemsize
    low = min(d, columns // wide * member // team * wide)
    high = min(d, columns // wide * (member + 1) // team * wide)
    traced = w.trace.size > 0
    block = max(SAMPLES, Q) + 4
    z, p = np.zeros((R, block), w.theta.dtype), np.zeros((R, block), w.theta.dtype)
    bits = z.view(w.peak_bits.dtype)
    g = np.empty(high - low, w.theta.dtype)
    chunks = min(CHUNKS, N)
    kept = 0
    for t in range(start, stop):
        if member == 0 and has_feature:
            _weight_c(w, data.w_star)
        barrier(w.sync, team)
        w.peaks[member] = 0
        for chunk in range(member, chunks, team):
            first, end = N * chunk // chunks, N * (chunk + 1) // chunks
            _weight_samples(w, seen, data, Q, m, chunk, first, end, z, bits, p, traced, w.peak_bits[member])
        if seen.rows.size > 0:
            see_norms(seen, w.theta, w.u, member, team, d)
        barrier(w.sync, team)
        keep = kept < record.size and record[kept] == t
        step = rates[t - start] if rates.shape[0] > 1 else rates[0]
        for a in range(A):
            dead = diverged(w, a)
            if dead:
                if member == 0:
                    finite = _finite_responses(w, data, a, m, N * Q)
                    note_divergence(w, a, m, t, has_feature, finite)
                barrier(w.sync, team)
                silence(w.theta[a * m : (a + 1) * m], low, high)
                silence(w.u[a * m : (a + 1) * m], low, high)
                barrier(w.sync, team)
            if member == 0:
                look(w, a, m, t, t - start, team, has_feature, traced)
                if seen.rows.size > 0:
                    see_member(
                        seen, a, m, t - start, w.cubed, w.ell[a], w.small, w.memorization[a], w.c, w.tail, w.tail_u
                    )
            signal = signal_pull(w, a) if has_feature and of_the_law else 0.0
            for row in range(a * m, (a + 1) * m):
                if dead:
                    g[:] = 0
                elif keep or t < last:
                    _weight_gradient(w, data.w_star, row, signal, chunks, low, high, g)
                if keep:
                    put(w.theta_out[kept, a, row - a * m, low:high], w.theta[row, low:high])
                    put(w.grad_out[kept, a, row - a * m, low:high], g)
                if t < last:
                    take_step(w.theta[row, low:high], w.u[row, low:high], g, step[a])
        kept += keep
        barrier(w.sync, team)
