"""The row of the study `adamomentum`: copies of AdaMomentum on a noisy quadratic, each beside its companion.

One thread of this project's, as in the study, whose seeds share the cores. The copies are at t → ∞, where bias
corrections are 1 and v starts at its limit, which no library's optimizer does: all write the step.
"""

from __future__ import annotations

__all__ = ["ROWS", "WORKS", "Copies"]

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lemmascope.benchmarks.blocks import CopiesWork, in_blocks, jax_copies, torch_copies
from lemmascope.benchmarks.protocol import Cost, Run, Way
from lemmascope.sims.noise.adamomentum import Arrays, Case
from lemmascope.sims.noise.adamomentum_loops import Compiled
from lemmascope.sims.seeds import streams

ROWS = {"M": "copies of AdaMomentum beside their companions"}

BLOCK = 512
"""Steps whose noise is given."""

ENDS = (0, 3)
"""Which of the state are compared: x and its companion."""


def _case(eta: float) -> Case:
    return Case(True, 0.9, 0.9999, h=1.0, eta=eta)


@dataclass(frozen=True)
class Inputs:
    """The learning rate, x and m at first (2, copies), and noise (BLOCK, copies), taken again and again."""

    eta: float
    start: np.ndarray
    noise: np.ndarray

    @property
    def case(self) -> Case:
        """For this project's loops."""
        return _case(self.eta)

    @property
    def numbers(self) -> tuple[float, float, float, float]:
        """η, β₁, β₂ and √V."""
        return self.case.eta, self.case.beta1, self.case.beta2, self.case.V**0.5

    @property
    def first(self) -> tuple[Any, ...]:
        """x, m, v, y, and the companion's m, at first."""
        x, m = self.start
        return x, m, np.full_like(x, self.case.V), x, m


@dataclass(frozen=True, kw_only=True)
class Copies(CopiesWork):
    """h = s = 1; β₁ = 0.9, β₂ = 0.9999."""

    eta: float = 0.03
    recorded: tuple[str, ...] = ("x", "companion")

    def draw(self, root_seed: int = 0) -> Inputs:
        """Normal noise."""
        rng = streams(root_seed, "bench adamomentum", 0)
        start = np.array(_case(self.eta).drawn(rng("start").standard_normal((2, self.copies))))
        return Inputs(self.eta, start, rng("noise").standard_normal((BLOCK, self.copies)))


def _cost(work: Copies) -> Cost:
    """No product of matrices; the noise is read, five numbers of a copy read and written."""
    return Cost(0.0, 8 * 6.0 * work.copies, 8 * 5.0 * work.copies)


def _engine(inputs: Inputs, *, kind: Any) -> Run:
    out = np.zeros((1, 3))

    def run(iterations: int) -> np.ndarray:
        engine = kind([inputs.case], inputs.start[None], np)
        in_blocks(iterations, BLOCK, lambda t, steps: engine.advance(inputs.noise[:steps], 0, out))
        return np.stack([engine.x[0], engine.y[0]], axis=-1)

    return Run(run)


def _step(numbers: tuple[float, ...], state: Any, noise: Any) -> Any:
    """AdaMomentum and its companion, on arrays of a library."""
    eta, b1, b2, root = numbers
    x, m, v, y, n = state
    m, n = b1 * m + (1 - b1) * (x + noise), b1 * n + (1 - b1) * (y + noise)
    v = b2 * v + (1 - b2) * (m * m)
    return x - eta * (m / v**0.5), m, v, y - eta / root * n, n


def _torch(inputs: Inputs, *, in_place: bool) -> Run:
    eta, b1, b2, root = inputs.numbers

    def written(state: Any, xi: Any) -> Any:
        x, m, v, y, n = state
        m.lerp_(x + xi, 1 - b1)
        n.lerp_(y + xi, 1 - b1)
        v.mul_(b2).addcmul_(m, m, value=1 - b2)
        x.addcdiv_(m, v.sqrt(), value=-eta)
        y.add_(n, alpha=-eta / root)
        return state

    return torch_copies(inputs.noise, inputs.first, written if in_place else partial(_step, inputs.numbers), ENDS)


def _jax(inputs: Inputs, *, unroll: int) -> Run:
    return jax_copies(inputs.noise, inputs.first, partial(_step, inputs.numbers), ENDS, unroll)


EACH, IN_PLACE, UNROLLED = "a step of all copies at a time", "the same, in place", "the same, eight steps unrolled"
WAYS = (
    Way("NumPy reference", EACH, partial(_engine, kind=Arrays), _cost),
    Way("compiled", "all copies a step, one loop", partial(_engine, kind=Compiled), _cost),
    Way("PyTorch", EACH, partial(_torch, in_place=False), _cost, "torch"),
    Way("PyTorch (tuned)", IN_PLACE, partial(_torch, in_place=True), _cost, "torch"),
    Way("JAX jit(scan)", EACH, partial(_jax, unroll=1), _cost, "jax"),
    Way("JAX jit(scan) (tuned)", UNROLLED, partial(_jax, unroll=8), _cost, "jax"),
)
WORKS = (Copies(name="M", at_least=1, iterations=1024, implementations=WAYS),)
