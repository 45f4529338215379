r"""The first step of a window at which a watched quantity has come to its threshold, between the nodes too.

Within a window the iterates, and so what is watched, are smooth functions of the step: polynomials, with powers of γ
beside them that fade over 1/(1 − γ) steps, and cubes of such sums. A piece of a window is looked at in `POINTS` + 1
Chebyshev–Lobatto points: with f = Σ_k a_k T_k through them, f ≤ a_0 + Σ_{k≥1} |a_k| all over the piece, of peaks
between the points too. A piece on which this stays below the threshold is left out; else it is halved, down to pieces
of `SHORT` steps that are looked at one by one. Around a peak that fails by a little the bound tightens with the square
of the length, so that what is left over shrinks from one halving to the next.

f is resolved where cubes of degree 10 are, by `POINTS` ≥ 30; what has not yet faded is cut into pieces of `MEMORY`
memory lengths before it is believed, and the last coefficients count as an error. Below `ROUNDING` of its size a
quantity is not told from its threshold.
"""

from __future__ import annotations

__all__ = ["first_reached"]

from collections.abc import Callable
from functools import lru_cache

import numpy as np

POINTS = 32
SHORT = 512
MEMORY = 4.0
FADED = 40.0  # memory lengths after which a power of γ is below rounding
ROUNDING = 1e-13
BLOCK = 64  # steps looked at in one call


@lru_cache(maxsize=1024)
def _points(length: int) -> tuple[list[int], np.ndarray]:
    """The points of [0, length], rounded to integers, and from values there to Chebyshev coefficients."""
    offsets = [round(length * (1 - np.cos(np.pi * k / POINTS)) / 2) for k in range(POINTS)] + [length]
    x = np.array([2 * offset / length - 1 for offset in offsets])
    return offsets, np.linalg.inv(np.polynomial.chebyshev.chebvander(x, POINTS))


def first_reached(
    above: Callable[[list[int]], np.ndarray], length: int, *, every: bool, size: float, fading: float
) -> int | None:
    """The first step of 0 … length at which the quantities have come to their threshold; None: at none of them.

    Args:
        above: from steps to (steps, quantities), the quantities less their threshold.
        length: of the window.
        every: whether all of the quantities must have reached it at the same step; else one of them is enough.
        size: of the threshold, which rounding is relative to.
        fading: −log γ, by which what has not yet faded is multiplied each step; 0 where nothing fades.
    """

    def reached(values: np.ndarray) -> np.ndarray:
        return np.all(values >= 0, axis=-1) if every else np.any(values >= 0, axis=-1)

    def one_by_one(low: int, high: int) -> int | None:
        for start in range(low + 1, high + 1, BLOCK):
            hits = reached(above(list(range(start, min(start + BLOCK, high + 1)))))
            if hits.any():
                return start + int(np.argmax(hits))
        return None

    def search(low: int, high: int) -> int | None:
        """The first in (low, high]; ``low`` itself has not reached it."""
        if high - low <= SHORT:
            return one_by_one(low, high)
        last = None
        if (high - low) * fading <= MEMORY or low * fading >= FADED:
            offsets, to_coefficients = _points(high - low)
            values = above([low + offset for offset in offsets])
            hits = reached(values)
            if hits.any():
                last = low + offsets[int(np.argmax(hits))]
            else:
                a = to_coefficients @ values
                rounding = ROUNDING * (size + np.max(np.abs(values), axis=0))
                most = a[0] + np.abs(a[1:]).sum(axis=0) + np.abs(a[-4:]).sum(axis=0) - rounding
                if (most < 0).any() if every else (most < 0).all():
                    return None
        end = high if last is None else last
        middle = (low + end) // 2
        if middle == low:
            return last
        found = search(low, middle)
        return found or search(middle, end) or last

    return 0 if reached(above([0]))[0] else search(0, length)
