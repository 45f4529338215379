"""Negative controls: runs on which a claim must come out REFUTED.

A control breaks the claim's situation by design, so its hypotheses are waived there. Planted runs train a small
network for some iterations with a deliberate error of `sims.cubic_cnn.planted.PLANTED`.
"""

from __future__ import annotations

__all__ = ["control_run"]

import dataclasses
import math
from collections.abc import Sequence
from functools import lru_cache

import xarray as xr

from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD
from lemmascope.theory.verdict import Claim, Run, Status, Verdict

SMALL = Parameters(
    d=1200, N=4, P=2, m=12, alpha=2.0, beta=0.2, mu=0.25, sigma=1 / math.sqrt(1200), sigma_0=2 / math.sqrt(1200)
)
"""The planted runs' parameters. Without an error every claim that is judged on such a run holds: it generalizes on
large-margin data within `ITERATIONS`, and has the many dimensions that small cross terms need. So it is the error that
refutes."""

ITERATIONS = 12
"""Of a planted run; climbing the loss, c has not yet left every range."""


@lru_cache(maxsize=16)
def _planted(error: str) -> xr.Dataset:
    from lemmascope.sims.cubic_cnn.simulate import simulate
    from lemmascope.sims.schedule import Every

    # Eight seeds: with fewer than five, k = 0 of n could not refute a statement with high probability.
    return simulate(
        SMALL, {"GD": GD(0.1)}, iterations=ITERATIONS, seeds=8, study=f"control {error}", record=Every(1), planted=error
    )


def _build(kind: str, run: Run, others: Sequence[Run]) -> Run | None:
    if kind == "counterpart":
        wanted = "gd" if run.role == "momentum" else "momentum"
        return next((other for other in others if other.role == wanted), None)
    if kind == "initial_state":
        return dataclasses.replace(run, data=run.data.isel(iteration=[0]))
    if kind == "swapped_margins":
        names = {"large": "small", "small": "large"}
        swapped = run.data.assign_coords(margin=[names.get(str(g), str(g)) for g in run.data.margin.values])
        return dataclasses.replace(run, data=swapped)
    if kind == "momentum_as_gd":
        limit = {name: pair for name, pair in run.optimizers.items() if pair is not None and pair[1] > 0}
        if not limit:
            return None
        return dataclasses.replace(run, optimizers={**run.optimizers, **{n: (p[0], 0.0) for n, p in limit.items()}})
    if kind.startswith("planted:"):
        data = _planted(kind.removeprefix("planted:"))
        return Run(data.sel(optimizer="GD"), "GD", SMALL, 0.1, 0.0)
    raise InputError("control", kind, "it names no way of making a control run")


def control_run(claim: Claim, run: Run, verdict: Verdict, others: Sequence[Run]) -> Verdict:
    """The verdict with the outcome of its claim's negative control.

    The control is left out ("not run") where the verdict itself is NOT_APPLICABLE, or where the trajectory lacks
    the run that it needs.
    """
    control = claim.control
    if control is None:
        return verdict
    status = "not run"
    if verdict.status is not Status.NOT_APPLICABLE:
        made = control.kind(run) if callable(control.kind) else _build(control.kind, run, others)
        if made is not None:
            status = claim.judge(made, waive=True).status.value
    return dataclasses.replace(verdict, control={"description": control.description, "status": status})
