"""Negative controls: runs on which a claim must come out REFUTED; `CONTROLS` has the ways to make them, by name.

Each is a function from (the run, all runs) to the control's run, or None where it cannot be made. Planted runs train a
small network for some iterations with a deliberate error of `sims.cubic_cnn.planted.PLANTED`.
"""

from __future__ import annotations

__all__ = ["CONTROLS"]

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial

import xarray as xr

from lemmascope.sims.cubic_cnn.planted import PLANTED
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.cubic_cnn.run import Run
from lemmascope.theory.optimizers import GD

SMALL = Parameters(
    d=1200, N=4, P=2, m=12, alpha=2.0, beta=0.2, mu=0.25, sigma=1 / math.sqrt(1200), sigma_0=2 / math.sqrt(1200)
)
"""The planted runs' parameters. Without an error every claim that is judged on such a run holds: it generalizes on
large-margin data within `ITERATIONS`, and has the many dimensions that small cross terms need. So it is the error that
refutes."""

ITERATIONS = 12
"""Of a planted run; climbing the loss, c has not yet left every range."""

ETA = 0.1
"""Of a planted run, by GD."""


@lru_cache(maxsize=16)
def _simulated(error: str) -> xr.Dataset:
    from lemmascope.sims.cubic_cnn.simulate import simulate
    from lemmascope.sims.schedule import Every

    # Eight seeds: with fewer than five, k = 0 of n could not refute a statement with high probability.
    return simulate(
        SMALL, {"GD": GD(ETA)}, iterations=ITERATIONS, seeds=8, study=f"control {error}", record=Every(1), planted=error
    )


def planted(error: str, run: Run, everyone: Sequence[Run]) -> Run:
    """A small run of GD with a deliberate error, whatever was judged."""
    return Run(_simulated(error).sel(optimizer="GD"), "GD", "gd", SMALL, eta=ETA, gamma=0.0)


def counterpart(run: Run, everyone: Sequence[Run]) -> Run | None:
    """GD for a momentum run, and the other way round."""
    wanted = "gd" if run.role == "momentum" else "momentum"
    return next((other for other in everyone if other.role == wanted), None)


def initial_state(run: Run, everyone: Sequence[Run]) -> Run:
    """The run before its first step."""
    return dataclasses.replace(run, data=run.data.isel(iteration=[0]))


def swapped_margins(run: Run, everyone: Sequence[Run]) -> Run:
    """The run with the names of the two margins exchanged."""
    names = {"large": "small", "small": "large"}
    swapped = run.data.assign_coords(margin=[names.get(str(g), str(g)) for g in run.data.margin.values])
    return dataclasses.replace(run, data=swapped)


def momentum_as_gd(run: Run, everyone: Sequence[Run]) -> Run | None:
    """All optimizers together, those with momentum counted as GD; None if there is none."""
    limit = {name: (pair[0], 0.0) for name, pair in run.optimizers.items() if pair is not None and pair[1] > 0}
    return dataclasses.replace(run, optimizers={**run.optimizers, **limit}) if limit else None


CONTROLS: Mapping[str, Callable[[Run, Sequence[Run]], Run | None]] = {
    "counterpart": counterpart,
    "initial_state": initial_state,
    "swapped_margins": swapped_margins,
    "momentum_as_gd": momentum_as_gd,
    **{f"planted:{error}": partial(planted, error) for error in PLANTED},
}
