"""Training of a network as it is written in PyTorch and in JAX: a loss, its gradient, and momentum in the average form.

g ← γg + (1 − γ)∇L, θ ← θ − ηg, with g = 0 at the start, as this project's own loops have it. A result is all parameters
in one column, in the order of their names at the start.
"""

from __future__ import annotations

__all__ = ["PARAMETERS", "column", "in_jax", "in_torch"]

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lemmascope.benchmarks.libraries import Loop, double, fastest, on_threads
from lemmascope.benchmarks.protocol import Run

PARAMETERS = ("parameters",)
"""What such a work records; `column`."""

Start = Mapping[str, np.ndarray]
Loss = Callable[[Any, Any], Any]
"""(parameters by name, number of the step) ↦ the loss that this step descends."""

Seen = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


def column(theta: Mapping[str, Any]) -> np.ndarray:
    """All parameters, (n, 1)."""
    return np.concatenate([np.asarray(x, dtype=np.float64).reshape(-1) for x in theta.values()])[:, None]


def in_torch(start: Start, loss: Loss, eta: float, gamma: float, seen: Seen = dict) -> Run:
    """On one thread or on the library's number, as a short measurement prefers.

    Args:
        start, loss, eta, gamma: what is descended, and how.
        seen: from the parameters at the end to those that are compared, where the library has others.
    """
    import torch

    def on(threads: int) -> Loop:
        def run(iterations: int) -> np.ndarray:
            with on_threads(threads):
                theta = {name: torch.tensor(x, requires_grad=True) for name, x in start.items()}
                average = {name: torch.zeros_like(x) for name, x in theta.items()}
                for t in range(iterations):
                    loss(theta, t).backward()
                    with torch.no_grad():
                        for name, x in theta.items():
                            average[name].lerp_(x.grad, 1 - gamma)
                            x.sub_(average[name], alpha=eta)
                            x.grad = None
                return column(seen({name: x.detach().numpy() for name, x in theta.items()}))

        return run

    default = torch.get_num_threads()
    variants = {f"{n} thread{'s' if n > 1 else ''}": on(n) for n in sorted({1, default})}
    best = fastest(variants)
    return Run(variants[best], best)


def in_jax(start: Start, loss: Loss, eta: float, gamma: float) -> Run:
    """One compiled loop over the steps."""
    import jax

    def descend(theta: Any, iterations: Any) -> Any:
        def step(t: Any, state: tuple[Any, Any]) -> tuple[Any, Any]:
            theta, average = state
            average = jax.tree.map(lambda g, new: gamma * g + (1 - gamma) * new, average, jax.grad(loss)(theta, t))
            return jax.tree.map(lambda x, g: x - eta * g, theta, average), average

        return jax.lax.fori_loop(0, iterations, step, (theta, jax.tree.map(jax.numpy.zeros_like, theta)))[0]

    jitted = jax.jit(descend)
    with double():
        theta = jax.tree.map(jax.numpy.asarray, dict(start))

    def run(iterations: int) -> np.ndarray:
        with double():
            found = jitted(theta, iterations)
            return column({name: found[name] for name in start})

    return Run(run)
