r"""What the theorem watches, as intervals that hold for the exact trajectory (derived).

Within a W-ball of radius e around a computed state whose view is off by δΞ, δc, δm: Ξ_k is off by δΞ + ‖x_k‖e, c by δc
+ e, and y_if_i by Δ_i (`curvature.movement`). ℓ and the loss are monotone in it.
"""

from __future__ import annotations

__all__ = [
    "QUANTITIES",
    "Interval",
    "Pulls",
    "coefficients",
    "cross_terms",
    "enclose",
    "hitting",
    "pulls",
    "signal_sum",
]

import math
from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.cubic_cnn.certificate.curvature import FARTHEST, Ball, Movement
from lemmascope.theory.cubic_cnn.certificate.data import Data
from lemmascope.theory.cubic_cnn.certificate.residual import Errors
from lemmascope.theory.cubic_cnn.certificate.rounding import EXPONENTIAL, UNIT, gamma, norm, upward
from lemmascope.theory.cubic_cnn.certificate.window import Window
from lemmascope.theory.cubic_cnn.model import View, log1p_exp, logistic_weight

Array = Any
Interval = tuple[float, float]

FEW = 2 * EXPONENTIAL + 32 * UNIT
"""Relative error of a computed ℓ or log(1 + e^x), and of what is added to them."""


QUANTITIES = ("Xi_abs_max", "memorization_min", "nu", "loss", "train_accuracy")
"""What is enclosed of a group of samples."""


def _wide(low: Any, high: Any, few: float = 8 * UNIT) -> Interval:
    """Outwards by some roundings."""
    low, high = float(low), float(high)
    return low - few * abs(low) - 1e-300, high + few * abs(high) + 1e-300


def coefficients(c: Array, moved: Movement) -> tuple[Array, Array]:
    """(m,) c_r from below and from above."""
    few = 8 * UNIT * (array_namespace(c).abs(c) + moved.c)
    return c - moved.c - few, c + moved.c + few


def enclose(data: Data, view: View, at: Window, moved: Movement, group: Array) -> dict[str, Interval]:
    """Intervals of what is recorded of one iteration, for the samples where ``group`` (N,) is True.

    Args:
        view: the state's (S = A = 1).
        at: the same iteration (`window.look`). moved: how far the exact state's view is from it.

    Returns:
        ``Xi_abs_max``, ``memorization_min``, ``nu``, ``loss``, ``train_accuracy`` as in
        `theory.cubic_cnn.quantities`. A group without samples gives NaN.
    """
    xp = array_namespace(view.margins)
    m, N = at.Xi.shape[0], data.y.shape[0]
    margins, memorization = view.margins[0, 0], view.memorization[0, 0]
    places = xp.nonzero(group)[0]
    Xi = xp.max(at.Xi, axis=0)
    reach = xp.max(moved.Xi, axis=0)
    patches = xp.nonzero(data.of_patches(xp.astype(group, xp.float64)) > 0)[0]
    result: dict[str, Interval] = {}
    if places.shape[0] == 0:
        return dict.fromkeys(QUANTITIES, (math.nan, math.nan))
    Xi, reach = xp.take(Xi, patches), xp.take(reach, patches)
    result["Xi_abs_max"] = _wide(xp.max(Xi - reach), xp.max(Xi + reach))
    low, high = (xp.take(margins + sign * moved.margins, places) for sign in (-1, 1))
    less, more = (xp.take(memorization + sign * moved.memorization, places) for sign in (-1, 1))
    result["memorization_min"] = _wide(xp.min(less), xp.min(more))
    few = FEW + 4 * (N + m) * UNIT
    result["nu"] = _wide(xp.sum(logistic_weight(_up(high))) / N, xp.sum(logistic_weight(_down(low))) / N, few)
    result["loss"] = _wide(xp.sum(log1p_exp(-_up(high))) / N, xp.sum(log1p_exp(-_down(low))) / N, few)
    right = [float(xp.sum(xp.astype(side > 0, xp.float64))) for side in (_down(low), _up(high))]
    result["train_accuracy"] = right[0] / places.shape[0], right[1] / places.shape[0]  # as they are recorded
    return result


def _up(x: Array) -> Array:
    return x + 8 * UNIT * array_namespace(x).abs(x)


def _down(x: Array) -> Array:
    return x - 8 * UNIT * array_namespace(x).abs(x)


@dataclass(frozen=True)
class Pulls:
    """What `cross_terms` has of û_k = y ℓ Ξ_k², (m, n) each.

    Attributes:
        u: as computed. above, below: how much larger and how much smaller |u_k| may be; |u_k − û_k| ≤ above.
        others, others_above, others_below: Σ_{k'≠k} |u_k'|, likewise.
        reached: how far Σ_{k'≠k} K_kk'u_k' may be off for K as computed, but for the product's rounding.
    """

    u: Array
    above: Array
    below: Array
    others: Array
    others_above: Array
    others_below: Array
    reached: Array


def pulls(data: Data, view: View, wrong: Errors, moved: Movement, ball: Ball) -> Pulls:
    """The sizes that `cross_terms` is made of, and how far they may be off (derived).

    |u_k − û_k| ≤ ℓ((e^Δ − 1)Ξ² + e^Δ(2|Ξ| + r)|ΔΞ|) = ε_k, with |ΔΞ_k| ≤ r_k. Beside the view's error, ΔΞ is
    ⟨x_k, δ_r⟩, Σ_k⟨x_k, δ_r⟩² ≤ ‖K‖e², so that for weights z_k the sum of z_kℓe^Δ(2|Ξ| + r)|⟨x_k, δ_r⟩| is at most
    √‖K‖ e times the norm of z_kℓe^Δ(2|Ξ| + r) too. And Σ_kz_k|⟨x_k, δ_r⟩| = ⟨Σ_k±z_kx_k, δ_r⟩ is at most
    e(Σ_kk' z_kz_k'|K_kk'|)^½: less where few of the z_k are large.

    Downwards |u_k| ≥ ℓe^−Δ(|Ξ| − |ΔΞ|)²₊ ≥ ℓe^−Δ(Ξ² − 2|Ξ||ΔΞ|), so that |û_k| − |u_k| ≤ ℓ((1 − e^−Δ)Ξ² +
    2e^−Δ|Ξ||ΔΞ|), which is less than ε_k; and at most |û_k|.
    """
    xp = array_namespace(view.Xi)
    m, n = view.Xi.shape[2], data.x.shape[0]
    Xi = xp.abs(xp.reshape(view.Xi[0, 0], (m, n)))
    ell, margins = data.of_patches(view.ell[0, 0]), data.of_patches(moved.margins)
    u = data.of_patches(data.y) * ell * Xi * Xi
    size, factor, fade = xp.abs(u), xp.exp(margins), xp.exp(-margins)
    lean, fixed = ell * factor * (2 * Xi + moved.Xi), ell * (factor - 1) * Xi * Xi + (FEW + 8 * UNIT) * size
    above, fixed = upward(fixed + lean * moved.Xi), upward(fixed + lean * wrong.Xi)
    # 1 − e^−Δ is off by the exponential's error and its own rounding, 9u: less than what is added.
    fall, still = 2 * ell * fade * Xi, ell * xp.clip(1 - fade, 0.0, None) * Xi * Xi + (FEW + 32 * UNIT) * size
    below, still = xp.minimum(upward(still + fall * moved.Xi), size), upward(still + fall * wrong.Xi)
    ball_size = ball.noise + ball.signal * norm(data.along) / float(xp.min(data.x))
    diagonal, reach = xp.linalg.diagonal(data.K), data.K_others[1]

    def but_one(part: Array) -> Array:
        return xp.sum(part, axis=-1)[:, None] - part

    def together(each: Array, fixed: Array, lean: Array) -> Array:
        """What sums are off by: what each is, or what is fixed and e times a norm."""
        squares = xp.sum(lean * lean, axis=-1)
        joint = xp.sum(lean * (lean @ reach + lean * diagonal), axis=-1) + data.K_error * squares
        by_norm = but_one(fixed) + upward(ball_size * xp.sqrt(xp.minimum(data.K_norm * squares, joint)))[:, None]
        return upward(xp.minimum(but_one(each), by_norm) + 4 * n * UNIT * xp.sum(size + each, axis=-1)[:, None])

    by_norm = fixed @ reach + math.sqrt(data.K_norm) * ball_size * xp.sqrt((lean * lean) @ (reach * reach))
    reached = upward(xp.minimum(above @ reach, by_norm))
    sums = but_one(size), together(above, fixed, lean), together(below, still, fall)
    return Pulls(u, above, below, *sums, reached)


def cross_terms(
    data: Data, view: View, wrong: Errors, moved: Movement, ball: Ball, sigma: float
) -> dict[str, Interval]:
    """``cross_ratio`` and ``cross_to_diagonal`` of `theory.cubic_cnn.quantities.cross_terms`, as intervals (derived).

    Each product of `pulls` with K is off by what they reach, by K's own error and γ. A denominator is a sum of sizes,
    whose lower end is theirs.
    """
    xp = array_namespace(view.Xi)
    n = data.x.shape[0]
    if not bool(xp.all(moved.margins <= FARTHEST)):  # nor where it is NaN; e^Δ and its squares may overflow
        return dict.fromkeys(("cross_ratio", "cross_to_diagonal"), (0.0, math.inf))
    found = pulls(data, view, wrong, moved, ball)
    size = xp.abs(found.u)
    diagonal = xp.linalg.diagonal(data.K)
    others, reach = data.K_others
    lengths = xp.sqrt(xp.sum((size + found.above) ** 2, axis=-1))[:, None]
    slack = upward(found.reached + gamma(n + 8) * (size @ reach) + data.K_columns_error[None, :] * lengths)
    cross = xp.abs(found.u @ others)
    norm_ = sigma * xp.sqrt(diagonal)[None, :]
    norm_off = sigma * upward(xp.sqrt(data.K_error + 4 * UNIT * diagonal))[None, :]
    low, high = xp.clip(cross - slack, 0.0, None), cross + slack
    below = xp.clip(found.others - found.others_below, 0.0, None) * xp.clip(norm_ - norm_off, 0.0, None)
    above = (found.others + found.others_above) * (norm_ + norm_off)
    own, own_off = diagonal * size, (data.K_error + 4 * UNIT * diagonal) * size
    least = xp.max(own - upward((diagonal + data.K_error) * found.below + own_off), axis=-1)
    most = xp.max(own + upward((diagonal + data.K_error) * found.above + own_off), axis=-1)

    def ratio(a: Array, b: Array) -> Array:
        return xp.where(b > 0, a / xp.where(b > 0, b, xp.ones_like(b)), xp.full_like(b, math.inf))

    return {
        "cross_ratio": _wide(xp.max(ratio(low, above)), xp.max(ratio(high, below))),
        "cross_to_diagonal": _wide(
            xp.max(ratio(xp.max(low, axis=-1), most)), xp.max(ratio(xp.max(high, axis=-1), least))
        ),
    }


def signal_sum(c: Array, moved: Movement, strength: float) -> Interval:
    """s³ Σ_r c_r³ for a signal of strength s > 0."""
    xp = array_namespace(c)
    value = strength**3 * float(xp.sum(c * c * c))
    size = xp.abs(c) + moved.c
    off = upward(strength**3 * float(xp.sum(3 * size**2 * moved.c) + (c.shape[0] + 16) * UNIT * xp.sum(size**3)))
    return _wide(value - off, value + off)


def hitting(values: Array, off: Array, threshold: float) -> tuple[int | None, int | None]:
    """Between which iterations a quantity first reaches a threshold: the first at which it may have, and at which it
    has.

    Args:
        values: (T + 1,) as computed.
        off: their distance from the exact ones, from above, of each or of all; infinite where not known.

    Returns:
        (earliest, latest); None where it surely has not, or is not known to have, up to the last iteration.
    """
    xp = array_namespace(values)
    slack = 8 * UNIT * (xp.abs(values) + off)
    may, must = (xp.nonzero(x >= threshold)[0] for x in (values + off + slack, values - off - slack))
    return (int(may[0]) if may.shape[0] else None), (int(must[0]) if must.shape[0] else None)
