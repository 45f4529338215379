"""What a work is, and what an implementation of it: a name, the formulation that it computes, and a run from the start.

A study's works are a file in ``works/``, found by `works.find`.
"""

from __future__ import annotations

__all__ = ["TOLERANCE", "Cost", "Implementation", "Run", "Way", "Work"]

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from lemmascope.benchmarks.libraries import missing

TOLERANCE = 1e-9
"""Largest difference of two results in double precision, relative to the largest magnitude of the quantity."""


@dataclass(frozen=True)
class Cost:
    """What one iteration of a formulation needs at least, over all that a work runs at once.

    Attributes:
        flops: floating-point operations of its matrix products (a multiplication and an addition count two).
        bytes: what it reads and writes.
        resident: bytes that one core goes over before it comes back to the first; the size at which the bandwidth
            is to be measured, as a matrix that stays in a cache is read faster than from memory.
        dtype: number type of the products.
    """

    flops: float
    bytes: float
    resident: float
    dtype: str = "float64"


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
        """From the start: the work's quantities after, or along, so many iterations; `Work.recorded`."""
        return self.call(iterations)


class Implementation(Protocol):
    """One way to compute a work."""

    @property
    def name(self) -> str:
        """Its name in the table."""

    @property
    def library(self) -> str:
        """The other library whose it is, one of `libraries.LIBRARIES`; empty for this project's."""

    @property
    def formulation(self) -> str:
        """What it computes an iteration, in words."""

    def available(self) -> str | None:
        """None, or why it cannot run here, in one sentence."""

    def prepare(self, inputs: Any) -> Run:
        """Everything that is done once: copies, products formed once, compilation, choices."""

    def cost(self, work: Any) -> Cost:
        """What one iteration needs at least."""


@dataclass(frozen=True)
class Way:
    """An implementation made of two functions; see `Implementation`."""

    name: str
    formulation: str
    prepare: Callable[[Any], Run]
    cost: Callable[[Any], Cost]
    library: str = ""

    def available(self) -> str | None:
        """None, or that its library is not installed."""
        return missing(self.library) if self.library else None


@dataclass(frozen=True, kw_only=True)
class Work(ABC):
    """One row of the table.

    Attributes:
        name: its letters.
        at_least: the ratio to the best peer that is aimed at.
        iterations: after which the results of all implementations are compared before anything is timed.
        implementations: the ways to compute it; the first is what the others are held to, and this project's.
        recorded: names of the quantities in the last axis of a result. The axis before it is what a quantity's
            magnitude is taken over: the iterations of a run, or the entries of what is left at its end.
        tolerance: largest relative difference of two results.
        rate_at_least: fraction of the product rate that is aimed at, or None.
        on_device: whether it is for a GPU.
    """

    name: str
    at_least: float
    iterations: int
    implementations: tuple[Implementation, ...]
    recorded: tuple[str, ...]
    tolerance: float = TOLERANCE
    rate_at_least: float | None = None
    on_device: bool = False

    @property
    @abstractmethod
    def described(self) -> str:
        """Its sizes in words."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Its sizes and laws, JSON-ready."""

    @abstractmethod
    def small(self) -> Work:
        """The same kind of work at a fraction of its size, for a look in seconds; its ratios mean nothing."""

    @abstractmethod
    def draw(self, root_seed: int = 0) -> Any:
        """What every implementation starts from, from the streams of its name."""
