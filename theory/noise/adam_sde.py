r"""RMSprop and Adam on one noisy coordinate as the batch changes: rules, moments, the fluctuation of v.

f = ½aθ², gradient g = aθ + (σ/√B)ξ, ξ ~ N(0, 1), B the batch. Without bias correction, from m = v = 0,

    m ← β₁m + (1 − β₁)g,    θ ← θ − ηm/(√v + ε),    v ← β₂v + (1 − β₂)g²,

with the old v below the root, which is independent of ξ, or with the new one, as libraries have it. RMSprop is β₁ = 0.
In v̂ = vB/σ², ε' = ε√B/σ, P = aη√B/σ and the signal-to-noise ratio snr = a²θ²B/σ² the rates of κ steps made
one at the batch κB are (P, η², 1 − β₁, 1 − β₂)/κ and ε': `SQRT` alone keeps all five. It leaves snr → κ snr.

**v frozen at σ²/B.** With s = η/(1 + ε') and p = P/(1 + ε') the process (θ, dm), d = p/a, is linear, and

    Var θ = s²/(p(2 − p(1−β₁)/(1+β₁))),    stable for 0 < p(1 − β₁) < 2(1 + β₁).

At η → κ^r η it is ∝ κ^{r−½}(1 + O(κ^{r+½}p)); SGD's ησ²/(Ba(2 − ηa)) is ∝ κ^{r−1}.

**Mean field.** v replaced by its mean: (Eθ, Em, Eθ², Eθm, Em², v) are closed, exact but for the fluctuation of v.

**Fluctuation of v**, δ = 1 − β₂, Var v̂ = 2δ/(2 − δ). To first order in δ where snr ≪ 1, ε = 0, p ≪ δ stationary Var θ
over the frozen one is 1 + 5δ/8 with the old v, 1 − 3δ/8 with the new one.

All derived here; the rule is that of Malladi, Lyu, Panigrahi & Arora (NeurIPS 2022).
"""

from __future__ import annotations

__all__ = [
    "EXPONENTS",
    "NEAR",
    "SQRT",
    "WEAK",
    "PlainAdam",
    "Rates",
    "departure",
    "edge",
    "frozen",
    "frozen_variance",
    "mean_field",
    "scaled",
    "sgd_variance",
    "v_noise",
]

from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.errors import InputError, check_number
from lemmascope.theory.moments import Linear
from lemmascope.theory.optimizers import Adam
from lemmascope.theory.optimizers.adaptive import Moments, average

NEAR, WEAK = 4, 4
"""κ of the rule's bounds, and of its order."""

Array = Any

SQRT = "sqrt"
EXPONENTS: dict[str, tuple[float, float, float, float]] = {
    SQRT: (0.5, 1.0, 1.0, -0.5),
    "linear": (1.0, 1.0, 1.0, -0.5),
    "none": (0.0, 1.0, 1.0, -0.5),
    "keep β₁": (0.5, 0.0, 1.0, -0.5),
    "keep β₂": (0.5, 1.0, 0.0, -0.5),
    "keep ε": (0.5, 1.0, 1.0, 0.0),
}
"""By rule: powers of κ by which η, 1 − β₁, 1 − β₂ and ε change with the batch B → κB."""


@dataclass(frozen=True)
class Rates:
    """Hyperparameters: η > 0; 1 − β₁ and 1 − β₂ in (0, 1], where 1 − β₁ = 1 is RMSprop; ε ≥ 0."""

    eta: float
    damping1: float
    damping2: float
    epsilon: float

    def __post_init__(self) -> None:
        check_number("eta", self.eta, 0, open_low=True)
        check_number("1 − β₁", self.damping1, 0, 1, open_low=True)
        check_number("1 − β₂", self.damping2, 0, 1, open_low=True)
        check_number("epsilon", self.epsilon, 0)


def scaled(rates: Rates, kappa: float, rule: str = SQRT) -> Rates:
    """At κ times the batch; RMSprop, which has no β₁, stays RMSprop.

    Raises:
        InputError: an unknown rule; κ so large that κ(1 − β₁) or κ(1 − β₂) is above 1.
    """
    if rule not in EXPONENTS:
        raise InputError("rule", rule, f"it must be one of {', '.join(EXPONENTS)}")
    eta, first, second, epsilon = (kappa**power for power in EXPONENTS[rule])
    damping1 = rates.damping1 if rates.damping1 == 1 else rates.damping1 * first
    damping2 = rates.damping2 * second
    if max(damping1, damping2) > 1:
        raise InputError("kappa", kappa, f"κ(1 − β) must be at most 1, and it is {max(damping1, damping2):.4g}")
    return Rates(rates.eta * eta, damping1, damping2, rates.epsilon * epsilon)


@dataclass(frozen=True)
class PlainAdam(Adam):
    """Adam without bias correction; β₁ = 0 is RMSprop.

    Args:
        lagged: whether v is used before its update.
    """

    lagged: bool = True

    def bias1(self, t: int) -> float:
        """1."""
        return 1.0

    def root(self, v: Array, t: int) -> Array:
        """√v + ε."""
        return array_namespace(v).sqrt(v) + self.epsilon

    def step(self, params: Array, grad: Array, state: Moments, t: int) -> tuple[Array, Moments]:
        """Step number t = 0, 1, …"""
        pull = self.pull(params, grad)
        m = average(self.beta1, state.m, pull)
        v = average(self.beta2, state.v, pull * pull)
        return self.moved(params, m, self.root(state.v if self.lagged else v, t), t), Moments(m, v)


# --- v frozen -------------------------------------------------------------------------------------------------------


def frozen(xp: Any, p: float, damping1: float, s: float = 1.0) -> Linear:
    """One step of (θ, dm) where v is σ²/B, d = η/(√v + ε): d(aθ + noise) is pθ + sξ."""
    c, beta1 = damping1, 1 - damping1
    A = [[1 - p * c, -beta1], [p * c, beta1]]
    return Linear(
        xp.asarray(A, dtype=xp.float64), (s * c) ** 2 * xp.asarray([[1.0, -1.0], [-1.0, 1.0]], dtype=xp.float64)
    )


def frozen_variance(s: Array, p: Array, beta1: Array = 0.0, *, exchanged: bool = False) -> Array:
    """Stationary Var θ; ``exchanged``: with (1 + β₁)/(1 − β₁) for its inverse."""
    ratio = (1 - beta1) / (1 + beta1)
    return s * s / (p * (2 - p * (1 / ratio if exchanged else ratio)))


def edge(beta1: Array) -> Array:
    """The p from which the frozen process is not stable, 2(1 + β₁)/(1 − β₁)."""
    return 2 * (1 + beta1) / (1 - beta1)


def sgd_variance(eta: Array, kappa: Array) -> Array:
    """Stationary variance of SGD, a = σ = 1, at the batch κ."""
    return eta / (kappa * (2 - eta))


def departure(p: Array, kappa: Array) -> Array:
    """Var(κ)/Var(1) of RMSprop by the rule, v frozen: (2 − p)/(2 − κp)."""
    return (2 - p) / (2 - kappa * p)


# --- v moves --------------------------------------------------------------------------------------------------------


def mean_field(M, m, X, C, Q, v, eta, damping1, damping2, epsilon, a, noise):
    """(Eθ, Em, Eθ², Eθm, Em², v) after a step with the old v, its fluctuation left out, and the step's d = η/(√v + ε).

    Plain arithmetic, so that `sims.noise` compiles it.

    Args:
        a: curvature; noise: σ²/B.
    """
    beta1, square = 1 - damping1, a * a * X + noise
    d = eta / (v**0.5 + epsilon)
    m = beta1 * m + damping1 * a * M
    joint = beta1 * C + damping1 * a * X
    Q = beta1 * beta1 * Q + 2 * beta1 * damping1 * a * C + damping1 * damping1 * square
    v = (1 - damping2) * v + damping2 * square
    return M - d * m, m, X - 2 * d * joint + d * d * Q, joint - d * Q, Q, v, d


def v_noise(delta: Array, lagged: bool) -> Array:
    """Stationary Var θ over the frozen one to first order in δ = 1 − β₂: 1 + 5δ/8 with the old v, else 1 − 3δ/8."""
    return 1 + delta * (5 if lagged else -3) / 8
