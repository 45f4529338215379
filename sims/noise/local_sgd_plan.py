"""How Local SGD runs, and what is summed up over a run."""

from __future__ import annotations

__all__ = ["QUANTITIES", "Plan", "Valley", "kept", "means"]

from dataclasses import dataclass

import numpy as np

from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.noise import local_sgd as theory
from lemmascope.theory.noise.valley import Curve

Valley = Curve | theory.Straight

QUANTITIES = ("after", "before", "increment", "step", "wrong_step", "average", "wrong_average")
"""What is summed up over a run, each (seeds, lengths of a round).

after, before: means over averages of the square of uv − 1 or y, of the averaged parameters and of the workers just
before. increment: mean square of the averaged parameters' change along the valley in a round, over H. The others, of
`Plan.check`: largest errors, relative to h, of the step's identity and the average's, and of the two wrong ones, with
η in place of η² and without the variances.
"""


@dataclass(frozen=True)
class Plan:
    """How Local SGD runs.

    Args:
        eta: learning rate.
        K: workers; rounds: lengths H of a round.
        times: local steps after which the averaged parameters are written down, increasing, each a whole number of
            rounds of every length; the last one ends the run.
        burn_in: local steps whose averages are left out of the means.
        shared: whether all workers see one stream of noise.
        check: whether the identities of the curve are measured in every step and average.

    Raises:
        InputError: a number outside of its range, or a time within a round.
    """

    eta: float
    K: int
    rounds: tuple[int, ...]
    times: tuple[int, ...]
    burn_in: int = 0
    shared: bool = False
    check: bool = False

    def __post_init__(self) -> None:
        check_number("eta", self.eta, 0, open_low=True)
        check_size("K", self.K)
        check_size("burn_in", self.burn_in, 0)
        if not self.rounds or not self.times or list(self.times) != sorted(set(self.times)):
            raise InputError("times, rounds", (self.times, self.rounds), "give one or more of each, times increasing")
        for H in self.rounds:
            check_size("H", H)
            for t in self.times:
                if check_size("times", t) % H:
                    raise InputError("times", t, f"it must be a whole number of rounds of {H} steps")

    @property
    def steps(self) -> int:
        """In all."""
        return self.times[-1]


def kept(valley: theory.Straight, plan: Plan) -> list[float]:
    """By length of a round, what a step leaves of the companion."""
    return [1 - 1 / float(theory.relaxation(plan.eta, valley, plan.K, H)) for H in plan.rounds]


def means(plan: Plan, sums: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Sums over averages as means, the increment's for one local step; NaN where none comes after the burn-in."""
    lengths = np.array(plan.rounds, dtype=np.float64)
    averages = np.array([plan.steps // H - plan.burn_in // H for H in plan.rounds], dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {name: sums[name] / averages for name in ("after", "before", "increment")}
    return sums | found | {"increment": found["increment"] / lengths}
