"""The row of the study `flatter_faster`: exact moments along a valley with label noise, for many rules at once.

One thread of this project's, as in the study, whose learning rates share the cores.
"""

from __future__ import annotations

__all__ = ["ROWS", "WORKS", "Moments"]

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from lemmascope.benchmarks.libraries import double
from lemmascope.benchmarks.protocol import Cost, Run, Way, Work
from lemmascope.sims.noise.flatter_faster import settling
from lemmascope.sims.seeds import streams
from lemmascope.theory.noise.flatter_faster import scale

ROWS = {"Y": "exact moments along a valley with label noise"}

RANGE = 0.4, 1.6
"""Between which the C's of 1 − β = Cη^{2/3} are drawn, evenly in logarithms."""


@dataclass(frozen=True)
class Inputs:
    """Rates of the velocity form, (rules,) each."""

    eta: np.ndarray
    beta: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Moments(Work):
    """What is compared is Σ x_k² along the run of each rule, (rules, 1).

    Attributes:
        rules: how many, at once.
        eta: learning rate.
    """

    rules: int = 240
    eta: float = 1e-4
    recorded: tuple[str, ...] = ("squares",)

    @property
    def described(self) -> str:
        """The rate and how many rules."""
        return f"η = {self.eta:g}; {self.rules} values of β"

    def to_dict(self) -> dict[str, Any]:
        """Sizes and rates."""
        return {name: getattr(self, name) for name in ("rules", "eta")}

    def small(self) -> Moments:
        """Fewer rules, at a rate at which something happens soon."""
        return replace(self, rules=5, eta=0.01, iterations=200)

    def draw(self, root_seed: int = 0) -> Inputs:
        """Momenta."""
        logs = streams(root_seed, "bench flatter_faster", 0)("C").uniform(
            np.log(RANGE[0]), np.log(RANGE[1]), self.rules
        )
        return Inputs(np.full(self.rules, self.eta), 1 - np.exp(logs) * scale(self.eta, 1.0))


def _cost(work: Moments) -> Cost:
    """No product of matrices; five moments and a sum are read and written, two rates read."""
    numbers = work.rules * 14.0
    return Cost(0.0, 8 * numbers, 8 * numbers)


def _engine(inputs: Inputs, *, backend: str) -> Run:
    def run(iterations: int) -> np.ndarray:
        found = settling(
            inputs.eta, inputs.beta, s=1.0, q=1.0, x=1.0, levels=(0.1, 0.01), steps=iterations + 1, backend=backend
        )
        return found.squares[:, None]

    return Run(run)


def _next(x: Any, V: Any, Y: Any, C: Any, Q: Any, eta: Any, beta: Any) -> Any:
    """x, V, Y, C and Q after a step of the velocity form, s = q = 1."""
    h = 1 + x * x
    V = beta * V + eta * (x * Y)
    Q = beta * beta * Q + eta * h * (2 * beta * C + eta * (h * Y + 1))
    C = beta * C + eta * h * Y
    return x - V, V, Y - 2 * C + Q, C - Q, Q


def _torch(inputs: Inputs, *, compiled: bool) -> Run:
    import torch

    eta, beta = torch.tensor(inputs.eta), torch.tensor(inputs.beta)
    step: Any = torch.jit.trace(_next, (*(torch.ones_like(eta) for _ in range(5)), eta, beta)) if compiled else _next

    def run(iterations: int) -> np.ndarray:
        with torch.inference_mode():
            state: Any = (torch.ones_like(eta), *(torch.zeros_like(eta) for _ in range(4)))
            squares = torch.zeros_like(eta)
            for _ in range(iterations):
                state = step(*state, eta, beta)
                squares += state[0] * state[0]
            return squares[:, None].numpy()

    return Run(run)


def _jax(inputs: Inputs) -> Run:
    import jax
    import jax.numpy as jnp

    with double():
        eta, beta = jnp.asarray(inputs.eta), jnp.asarray(inputs.beta)

    @partial(jax.jit, static_argnums=0)
    def whole(iterations: int) -> Any:
        def step(state: Any, _: Any) -> Any:
            x, V, Y, C, Q, squares = state
            moved = _next(x, V, Y, C, Q, eta, beta)
            return (*moved, squares + moved[0] * moved[0]), None

        start = (jnp.ones_like(eta), *(jnp.zeros_like(eta) for _ in range(5)))
        return jax.lax.scan(step, start, None, iterations)[0][-1]

    def run(iterations: int) -> np.ndarray:
        with double():
            return np.asarray(whole(iterations))[:, None]

    return Run(run)


STEP = "five numbers a step"
WAYS = (
    Way("NumPy reference", STEP, partial(_engine, backend="numpy"), _cost),
    Way("compiled", STEP, partial(_engine, backend="auto"), _cost),
    Way("PyTorch", STEP, partial(_torch, compiled=False), _cost, "torch"),
    Way("PyTorch (traced)", STEP, partial(_torch, compiled=True), _cost, "torch"),
    Way("JAX jit(scan)", STEP, _jax, _cost, "jax"),
)
WORKS = (Moments(name="Y", at_least=2, iterations=1000, implementations=WAYS),)
