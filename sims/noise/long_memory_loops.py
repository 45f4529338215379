"""The loops of `sims.noise.long_memory` as machine code."""

from __future__ import annotations

__all__ = ["averages", "first_passages", "fourth"]

import numpy as np

from lemmascope.sims.cubic_cnn.backends.machine_code import njit


@njit(nogil=True, cache=True)
def first_passages(noise, scales, a, L, found):
    """Steps until |x| ≥ L, to ``found`` (scales, paths); 0 where a path (paths, n) stays inside."""
    keep = 1 - a
    for j in range(scales.size):
        s = scales[j]
        for path in range(noise.shape[0]):
            x = 0.0
            found[j, path] = 0.0
            for t in range(noise.shape[1]):
                x = keep * x + s * noise[path, t]
                if abs(x) >= L:
                    found[j, path] = t + 1.0
                    break


@njit(nogil=True, cache=True)
def averages(xi, start, gamma, out):
    """v ← γv + (1 − γ)ξ of every series, to ``out`` (series, n)."""
    fresh = 1 - gamma
    for k in range(xi.shape[0]):
        v = start[k]
        for t in range(xi.shape[1]):
            v = gamma * v + fresh * xi[k, t]
            out[k, t] = v


@njit(nogil=True, cache=True)
def fourth(u, drawn, sizes, quarter_count, sums):
    """Adds the mean of z⁴ − 6z² + 3 over batches to ``sums``, z = Σu/√B.

    Batch j of quarter i has the quarters i, i + j + 1, i + 7j + 101 and i + 13j + 1001, counted around: all different. Of small batches
    there are no more quarters than ``quarter_count``, which is enough.
    """
    for b in range(sizes.size):
        B = sizes[b]
        part = max(B // 4, 1)
        count = min(drawn.size // part, quarter_count)
        quarters = np.zeros(count)
        for i in range(count):
            for k in range(i * part, (i + 1) * part):
                quarters[i] += u[drawn[k]]
        total = 0.0
        sets = min(part, 16)
        for j in range(sets):
            for i in range(count):
                x = quarters[i]
                if B > 1:
                    x += quarters[(i + j + 1) % count] + quarters[(i + 7 * j + 101) % count]
                    x += quarters[(i + 13 * j + 1001) % count]
                square = x * x / B
                total += square * (square - 6) + 3
        sums[b] += total / (sets * count)
