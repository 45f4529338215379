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
    """Adds the mean of z⁴ − 6z² + 3 − 4κz over batches to ``sums``, z = Σu/√B, κ its third moment.

    Of at most ``most`` pieces, each the sum of a few samples. Batch i of a set has one piece of each eighth of them, i
    places after one that a linear congruential generator chose, counted around: two batches hardly ever share two.
    """
    third = np.mean(u**3)
    for b in range(sizes.size):
        B = sizes[b]
        each = min(B, 8)
        part = B // each
        count = min(drawn.size // part, most)
        pieces = np.zeros(count)
        for i in range(count):
            for k in range(i * part, (i + 1) * part):
                pieces[i] += u[drawn[k]]
        total, chosen = 0.0, 1
        eighth = count // 8
        places = np.empty(each, np.int64)
        sets = min(max(B // 4, 1), 16)
        for _ in range(sets):
            for q in range(each):
                chosen = (1103515245 * chosen + 12345) % 2147483648
                places[q] = q * eighth + (chosen // 65536) % eighth
            for i in range(count):
                x = 0.0
                for q in range(each):
                    at = i + places[q]
                    x += pieces[at if at < count else at - count]
                square = x * x / B
                total += square * (square - 6) + 3 - 4 * third * x / B
        sums[b] += total / (sets * count)
