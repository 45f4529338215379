r"""How far apart one step takes two trajectories, in norms that suit the optimizer (derived).

Every optimizer with a recursion (γ, κ, p, q) takes u' = γu + κ∇(θ), θ' = θ − pu' − q∇(θ). Let δθ, δu be the
differences of two trajectories and H̄ the mean of the Hessian on the segment between them, so that the gradients
differ by H̄δθ:

    (δu', δθ') = M(H̄)(δu, δθ),      M(h) = [[γ, κh], [−pγ, 1 − (pκ + q)h]].

**Norms.** ‖(u, θ)‖² = ‖l₁u‖² + ‖θ + l₂u‖² for numbers l₁ > 0 and l₂, that is ‖L(u, θ)‖ with L = [[l₁, 0], [l₂, 1]]. H̄
is symmetric; in its eigenvectors M falls apart into 2 × 2 matrices, M is affine in h and a norm is convex. So with the
spectrum of H̄ in [λ − down, λ + up] a step grows the norm by at most max ‖L M(h) L⁻¹‖₂ over the two ends. For γ = 0
this is max |1 − qh|. Several norms are carried along, as which is best changes with the curvature: energies in which
M(h) is √γ times a rotation, and those of θ − pγ/(1 − γ) u, which at h = 0 does not move. What is small in one is at
most ‖L L₀⁻¹‖₂ times as large in another. Beside them |δu| and |δθ| are carried apart, which is best where the loss
curves down:

    |δu'| ≤ γ|δu| + κ max(|λ − down|, λ + up)|δθ|,   |δθ'| ≤ pγ|δu| + max(1 + (pκ+q)(down − λ), (pκ+q)(up + λ) − 1)|δθ|,

for numbers ≥ 0; a user's may be of either sign, and then their sizes count.

**Two blocks.** w* and its complement are coupled by the positive semidefinite part alone, by at most k in norm. The
norms E_s, E_x of the blocks satisfy E_s' ≤ g_s E_s + k b E_x + ρ_s, where b is the norm of what H̄δθ brings, L(κ, −pκ
− q), times that of θ, |θ| ≤ ‖(1, l₂/l₁)‖ E; likewise E_x. The whole, E ≤ (E_s² + E_x²)^½, E_s ≤ E, E_x ≤ E, has a
factor g of its own; of the bounds the least counts.
"""

from __future__ import annotations

__all__ = ["Norms", "Steps", "growth", "norms", "spectral", "steps"]

import cmath
import math
from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.cubic_cnn.certificate.curvature import Curvature
from lemmascope.theory.cubic_cnn.certificate.residual import Residual
from lemmascope.theory.cubic_cnn.certificate.rounding import UNIT, upward

Array = Any
Recursion = tuple[float, float, float, float]

FASTER = (4.0, 16.0, 64.0, 256.0, 1024.0)
"""Curvatures of the energies, over that at which the heavy ball begins to swing."""
SLOWER = (0.5, 1.0, 3.0, 10.0)
"""Weights of u beside θ − pγ/(1 − γ)u, in units of what multiplies u there; also beside half of that, and beside θ."""


@dataclass(frozen=True)
class Norms:
    """J norms: l₁ and l₂, (J,) each."""

    one: Array
    two: Array

    @property
    def of_theta(self) -> Array:
        """|θ| ≤ this times the norm; (J,)."""
        xp = array_namespace(self.one)
        ratio = self.two / self.one
        return upward(xp.sqrt(1 + ratio * ratio))

    def of(self, u: Any, theta: Any) -> Array:
        """From above, of vectors of norms at most ``u`` and ``theta``."""
        xp = array_namespace(self.one)
        return upward(self.one * u + (theta + xp.abs(self.two) * u))

    def conversion(self, old: Norms) -> Array:
        """(J, J') the factors that bring the J' old norms to these."""
        # L L₀⁻¹ = [[a/a₀, 0], [(b − b₀)/a₀, 1]]
        xp = array_namespace(self.one)
        ratio = self.one[:, None] / old.one[None, :]
        shift = (self.two[:, None] - old.two[None, :]) / old.one[None, :]
        few = 8 * UNIT * (xp.abs(self.two[:, None]) + xp.abs(old.two[None, :])) / old.one[None, :]
        return upward(spectral(ratio, xp.zeros_like(ratio), shift, xp.ones_like(ratio)) + few)


@dataclass(frozen=True)
class Steps:
    """R steps in J norms, of the whole, the block along w* and that across (parts, 3).

    Attributes:
        factor: (R, 3, J) by which each grows. brought: (R, J) what a block brings to the other. rho: (R, 3, J)
        residuals.
        stretch, shrink: (R, 3) what |δθ| does to |δu|, and to itself. drift: (R, 2) γ and pγ, what |δu| does to both.
        touch: (R, 2) what a block's |δθ| does to the other's |δu|, and to its |δθ|.
        rho_u, rho_theta: (R, 3).
    """

    factor: Array
    brought: Array
    rho: Array
    stretch: Array
    shrink: Array
    drift: Array
    touch: Array
    rho_u: Array
    rho_theta: Array


def norms(rates: Recursion, like: Array) -> Norms:
    """Some for these numbers; any are right, and which are good is a matter of taste. ``like`` tells the library."""
    xp = array_namespace(like)
    memory, kappa, p, q = (float(rate) for rate in rates)
    pairs = []
    if 0 < memory < 1 and p > 0 and kappa > 0 and p * kappa + q > 0:
        ghost = p * memory / (1 - memory)
        pairs += [(scale * ghost, -part * ghost) for part in (1.0, 0.5, 0.0) for scale in SLOWER]
        turn = (1 - math.sqrt(memory)) ** 2 / (p * kappa + q)
        pairs += [pair for factor in FASTER if (pair := _energy(memory, kappa, p, q, factor * turn))]
    found = pairs or [(1.0, 0.0)]
    return Norms(xp.asarray([one for one, _ in found]), xp.asarray([two for _, two in found]))


def _energy(memory: float, kappa: float, p: float, q: float, h: float) -> tuple[float, float] | None:
    """The norm in which M(h) is a multiple of a rotation, if its eigenvalues are not real: |ℓ·(u, θ)|², ℓM = zℓ."""
    last = 1 - (p * kappa + q) * h
    half = 0.5 * (memory + last)
    root = cmath.sqrt(half * half - memory * (1 - q * h))
    if abs(root.imag) < 1e-9:
        return None
    left = -p * memory / (half + root - memory)  # its first entry, the second being 1
    return abs(left.imag), left.real


def spectral(a: Array, b: Array, c: Array, d: Array) -> Array:
    """‖[[a, b], [c, d]]‖₂ = ½(|(a + d, b − c)| + |(a − d, b + c)|), to some roundings of its terms."""
    xp = array_namespace(a)
    one, two = xp.sqrt((a + d) ** 2 + (b - c) ** 2), xp.sqrt((a - d) ** 2 + (b + c) ** 2)
    return 0.5 * (one + two) + 16 * UNIT * (xp.abs(a) + xp.abs(b) + xp.abs(c) + xp.abs(d))


def growth(found: Norms, rates: Array, low: Array, high: Array) -> Array:
    """(R, J) max over h in [low, high] of ‖L M(h) L⁻¹‖₂, from above; rates (R, 4), low and high (R,)."""
    xp = array_namespace(rates)
    memory, kappa, p, q = (rates[:, j][:, None] for j in range(4))
    one, two = found.one[None, :], found.two[None, :]
    ends = []
    for h in (low[:, None], high[:, None]):
        # L M L⁻¹ with L⁻¹ = [[1/l₁, 0], [−l₂/l₁, 1]].
        last, drag, pull = 1 - (p * kappa + q) * h, -p * memory, kappa * h
        top = memory - pull * two
        bottom = (drag + two * memory) - (last + two * pull) * two
        entries = (top, one * pull, bottom / one, last + two * pull)
        move, swing = 1 + (xp.abs(p * kappa) + xp.abs(q)) * xp.abs(h), xp.abs(two * pull)
        sizes = xp.abs(memory) + one * xp.abs(pull) + move + 2 * swing
        inner = xp.abs(drag) + xp.abs(two * memory) + (move + swing) * xp.abs(two)
        ends.append(spectral(*entries) + 16 * UNIT * (sizes + inner / one))
    return xp.maximum(*ends)


def steps(found: Norms, rates: Array, bent: Curvature, rho: Residual, lam: float) -> Steps:
    """All that a loop over a window's iterations needs; its own sums are to be rounded up by 8u a step."""
    xp = array_namespace(rates)
    memory, kappa, p, q = (rates[:, j] for j in range(4))
    one, two, h = found.one[None, :], xp.abs(found.two)[None, :], p * kappa + q
    most, kick = xp.abs(p * kappa) + xp.abs(q), xp.abs(kappa)
    parts = (
        (xp.maximum(bent.down_signal, bent.down_noise), bent.up, rho.u, rho.theta),
        (bent.down_signal, bent.up_signal, rho.u_signal, rho.theta_signal),
        (bent.down_noise, bent.up_noise, rho.u_noise, rho.theta_noise),
    )
    factors, sizes, stretches, shrinks = [], [], [], []
    for down, up, rho_u, rho_theta in parts:
        few = 4 * UNIT * (down + up + lam)
        low, high = lam - down - few, lam + up + few
        factors.append(growth(found, rates, low, high))
        sizes.append(upward(one * rho_u[:, None] + (rho_theta[:, None] + two * rho_u[:, None])))
        stretches.append(kick * xp.maximum(xp.abs(low), xp.abs(high)) * (1 + 8 * UNIT))
        ends = xp.maximum(xp.abs(1 - h * low), xp.abs(1 - h * high))
        shrinks.append(ends + 16 * UNIT * (1 + most * (down + up + lam)))
    brought = (one + two) * kick[:, None] + most[:, None]
    return Steps(
        factor=xp.stack(factors, axis=1),
        brought=upward(bent.coupling[:, None] * brought * found.of_theta[None, :]),
        rho=xp.stack(sizes, axis=1),
        stretch=xp.stack(stretches, axis=1),
        shrink=xp.stack(shrinks, axis=1),
        drift=xp.abs(xp.stack([memory, p * memory * (1 + 4 * UNIT)], axis=1)),
        touch=upward(xp.stack([kick * bent.coupling, most * bent.coupling], axis=1)),
        rho_u=upward(xp.stack([part[2] for part in parts], axis=1)),
        rho_theta=upward(xp.stack([part[3] for part in parts], axis=1)),
    )
