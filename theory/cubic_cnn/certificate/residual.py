r"""How far a computed step is from the exact one: ‖Ŵ_{t+1} − Φ(Ŵ_t)‖ in W-space, from above (derived).

Here Ŵ = âW₀ + B̂X + b̂w*ᵀ is what the computed coefficients stand for, exactly; in weight space it is the array itself.

**View.** Ξ̂ is off by δΞ ≤ γ_{n+4}‖B_r‖‖K_k‖ + 4u|a||Ξ₀| from rounding, in any order of the sum (Cauchy and Schwarz for
|B||K|), by ‖B_r‖‖δK_k‖ from K's own, by |a| times Ξ₀'s own, and by |b_r||⟨x_k, w*⟩|; in weight space by
γ_{d+4}‖w_r‖‖x_k‖. Likewise ĉ by δc.

**Margins** are off by Σ 3(|Ξ| + δΞ)²δΞ + |s|³ Σ 3(|c| + δc)²δc, plus γ Σ|Ξ|³ + γ|s|³Σ|c|³ for forming them: by δm_i. As
|d log ℓ/dm| ≤ 1 and e^x ≤ 1 + x + x² for 0 ≤ x ≤ 1, ℓ̂Ξ̂²(3/N) is relatively off by ε_i = δm_i + δm_i² +
(exponential) + 10u beside what Ξ̂'s error does, if δm_i ≤ 1: 1 + e, the quotient, 3/N and its product with ℓ, Ξ̂² and
its product, s_i³.

**Gradient.** |ĝ − g| of B's entries is at most (1 + ε)(|D|δΞ + (3/N)ℓδΞ²) + ½|D||Ξ|ε, with D = (6/N)ℓΞ; of b's at most
(3/N) Σ_i |s_i|³ℓ_i [(1 + ε_i)(2|c| + δc)δc + c²(ε_i + γ_{N+16} + …)], with the errors of s³ and of the signal
patches, which lie across w* too; λ adds 4u λ|θ|. W-norms by ‖δBX‖ ≤ √λ_max(K) ‖δB‖_F.

**Update.** û' = γû + κĝ and θ̂' = θ̂ − pû' − qĝ are formed with at most three and five roundings of each term, as are
those of the optimizers in `theory.optimizers`, in their own order.
"""

from __future__ import annotations

__all__ = ["Errors", "Residual", "errors", "residual"]

import math
from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.cubic_cnn.certificate.data import Data
from lemmascope.theory.cubic_cnn.certificate.rounding import EXPONENTIAL, UNIT, gamma, norm, upward
from lemmascope.theory.cubic_cnn.certificate.window import Window

Array = Any


@dataclass(frozen=True)
class Errors:
    """How far the computed view of the states of a window is from theirs.

    Attributes:
        Xi: (m, n) of Ξ. c: (m,) of c. margins: (N,) of y_i f_i. ell: (N,) of ℓ_i, relative; infinite where not known.
    """

    Xi: Array
    c: Array
    margins: Array
    ell: Array


@dataclass(frozen=True)
class Residual:
    """W-norms of what one step adds to the distance of state and buffer, as a whole and of its parts along w* and
    across.

    In weight space a part is bounded by the whole. (R,) each.
    """

    theta: Array
    u: Array
    theta_signal: Array
    u_signal: Array
    theta_noise: Array
    u_noise: Array


def errors(data: Data, window: Window) -> Errors:
    """The view's errors, all of them maxima over the window."""
    xp = array_namespace(window.Xi)
    m = window.Xi.shape[0]
    rows, a, few = window.rows, window.a, gamma(data.length + 4)
    if data.in_weights:
        Xi = few * rows[:, None] * data.x[None, :]
        c = (few + data.signal_error) * rows
    else:
        Xi = rows[:, None] * (few * data.columns + data.K_columns_error)[None, :]
        Xi = Xi + a * (data.Xi_0_error + 4 * UNIT * xp.abs(data.Xi_0)) + window.b[:, None] * data.along[None, :]
        whole = a * data.W_0 + rows * math.sqrt(data.K_norm) + window.b  # ‖w_r‖
        c = 4 * UNIT * (a * xp.abs(data.c_0) + window.b) + a * data.c_0_error + data.signal_error * whole
        c = c + rows * (norm(data.along) + gamma(data.length + 8) * norm(data.overlap)) + window.b * data.unit
    Xi, c = upward(Xi), upward(c)
    size = xp.abs(data.strength) ** 3
    forming = gamma(m * (data.Q + 1) + 16)
    moved = 3 * (window.Xi + Xi) ** 2 * Xi + forming * window.Xi**3
    moved_c = 3 * (window.c + c) ** 2 * c + (forming + data.cubed_error) * (window.c + c) ** 3
    margins = upward(data.by_sample(xp.sum(moved, axis=0)) + size * xp.sum(moved_c))
    known = margins <= 1
    ell = xp.where(known, margins * (1 + margins) + (EXPONENTIAL + 10 * UNIT), xp.asarray(math.inf))
    return Errors(Xi, c, margins, ell)


def residual(data: Data, window: Window, found: Errors) -> Residual:
    """What each step of the window adds."""
    xp = array_namespace(window.Xi)
    N, lam = data.y.shape[0], data.lam
    eps = data.of_patches(found.ell)
    ell = data.of_patches(window.ell)
    D = (6.0 / N) * ell * window.Xi
    if not bool(xp.all(xp.isfinite(found.ell))):
        return Residual(*[xp.full(window.signal.shape, math.inf)] * 6)
    own = (1 + eps) * (D * found.Xi + (3.0 / N) * ell * found.Xi**2) + 0.5 * D * window.Xi * eps
    size = xp.abs(data.strength) ** 3 * window.ell * (3.0 / N)
    relative = float(xp.sum(size * (found.ell + gamma(N + 16) + data.cubed_error + data.signal_error)))
    absolute = float(xp.sum(size * (1 + found.ell)))
    squares = window.c**2
    along = absolute * (2 * window.c + found.c) * found.c + relative * squares
    rows, b, a = norm(window.rows), norm(window.b), float(window.a)
    wide, spread = 1 + data.unit, math.sqrt(data.K_norm)
    grad_b, grad_own, off_own, off_b = (
        float(xp.sum(size)) * norm(squares),
        norm(0.5 * D * window.Xi),
        norm(own),
        norm(along),
    )
    few = 4 * UNIT * lam
    if data.in_weights:
        reach = xp.sum(0.5 * D * window.Xi * data.x, axis=-1) + float(xp.sum(size)) * squares  # Σ |pull|‖x‖
        product = gamma(data.x.shape[0] + N + 8) * norm(reach)
        grad = spread * grad_own + wide * grad_b + lam * rows
        off = spread * off_own + wide * off_b + product + few * rows
        theta, u = _update(window, grad, off, rows, float(window.u))
        return Residual(theta, u, theta, u, theta, u)
    # Along w*: b, with what B and a have along it; across: B and a.
    start = data.W_0 if lam else 0.0
    slip = norm(data.along)
    buffer, u_b, u_a = float(window.u), float(window.u_b), float(window.u_a)

    def part(of_b: float, of_own: float, of_a: float, tilt: float = 0.0) -> tuple[Array, Array]:
        def size(own: float, b: float, a: float) -> float:
            return of_own * own + of_b * b + of_a * a

        grad = size(grad_own + lam * rows, grad_b + lam * b, lam * a)
        off = size(off_own + few * rows, off_b + few * b, few * a) + tilt * grad_b
        return _update(window, grad, off, size(rows, b, a), size(buffer, u_b, u_a))

    return Residual(*part(wide, spread, start), *part(wide, slip, start), *part(0.0, spread, start, data.signal_error))


def _update(window: Window, grad: float, off: float, state: float, buffer: float) -> tuple[Array, Array]:
    """ρ of θ and of u, from the sizes of ĝ, its error, θ̂ and û."""
    xp = array_namespace(window.rates)
    memory, kappa, p, q = (xp.abs(window.rates[:, j]) for j in range(4))
    few = gamma(8)
    next_u = memory * buffer + kappa * (grad + off)
    rho_u = kappa * off + few * next_u
    rho = (p * kappa + q) * off + p * few * next_u + UNIT * state + few * (p * next_u + q * (grad + off))
    return upward(rho), upward(rho_u)
