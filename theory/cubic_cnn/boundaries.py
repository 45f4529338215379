r"""Where the theorem's picture ends in the plane of learning rate and momentum (derived; this project's own).

Notation: GD+M in the average form, g ← γg + (1 − γ)∇L, w ← w − ηg, λ = 0; v_t = −η g_t is the velocity.

**Energy identity.** With v_{t+1} = γ v_t − η(1 − γ)∇L_t and w_{t+1} = w_t + v_{t+1}, the energy
E_t = ½|v_t|² + η(1 − γ)L(w_t) changes in a step by exactly

    ΔE = −(1 − γ)⟨v_t, v̄⟩ − ½η(1 − γ)²⟨∇L_t, v_t⟩ − ½η²(1 − γ)²|∇L_t|² + η(1 − γ) R_t,    v̄ = (v_t + v_{t+1})/2,

R_t = L(w_{t+1}) − L(w_t) − ⟨∇L_t, v_{t+1}⟩ the curvature's share. The first term is friction, the others are
discretization. Proof: ½|v_{t+1}|² − ½|v_t|² = ⟨v_{t+1} − v_t, v̄⟩ with v_{t+1} − v_t = −(1 − γ)(v_t + η∇L_t), and
v̄ − v_{t+1} = ½(1 − γ)(v_t + η∇L_t). ∎

**Coasting law.** If friction and discretization are weak until the large-margin loss L₁(0) is spent, then
|v| = √(2η(1 − γ)L₁(0)) there; nothing but friction acts from then on, |v| falls by the factor γ a step, and the feature
coasts |v|/(1 − γ) = √(2ηL₁(0)/(1 − γ)) on (`predictions.coasting_distance`).

**Race law.** From c* on, the small-margin gradient ċ = 3ηβ³ν₂c² with ν₂ ≈ μ/2 carries c to 1/β within
η t = (1/c* − β)/(1.5 β³μ). Against it runs the time ηT₁ in which the noise of the small-margin samples is memorized.
Both take as long at 1/c* = β + 1.5β³μ ηT₁; the coast reaches that c* on the line 1 − γ = 2ηL₁(0)/c*².

**The two-body race.** Friction, discretization (and with it the overshoot of plain GD), the initial c, several neurons
and the lag with which momentum moves the noise too are all in the recursion of the coefficients c_r and of one typical
noise coefficient ξ. `feature_share` iterates it: the feature wins if it has more than half of the margin.
"""

from __future__ import annotations

__all__ = [
    "COASTS",
    "coasting_line",
    "feature_share",
    "friction",
    "overshoot_line",
    "race_coefficient",
    "race_line",
    "roughness",
]

from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.cubic_cnn.model import logistic_weight
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.cubic_cnn.predictions import large_margin_loss

Array = Any

ESCAPE = 2.4286506478875817
"""∫₁^∞ dx/√(x³ − 1) = B(1/6, 1/2)/3: the time in which c̈ = c² runs away from rest at 1, over √(3/2)."""

COASTS = 1.0
"""Friction and roughness up to which the coasting law, and with it the race law, is claimed."""


def coasting_line(p: Parameters, eta: Array) -> Array:
    """1 − γ at which the coast alone reaches 1/β: 2ηL₁(0)β²; any shape."""
    return 2 * eta * large_margin_loss(p) * p.beta**2


def race_coefficient(p: Parameters, clock: float) -> float:
    """The critical coasting distance c*, 1/c* = β + 1.5β³μ · clock.

    Args:
        p: the parameters.
        clock: ηT₁, the time in which the median small-margin sample is memorized, in η·iterations.
    """
    return 1 / (p.beta + 1.5 * p.beta**3 * p.mu * clock)


def race_line(p: Parameters, eta: Array, clock: float) -> Array:
    """1 − γ on the race law's line, 2ηL₁(0)/c*²; any shape."""
    return 2 * eta * large_margin_loss(p) / race_coefficient(p, clock) ** 2


def overshoot_line(p: Parameters, kappa: float) -> float:
    """The learning rate κ/(αβ) from which a step of plain GD near 1/α jumps far enough."""
    return kappa / (p.alpha * p.beta)


def friction(p: Parameters, eta: Array, gamma: Array, c_0: Array) -> Array:
    """The share (1 − γ)t of friction in the escape from c₀ > 0: t iterations from rest, c̈ = 1.5η(1 − γ)α³(1 − μ)c²."""
    pull = 1.5 * eta * (1 - gamma) * p.alpha**3 * (1 - p.mu)
    return (1 - gamma) * ESCAPE * (1.5 / (pull * c_0)) ** 0.5


def roughness(p: Parameters, eta: Array, gamma: Array) -> Array:
    """η(1 − γ)α², the size of a step's change of velocity near 1/α, over 1/α."""
    return eta * (1 - gamma) * p.alpha**2


def feature_share(
    p: Parameters, c_0: Array, share: float, eta: Array, gamma: Array, clock: float, longest: Array
) -> Array:
    r"""How much of a small-margin sample's margin is feature, in the two-body race, when the margin reaches 1.

    The bodies are the coefficients c_r and one noise coefficient ξ of a typical small-margin sample. Both follow GD+M:

        −∂c_r = 3c_r²[(1 − s)α³ℓ(α³Σc³) + sβ³ℓ(β³Σc³ + ξ³)],    −∂ξ = (3/N) σ²d ξ² ℓ(β³Σc³ + ξ³),

    s the share of small margins, ℓ(x) = 1/(1 + eˣ). ξ(0) is what takes the time ``clock`` to ξ³ = 1/2 under GD with
    ℓ = 1/2: 1/ξ(0) = 1.5 σ²d clock/N + 2^{1/3}.

    Args:
        p: the parameters.
        c_0: (m,) initial coefficients.
        share: of small-margin samples among the N, as drawn.
        eta, gamma: (A,) learning rates and momenta.
        clock: ηT₁ of the median small-margin sample under GD, in η·iterations.
        longest: (A,) iterations after which a race is given up.

    Returns:
        (A,) β³Σc³ / (β³Σc³ + ξ³) at the first iteration at which the margin is 1 or more; NaN where it never is.
    """
    xp = array_namespace(c_0)
    pull = 3 * p.sigma**2 * p.d / p.N
    x_0 = 1 / (0.5 * pull * clock + 2 ** (1 / 3))
    ended, shares = [], []
    # One array for both bodies: c in the first m columns, ξ in the last.
    state = xp.concat([xp.tile(c_0[None, :], (eta.shape[0], 1)), xp.full((eta.shape[0], 1), x_0)], axis=1)
    g, alive, t = xp.zeros_like(state), xp.arange(eta.shape[0]), 0
    while alive.shape[0]:
        cubes = state * state * state
        feature = xp.sum(cubes[:, :-1], axis=-1)
        margin = p.beta**3 * feature + cubes[:, -1]
        won = margin >= 1
        over = won | (xp.take(longest, alive) <= t) | ~xp.isfinite(margin)
        if bool(xp.any(over)):
            ended.append(alive[over])
            shares.append(xp.where(won, p.beta**3 * feature / margin, xp.nan * margin)[over])
            going = xp.nonzero(~over)[0]
            state, g, alive, feature, margin = (xp.take(x, going, axis=0) for x in (state, g, alive, feature, margin))
        small = logistic_weight(margin)
        weight = (1 - share) * p.alpha**3 * logistic_weight(p.alpha**3 * feature) + share * p.beta**3 * small
        weights = xp.concat([xp.tile(3 * weight[:, None], (1, c_0.shape[0])), pull * small[:, None]], axis=1)
        rate, memory = xp.take(eta, alive)[:, None], xp.take(gamma, alive)[:, None]
        g = memory * g - (1 - memory) * state * state * weights
        state = state - rate * g
        t += 1
    return xp.take(xp.concat(shares), xp.argsort(xp.concat(ended)))
