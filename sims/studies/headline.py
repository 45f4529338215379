"""The central experiment: GD and GD+M on `HEADLINE`, from the same data and weights.

Two simulations on the same seeds and data:

- ``trajectory``: GD (η = 0.1) and GD+M (η = 0.1, γ = 0.999) for 40 000 iterations;
- ``learning_rates``: GD at three more learning rates, and GD+M, for 11 500 iterations, on the first five seeds.

Every claim of the cubic CNN is judged on one of them, each with its negative control.
"""

from __future__ import annotations

__all__ = ["EXPECTED", "ITERATIONS", "OPTIMIZERS", "RATES", "Headline", "expectation", "run"]

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import xarray as xr

from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.judge import judge
from lemmascope.sims.schedule import Logarithmic
from lemmascope.theory.cubic_cnn.claims import CLAIMS
from lemmascope.theory.cubic_cnn.parameters import HEADLINE
from lemmascope.theory.optimizers import GD, MomentumAverage, Optimizer
from lemmascope.theory.verdict import Status, Verdict

SEEDS = 8
ITERATIONS = 40_000
RATE_ITERATIONS = 11_500  # so that the smallest rate too has time to fit the small margins
RATE_SEEDS = 5  # the least number that can hold with high probability
OPTIMIZERS: dict[str, Optimizer] = {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.999)}
RATES: dict[str, Optimizer] = {
    **{f"GD {eta:g}": GD(eta) for eta in (0.2, 0.3, 0.45)},
    "GD+M": MomentumAverage(0.1, 0.999),
}

EXPECTED: dict[str, Status] = {"lemma.cross_terms_small": Status.NOT_APPLICABLE}
"""Claims that do not come out HOLDS here: n = 400 patches in d = 500 dimensions is far from n ≪ √d."""

STUDY = "headline"


@dataclass(frozen=True)
class Headline:
    """What the study found."""

    trajectory: xr.Dataset
    learning_rates: xr.Dataset
    verdicts: list[Verdict]


def expectation(verdict: Verdict) -> Verdict:
    """The verdict with this study's expected status."""
    return dataclasses.replace(verdict, expected=EXPECTED.get(verdict.claim, verdict.expected))


def work(seeds: int = SEEDS) -> int:
    """Seed-iterations of the whole study, for a progress bar."""
    return seeds * ITERATIONS + min(seeds, RATE_SEEDS) * RATE_ITERATIONS


def run(
    seeds: int = SEEDS,
    root_seed: int = 0,
    *,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
    backend: str = "auto",
    dtype: str = "float64",
) -> Headline:
    """Simulate and judge.

    Args:
        seeds: data sets and initial weights to draw; five or more, for a verdict with high probability.
        root_seed: root of all random streams.
        workers: threads, default the number of cores.
        progress: called with the number of seed-iterations just done.
        backend, dtype: as of `sims.cubic_cnn.simulate.simulate`.
    """
    trajectory = simulate(
        HEADLINE,
        OPTIMIZERS,
        iterations=ITERATIONS,
        seeds=seeds,
        root_seed=root_seed,
        study=STUDY,
        record=Logarithmic(120),
        workers=workers,
        progress=progress,
        backend=backend,
        dtype=dtype,
    )
    learning_rates = simulate(
        HEADLINE,
        RATES,
        iterations=RATE_ITERATIONS,
        seeds=min(seeds, RATE_SEEDS),
        root_seed=root_seed,
        study=STUDY,
        record=Logarithmic(20),
        audit=False,
        workers=workers,
        progress=progress,
        backend=backend,
        dtype=dtype,
    )
    single = [claim for claim in CLAIMS.values() if claim.subject != "family"]
    several = [claim for claim in CLAIMS.values() if claim.subject == "family"]
    verdicts = judge(trajectory, single) + judge(learning_rates, several)
    order = list(CLAIMS)
    verdicts.sort(key=lambda v: order.index(v.claim))
    return Headline(trajectory, learning_rates, [expectation(v) for v in verdicts])
