"""The row of the study `long_memory`: the cubic network in training, its gradient noise recorded in every step.

One thread of this project's, as in the study, whose seeds share the cores. It trains on Ξ itself, moved by the batch's
patches alone; the others form Ξ = Ξ₀ + BK of all patches, which the full gradient asks for, with a product a step.
"""

from __future__ import annotations

__all__ = ["ROWS", "WORKS", "Recorded"]

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from lemmascope.benchmarks.libraries import double
from lemmascope.benchmarks.protocol import Cost, Run, Way, Work
from lemmascope.sims.cubic_cnn.backends.gradient_noise_loop import Compiled
from lemmascope.sims.cubic_cnn.gradient_noise import COMPONENTS, Arrays, Drawn, drawn, indices
from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn.parameters import Parameters

ROWS = {"LM": "gradient noise of the network, recorded in every step"}

BLOCK = 1024
"""Steps whose batches are given."""


@dataclass(frozen=True)
class Inputs:
    """A draw of data and weights, how it goes on, and batches (BLOCK, B), taken from the first again and again."""

    data: Drawn
    eta: float
    gammas: tuple[float, ...]
    batches: np.ndarray

    def block(self, start: int, iterations: int) -> np.ndarray:
        """The batches of a block of steps."""
        return self.batches[: min(BLOCK, iterations - start)]


@dataclass(frozen=True, kw_only=True)
class Recorded(Work):
    """What is compared is the whitened noise of all steps, (gammas, iterations, components).

    Attributes:
        N, d, m, B: samples, dimension, neurons, batch size.
        eta: learning rate; gammas: momenta.
    """

    N: int = 128
    d: int = 400
    m: int = 5
    B: int = 8
    eta: float = 0.02
    gammas: tuple[float, ...] = (0.0, 0.99)
    recorded: tuple[str, ...] = COMPONENTS

    @property
    def described(self) -> str:
        """Sizes."""
        return f"N = {self.N}, m = {self.m}, B = {self.B}; {len(self.gammas)} momenta"

    def to_dict(self) -> dict[str, Any]:
        """Sizes and rates."""
        return {name: getattr(self, name) for name in ("N", "d", "m", "B", "eta")} | {"gammas": list(self.gammas)}

    def small(self) -> Recorded:
        """Fewer samples."""
        return replace(self, N=16, d=40, m=3, B=4, eta=0.5, iterations=40)

    def draw(self, root_seed: int = 0) -> Inputs:
        """Data of the law, and batches with replacement."""
        p = Parameters(d=self.d, N=self.N, P=2, m=self.m, alpha=2.0, beta=0.2, mu=0.25, sigma=0.05, sigma_0=0.05)
        rng = streams(root_seed, "bench long_memory", 0)
        batches = indices(rng("batches"), self.N, self.B, BLOCK, "independent")
        return Inputs(drawn(p, rng), self.eta, self.gammas, batches)


def _cost(work: Recorded) -> Cost:
    """The product with K, and Ξ and its average read and written."""
    A, n = len(work.gammas), work.N
    numbers = 4.0 * A * work.m * n
    return Cost(2.0 * A * work.m * n * n, 8 * (numbers + n * n), 8 * (numbers + n * n))


def _engine(inputs: Inputs, *, kind: Any) -> Run:
    share = 1 / inputs.batches.shape[1]

    def run(iterations: int) -> np.ndarray:
        engine = kind(inputs.data, inputs.eta, inputs.gammas, np)
        parts = [engine.advance(inputs.block(t, iterations), share)[0] for t in range(0, iterations, BLOCK)]
        return np.moveaxis(np.concatenate(parts, axis=-1), 0, -1)

    return Run(run)


def _given(inputs: Inputs) -> dict[str, np.ndarray]:
    """What a library is given: the data, and each batch's weights of the samples (BLOCK, N)."""
    one, (steps, B) = inputs.data.projection, inputs.batches.shape
    weights = np.zeros((steps, one.y.size))
    np.add.at(weights, (np.arange(steps)[:, None], inputs.batches), 1 / B)
    return {
        "K": one.K,
        "Xi_0": one.Xi_0,
        "c_0": one.c_0,
        "y": one.y,
        "cubed": np.asarray(one.strength) ** 3,
        "along": np.ascontiguousarray(inputs.data.along.T),
        "gamma": np.array(inputs.gammas)[:, None],
        "weights": weights,
    }


def _step(xp: Any, given: Any, root: float, eta: float, state: Any, w: Any, sigmoid: Any) -> tuple[Any, Any]:
    """One step of every momentum; one patch a sample. Of any library that has these functions under these names."""
    B, b, average_B, average_b = state
    K, y, cubed, gamma = given["K"], given["y"], given["cubed"], given["gamma"]
    Xi, c = given["Xi_0"] + B @ K, given["c_0"] + b
    squares = Xi * Xi
    margins = y * (squares * Xi).sum(1) + cubed * (c * c * c).sum(-1)[:, None]
    ell = sigmoid(-margins)
    u = xp.stack([3 * ell * cubed * (c * c).sum(-1)[:, None], 3 * y * ell * (squares * given["along"]).sum(1)])
    mean = u.mean(-1)
    apart = u - mean[..., None]
    noise = ((u * w).sum(-1) - mean) / (xp.sqrt((apart * apart).mean(-1)) * root)
    pull = -3 * w * ell
    average_b = gamma * average_b + (1 - gamma) * (c * c * (pull * cubed).sum(-1)[:, None])
    average_B = gamma[..., None] * average_B + (1 - gamma[..., None]) * (squares * (pull * y)[:, None, :])
    return (B - eta * average_B, b - eta * average_b, average_B, average_b), noise


def _shapes(inputs: Inputs) -> tuple[tuple[int, ...], ...]:
    A, (m, n) = len(inputs.gammas), inputs.data.projection.Xi_0.shape
    return (A, m, n), (A, m), (A, m, n), (A, m)


def _torch(inputs: Inputs) -> Run:
    import torch

    given = {name: torch.tensor(x) for name, x in _given(inputs).items()}
    root = inputs.batches.shape[1] ** -0.5

    def step(state: Any, w: Any) -> Any:
        return _step(torch, given, root, inputs.eta, state, w, torch.sigmoid)

    def run(iterations: int) -> np.ndarray:
        state: Any = tuple(torch.zeros(shape, dtype=torch.float64) for shape in _shapes(inputs))
        seen = []
        with torch.inference_mode():
            for t in range(iterations):
                state, noise = step(state, given["weights"][t % BLOCK])
                seen.append(noise)
        return np.asarray(torch.stack(seen, -1).permute(1, 2, 0).numpy())

    return Run(run)


def _jax(inputs: Inputs, *, unroll: int) -> Run:
    import jax
    import jax.numpy as jnp

    root = inputs.batches.shape[1] ** -0.5
    with double():
        given = {name: jnp.asarray(x) for name, x in _given(inputs).items()}

    @jax.jit
    def steps(state: Any, weights: Any) -> Any:
        def one(state: Any, w: Any) -> Any:
            return _step(jnp, given, root, inputs.eta, state, w, jax.nn.sigmoid)

        return jax.lax.scan(one, state, weights, unroll=unroll)

    def run(iterations: int) -> np.ndarray:
        with double():
            state = tuple(jnp.zeros(shape) for shape in _shapes(inputs))
            parts = []
            for t in range(0, iterations, BLOCK):
                state, noise = steps(state, given["weights"][: min(BLOCK, iterations - t)])
                parts.append(np.asarray(noise).transpose(2, 0, 1))
            return np.concatenate(parts, axis=1)

    return Run(run)


EACH, UNROLLED = "a step of all momenta at a time", "the same, eight steps unrolled"
WAYS = (
    Way("NumPy reference", EACH, partial(_engine, kind=Arrays), _cost),
    Way("compiled", "sample by sample, Ξ moved by the batch's rows of K", partial(_engine, kind=Compiled), _cost),
    Way("PyTorch", EACH, _torch, _cost, "torch"),
    Way("JAX jit(scan)", EACH, partial(_jax, unroll=1), _cost, "jax"),
    Way("JAX jit(scan) (tuned)", UNROLLED, partial(_jax, unroll=8), _cost, "jax"),
)
WORKS = (Recorded(name="LM", at_least=1, iterations=1024, implementations=WAYS),)
