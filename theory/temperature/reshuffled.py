r"""The temperature of reshuffled epochs: every sample once an epoch, in an order drawn anew.

N samples that share the Hessian, n = N/B batches an epoch. The noise of an epoch sums to zero: within it
Cov(ξ_s, ξ_t) = (cn/(n−1))(δ_st − 1/n), c = (Σ/B)(N−B)/(N−1), and across epochs it is independent. For one mode of
curvature h, with (x, v) ↦ M(x, v) + gξ, M = [[1−ηh, −μ],[ηh, μ]], g = (−η, η), the covariance P₀ at the start of an
epoch solves P₀ = MⁿP₀(Mⁿ)ᵀ + W_n, and after k steps it is M^k P₀ (M^k)ᵀ + W_k,

    W_k = (cn/(n−1)) [Σ_{j<k} u_j u_jᵀ − (1/n)(Σ_{j<k} u_j)(Σ_{j<k} u_j)ᵀ],    u_j = M^j g.

T_R is the mean over k < n of ½h times its first entry. In W_n the sums nearly cancel: it is the covariance of u about
its mean, and is formed so.

**Leading order** as η₀hN → 0 (derived). On |z| = 1, 1/(|1−z|²|1−μz|²) = (1−μ)⁻²(1/|1−z|² − μ/|1−μz|²): the spectrum
of x is that of the noise's partial sums less μ times that of its decayed sums, times (Bη₀)². The former has the mean
variance c(1/n)Σ_k k(n−k)/(n−1) = c(n+1)/6, the latter cV with

    V = (1/(1−μ²)) {1 − (2/(n(n−1))) [nμ/(1−μ) − μ(1−μⁿ)/(1−μ)²]},

so T_R → ½ tr(HΣ)(Bη₀)² (c/Σ)[(n+1)/6 − μV], c/Σ = (n−1)/(N−1). It is *quadratic* in η₀. At μ = 0 and B ≪ N it is
η₀² tr(HΣ) N/12, and it depends on μ and B once 1/(1−μ) is not small beside n.
"""

from __future__ import annotations

__all__ = ["exact", "leading"]

from typing import Any

from array_api_compat import array_namespace

Array = Any


def _sums(mu: Any, n: int) -> Any:
    """V, the mean variance of the noise's decayed sums within and across epochs, over c."""
    if n == 1:
        return 0 * mu
    reach = n * mu / (1 - mu) - mu * (1 - mu**n) / (1 - mu) ** 2
    return (1 - 2 * reach / (n * (n - 1))) / (1 - mu**2)


def leading(mu: float, B: int, N: int, eta_0: Any, trace: Any) -> Any:
    """T_R to leading order in η₀.

    Args:
        mu, B, N: momentum, batch size, samples; B divides N.
        eta_0: normalized learning rate; trace: tr(HΣ).
    """
    n = N // B
    return trace * (B * eta_0) ** 2 * ((n - 1) / (N - 1)) * ((n + 1) / 6 - mu * _sums(mu, n)) / 2


def exact(h: Array, s: Array, eta: Array, mu: Array, B: int, N: int) -> Array:
    """T_R (…,) of modes of curvature h and per-sample noise s (…, d), summed over the modes.

    Args:
        h, s: (…, d); eta, mu: broadcast against them; B: a divisor of N, less than it.
    """
    xp = array_namespace(h, s)
    n, c = N // B, (N - B) / (B * (N - 1))
    pull, mu = eta * h + 0 * s, mu + 0 * h + 0 * s
    eta = eta + 0 * pull
    one = xp.ones_like(pull)
    M = _matrix(xp, [[1 - pull, -mu], [pull, mu]])
    u, images = xp.stack([-eta, eta], axis=-1), []
    for _ in range(n):
        images.append(u)
        u = (M @ u[..., None])[..., 0]
    u = xp.stack(images, axis=-2)  # (…, d, n, 2)
    mean = xp.mean(u, axis=-2, keepdims=True)
    centred = u - mean
    scale = (c * n / (n - 1)) * s
    end = xp.matrix_transpose(centred) @ centred  # W_n over its scale
    # After k steps: Σ_{j<k} u_j u_jᵀ − (1/n)(Σ u_j)(Σ u_j)ᵀ, its first entry alone.
    first = u[..., 0]
    before = [xp.cumulative_sum(x, axis=-1) - x for x in (first * first, first)]
    within = before[0] - before[1] ** 2 / n
    power = xp.eye(2) * one[..., None, None]
    rows = []
    for _ in range(n):
        rows.append(power[..., 0, :])
        power = M @ power
    start = _fixed_point(xp, power, end)
    row = xp.stack(rows, axis=-2)  # (…, d, n, 2): the first row of M^k
    carried = xp.sum((row @ start) * row, axis=-1)
    return xp.sum(h * scale * xp.mean(within + carried, axis=-1), axis=-1) / 2


def _matrix(xp: Any, rows: list[list[Array]]) -> Array:
    return xp.stack([xp.stack(row, axis=-1) for row in rows], axis=-2)


def _fixed_point(xp: Any, power: Array, end: Array) -> Array:
    """P₀ = Mⁿ P₀ (Mⁿ)ᵀ + W_n, as three linear equations."""
    a, b, c, d = power[..., 0, 0], power[..., 0, 1], power[..., 1, 0], power[..., 1, 1]
    left = _matrix(
        xp,
        [[1 - a * a, -2 * a * b, -(b * b)], [-(a * c), 1 - a * d - b * c, -(b * d)], [-(c * c), -2 * c * d, 1 - d * d]],
    )
    right = xp.stack([end[..., 0, 0], end[..., 0, 1], end[..., 1, 1]], axis=-1)
    x, both, v = (xp.linalg.solve(left, right[..., None])[..., k, 0] for k in range(3))
    return _matrix(xp, [[x, both], [both, v]])
