"""The moments of `theory.noise.valley.line_moments`, carried on for many steps: machine code of that very function."""

from __future__ import annotations

__all__ = ["advance", "line_path"]

from collections.abc import Sequence
from typing import Any

import numpy as np

from lemmascope.sims import stopping
from lemmascope.sims.cubic_cnn.backends.machine_code import njit
from lemmascope.theory.noise.valley import line_moments, rates

advance = njit(nogil=True, inline="always")(line_moments)
"""One step, for loops in machine code of a study's own."""

BLOCK = 2**24
"""Steps between two questions whether the task is given up."""


@njit(nogil=True, cache=True)
def _carry(x, V, Y, C, Q, gamma, kappa, p, s, q, steps):
    for _ in range(steps):
        x, V, Y, C, Q = advance(x, V, Y, C, Q, gamma, kappa, p, s, q)
    return x, V, Y, C, Q


def line_path(
    optimizer: Any, at: Sequence[int], *, x: float = 1.0, s: float = 1.0, q: float = 1.0, backend: str = "auto"
) -> np.ndarray:
    """(len(at), 5) x, V, Y, C, Q after so many steps from x, all else 0.

    Args:
        optimizer: a form of momentum (`theory.noise.valley.rates`).
        at: numbers of steps, increasing.
        x, s, q: start, label noise, share of x in the curvature.
        backend: "numpy" for plain Python's arithmetic, step by step; anything else for machine code.

    Raises:
        InputError: an optimizer that is no such form.
    """
    state: tuple[float, ...] = (float(x), 0.0, 0.0, 0.0, 0.0)
    rule = *map(float, rates(optimizer)), float(s), float(q)
    found, done = np.empty((len(at), len(state))), 0
    for row, count in enumerate(at):
        while done < count:
            stopping.check()
            steps = min(BLOCK, int(count) - done)
            if backend == "numpy":
                for _ in range(steps):
                    state = line_moments(*state, *rule)
            else:
                state = _carry(*state, *rule, steps)
            done += steps
        found[row] = state
    return found
