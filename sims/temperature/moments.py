r"""The stationary second moments of momentum on a quadratic, by linear equations that lose no digit at small steps.

For one mode, x' = x − v', v' = μv + ηhx + ηξ. Stationarity of E x'² says E v'² = 2 E xv', that of E xv and of E v²

    (1−μ) K + V − ηh X = 0,    V − 2μK − 2ηh X = 0,    (1−μ²) V − 2μηh K − (ηh)² X = η²s/B,

X = E x², K = E xv, V = E v² (derived). In the unknowns (ηhX, K, V) no coefficient is small, so a rate of 10⁻⁷ costs no
digit; the covariance equations of a general solver hold 1 − ηh, which forgets it.
"""

from __future__ import annotations

__all__ = ["mode_variance", "whole_covariance"]

from typing import Any

import numpy as np
from scipy.linalg import solve_discrete_lyapunov

Array = Any


def mode_variance(h: Array, s: Array, eta: Array, mu: Array, B: Array) -> np.ndarray:
    """X, the stationary variance of each mode, broadcast over all arguments; NaN where it is not stable."""
    h, s, eta, mu, B = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (h, s, eta, mu, B)))
    pull = eta * h
    zero = np.zeros_like(pull)
    left = np.stack(
        [
            np.stack([zero - 1, 1 - mu, zero + 1], axis=-1),
            np.stack([zero - 2, -2 * mu, zero + 1], axis=-1),
            np.stack([-pull, -2 * mu * pull, 1 - mu**2], axis=-1),
        ],
        axis=-2,
    )
    right = np.stack([zero, zero, eta**2 * s / B], axis=-1)
    stable = (pull > 0) & (pull < 2 * (1 + mu))
    left[~stable] = np.eye(3)
    found = np.linalg.solve(left, right[..., None])[..., 0, 0] / np.where(pull > 0, pull, 1.0)
    return np.where(stable, found, np.nan)


def whole_covariance(h: np.ndarray, S: np.ndarray, eta: float, mu: float, B: float) -> np.ndarray:
    """C (d, d) by SciPy's discrete Lyapunov solver, for all modes at once; h (d,), S (d, d)."""
    d = h.size
    identity, H = np.eye(d), np.diag(h)
    M = np.block([[identity - eta * H, -mu * identity], [eta * H, mu * identity]])
    g = eta * np.vstack([-identity, identity])
    return solve_discrete_lyapunov(M, g @ (S / B) @ g.T)[:d, :d]
