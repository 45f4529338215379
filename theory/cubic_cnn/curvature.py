r"""Second order in weight space: the Hessian of the loss, and every sample's gradient.

With u_{ir} = Σ_j z_{ijr}² X_i[j], ∂f_i/∂w_r = 3u_{ir}, and dℓ_i/df_i = −y_i ℓ_i(1 − ℓ_i), the gradient's derivative is
(derived)

    ∂²L/∂w_r∂w_s = (1/N) Σ_i [9 ℓ_i(1−ℓ_i) u_{ir}u_{is}ᵀ − δ_rs 6 y_i ℓ_i Σ_j z_{ijr} X_i[j]X_i[j]ᵀ] + λδ_rs I.
"""

from __future__ import annotations

__all__ = ["hessian", "sample_gradients"]

from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.cubic_cnn.model import logistic_weight
from lemmascope.theory.cubic_cnn.weights import responses

Array = Any


def _parts(W: Array, X: Array, y: Array) -> tuple[Any, Array, Array, Array]:
    """Namespace, z (N, m, P), ℓ (N,), u (N, m, d)."""
    xp = array_namespace(W, X)
    z = xp.permute_dims(responses(W, X), (1, 0, 2))
    return xp, z, logistic_weight(y * xp.sum(z * z * z, axis=(1, 2))), (z * z) @ X


def sample_gradients(W: Array, X: Array, y: Array, lam: float = 0.0) -> Array:
    """∇ of each sample's regularized loss, (N, m d), for W (m, d), X (N, P, d), y (N,)."""
    xp, _, ell, u = _parts(W, X, y)
    return xp.reshape(-3 * (y * ell)[:, None, None] * u + lam * W, (X.shape[0], -1))


def hessian(W: Array, X: Array, y: Array, lam: float = 0.0) -> Array:
    """∇²L (m d, m d), for W (m, d), X (N, P, d), y (N,)."""
    xp, z, ell, u = _parts(W, X, y)
    (N, m), d = z.shape[:2], X.shape[-1]
    flat = xp.reshape(u, (N, m * d))
    found = 9 * (xp.matrix_transpose(flat) @ (flat * (ell * (1 - ell))[:, None])) / N
    rows = xp.reshape(X, (-1, d))
    found = found + lam * xp.eye(m * d, dtype=W.dtype)
    own = []
    for r in range(m):
        weight = xp.reshape((y * ell)[:, None] * z[:, r, :], (-1,))
        own.append(-6 * (xp.matrix_transpose(rows) @ (rows * weight[:, None])) / N)
    zero = xp.zeros_like(own[0])
    blocks = [xp.concat([own[r] if r == s else zero for s in range(m)], axis=1) for r in range(m)]
    return found + xp.concat(blocks, axis=0)
