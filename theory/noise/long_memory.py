r"""The noise of minibatches as a series: what is white, what an epoch and momentum make of it, and escape under it.

U_t = g_{B_t}(W_t) − g(W_t), one component of a minibatch's gradient less the full gradient at the same W; u_i one
sample's component less their mean, σ² its mean square over the N samples, κ₁ its excess kurtosis.

**Independent batches** of B samples drawn with replacement: E[U_t | past] = 0, so that Cov(U_s, U_t) = 0 for s ≠ t,
whatever the model, the momentum and the step; the conditional variance is σ²/B, the excess kurtosis κ₁/B. As γ_H(1) =
2^{2H−1} − 1 is 0 for H = ½ alone, such noise is fractional for no other H.

**Epochs**, batches of B without replacement, E = N/B of them, W frozen: those of an epoch are exchangeable and sum to
0, each has the variance σ²/B · (N − B)/(N − 1), two of an epoch the correlation −1/(E − 1), two of different epochs
none. Over the positions in an epoch the autocorrelation is

    ρ(k) = −(1 − k/E)/(E − 1) for 1 ≤ k < E, else 0,    1 + 2 Σ ρ(k) = 0:

negative, no longer than the epoch, and nothing is left of the noise at low frequencies.

**Momentum** v ← γv + (1 − γ)ξ of white ξ of variance 1, stationary: Var v = (1 − γ)/(1 + γ), and

    Var(v_1 + … + v_k) = k − 2γ(1 − γ^k)/(1 − γ²),    H(k) = ½ log₂(Var of 2k / Var of k)

falls from 1, for k ≪ 1/(1 − γ), to ½. Path by path v_1 + … + v_k = ξ_1 + … + ξ_k − (v_k − v_0)γ/(1 − γ).

**Escape.** x ← (1 − a)x + sξ^H from 0, a = ηh, to the first |x| ≥ L. The stationary variance of x is V_H s²,

    V_H = (1 + 2 Σ_k (1 − a)^k γ_H(k))/(1 − (1 − a)²),    V_H a^{2H} → ½Γ(2H + 1) for a → 0.

"The noise" may be held fixed in three ways: that of a step, s = 1; the stationary variance, s² = V_½/V_H; or ε in
dx = −x dt + ε dB^H at dt = a, s = a^{H−½}.

All derived here; that escape is slower for a larger H is the message of Tan, Zhang & Liu (2021).
"""

from __future__ import annotations

__all__ = [
    "FLOOR",
    "HELD",
    "batch_variance",
    "epoch_correlation",
    "epoch_sum",
    "local_exponent",
    "momentum_exponent",
    "momentum_sum",
    "scale",
    "stationary_variance",
    "variance_limit",
]

import math
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.errors import InputError, check_number
from lemmascope.theory.noise.memory import fractional_covariance

Array = Any

HELD = ("step", "variance", "time")
"""What is held fixed as H changes: noise of a step, stationary variance, ε of the equation in continuous time."""

FLOOR = 1e-150
"""Standard deviation of one sample below which nothing is divided by it: its square would underflow."""


def batch_variance(N: int, B: int, epochs: bool) -> float:
    """Variance of a batch's mean over that of one sample: 1/B, in epochs (N − B)/(N − 1)/B."""
    return (N - B) / (N - 1) / B if epochs else 1 / B


def epoch_correlation(k: Array, E: int) -> Array:
    """ρ(k) for lags k ≥ 0, an array, in epochs of E ≥ 2 batches; 1 at k = 0."""
    xp = array_namespace(k)
    inside = -(1 - k / E) / (E - 1)
    return xp.where(k == 0, xp.ones_like(inside), xp.where(k < E, inside, xp.zeros_like(inside)))


def epoch_sum(k: int, E: int) -> float:
    """Variance of the sum of k batches of variance 1 in a row, from any place in the epoch; it stays bounded."""
    return k + 2 * sum((k - j) * -(1 - j / E) / (E - 1) for j in range(1, min(k, E)))


def momentum_sum(gamma: Array, k: Array) -> Array:
    """Var(v_1 + … + v_k) = k − 2γ(1 − γ^k)/(1 − γ²), 0 ≤ γ < 1."""
    return k - 2 * gamma * (1 - gamma**k) / (1 - gamma * gamma)


def local_exponent(small: Array, large: Array) -> Array:
    """H(k) = ½ log₂ of the variance of sums of 2k over that of sums of k."""
    return array_namespace(small).log2(large / small) / 2


def momentum_exponent(gamma: float, k: Array) -> Array:
    """H(k) of momentum, k an array."""
    return local_exponent(momentum_sum(gamma, k), momentum_sum(gamma, 2 * k))


def _pull(a: float) -> float:
    found = check_number("a", a, 0, open_low=True)
    if found >= 2:
        raise InputError("a", a, "steps diverge beyond ηh = 2; stay below")
    return found


def stationary_variance(H: float, a: float, terms: int | None = None) -> float:
    """V_H, the variance of x ← (1 − a)x + ξ^H.

    Args:
        H: Hurst exponent, in (0, 1); a: ηh, in (0, 2).
        terms: of the sum; default as many as (1 − a)^k does not vanish beside 1 in.

    Raises:
        InputError: an H or an a outside of its range.
    """
    from array_api_compat import numpy

    xp: Any = numpy
    q = 1 - _pull(a)
    if terms is None:
        terms = 1 if q == 0 else math.ceil(-40 / math.log(abs(q))) if abs(q) < 1 else 0
    k = xp.arange(1.0, terms + 1)
    return float((1 + 2 * xp.sum(q**k * fractional_covariance(H, k))) / (1 - q * q))


def variance_limit(H: float) -> float:
    """Of V_H a^{2H} for a → 0, ½Γ(2H + 1)."""
    return math.gamma(2 * H + 1) / 2


def scale(held: str, H: float, a: float) -> float:
    """s, what the noise is multiplied by; 1 at H = ½.

    Raises:
        InputError: a word that is none of `HELD`.
    """
    if held not in HELD:
        raise InputError("held", held, f"it must be one of {', '.join(HELD)}")
    if held == "step":
        return 1.0
    if held == "variance":
        return math.sqrt(stationary_variance(0.5, a) / stationary_variance(H, a))
    return float(_pull(a) ** (H - 0.5))
