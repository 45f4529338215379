"""The row of the study `marginal_value`: replicas along a valley with label noise, the same labels for all.

One thread of this project's, as in the study, whose seeds share the cores.
"""

from __future__ import annotations

__all__ = ["ROWS", "WORKS", "Replicas"]

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from lemmascope.benchmarks.libraries import double
from lemmascope.benchmarks.protocol import Cost, Run, Way, Work
from lemmascope.sims.noise.loops import Compiled
from lemmascope.sims.noise.replicas import Arrays
from lemmascope.sims.seeds import streams
from lemmascope.theory.noise.valley import Line

ROWS = {"V": "replicas along a valley with label noise"}

BLOCK = 512
"""Steps whose labels are drawn; they are taken from the first again and again."""


@dataclass(frozen=True)
class Inputs:
    """Rates of the average form; labels ±1 (replicas, BLOCK, 2)."""

    eta: float
    beta: float
    labels: np.ndarray

    @property
    def rules(self) -> tuple[tuple[float, float], ...]:
        """(η, β): SGD, SGD with momentum, and that at η(1−β)."""
        return (self.eta, 0.0), (self.eta, self.beta), (self.eta * (1 - self.beta), self.beta)

    def blocks(self, iterations: int) -> Iterator[tuple[int, int]]:
        """Start and length of each block of steps."""
        for start in range(0, iterations, self.labels.shape[1]):
            yield start, min(self.labels.shape[1], iterations - start)


@dataclass(frozen=True, kw_only=True)
class Replicas(Work):
    """What is compared is where each replica of each rule is in the end, (rules · replicas, 1).

    Attributes:
        replicas: how many, at once.
        eta, beta: rates, of which `Inputs.rules` makes three rules.
    """

    replicas: int = 2000
    eta: float = 0.05
    beta: float = 0.9
    recorded: tuple[str, ...] = ("x",)

    @property
    def described(self) -> str:
        """Rules and replicas."""
        return f"η = {self.eta:g}, β = {self.beta:g}; 3 rules, {self.replicas} replicas"

    def to_dict(self) -> dict[str, Any]:
        """Sizes and rates."""
        return {name: getattr(self, name) for name in ("replicas", "eta", "beta")}

    def small(self) -> Replicas:
        """Fewer replicas."""
        return replace(self, replicas=5, iterations=40)

    def draw(self, root_seed: int = 0) -> Inputs:
        """Uniform signs."""
        rng = streams(root_seed, "bench marginal_value", 0)("labels")
        labels = rng.integers(0, 2, (self.replicas, BLOCK, 2), dtype=np.int8) * np.int8(2) - np.int8(1)
        return Inputs(self.eta, self.beta, labels)


def _cost(work: Replicas) -> Cost:
    """No product of matrices; labels are read, x, y and both buffers of each rule read and written."""
    numbers = work.replicas * (2 + 3 * 8.0)
    return Cost(0.0, 8 * numbers, 8 * numbers)


def _engine(inputs: Inputs, *, kind: Any) -> Run:
    def run(iterations: int) -> np.ndarray:
        count = inputs.labels.shape[0]
        engine, out = kind(Line(), inputs.rules, 1.0, count, np), np.empty((len(inputs.rules), count, 1))
        for start, steps in inputs.blocks(iterations):
            engine.advance(inputs.labels[:, :steps], start, iterations, out)
        return out.reshape(-1, 1)

    return Run(run)


def _torch(inputs: Inputs, *, apart: bool) -> Run:
    import torch

    eta, beta = (torch.tensor(x, dtype=torch.float64)[:, None] for x in zip(*inputs.rules, strict=True))
    labels = torch.tensor(inputs.labels.transpose(1, 2, 0).astype(np.float64))
    shape = len(inputs.rules), inputs.labels.shape[0]

    def run(iterations: int) -> np.ndarray:
        with torch.inference_mode():
            if apart:
                x, y = torch.ones(shape, dtype=torch.float64), torch.zeros(shape, dtype=torch.float64)
                V, p, room = (torch.zeros_like(x) for _ in range(3))
                for _, steps in inputs.blocks(iterations):
                    for xi, zeta in labels[:steps]:
                        miss = torch.mul(x, y, out=room).sub_(zeta)
                        V.mul_(beta).add_((1 - beta) * (y * miss))
                        p.mul_(beta).add_((1 - beta) * torch.addcmul(y - xi, x, miss))
                        x.addcmul_(eta, V, value=-1)
                        y.addcmul_(eta, p, value=-1)
                return x.reshape(-1, 1).numpy()
            w = torch.zeros((2, *shape), dtype=torch.float64)
            w[0] = 1
            m = torch.zeros_like(w)
            for _, steps in inputs.blocks(iterations):
                for xi, zeta in labels[:steps]:
                    x, y = w
                    miss = x * y - zeta
                    m = beta * m + (1 - beta) * torch.stack([y * miss, (y - xi) + x * miss])
                    w = w - eta * m
            return w[0].reshape(-1, 1).numpy()

    return Run(run)


def _jax(inputs: Inputs, *, apart: bool) -> Run:
    import jax
    import jax.numpy as jnp

    with double():
        eta, beta = (jnp.asarray(x)[:, None] for x in zip(*inputs.rules, strict=True))
        labels = jnp.asarray(inputs.labels.transpose(1, 2, 0).astype(np.float64))

    @jax.jit
    def advance(state: Any, labels: Any) -> Any:
        def step(state: Any, given: Any) -> Any:
            x, y, V, p = state
            miss = x * y - given[1]
            V = beta * V + (1 - beta) * (y * miss)
            p = beta * p + (1 - beta) * ((y - given[0]) + x * miss)
            return (x - eta * V, y - eta * p, V, p), None

        def stacked(state: Any, given: Any) -> Any:
            w, m = state
            x, y = w
            miss = x * y - given[1]
            m = beta * m + (1 - beta) * jnp.stack([y * miss, (y - given[0]) + x * miss])
            return (w - eta * m, m), None

        return jax.lax.scan(step if apart else stacked, state, labels)[0]

    def run(iterations: int) -> np.ndarray:
        with double():
            one = jnp.ones((len(inputs.rules), inputs.labels.shape[0]))
            zero = jnp.zeros_like(one)
            w = jnp.stack([one, zero])
            state: Any = (one, zero, zero, zero) if apart else (w, jnp.zeros_like(w))
            for _, steps in inputs.blocks(iterations):
                state = advance(state, labels[:steps])
            return np.asarray(state[0] if apart else state[0][0]).reshape(-1, 1)

    return Run(run)


TOGETHER, APART = "(x, y) as one array, as the optimizer takes it", "x, y and their buffers apart, in place"
WAYS = (
    Way("NumPy reference", TOGETHER, partial(_engine, kind=Arrays), _cost),
    Way("compiled", "replica after replica, x, y and buffers in registers", partial(_engine, kind=Compiled), _cost),
    Way("PyTorch", TOGETHER, partial(_torch, apart=False), _cost, "torch"),
    Way("PyTorch (tuned)", APART, partial(_torch, apart=True), _cost, "torch"),
    Way("JAX jit(scan)", TOGETHER, partial(_jax, apart=False), _cost, "jax"),
    Way("JAX jit(scan) (tuned)", "x, y and their buffers apart", partial(_jax, apart=True), _cost, "jax"),
)
WORKS = (Replicas(name="V", at_least=1, iterations=1000, implementations=WAYS),)
