r"""How much of the positive part of the Hessian takes from the negative one (derived).

The positive semidefinite sum Σ_i w_i g_i g_iᵀ, w_i = ℓ_i(1 − ℓ_i)/N, acts where the loss curves down: a sample that one
neuron memorizes has its g_i mostly along that neuron's patch. For a direction v let a_κ = 3Ξ_κ²⟨x_κ, v_r⟩ for κ = (r,
j), y_i aside, and b the signal's part; let * be the κ with the largest |Ξ_κ|. For any ε_κ, ε_b > 0 let G = Σ_{κ≠*}
9w_iΞ_κ⁴/ε_κ + 9w_is_i⁶Σ_r c_r⁴/ε_b. Then, by Cauchy and Schwarz, and as (a + z)² + z²/G is least at z = −aG/(1 + G),

    w_i(Σ_{κ≠*} a_κ + b)² ≤ G (Σ_{κ≠*} ε_κ⟨x_κ, v_r⟩² + ε_b|v_s|²),
    w_i(Σ_κ a_κ + b)² ≥ w_ia_*²/(1 + G) − Σ_{κ≠*} ε_κ⟨x_κ, v_r⟩² − ε_b|v_s|²,

where b² ≤ 9s_i⁶ Σ_r c_r⁴ |v_s|², up to the signal patch's own rounding, for which twice ε_b is more than enough. All of
these are sums of ⟨x_κ, v_r⟩²: D_* is smaller by 9w_iΞ_*⁴/(1 + G), each other D_κ larger by ε_κ, and the block along w*
bears ε_b. Any ε are right. With ε_κ = h|D_κ|, |D_κ| = (6/N)ℓ_i|Ξ_κ|, and ε_b = 16 · 9w_is_i⁶Σ_r c_r⁴,

    G = (3/2)(1 − ℓ_i)R/h + 1/16,      R = Σ_{κ≠*} |Ξ_κ|³,

so others grow by the part h only, and where y_iΞ_κ < 0 at no price at all. h = (1 − R/|Ξ_*|³)/4 is small where a
second neuron is as far, whose D counts too; for R ≥ |Ξ_*|³ there is no relief. R has a floor of 2⁻²⁰|Ξ_*|³ for its
rounding.

Samples whose signal is large lend nothing, as they would take too much along w*: `lenders`, and those with |s_i|³
(Σ_r c_r⁴)^½ > Ξ_*²/8.
"""

from __future__ import annotations

__all__ = ["FLOOR", "SHARE", "SIGNAL", "TAKEN", "lenders", "net"]

from typing import Any

from array_api_compat import array_namespace

Array = Any

FLOOR = 2.0**-20
SHARE = 1 / 4
"""h, where no other Ξ is."""
TAKEN = 1 / 16
"""What the signal adds to G."""
SIGNAL = 1 / 8
"""|s|³(Σc⁴)^½ over Ξ_*² of a sample that lends, at most."""
MOST = 2.0**-6
"""Of |s|³, over the largest of them, of a sample that lends."""


def lenders(strength: Array) -> Array:
    """(N,) 1 of the samples that lend, 0 of the others; of all where there is no signal."""
    xp = array_namespace(strength)
    size = xp.abs(strength) ** 3
    return xp.astype(size <= MOST * xp.max(size), strength.dtype)


def net(Xi: Array, c: Array, y: Array, ell: Array, lends: Array, strength: Array) -> tuple[Array, Array]:
    """What is left of D (m, n), signed; and what the block along w* has to bear.

    Args:
        Xi: (m, n). c: (m,). y, ell, lends, strength: (N,).
    """
    xp = array_namespace(Xi)
    m, n = Xi.shape
    N = ell.shape[0]

    def samples(x: Array) -> Array:
        return xp.reshape(xp.permute_dims(xp.reshape(x, (m, N, n // N)), (1, 0, 2)), (N, -1))

    values = samples(Xi)  # (N, m Q)
    sizes, D = xp.abs(values), (6.0 / N) * (y * ell)[:, None] * values
    top = xp.max(sizes, axis=1)
    cubed = top * top * top
    rest = xp.clip(xp.sum(sizes * sizes * sizes, axis=1) - cubed, 0.0, None) + FLOOR * cubed
    signal = xp.abs(strength) ** 3 * xp.sqrt(xp.sum(c * c * c * c))
    taken = (lends > 0) & (rest < cubed) & (signal <= SIGNAL * top * top)
    h = xp.where(taken, SHARE * (1 - rest / xp.where(taken, cubed, xp.ones_like(top))), xp.zeros_like(top))
    G = 1.5 * (1 - ell) * rest / xp.where(taken, h, xp.ones_like(h)) + TAKEN
    own, nothing = 9 * ell * (1 - ell) / N, xp.zeros_like(h)
    star = taken[:, None] & (sizes == top[:, None])  # one of them, or R were as large
    left = xp.where(star, D - (own * top * cubed / (1 + G))[:, None], D + h[:, None] * xp.abs(D))
    left = xp.reshape(xp.permute_dims(xp.reshape(left, (N, m, n // N)), (1, 0, 2)), (m, n))
    return left, 2 * xp.sum(xp.where(taken, own * signal * signal / TAKEN, nothing))
