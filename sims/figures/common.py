"""What the figures share: the style, the colours, panels, bands over seeds, times and levels drawn in."""

from __future__ import annotations

__all__ = [
    "FEATURE",
    "LARGE",
    "NOISE",
    "NOISE_LIGHT",
    "SMALL",
    "band",
    "finish",
    "hitting_times",
    "law_of",
    "level",
    "panels",
    "reached",
    "start_at_one",
    "styled",
    "who",
]  # fmt: skip

import json
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito's colours, which stay apart for colour-blind readers; line styles tell them apart in grey.
FEATURE = "#0072B2"
NOISE = "#D55E00"
NOISE_LIGHT = "#E69F00"
LARGE = "#009E73"
SMALL = "#CC79A7"

STYLE = Path(__file__).with_name("lemmascope.mplstyle")
COLUMNS = 4
WIDTH = 3.25


@contextmanager
def styled() -> Iterator[None]:
    """Draw within the project's style, leaving matplotlib's settings as they were."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matplotlib.rcParams.update(matplotlib.rc_params_from_file(str(STYLE), use_default_template=False))
        yield


def panels(trajectory: xr.Dataset, height: float = 2.35) -> list[tuple[str, Axes]]:
    """One panel for each optimizer, side by side with common axes; (label, axes) in order."""
    names = [str(name) for name in trajectory.optimizer.values]
    columns = min(len(names), COLUMNS)
    rows = math.ceil(len(names) / columns)
    width = 3.6 if columns == 1 else min(WIDTH * columns, 9.0)
    figure = Figure(figsize=(width, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(rows, columns, sharex=True, sharey=True)).ravel()
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    for place, (name, axis) in enumerate(zip(names, axes, strict=False)):
        axis.set_title(name, fontweight="bold")
        if place + columns >= len(names):
            axis.set_xlabel("iteration $t$")
    return list(zip(names, axes, strict=False))


def start_at_one(axis: Axes, trajectory: xr.Dataset) -> None:
    """A logarithmic time axis that shows iteration 0 at its left end."""
    last = int(trajectory.iteration[-1])
    axis.set_xscale("symlog", linthresh=1, linscale=0.35)
    axis.set_xlim(0, max(last, 2))
    ticks = [0, *(10**k for k in range(len(str(max(last, 1)))) if 10**k <= last)]
    axis.set_xticks(ticks, ["0", *(f"$10^{{{len(str(t)) - 1}}}$" for t in ticks[1:])])
    axis.set_xticks([j * t for t in ticks[1:] for j in range(2, 10) if j * t < last], minor=True)


def band(axis: Axes, values: xr.DataArray, colour: str, style: str = "-", **kwargs: Any) -> Any:
    """Median over seeds as a line, smallest to largest as a band; runs that diverged are left out where they end."""
    t = values.iteration.values
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # iterations at which every seed has diverged
        middle, low, high = (getattr(np, f"nan{f}")(values.transpose("seed", "iteration").values, axis=0)
                             for f in ("median", "min", "max"))  # fmt: skip
    if values.sizes["seed"] > 1:
        axis.fill_between(t, low, high, color=colour, alpha=0.2, linewidth=0)
    (line,) = axis.plot(t, middle, style, color=colour, **kwargs)
    return line


def finish(found: list[tuple[str, Axes]]) -> Figure:
    """The figure of the panels, with one legend for all of them above at the right."""
    figure = found[0][1].figure
    assert isinstance(figure, Figure)
    handles, labels = found[0][1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(handles), handlelength=2.4, columnspacing=1.4)
    return figure


def level(axis: Axes, y: float, text: str, *, above: bool = True) -> None:
    """A thin horizontal line with its name at the left end."""
    axis.axhline(y, color="0.35", linewidth=0.6, linestyle=(0, (1, 1.5)), zorder=0)
    axis.annotate(
        text, (0, y), xycoords=("axes fraction", "data"), xytext=(3, 1 if above else -1.5),
        textcoords="offset points", ha="left", va="bottom" if above else "top", fontsize=7, color="0.25",
    )  # fmt: skip


def hitting_times(axis: Axes, run: xr.Dataset) -> None:
    """T₀ and T₁, medians over the seeds that reach them; a time that no seed reaches is not drawn."""
    for name, text in (("T_0", "$T_0$"), ("T_1", "$T_1$")):
        if name not in run or not bool(run[name].notnull().any()):
            continue
        t = float(run[name].median())
        axis.axvline(t, color="0.35", linewidth=0.6, linestyle=(0, (4, 2)), zorder=0)
        axis.annotate(
            text, (t, 1), xycoords=("data", "axes fraction"), xytext=(0, 1.5), textcoords="offset points",
            ha="center", va="bottom", fontsize=7.5, color="0.2",
        )  # fmt: skip


def law_of(trajectory: xr.Dataset) -> dict[str, Any] | None:
    """The parameters of the law, or None for a user's own data."""
    return json.loads(trajectory.attrs["parameters"])


def who(trajectory: xr.Dataset) -> str:
    """Seeds and parameters, for captions."""
    seeds = trajectory.sizes["seed"]
    text = f"median over {seeds} seeds, bands from the smallest to the largest" if seeds > 1 else "one seed"
    p = law_of(trajectory)
    sizes = p if p is not None else json.loads(trajectory.attrs["sizes"])
    names = ("d", "N", "P", "m", *(() if p is None else ("alpha", "beta", "mu", "sigma", "sigma_0", "lam")))
    greek = {"alpha": "α", "beta": "β", "mu": "μ", "sigma": "σ", "sigma_0": "σ₀", "lam": "λ"}
    return f"{text}; {', '.join(f'{greek.get(k, k)} = {sizes[k]:.4g}' for k in names)}; {_optimizers(trajectory)}"


def _optimizers(trajectory: xr.Dataset) -> str:
    described = json.loads(trajectory.attrs["optimizers"])
    parts = []
    for name in trajectory.optimizer.values:
        found = described[str(name)]
        values = [f"{g} = {found[k]}" for k, g in (("eta", "η"), ("gamma", "γ")) if k in found]
        parts.append(f"{name}: {', '.join(values) or found['class']}")
    return "; ".join(parts)


def reached(trajectory: xr.Dataset) -> str:
    """Which seeds reach T₀ and T₁, for captions."""
    parts = []
    for name, text in (("T_0", "T₀"), ("T_1", "T₁")):
        if name in trajectory:
            for optimizer in trajectory.optimizer.values:
                t = trajectory[name].sel(optimizer=optimizer)
                k, n = int(t.notnull().sum()), t.sizes["seed"]
                parts.append(f"{text} of {optimizer} {f'= {float(t.median()):.0f} ' if k else ''}({k} of {n} seeds)")
    return ", ".join(parts)
