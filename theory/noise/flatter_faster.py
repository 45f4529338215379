r"""Momentum along a valley with label noise at its own scale: 1 − β = C(ηs)^{2/3}, time S = (ηs)^{2/3}k.

The valley is `theory.noise.valley.Line`, h = 1 + qx², the velocity form at η. At fixed x the moments across it are
stationary at

    Y* = ηs²(1+β)/((1−β)(2(1+β) − ηh)) = ηs²/(2(1−β)) + …,

independent of h to leading order, and stable for 0 < ηh < 2(1+β). Between the relaxation across, 1/(1−β) steps, and
that along, (1−β)²/(qη²s²), which meet at (1−β)³ ~ q(ηs)², nothing is left of η and s: with the transverse energy
½ηhY + ½η²Q = (ηs)^{4/3}e, averaged over its fast phase,

    ẍ = −Cẋ − (h'/2h)e,    ė = −Ce + ½h + ½(h'/h)ẋe,    x(0) = x₀, ẋ(0) = e(0) = 0.

Every time to a target is (ηs)^{−2/3}F(C), every optimum 1 − β = C*(ηs)^{2/3}. Once e = h/2C, x obeys
ẍ + Cẋ + (q/2C)x = 0, whose slow rate is largest at C³ = 2q. In general, h₂ the second derivative of tr H along the
valley at its flattest point and s² the noise variance that all directions across share,

    ε₀ = (h₂η²s²)^{1/3},    1 − β* = ε₀(1 − ε₀/6 − ε₀²/48 + η/12 + …)  from  qηY*(h = 1) = (1 − √β)².

SGD at η/(1−β) has the same Y*; there x = x₀ exp(−qS/2C²) at any x. Of finite n energies there are n, each with its own
white noise (e becomes a square-root diffusion, de = … + √(he/n) dW), and ζ adds √(δqe/h) dW to ẍ, where

    δ = η^{1/3}s^{4/3}/n:

what is sampled depends on η and s through δ alone, once S and C are taken (derived, to leading order).

All derived here; the exponent is that of the paper's abstract. Arrays of any library of the array API standard.
"""

from __future__ import annotations

__all__ = [
    "CRITERIA",
    "averaged",
    "constant",
    "expansion",
    "floor",
    "gain",
    "noise_floor",
    "relaxation",
    "scale",
    "sgd_time",
    "slow_step",
    "stationary",
]

from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.errors import InputError

CRITERIA = ("settle(0.1)", "settle(0.01)", "ISE")
"""Of a settling time."""

Array = Any


def scale(eta: Any, s: Any) -> Any:
    """(ηs)^{2/3}: steps become time by it, and C becomes 1 − β."""
    return (eta * s) ** (2 / 3)


def stationary(eta: Any, epsilon: Any, s: Any, h: Any = 1.0) -> Any:
    """Y* at fixed x, epsilon = 1 − β; finite and positive for 0 < ηh < 2(1 + β)."""
    return eta * s * s * (2 - epsilon) / (epsilon * (2 * (2 - epsilon) - eta * h))


def edge(epsilon: Any, h: Any) -> Any:
    """2(1 + β)/h: the learning rate beyond which the moments across grow."""
    return 2 * (2 - epsilon) / h


def check_stable(eta: float, epsilon: float, h: float) -> None:
    """Raise `InputError` unless 0 ≤ β < 1 and η is below `edge`."""
    if not 0 < epsilon <= 1:
        raise InputError("1 − β", epsilon, "it must be in (0, 1]: take smaller η, s or C")
    if not 0 < eta < edge(epsilon, h):
        raise InputError("eta", eta, f"it must be below the edge of stability 2(1 + β)/h = {edge(epsilon, h):.4g}")


def constant(eta: Any, s: Any, h_2: Any) -> Any:
    """ε₀ = (h₂η²s²)^{1/3}."""
    return (h_2 * eta * eta * s * s) ** (1 / 3)


def expansion(epsilon_0: Any, eta: Any, first: Any = 1 / 6, second: Any = 1 / 48) -> Any:
    """(1 − β*)/ε₀ to second order in ε₀ and first in η."""
    return 1 - first * epsilon_0 - second * epsilon_0**2 + eta / 12


def slow_step(xp: Any, epsilon: Array, pull: Array) -> Array:
    """(I − M)/ε (…, 2, 2) of the linear step along the valley at x = 0, in (x, ηV/ε), pull = qηY*.

    V ← βV + qY*x, x ← x − ηV. Entries are of order 1 at the scale of the valley, so that rates keep their digits.
    """
    epsilon, pull = xp.asarray(epsilon), xp.asarray(pull)
    rows = [[pull / epsilon, 1 - epsilon], [-pull / epsilon**2, xp.ones_like(epsilon * pull)]]
    return xp.stack([xp.stack([x + 0 * epsilon * pull for x in row], axis=-1) for row in rows], axis=-2)


def relaxation(xp: Any, epsilon: Array, rates: Array) -> Array:
    """−log(spectral radius) (…) of I − ε·rates, rates (…, n) complex: accurate where the radius is near 1."""
    rates = rates * epsilon[..., None]
    return -xp.max(xp.log1p(-2 * xp.real(rates) + xp.abs(rates) ** 2), axis=-1) / 2


def averaged(x: Any, v: Any, e: Any, C: Any, q: Any, exchange: Any = 1.0) -> tuple[Any, Any, Any]:
    """(ẋ, v̇, ė) of the scaling limit; plain arithmetic, so that `sims.noise` compiles it.

    Args:
        exchange: 1; what stands before ½(h'/h)ẋe.
    """
    slope = q * x / (1 + q * x * x)  # h'/2h
    return v, -C * v - slope * e, -C * e + (1 + q * x * x) / 2 + exchange * slope * v * e


def sgd_time(C: Any, r: Any, q: Any = 1.0) -> Any:
    """2C² log(1/r)/q, when SGD at η/(1−β) has |x| = rx₀ for the last time, in the scaling limit; r an array."""
    return 2 * C * C * -array_namespace(r).log(r) / q


def gain(xp: Any, u: Array) -> Array:
    """Momentum's rate over that of SGD at equal temperature, u = C³/q: u up to 2, then 2/(1 + √(1 − 2/u))."""
    return xp.where(u <= 2, u, 2 / (1 + xp.sqrt(1 - 2 / xp.maximum(u, xp.full_like(u, 2.0)))))


def floor(eta: Any, s: Any, h_2: Any) -> Any:
    """½Y* at 1 − β = ε₀ to leading order: ηs²/(4ε₀)."""
    return eta * s * s / (4 * constant(eta, s, h_2))


def noise_floor(eta: Any, s: Any, n: Any = 1) -> Any:
    """δ = η^{1/3}s^{4/3}/n."""
    return eta ** (1 / 3) * s ** (4 / 3) / n
