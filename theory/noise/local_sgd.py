r"""Local SGD near a minimum: the drift along a valley, and what it does not change.

K workers take H steps of SGD each from a common point, then average their parameters; H = 1 is parallel SGD. Rates are
per local step, comparisons at equal η and equal number of local steps.

**The curve uv = 1** (`valley.Curve`), h = u² + v², z = u² − v², r = uv − 1 − sξ. Exact, every step: z⁺ = z (1 − η²r²);
where workers average: z̄ = mean z_k − Var_k(u) + Var_k(v), variances with divisor K. Across the valley,
(u, v) = point + c (v, u): a step is c⁺ = a c + ηsξ, a = 1 − ηh. Each worker has Var c_j = a^{2j} V̄ + S (1 − a^{2j}), j
steps after an average, S = ηs²/(h(2 − ηh)), and the average of K of them V̄ = S/K for every H. Over a round
Var c = ρS, and E ln z falls in a step by

    rate = η²(s² + h²ρS) − (1 − 1/K) S (1 − a^{2H})/H = η²s²ρ · 2/(2 − ηh),    ρ = 1 − (1 − 1/K) φ,

φ = (1 − a^{2H})/(H(1 − a²)) being the mean of a^{2j} over a round: the average gives back the second term. The ratio
to the rate of parallel SGD is R = Kρ = K − (K − 1)φ. Terms of the relative order ηs²h are left out.

**The straight valley** (`Straight`): the averaged x diffuses by η²τ²/K a step for every H and drifts by −½ηκρSx: an
Ornstein–Uhlenbeck process of variance ητ²/(KκρS) while κ E x² ≪ h₀. Its companion x̂ ← (1 − ½ηκρS)x̂ − ητ mean ξ₁ on
the same noise has E x̂² in closed form, so that only the difference x² − x̂² is measured with an error.

All derived here; what it sharpens is the message of Gu, Lyu, Huang & Arora (ICLR 2023).
"""

from __future__ import annotations

__all__ = [
    "RULES",
    "SMALL_NOISE",
    "SMALL_PULL",
    "Straight",
    "at_average",
    "before_average",
    "companion_square",
    "diffusion",
    "drift_ratio",
    "edge",
    "rate",
    "ratio_limit",
    "relaxation",
    "share",
    "sharpness",
    "spread",
    "stationary_along",
    "window_peak",
]

from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.errors import check_number

SMALL_PULL, SMALL_NOISE = 0.1, 0.01 * (1 + 1e-9)
"""Most of ηh and of ηs² where drift and noise are those of the limit."""

RULES = ("H = 1", "H = 4", "H = 0.32/η", "H = 0.0128/η²")
"""Of H, at a learning rate."""

Array = Any


def sharpness(z: Array) -> Array:
    """h on the curve uv = 1 where u² − v² = z."""
    return (z * z + 4) ** 0.5


def edge(h: Array) -> Array:
    """The learning rate from which a step across the valley does not contract, 2/h."""
    return 2 / h


def share(H: Array, eta_h: Array) -> Array:
    """φ, the mean of a^{2j} over the H steps of a round, a = 1 − ηh; 0 < ηh < 2."""
    return (1 - (1 - eta_h) ** (2 * H)) / (H * eta_h * (2 - eta_h))


def spread(K: Array, H: Array, eta_h: Array) -> Array:
    """ρ, a worker's variance across the valley over its stationary one S, averaged over a round; 1/K if H = 1."""
    return 1 - (1 - 1 / K) * share(H, eta_h)


def drift_ratio(K: Array, H: Array, eta_h: Array) -> Array:
    """R = Kρ, the drift's ratio to that of parallel SGD: 1 if H = 1, K for H → ∞."""
    return K - (K - 1) * share(H, eta_h)


def ratio_limit(K: Array, beta_h: Array) -> Array:
    """R for η → 0 at ηH = β fixed, 1 + (K − 1) ψ(2βh), ψ(x) = (e^{−x} − 1 + x)/x; βh > 0 an array."""
    x = 2 * beta_h
    return 1 + (K - 1) * (array_namespace(x).expm1(-x) + x) / x


def rate(eta: Array, s: Array, K: Array, H: Array, h: Array) -> Array:
    """By how much E ln z falls in a local step."""
    return (eta * s) ** 2 * spread(K, H, eta * h) * 2 / (2 - eta * h)


def window_peak(R: Array) -> Array:
    """η²s²k/K at which z of SGD less that of Local SGD is largest, for a constant R > 1, an array: ln R/(R − 1)."""
    return array_namespace(R).log(R) / (R - 1)


def at_average(eta: Array, s: Array, K: Array, h: Array) -> Array:
    """E (uv − 1)² of the averaged parameters, h²S/K, whatever H."""
    return s * s * eta * h / (K * (2 - eta * h))


def before_average(eta: Array, s: Array, K: Array, H: Array, h: Array) -> Array:
    """E (uv − 1)² of a worker just before it is averaged: h²S(1 − (1 − 1/K)a^{2H})."""
    return at_average(eta, s, 1, h) * (1 - (1 - 1 / K) * (1 - eta * h) ** (2 * H))


# --- the straight valley --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Straight:
    """L = ½h(x)y², h = h₀ + ½κx², gradient noise (τξ₁, sξ₂); w = (x, y).

    Args:
        s, tau: noise across the valley and along it, > 0.
        h_0: curvature at the flattest point, kappa: its second derivative along the valley; > 0.
    """

    s: float = 1.0
    tau: float = 0.1
    h_0: float = 1.0
    kappa: float = 1.0

    def __post_init__(self) -> None:
        for name in ("s", "tau", "h_0", "kappa"):
            check_number(name, getattr(self, name), 0, open_low=True)

    @property
    def width(self) -> int:
        """Parameters."""
        return 2

    @property
    def draws(self) -> int:
        """Normal numbers of a step."""
        return 2

    def gradient(self, w: Array, noise: Array) -> Array:
        """(½κxy² + τξ₁, hy + sξ₂) (…, 2), noise (ξ₁, ξ₂) (…, 2)."""
        xp, x, y = array_namespace(w), w[..., 0], w[..., 1]
        along = self.kappa * x * y * y / 2 + self.tau * noise[..., 0]
        across = (self.h_0 + self.kappa * x * x / 2) * y + self.s * noise[..., 1]
        return xp.stack([along, across], axis=-1)


def diffusion(eta: Array, tau: Array, K: Array) -> Array:
    """Variance by which the averaged x of the straight valley grows in a step, whatever H."""
    return (eta * tau) ** 2 / K


def relaxation(eta: Array, valley: Straight, K: Array, H: Array) -> Array:
    """Steps in which the averaged x forgets where it was, 1/(½ηκρS) with S at h₀."""
    S = eta * valley.s**2 / (valley.h_0 * (2 - eta * valley.h_0))
    return 2 / (eta * valley.kappa * spread(K, H, eta * valley.h_0) * S)


def stationary_along(eta: Array, valley: Straight, K: Array, H: Array) -> Array:
    """E x² = ητ²/(KκρS) of the averaged x."""
    return diffusion(eta, valley.tau, K) * relaxation(eta, valley, K, H) / 2


def companion_square(eta: Array, valley: Straight, K: Array, H: Array, t: Array) -> Array:
    """E x̂² of the companion after t steps from 0."""
    kept = (1 - 1 / relaxation(eta, valley, K, H)) ** 2
    return diffusion(eta, valley.tau, K) * (1 - kept**t) / (1 - kept)
