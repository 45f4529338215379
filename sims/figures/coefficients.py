"""Feature learning against memorization: max c and max |Ξ| over iterations, one panel for each optimizer."""

from __future__ import annotations

__all__ = ["caption", "draw"]

import xarray as xr
from matplotlib.figure import Figure

from sims.figures.common import (
    FEATURE,
    NOISE,
    NOISE_LIGHT,
    band,
    finish,
    hitting_times,
    law_of,
    level,
    panels,
    reached,
    start_at_one,
    styled,
    who,
)

NAMES = {"large": r"$\max|\Xi|$ on $Z_1$", "small": r"$\max|\Xi|$ on $Z_2$", "all": r"$\max|\Xi|$"}


def draw(trajectory: xr.Dataset) -> Figure:
    """The figure of a trajectory with ``Xi_abs_max``, and ``c`` where w* is known."""
    with styled():
        found = panels(trajectory)
        p = law_of(trajectory)
        for name, axis in found:
            run = trajectory.sel(optimizer=name)
            if "c" in run:
                band(axis, run.c.max("neuron"), FEATURE, label=r"$\max_r c_r$ (feature)")
            for margin in run.margin.values[::-1]:
                colour, style = (NOISE_LIGHT, "-.") if margin == "large" else (NOISE, "--")
                band(axis, run.Xi_abs_max.sel(margin=margin), colour, style, label=NAMES[str(margin)])
            axis.set_yscale("log")
            start_at_one(axis, trajectory)
            if p is not None:
                level(axis, 1 / p["alpha"], r"$1/\alpha$")
                level(axis, 1 / p["beta"], r"$1/\beta$")
            hitting_times(axis, run)
        found[0][1].set_ylabel("coefficient")
        return finish(found)


def caption(trajectory: xr.Dataset) -> str:
    """One line that says what is seen."""
    feature = "Feature learning (max c over neurons) against m" if "c" in trajectory else "M"
    times = f" {reached(trajectory)}." if law_of(trajectory) is not None else ""
    return f"{feature}emorization (max |Ξ| over neurons and patches) over training: {who(trajectory)}.{times}"
