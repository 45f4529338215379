"""The stages: ν₁ and ν₂, the shares of the margins in the gradient, over iterations."""

from __future__ import annotations

__all__ = ["caption", "draw"]

import xarray as xr
from matplotlib.figure import Figure

from sims.figures.common import (
    LARGE,
    SMALL,
    band,
    finish,
    hitting_times,
    law_of,
    panels,
    reached,
    start_at_one,
    styled,
    who,
)

NAMES = {"large": r"$\nu_1$ (large margin)", "small": r"$\nu_2$ (small margin)", "all": r"$\nu$"}
FLOOR = 1e-8


def draw(trajectory: xr.Dataset) -> Figure:
    """The figure of a trajectory with ``nu``; what is below 10⁻⁸ is off the axis."""
    with styled():
        found = panels(trajectory)
        for name, axis in found:
            run = trajectory.sel(optimizer=name)
            for margin in run.margin.values:
                colour, style = (SMALL, "--") if margin == "small" else (LARGE, "-")
                band(axis, run.nu.sel(margin=margin), colour, style, label=NAMES[str(margin)])
            axis.set_yscale("log")
            start_at_one(axis, trajectory)
            hitting_times(axis, run)
        low = float(trajectory.nu.where(trajectory.nu > 0).min())
        found[0][1].set_ylim(max(FLOOR, low / 2 if low == low else FLOOR), 1.0)
        found[0][1].set_ylabel(r"$\frac{1}{N}\,\sum_i\,\ell_i$", fontsize=9)
        return finish(found)


def caption(trajectory: xr.Dataset) -> str:
    """One line that says what is seen."""
    times = f" {reached(trajectory)}." if law_of(trajectory) is not None else ""
    return f"Stages of training, ν = (1/N) Σ ℓ over each margin: {who(trajectory)}.{times}"
