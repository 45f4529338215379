"""The stages: ν₁ and ν₂, the shares of the margins in the gradient, over iterations."""

from __future__ import annotations

__all__ = ["caption", "draw"]

import xarray as xr
from matplotlib.figure import Figure

from lemmascope.sims.figures.common import LARGE, SMALL, band, hitting_times, panels, styled, time_axis
from lemmascope.sims.figures.headline.words import reached, who
from lemmascope.sims.figures.labels import finish

NAMES = {"large": r"$\nu_1$ (large margin)", "small": r"$\nu_2$ (small margin)", "all": r"$\nu$"}
FLOOR = 1e-8


def draw(trajectory: xr.Dataset, width: str = "text") -> Figure:
    """The figure of a trajectory with ``nu``; what is below 10⁻⁸ is off the axis."""
    with styled():
        found = panels(trajectory, width)
        low = float(trajectory.nu.where(trajectory.nu > 0).min())
        for name, axis in found:
            run = trajectory.sel(optimizer=name)
            axis.set_yscale("log")
            axis.set_ylim(max(FLOOR, low / 2) if low == low else FLOOR, 1.0)
            time_axis(axis, trajectory, width)
            for margin in run.margin.values:
                colour, line = (SMALL, "--") if margin == "small" else (LARGE, "-")
                band(axis, run.nu.sel(margin=margin), colour, line, label=NAMES[str(margin)])
            hitting_times(axis, run)
        return finish(found, r"$\nu_1,\ \nu_2$" if trajectory.sizes["margin"] == 2 else r"$\nu$", width)


def caption(trajectory: xr.Dataset) -> str:
    """One line that says what is seen."""
    two = trajectory.sizes["margin"] == 2
    what = "ν₁ (solid) and ν₂ (dashed), (1/N) Σ ℓᵢ over Z₁ and Z₂" if two else "ν = (1/N) Σ ℓᵢ"
    below = float(trajectory.nu.min()) < FLOOR
    cut = f" (values below {FLOOR:.0e} not shown)" if below else ""
    return f"Stages of training, {what}{cut}: {who(trajectory)}.{reached(trajectory)}"
