"""The central experiment with and without its certificate, through `simulate`.

An iteration of the table is `STEPS` of the run's: the windows of a certificate grow with the run, so that its cost is
that of a whole run and not of a piece.
"""

from __future__ import annotations

__all__ = ["CERTIFICATE", "STEPS", "Certified"]

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from lemmascope.benchmarks.protocol import Cost, Run, Way, Work
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.schedule import Logarithmic
from lemmascope.theory.cubic_cnn.parameters import HEADLINE, Parameters
from lemmascope.theory.optimizers import GD, MomentumAverage

STEPS = 5000
POINTS = 120


@dataclass(frozen=True, kw_only=True)
class Certified(Work):
    """GD and momentum on one seed; what is compared is the final (loss, max c), (1, 2, 1, 2).

    Attributes:
        parameters: of the law. steps: iterations of the run for one of the table's.
    """

    parameters: Parameters = HEADLINE
    steps: int = STEPS
    recorded: tuple[str, ...] = ("loss", "c_max")

    @property
    def described(self) -> str:
        """Sizes, and what an iteration is."""
        p = self.parameters
        return f"m = {p.m}, N = {p.N}, P = {p.P}, d = {p.d}; GD and GD+M on one seed, {self.steps} steps an iteration"

    def to_dict(self) -> dict[str, Any]:
        """The law's parameters, and the steps."""
        return {**self.parameters.to_dict(), "steps": self.steps}

    def small(self) -> Certified:
        """Few samples and steps."""
        return replace(self, parameters=replace(self.parameters, N=20, d=60, m=3), steps=5, iterations=2)

    def draw(self, root_seed: int = 0) -> tuple[Certified, int]:
        """`simulate` draws by itself, alike for both."""
        return self, root_seed


def _run(inputs: tuple[Certified, int], *, certify: bool) -> Run:
    work, root_seed = inputs

    def run(iterations: int) -> np.ndarray:
        found = simulate(
            LawProblem(work.parameters),
            {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.999)},
            iterations=work.steps * iterations,
            root_seed=root_seed,
            study="bench",
            record=Logarithmic(POINTS),
            certify=certify,
            backend="compiled",
            workers=1,
        )
        final = found.isel(iteration=-1)
        loss, c = final.loss.sum("margin"), final.c.max("neuron")
        return np.stack([loss.values, c.values], axis=-1)[:, :, None, :]

    return Run(run)


def _cost(work: Certified) -> Cost:
    """A product with K for each of both runs."""
    p = work.parameters
    return Cost(4.0 * work.steps * p.m * p.n**2, 8.0 * work.steps * p.n**2, 8.0 * p.n**2)


FORMULATION = "coefficients, one product with K"
CERTIFICATE = (
    Way("certified", f"{FORMULATION}, with its radius and intervals", partial(_run, certify=True), _cost),
    # The peer of this row is the same backend, which is Numba's.
    Way("not certified", FORMULATION, partial(_run, certify=False), _cost, library="numba"),
)
