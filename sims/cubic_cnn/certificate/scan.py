"""The loop over a window's steps that carries the distance along; machine code where Numba is."""

from __future__ import annotations

__all__ = ["WIDER", "scan"]

import math
from functools import cache
from typing import Any

import numpy as np

from lemmascope.theory.cubic_cnn.certificate.radius import Steps
from lemmascope.theory.cubic_cnn.certificate.rounding import SLACK, TINY, UNIT

WIDER = 1 + 16 * UNIT
"""The roundings of a step, each of a sum of nonnegative numbers."""


def scan(size: np.ndarray, u: np.ndarray, theta: np.ndarray, of_theta: np.ndarray, each: Steps) -> np.ndarray:
    """Through the steps of a window; ``size`` (3, J), ``u`` and ``theta`` (3,) become those of its end.

    Returns:
        (R + 1, 3) |δθ| before, between and after the steps, of the whole, along w* and across.
    """
    radii = np.empty((len(each.factor) + 1, 3))
    rows = each.brought, each.stretch, each.shrink, each.drift, each.touch, each.rho_u, each.rho_theta
    _compiled()(size, u, theta, of_theta, each.factor, each.rho, *map(np.ascontiguousarray, rows), radii)
    return radii


@cache
def _compiled() -> Any:
    try:
        from lemmascope.sims.cubic_cnn.backends.machine_code import njit
    except ImportError:  # as the backends do without Numba
        return _scan
    return njit(nogil=True, cache=True, error_model="numpy")(_scan)


def _scan(
    size: Any,
    u: Any,
    theta: Any,
    of_theta: Any,
    factor: Any,
    rho: Any,
    brought: Any,
    stretch: Any,
    shrink: Any,
    drift: Any,
    touch: Any,
    rho_u: Any,
    rho_theta: Any,
    radii: Any,
) -> None:
    J = of_theta.size
    now = np.empty((3, J))
    now_u, now_theta = np.empty(3), np.empty(3)
    radii[0] = theta
    for step in range(factor.shape[0]):
        for part in range(3):
            other = 3 - part
            for j in range(J):
                found = factor[step, part, j] * size[part, j] + rho[step, part, j]
                if part > 0:
                    found += brought[step, j] * size[other, j]
                now[part, j] = found * WIDER
            new_u = drift[step, 0] * u[part] + stretch[step, part] * theta[part] + rho_u[step, part]
            new = drift[step, 1] * u[part] + shrink[step, part] * theta[part] + rho_theta[step, part]
            if part > 0:
                new_u += touch[step, 0] * theta[other]
                new += touch[step, 1] * theta[other]
            now_u[part], now_theta[part] = new_u * WIDER, new * WIDER
        for j in range(J):
            # The whole is at most the root of the blocks' squares, and each block at most the whole.
            now[0, j] = np.fmin(now[0, j], math.hypot(now[1, j], now[2, j]) * WIDER)
            now[1, j], now[2, j] = np.fmin(now[1, j], now[0, j]), np.fmin(now[2, j], now[0, j])
        for x in (now_u, now_theta):
            x[0] = np.fmin(x[0], math.hypot(x[1], x[2]) * WIDER)
            x[1], x[2] = np.fmin(x[1], x[0]), np.fmin(x[2], x[0])
        for part in range(3):
            least = math.inf
            for j in range(J):
                size[part, j] = now[part, j]
                least = np.fmin(least, now[part, j] * of_theta[j])
            u[part] = now_u[part]
            theta[part] = np.fmin(now_theta[part], least * SLACK + TINY)
        radii[step + 1] = theta
