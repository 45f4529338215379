"""Full-batch training of one network as machine code: forward, mask and backward in one loop, BLAS for the products."""

from __future__ import annotations

__all__ = ["train"]

from typing import Any, cast

import numpy as np
from numba import njit

from lemmascope.theory.teacher.networks import Network


@njit(nogil=True, cache=True, error_model="numpy")
def _forward(X, W, b, A):
    np.dot(X, W, A)
    for i in range(A.shape[0]):
        row = A[i]
        for r in range(b.size):
            row[r] = max(row[r] + b[r], 0)


@njit(nogil=True, cache=True, error_model="numpy")
def _step(theta, grad, u, eta, gamma):
    one, other = theta.ravel(), grad.ravel()
    average = u.ravel()
    for i in range(one.size):
        average[i] = gamma * average[i] + (1 - gamma) * other[i]
        one[i] -= eta * average[i]


@njit(nogil=True, cache=True, error_model="numpy")
def _masked(D, A, total):
    """D where A > 0, and its sums by column."""
    total[:] = 0
    for i in range(D.shape[0]):
        row, active = D[i], A[i]
        for r in range(total.size):
            x = row[r] if active[r] > 0 else row[r] * 0
            row[r] = x
            total[r] += x


@njit(nogil=True, cache=True, error_model="numpy")
def _pulled(g, v, A, D, total):
    """(g vᵀ as rows) where A > 0, and its sums by column."""
    h = total.size
    P = v.size // h
    total[:] = 0
    for i in range(g.size):
        for p in range(P):
            row, active, weights = D[i * P + p], A[i * P + p], v[p * h : (p + 1) * h]
            for r in range(h):
                x = g[i] * weights[r] if active[r] > 0 else g[i] * 0
                row[r] = x
                total[r] += x


@njit(nogil=True, cache=True, error_model="numpy")
def _train(X, XT, y, P, k, two, W, b, U, e, v, c, eta, gamma, epochs, early, bias, errors):
    """Parameters in place; the share of misclassified samples before the step ``early`` and after the last."""
    N, h = y.size, W.shape[1]
    left = P - k + 1 if two else P
    A = np.empty((N * P, h), X.dtype)
    D = np.empty((N * P, h), X.dtype)
    C = np.empty((N * left if two else 0, k * h), X.dtype)
    B = np.empty((N * left if two else 0, h), X.dtype)
    E = np.empty((N * left if two else 0, h), X.dtype)
    back = np.empty((N * left if two else 0, k * h), X.dtype)
    f, g = np.empty(N, X.dtype), np.empty(N, X.dtype)
    gW, gb, gU, ge, gv, gc = (
        np.zeros_like(W),
        np.zeros_like(b),
        np.zeros_like(U),
        np.zeros_like(e),
        np.zeros_like(v),
        np.zeros_like(c),
    )
    uW, ub, uU, ue, uv, uc = (
        np.zeros_like(W),
        np.zeros_like(b),
        np.zeros_like(U),
        np.zeros_like(e),
        np.zeros_like(v),
        np.zeros_like(c),
    )
    for t in range(epochs + 1):
        _forward(X, W, b, A)
        if two:
            for i in range(N):
                for p in range(left):
                    for j in range(k):
                        row, part = C[i * left + p, j * h : (j + 1) * h], A[i * P + p + j]
                        for r in range(h):
                            row[r] = part[r]
            _forward(C, U, e, B)
            F = B.reshape(N, left * h)
        else:
            F = A.reshape(N, left * h)
        np.dot(F, v, f)
        wrong = 0
        for i in range(N):
            margin = y[i] * (f[i] + c[0])
            if not margin > 0:
                wrong += 1
            small = np.exp(-abs(margin))
            g[i] = -y[i] * (small if margin > 0 else 1) / (1 + small) / N
        if t == early:
            errors[0] = wrong / N
        if t == epochs:
            errors[1] = wrong / N
            break
        np.dot(F.T, g, gv)
        gc[0] = g.sum()
        if two:
            _pulled(g, v, B, E, ge)
            np.dot(C.T, E, gU)
            np.dot(E, U.T, back)
            D[:] = 0
            for i in range(N):
                for p in range(left):
                    for j in range(k):
                        row, part = D[i * P + p + j], back[i * left + p, j * h : (j + 1) * h]
                        for r in range(h):
                            row[r] += part[r]
            _masked(D, A, gb)
        else:
            _pulled(g, v, A, D, gb)
        np.dot(XT, D, gW)
        _step(W, gW, uW, eta, gamma)
        _step(v, gv, uv, eta, gamma)
        if two:
            _step(U, gU, uU, eta, gamma)
        if bias:
            _step(b, gb, ub, eta, gamma)
            _step(c, gc, uc, eta, gamma)
            if two:
                _step(e, ge, ue, eta, gamma)


def train(
    network: Network,
    theta: dict[str, np.ndarray],
    X: np.ndarray,
    y: np.ndarray,
    *,
    eta: float,
    gamma: float,
    epochs: int,
    early: int = 0,
    bias: bool = True,
) -> tuple[dict[str, np.ndarray], tuple[float, float]]:
    """Gradient descent with momentum in the average form, over all samples.

    Args:
        network, theta: the student and its initial parameters, which stay as they are.
        X, y: (N, P q) and (N,), of the number type in which to compute.
        eta, gamma: learning rate and momentum; 0 is GD.
        epochs: steps; early: the one before which the training error is noted too.
        bias: whether biases are trained; else they stay.

    Returns:
        The parameters, and the training errors before step ``early`` and after the last (1 where it diverged).
    """
    dtype: Any = X.dtype
    rows = np.ascontiguousarray(X.reshape(-1, network.inputs))
    found = {name: np.array(theta[name], dtype) for name in theta}
    nothing = {"U": np.zeros((1, 1), dtype), "e": np.zeros(1, dtype)}
    parts = [found.get(name, nothing.get(name)) for name in ("W", "b", "U", "e", "v", "c")]
    errors = np.zeros(2)
    number, loop = dtype.type, cast(Any, _train)
    loop(
        rows,
        np.ascontiguousarray(rows.T),
        np.ascontiguousarray(y, dtype),
        network.positions,
        network.neighbours,
        network.layers == 2,
        *parts,
        number(eta),
        number(gamma),
        epochs,
        early,
        bias,
        errors,
    )
    return found, (float(errors[0]), float(errors[1]))
