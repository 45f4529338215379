r"""Exact first and second moments of linear recursions with independent noise, any number of steps by doubling.

z ← Az + ξ, E ξ = 0, Cov ξ = W, ξ independent of z: mean ← A mean, Cov ← A Cov Aᵀ + W. Two such steps are one,
(A', W') after (A, W) being (A'A, A'WA'ᵀ + W'), so that K steps take log₂ K products. One mode of a quadratic under an
optimizer that is a recursion of four numbers (γ, κ, p, r), u ← γu + κg, x ← x − pu − rg, g = hx + ξ
(`theory.optimizers.momentum`), is

    A = [[1 − (pκ + r)h, −pγ], [κh, γ]],    W = s² bbᵀ,    b = (−(pκ + r), κ)

in (x, u), Var ξ = s² (derived). Arrays of any library of the array API standard; A and W are (…, n, n), a mean (…, n).
"""

from __future__ import annotations

__all__ = ["Linear", "mode", "stationary"]

from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.errors import InputError, check_size
from lemmascope.theory.optimizers import recursion_of

Array = Any


@dataclass(frozen=True)
class Linear:
    """z ← Az + ξ, Cov ξ = W.

    Args:
        A: (…, n, n); W: (…, n, n), symmetric.
    """

    A: Array
    W: Array

    def then(self, after: Linear) -> Linear:
        """Both as one step, this one first."""
        xp = array_namespace(self.A)
        return Linear(after.A @ self.A, after.A @ self.W @ xp.matrix_transpose(after.A) + after.W)

    def repeated(self, steps: int) -> Linear:
        """As many steps as one; raises `InputError` unless it is an integer ≥ 0."""
        xp, left = array_namespace(self.A), check_size("steps", steps, 0)
        found = Linear(xp.zeros_like(self.A) + xp.eye(self.A.shape[-1], dtype=self.A.dtype), xp.zeros_like(self.W))
        power = self
        while left:
            if left % 2:
                found = found.then(power)
            left //= 2
            power = power.then(power) if left else power
        return found

    def mean(self, mean: Array) -> Array:
        """E z after the step, (…, n)."""
        return (self.A @ mean[..., None])[..., 0]

    def covariance(self, covariance: Array) -> Array:
        """Cov z after the step, (…, n, n)."""
        return self.A @ covariance @ array_namespace(self.A).matrix_transpose(self.A) + self.W


def mode(xp: Any, optimizer: Any, h: float, s: float, t: int = 0) -> Linear:
    """One step of a mode, in (x, u): the parameter and the optimizer's buffer; (2, 2).

    Args:
        xp: the array library.
        optimizer: one with a ``recursion`` (`theory.optimizers.momentum`).
        h: curvature; s: standard deviation of the gradient's noise.
        t: number of the step, for a schedule.

    Raises:
        InputError: an optimizer that is no recursion of four numbers.
    """
    numbers = recursion_of(optimizer)
    if numbers is None:
        raise InputError("optimizer", type(optimizer).__name__, "it must have a recursion of four numbers")
    gamma, kappa, p, r = numbers(t)
    pull = p * kappa + r
    W = [[pull * pull, -pull * kappa], [-pull * kappa, kappa * kappa]]
    return Linear(
        xp.asarray([[1 - pull * h, -p * gamma], [kappa * h, gamma]], dtype=xp.float64),
        s * s * xp.asarray(W, dtype=xp.float64),
    )


def stationary(step: Linear) -> Array:
    """The covariance (…, n, n) that the step leaves as it is, by the linear equations (I − A⊗A) vec C = vec W.

    Its relative error is about the rounding over 1 − radius²; that there is one, the caller says.
    """
    xp, n = array_namespace(step.A), step.A.shape[-1]
    A = step.A
    kron = A[..., :, None, :, None] * A[..., None, :, None, :]
    kron = xp.reshape(kron, (*A.shape[:-2], n * n, n * n))
    flat = xp.reshape(step.W, (*A.shape[:-2], n * n, 1))
    return xp.reshape(xp.linalg.solve(xp.eye(n * n, dtype=A.dtype) - kron, flat), A.shape)
