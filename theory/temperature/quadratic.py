r"""Momentum on a quadratic with gradient noise: its stationary covariance and temperature, for any spectrum.

L = ½ΦᵀHΦ with the gradient HΦ + ξ, E ξ = 0, Cov ξ = Σ/B, ξ independent of the past. In H's eigenvectors, mode i:
x_i(t+1) = a_i x_i(t) − μ x_i(t−1) − ηξ_i, a_i = 1 + μ − ηh_i, stable iff 0 < ηh_i < 2(1+μ) (proved in
`proofs_check.steps.momentum.stationary_variance`). With A = E x_i(t)x_j(t), P = E x_i(t)x_j(t−1), R = E x_i(t−1)x_j(t)
stationarity reads

    P = a_i A − μR,    R = a_j A − μP,    A = a_i a_j A − a_i μP − a_j μR + μ²A + η²S_ij/B,

three linear equations, whose solution (derived; proved step `temperature.covariance`) is

    C_ij = η(1+μ)S_ij / (B(1−μ)[(1+μ)(h_i+h_j) − ηh_ih_j + μη(h_i−h_j)²/(1−μ)²]).

Σ and H need not commute. The converged loss T = ½ Σ_i h_i C_ii sees the diagonal alone; with the rule
η = (1−μ)Bη₀ and T₀ = η₀ tr Σ/4

    T/T₀ = Σ_i S_ii/(1 − η/η_max(h_i)) / tr Σ,    η_max(h) = 2(1+μ)/h,

so T/T₀ − 1 = κη₀ + O(η₀²), κ = B(1−μ)h̄/(2(1+μ)), h̄ = tr(HΣ)/tr Σ. The *corrected rule* η = (1−μ)Bη₀/(1+κη₀) is
exact for one mode, and leaves T/T₀ − 1 = Σ_i S_ii (κ−k_i)²η₀²/(1 + (κ−k_i)η₀) / tr Σ otherwise, k_i = κh_i/h̄.

Arrays of any library of the array API standard; h and the diagonal of S are (…, d), everything else broadcasts
against (…). All derived here; the lecture has the rule and no error term.
"""

from __future__ import annotations

__all__ = [
    "RULES",
    "WRONG_CORRECTIONS",
    "WRONG_RULES",
    "corrected",
    "covariance",
    "departure",
    "edge",
    "first_temperature",
    "mean_curvature",
    "ratio",
    "variance_of_curvature",
]

from collections.abc import Callable
from typing import Any

from array_api_compat import array_namespace

Array = Any

RULES: dict[str, Callable[[Array, Array, Array], Array]] = {
    "the rule": lambda eta_0, mu, B: (1 - mu) * B * eta_0,
    "η = Bη₀": lambda eta_0, mu, B: B * eta_0 + 0 * mu,
    "η = (1−μ)η₀": lambda eta_0, mu, B: (1 - mu) * eta_0 + 0 * B,
    "η = (1−μ)√B η₀": lambda eta_0, mu, B: (1 - mu) * B**0.5 * eta_0,
    "η = √(1−μ) Bη₀": lambda eta_0, mu, B: (1 - mu) ** 0.5 * B * eta_0,
}
"""Learning rates from (η₀, μ, B): McAllester's, and four that leave something out."""

WRONG_RULES = tuple(RULES)[1:]


def edge(h: Array, mu: Array) -> Array:
    """η_max = 2(1 + μ)/h: the learning rate at which a mode of curvature h becomes unstable."""
    return 2 * (1 + mu) / h


def covariance(h: Array, S: Array, eta: Any, mu: Any, B: Any, *, cross: float = 1.0) -> Array:
    """C (…, d, d), the stationary covariance in H's eigenvectors.

    Args:
        h: (…, d) curvatures; S: (…, d, d) covariance of one sample's gradient in H's eigenvectors.
        eta, mu, B: learning rate of the velocity form, momentum, batch size; numbers, or (…, 1, 1).
        cross: 1; what stands before the term with (h_i − h_j)².
    """
    one, other = h[..., :, None], h[..., None, :]
    apart = mu * eta * (one - other) ** 2 / (1 - mu) ** 2
    return eta * (1 + mu) * S / (B * (1 - mu) * ((1 + mu) * (one + other) - eta * one * other + cross * apart))


def ratio(h: Array, s: Array, eta: Any, mu: Any) -> Array:
    """Σ_i s_i/(1 − η/η_max(h_i)) / Σ_i s_i (…): T/T₀ where η = (1−μ)Bη₀; h, s (…, d), eta and mu broadcast with h."""
    xp = array_namespace(h, s)
    return xp.sum(s / (1 - eta / edge(h, mu)), axis=-1) / xp.sum(s, axis=-1)


def first_temperature(eta_0: Any, trace: Any) -> Any:
    """T₀ = η₀ tr Σ/4."""
    return eta_0 * trace / 4


def mean_curvature(h: Array, s: Array, power: int = 1) -> Array:
    """h̄ = Σ h_i S_ii / Σ S_ii (…); with ``power`` 2 the mean of h²."""
    xp = array_namespace(h, s)
    return xp.sum(h**power * s, axis=-1) / xp.sum(s, axis=-1)


def variance_of_curvature(h: Array, s: Array) -> Array:
    """tr(H²Σ)/tr Σ − h̄² (…)."""
    mean = mean_curvature(h, s)
    return mean_curvature(h - mean[..., None], s, 2)


def departure(mu: Any, B: Any, h: Any) -> Any:
    """κ = B(1 − μ)h/(2(1 + μ)), with h the mean curvature, or one mode's."""
    return B * (1 - mu) * h / (2 * (1 + mu))


WRONG_CORRECTIONS: dict[str, Callable[[Any, Any, Array, Array], Array]] = {
    "κ = B(1−μ)h̄/2": lambda mu, B, h, s: B * (1 - mu) * mean_curvature(h, s) / 2,
    "κ with the plain mean of h": lambda mu, B, h, s: departure(
        mu, B, array_namespace(h).mean(h, axis=-1) + 0 * mean_curvature(h, s)
    ),
}
"""Corrections from (μ, B, h, diagonal of S) that leave a first order behind."""


def corrected(eta_0: Any, mu: Any, B: Any, kappa: Any) -> Any:
    """η = (1−μ)Bη₀/(1 + κη₀)."""
    return (1 - mu) * B * eta_0 / (1 + kappa * eta_0)
