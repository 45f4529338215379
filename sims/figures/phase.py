"""The phase diagram: small-margin accuracy, c_max β and max |Ξ| over a plane, with the predicted lines over it."""

from __future__ import annotations

__all__ = ["PICTURES", "caption", "draw"]

import math
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure

from lemmascope.sims.figures.common import COLUMN, settle, styled, thin
from lemmascope.sims.pictures import Picture
from lemmascope.sims.studies.phase import Settings
from lemmascope.sims.study import Result
from lemmascope.theory.claim import Evidence
from lemmascope.theory.cubic_cnn import SUBJECT
from lemmascope.theory.cubic_cnn.boundaries import coasting_line, overshoot_line, race_line
from lemmascope.theory.cubic_cnn.claims.phase import fitted_kappa
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.cubic_cnn.predictions import overshoot_rate

LINES: dict[str, tuple[str, dict[str, Any]]] = {
    "race": ("race law", {"color": "black", "linestyle": "-", "linewidth": 1.4}),
    "two_body": ("two-body race", {"color": "black", "linestyle": (0, (4, 1.5)), "linewidth": 1.0}),
    "coasting": ("coasting alone", {"color": "black", "linestyle": (0, (1, 1.2)), "linewidth": 1.1}),
    "overshoot": ("overshoot, fitted", {"color": "black", "linestyle": (0, (5, 1.5, 1, 1.5)), "linewidth": 1.0}),
}


def _edges(values: np.ndarray) -> np.ndarray:
    """Cell edges half way between neighbours, in the logarithm."""
    logs = np.log(values)
    if len(logs) == 1:
        return np.exp(logs[0] + np.array([-0.1, 0.1]))
    middles = (logs[1:] + logs[:-1]) / 2
    return np.exp(np.concatenate([[2 * logs[0] - middles[0]], middles, [2 * logs[-1] - middles[-1]]]))


def _accuracy_map() -> ListedColormap:
    """Orange (memorized) over white to blue (learnt): both ends dark enough to tell apart in grey."""
    ends = np.array([[0.835, 0.369, 0.0], [0.97, 0.97, 0.96], [0.0, 0.447, 0.698]])
    grid = np.linspace(0, 1, 256)
    return ListedColormap(np.stack([np.interp(grid, [0, 0.5, 1], ends[:, k]) for k in range(3)], axis=1))


def _name(data: xr.Dataset, side: str) -> str:
    name = str(data.attrs[side])
    letter = name if len(name) == 1 else rf"\{name}"  # the code's names are LaTeX's
    shown = r"$1-\gamma$" if name == "gamma" else f"${letter}$"
    words = {"eta": "learning rate", "d": "dimension", "N": "samples", "m": "neurons", "P": "patches"}
    return f"{words[name]} {shown}" if name in words else shown


def _panel(
    figure: Figure, axis: Axes, data: xr.Dataset, values: np.ndarray, title: str, norm: Normalize, colours: Any
) -> Axes:
    x, y = data.x.values, data.y.values
    made = axis.pcolormesh(_edges(x), _edges(y), values, norm=norm, cmap=colours, linewidth=0, rasterized=True)
    axis.set_facecolor("0.85")
    axis.set(xscale="log", yscale="log")
    axis.set_xlim(_edges(x)[0], _edges(x)[-1])
    axis.set_ylim(_edges(y)[0], _edges(y)[-1])
    axis.set_title(title)
    upright = figure.get_figwidth() == COLUMN
    side = "vertical" if upright else "horizontal"
    bar = figure.colorbar(made, ax=axis, orientation=side, pad=0.02, aspect=16 if upright else 28)
    bar.outline.set_linewidth(0.4)
    return bar.ax


def _lines(axis: Axes, data: xr.Dataset, p: Parameters, kappa: float, names: tuple[str, ...]) -> list[Any]:
    x = np.geomspace(_edges(data.x.values)[0], _edges(data.x.values)[-1], 200)
    drawn = []
    clock = _clock(data)
    for name in names:
        label, style = LINES[name]
        if name == "race" and math.isfinite(clock):
            drawn += axis.plot(x, race_line(p, x, clock), label=label, **style)
        elif name == "coasting":
            drawn += axis.plot(x, coasting_line(p, x), label=label, **style)
        elif name == "overshoot" and math.isfinite(kappa):
            drawn.append(axis.axvline(overshoot_line(p, kappa), label=label, **style))
        elif name == "two_body" and min(data.x.size, data.y.size) > 1 and np.isfinite(data.two_body.values).any():
            share = data.two_body.median("seed").values
            axis.contour(
                data.x.values,
                data.y.values,
                share,
                levels=[0.5],
                colors=style["color"],
                linestyles=[style["linestyle"]],
                linewidths=style["linewidth"],
            )
            drawn += axis.plot([], [], label=label, **style)
    return drawn


def _kappa(result: Result[Settings]) -> float:
    """Of the overshoot line, fitted on the first seed; NaN where it was not."""
    data = result.data["phase"]
    if "clock" not in data or not bool((data.y == 1.0).any()):
        return math.nan
    return fitted_kappa(Evidence(data, "the plane", parameters=result.settings.parameters))


def draw(result: Result[Settings], width: str = "text") -> Figure:
    """The figure of a phase diagram; medians over seeds. Panels side by side, or in a column one above the other."""
    data, p, kappa = result.data["phase"], result.settings.parameters, _kappa(result)
    column = width == "column"
    with styled():
        figure = Figure(figsize=(COLUMN, 5.8) if column else (6.75, 3.05), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(*((3, 1) if column else (1, 3)), sharex=True, sharey=True)
        middle = data[["small", "c_max", "Xi_abs_max"]].median("seed", skipna=False)
        beta: Any = p.beta
        if "beta" in (data.attrs["y"], data.attrs["x"]):
            beta = data.y.values[:, None] if data.attrs["y"] == "beta" else data.x.values
        reach, noise = np.abs(middle.c_max.values) * beta, middle.Xi_abs_max.values
        shown: list[tuple[np.ndarray, str, Normalize, Any]] = [
            (middle.small.values, "test accuracy, small margin", Normalize(0.5, 1), _accuracy_map()),
            (reach, r"feature: $\beta\,\max_r c_r$", LogNorm(1e-2, 1e1), "cividis"),
            (noise, r"memorization: $\max|\Xi|$", LogNorm(*_decades(noise)), "inferno"),
        ]
        bars = [_panel(figure, axis, data, *one) for axis, one in zip(axes, shown, strict=True)]
        for axis in axes[-1:] if column else axes:
            axis.set_xlabel(_name(data, "x"))
        for axis in axes if column else axes[:1]:
            axis.set_ylabel(_name(data, "y"))
        drawn: list[Any] = []
        if "clock" in data:
            drawn = _lines(axes[0], data, p, kappa, tuple(LINES))
            for axis in axes[1:]:
                _lines(axis, data, p, kappa, ("race", "overshoot"))
        if data.attrs["y"] == "gamma" and data.y.values[-1] == 1.0:
            for axis in axes:
                axis.axhline(_edges(data.y.values)[-2], color="white", linewidth=0.8)
            axes[0].annotate(
                "GD",
                (0.02, float(data.y.values[-1])),
                xycoords=("axes fraction", "data"),
                fontsize=7,
                fontweight="bold",
                color="white",
                va="center",
            )
        if drawn:
            figure.legend(handles=drawn, loc="outside upper center", ncols=2 if column else len(drawn))
        settle(figure)
        scales = [axes[0].xaxis, axes[0].yaxis, *(bar.yaxis if column else bar.xaxis for bar in bars[1:])]
        changed = [thin(one) for one in scales]
        if any(changed):
            settle(figure)
        return figure


def _clock(data: xr.Dataset) -> float:
    """ηT₁, the median over the seeds that have one; NaN if none has."""
    known = data.clock.values[np.isfinite(data.clock.values)]
    return float(np.median(known)) if known.size else math.nan


def _decades(values: np.ndarray) -> tuple[float, float]:
    finite = values[np.isfinite(values) & (values > 0)]
    if not finite.size:
        return 1e-2, 1e1
    low = math.floor(math.log10(finite.min()))
    return 10.0**low, 10.0 ** max(low + 1, math.ceil(math.log10(finite.max())))


def _set(data: xr.Dataset, p: Parameters) -> str:
    """What was the same in every cell: what an axis sets was not."""
    names = {"d": p.d, "N": p.N, "P": p.P, "m": p.m, "alpha": p.alpha, "beta": p.beta, "mu": p.mu}
    if "clock" not in data:
        names |= {"sigma": p.sigma, "sigma_0": p.sigma_0, "eta": data.attrs["eta"], "gamma": data.attrs["gamma"]}
    kept = [name for name in names if name not in (data.attrs["x"], data.attrs["y"])]
    return ", ".join(f"{SUBJECT[name].symbol} = {names[name]:g}" for name in kept)


def caption(result: Result[Settings], width: str = "text") -> str:
    """What is seen, with the lines' formulas and numbers."""
    data, p, kappa = result.data["phase"], result.settings.parameters, _kappa(result)
    seeds = data.sizes["seed"]
    first, second, third = ("Top", "middle", "bottom") if width == "column" else ("Left", "middle", "right")
    text = (
        f"Phase diagram of the two-layer cubic CNN, {data.sizes['x']} × {data.sizes['y']} cells, median over {seeds} "
        f"seed{'s' * (seeds > 1)} ({_set(data, p)}). {first}: test accuracy on small-margin data by the exact law (1/2 "
        f"is chance); {second}: the feature over what the small margin needs; {third}: the memorized noise. Grey: "
        "diverged."
    )
    if "clock" in data:
        clock = _clock(data)
        race = (
            f"Race law 1 − γ = 2ηL₁(0)/c*², 1/c* = β + 1.5β³μ ηT₁, with ηT₁ = {clock:.0f} measured on GD and no fitted "
            "constant; two-body race (feature and one noise patch, iterated): equal parts of the margin, nothing "
            "fitted; c"
        )
        text += f" Top row: plain GD. {race if math.isfinite(clock) else 'C'}oasting alone: 1 − γ = 2ηL₁(0)β²"
        if math.isfinite(kappa):
            text += (
                f"; overshoot: η = κ/(αβ) with κ = {kappa:.2g} fitted on the first seed (the claims on GD assume "
                f"η ≤ 1/(4αβ) = {overshoot_rate(p):.2g})"
            )
        text += "."
    return text


PICTURES = (Picture("phase", draw, caption),)
