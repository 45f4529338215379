r"""How the loss curves in a ball around the computed states: bounds of the Hessian's spectrum (derived).

With D_kr = (6/N) y_iℓ_iΞ_kr, v_r = (6c_r/N) Σ_i ℓ_i s_i³ and g_i = ∇(y_i f_i),

    H = −[block r: Xᵀdiag(D_·r)X + v_r w*w*ᵀ] + (1/N) Σ_i ℓ_i(1−ℓ_i) g_i g_iᵀ + λI.

The blocks of different r are orthogonal, and so are w* and the noise, so −λ_min(H) + λ ≤ max_r max(λ_max(XᵀD⁺X),
v_r⁺), as the second sum is positive semidefinite, and with what `relief` takes from D for it; λ_max(H) − λ is at most
the same of the negative parts, plus that sum's norm.

**In a ball** around the computed state, whose view is off by δΞ, δc, δm, let a difference have the norms e_s along w*
and e_x across it. Then |ΔΞ_k| ≤ δΞ + ‖x_k‖e_x = r_k, |Δc| ≤ δc + e_s = r_c, and |Δ(y_i f_i)| is at most

    Δ_i = δm_i + 3 e_x Σ_j ‖x_j‖‖(|Ξ_j| + r_j)²‖ + 3 e_s |s_i|³‖(|c| + r_c)²‖.

There ℓ_i and ℓ_i(1 − ℓ_i) grow by a factor of at most e^Δ_i =: f_i, as their logarithms' derivatives are at most 1.
So D⁺ ≤ f_i(D̂⁺ + (6/N)ℓ_i r_k), and so on; of d_i = g_i(W) − ĝ_i the norm of Σ w_id_id_iᵀ is at most
Q‖K‖ max_i w_i (6 max_κ(|Ξ_κ| + r_κ)‖x_κ‖e)² for the noise's part, as the patches of different samples are different,
and Σ_i w_i (6|s_i|³ max(|c| + r_c) e)² for that along w*.

**Between** w* and its complement Σ w_ig_ig_iᵀ is 9 Σ_i w_is_i³y_i (c_r²)_r ⊗ Σ_j (Ξ_ijr² x_ij)_r, as all signal parts
lie along one vector: of norm at most 9‖c²‖ √‖K‖ (Σ_k (w_i|s_i|³)² Σ_rΞ_kr⁴)^½. Samples of large margin have a small
w_i, and the others a small s_i, so that this is far less than the product of both parts' norms, which bounds it too.

For any τ in (0, 1), g_ig_iᵀ ⪰ (1 − τ)ĝ_iĝ_iᵀ − d_id_iᵀ/τ, and w_i ≥ ŵ_i(1 − Δ_i): so relief holds in the ball less a
part ε_i = τ + Δ_i, at the price of twice both norms over τ, which is chosen so that the sum is small.

**On the mean.** A difference grows by the mean of the Hessian on the segment from the computed state Ŵ to W. A bound
−H ⪯ P(s) at each of its points Ŵ + s(W − Ŵ), for which the ball's sizes are s times as large, gives −H̄ ⪯ ∫P. What the
ball adds to D and Δ_i are convex in s, and so have at most the mean of both ends; d_i is at most as + b, of which the
mean square is a²/3 + ab + b² ≤ (a + b)²/3 + b(a + b). So `down_signal` and `down_noise` are of the mean, and about half
as far above the state's own as a bound at every point; the others are of every point.

**Not quite orthogonal.** With |⟨x_k, w*⟩| small, XᵀDX has max D‖Xw*‖² along w* and at most max D‖Xw*‖‖X‖ between; a
noise part of g_i has at most o = max|⟨x_k, w*⟩|/‖x_k‖ of its length along w*, and a signal patch is y_is_iw* up to
signal_error. All of it is of the order of rounding, and 0 for the system of (c, Ξ).
"""

from __future__ import annotations

__all__ = ["FARTHEST", "Ball", "Curvature", "Movement", "curvature", "gain", "movement", "steepest"]

import math
from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.cubic_cnn.certificate.data import Data
from lemmascope.theory.cubic_cnn.certificate.residual import Errors
from lemmascope.theory.cubic_cnn.certificate.rounding import UNIT, eigenvalue_above, gamma, norm, upward
from lemmascope.theory.cubic_cnn.certificate.window import Window

Array = Any

FAINT = 2.0**-10
"""Entries of D below this part of what matters are bounded by the norm of K."""

HARMLESS = 2.0**-7

LENDING = (0.0, 0.25, 0.5, 1.0)
"""Of the largest D‖x‖², above which a sample lends, in turn; nothing is above the last."""

SMALL = 2.0**-6
"""Of what is bounded, a part that is not worth another choice."""

FARTHEST = 16.0
"""Of a margin's movement in a ball in which anything is bounded."""


@dataclass(frozen=True)
class Curvature:
    """Of the data part of H, without λ, at each iteration of a window; (R,) each.

    Attributes:
        up: λ_max of the whole is at most this, and −λ_min at most the larger of the two ``down``, which are of the
            mean on a segment from the centre.
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
        rest = cut * data.K_norm
        hope = (best - off - rest) * (1 - 2.0**-10)
        above = eigenvalue_above(0.5 * (A + xp.matrix_transpose(A)), off, quick=True, hope=hope)
        found = upward(max(above, 0.0) + rest)
        best = max(best, min(found, float(crude[r])))
    return min(best, float(xp.max(crude)))


def _swayed(
    data: Data, window: Window, found: Errors, moved: Movement, ball: Ball, factor: Array, of: Array | None = None
) -> tuple[float, float]:
    """‖Σ_i w_id_id_iᵀ‖ of both parts of d_i = g_i(W) − ĝ_i, that along w* first.

    With ``of`` (N,), of the samples where it is 1, and the mean on the segment.
    """
    xp = array_namespace(window.Xi)
    m, N = window.Xi.shape[0], data.y.shape[0]
    weight = xp.minimum(window.ell * factor, xp.asarray(0.25)) / N * (1.0 if of is None else of)

    def square(far: Any, off: Any) -> Any:
        return (far + off) ** 2 if of is None else (far + off) * ((far + off) / 3 + off)

    reach = square(data.x * ball.whole, math.sqrt(m) * xp.max(found.Xi, axis=0))
    bent = data.of_patches(weight) * (6 * xp.max(window.Xi + moved.Xi, axis=0)) ** 2 * reach
    far = float(xp.max(window.c + moved.c)) ** 2 * square(ball.whole, math.sqrt(m) * float(xp.max(found.c)))
    along = 36 * far * float(xp.sum(weight * data.strength**6))
    return upward(along), upward(data.Q * data.K_norm * float(xp.max(bent)))


def _joined(data: Data, window: Window, moved: Movement, factor: Array) -> float:
    """‖Σ_i w_i g_i g_iᵀ‖ between w* and its complement, in the ball."""
    xp = array_namespace(window.Xi)
    weight = xp.minimum(window.ell * factor, xp.asarray(0.25)) / data.y.shape[0]
    heavy = data.of_patches(weight * xp.abs(data.strength) ** 3)
    fourth = xp.sum((window.Xi + moved.Xi) ** 4, axis=0)
    return 9 * norm((window.c + moved.c) ** 2) * math.sqrt(data.K_norm) * norm(heavy * xp.sqrt(fourth))


def _relieved(
    data: Data, window: Window, found: Errors, moved: Movement, ball: Ball, factor: Array
) -> tuple[Array, float, float]:
    """D in the ball less what the positive part takes there, ≥ 0; and what its change adds across w*, and along it.

    A sample may keep what it could lend: of some choices the one that looks best.
    """
    xp = array_namespace(window.Xi)
    N = data.y.shape[0]
    ell, margins = (data.of_patches(x) for x in (window.ell, 0.5 * (found.margins + moved.margins)))
    D = (6.0 / N) * ell * window.Xi
    start = upward(xp.exp(found.margins))
    # The mean of both ends of the segment: (f − 1)D + f(6/N)ℓr.
    grown, far = (data.of_patches(x) for x in (0.5 * (start + factor), factor))
    room = (grown - 1) * D + (6.0 / N) * ell * 0.5 * (data.of_patches(start) * found.Xi + far * moved.Xi)
    kept = xp.where(window.rise > 0, window.rise, xp.zeros_like(window.rise))
    # Roundings of D and of what was taken from it, at most 27w max Ξ⁴ of a sample.
    most = data.of_patches(_of_samples(window.Xi, N))
    room = room + 64 * UNIT * (D + 27 / N * xp.minimum(ell, xp.asarray(0.25)) * most**4)
    steep = _of_samples(D * data.x**2, N)
    top = float(xp.max(steep))
    best: tuple[float, tuple[Array, float, float]] | None = None
    for share in LENDING:
        lends = data.lends * xp.astype(steep > share * top, steep.dtype)
        along, across = (2 * part for part in _swayed(data, window, found, moved, ball, factor, lends))
        tau = min(0.5, max(2.0**-10, math.sqrt(across / top))) if top > 0 else 0.5
        lent = data.of_patches(lends)
        less = xp.minimum(tau + margins, xp.asarray(1.0))
        rise = upward(room + xp.where(lent > 0, kept + less * D, D))
        looks = float(xp.max(rise * data.x**2)) + across / tau
        if best is None or looks < best[0]:
            best = looks, (rise, upward(across / tau), upward(along / tau))
        if tau * top < SMALL * looks:
            break  # as good as without a ball
    assert best is not None
    return best[1]


def _of_samples(x: Array, N: int) -> Array:
    """(N,) maxima over neurons and patches."""
    xp = array_namespace(x)
    return xp.max(xp.reshape(xp.max(x, axis=0), (N, -1)), axis=1)


def gain(rates: Array) -> float:
    """|pκ|/(1 − |γ|) + |q|, at most: what a gradient moves θ by in the end; infinite for |γ| ≥ 1."""
    xp = array_namespace(rates)
    memory, kappa, p, q = (xp.abs(rates[:, j]) for j in range(4))
    if bool(xp.any(memory >= 1)):
        return math.inf
    return float(xp.max(p * kappa / (1 - memory) + q))


def _harmless(rates: Array, lam: float) -> tuple[float, float]:
    """Curvatures down and up that need not be bounded sharper: they change a difference by less than a hundredth over
    the window; or, up and without a buffer, they shrink it.
    """
    whole = gain(rates)
    if not 0 < whole < math.inf:
        return 0.0, 0.0
    little = HARMLESS / (rates.shape[0] * whole)
    plain = not bool(array_namespace(rates).any(rates[:, 0] * rates[:, 1] * rates[:, 2] != 0))
    return little, max(little, 0.5 / whole - lam) if plain else little


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
    if not bool(xp.all(moved.margins <= FARTHEST)):  # nor where it is NaN
        return nowhere
    wide = 1 + data.unit + data.signal_error
    c, size = window.c + moved.c, xp.abs(data.strength) ** 3
    factor = upward(xp.exp(moved.margins))
    more = (6.0 / N) * data.of_patches(window.ell) * moved.Xi
    fall = upward(data.of_patches(factor) * ((6.0 / N) * data.of_patches(window.ell) * window.Xi + more))
    rise, strain, strain_signal = _relieved(data, window, found, moved, ball, factor)
    # |v_r(W) − v̂_r| ≤ 6(|c| + r_c)(1/N) Σ ℓ|s|³ (f − 1) + 6 r_c (1/N) Σ ℓ|s|³
    moment = window.ell * size / N
    swing = (
        6
        * float(xp.max(c))
        * float(xp.sum(moment * (factor - 1 + found.ell + 4 * data.signal_error + data.cubed_error)))
    )
    swing = swing + 6 * float(xp.max(moved.c)) * float(xp.sum(moment))
    signal, signal_down = wide * (window.signal + swing), wide * (window.signal_down + swing)
    signal = signal + wide * window.lent + strain + strain_signal
    enough = _harmless(window.rates, data.lam)
    slope, hollow = (steepest(data, part, sharp, few) for part, few in zip((rise, fall), enough, strict=True))
    slip, steep = norm(data.along), max(float(xp.max(rise)), float(xp.max(fall)))
    # XᵀDX along w*, and between w* and its complement.
    touch, between = steep * slip * slip, steep * slip * math.sqrt(data.K_norm)
    # Noise has at most the part o of its length along w*, and signal patches signal_error across it.
    o = slip / float(xp.min(data.x)) + data.signal_error
    most = float(xp.max(factor))
    pulls = zip((window.pull_signal, window.pull_noise), _swayed(data, window, found, moved, ball, factor), strict=True)
    along, across = (xp.sqrt(pull * most) * wide + math.sqrt(sway) for pull, sway in pulls)
    joined = xp.minimum(along * across, xp.asarray(wide * _joined(data, window, moved, factor)))
    joined = joined + o * (along**2 + across**2 + o * along * across)
    along, across = along + o * across, across + o * along
    between = between + 4 * data.signal_error * (signal + signal_down)
    strain = strain + data.signal_error * float(xp.max(window.lent))
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
        down_noise=upward(xp.asarray(slope + strain) + between + xp.zeros_like(signal)),
        up_noise=upward(xp.asarray(hollow) + between + across**2),
        coupling=upward(joined + between),
    )
