"""Settling along the valley at its own scale: one curve for all η, best 1 − β, paths, and the gain over SGD."""

from __future__ import annotations

__all__ = ["PICTURES"]

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from lemmascope.sims.figures.common import FEATURE, LARGE, NOISE, SMALL, beside, settle, styled
from lemmascope.sims.pictures import Picture
from lemmascope.sims.studies.flatter_faster import FLOOR, PATHS, Settings
from lemmascope.sims.study import Result
from lemmascope.theory.noise import flatter_faster as scaling
from lemmascope.theory.noise.flatter_faster import CRITERIA

COLOURS = (FEATURE, NOISE, LARGE, SMALL)
MARKS = "os^Dv"
LINES = ("-", "--", "-.", ":")
SCALED = r"$(\eta s)^{2/3}$"
BEST = r"$C^* = (1-\beta^*)/(\eta s)^{2/3}$"
Q = 0.025, 0.975


def _columns(width: str, most: int) -> int:
    """Of a legend."""
    return 2 if width == "column" else most


def _power(x: float) -> str:
    return f"10^{{{np.log10(x):g}}}"


def collapse(result: Result[Settings], width: str = "text") -> Figure:
    """Scaled settling and hitting times against C, all η and the averaged equations; then by η."""
    data, limit = result.data["settling"], result.data["limit"]
    arrival = result.data["arrival"]
    with styled():
        figure, (left, right) = beside(2, width, 2.4)
        for k, eta in enumerate(sorted(data["eta"].values.tolist(), reverse=True)):
            one = data.sel(eta=eta)["curve"]
            every = max(1, one.sizes["C"] // 20)
            left.plot(
                one["C"][k::every],
                one.sel(criterion=CRITERIA[0])[k::every],
                MARKS[k % 5],
                color=(*COLOURS, "0.2")[k % 5],
                markersize=2.6,
                markerfacecolor="none",
                markeredgewidth=0.6,
                linestyle="none",
                label=rf"$\eta = {_power(eta)}$",
            )
        C = limit["C_drawn"]
        inside = C.clip(float(data["C"].min()), float(data["C"].max())) == C
        left.plot(C[inside], limit["settle"].sel(r=0.1)[inside], color="0.3", linewidth=0.8, label="averaged equations")
        left.set(xlabel=r"$C = (1-\beta)/(\eta s)^{2/3}$", ylabel=f"settle(0.1) · {SCALED}")
        left.set_title("one curve for every learning rate")
        right.plot(C, limit["settle"].sel(r=0.1), color=FEATURE, linewidth=1.0, label="settle(0.1)")
        right.plot(C, limit["settle"].sel(r=0.01), "--", color=NOISE, linewidth=1.0, label="settle(0.01)")
        right.plot(arrival["C"], arrival["hit"], "-.", color=LARGE, linewidth=1.0, label="hit(0.1)")
        for r, colour in ((0.1, FEATURE), (0.01, NOISE)):
            found = data.sel(criterion=f"settle({r:g})").isel(eta=0)
            one = float(found["epsilon"]) / scaling.scale(float(found["eta"]), 1.0)
            right.plot([one], [float(found["time"]) * scaling.scale(float(found["eta"]), 1.0)], "o", color=colour, ms=4)
        right.set(xscale="log", yscale="log", xlim=(0.02, 5), ylim=(2, 100), xlabel="$C$", ylabel=f"time · {SCALED}")
        right.set_yticks([2, 5, 10, 20, 50, 100], ["2", "5", "10", "20", "50", "100"])
        right.set_yticks([], minor=True)
        right.set_title("arrival has no optimum")
        handles, labels = left.get_legend_handles_labels()
        more, named = right.get_legend_handles_labels()
        figure.legend(handles + more, labels + named, loc="outside lower center", ncols=_columns(width, 5))
        settle(figure)
        return figure


def collapse_caption(result: Result[Settings]) -> str:
    """What is seen."""
    etas = result.data["settling"]["eta"].values
    return (
        f"Exact moments, infinitely many directions across, s = q = 1, η from {etas.max():g} to {etas.min():g}: the "
        "last step with |x| > 0.1, times (ηs)^(2/3), against C. All η lie on the averaged equations' curve; it jumps "
        "where the overshoot is as large as the target, and is least there. Second panel: dots mark the optima of "
        "settling; the hitting time falls all the way as C falls, and has none."
    )


def _intervals(one: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """C* and the distances to the ends of its bootstrap interval (2, size)."""
    C = np.exp(one["log_C"].values)
    low, high = np.exp(np.quantile(one["resampled"].transpose("draw", "size").values, Q, axis=0))
    return C, np.maximum([C - low, high - C], 0.0)


def optimum(result: Result[Settings], width: str = "text") -> Figure:
    """The best 1 − β against η with slope ⅔; C* of replicas against the noise floor."""
    data, sample = result.data["settling"].sortby("eta"), result.data["sampled"]
    eta = data["eta"].values
    with styled():
        figure, (left, right) = beside(2, width, 2.4)
        left.plot(
            eta, 1.26 * scaling.scale(eta, 1.0), ":", color="0.4", linewidth=0.8, label=r"$(2\eta^2)^{1/3}$, rate"
        )
        for k, name in enumerate(CRITERIA):
            left.plot(eta, data["epsilon"].sel(criterion=name), MARKS[k], ms=3.5, color=COLOURS[k], label=name)
            at = float(data["epsilon"].sel(criterion=name)[0]) / scaling.scale(eta[0], 1.0)
            left.plot(eta, at * scaling.scale(eta, 1.0), color=COLOURS[k], linewidth=0.6)
        left.set(xscale="log", yscale="log", xlabel=r"$\eta$", ylabel=r"best $1-\beta$")
        left.set_title("slope 2/3 by every criterion")
        for k, name in enumerate(sample["model"].values.tolist()):
            one = sample.sel(model=name)
            C, error = _intervals(one)
            curve = name.startswith("uv")
            label = name.replace("uv = 1", "$uv = 1$").replace("n = ", "$n = $").replace("s = 1", "$s = 1$")
            right.errorbar(
                one["noise_floor"] * one["n"],
                C,
                error,
                fmt=MARKS[k % 5],
                color=COLOURS[3 if name == FLOOR else 1 if curve else 2 if not name.startswith("n = 1") else 0],
                markerfacecolor="none" if "s = 1" in name else None,
                markersize=3,
                markeredgewidth=0.7,
                elinewidth=0.6,
                label=label + ("" if "," in name else f", $s = {result.settings.s:g}$"),
            )
        best = float(data["epsilon"].sel(criterion="ISE")[0]) / scaling.scale(eta[0], 1.0)
        right.axhline(best, color="0.4", linewidth=0.6, linestyle=(0, (4, 2)), label=r"$n = \infty$")
        right.set(xscale="log", xlabel=r"$\eta^{1/3}s^{4/3}$", ylabel=BEST, ylim=(0.5, 1.75))
        right.set_title("what bends it: strong noise, few directions")
        handles, labels = left.get_legend_handles_labels()
        more, named = right.get_legend_handles_labels()
        figure.legend(handles + more, labels + named, loc="outside lower center", ncols=_columns(width, 4))
        settle(figure)
        return figure


def optimum_caption(result: Result[Settings]) -> str:
    """What is seen."""
    return (
        "First panel: the best 1 − β by exact moments (s = q = 1) and lines of slope 2/3; the dotted one is the "
        f"fastest asymptotic rate. Second panel: the best C by ISE of {result.settings.replicas} replicas (bars: "
        "bootstrap, 95 %) against η^(1/3)s^(4/3), on which it depends alone: it grows where that is large, which bends "
        "the bare exponent at s = 1, and stays where s ∝ η^(−1/4) holds it (fixed floor). More directions n bend it "
        "less. uv = 1 has another constant, and started nearer."
    )


def paths(result: Result[Settings], width: str = "text") -> Figure:
    """x against scaled time at four C's."""
    data, limit = result.data["paths"], result.data["limit"]
    with styled():
        figure, (axis,) = beside(1, width, 2.4)
        for k, C in enumerate(PATHS[1]):
            axis.plot(data["time"], data["x"].sel(C=C), LINES[k], color=COLOURS[k], linewidth=1.0, label=f"$C = {C:g}$")
            axis.plot(limit["time"][::20], limit["path"].sel(C_path=C)[::20], ".", color=COLOURS[k], markersize=2.5)
        for level in (0.1, -0.1):
            axis.axhline(level, color="0.6", linewidth=0.5, linestyle=(0, (1, 1.5)))
        axis.set(xlabel=r"$k\,(\eta s)^{2/3}$", ylabel="$x_k$", xlim=(0, 20), ylim=(-0.55, 1.05))
        figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=_columns(width, 4))
        settle(figure)
        return figure


def paths_caption(result: Result[Settings]) -> str:
    """What is seen."""
    return (
        f"The way along the valley at η = {PATHS[0]:g}, s = q = 1, by exact moments (lines) and by the averaged "
        "equations (dots): too much momentum overshoots (C = 0.3), too little creeps (C = 3); C = 1.26 is critically "
        "damped, and at C = 0.875 the overshoot is just the 10 % that settle(0.1) allows (dotted lines)."
    )


def gain(result: Result[Settings], width: str = "text") -> Figure:
    """SGD's settling time over momentum's at equal temperature, and the bound of the rates."""
    data, limit = result.data["gain"], result.data["limit"]
    with styled():
        figure, (left, right) = beside(2, width, 2.3)
        C = data["C"].values
        finely = np.sort(np.append(np.geomspace(C[0], C[-1], 400), 2 ** (1 / 3)))  # where the rates' ratio is 2
        left.plot(finely, scaling.gain(np, finely**3), color="0.3", linewidth=0.8, label="rates, $r \\to 0$")
        for k, r in enumerate(data["r"].values.tolist()):
            left.plot(C, data["ratio"].sel(r=r), LINES[k], color=COLOURS[k], linewidth=1.0, label=f"settle({r:g})")
        left.axhline(2, color="0.5", linewidth=0.6, linestyle=(0, (1, 1.5)))
        left.axhline(1, color="0.7", linewidth=0.5)
        left.set(xscale="log", xlabel="$C$", ylabel="SGD's time over momentum's", ylim=(0, 2.2))
        left.set_xticks([0.3, 0.5, 1, 2, 5], ["0.3", "0.5", "1", "2", "5"])
        left.set_xticks([], minor=True)
        left.set_title("gain at equal temperature")
        right.plot(limit["fine"], limit["most"], "o-", color=LARGE, markersize=3, linewidth=0.8)
        right.axhline(2, color="0.5", linewidth=0.6, linestyle=(0, (1, 1.5)))
        right.set(xscale="log", xlabel="$r$", ylabel="largest gain over $C$", ylim=(1, 2.2))
        right.invert_xaxis()
        right.set_title("settling passes 2 where rates cannot")
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=_columns(width, 3))
        settle(figure)
        return figure


def gain_caption(result: Result[Settings]) -> str:
    """What is seen."""
    most = result.data["limit"]["most"]
    return (
        "Settling time of SGD at η/(1−β) over that of momentum at η and β, which have the same stationary moments "
        "(exact moments, η = 10⁻⁵), and the ratio of their asymptotic rates, at most 2 and only at C³ = 2q. Below C "
        "near 1 momentum loses. Second panel, the averaged equations: the largest ratio over C of settling to r passes "
        f"2 below r = 10⁻³, to {float(most.max()):.3f}, for settling ends before the overshoot, ahead of the rate."
    )


PICTURES: tuple[Any, ...] = (
    Picture("collapse", collapse, collapse_caption),
    Picture("optimum", optimum, optimum_caption),
    Picture("paths", paths, paths_caption),
    Picture("gain", gain, gain_caption),
)
