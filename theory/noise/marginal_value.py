r"""SGD with momentum beside SGD at the same rate: how far apart they are, at short and at long horizons.

Average form, m ← βm + (1−β)g, x ← x − ηm, m_0 = 0; SGD is β = 0. In the form of the paper, m ← βm + g, x ← x − γm,
γ = η(1−β): what is compared is SGDM at γ with SGD at γ/(1−β).

**Short horizon.** With a = ηβ/(1−β), y = x − am follows y ← y − ηg(x): SGD on y, its gradient taken at x = y + am
(proved step `marginal_value.identity`). On one mode, g = hx + ξ, with the same noise for both, D = y_M − x_S therefore
has none:

    D ← (1 − ηh)D − ηha m,    m ← βm + (1−β)(h(x_S + D + am) + ξ),    x_S ← (1 − ηh)x_S − ηξ,

and the difference x_M − x_S = D + am is never one of two numbers of order 1. With Var ξ = s²/η, the largest noise
under which x keeps a distribution of order 1 over 1/η steps, t = ηk, E = e^{−2ht}, to first order in a at fixed t > 0
(derived)

    E x_M − E x_S = ah(1 − ht)e^{−ht}x₀,
    Var x_M − Var x_S = as²[β/(1+β) − ½ − (3/2)E + htE],
    E(x_M − x_S)², same noise, = ηs²β²/(1−β²).

**Long horizon.** In the valley beside a line (`theory.noise.valley`, n → ∞, q = 1), with τ = η²k, x(τ) → x₀e^{−s²τ/2}
for both; with X that limit and Z = X²

    x_M − x_S = a₁ηβ/(1+β) + a₂η²/(1−β) + …,
    a₁ = ½X(s²τ + x₀² − Z),    a₂ = s²X(1 − s²τ/4 − ¼ln((1+x₀²)/(1+Z)))

(derived: a₁ from the stationary Y = ηs²/(2 − ηhc), c = (1−β)/(1+β); a₂ from the response of (Y, C, Q) to a curvature
that changes slowly, which is the same for any (1−β)/η, and from the first η²/(1−β) of τ).

**Descent.** A mode's second moments settle at E x² = ηs²/(h(2 − ηhc)), Var ξ = s². Without noise the rates of heavy
ball and gradient descent at their best give the gain ln((√κ+1)/(√κ−1)) / ln((κ+1)/(κ−1)) (Polyak).
"""

from __future__ import annotations

__all__ = ["DAMPED", "asymptotic_gain", "first_order", "floor", "gaps", "lag", "mode_moments", "pair", "valley_law"]

import math
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.moments import Linear

DAMPED = 0.01
"""The 1 − β down to which gains under noise are judged."""

Array = Any


def lag(eta: Any, damping: Any) -> Any:
    """a = ηβ/(1−β), from the damping 1 − β: how far x is behind what SGD would have done, in units of m."""
    return eta * (1 - damping) / damping


def pair(xp: Any, eta: float, damping: float, h: float = 1.0, s: float = 1.0) -> Linear:
    """One step of (x_S, D, m), D = x_M − am − x_S, with the same noise of variance s²/η; (3, 3).

    Args:
        xp: the array library; eta: η; h: curvature; s: noise.
        damping: 1 − β, which may be less than a number near 1 can hold.
    """
    a, c = lag(eta, damping), damping
    A = [[1 - eta * h, 0.0, 0.0], [0.0, 1 - eta * h, -eta * h * a], [c * h, c * h, 1 - c + c * h * a]]
    b = xp.asarray([-eta, 0.0, c], dtype=xp.float64)
    return Linear(xp.asarray(A, dtype=xp.float64), s * s / eta * b[:, None] * b[None, :])


def gaps(done: Linear, a: float, x_0: float = 1.0) -> dict[str, float]:
    """How far apart the two are after the steps of ``done``, from x₀ with m = 0.

    Args:
        done: steps of `pair` as one; a: their `lag`.

    Returns:
        ``mean`` E x_M − E x_S, ``variance`` Var x_M − Var x_S, ``coupled`` √E(x_M − x_S)² with the same noise,
        ``w2`` the Wasserstein distance of the two normal laws.
    """
    A, W = done.A, done.W
    mean = x_0 * (A[1, 0] + a * A[2, 0])
    with_sgd = W[0, 1] + a * W[0, 2]
    own = W[1, 1] + 2 * a * W[1, 2] + a * a * W[2, 2]
    variance = 2 * with_sgd + own
    sd = float(W[0, 0]) ** 0.5
    apart = variance / (max(float(W[0, 0] + variance), 0.0) ** 0.5 + sd)  # below 0 by rounding, where x_M rests
    found = {"mean": mean, "variance": variance, "coupled": (own + mean**2) ** 0.5, "w2": (mean**2 + apart**2) ** 0.5}
    return {name: float(x) for name, x in found.items()}


def first_order(
    eta: Any, beta: Any, h: Any, t: Any, s: Any = 1.0, x_0: Any = 1.0, *, delay: float = 1.0, half: float = 0.5
) -> tuple[Any, Any, Any]:
    """E x_M − E x_S, Var x_M − Var x_S and E(x_M − x_S)² to first order in a; numbers, or arrays that broadcast.

    Args:
        delay, half: 1 and ½: what stands before ht in the first, and for the ½ of the second.
    """
    exp = array_namespace(t).exp if getattr(t, "shape", ()) else math.exp
    a, E = lag(eta, 1 - beta), exp(-2 * h * t)
    return (
        a * h * (1 - delay * h * t) * exp(-h * t) * x_0,
        a * s**2 * (beta / (1 + beta) - half - 1.5 * E + h * t * E),
        eta * s**2 * beta**2 / (1 - beta**2),
    )


def valley_law(eta: float, beta: float, tau: float, x_0: float, s: float = 1.0) -> tuple[float, float]:
    """Both terms of x_M − x_S: of the order η, and of the order η²/(1−β)."""
    reach = s * s * tau
    X = x_0 * math.exp(-reach / 2)
    Z = X * X
    a_1 = X * (reach + x_0**2 - Z) / 2
    a_2 = s * s * X * (1 - reach / 4 - math.log((1 + x_0**2) / (1 + Z)) / 4)
    return a_1 * eta * beta / (1 + beta), a_2 * eta**2 / (1 - beta)


def mode_moments(X: Any, C: Any, Q: Any, h: Any, noise: Any, eta: Any, beta: Any) -> tuple[Any, Any, Any]:
    """One step of (E x², E xm, E m²) of a mode, g = hx + ξ, Var ξ = ``noise``; numbers, or arrays that broadcast.

    Plain arithmetic, so that `sims.noise` compiles this very function.
    """
    pull = (1 - beta) * h
    Q = beta * beta * Q + 2 * beta * pull * C + pull * pull * X + (1 - beta) * (1 - beta) * noise
    C = beta * C + pull * X
    return X - 2 * eta * C + eta * eta * Q, C - eta * Q, Q


def floor(eta: Array, beta: Array, h: Array, noise: Array) -> Array:
    """E L = mean_i h_i E x_i² where all modes have settled, (…); infinite where one is not stable.

    Args:
        eta, beta: (…); h, noise: (d,), the curvatures and the variances of their gradients' noise.
    """
    xp = array_namespace(eta)
    room = 2 - eta[..., None] * h * ((1 - beta) / (1 + beta))[..., None]
    safe = xp.where(room > 0, room, xp.ones_like(room))
    each = xp.mean(eta[..., None] * noise / safe, axis=-1)
    return xp.where(xp.all(room > 0, axis=-1), each, xp.full_like(each, math.inf))


def asymptotic_gain(kappa: float) -> float:
    """Steps of gradient descent over steps of heavy ball, each at its best rate, without noise and to any accuracy."""
    root = kappa**0.5
    return math.log((root + 1) / (root - 1)) / math.log((kappa + 1) / (kappa - 1))
