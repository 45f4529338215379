r"""What a compiled trajectory takes and gives, on any hardware.

A kernel owns the state of a batch (S seeds × A optimizers) and carries it from one iteration to another in one
call. At each iteration t it evaluates the system, watches it, writes down five scalars if asked, keeps the state
and the gradient if t is to be recorded, and takes a step (none at the last iteration).

Optimizers enter as the recursion of `theory.optimizers`: u ← γu + κ∇, θ ← θ − p u − q ∇.
"""

from __future__ import annotations

__all__ = ["TRACED", "Kernel", "Seen", "Start", "States", "Watched"]

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lemmascope.theory.cubic_cnn.certificate.data import Data
from lemmascope.theory.cubic_cnn.certificate.window import Window

TRACED = ("loss", "nu_1", "nu_2", "c_max", "Xi_abs_max")
"""The scalars that a kernel writes down at every iteration; with one group of samples nu_2 is 0."""


@dataclass(frozen=True)
class Start:
    """What every kernel needs to begin with, besides the data of its representation.

    Attributes:
        small: (S, N) samples of small margin (all False where margins are not known).
        c_threshold: T₀ is the first t with max_r c_r ≥ this; None where it is not watched.
        memorization_threshold: T₁ is the first t with y_i Σ Ξ³ ≥ this for all small-margin samples; None: not watched.
        gradient_factor: what the gradient is multiplied by (1, or a planted error).
        last: T, the last iteration; it is evaluated and takes no step.
        trace: whether to write down `TRACED` at every iteration.
        count: A, the number of optimizers.
        dtype: "float64" or "float32".
        data: what a certificate knows of the seed's problem (S = 1), or None: the iterations are not looked at for one.
    """

    small: np.ndarray
    c_threshold: float | None
    memorization_threshold: float | None
    gradient_factor: float
    last: int
    trace: bool
    count: int
    dtype: str
    data: Data | None = None


@dataclass(frozen=True)
class Seen:
    """Iterations of one optimizer, for its certificate.

    Attributes:
        window: those that take a step; None if there are none.
        c_max, memorization_min: (steps,) max_r c_r, and the least y_i Σ Ξ³ of small margin, of all of them.
    """

    window: Window | None
    c_max: np.ndarray
    memorization_min: np.ndarray


@dataclass(frozen=True)
class States:
    """Recorded iterations of one call.

    Attributes:
        theta, grad: (k, S, A, m, width) the states and gradients, as `theory.cubic_cnn.model.System.evaluate` has them.
        trace: (S, A, steps, 5) the scalars `TRACED` of the iterations of this call, or None.
        seen: what a certificate sees of this call's iterations, for each optimizer; or None.
    """

    theta: np.ndarray
    grad: np.ndarray
    trace: np.ndarray | None
    seen: list[Seen] | None = None


@dataclass(frozen=True)
class Watched:
    """What happened so far.

    Attributes:
        T_0, T_1: (S, A) float, NaN for not yet.
        diverged_at: (S, A) int, −1 for not; from there on the member's state is zero.
        diverged_quantity: (S, A) "c", "Xi", "margins" or "": the first of them that was not finite.
    """

    T_0: np.ndarray
    T_1: np.ndarray
    diverged_at: np.ndarray
    diverged_quantity: np.ndarray


class Kernel(Protocol):
    """A batch in flight."""

    def advance(self, start: int, stop: int, rates: np.ndarray, record: np.ndarray) -> States:
        """Iterations start … stop − 1, each evaluated and followed by a step (none after iteration ``last``).

        Args:
            start: where the last call stopped; 0 at first.
            stop: at most last + 1.
            rates: (A, 4), or (stop − start, A, 4) where they change: γ, κ, p, q.
            record: (k,) the iterations of [start, stop) to keep, increasing.
        """

    def watched(self) -> Watched:
        """What happened so far."""
