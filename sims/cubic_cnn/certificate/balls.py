r"""The exact trajectory of a small problem, by ball arithmetic (python-flint's Arb): a route that shares nothing with
the radius but the definition of the problem.

The doubles of the data are read as real numbers. A ball of 300 bits encloses each entry of the state; after T steps its
radius is about 2⁻³⁰⁰ times the growth of a perturbation. In R^d the weights themselves are stepped, with the gradient
over all patches; of a projection, the coefficients (B, b, a). Costs m n (or m N P d) ball operations a step: n ≤ 60 or
so.
"""

from __future__ import annotations

__all__ = ["BITS", "coefficients", "distance_of_coefficients", "distance_of_weights", "weights"]

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from lemmascope.theory.cubic_cnn.law import Projection, Sample
from lemmascope.theory.optimizers import recursion_of

BITS = 300


@contextmanager
def _precision(bits: int) -> Iterator[None]:
    """Balls are computed with that many bits inside of the block."""
    import flint

    old, flint.ctx.prec = flint.ctx.prec, bits
    try:
        yield
    finally:
        flint.ctx.prec = old


def _matrix(x: np.ndarray) -> Any:
    import flint

    return flint.arb_mat([[flint.arb(float(value)) for value in row] for row in np.atleast_2d(x)])


def _signed_ell(y: Any, f: Any) -> Any:
    """−y_i ℓ_i."""
    return -y / (1 + (y * f).exp())


def _trajectory(
    start: list[Any], gradient: Any, optimizer: Any, last: int, keep: Iterable[int]
) -> dict[int, list[Any]]:
    """States by iteration; a state is a list of matrices."""
    import flint

    recursion, wanted = recursion_of(optimizer), set(keep)
    assert recursion is not None
    theta, u, found = start, [part * 0 for part in start], {}
    for t in range(last + 1):
        if t in wanted:
            found[t] = theta
        if t == last:
            break
        grad = gradient(theta)
        memory, kappa, p, q = (flint.arb(float(rate)) for rate in recursion(t))
        u = [before * memory + slope * kappa for before, slope in zip(u, grad, strict=True)]
        theta = [now - new * p - slope * q for now, new, slope in zip(theta, u, grad, strict=True)]
    return found


def weights(
    sample: Sample, W_0: np.ndarray, optimizer: Any, last: int, keep: Iterable[int], lam: float = 0.0, bits: int = BITS
) -> dict[int, Any]:
    """W_t (m, d), Arb matrices, at the iterations of ``keep``."""
    import flint

    N, P, d = sample.X.shape
    m = W_0.shape[0]
    with _precision(bits):
        X = _matrix(sample.X.reshape(N * P, d))
        y = [flint.arb(float(label)) for label in sample.y]
        turned, penalty, share = X.transpose(), flint.arb(float(lam)), flint.arb(3) / N

        def gradient(theta: list[Any]) -> list[Any]:
            z = theta[0] * turned
            f = [sum((z[r, i * P + j] ** 3 for r in range(m) for j in range(P)), flint.arb(0)) for i in range(N)]
            pull = [share * _signed_ell(y[i], f[i]) for i in range(N)]
            g = flint.arb_mat([[pull[k // P] * z[r, k] ** 2 for k in range(N * P)] for r in range(m)])
            return [g * X + theta[0] * penalty]

        return {t: state[0] for t, state in _trajectory([_matrix(W_0)], gradient, optimizer, last, keep).items()}


def coefficients(
    found: Projection, optimizer: Any, last: int, keep: Iterable[int], lam: float = 0.0, bits: int = BITS
) -> dict[int, list[Any]]:
    """(B (m, n), b (m, 1), a (1, 1)) at the iterations of ``keep``, for data of the law."""
    import flint

    m, n = found.Xi_0.shape
    N = len(found.y)
    Q = n // N
    with _precision(bits):
        K, Xi_0, c_0 = _matrix(found.K), _matrix(found.Xi_0), [flint.arb(float(c)) for c in found.c_0]
        y, cubed = [flint.arb(float(v)) for v in found.y], [flint.arb(float(s)) ** 3 for s in found.strength]
        penalty, share = flint.arb(float(lam)), flint.arb(3) / N

        def gradient(theta: list[Any]) -> list[Any]:
            B, b, a = theta
            Xi = B * K + Xi_0 * a[0, 0]
            c = [a[0, 0] * c_0[r] + b[r, 0] for r in range(m)]
            feature = sum((value**3 for value in c), flint.arb(0))
            slopes, along = [], flint.arb(0)
            for i in range(N):
                noise = sum((Xi[r, i * Q + j] ** 3 for r in range(m) for j in range(Q)), flint.arb(0))
                margin = cubed[i] * feature + y[i] * noise
                ell = 1 / (1 + margin.exp())
                slopes.append(-share * y[i] * ell)
                along = along - share * cubed[i] * ell
            g = flint.arb_mat([[slopes[k // Q] * Xi[r, k] ** 2 for k in range(n)] for r in range(m)])
            g_b = flint.arb_mat([[along * value**2] for value in c])
            return [part + state * penalty for part, state in zip((g, g_b, a * 0), theta, strict=True)]

        start = [_matrix(np.zeros((m, n))), _matrix(np.zeros((m, 1))), _matrix(np.ones((1, 1)))]
        return _trajectory(start, gradient, optimizer, last, keep)


def distance_of_weights(
    exact: Any, sample: Sample, W_0: np.ndarray, theta: np.ndarray, in_weights: bool, bits: int = BITS
) -> Any:
    """‖W − Ŵ‖_F, a ball, with Ŵ = âW₀ + B̂X + b̂w*ᵀ formed exactly from a computed state (m, width)."""
    import flint

    with _precision(bits):
        if in_weights:
            computed = _matrix(theta)
        else:
            n = theta.shape[1] - 2
            patches = sample.signal_first()[:, 1:, :] if sample.of_the_law else sample.X
            computed = _matrix(theta[:, :n]) * _matrix(patches.reshape(n, -1)) + _matrix(W_0) * flint.arb(
                theta[0, n + 1]
            )
            if sample.of_the_law and sample.w_star is not None:
                computed = computed + _matrix(theta[:, n : n + 1]) * _matrix(sample.w_star)
        off = exact - computed
        return sum((off[r, j] ** 2 for r in range(off.nrows()) for j in range(off.ncols())), flint.arb(0)).sqrt()


def distance_of_coefficients(exact: list[Any], found: Projection, theta: np.ndarray) -> Any:
    """The same distance from the coefficients alone, with the Gram matrices K, Ξ₀ and S₀ as they are."""
    import flint

    m, n = found.Xi_0.shape
    with _precision(BITS):
        B = exact[0] - _matrix(theta[:, :n])
        b = exact[1] - _matrix(theta[:, n : n + 1])
        a = exact[2][0, 0] - flint.arb(float(theta[0, n + 1]))
        turned = B * _matrix(found.K) + _matrix(found.Xi_0) * (2 * a)
        total = sum((turned[r, k] * B[r, k] for r in range(m) for k in range(n)), flint.arb(0))
        total = total + a**2 * sum((flint.arb(float(found.S_0[r, r])) for r in range(m)), flint.arb(0))
        total = total + sum(((a * flint.arb(float(found.c_0[r])) + b[r, 0]) ** 2 for r in range(m)), flint.arb(0))
        return total.sqrt() if total.lower() >= 0 else total.abs_upper().sqrt()
