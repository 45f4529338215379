r"""The noise of minibatches on the central network, recorded in every step, without a d-dimensional vector.

One sample's gradient, in two components (derived; `theory.cubic_cnn.coefficients`): along the feature w*, summed over
neurons, and along a direction D of the weights that is orthogonal to it,

    u_i = 3 ℓ_i (y_i c_i)³ Σ_r c_r²,    u_i = 3 y_i ℓ_i Σ_r Σ_k Ξ_{r,k}² ⟨x_k, D_r⟩, k the patches of sample i,

both of −∇. In every step: a batch's mean of u_i less that of all samples, over its exact conditional standard deviation
("noise"); the batch's mean itself ("raw"); the standard deviation σ of u_i over the samples ("sigma"). That σ falls by
orders as ℓ does is why noise is divided by it: a variance that changes would look like memory.

Batches are drawn with replacement, or in epochs as in `sims.cubic_cnn.minibatch`, whose optimizer this is. The weights
train or are frozen (η = 0).
"""

from __future__ import annotations

__all__ = ["BACKENDS", "COMPONENTS", "SAMPLING", "Arrays", "Drawn", "at_start", "components", "drawn", "indices", "run"]

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lemmascope.sims import stopping
from lemmascope.sims.cubic_cnn.minibatch import BACKENDS, blocks
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.theory.cubic_cnn.law import Projection
from lemmascope.theory.cubic_cnn.model import logistic_weight
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.noise.long_memory import FLOOR, batch_variance

Array = Any

COMPONENTS = ("feature", "direction")
SAMPLING = ("independent", "epochs")
BLOCK = 2048
"""Steps between two questions whether the task is given up."""


@dataclass(frozen=True)
class Drawn:
    """One seed's data as (c, Ξ) see them, and ``along`` (n, m) = ⟨x_k, D_r⟩."""

    projection: Projection
    along: np.ndarray


def drawn(parameters: Parameters, rng: Callable[[str], np.random.Generator]) -> Drawn:
    """Data, weights and a direction D of independent normal entries, orthogonal to w*.

    Args:
        parameters: of the law and the network; rng: from a name to its generator.
    """
    found = LawProblem(parameters).draw(rng)
    assert found.sample is not None
    patches = np.asarray(found.sample.signal_first()[:, 1:, :]).reshape(parameters.n, parameters.d)
    # The patches are orthogonal to w*, so that D's own part along it does not matter.
    direction = rng("direction").standard_normal((parameters.m, parameters.d)) / parameters.d**0.5
    return Drawn(found.projection(), patches @ direction.T)


def indices(rng: np.random.Generator, N: int, B: int, steps: int, sampling: str) -> np.ndarray:
    """(steps, B) samples of each batch."""
    if sampling == "epochs":
        return np.concatenate(list(blocks(rng, N, B, steps)))
    return rng.integers(0, N, (steps, B))


def components(Xi: Array, c: Array, pull: Array, cubed: Array, y: Array, along: Array, xp: Any = np) -> Array:
    """u_i of every sample, (2, A, N): along the feature, and along D.

    Args:
        Xi: (A, m, n); c: (A, m); pull: (A, N) ℓ_i; cubed: (N,) (y_i c_i)³; y: (N,); along: (n, m).
    """
    A, _, n = Xi.shape
    N = y.shape[0]
    feature = 3 * pull * cubed * xp.sum(c * c, axis=-1)[:, None]
    each = xp.sum(xp.reshape(xp.sum(Xi * Xi * along.T, axis=1), (A, N, n // N)), axis=-1)
    return xp.stack([feature, 3 * y * pull * each])


def at_start(parameters: Parameters, rng: Callable[[str], np.random.Generator]) -> np.ndarray:
    """u_i of every sample at the initial weights, (2, N)."""
    data = drawn(parameters, rng)
    one = data.projection
    y, cubed = np.asarray(one.y), np.asarray(one.strength) ** 3
    memorized = np.sum(np.reshape(np.sum(one.Xi_0**3, axis=0), (y.size, -1)), axis=-1)
    ell = logistic_weight(y * memorized + cubed * np.sum(one.c_0**3))
    found: np.ndarray = components(one.Xi_0[None], one.c_0[None], ell[None], cubed, y, data.along)[:, 0]
    return found


class Arrays:
    """The reference, on arrays of any library of the standard.

    Args:
        data: one seed's.
        eta: learning rate, 0 for frozen weights; gammas: (A,) momenta.
        xp: array library.
    """

    def __init__(self, data: Drawn, eta: float, gammas: Sequence[float], xp: Any) -> None:
        one = data.projection

        def put(x: Array) -> Array:
            return xp.asarray(np.ascontiguousarray(x, dtype=np.float64))

        self.xp, self.eta, self.gamma = xp, eta, put(gammas)[:, None]
        self.K, self.Xi_0, self.c_0, self.along = put(one.K), put(one.Xi_0), put(one.c_0), put(data.along)
        self.y, self.cubed = put(one.y), put(np.asarray(one.strength) ** 3)
        A, (m, n) = len(gammas), one.Xi_0.shape
        self.B, self.b = xp.zeros((A, m, n), dtype=xp.float64), xp.zeros((A, m), dtype=xp.float64)
        self.average_B, self.average_b = xp.zeros_like(self.B), xp.zeros_like(self.b)

    def advance(self, batches: np.ndarray, share: float) -> np.ndarray:
        """A step a row of ``batches`` (steps, B): noise, raw, σ as (3, 2, A, steps).

        Args:
            share: variance of a batch's mean over that of one sample.
        """
        xp, (A, m, n), N = self.xp, self.B.shape, self.y.shape[0]
        counts = np.zeros((batches.shape[0], N))
        np.add.at(counts, (np.arange(batches.shape[0])[:, None], batches), 1 / batches.shape[1])
        weights = xp.asarray(counts)
        found = []
        for t in range(batches.shape[0]):
            Xi = self.Xi_0 + xp.reshape(xp.reshape(self.B, (A * m, n)) @ self.K, (A, m, n))
            c = self.c_0 + self.b
            memorized = xp.sum(xp.reshape(xp.sum(Xi * Xi * Xi, axis=1), (A, N, n // N)), axis=-1)
            ell = logistic_weight(self.y * memorized + self.cubed * xp.sum(c * c * c, axis=-1)[:, None])
            u = components(Xi, c, ell, self.cubed, self.y, self.along, xp)
            mean, raw = xp.mean(u, axis=-1), xp.sum(u * weights[t, :], axis=-1)
            sigma = xp.sqrt(xp.mean((u - mean[..., None]) ** 2, axis=-1))
            alive = sigma > FLOOR
            size = xp.where(alive, sigma * share**0.5, xp.ones_like(sigma))
            noise = xp.where(alive, (raw - mean) / size, xp.full_like(raw, xp.nan))
            found.append(_host(xp.stack([noise, raw, sigma])))
            if self.eta == 0:
                continue
            pull = -3 * weights[t, :] * ell
            signal = xp.sum(pull * self.cubed, axis=-1)[:, None]
            patches = xp.reshape(xp.tile((pull * self.y)[..., None], (1, 1, n // N)), (A, 1, n))
            self.average_b = self.gamma * self.average_b + (1 - self.gamma) * (c * c * signal)
            gamma = self.gamma[..., None]
            self.average_B = gamma * self.average_B + (1 - gamma) * (Xi * Xi * patches)
            self.b = self.b - self.eta * self.average_b
            self.B = self.B - self.eta * self.average_B
        return np.stack(found, axis=-1)


def _host(x: Array) -> np.ndarray:
    return np.asarray(x.get() if hasattr(x, "get") else x)


def run(
    parameters: Parameters,
    rng: Callable[[str], np.random.Generator],
    *,
    sampling: str,
    B: int,
    gammas: Sequence[float],
    eta: float,
    steps: int,
    backend: str = "auto",
    xp: Any = None,
) -> dict[str, np.ndarray]:
    """``noise``, ``raw`` and ``sigma`` (2, gammas, steps) of minibatch SGD with each momentum, on the same batches.

    Noise that is not there (σ below any number's square) is NaN.

    Args:
        parameters: of the law and the network, λ = 0.
        rng: from a name to its generator.
        sampling: one of `SAMPLING`; B: batch size, in epochs a divisor of N less than it.
        gammas: momenta of the average form; eta: learning rate, 0 for frozen weights.
        steps: iterations.
        backend: one of `BACKENDS`; xp: the array library of "numpy", default NumPy.

    Raises:
        InputError: a number outside of its range, or a backend that is not there.
    """
    if sampling not in SAMPLING:
        raise InputError("sampling", sampling, f"it must be one of {', '.join(SAMPLING)}")
    N, epochs = parameters.N, sampling == "epochs"
    if check_size("B", B) and epochs and (N % B or B == N):
        raise InputError("B", B, f"it must divide the {N} samples and be less: an epoch is two batches or more")
    if parameters.lam:
        raise InputError("lam", parameters.lam, "it must be 0 here")
    if not gammas:
        raise InputError("gammas", gammas, "give one momentum or more")
    for gamma in gammas:
        check_number("gammas", gamma, 0, 1, open_high=True)
    check_number("eta", eta, 0)
    check_size("steps", steps)
    if backend not in BACKENDS:
        raise InputError("backend", backend, f"it must be one of {', '.join(BACKENDS)}")
    kind: Callable[..., Any] = Arrays
    if backend in ("auto", "compiled") and xp is None:
        from lemmascope.sims.cubic_cnn.backends.gradient_noise_loop import Compiled

        kind = Compiled
    elif backend == "cupy":
        from lemmascope.sims.cubic_cnn.backends.device import cupy_or_refused

        xp = cupy_or_refused()
    engine = kind(drawn(parameters, rng), eta, tuple(gammas), np if xp is None else xp)
    batches, share = indices(rng(f"batches {sampling}"), N, B, steps, sampling), batch_variance(N, B, epochs)
    parts = []
    with np.errstate(all="ignore"):
        for start in range(0, steps, BLOCK):
            stopping.check()
            parts.append(engine.advance(batches[start : start + BLOCK], share))
    return dict(zip(("noise", "raw", "sigma"), np.concatenate(parts, axis=-1), strict=True))
