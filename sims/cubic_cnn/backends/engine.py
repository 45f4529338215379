"""What every backend gives to the rest of the simulation: the recorded iterations, one after the other."""

from __future__ import annotations

__all__ = ["Engine", "Interrupted", "Recorded"]

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from lemmascope.sims.cubic_cnn.backends.kernel import Watched
from lemmascope.theory.cubic_cnn.certificate.curvature import Ball
from lemmascope.theory.cubic_cnn.model import View

Array = Any


class Interrupted(Exception):
    """The run was asked to stop."""


@dataclass(frozen=True)
class Recorded:
    """One recorded iteration; arrays (S, A, …) of the simulation's array library, optimizers in the given order.

    Attributes:
        theta: the state.
        grad: the gradient that the step uses.
        view: what is seen of the state.
        balls: where the exact states are, of S = 1; None where that is not asked for.
    """

    theta: Array
    grad: Array
    view: View
    balls: list[Ball] | None = None


class Engine(Protocol):
    """A batch that can be run once."""

    def run(self) -> Iterator[Recorded]:
        """The iterations of ``plan.times``, in order.

        Raises:
            Interrupted: the plan's stop flag was set.
        """

    def watched(self) -> Watched:
        """Hitting times and divergence, after the run."""

    def trace(self) -> np.ndarray | None:
        """(S, A, T + 1, 5) the scalars `sims.cubic_cnn.backends.kernel.TRACED` of all iterations, if asked for."""

    def effort(self) -> dict[str, np.ndarray]:
        """(S, A) by name: what was computed, where that is not every iteration."""
