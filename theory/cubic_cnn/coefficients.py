r"""The same system in coefficient space: (c, Ξ), without a d-dimensional vector.

The gradient of section 2 lies in the span of the patches (and of W, through λ). So for every optimizer whose
iterates are linear in W₀ and in the gradients,

    W_t = a_t W₀ + B_t X + b_t w*ᵀ,

with X (n, d) the patches of the Gram matrix K = X Xᵀ, and the same optimizer applied to (B, b, a). In these
coordinates (derived; x_k ⊥ w* for data of the law, where signal patches are c_i w*)

    Ξ = a Ξ₀ + B K,        −∂_B L = (3/N) y_{i(k)} ℓ_{i(k)} Ξ_{r,k}² − λ B,
    c = a c₀ + b + B Xw*,  −∂_b L = 3 c_r² (1/N) Σ_i ℓ_i (y_i c_i)³ − λ b,
                           −∂_a L = −λ a,

where (1/N) Σ_i ℓ_i (y_i c_i)³ = α³ν₁ + β³ν₂ if no label is flipped. Multiplying the first line by K
gives the closed recursion of Ξ. One product with K a step; Ξ never drifts from W, as it is not accumulated but formed
from B.
Arrays are neuron-major: Ξ here is (…, m, n) with k = i Q + j.
"""

from __future__ import annotations

__all__ = ["CoefficientSystem"]

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.cubic_cnn.model import View, logistic_weight

Array = Any


@dataclass(frozen=True)
class CoefficientSystem:
    """The dynamics on the coordinates of W; state (S, A, m, n + 2), the columns being B, b and a.

    Attributes:
        y, strength: (S, N); K: (S, n, n); Xi_0: (S, m, n); c_0: (S, m); S_0: (S, m, m); overlap: (S, n),
            stacked from `theory.cubic_cnn.law.Projection`.
        lam: ℓ₂ penalty λ.
        has_feature: whether w* is known.
        of_the_law: whether signal patches are told apart (then overlap is 0 and S_0 is without its w* part).
    """

    y: Array
    strength: Array
    K: Array
    Xi_0: Array
    c_0: Array
    S_0: Array
    overlap: Array
    lam: float
    has_feature: bool
    of_the_law: bool

    def initial(self, count: int) -> Array:
        """B = 0, b = 0, a = 1, once for each of ``count`` optimizers."""
        xp = array_namespace(self.K)
        S, m, n = self.Xi_0.shape
        theta = xp.zeros((S, count, m, n + 2), dtype=self.K.dtype)
        theta[..., n + 1] = 1
        return theta

    def evaluate(self, theta: Array) -> tuple[View, Array]:
        """View and gradient, all optimizers of a seed in one product with K."""
        xp = array_namespace(theta)
        S, A, m, width = theta.shape
        n, N = width - 2, self.y.shape[-1]
        B, b, a = theta[..., :n], theta[..., n], theta[..., n + 1]
        Xi = xp.reshape(xp.matmul(xp.reshape(B, (S, A * m, n)), self.K), (S, A, m, n))
        Xi = Xi + a[..., None] * self.Xi_0[:, None, :, :]
        squares = Xi * Xi
        sums = xp.sum(squares * Xi, axis=2)
        memorization = self._y * (sums if n == N else xp.sum(xp.reshape(sums, (S, A, N, n // N)), axis=-1))
        margins, c = memorization, None
        if self.has_feature:
            c = a * self.c_0[:, None, :] + b
            if not self.of_the_law:
                c = c + xp.matmul(B, self.overlap[:, None, :, None])[..., 0]
        if self.of_the_law and c is not None:
            c_squares = c * c
            margins = memorization + self._cubed * xp.sum(c_squares * c, axis=-1)[..., None]
        ell = logistic_weight(margins)
        pull = self._pull * ell
        if n != N:
            pull = xp.reshape(xp.tile(pull[..., None], (1, 1, 1, n // N)), (S, A, n))
        grad = xp.empty_like(theta)
        grad[..., :n] = squares * pull[:, :, None, :]
        grad[..., n:] = 0
        if self.of_the_law and c is not None:
            grad[..., n] = c_squares * xp.sum(self._cubed_pull * ell, axis=-1)[..., None]
        if self.lam:
            grad = grad + self.lam * theta
        view = View(c, xp.reshape(Xi, (S, A, m, N, n // N)), memorization, margins, ell)
        return view, grad

    # What a step needs of the data, formed once and shaped (S, 1, N).

    @cached_property
    def _y(self) -> Array:
        return self.y[:, None, :]

    @cached_property
    def _cubed(self) -> Array:
        return self.strength[:, None, :] ** 3

    @cached_property
    def _pull(self) -> Array:
        return (-3.0 / self.y.shape[-1]) * self._y

    @cached_property
    def _cubed_pull(self) -> Array:
        return (-3.0 / self.y.shape[-1]) * self._cubed

    def perpendicular_gram(self, theta: Array, view: View) -> Array:
        """a²S₀ + a(Ξ₀Bᵀ + BΞ₀ᵀ) + B K Bᵀ = a²S₀ + aΞ₀Bᵀ + BΞᵀ (the b part left out)."""
        xp = array_namespace(theta)
        n = theta.shape[-1] - 2
        B, a = theta[..., :n], theta[..., 0, n + 1][..., None, None]
        Xi = xp.reshape(view.Xi, B.shape)
        gram = a * a * self.S_0[:, None, :, :]
        gram = gram + a * xp.matmul(self.Xi_0[:, None, :, :], xp.matrix_transpose(B))
        gram = gram + xp.matmul(B, xp.matrix_transpose(Xi))
        return 0.5 * (gram + xp.matrix_transpose(gram))

    def gram_product(self, u: Array) -> Array:
        """K u."""
        return array_namespace(u).matmul(u, self.K[:, None, :, :])

    def gram_diagonal(self) -> Array:
        """The diagonal of K."""
        xp = array_namespace(self.K)
        return xp.linalg.diagonal(self.K)
