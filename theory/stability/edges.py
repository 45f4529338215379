r"""Step sizes at which the gap of SGD with momentum ceases to be bounded on convex quadratics, velocity form.

**Cyclic order**, one sample with h = L in n, the others flat (`cyclic_edge`). The matrix of an epoch is M_L M_0^{n−1},
of determinant γⁿ and trace 1 + γⁿ − ηL(1 − γⁿ)/(1 − γ): a kick travels (1 − γⁿ)/(1 − γ) before the next visit. By
Jury's conditions both eigenvalues are inside of the unit circle iff

    ηL < E_cyc = 2(1 − γ)(1 + γⁿ)/(1 − γⁿ).

n = 1 is the heavy ball's 2(1 + γ), n → ∞ is 2(1 − γ), γ → 1 is 4/n. The gap goes from (0, 0) about the fixed point
(Δ, 0), which is no eigenvector of an epoch: above the edge it is unbounded.

**Random order** with replacement, any distribution of h with h̄ = E h > 0 and m₂ = E h² (`mean_square_edge`). At an
eigenvalue 1 of the matrix of (X, C, Y) = (E D², E DV, E V²), rows 1 − 2 and 2 − 3 say C = ηh̄X/(1 + γ) and
Y = 2ηh̄X/(1 + γ), and the row of Y then

    η = E_ms = 2h̄(1 − γ²)/((1 + γ)m₂ − 2γh̄²).

The map S → E M S Mᵀ keeps the cone of positive semidefinite matrices, so its spectral radius is itself an eigenvalue
(Krein & Rutman): the radius can be 1 only at η = 0 and at E_ms. For small η > 0 it is 1 − 2ηh̄/(1 − γ) + O(η²) < 1, for
large η above 1. So E D² stays bounded for 0 < η < E_ms. Above it does not, whatever the data: the gap from step 0 and
that from step 1 on differ by what one kick b ∝ (1, 1) leaves, whose second moment is T^t(bbᵀ), and a left eigenmatrix
P ⪰ 0 of the radius with bᵀPb = 0 would vanish at M_h b too, and so be 0, as b and M_h b are independent. At E_ms itself
either may be. With a share q of h = L and the others flat ηL = 2(1 − γ²)/(1 + γ − 2γq), for γ → 1 about
2(1 − γ)/(1 − q).

**Mean.** E D in random order feels only h̄ (`mean_edge`): its edge is ηh̄ = 2(1 + γ).

**Consequences.** For 0 < γ < 1 and n ≥ 2 (q = 1/n ≤ ½) both edges are below 2, SGD's own. In the average form
η̄ = η/(1 − γ) (`effective`) they are 2h̄(1 + γ)/((1 + γ)m₂ − 2γh̄²) ≥ 2h̄/m₂ and, on the cycle, 2(1 + γⁿ)/(1 − γⁿ) ≥ 2:
at equal effective step momentum never shrinks the stable range.

**Range of momentum** (`momentum_range`). For fixed η with ηm₂ ≤ 2h̄, η < E_ms is
g(γ) = 2h̄γ² + η(m₂ − 2h̄²)γ + ηm₂ − 2h̄ < 0; g is convex, g(0) ≤ 0 and g(1) = 2η(m₂ − h̄²) ≥ 0, so the range is
0 < γ < γ_max, its larger root; γ_max = 1 iff all curvatures are equal: then no momentum is too large.

All derived here. Numbers, or arrays of any library, that broadcast.
"""

from __future__ import annotations

__all__ = [
    "cyclic_edge",
    "effective",
    "heavy_ball_edge",
    "mean_edge",
    "mean_square_edge",
    "momentum_range",
    "share_edge",
]

from typing import Any

Array = Any


def heavy_ball_edge(gamma: Array) -> Array:
    """ηL of the heavy ball on one quadratic: 2(1 + γ)."""
    return 2 * (1 + gamma)


def cyclic_edge(gamma: Array, n: Array) -> Array:
    """ηL below which the gap stays bounded in cyclic order, one curved sample in n ≥ 1; 0 ≤ γ < 1."""
    power = gamma**n
    return 2 * (1 - gamma) * (1 + power) / (1 - power)


def mean_square_edge(gamma: Array, mean: Array, square: Array) -> Array:
    """η below which E D² stays bounded in random order; mean h̄ > 0 and square m₂ ≥ h̄² of h, 0 ≤ γ < 1."""
    return 2 * mean * (1 - gamma * gamma) / ((1 + gamma) * square - 2 * gamma * mean * mean)


def share_edge(gamma: Array, share: Array) -> Array:
    """ηL of `mean_square_edge` where a share q in (0, 1] of the samples has h = L, and the others are flat."""
    return 2 * (1 - gamma * gamma) / (1 + gamma - 2 * gamma * share)


def mean_edge(gamma: Array, mean: Array) -> Array:
    """η below which the mean gap E D stays bounded in random order: 2(1 + γ)/h̄."""
    return 2 * (1 + gamma) / mean


def effective(eta: Array, gamma: Array) -> Array:
    """η̄ = η/(1 − γ), the step size of the average form with the same runs."""
    return eta / (1 - gamma)


def momentum_range(eta: Array, mean: Array, square: Array) -> Array:
    """γ_max at a step size with ηm₂ ≤ 2h̄: E D² stays bounded for 0 < γ < γ_max; 1 where all curvatures are equal."""
    b = eta * (square - 2 * mean * mean)
    return (-b + (b * b - 8 * mean * (eta * square - 2 * mean)) ** 0.5) / (4 * mean)
