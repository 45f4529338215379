"""What an implementation is: a name, the formulation that it computes, and a run from the initial weights."""

from __future__ import annotations

__all__ = ["RECORDED", "Cost", "Implementation", "Run", "weight_space_cost"]

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lemmascope.benchmarks.work import Inputs, Work

RECORDED = ("loss", "nu_1", "nu_2", "c_max", "Xi_abs_max")
"""Recorded at every iteration: the loss over all samples, ν₁, ν₂, max_r c_r, max |Ξ| over noise patches and neurons."""


@dataclass(frozen=True)
class Cost:
    """What one iteration of a formulation needs at least, over all seeds and cells.

    Attributes:
        flops: floating-point operations of its matrix products (a multiplication and an addition count two).
        bytes: what it reads and writes.
        resident: bytes that one core goes over before it comes back to the first; the size at which the bandwidth
            is to be measured, as a matrix that stays in a cache is read faster than from memory.
    """

    flops: float
    bytes: float
    resident: float


@dataclass(frozen=True)
class Run:
    """An implementation that is ready to go.

    Attributes:
        call: see `__call__`.
        chosen: what was chosen for this work by a short measurement; empty where nothing was.
    """

    call: Callable[[int], np.ndarray]
    chosen: str = ""

    def __call__(self, iterations: int) -> np.ndarray:
        """From the initial weights: `RECORDED` at iterations 0, …, iterations − 1, shaped (S, A, iterations, 5)."""
        return self.call(iterations)


class Implementation(Protocol):
    """One way to compute the trajectories."""

    @property
    def name(self) -> str:
        """Its name in the table."""

    @property
    def peer(self) -> bool:
        """Whether it is another library's."""

    @property
    def formulation(self) -> str:
        """What it computes an iteration, in words."""

    def available(self) -> str | None:
        """None, or why it cannot run here, in one sentence."""

    def supports(self, work: Work) -> bool:
        """Whether it can do this work."""

    def prepare(self, inputs: Inputs) -> Run:
        """Everything that is done once: copies, products formed once, compilation, choices."""

    def cost(self, work: Work) -> Cost:
        """What one iteration needs at least."""


def weight_space_cost(work: Work, *, rows: int, cores: int) -> Cost:
    """Two products with a (rows, d) matrix of patches; it is read twice, the weights and buffer read and written."""
    p, S, A = work.parameters, work.seeds, len(work.cells)
    patches, state = 8.0 * S * rows * p.d, 8.0 * S * A * p.m * p.d
    return Cost(flops=4.0 * S * rows * A * p.m * p.d, bytes=2 * patches + 4 * state, resident=patches / cores)
