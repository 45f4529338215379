"""The row of the study `adam_sde`: copies of Adam on one noisy coordinate, each beside its companion.

One thread of this project's, as in the study, whose seeds share the cores. Adam is without bias correction and takes
the old v, which no library has: all write its step.
"""

from __future__ import annotations

__all__ = ["ROWS", "WORKS", "Copies"]

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from lemmascope.benchmarks.libraries import double
from lemmascope.benchmarks.protocol import Cost, Run, Way, Work
from lemmascope.sims.noise.adam_sde import Arrays, Case, Compiled
from lemmascope.sims.seeds import streams
from lemmascope.theory.noise.adam_sde import Rates

ROWS = {"R": "copies of Adam beside their companions"}

BLOCK = 512
"""Steps whose noise is given."""

ENDLESS = 2**40
"""A step at which something would be written down: never."""


@dataclass(frozen=True)
class Inputs:
    """Rates, the companion's η/(√v + ε), where all start, and noise (BLOCK, copies), taken again and again."""

    eta: float
    damping1: float
    damping2: float
    epsilon: float
    companion: float
    theta: float
    noise: np.ndarray

    @property
    def case(self) -> Case:
        """For this project's loops."""
        return Case(Rates(self.eta, self.damping1, self.damping2, self.epsilon), self.theta)


@dataclass(frozen=True, kw_only=True)
class Copies(Work):
    """What is compared are the copies' θ, and their companions', at the end, (copies, 2).

    Attributes:
        copies: how many.
        eta: learning rate; 1 − β₁ is 2η, 1 − β₂ is η, ε is 1.
    """

    copies: int = 1500
    eta: float = 2.0**-8
    recorded: tuple[str, ...] = ("theta", "companion")

    @property
    def described(self) -> str:
        """Sizes."""
        return f"{self.copies} copies"

    def to_dict(self) -> dict[str, Any]:
        """Sizes and rates."""
        return {name: getattr(self, name) for name in ("copies", "eta")}

    def small(self) -> Copies:
        """Fewer copies."""
        return replace(self, copies=5, iterations=40)

    def draw(self, root_seed: int = 0) -> Inputs:
        """Normal noise."""
        noise = streams(root_seed, "bench adam_sde", 0)("noise").standard_normal((BLOCK, self.copies))
        return Inputs(self.eta, 2 * self.eta, self.eta, 1.0, self.eta / 2, 0.1, noise)


def _cost(work: Copies) -> Cost:
    """No product of matrices; the noise is read, six numbers of a copy read and written."""
    return Cost(0.0, 8 * 7.0 * work.copies, 8 * 6.0 * work.copies)


def _in_blocks(iterations: int, advance: Callable[[int], None]) -> None:
    """Call a function of the length of a block of steps."""
    for t in range(0, iterations, BLOCK):
        advance(min(BLOCK, iterations - t))


def _engine(inputs: Inputs, *, kind: Any) -> Run:
    rates, out = np.full((1, BLOCK), inputs.companion), np.empty((1, 1, 3))

    def run(iterations: int) -> np.ndarray:
        engine = kind([inputs.case], inputs.noise.shape[1], np)
        _in_blocks(iterations, lambda steps: engine.advance(rates, inputs.noise[:steps], 1.0, 0, ENDLESS, out))
        pair = (engine.x[0], engine.y[0]) if kind is Arrays else (engine.state[0, 0], engine.state[0, 3])
        return np.stack(pair, axis=-1)

    return Run(run)


def _step(inputs: Inputs, state: Any, noise: Any) -> Any:
    """Adam and its companion, on arrays of a library."""
    x, m, v, y, p, u = state
    b1, b2 = 1 - inputs.damping1, 1 - inputs.damping2
    g, h = x + noise, y + noise
    m, p = b1 * m + inputs.damping1 * g, b1 * p + inputs.damping1 * h
    x, y = x - inputs.eta * (m / (v**0.5 + inputs.epsilon)), y - inputs.companion * p
    return x, m, b2 * v + inputs.damping2 * (g * g), y, p, b2 * u + inputs.damping2 * (h * h)


def _torch(inputs: Inputs, *, in_place: bool) -> Run:
    import torch

    noise = torch.tensor(inputs.noise)
    c1, c2 = inputs.damping1, inputs.damping2

    def written(state: Any, xi: Any) -> Any:
        x, m, v, y, p, u = state
        g, h = x + xi, y + xi
        m.lerp_(g, c1)
        p.lerp_(h, c1)
        x.addcdiv_(m, v.sqrt().add_(inputs.epsilon), value=-inputs.eta)
        y.add_(p, alpha=-inputs.companion)
        v.mul_(1 - c2).addcmul_(g, g, value=c2)
        u.mul_(1 - c2).addcmul_(h, h, value=c2)
        return state

    def run(iterations: int) -> np.ndarray:
        start = (inputs.theta, 0.0, 0.0, inputs.theta, 0.0, 0.0)
        state: Any = tuple(torch.full(noise.shape[1:], one, dtype=torch.float64) for one in start)

        def block(steps: int) -> None:
            nonlocal state
            for t in range(steps):
                state = written(state, noise[t]) if in_place else _step(inputs, state, noise[t])

        with torch.inference_mode():
            _in_blocks(iterations, block)
        return torch.stack([state[0], state[3]], -1).numpy()

    return Run(run)


def _jax(inputs: Inputs, *, unroll: int) -> Run:
    import jax
    import jax.numpy as jnp

    with double():
        noise = jnp.asarray(inputs.noise)

    @jax.jit
    def steps(state: Any, xi: Any) -> Any:
        return jax.lax.scan(lambda s, one: (_step(inputs, s, one), None), state, xi, unroll=unroll)[0]

    def run(iterations: int) -> np.ndarray:
        with double():
            start = (inputs.theta, 0.0, 0.0, inputs.theta, 0.0, 0.0)
            state = tuple(jnp.full(noise.shape[1:], one) for one in start)

            def block(count: int) -> None:
                nonlocal state
                state = steps(state, noise[:count])

            _in_blocks(iterations, block)
            return np.stack([np.asarray(state[0]), np.asarray(state[3])], axis=-1)

    return Run(run)


EACH, IN_PLACE, UNROLLED = "a step of all copies at a time", "the same, in place", "the same, eight steps unrolled"
WAYS = (
    Way("NumPy reference", EACH, partial(_engine, kind=Arrays), _cost),
    Way("compiled", "all copies a step, one loop", partial(_engine, kind=Compiled), _cost),
    Way("PyTorch", EACH, partial(_torch, in_place=False), _cost, "torch"),
    Way("PyTorch (tuned)", IN_PLACE, partial(_torch, in_place=True), _cost, "torch"),
    Way("JAX jit(scan)", EACH, partial(_jax, unroll=1), _cost, "jax"),
    Way("JAX jit(scan) (tuned)", UNROLLED, partial(_jax, unroll=8), _cost, "jax"),
)
WORKS = (Copies(name="R", at_least=1, iterations=1024, implementations=WAYS),)
