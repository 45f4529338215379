"""Test accuracy on large- and small-margin data over iterations, from the exact law."""

from __future__ import annotations

__all__ = ["caption", "draw"]

import xarray as xr
from matplotlib.figure import Figure

from sims.figures.common import LARGE, SMALL, band, finish, hitting_times, level, panels, start_at_one, styled, who

NAMES = {"large": "large margin", "small": "small margin"}


def draw(trajectory: xr.Dataset) -> Figure:
    """The figure of a trajectory with ``test_accuracy``."""
    with styled():
        found = panels(trajectory, height=2.1)
        for name, axis in found:
            run = trajectory.sel(optimizer=name)
            for margin, colour, style in (("large", LARGE, "-"), ("small", SMALL, "--")):
                band(axis, run.test_accuracy.sel(margin=margin), colour, style, label=NAMES[margin])
            start_at_one(axis, trajectory)
            axis.set_ylim(min(0.45, float(trajectory.test_accuracy.min()) - 0.02), 1.03)
            level(axis, 0.5, "chance", above=False)
            hitting_times(axis, run)
        found[0][1].set_ylabel("test accuracy")
        return finish(found)


def caption(trajectory: xr.Dataset) -> str:
    """One line that says what is seen, with the final accuracies."""
    final = trajectory.test_accuracy.isel(iteration=-1).median("seed")
    ends = ", ".join(
        f"{name} {float(final.sel(optimizer=name, margin='large')):.3f} and "
        f"{float(final.sel(optimizer=name, margin='small')):.3f}"
        for name in trajectory.optimizer.values
    )
    error = float(trajectory.test_accuracy_error.max())
    return (
        "Test accuracy on fresh large- and small-margin samples, from the exact law "
        f"(standard error at most {error:.1g}): {who(trajectory)}. At the end: {ends}."
    )
