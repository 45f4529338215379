r"""How much of the positive part of the Hessian takes from the negative one (derived).

The positive semidefinite sum Σ_i w_i g_i g_iᵀ, w_i = ℓ_i(1 − ℓ_i)/N, acts where the loss curves down: a sample that one
neuron memorizes has its g_i mostly along that neuron's patch. For a direction v let a_κ = 3Ξ_κ²⟨x_κ, v_r⟩ for κ = (r,
j), y_i aside, and b the signal's part; let * be the κ with the largest |Ξ_κ|. For any θ in (0, 1], and any t_κ, t_b > 0
of sum T or less,

    (Σ_κ a_κ + b)² ≥ (1 − θ) a_*² − (1/θ − 1)(Σ_{κ≠*} a_κ + b)²,
    (Σ_{κ≠*} a_κ + b)² ≤ T (Σ_{κ≠*} a_κ²/t_κ + b²/t_b).

With t_κ = Ξ_κ² these are again sums of ⟨x_κ, v_r⟩²: D_* is smaller by 9w_i(1 − θ)Ξ_*⁴, and each other D_κ larger by
9w_i(1/θ − 1)TΞ_κ². As b² ≤ 9s_i⁶ Σ_r c_r⁴ |v_s|², up to the signal patch's own rounding, t_b = |s_i|³(Σ_r c_r⁴)^½ gives
9w_i(1/θ − 1)T t_b to the block along w*; twice that is more than enough. T has a floor of Ξ_*²/16 for its rounding and
so that θ ≥ 1/4, and θ = √T/|Ξ_*|, at most 1.

Samples whose signal is large lend nothing, as they would take too much along w*: `lenders`.
"""

from __future__ import annotations

__all__ = ["FLOOR", "lenders", "net"]

from typing import Any

from array_api_compat import array_namespace

Array = Any

FLOOR = 1 / 16
MOST = 2.0**-6
"""Of |s|³, over the largest of them, of a sample that lends."""


def lenders(strength: Array) -> Array:
    """(N,) 1 of the samples that lend, 0 of the others; of all where there is no signal."""
    xp = array_namespace(strength)
    size = xp.abs(strength) ** 3
    return xp.astype(size <= MOST * xp.max(size), strength.dtype)


def net(rise: Array, Xi: Array, c: Array, weight: Array, lends: Array, strength: Array) -> tuple[Array, Array]:
    """What is left of D (m, n), signed; and what the block along w* has to bear.

    Args:
        rise: (m, n) D. Xi: (m, n). c: (m,). weight: (N,) w_i. lends, strength: (N,).
    """
    xp = array_namespace(Xi)
    m, n = Xi.shape
    N = weight.shape[0]
    squares = xp.reshape(xp.permute_dims(xp.reshape(Xi * Xi, (m, N, n // N)), (1, 0, 2)), (N, -1))  # (N, m Q)
    star = xp.argmax(squares, axis=1)
    starred = xp.arange(squares.shape[1])[None, :] == star[:, None]
    top = xp.max(squares, axis=1)
    signal = xp.abs(strength) ** 3 * xp.sqrt(xp.sum(c * c * c * c))
    T = xp.sum(xp.where(starred, xp.zeros_like(squares), squares), axis=1) + signal + FLOOR * top
    safe = xp.where(top > 0, top, xp.ones_like(top))
    theta = xp.where((lends > 0) & (top > T), xp.sqrt(T / safe), xp.ones_like(T))
    own, others = 9 * weight * (1 - theta), 9 * weight * (1 / theta - 1) * T
    change = xp.where(starred, -own[:, None] * squares * squares, others[:, None] * squares)
    change = xp.reshape(xp.permute_dims(xp.reshape(change, (N, m, n // N)), (1, 0, 2)), (m, n))
    return rise + change, 2 * xp.sum(others * signal)
