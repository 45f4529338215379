r"""Linear regression on N samples, minibatches with and without replacement: the second moments close exactly.

L = (1/2N)‖XΦ − y‖², Φ* its minimum, r = XΦ* − y, e = Φ − Φ*, H = XᵀX/N, Σ = (1/N) Σ_i r_i² x_i x_iᵀ. The gradient of
sample i is x_i(x_iᵀe + r_i), and the mean of r_i x_i is zero. In the stationary state E e = 0, so the cross terms
of e and r vanish, and with P = E eeᵀ the covariance of a minibatch's gradient about He is, on average,

    f (K(P) − HPH + Σ),    K(P) = (1/N) Σ_i (x_iᵀPx_i) x_i x_iᵀ,

f = 1/B with replacement and (N−B)/(B(N−1)) for B distinct samples, drawn afresh each step. With M = [[I−ηH, −μI],
[ηH, μI]], g = [−ηI; ηI] the covariance Z of (e, v) solves Z = MZMᵀ + g f(K(P) − HPH + Σ)gᵀ, P its first block: one
linear system of (2d)² unknowns. A solution that is a covariance exists iff the moment map's spectral radius is < 1.

Without replacement inside a batch the rule holds with **B_eff = B(N−1)/(N−B)** in place of B: f = 1/B_eff.

To first order P = η₀C, HC + CH = Σ, whatever the sampling, so the rule with B_eff leaves T/T₀ − 1 = (κ + τ)η₀ + O(η₀²),
κ = B_eff(1−μ)h̄/(2(1+μ)) as on a quadratic and τ = tr(K(C) − HCH)/tr Σ: the noise grows away from the minimum.

All derived here.
"""

from __future__ import annotations

__all__ = ["SAMPLINGS", "Moments", "effective_batch", "first_order", "moments", "noise", "spread_factor"]

from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

Array = Any

SAMPLINGS = ("with replacement", "distinct", "reshuffled")
"""How a minibatch is drawn: B independent samples; B distinct ones, afresh each step; epochs of a fresh permutation."""


def spread_factor(sampling: str, B: int, N: int) -> float:
    """f: the variance of a minibatch's mean over that of one sample."""
    return 1 / B if sampling == "with replacement" else (N - B) / (B * (N - 1))


def effective_batch(B: Any, N: int) -> Any:
    """B_eff = B(N − 1)/(N − B): infinite for the whole of the samples."""
    return B * (N - 1) / (N - B)


@dataclass(frozen=True)
class Moments:
    """The stationary state.

    Attributes:
        covariance: (2d, 2d) of (e, v); where the radius is ≥ 1 it is no covariance, and means nothing.
        loss: ½ tr(HP), the converged loss less the least.
        radius: spectral radius of the map of second moments.
    """

    covariance: Array
    loss: float
    radius: float


def noise(X: Array, r: Array) -> Array:
    """Σ (d, d), the covariance of one sample's gradient at the least squares solution."""
    xp = array_namespace(X, r)
    return xp.matrix_transpose(X) @ (X * (r * r)[:, None]) / X.shape[0]


def first_order(X: Array, r: Array) -> tuple[float, float]:
    """h̄ = tr(HΣ)/tr Σ and τ = tr(K(C) − HCH)/tr Σ."""
    xp = array_namespace(X, r)
    N = X.shape[0]
    H, Sigma = xp.matrix_transpose(X) @ X / N, noise(X, r)
    trace = xp.sum(xp.linalg.diagonal(Sigma))
    h, Q = xp.linalg.eigh(H)
    turned = xp.matrix_transpose(Q) @ Sigma @ Q / (h[:, None] + h[None, :])
    C = Q @ turned @ xp.matrix_transpose(Q)
    grown = xp.mean(xp.sum((X @ C) * X, axis=1) * xp.sum(X * X, axis=1)) - xp.sum(H * (C @ H))
    return float(xp.sum(H * Sigma) / trace), float(grown / trace)


def moments(X: Array, r: Array, eta: float, mu: float, f: float) -> Moments:
    """The stationary second moments of SGD with momentum on linear regression.

    Args:
        X: (N, d) samples; r: (N,) residuals at the least squares solution.
        eta, mu: learning rate of the velocity form, momentum; f: `spread_factor`.
    """
    xp = array_namespace(X, r)
    N, d = X.shape
    H, identity = xp.matrix_transpose(X) @ X / N, xp.eye(d, dtype=X.dtype)
    M = xp.concat(
        [xp.concat([identity - eta * H, -mu * identity], axis=1), xp.concat([eta * H, mu * identity], axis=1)], axis=0
    )
    g = eta * xp.concat([-identity, identity], axis=0)
    pairs = xp.reshape(X[:, :, None] * X[:, None, :], (N, d * d))
    # vec(P) ↦ vec(K(P) − HPH), then embedded: vec(Z) ↦ vec(g · gᵀ).
    scatter = xp.matrix_transpose(pairs) @ pairs / N - _kron(xp, H, H)
    pick = xp.concat([identity, xp.zeros_like(identity)], axis=1)
    noisy = f * _kron(xp, g, g) @ scatter @ _kron(xp, pick, pick)
    step = _kron(xp, M, M) + noisy
    source = xp.reshape(f * (g @ noise(X, r) @ xp.matrix_transpose(g)), (-1, 1))
    whole = xp.eye(step.shape[0], dtype=X.dtype)
    Z = xp.reshape(xp.linalg.solve(whole - step, source), (2 * d, 2 * d))
    return Moments(Z, float(xp.sum(H * Z[:d, :d])) / 2, _radius(xp, step))


def _kron(xp: Any, A: Array, B: Array) -> Array:
    """(ac, bd) from (a, b) and (c, d): vec(A Z Bᵀ) = (A ⊗ B) vec(Z), rows first."""
    product = A[:, None, :, None] * B[None, :, None, :]
    return xp.reshape(product, (A.shape[0] * B.shape[0], A.shape[1] * B.shape[1]))


def _radius(xp: Any, step: Array, doublings: int = 40) -> float:
    """Spectral radius by repeated squaring: ‖step^(2^k)‖^(1/2^k), its logarithm to a part in 2⁴⁰ of log cond."""
    log, scale = 0.0, 1.0
    for _ in range(doublings):
        size = float(xp.max(xp.abs(step)))
        if size == 0:
            return 0.0
        step, log = step / size, log + scale * float(xp.log(xp.asarray(size)))
        step, scale = step @ step, scale / 2
    return float(xp.exp(xp.asarray(log)))
