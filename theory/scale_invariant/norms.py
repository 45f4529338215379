r"""The length of scale-invariant weights under decay and momentum: exact recursions, equilibria, how fast they come.

L(cw) = L(w) for c > 0 makes every gradient orthogonal to w, g = ĝ(w̄)/|w|. With G = |w|², a = 1 − ηλ:

**SGD**, w⁺ = aw − ηg: G⁺ = a²G + η²|ĝ|²/G, exactly. For a constant |ĝ| it has one fixed point, G*² = η²ĝ²/(1 − a²),
and G⁺ − G* = (G − G*)(a² − η²ĝ²/(GG*)), so that it contracts by 2a² − 1 there. At equilibrium a step turns w by
arccos a, as ⟨w, w⁺⟩ = a|w|². For small ηλ, (G²)' = −4ηλ(G² − G*²). A step moves w̄ by η_eff ĝ, η_eff = η/G, which tends
to √(2ηλ)/|ĝ|.

**Momentum**, v⁺ = βv + g, w⁺ = aw − ηv⁺ (SGDM) or w⁺ = aw − ηΠv⁺ (SGDP), s_t = ⟨w_t, v_{t+1}⟩, P_t = |v_t|² or |Πv_t|²:
s_t = β(as_{t−1} − ηP_t), and G⁺ = a²G − 2aηs_t + η²|v_{t+1}|² (SGDM), a²G + η²|Πv_{t+1}|² (SGDP), exactly. Without
decay G grows by η²Σ P_k[1 + 2β(1 − β^{T−k})/(1 − β)] (SGDM) or η²ΣP_k. For noise of constant |ĝ| and conditional mean
zero E|v|² = ĝ²/((1 − β²)G) while G stays what it is, |Πv|² = |v|² − s²/G, and a step moves w̄ by η_eff = η/((1 − β)G) in
all.

**Rayleigh's quotient** near its minimum: a coordinate of curvature h of w̄ follows x⁺ = (1 − η_eff h)x + η_eff σξ/√d,
whose ½hx² is η_eff σ²/(4d) for small η_eff, whatever h: E L = η_eff σ²(d − 1)/(4d), with |ĝ|² = σ²(d − 1)/d.

All derived here. The intrinsic learning rate is that of Li, Lyu & Arora (NeurIPS 2020), SGDP and AdamP are those of Heo
et al. (ICLR 2021).
"""

from __future__ import annotations

__all__ = [
    "LONG",
    "MOST",
    "START",
    "STEPS_SEEN",
    "TOLERANCE",
    "WIDE",
    "adam_growth",
    "angle",
    "contraction",
    "doubling",
    "effective",
    "equilibrium",
    "following",
    "growth",
    "level",
    "momentum_equilibrium",
    "relaxation",
    "square_at",
    "universal",
]

import math
from typing import Any

Array = Any

START, TOLERANCE = 0.25, 0.01
"""G₀/G*, and what G²/G*² is to be within of 1."""

LONG = 100
"""Of (1 − β)⁻², steps."""

STEPS_SEEN, WIDE = (50, 3000), 32
"""After which steps losses are compared; the dimension from which on the mean field is claimed."""

MOST = 0.5
"""ηλ is below."""


def _lost(eta_lambda: Array) -> Array:
    """1 − a² = ηλ(2 − ηλ), without cancellation."""
    return eta_lambda * (2 - eta_lambda)


def equilibrium(eta: Array, decay: Array, length: Array = 1.0) -> Array:
    """G* of SGD for |ĝ| = ``length``: η|ĝ|/√(1 − a²)."""
    return eta * length / _lost(eta * decay) ** 0.5


def contraction(eta_lambda: Array) -> Array:
    """By what G − G* is multiplied in a step, at G*: 2a² − 1."""
    return 1 - 2 * _lost(eta_lambda)


def angle(eta_lambda: float) -> float:
    """Radians by which a step at equilibrium turns w, arccos(1 − ηλ)."""
    return 2 * math.asin((eta_lambda / 2) ** 0.5)


def effective(eta_lambda: Array, length: Array = 1.0) -> Array:
    """η_eff at equilibrium to leading order in ηλ, whatever β: √(2ηλ)/|ĝ|."""
    return (2 * eta_lambda) ** 0.5 / length


def square_at(time: Array, ratio: Array, rate: float = 4.0) -> Array:
    """G²/G*² at ηλt = ``time`` from G₀ = ``ratio`` · G*, of the equation for small ηλ."""
    return 1 - (1 - ratio**2) * math.e ** (-rate * time)


def relaxation(eta_lambda: float, ratio: float, tolerance: float, rate: float = 4.0) -> float:
    """Steps until |G²/G*² − 1| ≤ ``tolerance`` by the same equation, from G₀ = ``ratio`` · G*; 0 if it is so."""
    return max(math.log(abs(ratio**2 - 1) / tolerance), 0.0) / (rate * eta_lambda) if ratio != 1 else 0.0


def following(time: Array, ratio: Array, rate: float = 4.0) -> Array:
    """G*/G at ηλt = ``time``, which the loss follows once w̄ is fast: (G²/G*²)^{−1/2}."""
    return square_at(time, ratio, rate) ** -0.5


def level(eta_lambda: Array, sigma: Array, d: Array) -> Array:
    """E L of the Rayleigh quotient at equilibrium, √(2ηλ) σ √((d − 1)/d)/4."""
    return effective(eta_lambda) * sigma * ((d - 1) / d) ** 0.5 / 4


def growth(beta: Array, projected: bool) -> Array:
    """(G_T − G₀)/(η² Σ P_k) without decay, T ≫ 1/(1 − β): (1 + β)/(1 − β), or 1 without the part along w."""
    return 1 + 0 * beta if projected else (1 + beta) / (1 - beta)


def doubling(eta: Array, beta: Array, projected: bool, start: Array = 1.0) -> Array:
    """Steps until G doubles, and η_eff halves, on noise of length 1 without decay.

    3G₀²(1 − β)²/(2η²) of SGDM, 3G₀²(1 − β²)/(2η²) of SGDP.
    """
    return 1.5 * (start / eta) ** 2 * (1 - beta) * ((1 + beta) if projected else (1 - beta))


def universal(beta: Array, projected: bool) -> Array:
    """What η_eff √(2t) tends to on noise of length 1 without decay: 1, or √((1 + β)/(1 − β)) of SGDP."""
    return ((1 + beta) / (1 - beta)) ** 0.5 if projected else 1 + 0 * beta


def momentum_equilibrium(eta: Array, decay: Array, beta: Array, projected: bool, *, bracket: bool = True) -> Array:
    """G² at equilibrium on noise of length 1, d large; ``bracket``: whether SGDP's P is without its radial part.

    SGDM: η²(1 + βa)/((1 − a²)(1 − βa)(1 − β²)). SGDP: η²/((1 − a²)(1 − β²)(1 + β²(1 − a²)/(1 − βa)²)).
    """
    a, lost = 1 - eta * decay, _lost(eta * decay)
    factor = (1 + beta * a) / (1 - beta * a)
    if projected:
        factor = 1 / (1 + (beta**2 * lost / (1 - beta * a) ** 2 if bracket else 0.0))
    return eta**2 * factor / (lost * (1 - beta**2))


def adam_growth(beta1: Array, projected: bool) -> Array:
    """(G_T − G₀)/(η²dT) of Adam on isotropic noise without decay: 1, or (1 − β₁)/(1 + β₁) of AdamP."""
    return (1 - beta1) / (1 + beta1) if projected else 1 + 0 * beta1
