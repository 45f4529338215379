"""The row of the study `adam_sde`: copies of Adam on one noisy coordinate, each beside its companion.

One thread of this project's, as in the study, whose seeds share the cores. Adam is without bias correction and takes
the old v, which no library has: all write its step.
"""

from __future__ import annotations

__all__ = ["ROWS", "WORKS", "Copies"]

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lemmascope.benchmarks.blocks import CopiesWork, in_blocks, jax_copies, torch_copies
from lemmascope.benchmarks.protocol import Cost, Run, Way
from lemmascope.sims.noise.adam_sde import Arrays, Case, Compiled
from lemmascope.sims.seeds import streams
from lemmascope.theory.noise.adam_sde import Rates

ROWS = {"R": "copies of Adam beside their companions"}

BLOCK = 512
"""Steps whose noise is given."""

ENDS = (0, 3)
"""Which of the state are compared: θ and its companion."""

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

    @property
    def first(self) -> tuple[np.ndarray, ...]:
        """θ, m, v, and the companion's θ, m and v, at first."""
        return tuple(np.full(self.noise.shape[1:], one) for one in (self.theta, 0.0, 0.0, self.theta, 0.0, 0.0))


@dataclass(frozen=True, kw_only=True)
class Copies(CopiesWork):
    """1 − β₁ is 2η, 1 − β₂ is η, ε is 1."""

    eta: float = 2.0**-8
    recorded: tuple[str, ...] = ("theta", "companion")

    def draw(self, root_seed: int = 0) -> Inputs:
        """Normal noise."""
        noise = streams(root_seed, "bench adam_sde", 0)("noise").standard_normal((BLOCK, self.copies))
        return Inputs(self.eta, 2 * self.eta, self.eta, 1.0, self.eta / 2, 0.1, noise)


def _cost(work: Copies) -> Cost:
    """No product of matrices; the noise is read, six numbers of a copy read and written."""
    return Cost(0.0, 8 * 7.0 * work.copies, 8 * 6.0 * work.copies)


def _engine(inputs: Inputs, *, kind: Any) -> Run:
    rates, out = np.full((1, BLOCK), inputs.companion), np.empty((1, 1, 3))

    def run(iterations: int) -> np.ndarray:
        engine = kind([inputs.case], inputs.noise.shape[1], np)
        in_blocks(iterations, BLOCK, lambda t, steps: engine.advance(rates, inputs.noise[:steps], 1.0, 0, ENDLESS, out))
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

    return torch_copies(inputs.noise, inputs.first, written if in_place else partial(_step, inputs), ENDS)


def _jax(inputs: Inputs, *, unroll: int) -> Run:
    return jax_copies(inputs.noise, inputs.first, partial(_step, inputs), ENDS, unroll)


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
