r"""What a certificate sees of some iterations of one optimizer: entrywise maxima over them, and a few scalars each.

A loop keeps maxima while it runs, and forms bounds once a window: λ_max(D^½KD^½) grows with each entry of D (it is
λ_max(K^½DK^½), and K^½DK^½ grows in the order of symmetric matrices), so one eigenvalue bounds all of a window's.
"""

from __future__ import annotations

__all__ = ["COMPLEMENT", "Window", "first", "join", "look"]

from dataclasses import dataclass, fields, replace
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.cubic_cnn.certificate.data import Data
from lemmascope.theory.cubic_cnn.certificate.relief import net
from lemmascope.theory.cubic_cnn.certificate.rounding import UNIT, upward
from lemmascope.theory.cubic_cnn.model import View

Array = Any

COMPLEMENT = 4 * UNIT
"""What is added to a computed 1 − ℓ, so that it is not below the exact one but by a few roundings."""

PER_STEP = ("lent", "signal", "signal_down", "pull_signal", "pull_noise", "rates")


@dataclass(frozen=True)
class Window:
    """R iterations of one optimizer; all but the last six are maxima over them.

    Attributes:
        rise: (m, n) D less what the positive part takes from it (`relief`), signed.
        Xi: (m, n) |Ξ|. ell: (N,) ℓ. c: (m,) |c|.
        rows: (m,) ‖B_r‖, or ‖w_r‖ in weight space. b: (m,) |b|. a: |a|.
        u, u_b, u_a: ‖·‖_F of the buffer's parts, as of the state's.
        lent: (R,) what relief costs along w*.
        signal, signal_down: (R,) max_r of ± 6 c_r (1/N) Σ_i ℓ_i s_i³, or 0.
        pull_signal, pull_noise: (R,) λ_max((1/N) Σ_i ℓ_i(1−ℓ_i) g_i g_iᵀ) from above, g_i the parts of ∇(y_i f_i)
            along w* and across.
        rates: (R, 4) γ, κ, p, q.
    """

    rise: Array
    Xi: Array
    ell: Array
    c: Array
    rows: Array
    b: Array
    a: Array
    u: Array
    u_b: Array
    u_a: Array
    lent: Array
    signal: Array
    signal_down: Array
    pull_signal: Array
    pull_noise: Array
    rates: Array


def look(data: Data, view: View, theta: Array, u: Array, rates: Array) -> Window:
    """One iteration, as it was computed.

    Args:
        data: the problem.
        view: the state's (S = A = 1).
        theta, u: state and buffer: (m, n + 2) in coefficient space, (m, d) in weight space.
        rates: (4,) of the step that is taken from here.
    """
    xp = array_namespace(view.Xi)
    N, n = data.y.shape[0], data.x.shape[0]
    Xi, ell = xp.reshape(view.Xi[0, 0, ...], (-1, n)), view.ell[0, 0, ...]
    c = xp.zeros_like(Xi[:, 0]) if view.c is None else view.c[0, 0, ...]
    if data.in_weights:
        own, own_u = theta, u
        b = u_b = xp.zeros_like(c)
        a, u_a = xp.zeros(()), xp.zeros(())
    else:
        own, b, a = theta[:, :n], xp.abs(theta[:, n]), xp.abs(theta[0, n + 1])
        own_u, u_b, u_a = u[:, :n], u[:, n], xp.abs(u[0, n + 1])
    cubed = data.strength * data.strength * data.strength
    along = 6 * c * (xp.sum(ell * cubed) / N)
    zero = xp.zeros((), dtype=along.dtype)
    signal, noise = _pull(data, Xi, c, ell)
    left, lent = net(Xi, c, data.y, ell, data.lends, data.strength)
    return Window(
        rise=left,
        Xi=xp.abs(Xi),
        ell=ell,
        c=xp.abs(c),
        rows=xp.sqrt(xp.sum(own * own, axis=-1)),
        b=b,
        a=a,
        u=xp.sqrt(xp.sum(own_u * own_u)),
        u_b=xp.sqrt(xp.sum(u_b * u_b)),
        u_a=u_a,
        lent=lent[None],
        signal=xp.maximum(xp.max(along), zero)[None],
        signal_down=xp.maximum(xp.max(-along), zero)[None],
        pull_signal=signal[None],
        pull_noise=noise[None],
        rates=xp.asarray(rates)[None, :],
    )


def join(windows: list[Window]) -> Window:
    """The window of all their iterations, which follow each other."""
    xp = array_namespace(windows[0].Xi)
    found = {}
    for field in fields(Window):
        parts = [getattr(window, field.name) for window in windows]
        found[field.name] = xp.concat(parts) if field.name in PER_STEP else xp.max(xp.stack(parts), axis=0)
    return Window(**found)


def first(window: Window, steps: int) -> Window:
    """So many of its iterations, with the maxima over all of them."""
    return replace(window, **{name: getattr(window, name)[:steps] for name in PER_STEP})


def _pull(data: Data, Xi: Array, c: Array, ell: Array) -> tuple[Array, Array]:
    r"""λ_max of Σ_i w_i g_i g_iᵀ, w_i = ℓ_i(1 − ℓ_i)/N, for both parts of g_i, from above (derived).

    g_i = 3 Σ_r e_r ⊗ (s_i³ c_r² w* + y_i Σ_j Ξ_ijr² x_ij). The signal parts all lie along one vector: 9 Σ_i w_i s_i⁶
    Σ_r c_r⁴. The Gram matrix of the patches' parts, 9 √w_iw_i' Σ_rΞ_kr²Ξ_k'r² K_kk', is a Hadamard product with K, so
    λ_max ≤ ‖K‖ max_k 9w_i Σ_rΞ_kr⁴ (Schur), Q-fold where a sample sums Q of them; and at most its trace,
    Σ_i w_i (3 Σ_j ‖Ξ_ij²‖‖x_ij‖)². Near ℓ = 1 a computed 1 − ℓ is off by ℓ's own rounding, 2u, or is 0: `COMPLEMENT`.
    """
    xp = array_namespace(Xi)
    weight = ell * (1 - ell + COMPLEMENT) / data.y.shape[0]
    quartic = c * c * c * c
    signal = 9 * xp.sum(weight * data.strength**6) * xp.sum(quartic)
    sizes = xp.abs(Xi)
    fourth = xp.max(sizes, axis=0) * xp.sum(sizes * sizes * sizes, axis=0)  # Σ_r Ξ_r⁴ is at most this
    most = data.K_norm * 9 * data.Q * xp.max(data.of_patches(weight) * fourth)
    lengths = 3 * data.by_sample(xp.sqrt(fourth) * data.x)
    return upward(signal), upward(xp.minimum(most, xp.sum(weight * lengths * lengths)))
