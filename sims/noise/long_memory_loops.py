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
def fourth(u, drawn, sizes, most, sums):
    """Adds the mean of z⁴ − 6z² + 3 over batches to ``sums``, z = Σu/√B.

    Of at most ``most`` pieces, each the sum of a few samples. Batch i of set j has the pieces i + q²(2j + 1), q = 0, 1,
    …, counted around: of a set, two batches hardly ever share more than one.
    """
    for b in range(sizes.size):
        B = sizes[b]
        each = min(B, 8)
        part = B // each
        count = min(drawn.size // part, most)
        pieces = np.zeros(count)
        for i in range(count):
            for k in range(i * part, (i + 1) * part):
                pieces[i] += u[drawn[k]]
        total = 0.0
        sets = min(max(B // 4, 1), 16)
        for j in range(sets):
            for i in range(count):
                x = 0.0
                for q in range(each):
                    at = i + q * q * (2 * j + 1)
                    x += pieces[at if at < count else at - count]
                square = x * x / B
                total += square * (square - 6) + 3
        sums[b] += total / (sets * count)
