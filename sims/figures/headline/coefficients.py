"""Feature learning against memorization: max c and max |Ξ| over iterations, one panel for each optimizer."""

from __future__ import annotations

__all__ = ["caption", "draw"]

import xarray as xr
from matplotlib.figure import Figure

from lemmascope.sims.figures.common import (
    FEATURE,
    NOISE,
    NOISE_LIGHT,
    band,
    hitting_times,
    law_of,
    level,
    panels,
    styled,
    time_axis,
)
from lemmascope.sims.figures.headline.words import reached, who
from lemmascope.sims.figures.labels import finish

NAMES = {"large": r"$\max|\Xi|$ on $Z_1$", "small": r"$\max|\Xi|$ on $Z_2$", "all": r"$\max|\Xi|$"}


def draw(trajectory: xr.Dataset, width: str = "text") -> Figure:
    """The figure of a trajectory with ``Xi_abs_max``, and ``c`` where w* is known."""
    with styled():
        found = panels(trajectory, width, height=2.3)
        p = law_of(trajectory)
        for name, axis in found:
            run = trajectory.sel(optimizer=name)
            axis.set_yscale("log")
            time_axis(axis, trajectory, width)
            for margin in run.margin.values:
                colour, line, thick = (NOISE_LIGHT, "-.", 1.0) if margin == "large" else (NOISE, "--", 1.3)
                band(axis, run.Xi_abs_max.sel(margin=margin), colour, line, lw=thick, label=NAMES[str(margin)])
            if "c" in run:
                band(axis, run.c.max("neuron"), FEATURE, lw=1.6, label=r"$\mathrm{max}_r\,c_r$")
            if p is not None:
                level(axis, 1 / p["alpha"], r"$1/\alpha$")
                level(axis, 1 / p["beta"], r"$1/\beta$")
            hitting_times(axis, run)
        return finish(found, "coefficient", width)


def caption(trajectory: xr.Dataset) -> str:
    """One line that says what is seen."""
    what = "Memorization (max |Ξ| over neurons and patches"
    what += ": dashed on Z₂, dash-dotted on Z₁)" if trajectory.sizes["margin"] == 2 else ", dashed)"
    if "c" in trajectory:
        what = "Feature learning (max_r c_r, solid) against m" + what[1:]
    p = law_of(trajectory)
    levels = "" if p is None else f" Dotted: 1/α = {1 / p['alpha']:.4g} and 1/β = {1 / p['beta']:.4g}."
    return f"{what} over training: {who(trajectory)}.{levels}{reached(trajectory)}"
