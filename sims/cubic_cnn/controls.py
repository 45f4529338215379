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
from lemmascope.theory.cubic_cnn.claims import CLAIMS
from lemmascope.theory.cubic_cnn.claims.hypotheses import LONG_ENOUGH
from lemmascope.theory.cubic_cnn.claims.learning_rates import rates
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

LEFT = 0.1
"""Share of its loss at the start that a run may have left where it is another's control."""

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


def settled(run: Run) -> list[int]:
    """The seeds on which a run of GD or of GD+M is what its theorem speaks of: they meet its hypotheses, and `LEFT` of
    the loss log 2 or less is left at T. That is how long it must run, in place of the ηT asked for there."""
    claim = CLAIMS["gdm.fits_training_set" if run.role == "momentum" else "gd.fits_training_set"]
    assumed = tuple(h for h in claim.assumes if h is not LONG_ENOUGH)
    claimed = dataclasses.replace(claim, assumes=assumed).judge(run).seeds
    spent = run.final["loss"].sum("margin", skipna=False) <= LEFT * math.log(2)
    return [seed for seed in claimed if bool(spent.sel(seed=seed))]


def counterpart(run: Run, everyone: Sequence[Run]) -> Run | None:
    """GD for a momentum run, and the other way round: with the same η, on the seeds where it is `settled`."""
    wanted = "gd" if run.role == "momentum" else "momentum"
    for other in everyone:
        alike = None not in (run.eta, other.eta) and math.isclose(run.eta, other.eta)  # type: ignore[arg-type]
        if other.role == wanted and alike and (seeds := settled(other)):
            return dataclasses.replace(other, data=other.data.sel(seed=seeds))
    return None


def initial_state(run: Run, everyone: Sequence[Run]) -> Run:
    """The run before its first step."""
    return dataclasses.replace(run, data=run.data.isel(iteration=[0]))


def swapped_margins(run: Run, everyone: Sequence[Run]) -> Run:
    """The run with the names of the two margins exchanged."""
    names = {"large": "small", "small": "large"}
    swapped = run.data.assign_coords(margin=[names.get(str(g), str(g)) for g in run.data.margin.values])
    return dataclasses.replace(run, data=swapped)


def momentum_as_gd(run: Run, everyone: Sequence[Run]) -> Run | None:
    """All optimizers together, one with momentum counted as GD: the first whose η is one of the grid, on the seeds
    where it is `settled`; None if there is none."""
    for name, pair in run.optimizers.items():
        if pair is None or pair[1] == 0:
            continue
        made = dataclasses.replace(run, optimizers={**run.optimizers, name: (pair[0], 0.0)})
        one = Run(run.data.sel(optimizer=name), name, "momentum", run.parameters, eta=pair[0], gamma=pair[1])
        if name in rates(made) and (seeds := settled(one)):
            return dataclasses.replace(made, data=run.data.sel(seed=seeds))
    return None


CONTROLS: Mapping[str, Callable[[Run, Sequence[Run]], Run | None]] = {
    "counterpart": counterpart,
    "initial_state": initial_state,
    "swapped_margins": swapped_margins,
    "momentum_as_gd": momentum_as_gd,
    **{f"planted:{error}": partial(planted, error) for error in PLANTED},
}
