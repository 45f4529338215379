"""What runs in a chain: problems, which are what one sample's gradient is, and how their chains run."""

from __future__ import annotations

__all__ = ["Chain", "CubicCNN", "Problem", "Quadratic", "Regression"]

from dataclasses import dataclass
from typing import Any

from lemmascope.theory.cubic_cnn import weights
from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.temperature.finite_data import SAMPLINGS

Array = Any


def _rows(xp: Any, x: Array, index: Array) -> Array:
    """x[index] along the first axis, for an index (chains, B)."""
    return xp.reshape(xp.take(x, xp.reshape(index, (-1,)), axis=0), (*index.shape, *x.shape[1:]))


@dataclass(frozen=True)
class Quadratic:
    """L_i = ½ Φᵀdiag(h)Φ + ξ_iᵀΦ, Σ ξ_i = 0: h (d,), xi (N, d). Minimum at 0."""

    h: Array
    xi: Array

    @property
    def samples(self) -> int:
        """N."""
        return int(self.xi.shape[0])

    @property
    def width(self) -> int:
        """d."""
        return int(self.h.shape[0])

    def gradient(self, xp: Any, e: Array, index: Array) -> Array:
        """The minibatches' gradients, for e (chains, d) and index (chains, B)."""
        return self.h * e + xp.mean(_rows(xp, self.xi, index), axis=1)

    def loss(self, xp: Any, e: Array) -> Array:
        """L − L* (chains,)."""
        return xp.sum(self.h * e * e, axis=-1) / 2


@dataclass(frozen=True)
class Regression:
    """L_i = ½ (x_iᵀΦ − y_i)² about its minimum: X (N, d), residuals r (N,) there."""

    X: Array
    r: Array

    @property
    def samples(self) -> int:
        """N."""
        return int(self.X.shape[0])

    @property
    def width(self) -> int:
        """d."""
        return int(self.X.shape[1])

    def gradient(self, xp: Any, e: Array, index: Array) -> Array:
        """The minibatches' gradients, for e (chains, d) and index (chains, B)."""
        rows = _rows(xp, self.X, index)
        misfit = xp.sum(rows * e[:, None, :], axis=-1) + _rows(xp, self.r, index)
        return xp.mean(rows * misfit[..., None], axis=1)

    def loss(self, xp: Any, e: Array) -> Array:
        """L − L* (chains,)."""
        fit = e @ xp.matrix_transpose(self.X)
        return xp.mean(fit * fit, axis=-1) / 2


@dataclass(frozen=True)
class CubicCNN:
    """The central theorem's network with weight decay: X (N, P, d), y (N,), λ, and W* (m, d), a minimum of loss
    ``least``.

    The state is W − W*, as one vector.
    """

    X: Array
    y: Array
    lam: float
    W: Array
    least: float

    @property
    def samples(self) -> int:
        """N."""
        return int(self.X.shape[0])

    @property
    def width(self) -> int:
        """m d."""
        return int(self.W.shape[0] * self.W.shape[1])

    def _weights(self, xp: Any, e: Array) -> Array:
        return self.W + xp.reshape(e, (e.shape[0], *self.W.shape))

    def gradient(self, xp: Any, e: Array, index: Array) -> Array:
        """The minibatches' gradients, for e (chains, m d) and index (chains, B)."""
        found = weights.gradient(self._weights(xp, e), _rows(xp, self.X, index), _rows(xp, self.y, index), self.lam)
        return xp.reshape(found, e.shape)

    def loss(self, xp: Any, e: Array) -> Array:
        """L − L* (chains,)."""
        return weights.loss(self._weights(xp, e), self.X, self.y, self.lam) - self.least


Problem = Quadratic | Regression | CubicCNN


@dataclass(frozen=True)
class Chain:
    """How chains run.

    Args:
        eta, mu, B: learning rate of the velocity form, momentum, batch size.
        sampling: one of `theory.temperature.finite_data.SAMPLINGS`.
        burn_in: steps before the first that is seen.
        samples, every: how many losses are written down, and how many steps apart.

    Raises:
        InputError: a number outside of its range, or an unknown sampling.
    """

    eta: float
    mu: float
    B: int
    sampling: str
    burn_in: int
    samples: int
    every: int

    def __post_init__(self) -> None:
        check_number("eta", self.eta, 0, open_low=True)
        check_number("mu", self.mu, 0, 1, open_high=True)
        if self.sampling not in SAMPLINGS:
            raise InputError("sampling", self.sampling, f"it must be one of {', '.join(SAMPLINGS)}")
        check_size("B", self.B)
        check_size("burn_in", self.burn_in, 0)
        check_size("samples", self.samples)
        check_size("every", self.every)

    @property
    def steps(self) -> int:
        """In all."""
        return self.burn_in + self.samples * self.every
