"""Steps a block at a time, for works whose noise is given for a block and taken again and again."""

from __future__ import annotations

__all__ = ["CopiesWork", "in_blocks", "jax_copies", "torch_copies"]

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from lemmascope.benchmarks.libraries import double
from lemmascope.benchmarks.protocol import Run, Work

Step = Callable[[Any, Any], Any]
"""A step of the state on one step's noise."""


def in_blocks(iterations: int, block: int, advance: Callable[[int, int], None]) -> None:
    """Call a function of where a block of steps starts and of its length."""
    for t in range(0, iterations, block):
        advance(t, min(block, iterations - t))


@dataclass(frozen=True, kw_only=True)
class CopiesWork(Work):
    """Copies, each beside its companion: what is compared is both at the end, (copies, 2).

    Attributes:
        copies: how many.
        eta: learning rate.
    """

    copies: int = 1500
    eta: float

    @property
    def described(self) -> str:
        """Sizes."""
        return f"{self.copies} copies"

    def to_dict(self) -> dict[str, Any]:
        """Sizes and rates."""
        return {name: getattr(self, name) for name in ("copies", "eta")}

    def small(self) -> Self:
        """Fewer copies."""
        return replace(self, copies=5, iterations=40)


def torch_copies(noise: np.ndarray, first: Sequence[np.ndarray], step: Step, ends: tuple[int, int]) -> Run:
    """Copies by PyTorch.

    Args:
        noise: (block, copies), given anew to each block.
        first: the state, each (copies,).
        step: of tensors; it may write into the state that it is given, and returns it.
        ends: which of the state are compared.
    """
    import torch

    given = torch.tensor(noise)

    def run(iterations: int) -> np.ndarray:
        state: Any = tuple(torch.tensor(one) for one in first)

        def block(start: int, steps: int) -> None:
            nonlocal state
            for t in range(steps):
                state = step(state, given[t])

        with torch.inference_mode():
            in_blocks(iterations, len(noise), block)
        return torch.stack([state[k] for k in ends], -1).numpy()

    return Run(run)


def jax_copies(noise: np.ndarray, first: Sequence[np.ndarray], step: Step, ends: tuple[int, int], unroll: int) -> Run:
    """Copies by JAX: a scan of a block, ``unroll`` steps at a time; arguments as of `torch_copies`."""
    import jax
    import jax.numpy as jnp

    with double():
        given = jnp.asarray(noise)

    @jax.jit
    def steps(state: Any, xi: Any) -> Any:
        return jax.lax.scan(lambda s, one: (step(s, one), None), state, xi, unroll=unroll)[0]

    def run(iterations: int) -> np.ndarray:
        with double():
            state = tuple(jnp.asarray(one) for one in first)

            def block(start: int, count: int) -> None:
                nonlocal state
                state = steps(state, given[:count])

            in_blocks(iterations, len(noise), block)
            return np.stack([np.asarray(state[k]) for k in ends], axis=-1)

    return Run(run)
