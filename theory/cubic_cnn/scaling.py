r"""How the theorem's quantities grow with the dimension: the configuration at each d, and the exponents (derived).

What is claimed of them is in `theory.cubic_cnn.claims.scaling`.

α = d^a, β = d^{−b}, σ = d^{−s}, σ₀ = d^{−s₀} with a = 0.249, b = 0.251, s = 0.509, s₀ = 1/2 (second hand, those of σ
and σ₀ unconfirmed). N, P, m, μ are fixed. GD takes η = ε/α², so that a step near 1/α is small beside 1/α; GD+M the
same η and 1 − γ = 2ηL₁(0)β²/f², so that it coasts to f/β.

Times are in η·iterations. From ċ = 3α³ν₁c² and Ξ̇ = (3/N) K_kk ℓ Ξ² with K_kk ≈ σ²d, Ξ(0) ~ σ₀σ√d:

    GD:    ηT₀ ∝ 1/(α³σ₀) = d^{s₀ − 3a},    ηT₁ ∝ N/(σ₀σ³d^{3/2}) = N d^{s₀ + 3s − 3/2},    max c(T) ∝ 1/α = d^{−a};
    GD+M:  ηT₀ ∝ η (η(1 − γ)α³σ₀)^{−1/2} = d^{−3a/2 + b + s₀/2},    max c(T) ∝ 1/β = d^b,    T₁ is never reached.

The second T₀ is the time in which c̈ = 1.5η(1 − γ)(1 − μ)α³c² runs away from rest (`boundaries.friction`).
"""

from __future__ import annotations

__all__ = ["LOOSE", "PAPER", "VALIDATED", "WRONG", "Exponents", "Point", "point"]

import math
from dataclasses import dataclass

from lemmascope.theory.cubic_cnn.boundaries import coasting_line
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.cubic_cnn.predictions import memorization_scale
from lemmascope.theory.errors import InputError, check_size


@dataclass(frozen=True)
class Exponents:
    """a, b, s, s₀ of α = d^a, β = d^{−b}, σ = d^{−s}, σ₀ = d^{−s₀}."""

    alpha: float
    beta: float
    sigma: float
    sigma_0: float

    def predicted(self) -> dict[tuple[str, str], float]:
        """Exponents by (quantity, optimizer)."""
        return {
            ("T_0", "GD"): self.sigma_0 - 3 * self.alpha,
            ("T_1", "GD"): self.sigma_0 + 3 * self.sigma - 1.5,
            ("c_max", "GD"): -self.alpha,
            ("T_0", "GD+M"): -1.5 * self.alpha + self.beta + self.sigma_0 / 2,
            ("c_max", "GD+M"): self.beta,
        }


PAPER = Exponents(0.249, 0.251, 0.509, 0.5)
WRONG = Exponents(0.15, 0.35, 0.509, 0.375)
"""The negative control: a deliberately wrong scaling, on which every exponent above must be refuted."""

VALIDATED = 300_000
"""Iterations of the smallest dimension on which fast-forward is held to exact steps."""

LOOSE = 1e-3
"""The tolerance of the control of fast-forward."""

SMALL_STEP = 0.01  # ε
REACH = 2.0  # f
HORIZON = 20.0
"""T in units of N/(σ₀σ³d^{3/2})/η; the last small-margin sample takes some 1 to 10 of them."""


@dataclass(frozen=True)
class Point:
    """The configuration at one dimension.

    Attributes:
        parameters: of the law.
        eta, gamma: of GD+M; GD has the same η.
        iterations: T.
    """

    parameters: Parameters
    eta: float
    gamma: float
    iterations: int


def point(d: int, exponents: Exponents = PAPER, *, N: int = 40, P: int = 2, m: int = 10, mu: float = 0.25) -> Point:
    """The configuration at dimension d.

    For `PAPER` 1 − γ is 0.0026/d: rounding γ to a double changes it by 2 % at d = 10¹², and loses it beyond 10¹³.
    """
    check_size("d", d, 2)
    e = exponents
    p = Parameters(
        d=d, N=N, P=P, m=m, alpha=d**e.alpha, beta=d**-e.beta, mu=mu, sigma=d**-e.sigma, sigma_0=d**-e.sigma_0
    )
    eta = SMALL_STEP / p.alpha**2
    gamma = 1 - float(coasting_line(p, eta)) / REACH**2
    if gamma == 1:
        raise InputError("d", d, "1 − γ is lost in the rounding of γ; the paper's exponents allow 10¹³")
    return Point(p, eta, gamma, math.ceil(HORIZON * memorization_scale(p) / eta))
