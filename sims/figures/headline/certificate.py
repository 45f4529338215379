"""The radius of a certified run over iterations, beside what is decided by it: how far intervals are from bounds."""

from __future__ import annotations

__all__ = ["caption", "draw"]

import math

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lemmascope.sims.figures.common import (
    FEATURE,
    LARGE,
    NOISE,
    SMALL,
    hitting_times,
    law_of,
    panels,
    styled,
    time_axis,
)
from lemmascope.sims.figures.headline.words import reached, who
from lemmascope.sims.figures.labels import finish
from lemmascope.sims.tables import harmless
from lemmascope.theory.cubic_cnn.claims.readings import CHANCE, GENERALIZES

LINES = {"max c": (FEATURE, "-."), "memorization": (NOISE, "--"), "test accuracy": (SMALL, ":")}
"""Of what the margin is; the last two on small-margin data."""

NAMES = {"max c": r"$\mathrm{max}_r\,c_r$"}


def draw(trajectory: xr.Dataset, width: str = "text") -> Figure | None:
    """The figure of a trajectory with ``radius``; None without."""
    if "radius" not in trajectory:
        return None
    with styled():
        found = panels(trajectory, width, height=2.3)
        for name, axis in found:
            run = trajectory.sel(optimizer=name)
            axis.set_yscale("log")
            time_axis(axis, trajectory, width)
            for quantity, values in margins(run).items():
                colour, line = LINES[quantity]
                _line(
                    axis,
                    values.min("seed", skipna=False),
                    color=colour,
                    linestyle=line,
                    label=NAMES.get(quantity, quantity),
                )
            for k, seed in enumerate(run.seed.values):
                label = "radius" if k == 0 else "_another draw"
                _line(axis, run.radius.sel(seed=seed), color=LARGE, linewidth=0.7, label=label)
            hitting_times(axis, run)
        return finish(found, "radius, margins", width)


def _line(axis: Axes, values: xr.DataArray, **kwargs: object) -> None:
    """What is positive and finite of it."""
    y = values.values.astype(float)
    axis.plot(values.iteration.values, np.where(np.isfinite(y) & (y > 0), y, np.nan), **kwargs)  # type: ignore[arg-type]


def margins(run: xr.Dataset) -> dict[str, xr.DataArray]:
    """(seed, iteration) distance of an interval from the nearest bound of a claim on it; NaN where it has one in it.

    Args:
        run: one optimizer of a certified run; of a law, else there are no bounds.
    """
    p = law_of(run)
    if p is None or "c_within" not in run:
        return {}
    log_d = math.log(p["d"])
    largest = run.c_within.max("neuron", skipna=False)
    found = {"max c": _apart(largest, (1 / (p["alpha"] * log_d), log_d / p["alpha"], 1 / (p["beta"] * log_d)))}
    if "small" in run.margin.values:
        small = run.sel(margin="small")
        found["memorization"] = _apart(small.memorization_min_within, (1 / log_d,))
        found["test accuracy"] = _apart(small.test_accuracy_within, (CHANCE, GENERALIZES))
    return found


def _apart(interval: xr.DataArray, bounds: tuple[float, ...]) -> xr.DataArray:
    """From the nearest bound; NaN where that is inside."""
    low, high = interval.sel(end="low", drop=True), interval.sel(end="high", drop=True)
    found = xr.full_like(low, math.inf)
    for bound in bounds:
        distance = np.maximum(low - bound, bound - high)
        found = xr.where(distance < found, distance, found)
    return found.where(found > 0)


def caption(trajectory: xr.Dataset) -> str:
    """One line that says what is seen, with the last radii and margins."""
    if "radius" not in trajectory:
        return ""
    bounds = ""
    if law_of(trajectory) is not None:
        bounds = (
            " Other lines, the smallest over the draws: how far the certified interval of max_r c_r (dash-dotted), of "
            "min y Σ Ξ³ on Z₂ (dashed) and of the test accuracy on small-margin data (dotted) is from the nearest "
            f"bound of a claim on it, 1/(α log d), log d/α, 1/(β log d); 1/log d; {CHANCE} and {GENERALIZES}; a gap "
            "where the bound lies inside the interval of some draw."
        )
    return (
        "Radius within which the trajectory of exact real arithmetic lies, in the norm of W, one thin line a draw "
        f"(0 at the start): {who(trajectory, '{} draws')}.{bounds} "
        f"{' '.join(_end(trajectory, str(name)) for name in trajectory.optimizer.values)}{reached(trajectory)}"
    )


def _end(trajectory: xr.Dataset, name: str) -> str:
    """The last radius of an optimizer, or where it was lost, and the margins there."""
    run = trajectory.sel(optimizer=name)
    known = np.isfinite(run.radius.values).all(axis=0)
    last = int(np.nonzero(known)[0][-1])
    at = run.isel(iteration=[last])
    parts = [f"radius {float(at.radius.max()):.1e}"]
    for quantity, values in margins(at).items():
        least = float(values.min(skipna=False))
        parts.append(f"{quantity} {f'{least:.2g}' if math.isfinite(least) else 'not decided'}")
    until = "" if known.all() else " (not known on every draw from then on)"
    return f"{harmless(name)} at iteration {int(run.iteration[last])}{until}: {', '.join(parts)}."
