r"""Many cells (η, γ) of one seed in one stack, which a cell leaves once its fate is decided.

All cells share the seed's data: an iteration is one product with K for the whole stack. From time to time (each 15 % of
iterations) every cell is looked at, and leaves

- **settled**: the training set is fitted, (1/N) Σ ℓ_i ≤ `FITTED`, and neither the time since the last look nor what is
  left of the velocity, were it to coast unhindered (θ − p γ/(1 − γ) u), changes the small-margin test accuracy by more
  than `STEADY`;
- **diverged**: a number is not finite;
- **horizon**: its last iteration has come.

What leaves changes no bit of what stays. A test holds the outcome to that of never leaving.
"""

from __future__ import annotations

__all__ = ["FATES", "FITTED", "MEASURED", "STEADY", "CellStack"]

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.backends import compiled
from lemmascope.sims.cubic_cnn.backends.array_kernel import ArrayKernel
from lemmascope.sims.cubic_cnn.backends.compiled import CompiledKernel
from lemmascope.sims.cubic_cnn.backends.kernel import Start
from lemmascope.sims.cubic_cnn.backends.segments import rates_of
from lemmascope.theory.cubic_cnn import predictions
from lemmascope.theory.cubic_cnn.coefficients import CoefficientSystem
from lemmascope.theory.cubic_cnn.law import Projection
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.cubic_cnn.quantities import directions, test_accuracy
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage

FITTED = 0.01
STEADY = 0.005
FIRST, RATIO = 64, 1.15  # the first look, and the ratio between two
SEGMENT = 20_000  # iterations of a call at most

FATES = ("horizon", "settled", "diverged")
MEASURED = {
    "small": "test accuracy on small-margin data",
    "small_error": "its standard error",
    "large": "test accuracy on large-margin data",
    "c_max": "max_r c_r",
    "Xi_abs_max": "max |Ξ|",
    "train": "share of the training samples that are fitted",
    "nu": "(1/N) Σ ℓ_i",
    "T_0": "first iteration with max c ≥ 1/(2α)",
    "T_1": "first iteration with y Σ Ξ³ ≥ 1/2 on all small-margin samples",
    "iterations": "the iteration at which it was measured",
    "fate": "0 horizon, 1 settled, 2 diverged",
}


class CellStack:
    """The cells of one seed.

    Args:
        drawn: the seed's projection.
        parameters: of its law.
        rng: the seed's streams, for the points of the test accuracy.
        backend: "compiled", "numpy", or "auto" (compiled where it can run).
        dtype: "float64" or "float32".
    """

    def __init__(
        self,
        drawn: Projection,
        parameters: Parameters,
        rng: Callable[[str], np.random.Generator],
        *,
        backend: str = "auto",
        dtype: str = "float64",
    ) -> None:
        if backend not in ("auto", "compiled", "numpy"):
            raise InputError("backend", backend, "cells are stacked on 'compiled' or 'numpy'")
        lacking = compiled.unavailable()
        if backend == "compiled" and lacking:
            raise InputError("backend", backend, lacking)
        self.numba = backend != "numpy" and not lacking
        arrays = {
            name: np.asarray(getattr(drawn, name), dtype)[None]
            for name in ("y", "strength", "K", "Xi_0", "c_0", "S_0", "overlap")
        }
        self.system = CoefficientSystem(**arrays, lam=parameters.lam, has_feature=True, of_the_law=True)
        self.p, self.dtype = parameters, dtype
        assert drawn.small is not None
        self.small = np.asarray(drawn.small)[None]
        self.points = directions(parameters.m, parameters.P - 1, rng("test directions"))

    def run(
        self,
        cells: Sequence[tuple[float, float]],
        last: Sequence[int],
        *,
        leave: bool = True,
        stopped: Callable[[], bool] = lambda: False,
    ) -> np.ndarray:
        """(cells, `MEASURED`) of each cell when it leaves.

        Args:
            cells: (η, γ) in the average form.
            last: the last iteration of each.
            leave: whether settled cells leave; if not, all go to their last iteration.
            stopped: asked now and then; a run that is stopped raises KeyboardInterrupt.
        """
        found = np.full((len(cells), len(MEASURED)), np.nan)
        kernel = self._kernel(len(cells))
        rates = rates_of([GD(e) if g == 0 else MomentumAverage(e, g) for e, g in cells], 0, 1)
        ends, alive, before = np.asarray(last), np.arange(len(cells)), np.full(len(cells), np.nan)
        t, nothing = 0, np.zeros(0, np.int64)
        with np.errstate(all="ignore"):
            while alive.size:
                look = max(FIRST, int(RATIO * t))
                stop = int(min(look, ends[alive].min()))
                while t < stop:
                    if stopped():
                        raise KeyboardInterrupt
                    until = min(stop, t + SEGMENT)
                    kernel.advance(t, until, rates[alive], nothing)
                    t = until
                leaving = self._look(kernel, t, rates[alive], ends[alive], before, alive, found, leave)
                stay = np.flatnonzero(~leaving)
                alive = alive[stay]
                if stay.size and leaving.any():
                    kernel.keep(stay.tolist())
        return found

    def _kernel(self, count: int) -> CompiledKernel | ArrayKernel:
        start = Start(
            small=self.small,
            c_threshold=predictions.signal_threshold(self.p),
            memorization_threshold=predictions.MEMORIZATION_THRESHOLD,
            gradient_factor=1.0,
            last=2**62,
            trace=False,
            count=count,
            dtype=self.dtype,
        )
        return CompiledKernel(self.system, start) if self.numba else ArrayKernel(self.system, start)

    def _look(
        self,
        kernel: Any,
        t: int,
        rates: np.ndarray,
        ends: np.ndarray,
        before: np.ndarray,
        alive: np.ndarray,
        found: np.ndarray,
        leave: bool,
    ) -> np.ndarray:
        """Which of the cells leave now; those are measured into ``found``."""
        theta, u = kernel.state()
        watched = kernel.watched()
        dead = watched.diverged_at[0] >= 0
        view, _ = self.system.evaluate(theta)
        fitted = np.mean(view.ell[0], axis=-1) <= FITTED
        leaving = dead | (t >= ends)
        for a in np.flatnonzero(fitted & ~leaving) if leave else ():
            now = self._accuracy(theta[:, a : a + 1])[0][1]
            gamma, _, p, _ = rates[a]
            coasted = theta[:, a : a + 1] - p * gamma / (1 - gamma) * u[:, a : a + 1]
            steady = abs(now - before[alive[a]]) <= STEADY
            leaving[a] = steady and abs(self._accuracy(coasted)[0][1] - now) <= STEADY
            before[alive[a]] = now
        for a in np.flatnonzero(leaving):
            fate = 2 if dead[a] else 0 if t >= ends[a] else 1
            at = float(watched.diverged_at[0, a]) if dead[a] else float(t)
            row = dict.fromkeys(MEASURED, np.nan) | {
                "T_0": watched.T_0[0, a],
                "T_1": watched.T_1[0, a],
                "iterations": at,
                "fate": float(fate),
            }
            if not dead[a]:
                accuracy, error = self._accuracy(theta[:, a : a + 1])
                row |= {
                    "small": accuracy[1],
                    "small_error": error[1],
                    "large": accuracy[0],
                    "c_max": view.c[0, a].max(),  # type: ignore[index]
                    "Xi_abs_max": np.abs(view.Xi[0, a]).max(),
                    "train": np.mean(view.margins[0, a] > 0),
                    "nu": np.mean(view.ell[0, a]),
                }
            found[alive[a]] = [row[name] for name in MEASURED]
        return leaving

    def _accuracy(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Test accuracy on (large, small) margins of one cell, and its standard error."""
        view, _ = self.system.evaluate(theta)
        gram = self.system.perpendicular_gram(theta, view)[0, 0].astype(float)
        c = view.c[0, 0].astype(float)  # type: ignore[index]
        if not (np.isfinite(gram).all() and np.isfinite(c).all()):
            return np.full(2, np.nan), np.full(2, np.nan)
        return test_accuracy(gram, c, (self.p.alpha, self.p.beta), self.p.sigma, self.points)
