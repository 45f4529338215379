"""Checks that tests share: each raises AssertionError where the code it looks at is wrong.

The code under test is looked up in its module at each call, so that `tests/test_quality.py` can plant a bug there and
see the check fail.
"""

from __future__ import annotations

__all__ = [
    "check_gradient",
    "check_law",
    "check_optimizer",
    "check_tensor_power",
    "complex_loss",
    "iterates",
    "tensor_power_time",
    "unrolled",
]

from typing import Any

import numpy as np
from strategies import Instance, TensorPower
from tolerances import assert_close

from sims.seeds import streams
from theory import optimizers
from theory.cubic_cnn import law, predictions, weights

UNIT = 2.0**-53
COMPLEX_STEP = 1e-30


def complex_loss(W: np.ndarray, X: np.ndarray, y: np.ndarray, lam: float) -> complex:
    """L(W) written again, patch by patch and analytic in W, for complex W (m, d)."""
    total = 0.0 + 0.0j
    for patches, label in zip(X, y, strict=True):
        f = sum((W @ patch) ** 3 @ np.ones(len(W)) for patch in patches)
        x = complex(-label * f)
        total += x + np.log1p(np.exp(-x)) if x.real > 0 else np.log1p(np.exp(x))
    return total / len(y) + 0.5 * lam * complex(np.sum(W * W))


def check_gradient(X: np.ndarray, y: np.ndarray, W: np.ndarray, lam: float) -> None:
    """`weights.gradient` is the complex-step derivative of the loss, in every entry.

    Rounding is relative to (3/N) Σ ℓ (1 + Σ|z|³) z² |x| + λ|W|: a margin is off by u Σ|z|³, and |ℓ'| ≤ ℓ.
    """
    found = weights.gradient(W, X, y, lam)
    expected, scale = np.zeros_like(W), np.zeros_like(W)
    for place in np.ndindex(W.shape):
        step = W.astype(complex)
        step[place] += 1j * COMPLEX_STEP
        expected[place] = complex_loss(step, X, y, lam).imag / COMPLEX_STEP
    for patches, label in zip(X, y, strict=True):
        z = patches @ W.T
        ell = np.exp(-np.logaddexp(0, label * np.sum(z**3)))
        scale += 3 / len(y) * ell * (1 + np.sum(np.abs(z) ** 3)) * (z * z).T @ np.abs(patches)
    # Where the gradient vanishes the truncation h² = 1e−60, times third derivatives, is left.
    assert_close(found, expected, "complex step", scale=scale + lam * np.abs(W) + 1e-40, note="gradient")


def iterates(optimizer: Any, theta: Any, gradients: Any) -> list[Any]:
    """θ₀, θ₁, … along a given sequence of gradients."""
    state, found = optimizer.init(theta), [theta]
    for t in range(gradients.shape[0]):
        theta, state = optimizer.step(theta, gradients[t, ...], state, t)
        found.append(theta)
    return found


def unrolled(optimizer: Any, gradients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(θ_T − θ₀, sum of the magnitudes of its terms), from the sums over all past gradients.

    GD: −Σ_t η_t ∇_t. Average form: −Σ_t η_t (1−γ) Σ_{s≤t} γ^{t−s} ∇_s. Velocity form: −Σ_t Σ_{s≤t} γ^{t−s} η_s ∇_s.
    Nesterov: −Σ_t (γ Σ_{s≤t} γ^{t−s} η_s ∇_s + η_t ∇_t).
    """
    rate, T = optimizer.eta, len(gradients)
    eta = np.array([rate(t) if callable(rate) else rate for t in range(T)])
    gamma = getattr(optimizer, "gamma", 0.0)
    factor = np.zeros((T, T))
    for t in range(T):
        for s in range(t + 1):
            memory = gamma ** (t - s)
            factor[t, s] = {
                "GD": eta[t] * (s == t),
                "MomentumAverage": eta[t] * (1 - gamma) * memory,
                "MomentumVelocity": memory * eta[s],
                "Nesterov": gamma * memory * eta[s] + eta[t] * (s == t),
            }[type(optimizer).__name__]
    total = np.sum(factor, axis=0)
    return -total @ gradients, total @ np.abs(gradients)


def check_optimizer(form: str, eta: Any, gamma: float, gradients: np.ndarray) -> None:
    """An optimizer's position after any number of steps is the unrolled sum over all gradients so far."""
    kind = optimizers.FORMS[form]
    optimizer = kind(eta) if form == "gd" else kind(eta, gamma)
    theta = np.ones(gradients.shape[1:])
    for T, position in enumerate(iterates(optimizer, theta, gradients)):
        move, size = unrolled(optimizer, gradients[:T])
        assert_close(position, theta + move, scale=np.abs(theta) + size, note=f"{form}, after {T} steps")


def check_law(instance: Instance, seed: int = 0) -> None:
    """A sample of the law: noise patches orthogonal to a unit w* up to the rounding of one inner product, the signal
    patch c_i w* in its place, strengths as the margins say."""
    p = instance.parameters
    sample = law.draw_sample(p, streams(0, "strategies", seed))
    w, X = sample.w_star, sample.X
    assert X.shape == (p.N, p.P, p.d)
    assert_close(w @ w, 1.0, note="‖w*‖²")
    assert set(np.unique(sample.y)) <= {-1.0, 1.0}
    assert_close(sample.strength, np.where(sample.small, p.beta, p.alpha), note="strength")
    rows = np.arange(p.N)
    signal = X[rows, sample.signal]
    assert_close(signal, (sample.y * sample.strength)[:, None] * w, scale=p.alpha, note="signal patch")
    noise = np.ones((p.N, p.P), bool)
    noise[rows, sample.signal] = False
    patches = X[noise]
    # The projection rounds each entry by less than 4u times the noise before it, whose norm is p.sigma √d times a few.
    size = np.abs(patches) @ np.abs(w) + 4 * p.sigma * np.sqrt(p.d) * np.abs(w).max()
    assert np.all(np.abs(patches @ w) <= (p.d + 8) * UNIT * size), "noise is orthogonal to w*"


def tensor_power_time(z: float, v: float, steps: list[float]) -> int:
    """The first t with z_t ≥ v of z_{t+1} = z_t + A_t z_t², A_t = ``steps`` again and again."""
    t = 0
    while z < v:
        z, t = z + steps[t % len(steps)] * z * z, t + 1
    return t


def check_tensor_power(drawn: TensorPower) -> None:
    """The passing time lies between the bounds of `predictions.tensor_power_bounds`."""
    low, high = predictions.tensor_power_bounds(drawn.z_0, drawn.v, drawn.a, drawn.A)
    time = tensor_power_time(drawn.z_0, drawn.v, drawn.steps)
    assert low <= time * (1 + 1e-12), f"passes at {time}, earlier than {low}"
    assert time <= high, f"passes at {time}, later than {high}"
