r"""How the loss curves in a ball around the computed states: bounds of the Hessian's spectrum (derived).

With D_kr = (6/N) y_iℓ_iΞ_kr, v_r = (6c_r/N) Σ_i ℓ_i s_i³ and g_i = ∇(y_i f_i),

    H = −[block r: Xᵀdiag(D_·r)X + v_r w*w*ᵀ] + (1/N) Σ_i ℓ_i(1−ℓ_i) g_i g_iᵀ + λI.

The blocks of different r are orthogonal, and so are w* and the noise, so −λ_min(H) + λ ≤ max_r max(λ_max(XᵀD⁺X),
v_r⁺), as the second sum is positive semidefinite; λ_max(H) − λ is at most the same of the negative parts, plus that
sum's norm.

**In a ball** around the computed state, whose view is off by δΞ, δc, δm, let a difference have the norms e_s along w*
and e_x across it. Then |ΔΞ_k| ≤ δΞ + ‖x_k‖e_x = r_k, |Δc| ≤ δc + e_s = r_c, and |Δ(y_i f_i)| is at most

    Δ_i = δm_i + 3 e_x Σ_j ‖x_j‖‖(|Ξ_j| + r_j)²‖ + 3 e_s |s_i|³‖(|c| + r_c)²‖.

Where Δ_i ≤ 1, ℓ_i and ℓ_i(1 − ℓ_i) grow by a factor of at most 1 + 2Δ_i =: f_i, as their logarithms' derivatives are
at most 1. So D⁺ ≤ f_i(D̂⁺ + (6/N)ℓ_i r_k), and so on; ‖g_i(W) − g_i(Ŵ)‖ ≤ e sup‖∇²f_i‖.

**Not quite orthogonal.** With |⟨x_k, w*⟩| small, XᵀDX has max D‖Xw*‖² along w* and at most max D‖Xw*‖‖X‖ between; a
noise part of g_i has at most o = max|⟨x_k, w*⟩|/‖x_k‖ of its length along w*, and a signal patch is y_is_iw* up to
signal_error. All of it is of the order of rounding, and 0 for the system of (c, Ξ).
"""

from __future__ import annotations

__all__ = ["Ball", "Curvature", "Movement", "curvature", "movement", "steepest"]

import math
from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.cubic_cnn.certificate.data import Data
from lemmascope.theory.cubic_cnn.certificate.residual import Errors
from lemmascope.theory.cubic_cnn.certificate.rounding import eigenvalue_above, gamma, norm, upward
from lemmascope.theory.cubic_cnn.certificate.window import Window

Array = Any

FAINT = 2.0**-10
"""Entries of D below this part of what matters are bounded by the norm of K."""

HARMLESS = 2.0**-7


@dataclass(frozen=True)
class Curvature:
    """Of the data part of H, without λ, at each iteration of a window; (R,) each.

    Attributes:
        up: λ_max of the whole is at most this, and −λ_min at most the larger of the two ``down``.
        down_signal, up_signal: −λ_min and λ_max of the block along w*; down_noise, up_noise: of the block across.
        coupling: the norm of the block between them.
    """

    up: Array
    down_signal: Array
    up_signal: Array
    down_noise: Array
    up_noise: Array
    coupling: Array


@dataclass(frozen=True)
class Ball:
    """W-norms of the difference of two points: of all of it, of its part along w*, and of that across."""

    whole: float = 0.0
    signal: float = 0.0
    noise: float = 0.0


def steepest(data: Data, D: Array, sharp: bool = True, enough: float = 0.0) -> float:
    r"""max_r λ_max(Xᵀ diag(D_r·) X) for D (m, n) ≥ 0, from above.

    Crude bounds, min(max_k D ‖K‖, Σ_k D‖x_k‖²), settle most rows; for the rest, rows and columns with D_k ≤ τ are split
    off at the price of τ‖K‖, and the others bounded by a factorization. A bound of ``enough`` or less is good enough.
    """
    xp = array_namespace(D)
    crude = xp.minimum(xp.max(D, axis=-1) * data.K_norm, xp.sum(D * data.x**2, axis=-1))
    crude = upward(crude)
    best, order = enough, xp.argsort(-crude)
    if not sharp or not bool(xp.all(xp.isfinite(crude))):
        return float(xp.max(crude))
    for r in (int(j) for j in order):
        if float(crude[r]) <= best:
            break
        row = D[r, :]
        cut = FAINT * float(xp.max(row))
        places = xp.nonzero(row > cut)[0]
        root = xp.sqrt(xp.take(row, places))
        inner = xp.take(xp.take(data.K, places, axis=0), places, axis=1)
        A = root[:, None] * (0.5 * (inner + xp.matrix_transpose(inner))) * root[None, :]
        # |fl(A) − A| ≤ γ_6 √D_kD_k' ‖x_k‖‖x_k'‖, whose norm is at most its trace.
        lengths = float(xp.sum(xp.take(row, places) * xp.take(data.x, places) ** 2))
        off = upward(gamma(6) * lengths + float(xp.max(row)) * data.K_error)
        found = upward(
            max(eigenvalue_above(0.5 * (A + xp.matrix_transpose(A)), off, quick=True), 0.0) + cut * data.K_norm
        )
        best = max(best, min(found, float(crude[r])))
    return min(best, float(xp.max(crude)))


def _harmless(rates: Array) -> float:
    """A curvature that changes a difference by less than a hundredth over a window, so that none need be sharper."""
    memory, kappa, p, q = (rates[:, j] for j in range(4))
    xp = array_namespace(rates)
    if bool(xp.any(memory >= 1)):
        return 0.0
    gain = float(xp.max(p * kappa / (1 - memory) + q))
    return HARMLESS / (rates.shape[0] * gain) if gain > 0 else 0.0


@dataclass(frozen=True)
class Movement:
    """How far the view in a ball is from the computed one: (m, n) Ξ, (m,) c, (N,) y_i f_i and its noise part."""

    Xi: Array
    c: Array
    margins: Array
    memorization: Array


def movement(data: Data, window: Window, found: Errors, ball: Ball) -> Movement:
    """r_k, r_c and Δ_i above, maxima over the window; infinite for an infinite radius."""
    xp = array_namespace(window.Xi)
    wide = 1 + data.unit + data.signal_error
    # Noise patches have ⟨x_k, w*⟩ along w*; signal patches have signal_error across it.
    across = ball.noise + ball.signal * norm(data.along) / float(xp.min(data.x))
    along = wide * ball.signal + data.signal_error * ball.noise
    if not bool(xp.all(data.strength != 0)):  # c is then read off, and not a part of the system
        along = max(along, wide * ball.whole)
    r, r_c = upward(found.Xi + data.x * across), upward(found.c + along)
    noise = across * data.by_sample(data.x * xp.sqrt(xp.sum((window.Xi + r) ** 4, axis=0)))
    signal = along * xp.abs(data.strength) ** 3 * norm((window.c + r_c) ** 2)
    return Movement(r, r_c, upward(found.margins + 3 * (noise + signal)), upward(found.margins + 3 * noise))


def curvature(data: Data, window: Window, found: Errors, ball: Ball, sharp: bool = True) -> Curvature:
    """Bounds in balls around the window's states; infinite where the ball is too large to tell.

    Args:
        found: errors of the view.
        ball: its size; 0 bounds the computed states alone.
        sharp: by eigenvalue, or by crude norms.
    """
    xp = array_namespace(window.Xi)
    N = data.y.shape[0]
    nowhere = Curvature(*[xp.full(window.signal.shape, math.inf)] * 6)
    if not math.isfinite(ball.whole):
        return nowhere
    moved = movement(data, window, found, ball)
    if not bool(xp.all(moved.margins <= 1)):  # nor where it is NaN
        return nowhere
    wide = 1 + data.unit + data.signal_error
    Xi, c, size = window.Xi + moved.Xi, window.c + moved.c, xp.abs(data.strength) ** 3
    factor = 1 + 2 * moved.margins
    more = (6.0 / N) * data.of_patches(window.ell) * moved.Xi
    rise, fall = (upward(data.of_patches(factor) * (part + more)) for part in (window.rise, window.fall))
    # |v_r(W) − v̂_r| ≤ 6(|c| + r_c)(1/N) Σ ℓ|s|³ 2Δ + 6 r_c (1/N) Σ ℓ|s|³
    moment = window.ell * size / N
    swing = 6 * float(xp.max(c)) * float(xp.sum(moment * (2 * moved.margins + found.ell + 4 * data.signal_error)))
    swing = swing + 6 * float(xp.max(moved.c)) * float(xp.sum(moment))
    signal, signal_down = wide * (window.signal + swing), wide * (window.signal_down + swing)
    slope, hollow = (steepest(data, part, sharp, _harmless(window.rates)) for part in (rise, fall))
    slip, steep = norm(data.along), max(float(xp.max(rise)), float(xp.max(fall)))
    # XᵀDX along w*, and between w* and its complement.
    touch, between = steep * slip * slip, steep * slip * math.sqrt(data.K_norm)
    turn = 6 * (float(xp.max(data.by_sample(xp.max(Xi, axis=0) * data.x**2))) + float(xp.max(size)) * wide * norm(c))
    away = wide * ball.whole + float(xp.max(xp.sqrt(xp.sum(found.Xi**2, axis=0)) / data.x)) + norm(found.c)
    # Noise has at most the part o of its length along w*, and signal patches signal_error across it.
    o = slip / float(xp.min(data.x)) + data.signal_error
    loose = 0.5 * turn * away
    most = float(xp.max(factor))
    along, across = (xp.sqrt(pull * most) * wide + loose for pull in (window.pull_signal, window.pull_noise))
    along, across = along + o * across, across + o * along
    between = between + 4 * data.signal_error * (signal + signal_down)
    return Curvature(
        up=upward(
            xp.maximum(signal_down + touch, xp.asarray(hollow))
            + between
            + along**2
            + across**2
            + 2 * o * along * across
        ),
        down_signal=upward(signal + touch + between),
        up_signal=upward(signal_down + touch + along**2),
        down_noise=upward(xp.asarray(slope) + between + xp.zeros_like(signal)),
        up_noise=upward(xp.asarray(hollow) + between + across**2),
        coupling=upward(along * across + between),
    )
