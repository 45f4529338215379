"""The row of the study `temperature`: chains of SGD with momentum on a quadratic, the same minibatches for all.

One thread of this project's, as in the study, whose cells share the cores; it also turns uniform numbers into the
minibatches that the others are given.
"""

from __future__ import annotations

__all__ = ["ROWS", "WORKS", "Chains"]

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from lemmascope.benchmarks.libraries import double
from lemmascope.benchmarks.protocol import Cost, Run, Way, Work
from lemmascope.sims.seeds import streams
from lemmascope.sims.temperature.chains import BLOCK, Arrays
from lemmascope.sims.temperature.loops import Compiled
from lemmascope.sims.temperature.problems import Chain, Quadratic

ROWS = {"Q": "chains of minibatches on a quadratic"}

CURVATURES = (0.1, 1.0)


@dataclass(frozen=True)
class Inputs:
    """The problem, how its chains run, and minibatches: index (steps, chains, B), taken from the first again and again.

    ``uniform`` (chains, steps, B) are numbers whose minibatches these are.
    """

    problem: Quadratic
    chain: Chain
    index: np.ndarray
    uniform: np.ndarray

    @property
    def count(self) -> int:
        """How many chains."""
        return int(self.index.shape[1])


@dataclass(frozen=True, kw_only=True)
class Chains(Work):
    """What is compared is the loss of each chain before every step, (chains, iterations, 1).

    Attributes:
        chains: how many, at once.
        samples, width: N and d.
        B, mu, eta_0: batch size, momentum, and η₀ of η = (1 − μ)Bη₀.
    """

    chains: int = 24
    samples: int = 64
    width: int = 5
    B: int = 8
    mu: float = 0.9
    eta_0: float = 0.004
    recorded: tuple[str, ...] = ("loss",)

    @property
    def described(self) -> str:
        """Chains and sizes."""
        return f"d = {self.width}, N = {self.samples}, B = {self.B}, μ = {self.mu:g}; {self.chains} chains"

    def to_dict(self) -> dict[str, Any]:
        """Sizes and rates."""
        return {name: getattr(self, name) for name in ("chains", "samples", "width", "B", "mu", "eta_0")}

    def small(self) -> Chains:
        """Fewer chains."""
        return replace(self, chains=3, iterations=40)

    def draw(self, root_seed: int = 0) -> Inputs:
        """Centred normal ξ, and uniform indices with replacement."""
        rng = streams(root_seed, "bench temperature", 0)
        xi = rng("xi").standard_normal((self.samples, self.width))
        problem = Quadratic(np.geomspace(*CURVATURES, self.width), xi - xi.mean(axis=0))
        chain = Chain((1 - self.mu) * self.B * self.eta_0, self.mu, self.B, "with replacement", 0, 1, 1)
        index = rng("minibatches").integers(0, self.samples, (BLOCK, self.chains, self.B))
        uniform = np.ascontiguousarray((index.swapaxes(0, 1) + 0.5) / self.samples)  # chain by chain, as it is drawn
        return Inputs(problem, chain, index, uniform)


def _cost(work: Chains) -> Cost:
    """No product of matrices; indices and samples are read, e and v read and written."""
    numbers = work.chains * (work.B * (1 + work.width) + 4.0 * work.width)
    return Cost(0.0, 8 * numbers, 8 * numbers)


def _in_blocks(iterations: int, block: Callable[[int, int], np.ndarray]) -> np.ndarray:
    """(chains, iterations, 1), from a function of where a block of steps starts and of its length."""
    starts = range(0, iterations, BLOCK)
    return np.concatenate([block(t, min(BLOCK, iterations - t)) for t in starts], axis=1)[:, :, None]


def _engine(inputs: Inputs, *, kind: Any) -> Run:
    def run(iterations: int) -> np.ndarray:
        engine = kind(inputs.problem, inputs.chain, inputs.count, np)
        return _in_blocks(iterations, lambda t, steps: engine.advance(t, inputs.uniform[:, :steps]))

    return Run(run)


def _torch(inputs: Inputs, *, first: bool) -> Run:
    import torch

    h, xi, index = (torch.tensor(x) for x in (inputs.problem.h, inputs.problem.xi, inputs.index))
    eta, mu = inputs.chain.eta, inputs.chain.mu

    def run(iterations: int) -> np.ndarray:
        e = torch.zeros(inputs.count, h.numel(), dtype=torch.float64)
        v = torch.zeros_like(e)

        def block(_: int, steps: int) -> np.ndarray:
            seen, noise = [], xi[index[:steps]].mean(2) if first else None
            for t in range(steps):
                pull = h * e
                seen.append((pull * e).sum(-1))
                v.mul_(mu).add_(pull + (xi[index[t]].mean(1) if noise is None else noise[t]), alpha=eta)
                e.sub_(v)
            return (torch.stack(seen, 1) / 2).numpy()

        with torch.inference_mode():
            return _in_blocks(iterations, block)

    return Run(run)


def _jax(inputs: Inputs, *, first: bool) -> Run:
    import jax
    import jax.numpy as jnp

    eta, mu = inputs.chain.eta, inputs.chain.mu
    with double():
        h, xi, index = (jnp.asarray(x) for x in (inputs.problem.h, inputs.problem.xi, inputs.index))

    @jax.jit
    def advance(state: Any, index: Any) -> Any:
        def step(state: Any, given: Any) -> Any:
            e, v = state
            v = mu * v + eta * (h * e + (given if first else xi[given].mean(1)))
            return (e - v, v), (h * e * e).sum(-1) / 2

        return jax.lax.scan(step, state, xi[index].mean(2) if first else index)

    def run(iterations: int) -> np.ndarray:
        with double():
            state = (jnp.zeros((inputs.count, h.size)),) * 2

            def block(_: int, steps: int) -> np.ndarray:
                nonlocal state
                state, seen = advance(state, index[:steps])
                return np.asarray(seen).T

            return _in_blocks(iterations, block)

    return Run(run)


EACH, FIRST = "a minibatch's mean a step", "minibatches' means of a block of steps first"
WAYS = (
    Way("NumPy reference", EACH, partial(_engine, kind=Arrays), _cost),
    Way("compiled", EACH, partial(_engine, kind=Compiled), _cost),
    Way("PyTorch", EACH, partial(_torch, first=False), _cost, "torch"),
    Way("PyTorch (tuned)", FIRST, partial(_torch, first=True), _cost, "torch"),
    Way("JAX jit(scan)", EACH, partial(_jax, first=False), _cost, "jax"),
    Way("JAX jit(scan) (tuned)", FIRST, partial(_jax, first=True), _cost, "jax"),
)
WORKS = (Chains(name="Q", at_least=2, iterations=1000, implementations=WAYS),)
