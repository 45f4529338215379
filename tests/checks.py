"""Checks that tests share: each raises AssertionError where the code it looks at is wrong.

The code under test is looked up in its module at each call, so that `tests/test_quality.py` can plant a bug there and
see the check fail.
"""

from __future__ import annotations

__all__ = [
    "check_coefficients",
    "check_exact_law",
    "check_gradient",
    "check_law",
    "check_optimizer",
    "check_tensor_power",
    "complex_loss",
    "iterates",
    "systems",
    "tensor_power_time",
    "unrolled",
    "weights_of",
]

from typing import Any

import numpy as np
from scipy import stats
from strategies import Instance, TensorPower
from tolerances import assert_close, tolerance

from lemmascope.sims.seeds import streams
from lemmascope.theory import optimizers
from lemmascope.theory.cubic_cnn import coefficients, law, predictions, weights
from lemmascope.theory.cubic_cnn.parameters import Parameters

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


def systems(pairs: Any, lam: float) -> tuple[weights.WeightSystem, coefficients.CoefficientSystem]:
    """Both systems over the seeds of ``pairs`` = [(sample, W₀), …]."""
    samples = [sample for sample, _ in pairs]
    projections = [law.project(*pair) for pair in pairs]
    of_the_law, feature = samples[0].of_the_law, samples[0].w_star is not None
    stacked = {
        name: np.stack([getattr(q, name) for q in projections])
        for name in ("y", "strength", "K", "Xi_0", "c_0", "S_0", "overlap")
    }
    return (
        weights.WeightSystem(
            X=np.stack([sample.signal_first() for sample in samples]),
            y=np.stack([sample.y for sample in samples]),
            W_0=np.stack([W for _, W in pairs]),
            lam=lam,
            signal_patches=int(of_the_law),
            w_star=np.stack([sample.w_star for sample in samples]) if feature else None,
        ),
        coefficients.CoefficientSystem(**stacked, lam=lam, has_feature=feature, of_the_law=of_the_law),
    )


def weights_of(system: Any, of_the_law: bool, theta: np.ndarray) -> np.ndarray:
    """W = aW₀ + BX + b w*ᵀ of coordinates (S, A, m, n + 2), by loops; ``system`` is the weight system."""
    S, A, m, width = theta.shape
    n = width - 2
    W = np.zeros((S, A, m, system.X.shape[-1]))
    for s, a, r in np.ndindex(S, A, m):
        patches = system.X[s][:, system.signal_patches :].reshape(n, -1)
        W[s, a, r] = theta[s, a, r, n + 1] * system.W_0[s, r] + theta[s, a, r, :n] @ patches
        if of_the_law:
            W[s, a, r] += theta[s, a, r, n] * system.w_star[s]
    return W


def check_coefficients(pairs: Any, lam: float) -> None:
    """At any coordinates the gradient in them is the weight gradient, and what is seen is what W shows.

    Compared with `weights.gradient` and with loops, not with the weight system alone.
    """
    plain, own = systems(pairs, lam)
    rng = np.random.default_rng(8)
    theta = 0.2 * rng.standard_normal(own.initial(2).shape)
    theta[..., -1] = rng.uniform(0.5, 1, (len(pairs), 2, 1))  # a is one number for all neurons
    if not own.of_the_law:
        theta[..., -2] = 0  # b never moves where no signal patch is told apart
    W = weights_of(plain, own.of_the_law, theta)
    (view, grad), (seen, slope) = own.evaluate(theta), plain.evaluate(W)
    expected = np.stack([[weights.gradient(w, x.X, x.y, lam) for w in W[s]] for s, (x, _) in enumerate(pairs)])
    assert_close(weights_of(plain, own.of_the_law, grad), expected, note="gradient in coordinates")
    assert_close(slope, expected, note="gradient of the weight system")
    outputs = np.stack([x.y * weights.outputs(W[s], x.X) for s, (x, _) in enumerate(pairs)])
    assert_close(view.margins, outputs, note="margins")
    for name in ("c", "Xi", "memorization", "ell"):
        left, right = getattr(view, name), getattr(seen, name)
        assert (left is None) == (right is None)
        if left is not None:
            assert_close(left, right, note=name)
    gram = own.perpendicular_gram(theta, view)
    for s, (sample, _) in enumerate(pairs):
        outside = W[s] - (W[s] @ sample.w_star)[..., None] * sample.w_star if sample.of_the_law else W[s]
        assert_close(gram[s], outside @ np.swapaxes(outside, -1, -2), note="Gram matrix")


def check_exact_law(p: Parameters, repeats: int = 400) -> None:
    """The exact law's joint size of K, of what Ξ₀ shows of it, and of S₀ are those of samples."""

    def seen(q: law.Projection) -> list[float]:
        inside = q.Xi_0[0] @ np.linalg.solve(q.K, q.Xi_0[0])
        return [np.linalg.slogdet(q.K)[1], q.K[0, 0], inside, q.S_0[0, 0], q.S_0[0, 0] - inside]

    drawn = []
    for k in range(repeats):
        rng = streams(1, "exact law", k)
        sampled = law.project(law.draw_sample(p, rng), law.draw_weights(p.m, p.d, p.sigma_0, rng))
        drawn.append([seen(sampled), seen(law.exact_projection(p, streams(2, "exact law", k)))])
    for which, (left, right) in enumerate(np.transpose(drawn, (2, 1, 0))):
        assert stats.ks_2samp(left, right).pvalue > tolerance("statistical"), f"statistic {which}"


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
    # One projection leaves a rounding of the noise before it, of norm a few σ√d; the second one rounds that alone.
    unit = (p.d + 8) * UNIT
    size = np.abs(patches) @ np.abs(w) + unit * 4 * p.sigma * np.sqrt(p.d)
    assert np.all(np.abs(patches @ w) <= unit * size), "noise is orthogonal to w*"


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
    assert low <= time * (1 + tolerance("identity")), f"passes at {time}, earlier than {low}"
    assert time <= high, f"passes at {time}, later than {high}"
