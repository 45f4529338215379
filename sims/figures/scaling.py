"""Hitting times and final coefficients against the dimension, predicted exponents, and a wrong scaling beside."""

from __future__ import annotations

__all__ = ["PICTURES", "caption", "draw"]

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lemmascope.sims.figures.common import COLUMN, FEATURE, NOISE, settle, shade, styled
from lemmascope.sims.pictures import Picture
from lemmascope.sims.studies.scaling import Settings, samples
from lemmascope.sims.study import Result
from lemmascope.theory.cubic_cnn.claims.scaling import EXPONENTS
from lemmascope.theory.cubic_cnn.scaling import PAPER
from lemmascope.theory.verdict import Verdict

PANELS = {
    "T_0": r"$\eta T_0$: the feature is found",
    "T_1": r"$\eta T_1$: the noise is memorized",
    "c_max": r"$\max_r c_r(T)$: the feature at the end",
}
COLOURS = {"GD": NOISE, "GD+M": FEATURE}
MARKS = {"GD": "o", "GD+M": "s"}
WRONG = "0.6"


def _points(axis: Axes, values: xr.DataArray, colour: str, mark: str, filled: bool) -> np.ndarray:
    """Geometric means with twice their standard error; (sizes, 2) of d and mean."""
    found = []
    for d, row in zip(values.d.values, values.transpose("d", "seed").values, strict=True):
        logs = np.log([x for x in row if np.isfinite(x) and x > 0])
        if logs.size:
            error = logs.std(ddof=1) / np.sqrt(logs.size) if logs.size > 1 else 0.0
            found.append((d, np.exp(logs.mean()), np.exp(logs.mean() - 2 * error), np.exp(logs.mean() + 2 * error)))
    points = np.array(found).reshape(-1, 4)
    axis.errorbar(
        points[:, 0],
        points[:, 1],
        np.abs(points[:, 2:].T - points[:, 1]),
        fmt=mark,
        color=colour,
        markersize=3.2,
        markerfacecolor=colour if filled else "white",
        markeredgewidth=0.7,
        elinewidth=0.7,
        linestyle="none",
        zorder=3 if filled else 2,
    )
    return points[:, :2]


def _slope(verdict: Verdict | None) -> str:
    """As fitted, with its interval, where there is one."""
    if verdict is None or verdict.computed is None or "interval" not in verdict.evidence:
        return "no slope"
    low, high = verdict.evidence["interval"]
    return f"{verdict.computed:.3f} [{low:.3f}, {high:.3f}]"


def draw(result: Result[Settings], width: str = "text") -> Figure:
    """The figure of a scaling study; one panel a quantity."""
    data, by_claim = result.data["scaling"], {v.claim: v for v in result.verdicts}
    with styled():
        column = width == "column"
        figure = Figure(figsize=(COLUMN, 5.6) if column else (6.75, 2.6), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(*((3, 1) if column else (1, 3)), sharex=True)
        for axis, (quantity, title) in zip(axes, PANELS.items(), strict=True):
            texts: list[tuple[str, Any]] = []
            for id, (of, name) in EXPONENTS.items():
                if of != quantity:
                    continue
                colour, exponent = COLOURS[name], PAPER.predicted()[of, name]
                _points(axis, samples(data, name, "wrong")[quantity], WRONG, MARKS[name], filled=False)
                points = _points(axis, samples(data, name, "paper")[quantity], colour, MARKS[name], filled=True)
                if len(points):
                    # The predicted exponent through the middle of the points: only its slope is predicted.
                    middle = np.exp(np.mean(np.log(points[:, 1])) - exponent * np.mean(np.log(points[:, 0])))
                    axis.plot(points[:, 0], middle * points[:, 0] ** exponent, color=colour, linewidth=1.0)
                texts.append(
                    (f"{name}  {_slope(by_claim.get(id))}, predicted {exponent:.3f}".replace("-", "−"), shade(colour))
                )
            for k, (text, colour) in enumerate(texts):
                up = 1.02 + (0.1 if column else 0.075) * (len(texts) - 1 - k)
                axis.text(0.0, up, text, transform=axis.transAxes, fontsize=6, color=colour)
            axis.set(xscale="log", yscale="log")
            axis.set_title(title, pad=24)
        for axis in axes[-1:] if column else axes:
            axis.set_xlabel("dimension $d$")
        handles = [
            *(axes[0].plot([], [], MARKS[n], color=COLOURS[n], markersize=3.2, label=n)[0] for n in COLOURS),
            axes[0].plot([], [], "-", color="0.3", linewidth=1, label="predicted exponent")[0],
            axes[0].plot(
                [], [], "o", color=WRONG, markerfacecolor="white", markersize=3.2, label="wrong scaling (control)"
            )[0],
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=2 if column else 4)
        settle(figure)
        return figure


def caption(result: Result[Settings]) -> str:
    """What is seen, with the horizon and the work."""
    data = result.data["scaling"]
    d, T = data.d.values, data.iterations.sel(scaling="paper").max("seed")
    hit = int(np.isfinite(data.T_1.sel(scaling="paper", optimizer="GD+M")).sum())
    return (
        f"Scaling with the dimension, d = {d[0]:g} to {d[-1]:g} by the exact law, geometric mean over "
        f"{data.sizes['seed']} draws with twice its standard error. Lines have the predicted exponents; above each "
        "panel the fitted slope with its 95 % bootstrap interval. Times in η·iterations. Open grey marks: a "
        "deliberately wrong scaling (α = d^0.15, β = d^−0.35, σ₀ = d^−0.375), whose slopes must differ. Runs are "
        f"{float(T.min()):.1g} to {float(T.max()):.1g} iterations long, followed by fast-forward. GD+M need not "
        f"memorize: T₁ is reached on {hit} of {data.sizes['d'] * data.sizes['seed']} of its runs."
    )


PICTURES = (Picture("scaling", draw, caption),)
