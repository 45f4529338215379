"""Local SGD: the drift's ratio in closed form, two ways down a valley, smaller rates, the straight valley."""

from __future__ import annotations

__all__ = ["PICTURES"]

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lemmascope.sims.figures.common import FEATURE, LARGE, NOISE, NOISE_LIGHT, SMALL, beside, settle, styled
from lemmascope.sims.pictures import Picture
from lemmascope.sims.studies.local_sgd import BUDGET, STRAIGHT_ETA, STRAIGHT_K, VALLEY, WINDOW_ETA, Settings, by_rule
from lemmascope.sims.study import Result
from lemmascope.theory.noise import local_sgd as theory
from lemmascope.theory.noise.local_sgd import RULES

COLOURS = (FEATURE, NOISE, LARGE, SMALL, NOISE_LIGHT)
SHOWN = (0.05, 0.1, 0.2, 0.34, 0.8)
"""η²s²k/K of the places in the plane."""

MARKS = ("o", "s", "^", "D", "v")
RULE_NAMES = ("", "$H = 4$", r"$H = 0.32/\eta$", r"$H = 0.0128/\eta^2$")


def _measured(fall: Any, base: Any) -> tuple[float, float]:
    """R̂ with its standard error."""
    whole = float(base.mean())
    R = float(fall.mean()) / whole
    return R, float((fall - R * base).std(ddof=1)) / whole / base.sizes["seed"] ** 0.5


def ratio(result: Result[Settings], width: str = "text") -> Figure:
    """R against ηH, a curve for each number of workers."""
    s, lengths, several = result.settings, result.data["lengths"], result.data["workers"]
    h_0 = theory.sharpness(s.z_0)
    with styled():
        figure, (axis,) = beside(1, width, 2.6)
        each = {K: several.sel(K=K) for K in s.several_K if K != s.K} | {s.K: lengths}
        H = np.geomspace(1, 4 * max(s.lengths), 300)
        axis.axhspan(1 / 1.03, 1.03, color="0.85", linewidth=0)
        for k, K in enumerate(sorted(each)):
            colour, data = COLOURS[k % len(COLOURS)], each[K]
            axis.plot(s.eta * H, theory.drift_ratio(K, H, s.eta * h_0), color=colour, linewidth=0.9)
            axis.axhspan(K / 1.03, 1.03 * K, color="0.85", linewidth=0)
            at = [one for one in data["H"].values.tolist() if one > 1]
            found = np.array([_measured(data["fall"].sel(H=one), data["fall"].sel(H=1)) for one in at])
            axis.errorbar(
                s.eta * np.array(at, float),
                found[:, 0],
                2 * found[:, 1],
                fmt=MARKS[k % len(MARKS)],
                color=colour,
                markersize=3.2,
                elinewidth=0.6,
                linestyle="none",
                label=f"$K = {K}$",
            )
        axis.set(xscale="log", yscale="log", xlabel=r"$\eta H$", ylabel=r"drift's ratio $R$ to parallel SGD")
        axis.set_yticks([1, 2, 4, 8, 16, 32], ["1", "2", "4", "8", "16", "32"])
        axis.set_yticks([], minor=True)
        axis.set_xlim(s.eta, 4 * s.eta * max(s.lengths))
        axis.set_ylim(0.93, 1.2 * max(each))
        figure.legend(loc="outside lower center", ncols=3)
        settle(figure)
        return figure


def ratio_caption(result: Result[Settings]) -> str:
    """The setting."""
    s = result.settings
    return (
        f"How much faster u² − v² falls along uv = 1 with H local steps between averages than with one, by number of "
        f"workers K; η = {s.eta:g}, label noise s = {s.s:g}, {s.steps} local steps, {s.seeds} replicas, bars of two "
        "standard errors. Lines: K − (K − 1)φ with h as it is at the start, φ = (1 − a^{2H})/(H(1 − a²)), a = 1 − ηh; "
        "nothing is fitted. Grey: its ends, 1 and K."
    )


def valley(result: Result[Settings], width: str = "text") -> Figure:
    """Both ways in the plane, u² − v² and the sharpness in time."""
    s, data = result.settings, result.data["window"].isel(H=[0, -1])
    budget, mean = data["budget"].values, data[["u", "v", "budget"]].mean("seed")
    (gaps,) = (e.data for e in result.evidence if e.role == "window")
    peak = float(gaps["peak"][-1])
    with styled():
        figure, (plane, along, sharp) = beside(3, width, 2.2)
        _plane(plane, mean, s.z_0)
        for axis, name, label in ((along, "z", "$u^2 - v^2$"), (sharp, "h", "sharpness $h$")):
            _both(axis, data, name)
            axis.set(xlabel=r"$\eta^2 s^2 k/K$", ylabel=label, xlim=(0, budget[-1]))
        along.axvline(peak, color="0.35", linewidth=0.6, linestyle=(0, (4, 2)))
        along.annotate(
            r"$\ln R/(R-1)$",
            (peak, 0.93),
            xycoords=("data", "axes fraction"),
            xytext=(3, 0),
            textcoords="offset points",
            fontsize=7,
            color="0.2",
        )
        figure.legend(*along.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        settle(figure)
        return figure


def _plane(axis: Axes, mean: Any, z_0: float) -> None:
    """Where both are after equal numbers of steps, drawn beside uv = 1: parallel SGD outside, Local SGD inside."""
    budget, u = mean["budget"].values, np.linspace(0.9, 2.0, 200)
    axis.plot(u, 1 / u, color="0.75", linewidth=2, zorder=1)
    shown = [int(np.argmin(np.abs(budget - x))) for x in SHOWN]
    sides = []
    for k, (scale, mark) in enumerate(((1.08, "o"), (1 / 1.08, "s"))):
        at = np.stack([mean[name].isel(H=k).values[shown] for name in ("u", "v")], -1)
        at /= np.sqrt(at[:, :1] * at[:, 1:])
        sides.append(scale * at)
        drawn = axis.scatter(
            sides[-1][:, 0],
            sides[-1][:, 1],
            c=np.sum(at * at, axis=-1),
            cmap="viridis_r",
            vmin=2,
            vmax=theory.sharpness(z_0),
            marker=mark,
            s=20,
            zorder=3,
            edgecolors=(FEATURE, NOISE)[k],
            linewidths=0.9,
        )
    for a, b in zip(*sides, strict=True):
        axis.plot([a[0], b[0]], [a[1], b[1]], color="0.6", linewidth=0.5, zorder=2)
    axis.set(xlabel="$u$", ylabel="$v$")
    figure = axis.get_figure(root=True)
    assert figure is not None
    figure.colorbar(drawn, ax=axis, label="sharpness $h$", location="top", fraction=0.06, pad=0.03)


def _both(axis: Axes, data: Any, name: str) -> None:
    """Means of both with the gap shaded, and what is predicted."""
    budget, mean = data["budget"].values, data[name].mean("seed")
    names = ("parallel SGD", f"Local SGD, $H = {int(data['H'][-1])}$")
    axis.fill_between(budget, *mean.values, color="0.9", linewidth=0)
    for k, (colour, line) in enumerate(((FEATURE, "-"), (NOISE, "--"))):
        axis.plot(budget, mean.isel(H=k), line, color=colour, linewidth=1.3, label=names[k])
        axis.plot(budget, data[f"{name}_predicted"].isel(H=k), color="0.1", linewidth=0.5)


def valley_caption(result: Result[Settings]) -> str:
    """The setting, and where the gaps peak."""
    s, data = result.settings, result.data["window"]
    (gaps,) = (e.data for e in result.evidence if e.role == "window")
    tops = {name: float(gaps["budget"][int(gaps[f"{name}_predicted"].isel(H=-1).argmax("record"))]) for name in "zh"}
    return (
        f"Parallel SGD and Local SGD with H = {int(data['H'][-1])} along uv = 1, K = {s.K}, η = {WINDOW_ETA:g}, "
        f"means of {s.window_seeds} replicas. First panel: where both are after the same numbers of local steps, "
        "joined by lines; circles outside of the valley are parallel SGD, squares inside Local SGD. Others: u² − v² "
        "and the sharpness in time, thin lines as predicted. The gap in u² − v² is widest at "
        f"{tops['z']:.2f}, where ln R/(R − 1) says, that in the sharpness at {tops['h']:.2f}; both close in the end, "
        "at the flattest point."
    )


def rates(result: Result[Settings], width: str = "text") -> Figure:
    """R − 1 against η for three rules of H."""
    data, s = result.data["rates"], result.settings
    eta = np.array([BUDGET / H for H in data["H"].values])
    predicted = data["predicted"] / data["predicted"].isel(rule=0)
    with styled():
        figure, (axis,) = beside(1, width, 2.4)
        for k in range(1, len(RULES)):
            colour = COLOURS[k - 1]
            each = [_measured(data["fall"].isel(H=j, rule=k), data["fall"].isel(H=j, rule=0)) for j in range(len(eta))]
            found = np.array(each)
            axis.plot(eta, predicted.isel(rule=k) - 1, color=colour, linewidth=0.9)
            axis.errorbar(
                eta,
                found[:, 0] - 1,
                2 * found[:, 1],
                fmt=MARKS[k - 1],
                color=colour,
                markersize=3.5,
                elinewidth=0.6,
                linestyle="none",
                label=RULE_NAMES[k],
            )
        axis.axhline(s.K - 1, color="0.6", linewidth=0.6, linestyle=(0, (1, 1.5)))
        axis.annotate(
            "$K - 1$",
            (1, s.K - 1),
            xycoords=("axes fraction", "data"),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color="0.25",
        )
        axis.set(xscale="log", yscale="log", xlabel=r"$\eta$", ylabel="$R - 1$")
        axis.set_xticks([0.01, 0.02, 0.04], ["0.01", "0.02", "0.04"])
        axis.set_xticks([], minor=True)
        axis.set_yticks([0.5, 1, 2, 4, 8], ["0.5", "1", "2", "4", "8"])
        axis.set_yticks([], minor=True)
        axis.set_ylim(0.5, 1.25 * s.K)
        figure.legend(loc="outside lower center", ncols=3)
        settle(figure)
        return figure


def rates_caption(result: Result[Settings]) -> str:
    """What is seen."""
    s = result.settings
    steps = sorted(by_rule(int(H))[1] for H in result.data["rates"]["H"].values)
    return (
        "The gain R − 1 of Local SGD in drift against the learning rate, by three rules for H, at equal η²k "
        f"({steps[0]} to {steps[-1]} local steps), K = {s.K}, {s.seeds} replicas, bars of two standard errors; lines "
        "as predicted. With H fixed a smaller learning rate takes the gain away; H ∝ 1/η keeps it; with H ∝ 1/η² it "
        "climbs to K − 1."
    )


def straight(result: Result[Settings], width: str = "text") -> Figure:
    """Diffusion and E x² in the straight valley, over those of parallel SGD as stated."""
    (data,) = (e.data for e in result.evidence if e.role == "straight")
    H, more = data["H"].values, np.geomspace(1, float(data["H"][-1]), 100)
    curves = {
        "increment": np.ones_like(more),
        "square": theory.stationary_along(STRAIGHT_ETA, VALLEY, STRAIGHT_K, more),
    }
    with styled():
        figure, (axis,) = beside(1, width, 2.4)
        for name, colour, mark, label in (
            ("increment", FEATURE, "o", "diffusion along the valley"),
            ("square", NOISE, "s", r"$\mathrm{E}\,x^2$"),
        ):
            scale = float(data[f"{name}_stated"].sel(H=1))
            mean, error = data[name].mean("seed"), data[name].std("seed", ddof=1) / data.sizes["seed"] ** 0.5
            axis.plot(more, curves[name] / curves[name][0], color=colour, linewidth=0.9)
            axis.errorbar(
                H,
                mean / scale,
                2 * error / scale,
                fmt=mark,
                color=colour,
                markersize=3.5,
                elinewidth=0.6,
                linestyle="none",
                label=label,
            )
        axis.set(xscale="log", xlabel="$H$", ylabel="over parallel SGD's, as stated", ylim=(0, 1.15))
        axis.set_xticks(H, [str(one) for one in H])
        axis.set_xticks([], minor=True)
        figure.legend(loc="outside lower center", ncols=1 if width == "column" else 2)
        settle(figure)
        return figure


def straight_caption(result: Result[Settings]) -> str:
    """What is seen."""
    s = result.settings
    return (
        f"The straight valley with noise along it, K = {STRAIGHT_K}, η = {STRAIGHT_ETA:g}; {s.straight_seeds} runs, "
        "bars of two standard errors. The averaged parameters diffuse along the valley alike, whatever the number H of "
        "local steps between averages, and are pulled to its flattest point the harder the larger H: lines, the closed "
        "forms."
    )


PICTURES: tuple[Any, ...] = (
    Picture("ratio", ratio, ratio_caption),
    Picture("valley", valley, valley_caption),
    Picture("rates", rates, rates_caption),
    Picture("straight", straight, straight_caption),
)
