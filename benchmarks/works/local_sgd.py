"""The row of the study `local_sgd`: replicas of Local SGD on the valley uv = 1, the same label noise for all.

One thread of this project's, as in the study, whose blocks of replicas share the cores; it lays the noise out by
itself, replica by replica as it is drawn, which the others are given as they need it.
"""

from __future__ import annotations

__all__ = ["ROWS", "WORKS", "Replicas"]

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from lemmascope.benchmarks.blocks import in_blocks
from lemmascope.benchmarks.libraries import double
from lemmascope.benchmarks.protocol import Cost, Run, Way, Work
from lemmascope.sims.noise.local_sgd import Arrays, Plan
from lemmascope.sims.noise.local_sgd_loops import Compiled
from lemmascope.sims.seeds import streams
from lemmascope.theory.noise.valley import Curve

ROWS = {"L": "replicas of Local SGD along a valley"}

BLOCK = 1024
"""Steps whose noise is given; a whole number of rounds."""

ENDLESS = 2**40
"""A time at which something would be written down: never."""


@dataclass(frozen=True)
class Inputs:
    """Where all workers start, how they go on, and noise (BLOCK, replicas, K), taken from the first again and again."""

    eta: float
    s: float
    H: int
    start: tuple[float, float]
    noise: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Replicas(Work):
    """What is compared are the workers' parameters at the end, (replicas, K, 2).

    Attributes:
        replicas, K: how many, and workers of each.
        H: local steps between averages, a divisor of `BLOCK`.
        eta, s: learning rate and label noise.
    """

    replicas: int = 64
    K: int = 8
    H: int = 32
    eta: float = 0.01
    s: float = 0.5
    recorded: tuple[str, ...] = ("u", "v")

    @property
    def described(self) -> str:
        """Sizes."""
        return f"K = {self.K} workers, H = {self.H}; {self.replicas} replicas"

    def to_dict(self) -> dict[str, Any]:
        """Sizes and rates."""
        return {name: getattr(self, name) for name in ("replicas", "K", "H", "eta", "s")}

    def small(self) -> Replicas:
        """Fewer replicas."""
        return replace(self, replicas=3, H=16, iterations=40)

    def draw(self, root_seed: int = 0) -> Inputs:
        """Normal noise."""
        noise = streams(root_seed, "bench local_sgd", 0)("noise").standard_normal((BLOCK, self.replicas, self.K))
        return Inputs(self.eta, self.s, self.H, (1.8, 1 / 1.8), noise)


def _cost(work: Replicas) -> Cost:
    """No product of matrices; the noise is read, u and v read and written."""
    numbers = 5.0 * work.replicas * work.K
    return Cost(0.0, 8 * numbers, 8 * numbers)


def _engine(inputs: Inputs, *, kind: Any) -> Run:
    noise = np.ascontiguousarray(inputs.noise.swapaxes(0, 1))[..., None]
    replicas, _, K, _ = noise.shape
    plan = Plan(inputs.eta, K, (inputs.H,), (inputs.H * ENDLESS,))

    def run(iterations: int) -> np.ndarray:
        engine = kind(Curve(inputs.s), plan, np.array(inputs.start), replicas, np)
        in_blocks(iterations, BLOCK, lambda t, steps: engine.advance(t, noise[:, :steps]))
        return engine.w[0] if kind is Arrays else np.stack([engine.u[0].T, engine.v[0].T], axis=-1)

    return Run(run)


def _torch(inputs: Inputs, *, in_place: bool) -> Run:
    import torch

    noise, eta, H = torch.tensor(inputs.noise), inputs.eta, inputs.H
    labels = 1 + inputs.s * noise

    def step(u: Any, v: Any, y: Any) -> tuple[Any, Any]:
        if not in_place:
            r = u * v - y
            return u - eta * r * v, v - eta * r * u
        r = torch.addcmul(y, u, v, value=-1)
        after = torch.addcmul(u, r, v, value=eta)
        return after, v.addcmul_(r, u, value=eta)

    def run(iterations: int) -> np.ndarray:
        u, v = (torch.full(noise.shape[1:], x, dtype=torch.float64) for x in inputs.start)

        def block(start: int, steps: int) -> None:
            nonlocal u, v
            for t in range(steps):
                u, v = step(u, v, labels[t])
                if (start + t + 1) % H == 0:
                    u, v = (x.mean(1, keepdim=True).expand_as(x).clone() for x in (u, v))

        with torch.inference_mode():
            in_blocks(iterations, BLOCK, block)
        return torch.stack([u, v], -1).numpy()

    return Run(run)


def _jax(inputs: Inputs, *, unroll: int) -> Run:
    import jax
    import jax.numpy as jnp

    eta, H = inputs.eta, inputs.H
    with double():
        labels = jnp.asarray(1 + inputs.s * inputs.noise)

    def step(state: Any, y: Any) -> Any:
        u, v = state
        r = u * v - y
        return (u - eta * r * v, v - eta * r * u), None

    def averaged(state: Any) -> Any:
        return tuple(jnp.broadcast_to(x.mean(1, keepdims=True), x.shape) for x in state)

    @jax.jit
    def steps(state: Any, y: Any) -> Any:
        return jax.lax.scan(step, state, y, unroll=unroll)[0]

    @jax.jit
    def rounds(state: Any, y: Any) -> Any:
        y = y.reshape(-1, H, *y.shape[1:])
        return jax.lax.scan(lambda state, y: (averaged(steps(state, y)), None), state, y)[0]

    def run(iterations: int) -> np.ndarray:
        with double():
            state = tuple(jnp.full(labels.shape[1:], x) for x in inputs.start)

            def block(_: int, count: int) -> None:
                nonlocal state
                whole = count - count % H
                state = rounds(state, labels[:whole]) if whole else state
                state = steps(state, labels[whole:count]) if whole < count else state

            in_blocks(iterations, BLOCK, block)
            return np.stack([np.asarray(x) for x in state], axis=-1)

    return Run(run)


EACH, IN_PLACE, UNROLLED = "a step of all workers at a time", "the same, in place", "the same, eight steps unrolled"
WAYS = (
    Way("NumPy reference", EACH, partial(_engine, kind=Arrays), _cost),
    Way("compiled", "all workers of all replicas a step, one loop", partial(_engine, kind=Compiled), _cost),
    Way("PyTorch", EACH, partial(_torch, in_place=False), _cost, "torch"),
    Way("PyTorch (tuned)", IN_PLACE, partial(_torch, in_place=True), _cost, "torch"),
    Way("JAX jit(scan)", EACH, partial(_jax, unroll=1), _cost, "jax"),
    Way("JAX jit(scan) (tuned)", UNROLLED, partial(_jax, unroll=8), _cost, "jax"),
)
WORKS = (Replicas(name="L", at_least=1, iterations=1024, implementations=WAYS),)
