"""The central network at a minimum of its regularized loss: where its chains start, and what the noise sees there."""

from __future__ import annotations

__all__ = ["PARAMETERS", "Minimum", "expansion", "minimum"]

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import minimize

from lemmascope.sims.temperature.problems import CubicCNN, Quadratic
from lemmascope.theory.cubic_cnn.curvature import hessian, sample_gradients
from lemmascope.theory.cubic_cnn.law import draw_sample, draw_weights
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.cubic_cnn.weights import gradient, loss
from lemmascope.theory.temperature.anharmonic import Expansion, first_covariance

PARAMETERS = Parameters(d=8, N=32, P=2, m=2, alpha=1.0, beta=0.2, mu=0.3, sigma=1.0, sigma_0=0.5, lam=0.05)
"""Small enough for long chains; with λ > 0, as on separable data without it the loss falls for ever."""

STARTS = 8
POLISH = 20
STATIONARY = 1e-10
"""Largest entry of a gradient that is called zero."""


@dataclass(frozen=True)
class Minimum:
    """A minimum W* of the network's loss.

    Attributes:
        problem: the network there, for `sims.temperature.chains.run`.
        H, Sigma: (m d, m d) Hessian and covariance of one sample's gradient.
        slopes: (N, m d) the samples' gradients, about their mean.
        residual: largest entry of the gradient.
    """

    problem: CubicCNN
    H: np.ndarray
    Sigma: np.ndarray
    slopes: np.ndarray
    residual: float

    @property
    def companion(self) -> Quadratic:
        """The quadratic of the same Hessian with each sample's gradient as it is at W*, in H's eigenvectors.

        On the same minibatches its chain stays close to the network's, and its temperature is known exactly.
        """
        h, Q = np.linalg.eigh(self.H)
        return Quadratic(h, self.slopes @ Q)

    @property
    def curvatures(self) -> np.ndarray:
        """Eigenvalues of H, increasing."""
        return np.linalg.eigvalsh(self.H)

    @property
    def mean_curvature(self) -> float:
        """h̄ = tr(HΣ)/tr Σ."""
        return float(np.sum(self.H * self.Sigma) / np.trace(self.Sigma))


def _numbered(rng: Callable[[str], np.random.Generator], k: int, name: str) -> np.random.Generator:
    return rng(f"{name} {k}")


def minimum(rng: Callable[[str], np.random.Generator], parameters: Parameters = PARAMETERS) -> Minimum:
    """The lowest of the minima that are found from `STARTS` initial weights: BFGS, then Newton's steps.

    Args:
        rng: from a name to its generator; data and initial weights are drawn from it.
        parameters: of the law.
    """
    p = parameters
    sample = draw_sample(p, rng)
    X, y = np.asarray(sample.X), np.asarray(sample.y)
    shape = p.m, p.d
    found = []
    for k in range(STARTS):
        W = draw_weights(p.m, p.d, p.sigma_0, partial(_numbered, rng, k))
        at = minimize(
            lambda w: float(loss(w.reshape(shape), X, y, p.lam)),
            W.ravel(),
            jac=lambda w: gradient(w.reshape(shape), X, y, p.lam).ravel(),
            method="BFGS",
            options={"gtol": 1e-8},
        )
        found.append((float(at.fun), at.x))
    w = min(found, key=lambda one: one[0])[1]
    for _ in range(POLISH):
        slope = gradient(w.reshape(shape), X, y, p.lam).ravel()
        if np.max(np.abs(slope)) <= STATIONARY / 100:
            break
        w = w - np.linalg.solve(hessian(w.reshape(shape), X, y, p.lam), slope)
    W = w.reshape(shape)
    slopes = sample_gradients(W, X, y, p.lam)
    slopes = slopes - slopes.mean(axis=0)
    problem = CubicCNN(X, y, p.lam, W, float(loss(W, X, y, p.lam)))
    return Minimum(
        problem,
        hessian(W, X, y, p.lam),
        slopes.T @ slopes / p.N,
        slopes,
        float(np.max(np.abs(gradient(W, X, y, p.lam)))),
    )


STEP = 1e-3
"""Of central differences, whose error is some 10⁻⁶ of what they give."""


def expansion(at: Minimum) -> Expansion:
    """Third and fourth derivatives of the loss and derivatives of its noise at a minimum, by central differences of the
    Hessian and of the covariance."""
    net = at.problem
    h, Q = np.linalg.eigh(at.H)
    Sigma = Q.T @ at.Sigma @ Q

    def around(shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        W = net.W + (Q @ shift).reshape(net.W.shape)
        slopes = sample_gradients(W, net.X, net.y, net.lam)
        slopes = slopes - slopes.mean(axis=0)
        return Q.T @ hessian(W, net.X, net.y, net.lam) @ Q, Q.T @ (slopes.T @ slopes / net.samples) @ Q

    def both(direction: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """First and second derivatives of both along a unit vector."""
        one, other, middle = around(STEP * direction), around(-STEP * direction), (np.diag(h), Sigma)
        first = [(a - b) / (2 * STEP) for a, b in zip(one, other, strict=True)]
        second = [(a - 2 * c + b) / STEP**2 for a, b, c in zip(one, other, middle, strict=True)]
        return first, second

    firsts = [both(e)[0] for e in np.eye(h.size)]
    variances, axes = np.linalg.eigh(first_covariance(h, Sigma))
    FC, D_2C = np.zeros_like(Sigma), 0.0
    for variance, axis in zip(variances, axes.T, strict=True):
        curvature, noise = both(axis)[1]
        FC += variance * curvature
        D_2C += variance * float(np.trace(noise))
    J, D_1 = (np.stack([one[k] for one in firsts], axis=-1) for k in range(2))
    return Expansion(h, Sigma, J, FC, D_1, D_2C)
