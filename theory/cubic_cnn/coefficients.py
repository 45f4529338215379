r"""The same system in coefficient space: (c, Ξ), without a d-dimensional vector.

The gradient of section 2 lies in the span of the patches (and of W, through λ). So for every optimizer whose
iterates are linear in W₀ and in the gradients,

    W_t = a_t W₀ + B_t X + b_t w*ᵀ,

with X (n, d) the patches of the Gram matrix K = X Xᵀ, and the same optimizer applied to (B, b, a). In these
coordinates (derived; x_k ⊥ w* for data of the law, where signal patches are c_i w*)

    Ξ = a Ξ₀ + B K,        −∂_B L = (3/N) y_{i(k)} ℓ_{i(k)} Ξ_{r,k}² − λ B,
    c = a c₀ + b + B Xw*,  −∂_b L = 3 c_r² (1/N) Σ_i ℓ_i |c_i|³ − λ b,
                           −∂_a L = −λ a,

where (1/N) Σ_i ℓ_i |c_i|³ = α³ν₁ + β³ν₂. Multiplying the first line by K gives the closed recursion of Ξ.
One product with K a step; Ξ never drifts from W, as it is not accumulated but formed from B.
Arrays are neuron-major: Ξ here is (…, m, n) with k = i Q + j.
"""

from __future__ import annotations

__all__ = ["CoefficientSystem"]

from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from theory.cubic_cnn.model import View, logistic_weight

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
        y = self.y[:, None, :]
        squares = Xi * Xi
        sums = xp.sum(squares * Xi, axis=2)
        memorization = y * (sums if n == N else xp.sum(xp.reshape(sums, (S, A, N, n // N)), axis=-1))
        margins, c, grad_b = memorization, None, xp.zeros_like(b)
        cubed = self.strength[:, None, :] ** 3
        if self.has_feature:
            c = a * self.c_0[:, None, :] + b
            if not self.of_the_law:
                c = c + xp.matmul(B, self.overlap[:, None, :, None])[..., 0]
        if self.of_the_law and c is not None:
            margins = memorization + cubed * xp.sum(c * c * c, axis=-1)[..., None]
        ell = logistic_weight(margins)
        if self.of_the_law and c is not None:
            grad_b = (-3.0 / N) * c * c * xp.sum(cubed * ell, axis=-1)[..., None]
        signed = (-3.0 / N) * y * ell
        if n != N:
            signed = xp.reshape(xp.tile(signed[..., None], (1, 1, 1, n // N)), (S, A, n))
        grad = xp.empty_like(theta)
        grad[..., :n] = squares * signed[:, :, None, :]
        grad[..., n] = grad_b
        grad[..., n + 1] = 0
        if self.lam:
            grad = grad + self.lam * theta
        view = View(c, xp.reshape(Xi, (S, A, m, N, n // N)), memorization, margins, ell)
        return view, grad

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
