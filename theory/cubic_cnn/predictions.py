r"""What the theory predicts: hitting times, thresholds, where each statement stops holding.

All are derived (theory sections 5–7), none is a constant of the paper. Times are in units of η·iterations
unless a function says otherwise; thresholds are in the units of the coefficients.
"""

from __future__ import annotations

__all__ = [
    "coasting_distance",
    "first_steps",
    "large_margin_loss",
    "largest_noise",
    "memorization_clock",
    "memorization_scale",
    "overshoot_rate",
    "signal_threshold",
    "start_error",
    "start_size",
    "tensor_power_bounds",
]

import math
from typing import Any

from lemmascope.theory.cubic_cnn.parameters import Parameters


def signal_threshold(p: Parameters) -> float:
    """The coefficient at which the large-margin samples count as learnt, 1/(2α): T₀ is when max c passes it."""
    return 1 / (2 * p.alpha)


MEMORIZATION_THRESHOLD = 0.5
"""T₁ is the first iteration at which every small-margin sample has y_i Σ_j Σ_r Ξ³ ≥ 1/2."""


def memorization_scale(p: Parameters) -> float:
    """The time scale of memorization by GD, η T₁ ~ N / (σ₀ σ³ d^{3/2}), in η·iterations (derived).

    A noise coefficient of typical size σ₀σ√d grows by Ξ̇ = (3/N) K_kk ℓ Ξ² with K_kk ≈ σ²d.
    """
    return p.N / (p.sigma_0 * p.sigma**3 * p.d**1.5)


def memorization_clock(p: Parameters) -> float:
    """About the time ηT₁ in which GD memorizes the median small-margin sample, in η·iterations (derived).

    Its largest coefficient of the label's sign is, as a median, ξ = σ₀σ√d Φ⁻¹(2^{−1/(m(P−1))}), and grows from there to
    ξ³ = 1/2 by ξ̇ = (1.5/N) σ²d ξ², alone and with ℓ = 1/2, in (1/ξ − 2^{1/3}) N/(1.5σ²d). Infinite where ξ is not
    positive.
    On `HEADLINE` it says 911, and 676 to 744 were measured: cross terms help.
    """
    from scipy.special import ndtri

    xi = p.sigma_0 * p.sigma * math.sqrt(p.d) * float(ndtri(2 ** (-1 / (p.m * (p.P - 1)))))
    if xi <= 0:
        return math.inf
    return max(1 / xi - 2 ** (1 / 3), 0.0) * p.N / (1.5 * p.sigma**2 * p.d)


def first_steps(p: Parameters, eta: float) -> tuple[float, float]:
    r"""The first step of the feature and of the noise, each relative to the size of a typical coefficient (derived).

    At the start ℓ = 1/2. With c = σ₀ the feature takes 3η(α³ν₁ + β³ν₂)c², relative to c

        (3/2) η σ₀ ((1 − μ)α³ + μβ³).

    With Ξ = σ₀σ√d and K_kk ≈ σ²d the noise takes (3/N) η K_kk ℓ Ξ², relative to Ξ

        (3/2) η σ₀ σ³d^{3/2} / N.

    A step that is large beside its coefficient leaps. Which of the two leaps first does not depend on η or σ₀: the
    noise if σ is above `largest_noise`, and then a smaller η only has the patches memorized before the feature is
    learnt.
    """
    common = 1.5 * eta * p.sigma_0
    return common * _pull(p), common * (p.sigma * math.sqrt(p.d)) ** 3 / p.N


def largest_noise(p: Parameters) -> float:
    """The σ at which both of `first_steps` are the same, (N ((1 − μ)α³ + μβ³))^{1/3} / √d (derived)."""
    return (p.N * _pull(p)) ** (1 / 3) / math.sqrt(p.d)


def _pull(p: Parameters) -> float:
    return (1 - p.mu) * p.alpha**3 + p.mu * p.beta**3


def large_margin_loss(p: Parameters) -> float:
    """L₁(0) = (1 − μ) log 2, the large-margin share of the loss at small initialization."""
    return (1 - p.mu) * math.log(2)


def coasting_distance(p: Parameters, eta: float, gamma: float) -> float:
    """How far the feature coasts once Z₁ is fitted, √(2 η L₁(0) / (1 − γ)) (derived: energy of a heavy ball).

    Valid where friction and discretization are weak, η (1 − γ) α² ≲ 1, and where the start is small (`start_error`).
    """
    return math.sqrt(2 * eta * large_margin_loss(p) / (1 - gamma))


SMALL_START = 0.5
"""The largest `start_size` for which the coasting law is claimed: `start_error` is then at most 0.046."""


def start_size(p: Parameters, c_0: Any, axis: Any = -1) -> Any:
    """The size α‖c(0)‖₃ of the start, α (Σ_r |c_r(0)|³)^{1/3}, over the neurons along ``axis`` (a name, of labels)."""
    return p.alpha * (abs(c_0) ** 3).sum(axis) ** (1 / 3)


def start_error(s: float) -> float:
    r"""How far the coasting law is off at most, relatively, for a start of size s and not of 0 (derived).

    The law spends the loss L₁(0) = (1 − μ) log 2 of c = 0. What is there is (1 − μ) log(1 + e^{−u}) with
    u = α³ Σ_r c_r(0)³, so that the coast is √log₂(1 + e^{−u}) of the law's. That falls in u, and |u| ≤ s³: the ends ±s³
    are the worst. At s = 1/2 they are 4.5 % and 4.6 % off; u = 1 is off by a third, u = 1.5³ by a factor of 4.5,
    u = 2.2³ by one of 170.
    """
    most, least = (math.sqrt(math.log1p(math.exp(-u)) / math.log(2)) for u in (-(s**3), s**3))
    return max(most - 1, 1 - least)


def overshoot_rate(p: Parameters) -> float:
    r"""The learning rate 1/(4αβ), below which one step of GD near c ≈ 1/α stays well short of 1/β (derived).

    One step of a single neuron moves c by 3ηα³ν₁c² = 3ηα (1 − μ) s² / (1 + e^{s³}) at c = s/α, which is at most
    0.81 ηα (1 − μ) over all s. At η = 1/(4αβ) that is 0.2 (1 − μ)/β.
    """
    return 1 / (4 * p.alpha * p.beta)


def tensor_power_bounds(z_0: float, v: float, a: float, A: float) -> tuple[float, float]:
    r"""Earliest and latest first time with z_t ≥ v of z_{t+1} = z_t + A_t z_t², 0 < a ≤ A_t ≤ A, 0 < z_0 ≤ v.

    (1/z_0 − 1/v)/A ≤ τ ≤ ⌈(1/z_0 − 1/v)/a + log(v/z_0)⌉, in iterations.

    Proof. Lower: 1/z_t − 1/z_{t+1} = A_t/(1 + A_t z_t) ≤ A, so 1/z_τ ≥ 1/z_0 − Aτ; and 1/z_τ ≤ 1/v.
    Upper: φ(z) = log z − 1/(a z) increases, so φ(z_{t+1}) ≥ φ(z_t + a z_t²); with x = a z_t,
    φ(z + a z²) − φ(z) = 1/(1 + x) + log(1 + x) ≥ 1, as log(1 + x) ≥ x/(1 + x). Since z_{τ−1} < v,
    φ(z_0) + τ − 1 ≤ φ(z_{τ−1}) < φ(v), hence τ < φ(v) − φ(z_0) + 1. ∎
    """
    gap = 1 / z_0 - 1 / v
    return gap / A, math.ceil(gap / a + math.log(v / z_0))
