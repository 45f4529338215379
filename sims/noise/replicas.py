r"""Replicas of momentum along a valley with label noise, for several rules at once, all of them with the same draws.

`Arrays` is the reference: (rules, replicas, parameters) as one batch on arrays of any library (CuPy's too), by the
optimizers of `theory.optimizers` and the gradients of `theory.noise.valley`. `run` takes machine code where there is
any: the same arithmetic in another order, so that the two agree to rounding.
"""

from __future__ import annotations

__all__ = ["BACKENDS", "Arrays", "run"]

from collections.abc import Sequence
from typing import Any

import numpy as np

from lemmascope.sims.noise.draws import blocks
from lemmascope.theory.errors import InputError, check_size
from lemmascope.theory.noise.valley import Curve, Line
from lemmascope.theory.optimizers import MomentumAverage

BACKENDS = ("auto", "compiled", "numpy", "cupy")


def run(
    valley: Line | Curve,
    rules: Sequence[tuple[float, float]],
    start: float,
    rngs: Sequence[np.random.Generator],
    *,
    steps: int,
    every: int = 1,
    backend: str = "auto",
    xp: Any = None,
) -> np.ndarray:
    """Where along the valley each replica is, (rules, replicas, seen): after ``every`` steps, twice as many, ….

    A replica that leaves the finite numbers is NaN, or infinite, from there on.

    Args:
        valley: of `theory.noise.valley`.
        rules: (η, β) of the average form each; β = 0 is SGD. The velocity form at η is (η/(1−β), β).
        start: place on the valley, as of its ``start``.
        rngs: one a replica (`sims.noise.draws.generators`); labels are ±1.
        steps: in all; every: a divisor of it.
        backend: one of `BACKENDS`; xp: the array library of "numpy", default NumPy.

    Raises:
        InputError: steps that ``every`` does not divide, or a backend that is not there.
    """
    if check_size("steps", steps) % check_size("every", every):
        raise InputError("every", every, f"it must divide the {steps} steps")
    if backend not in BACKENDS:
        raise InputError("backend", backend, f"it must be one of {', '.join(BACKENDS)}")
    kind: Any = Arrays
    if backend in ("auto", "compiled") and xp is None:
        from lemmascope.sims.noise.loops import Compiled

        kind = Compiled
    elif backend == "cupy":
        from lemmascope.sims.cubic_cnn.backends.device import cupy_or_refused

        xp = cupy_or_refused()
    engine = kind(valley, rules, start, len(rngs), np if xp is None else xp)
    out = np.empty((len(rules), len(rngs), steps // every))
    with np.errstate(over="ignore", invalid="ignore"):
        for first, draws in blocks(rngs, steps, valley.draws):
            engine.advance(draws, first, every, out)
    return out


class Arrays:
    """All replicas of all rules as one batch."""

    def __init__(self, valley: Line | Curve, rules: Sequence[tuple[float, float]], start: float, count: int, xp: Any):
        self.valley, self.xp = valley, xp
        eta, beta = (xp.asarray(x, dtype=xp.float64)[:, None, None] for x in zip(*rules, strict=True))
        self.optimizer = MomentumAverage(eta, beta)
        self.w = xp.zeros((len(rules), count, valley.width), dtype=xp.float64) + xp.asarray(valley.start(start))
        self.state = self.optimizer.init(self.w)

    def advance(self, draws: np.ndarray, first: int, every: int, out: np.ndarray) -> None:
        """As many steps as there are draws (replicas, steps, width) for; what is seen goes to its place in ``out``."""
        xp = self.xp
        labels = xp.asarray(draws, dtype=xp.float64)
        for t in range(draws.shape[1]):
            slope = self.valley.gradient(self.w, labels[:, t, :])
            self.w, self.state = self.optimizer.step(self.w, slope, self.state, first + t)
            if (first + t + 1) % every == 0:
                seen = self.valley.place(self.w)
                out[:, :, (first + t + 1) // every - 1] = seen.get() if hasattr(seen, "get") else seen
