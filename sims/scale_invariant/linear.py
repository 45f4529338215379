r"""The Rayleigh quotient beside its linearisation on the same noise, whose mean loss is known exactly.

Near the minimum a coordinate of w̄ of curvature h follows x⁺ = (1 − η_eff h)x − η_eff σξ/√d. With the η_eff of |w|² as
it would be for a constant |ĝ|, E x² is a recursion of one number; and the loss less that of its companion varies some
four times less than the loss.
"""

from __future__ import annotations

__all__ = ["beside", "effective_steps"]

from collections.abc import Sequence
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.backends.machine_code import njit
from lemmascope.sims.noise.draws import blocks
from lemmascope.sims.scale_invariant.plan import Case, check_times
from lemmascope.sims.scale_invariant.runs import engine
from lemmascope.theory.scale_invariant.losses import Rayleigh, curvatures


def effective_steps(case: Case, length: float, steps: int) -> np.ndarray:
    """η/G_t (steps,) of SGD where |ĝ| is constant, by G⁺ = a²G + η²|ĝ|²/G."""
    G, found = case.start, np.empty(steps)
    for t in range(steps):
        found[t] = case.eta / G
        G = (1 - case.eta * case.decay) ** 2 * G + (case.eta * length) ** 2 / G
    return found


@njit(nogil=True, cache=True)
def _advance(h, rates, scale, noise, times, first, x, square, seen, exact):
    row = np.searchsorted(times, first + 1)
    for t in range(noise.shape[1]):
        rate = rates[first + t]
        for replica in range(x.shape[0]):
            y, xi = x[replica], noise[replica, t]
            for k in range(h.size):
                y[k] = (1 - rate * h[k]) * y[k] - rate * scale * xi[k + 1]
        for k in range(h.size):
            square[k] = (1 - rate * h[k]) ** 2 * square[k] + (rate * scale) ** 2
        if row < times.size and first + t + 1 == times[row]:
            for k in range(h.size):
                exact[row] += h[k] * square[k] / 2
                for replica in range(x.shape[0]):
                    seen[replica, row] += h[k] * x[replica, k] ** 2 / 2
            row += 1


def beside(
    loss: Rayleigh,
    case: Case,
    d: int,
    rngs: Sequence[np.random.Generator],
    times: Sequence[int],
    backend: str = "auto",
    xp: Any = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """L and its companion's ½Σhx² of each replica (replicas, times), and the companion's mean (times,).

    SGD from the minimum, x = 0, on the same noise.

    Args:
        loss, case: what runs, without momentum; d: weights, of which x are d − 1.
        rngs, times, backend, xp: as of `runs.run`.

    Raises:
        InputError: as of `runs.run`.
    """
    times = check_times(times)
    w, h = np.zeros((len(rngs), d)), np.asarray(curvatures(np, d))[1:]
    w[:, 0] = 1
    running = engine(loss, [case], w, len(rngs), times, backend, xp)
    rates = effective_steps(case, loss.sigma * ((d - 1) / d) ** 0.5, times[-1])
    x, square = np.zeros((len(rngs), d - 1)), np.zeros(d - 1)
    seen, exact, at = np.zeros((len(rngs), len(times))), np.zeros(len(times)), np.array(times)
    for first, draws in blocks(rngs, times[-1], d, "normals"):
        running.advance(first, draws)
        _advance(h, rates, loss.sigma / d**0.5, np.ascontiguousarray(draws), at, first, x, square, seen, exact)
    return running.found()["loss"][0], seen, exact
