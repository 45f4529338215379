"""Test accuracy on large- and small-margin data over iterations, from the exact law."""

from __future__ import annotations

__all__ = ["caption", "draw"]

import math

import xarray as xr
from matplotlib.figure import Figure

from lemmascope.sims.figures.common import (
    LARGE,
    SMALL,
    band,
    hitting_times,
    level,
    over_seeds,
    panels,
    styled,
    time_axis,
)
from lemmascope.sims.figures.headline.words import reached, who
from lemmascope.sims.figures.labels import finish
from lemmascope.sims.tables import harmless

NAMES = {"large": "large margin", "small": "small margin"}


def draw(trajectory: xr.Dataset, width: str = "text") -> Figure:
    """The figure of a trajectory with ``test_accuracy``."""
    with styled():
        found = panels(trajectory, width, height=1.9)
        low = float(trajectory.test_accuracy.min())
        for name, axis in found:
            run = trajectory.sel(optimizer=name)
            axis.set_ylim(min(0.4, low - 0.02) if low == low else 0.4, 1.03)
            time_axis(axis, trajectory, width)
            for margin, colour, line in (("large", LARGE, "-"), ("small", SMALL, "--")):
                band(axis, run.test_accuracy.sel(margin=margin), colour, line, label=NAMES[margin])
            level(axis, 0.5, "chance")
            hitting_times(axis, run)
        return finish(found, "test accuracy", width)


def caption(trajectory: xr.Dataset) -> str:
    """One line that says what is seen, with the final accuracies."""
    ends = []
    for name in trajectory.optimizer.values:
        run = trajectory.test_accuracy.sel(optimizer=name).isel(iteration=[-1])
        both = [over_seeds(run.sel(margin=margin))[1, 0] for margin in NAMES]
        ends.append(
            f"{harmless(name)} {' and '.join(f'{v:.3f}' if math.isfinite(v) else 'none (diverged)' for v in both)}"
        )
    error = float(trajectory.test_accuracy_error.max())
    known = f" (standard error at most {error:.1g})" if math.isfinite(error) else ""
    return (
        "Test accuracy on fresh large-margin (solid) and small-margin (dashed) samples, from the exact "
        f"law{known}: {who(trajectory)}. Dotted: chance, 1/2. After "
        f"{int(trajectory.iteration[-1])} iterations, on large and small margin: {', '.join(ends)}."
        f"{reached(trajectory)}"
    )
