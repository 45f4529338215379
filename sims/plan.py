"""What all batches of a simulation share."""

from __future__ import annotations

__all__ = ["Plan", "to_host"]

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sims.problems import Problem
from theory.cubic_cnn.model import View
from theory.optimizers import Optimizer

Array = Any


@dataclass(frozen=True)
class Plan:
    """What all batches of a simulation share; the fields are arguments of `simulate`."""

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
    root_seed: int
    study: str
    progress: Callable[[int], None] | None
    stop: threading.Event


def to_host(x: Any) -> np.ndarray:
    """A NumPy copy of an array of any library."""
    return np.asarray(x.get() if hasattr(x, "get") else x)
