r"""AdaMomentum beside Adam: what dividing by the momentum's second moment in place of the gradient's changes.

With a = (1 − β₁)/(1 + β₁), t = 1, 2, … and the recursions of `theory.optimizers.AdaMomentum` and ``Adam``, a step is
−ηu, u = m̂/√v̂.

**Alternating gradients** g_t = (−1)^{t−1}G: m_t = (−1)^{t−1}aG(1 − (−β₁)^t), so that |u| → a with Adam, and with
AdaMomentum → aG/√(a²G² + ε/(1 − β₂)): 1 without ε. Momentum cancels an oscillation by a; its own second moment undoes
just that.

**Signal and noise** g = μ + sξ, ξ white of variance 1, β₂ → 1, then t → ∞: v → V, which is μ² + s² with Adam and
μ² + as² with AdaMomentum. Steps u have the mean μ/√V and the variance as²/V, whence the same ratio μ²/(as²), and
AdaMomentum is Adam with its rate times κ = √((μ² + s²)/(μ² + as²)), from 1 to 1/√a.

**Quadratic** ½hx², g = hx + sξ, β₂ → 1: v is constant, and both are the average form at the rate e = η/√V,

    Var x = es²(1+β₁)/(hD),   E m² = 2(1−β₁)s²/D,   E g² = h²Var x + s²,   D = 2(1+β₁) − (1−β₁)eh,

stable for D > 0. V = E g² (Adam) or E m² (AdaMomentum) at e = η/√V has one root, as both grow with e; AdaMomentum's is
e = (η/4s²)(√(η²h² + 16s²/a) − ηh). For ηh/s → 0 Var x → ηs/2h and ηs/(2h√a).

**Start.** For a constant gradient Adam's u is 1 at every t, and AdaMomentum's is

    u_t = 1/√q_t,   q_t = (1−β₂)/(1−β₂^t) Σ_{k≤t} β₂^{t−k}(1 − β₁^k)²:

m̂ is corrected for the start of m at 0, and the m in v is not. u_1 = 1/(1−β₁) is the largest that there is at t = 1.

All derived here; the rule is that of Wang et al. (arXiv 2106.11514), with ε where public implementations have it.
"""

from __future__ import annotations

__all__ = [
    "CELLS",
    "FIRST",
    "RATES",
    "ROUNDS",
    "SERIES",
    "SLOW",
    "SMALL",
    "alternating",
    "attenuation",
    "average_moments",
    "edge",
    "largest_step",
    "limit",
    "rate",
    "rate_gain",
    "second_moment",
    "start",
    "step_moments",
]

from typing import Any

from lemmascope.theory.errors import InputError, check_number

Array = Any

SLOW, SMALL = 0.3, 0.01
"""The largest ηh/s at matched rates, and of the smallest η."""

CELLS: tuple[tuple[float, float, int, float], ...] = (
    (0.0, 1 / 10, 3, 3.0),
    (0.0, 1 / 26, 3, 5.0),
    (0.5, 0.5, 11, 12.0),
    (0.9, 0.9, 101, 110.0),
    (0.9, 0.99, 301, 320.0),
    (0.9, 0.99, 1001, 1050.0),
    (0.9, 0.999, 301, 320.0),
)
"""β₁, β₂, p, C of the periodic losses."""

SERIES = ("Adam", "AdaMomentum", "AdaMomentum at √a η")
ROUNDS = 300_000
"""After how many rounds regret is judged."""

FIRST, RATES = 0.01, 0.1
"""η at which first steps are given and taken, or else the largest; and which η is to be among those that are tried."""


def attenuation(beta1: Array) -> Array:
    """a = (1 − β₁)/(1 + β₁)."""
    return (1 - beta1) / (1 + beta1)


def alternating(beta1: float, t: Array, *, inverted: bool = False) -> Array:
    """m_t of the gradients 1, −1, 1, …, t = 1, 2, …; ``inverted``: with 1/a in place of a."""
    a = 1 / attenuation(beta1) if inverted else attenuation(beta1)
    return -((-1.0) ** t) * a * (1 - (-beta1) ** t)


def limit(beta1: float, G: float, epsilon: float, beta2: float) -> float:
    """|u| of AdaMomentum after many alternating gradients ±G."""
    size = attenuation(beta1) * G
    return size / (size * size + epsilon / (1 - beta2)) ** 0.5


# --- signal and noise -------------------------------------------------------------------------------------------------


def second_moment(mu: Array, s: Array, beta1: float, *, momentum: bool) -> Array:
    """V: of the momentum (AdaMomentum), or of the gradient (Adam)."""
    return mu * mu + (attenuation(beta1) if momentum else 1.0) * s * s


def step_moments(mu: Array, s: Array, beta1: float, V: Array) -> tuple[Array, Array]:
    """Mean and variance of u where v is V."""
    return mu / V**0.5, attenuation(beta1) * s * s / V


def rate_gain(mu: Array, s: Array, beta1: float) -> Array:
    """κ: AdaMomentum's rate over Adam's."""
    ratio = second_moment(mu, s, beta1, momentum=False) / second_moment(mu, s, beta1, momentum=True)
    return ratio**0.5


# --- a quadratic ------------------------------------------------------------------------------------------------------


def edge(h: float, beta1: float) -> float:
    """The rate e from which the average form is not stable, 2(1 + β₁)/((1 − β₁)h)."""
    return 2 / (attenuation(beta1) * h)


def average_moments(e: float, h: float, s: float, beta1: float) -> tuple[float, float, float]:
    """Stationary Var x, E m² and E g² of the average form at the rate e.

    Raises:
        InputError: e is not in (0, `edge`).
    """
    most = edge(h, beta1)
    if not 0 < e < most:
        raise InputError("e", e, f"it must be above 0 and below the edge 2(1 + β₁)/((1 − β₁)h) = {most:.6g}")
    D = 2 * (1 + beta1) - (1 - beta1) * e * h
    variance = e * s * s * (1 + beta1) / (h * D)
    return variance, 2 * (1 - beta1) * s * s / D, h * h * variance + s * s


def rate(eta: float, h: float, s: float, beta1: float, *, momentum: bool) -> float:
    """e = η/√V where V is the second moment that it brings about: of m (AdaMomentum), or of g (Adam).

    Raises:
        InputError: a number that is not positive, or β₁ outside of [0, 1).
    """
    for name, value in (("eta", eta), ("h", h), ("s", s)):
        check_number(name, value, 0, open_low=True)
    check_number("beta1", beta1, 0, 1, open_high=True)
    if momentum:
        # (η/4s²)(√(η²h² + 16s²/a) − ηh), without the difference of near numbers at large ηh/s.
        a, pull = attenuation(beta1), eta * h
        return 4 * eta / (a * ((pull * pull + 16 * s * s / a) ** 0.5 + pull))
    from scipy.optimize import brentq

    # In share = e/edge: E g² grows and η²/e² falls, so that there is one root.
    most = edge(h, beta1)

    def excess(share: float) -> float:
        # (E g² − η²/e²) D, finite at both ends.
        e, D = share * most, 2 * (1 + beta1) * (1 - share)
        return (e * h * s * s * (1 + beta1) + s * s * D) * e * e - eta * eta * D

    return float(brentq(excess, 0.0, 1.0, xtol=1e-300, rtol=1e-14)) * most


# --- the start --------------------------------------------------------------------------------------------------------


def start(t: int, beta1: float, beta2: float) -> float:
    """u_t of AdaMomentum for a constant gradient, t = 1, 2, …, without ε."""
    end = beta2**t

    def weighted(r: float) -> float:
        """Σ_{k≤t} β₂^{t−k} r^k."""
        return t * end if r == beta2 else r * (end - r**t) / (beta2 - r)

    total = weighted(1.0) - 2 * weighted(beta1) + weighted(beta1 * beta1)
    return float(((1 - end) / ((1 - beta2) * total)) ** 0.5)


def largest_step(t: int, beta1: float, beta2: float) -> float:
    """A bound of |u_t| for any gradients: v_t ≥ (1 − β₂)m_t²."""
    return float(((1 - beta2**t) / (1 - beta2)) ** 0.5 / (1 - beta1**t))
