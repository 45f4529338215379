"""The row of the study `stability_gap`: coupled runs of SGD with momentum on data that differ in one sample.

One thread of this project's, as in the study, whose seeds share the cores. It looks the sample of a step up as it needs
it, and computes nothing where that is flat; the others are given the targets of all steps laid out.
"""

from __future__ import annotations

__all__ = ["ROWS", "WORKS", "Pairs"]

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from lemmascope.benchmarks.blocks import in_blocks
from lemmascope.benchmarks.libraries import double
from lemmascope.benchmarks.protocol import Cost, Run, Way, Work
from lemmascope.sims.seeds import streams
from lemmascope.sims.stability.coupled import Arrays, Case, Compiled, Plan, laid_out

ROWS = {"SG": "coupled runs of SGD with momentum on neighbouring data"}

BLOCK = 1024
"""Steps whose indices are given."""


@dataclass(frozen=True)
class Inputs:
    """Step size and momentum, the samples, targets (copies, n), and indices (copies, BLOCK), taken again and again."""

    eta: float
    gamma: float
    plan: Plan
    z: np.ndarray
    index: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Pairs(Work):
    """What is compared are both runs' parameters at the end, (copies, 2), on h log cosh below the edge.

    Attributes:
        copies: how many pairs.
        n: samples, a fifth of them curved.
        eta, gamma: step size and momentum, velocity form.
    """

    copies: int = 200
    n: int = 80
    eta: float = 0.1
    gamma: float = 0.9
    recorded: tuple[str, ...] = ("w", "neighbour")

    @property
    def described(self) -> str:
        """Sizes."""
        return f"{self.copies} pairs, n = {self.n}"

    def to_dict(self) -> dict[str, Any]:
        """Sizes and rates."""
        return {name: getattr(self, name) for name in ("copies", "n", "eta", "gamma")}

    def small(self) -> Pairs:
        """Fewer pairs."""
        return replace(self, copies=3, iterations=40)

    def draw(self, root_seed: int = 0) -> Inputs:
        """Normal targets, indices with replacement."""
        rng = streams(root_seed, "bench stability_gap", 0)("pairs")
        z = rng.standard_normal((self.copies, self.n))
        index = rng.integers(0, self.n, (self.copies, BLOCK), dtype=np.uint16)
        plan = Plan("log cosh", self.n, self.n // 5, (2**40,), burn_in=2**40 - 1)
        return Inputs(self.eta, self.gamma, plan, z, index)


def _cost(work: Pairs) -> Cost:
    """No product of matrices; index and target are read, four numbers of a pair read and written."""
    return Cost(0.0, work.copies * (2 + 8 + 8 * 8.0), work.copies * (8.0 * work.n + 8 * 4))


def _engine(inputs: Inputs, *, kind: Any) -> Run:
    engine, case = kind(inputs.plan, inputs.z, inputs.index, np), Case(inputs.eta, inputs.gamma)

    def run(iterations: int) -> np.ndarray:
        state = engine.start()

        def block(first: int, steps: int) -> None:
            nonlocal state
            state = engine.advance(case, state, first, steps)

        in_blocks(iterations, BLOCK, block)
        return np.stack([state[0][0], state[0][2]], axis=-1)

    return Run(run)


def _torch(inputs: Inputs, *, in_place: bool) -> Run:
    import torch

    seen, other, h = (torch.tensor(x) for x in laid_out(inputs.plan, inputs.z, inputs.index))
    targets, pulls, gamma = torch.stack([seen, other], 1), (inputs.eta * h)[:, None], inputs.gamma

    def run(iterations: int) -> np.ndarray:
        w, v = torch.zeros_like(targets[0]), torch.zeros_like(targets[0])

        def block(_: int, steps: int) -> None:
            nonlocal w, v
            for t in range(steps):
                if in_place:
                    v.mul_(gamma).addcmul_(pulls[t], torch.sub(w, targets[t]).tanh_(), value=-1)
                    w.add_(v)
                else:
                    v = gamma * v - pulls[t] * torch.tanh(w - targets[t])
                    w = w + v

        with torch.inference_mode():
            in_blocks(iterations, BLOCK, block)
        return w.T.numpy().copy()

    return Run(run)


def _jax(inputs: Inputs, *, unroll: int) -> Run:
    import jax
    import jax.numpy as jnp

    seen, other, h = laid_out(inputs.plan, inputs.z, inputs.index)
    with double():
        targets, pulls = jnp.asarray(np.stack([seen, other], 1)), jnp.asarray((inputs.eta * h)[:, None])

    def step(state: Any, given: Any) -> Any:
        (w, v), (target, pull) = state, given
        v = inputs.gamma * v - pull * jnp.tanh(w - target)
        return (w + v, v), None

    @jax.jit
    def steps(state: Any, given: Any) -> Any:
        return jax.lax.scan(step, state, given, unroll=unroll)[0]

    def run(iterations: int) -> np.ndarray:
        with double():
            state = (jnp.zeros_like(targets[0]), jnp.zeros_like(targets[0]))

            def block(_: int, count: int) -> None:
                nonlocal state
                state = steps(state, (targets[:count], pulls[:count]))

            in_blocks(iterations, BLOCK, block)
            return np.asarray(state[0]).T

    return Run(run)


EACH, IN_PLACE, UNROLLED = "a step of all pairs at a time", "the same, in place", "the same, eight steps unrolled"
WAYS = (
    Way("NumPy reference", EACH, partial(_engine, kind=Arrays), _cost),
    Way("compiled", "pair by pair, flat samples skipped", partial(_engine, kind=Compiled), _cost),
    Way("PyTorch", EACH, partial(_torch, in_place=False), _cost, "torch"),
    Way("PyTorch (tuned)", IN_PLACE, partial(_torch, in_place=True), _cost, "torch"),
    Way("JAX jit(scan)", EACH, partial(_jax, unroll=1), _cost, "jax"),
    Way("JAX jit(scan) (tuned)", UNROLLED, partial(_jax, unroll=8), _cost, "jax"),
)
WORKS = (Pairs(name="SG", at_least=1, iterations=1024, implementations=WAYS),)
