r"""The system in weight space: outputs, loss, hand-derived gradient.

Gradient (derived). With z_{ijr} = ⟨w_r, X_i[j]⟩, ∂f_i/∂w_r = 3 Σ_j z_{ijr}² X_i[j], and
d/df log(1 + exp(−y f)) = −y ℓ with ℓ = 1/(1 + exp(y f)), so

    ∇_{w_r} L = −(3/N) Σ_i y_i ℓ_i Σ_j z_{ijr}² X_i[j] + λ w_r.

Two products with the (N P, d) matrix of patches a step.
"""

from __future__ import annotations

__all__ = ["WeightSystem", "gradient", "loss", "outputs", "responses"]

from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.cubic_cnn.model import View, log1p_exp, logistic_weight

Array = Any


def responses(W: Array, X: Array) -> Array:
    """z = ⟨w_r, X_i[j]⟩ for W (…, m, d) and X (…, N, P, d), shaped (…, m, N, P)."""
    xp = array_namespace(W, X)
    z = xp.matmul(W, xp.matrix_transpose(_flat(X)))
    return xp.reshape(z, (*z.shape[:-1], *X.shape[-3:-1]))


def outputs(W: Array, X: Array) -> Array:
    """f(X_i) for W (…, m, d) and X (…, N, P, d), shaped (…, N)."""
    z = responses(W, X)
    return array_namespace(z).sum(z * z * z, axis=(-3, -1))


def loss(W: Array, X: Array, y: Array, lam: float = 0.0) -> Array:
    """L(W), shaped (…)."""
    xp = array_namespace(W, X)
    data = xp.mean(log1p_exp(-y * outputs(W, X)), axis=-1)
    return data + 0.5 * lam * xp.sum(W * W, axis=(-2, -1))


def gradient(W: Array, X: Array, y: Array, lam: float = 0.0) -> Array:
    """∇L(W), shaped like W (…, m, d)."""
    xp = array_namespace(W, X)
    z = responses(W, X)
    ell = logistic_weight(y * xp.sum(z * z * z, axis=(-3, -1)))
    return xp.matmul(_pull(z, y * ell), _flat(X)) + lam * W


def _flat(X: Array) -> Array:
    """X (…, N, P, d) as rows (…, N P, d)."""
    return array_namespace(X).reshape(X, (*X.shape[:-3], X.shape[-3] * X.shape[-2], X.shape[-1]))


def _pull(z: Array, signed_ell: Array) -> Array:
    """−(3/N) y_i ℓ_i z² from z (…, m, N, P) and yℓ (…, N), shaped (…, m, N P)."""
    N, P = z.shape[-2:]
    pull = ((-3.0 / N) * signed_ell)[..., None, :, None] * (z * z)
    return array_namespace(z).reshape(pull, (*pull.shape[:-2], N * P))


@dataclass(frozen=True)
class WeightSystem:
    """The dynamics on W itself; state (S, A, m, d).

    Attributes:
        X: (S, N, P, d) patches, the signal patch first where it is known (``signal_patches`` = 1).
        y: (S, N) labels.
        W_0: (S, m, d) initial weights.
        w_star: (S, d) features, or None.
        lam: ℓ₂ penalty λ.
        signal_patches: 1 for data of the law, 0 for a user's own.
    """

    X: Array
    y: Array
    W_0: Array
    w_star: Array | None
    lam: float
    signal_patches: int

    def initial(self, count: int) -> Array:
        """W₀, once for each of ``count`` optimizers."""
        xp = array_namespace(self.W_0)
        return xp.tile(self.W_0[:, None, :, :], (1, count, 1, 1))

    def evaluate(self, theta: Array) -> tuple[View, Array]:
        """View and gradient at W = ``theta``, all optimizers of a seed in one product."""
        xp = array_namespace(theta)
        S, A, m, d = theta.shape
        z = xp.reshape(responses(xp.reshape(theta, (S, A * m, d)), self.X), (S, A, m, *self.X.shape[1:3]))
        y = self.y[:, None, :]
        cubes = z * z * z
        margins = y * xp.sum(cubes, axis=(-3, -1))
        memorization = y * xp.sum(cubes[..., self.signal_patches :], axis=(-3, -1))
        ell = logistic_weight(margins)
        pull = xp.reshape(_pull(z, y * ell), (S, A * m, -1))
        grad = xp.reshape(xp.matmul(pull, _flat(self.X)), theta.shape)
        if self.lam:
            grad = grad + self.lam * theta
        c = None
        if self.w_star is not None:
            c = xp.matmul(theta, self.w_star[:, None, :, None])[..., 0]
        return View(c, z[..., self.signal_patches :], memorization, margins, ell), grad

    def perpendicular_gram(self, theta: Array, view: View) -> Array:
        """W Wᵀ, less c cᵀ for data of the law."""
        xp = array_namespace(theta)
        gram = xp.matmul(theta, xp.matrix_transpose(theta))
        if self.signal_patches and view.c is not None:
            gram = gram - view.c[..., :, None] * view.c[..., None, :]
        return gram

    def _patches(self) -> Array:
        return _flat(self.X[:, :, self.signal_patches :, :])

    def gram_product(self, u: Array) -> Array:
        """X(Xᵀu), without forming K."""
        xp = array_namespace(u)
        patches = self._patches()[:, None, :, :]
        return xp.matmul(xp.matmul(u, patches), xp.matrix_transpose(patches))

    def gram_diagonal(self) -> Array:
        """‖x_k‖²."""
        patches = self._patches()
        return array_namespace(patches).sum(patches * patches, axis=-1)
