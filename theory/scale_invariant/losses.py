r"""Losses of scale-invariant weights with their noisy gradients, on arrays of any library; and one that is none.

A loss is a value and a gradient g = ĝ/|w|, ĝ orthogonal to w. What is drawn is projected twice: once leaves a rounding
along w that is as large as what is taken off, and enters |w|².

The circle is d = 2: at equilibrium of |w|², θ⁺ = θ − arctan(η_eff U'(θ)) + η_eff σξ is a matrix on a grid of M angles.
A normal law on a grid of spacing Δ has the mass, mean and variance of the continuous one to e^{−2π²s²/Δ²}, s its
standard deviation: 3·10⁻⁹ where s = Δ.
"""

from __future__ import annotations

__all__ = ["Circle", "Loss", "Noise", "Quadratic", "Rayleigh", "curvatures", "tangent"]

import math
from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.errors import check_number, check_size

Array = Any


def curvatures(xp: Any, d: int) -> Array:
    """A's diagonal (d,): 0, then d − 1 values evenly spaced from ½ to 1."""
    rest = xp.linspace(0.5, 1.0, d - 1, dtype=xp.float64)
    return xp.concat([xp.zeros(1, dtype=xp.float64), rest])


def _dot(x: Array, y: Array) -> Array:
    return array_namespace(x).sum(x * y, axis=-1, keepdims=True)


def tangent(unit: Array, y: Array) -> Array:
    """y (…, d) without its part along ``unit``, to rounding of what is left."""
    y = y - unit * _dot(unit, y)
    return y - unit * _dot(unit, y)


@dataclass(frozen=True)
class Noise:
    """No loss: ĝ is a random direction orthogonal to w, of length 1."""

    def value(self, w: Array) -> Array:
        """0, (…)."""
        return 0 * w[..., 0]

    def gradient(self, w: Array, noise: Array) -> Array:
        """(…, d) at w (…, d), of normal ``noise`` (…, d)."""
        xp = array_namespace(w)
        length = xp.sqrt(_dot(w, w))
        y = tangent(w / length, noise)
        return y / xp.sqrt(_dot(y, y)) / length


@dataclass(frozen=True)
class Rayleigh:
    """L = wᵀAw/(2|w|²), ĝ = (I − w̄w̄ᵀ)(Aw̄ + σξ/√d); A is `curvatures`.

    Args:
        sigma: scale of the noise, ≥ 0.
    """

    sigma: float = 1.0

    def __post_init__(self) -> None:
        check_number("sigma", self.sigma, 0)

    def value(self, w: Array) -> Array:
        """L (…) at w (…, d)."""
        xp = array_namespace(w)
        return xp.sum(curvatures(xp, w.shape[-1]) * w * w, axis=-1) / xp.sum(w * w, axis=-1) / 2

    def gradient(self, w: Array, noise: Array) -> Array:
        """(…, d) at w (…, d), of normal ``noise`` (…, d)."""
        xp, d = array_namespace(w), w.shape[-1]
        length = xp.sqrt(_dot(w, w))
        unit = w / length
        return tangent(unit, curvatures(xp, d) * unit + (self.sigma / math.sqrt(d)) * noise) / length


@dataclass(frozen=True)
class Quadratic:
    """½wᵀAw, which depends on the length of w, with the noise of `Noise`: for comparison."""

    def value(self, w: Array) -> Array:
        """½wᵀAw (…) at w (…, d)."""
        xp = array_namespace(w)
        return xp.sum(curvatures(xp, w.shape[-1]) * w * w, axis=-1) / 2

    def gradient(self, w: Array, noise: Array) -> Array:
        """(…, d) at w (…, d), of normal ``noise`` (…, d)."""
        return curvatures(array_namespace(w), w.shape[-1]) * w + Noise().gradient(w, noise)


Loss = Noise | Rayleigh | Quadratic


@dataclass(frozen=True)
class Circle:
    """U(θ) = b(1 − cos 2θ)/2 + c(1 − cos θ)/2 with wells at 0 and π, ĝ = U' + σξ.

    Args:
        b: barrier where the wells are equal, > 0; c: how much higher the well at π is, 0 ≤ c < 4b.
        sigma: noise, > 0.
    """

    b: float = 0.1
    c: float = 0.02
    sigma: float = 1.0

    def __post_init__(self) -> None:
        check_number("b", self.b, 0, open_low=True)
        check_number("c", self.c, 0, 4 * self.b, open_high=True)
        check_number("sigma", self.sigma, 0, open_low=True)

    def potential(self, theta: Array) -> Array:
        """U."""
        xp = array_namespace(theta)
        return self.b * (1 - xp.cos(2 * theta)) / 2 + self.c * (1 - xp.cos(theta)) / 2

    def slope(self, theta: Array) -> Array:
        """U'."""
        xp = array_namespace(theta)
        return self.b * xp.sin(2 * theta) + self.c / 2 * xp.sin(theta)

    @property
    def barrier(self) -> float:
        """ΔU from the well at π to the top, at cos θ = −c/(4b): b(1 − c/(4b))²."""
        return self.b * (1 - self.c / (4 * self.b)) ** 2

    def arrhenius(self) -> float:
        """Slope of ln(τ₂ η_eff) on 1/√(2ηλ) for ηλ → 0: the temperature is η_eff σ²/2, so 2ΔU/σ."""
        return 2 * self.barrier / self.sigma

    def curvature(self, cosine: float) -> float:
        """U'' where cos θ is that, from −1 to 1."""
        return 2 * self.b * (2 * cosine**2 - 1) + self.c / 2 * cosine

    def kramers(self, eta_lambda: float) -> float:
        """τ₂ for ηλ → 0 after Kramers, 1/(k_π + k_0), k = η_eff √(U''(well)|U''(top)|)/π · e^{−ΔU/T}: two ways out."""
        eta, top = self.step(eta_lambda), -self.curvature(-self.c / (4 * self.b))
        heat, rate = eta * self.sigma**2 / 2, 0.0
        for cosine, height in ((-1.0, self.barrier), (1.0, self.barrier + self.c)):
            rate += (self.curvature(cosine) * top) ** 0.5 / math.pi * math.exp(-height / heat)
        return 1 / (eta * rate)

    def step(self, eta_lambda: float) -> float:
        """η_eff at equilibrium, √(2ηλ)/σ."""
        return (2 * eta_lambda) ** 0.5 / self.sigma

    def grid(self, xp: Any, cells: int) -> Array:
        """The angles (cells,), 0 among them; π too where their number is even."""
        return 2 * math.pi / check_size("cells", cells, 4) * xp.arange(cells, dtype=xp.float64)

    def spacings(self, eta_lambda: float, cells: int) -> float:
        """The step's standard deviation η_eff σ in spacings of the grid."""
        return self.step(eta_lambda) * self.sigma * cells / (2 * math.pi)

    def kernel(self, xp: Any, eta_lambda: float, cells: int) -> Array:
        """Transition matrix (cells, cells): row θ, column θ⁺; rows sum to 1."""
        theta, eta = self.grid(xp, cells), self.step(eta_lambda)
        away = theta[None, :] - (theta - xp.atan(eta * self.slope(theta)))[:, None]
        away = xp.remainder(away + math.pi, 2 * math.pi) - math.pi
        weight = xp.exp(-((away / (eta * self.sigma)) ** 2) / 2)
        return weight / xp.sum(weight, axis=1, keepdims=True)
