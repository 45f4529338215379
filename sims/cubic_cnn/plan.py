"""What all batches of a simulation share."""

from __future__ import annotations

__all__ = ["Plan", "to_host"]

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from lemmascope.sims.cubic_cnn.planted import GRADIENT_FACTOR
from lemmascope.sims.cubic_cnn.problems import Problem
from lemmascope.theory.cubic_cnn.model import View
from lemmascope.theory.optimizers import Optimizer

Array = Any


class Stop(Protocol):
    """A flag that a run asks now and then."""

    def is_set(self) -> bool:
        """Whether to end."""


@dataclass(frozen=True)
class Plan:
    """What all batches of a simulation share; the fields are arguments of `simulate`, or chosen from them.

    ``certify`` asks for the radius of each trajectory. ``team`` is the number of threads inside the products of one
    batch (compiled backend); ``fast_forward`` is the tolerance of `sims.cubic_cnn.backends.fast_forward`, None for
    exact steps. ``tick`` is told of iterations just done, those of one optimizer with one seed each.
    """

    problem: Problem
    optimizers: dict[str, Optimizer]
    times: np.ndarray
    representation: str
    dtype: str
    whole_Xi: bool
    audit: bool
    quantities: dict[str, Callable[[View], Array]]
    xp: Any
    planted: str | None
    trace: bool
    certify: bool
    backend: str
    team: int
    root_seed: int
    study: str
    fast_forward: float | None
    tick: Callable[[int], None]
    stop: Stop

    @property
    def gradient_factor(self) -> float:
        """What the gradient is multiplied by: 1, or a planted error."""
        return GRADIENT_FACTOR.get(self.planted or "", 1.0)


def to_host(x: Any) -> np.ndarray:
    """A NumPy copy of an array of any library."""
    return np.asarray(x.get() if hasattr(x, "get") else x)
