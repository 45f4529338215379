"""The row SI: replicas of momentum without its part along w, on noise orthogonal to w.

Every implementation reads the same noise, laid out as each likes it before anything is timed. A step of a replica is
five passes over its d weights and as many sums; this project's loop goes replica by replica, whose numbers stay in the
cache. Measured on one core, as a block of replicas is one task.
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
from lemmascope.sims.scale_invariant.loops import Compiled
from lemmascope.sims.scale_invariant.plan import Case
from lemmascope.sims.scale_invariant.runs import Arrays
from lemmascope.sims.seeds import streams
from lemmascope.theory.scale_invariant.losses import Noise

ROWS = {"SI": "replicas of SGDP on noise orthogonal to the weights"}

BLOCK = 64
"""Steps whose noise is given."""

ENDLESS = 2**40
"""A time at which something would be looked at: never."""


@dataclass(frozen=True)
class Inputs:
    """Where the weights start, (replicas, d), how they go on, and noise (BLOCK, replicas, d), taken again and again."""

    eta: float
    decay: float
    beta: float
    start: np.ndarray
    noise: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Replicas(Work):
    """What is compared are the weights at the end, (replicas, d, 1).

    Attributes:
        replicas, d: how many, and weights of each.
        eta, decay, beta: learning rate, weight decay and momentum.
    """

    replicas: int = 32
    d: int = 256
    eta: float = 0.1
    decay: float = 0.01
    beta: float = 0.9
    recorded: tuple[str, ...] = ("w",)

    @property
    def described(self) -> str:
        """Sizes."""
        return f"d = {self.d}; {self.replicas} replicas"

    def to_dict(self) -> dict[str, Any]:
        """Sizes and rates."""
        return {name: getattr(self, name) for name in ("replicas", "d", "eta", "decay", "beta")}

    def small(self) -> Replicas:
        """Fewer replicas."""
        return replace(self, replicas=3, d=16, iterations=40)

    def draw(self, root_seed: int = 0) -> Inputs:
        """Normal noise."""
        stream = streams(root_seed, "bench intrinsic_lr", 0)
        start = stream("start").standard_normal((self.replicas, self.d))
        start /= np.linalg.norm(start, axis=1, keepdims=True)
        noise = stream("noise").standard_normal((BLOCK, self.replicas, self.d))
        return Inputs(self.eta, self.decay, self.beta, start, noise)


def _cost(work: Replicas) -> Cost:
    """No product of matrices; the noise is read, w and v read and written."""
    numbers = 5.0 * work.replicas * work.d
    return Cost(0.0, 8 * numbers, 8 * numbers)


def _engine(inputs: Inputs, *, kind: Any) -> Run:
    noise = np.ascontiguousarray(inputs.noise.swapaxes(0, 1))
    case = Case(inputs.eta, inputs.decay, inputs.beta, projected=True)

    def run(iterations: int) -> np.ndarray:
        engine = kind(Noise(), [case], inputs.start[None], (ENDLESS,), np)
        in_blocks(iterations, BLOCK, lambda t, steps: engine.advance(t, noise[:, :steps]))
        return np.asarray(engine.w[0])[..., None]

    return Run(run)


def _torch(inputs: Inputs, *, in_place: bool) -> Run:
    import torch

    noise, eta, beta, a = torch.tensor(inputs.noise), inputs.eta, inputs.beta, 1 - inputs.eta * inputs.decay

    def dot(x: Any, y: Any) -> Any:
        return torch.linalg.vecdot(x, y).unsqueeze(-1)

    def step(w: Any, v: Any, xi: Any) -> tuple[Any, Any]:
        length = dot(w, w).sqrt()
        unit = w / length
        y = xi - unit * dot(unit, xi)
        y = y - unit * dot(unit, y)
        v = beta * v + y / dot(y, y).sqrt() / length
        return a * w - eta * (v - unit * dot(unit, v)), v

    def tuned(w: Any, v: Any, xi: Any) -> tuple[Any, Any]:
        length = dot(w, w).sqrt_()
        unit = w / length
        y = torch.addcmul(xi, unit, dot(unit, xi), value=-1)
        y.addcmul_(unit, dot(unit, y), value=-1)
        v.mul_(beta).addcdiv_(y, dot(y, y).sqrt_().mul_(length))
        w.mul_(a).sub_(v, alpha=eta).addcmul_(unit, dot(unit, v), value=eta)
        return w, v

    def run(iterations: int) -> np.ndarray:
        w = torch.tensor(inputs.start)
        v = torch.zeros_like(w)

        def block(_: int, steps: int) -> None:
            nonlocal w, v
            for t in range(steps):
                w, v = (tuned if in_place else step)(w, v, noise[t])

        with torch.inference_mode():
            in_blocks(iterations, BLOCK, block)
        return w.numpy()[..., None]

    return Run(run)


def _jax(inputs: Inputs, *, unroll: int) -> Run:
    import jax
    import jax.numpy as jnp

    eta, beta, a = inputs.eta, inputs.beta, 1 - inputs.eta * inputs.decay
    with double():
        noise = jnp.asarray(inputs.noise)

    def dot(x: Any, y: Any) -> Any:
        return jnp.sum(x * y, axis=-1, keepdims=True)

    def step(state: Any, xi: Any) -> Any:
        w, v = state
        length = jnp.sqrt(dot(w, w))
        unit = w / length
        y = xi - unit * dot(unit, xi)
        y = y - unit * dot(unit, y)
        v = beta * v + y / jnp.sqrt(dot(y, y)) / length
        return (a * w - eta * (v - unit * dot(unit, v)), v), None

    @jax.jit
    def steps(state: Any, xi: Any) -> Any:
        return jax.lax.scan(step, state, xi, unroll=unroll)[0]

    def run(iterations: int) -> np.ndarray:
        with double():
            w = jnp.asarray(inputs.start)
            state = (w, jnp.zeros_like(w))

            def block(_: int, count: int) -> None:
                nonlocal state
                state = steps(state, noise[:count])

            in_blocks(iterations, BLOCK, block)
            return np.asarray(state[0])[..., None]

    return Run(run)


EACH, IN_PLACE, UNROLLED = "a step of all replicas at a time", "the same, in place", "the same, eight steps unrolled"
WAYS = (
    Way("NumPy reference", EACH, partial(_engine, kind=Arrays), _cost),
    Way("compiled", "replica after replica, a block of steps each", partial(_engine, kind=Compiled), _cost),
    Way("PyTorch", EACH, partial(_torch, in_place=False), _cost, "torch"),
    Way("PyTorch (tuned)", IN_PLACE, partial(_torch, in_place=True), _cost, "torch"),
    Way("JAX jit(scan)", EACH, partial(_jax, unroll=1), _cost, "jax"),
    Way("JAX jit(scan) (tuned)", UNROLLED, partial(_jax, unroll=8), _cost, "jax"),
)
WORKS = (Replicas(name="SI", at_least=1, iterations=256, implementations=WAYS),)
