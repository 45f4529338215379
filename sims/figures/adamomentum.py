"""AdaMomentum: steps against the signal, temperature against the rate, regret in time, small margins by rate."""

from __future__ import annotations

__all__ = ["PICTURES"]

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lemmascope.sims.figures.common import FEATURE, LARGE, NOISE, NOISE_LIGHT, SMALL, beside, settle, styled
from lemmascope.sims.noise.adamomentum import Case
from lemmascope.sims.pictures import Picture
from lemmascope.sims.studies.adamomentum import BETA1, BETA2, MARGIN_BETA2, OPTIMIZERS, Settings, first_eta
from lemmascope.sims.study import Result
from lemmascope.theory.noise import adamomentum as theory
from lemmascope.theory.noise.adamomentum import CELLS, SERIES

OURS, ADAM = FEATURE, NOISE
COLOURS = {"AdaMomentum": OURS, "Adam": ADAM}
MATCHED_TITLE = r"AdaMomentum at $\sqrt{a}\,\eta$"


def _bars(values: Any) -> tuple[np.ndarray, np.ndarray]:
    """Means over seeds and two standard errors."""
    seeds = values.sizes["seed"]
    return values.mean("seed").values, 2 * values.std("seed", ddof=1).values / seeds**0.5


def steps(result: Result[Settings], width: str = "text") -> Figure:
    """Mean and r.m.s. noise of u against μ/s."""
    data = result.data["moments"]
    fine = np.geomspace(0.02, 5, 200)
    with styled():
        figure, axes = beside(2, width, 2.3)
        for name, colour in COLOURS.items():
            V = theory.second_moment(fine, 1.0, BETA1, momentum=name == "AdaMomentum")
            mean, variance = theory.step_moments(fine, 1.0, BETA1, V)
            one = data.sel(optimizer=name)
            for axis, line, seen in ((axes[0], mean, one["mean"]), (axes[1], variance**0.5, one["variance"] ** 0.5)):
                axis.plot(fine, line, color=colour, linewidth=0.9)
                value, error = _bars(seen)
                mark = "o" if name == "AdaMomentum" else "s"
                axis.errorbar(
                    data["mu"], value, error, fmt=mark, color=colour, markersize=3.2, linewidth=0.8, label=name
                )
        for axis, text in zip(axes, (r"mean of $u$", r"standard deviation of $u$"), strict=True):
            axis.set(xscale="log", yscale="log", xlabel=r"$\mu/s$", ylabel=text)
        axes[0].legend(loc="lower right")
        settle(figure)
        return figure


def steps_caption(result: Result[Settings]) -> str:
    """The setting."""
    s = result.settings
    a = float(theory.attenuation(BETA1))
    return (
        f"Mean and standard deviation of the steps u, a step being −ηu, against the signal μ/s of gradients μ + sξ; "
        f"β₁ = {BETA1:g}, β₂ = {BETA2:g}, {s.seeds * s.copies} copies, bars of two standard errors. Lines: μ/√V and "
        f"√a s/√V. In both panels AdaMomentum is above Adam by κ = √((μ²+s²)/(μ²+as²)), which is {a**-0.5:.2f} = 1/√a "
        "where noise dominates and 1 where there is none: a larger rate, and the same signal to noise."
    )


def temperature(result: Result[Settings], width: str = "text") -> Figure:
    """Stationary Var x against η."""
    data = result.data["temperature"]
    etas = data["eta"].values
    fine = np.geomspace(etas.min(), etas.max(), 60) if len(etas) > 1 else etas
    root = float(theory.attenuation(BETA1)) ** 0.5
    looks = {"Adam": (ADAM, "s", "Adam", "-"), "AdaMomentum": (OURS, "o", "AdaMomentum", "-")}
    looks[SERIES[2]] = (LARGE, "^", MATCHED_TITLE, "--")
    with styled():
        figure, axes = beside(2, width, 2.4)
        stated = {}
        for name, (colour, mark, label, line) in looks.items():
            rate = root if name == SERIES[2] else 1.0
            cases = [Case(name != "Adam", BETA1, BETA2, h=1.0, eta=rate * float(eta)) for eta in fine]
            stated[name] = np.array([case.exact[2] for case in cases])
            axes[0].plot(fine, stated[name], line, color=colour, linewidth=0.9)
            value, error = _bars(data["square"].sel(series=name))
            axes[0].errorbar(etas, value, error, fmt=mark, color=colour, markersize=3.2, linewidth=0.8, label=label)
        adam = data["square"].sel(series="Adam")
        for name in (SERIES[1], SERIES[2]):
            colour, mark, label, line = looks[name]
            axes[1].plot(fine, stated[name] / stated["Adam"], line, color=colour, linewidth=0.9)
            ratio = data["square"].sel(series=name) / adam.mean("seed")
            axes[1].plot(etas, ratio.mean("seed"), mark, color=colour, markersize=3.2)
        axes[0].set(xscale="log", yscale="log", xlabel=r"$\eta$", ylabel=r"$\mathrm{Var}\,x$")
        axes[1].axhline(1 / root, color="0.6", linewidth=0.6, linestyle=":")
        axes[1].axhline(1, color="0.6", linewidth=0.6, linestyle=":")
        axes[1].set(xscale="log", xlabel=r"$\eta$", ylabel=r"$\mathrm{Var}\,x$ over Adam's", ylim=(0, 5.2))
        axes[0].legend(loc="upper left")
        settle(figure)
        return figure


def temperature_caption(result: Result[Settings]) -> str:
    """What the lines are."""
    s = result.settings
    return (
        f"Stationary variance of x on ½x² with noise of variance 1 against the learning rate; β₁ = {BETA1:g}, β₂ = "
        f"{BETA2:g}, {s.seeds * s.copies} copies, bars of two standard errors. Lines: the average form at the rate "
        "η/√V, V being the second moment that it brings about; nothing is fitted. At equal η AdaMomentum is hotter by "
        "1/√a and more (dotted: 1/√a and 1); at √a times the rate it is as hot as Adam."
    )


def regret(result: Result[Settings], width: str = "text") -> Figure:
    """Average regret against the round."""
    data = result.data["regret"]["regret"]
    cells = (0, 4)
    with styled():
        figure, axes = beside(len(cells), width, 2.3)
        for axis, cell in zip(axes, cells, strict=True):
            beta1, beta2, p, C = CELLS[cell]
            one = data.sel(cell=cell)
            looks = (
                ("Adam", ADAM, "-", "Adam"),
                ("AdaMomentum", OURS, "--", "AdaMomentum"),
                ("AMSGrad", NOISE_LIGHT, "-", "AMSGrad"),
                ("AMSAdaMomentum", LARGE, "--", r"AdaMomentum, largest $v$"),
            )
            for kind, colour, line, label in looks:
                axis.plot(one["round"], np.maximum(one.sel(kind=kind), 1e-4), line, color=colour, label=label)
            axis.axhline(0.1, color="0.6", linewidth=0.6, linestyle=":")
            axis.set(xscale="log", yscale="log", xlabel="rounds $T$")
            axis.set_title(rf"$\beta_1 = {beta1:g}$, $\beta_2 = {beta2:g}$, $p = {p}$, $C = {C:g}$")
        axes[0].set_ylabel("average regret")
        figure.legend(
            *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2 if width == "column" else 4
        )
        settle(figure)
        return figure


def regret_caption(result: Result[Settings]) -> str:
    """The losses."""
    found = result.data["regret"]["regret"].isel(round=-1, cell=0)
    ours, repaired = (float(found.sel(kind=kind)) for kind in ("AdaMomentum", "AMSAdaMomentum"))
    return (
        "Average regret on the losses g x on [−1, 1], g = C once in each period of p rounds and −1 else, η_t = ½/√t. "
        "Left, where β₁ = 0 and AdaMomentum is Adam: x = 1 at the start of every period, and the regret stays at "
        f"{ours:.3f}. The largest v so far in place of v repairs it: {repaired:.4f}. Dotted: 0.1."
    )


def margins(result: Result[Settings], width: str = "text") -> Figure:
    """Small-margin accuracy by η, and AdaMomentum's steps of a constant gradient."""
    data = result.data["margin"]["small"]
    etas = [float(x) for x in data["eta"].values]
    looks = {
        "Adam": (ADAM, "", "Adam"),
        "AdaMomentum": (OURS, "", "AdaMomentum"),
        "Adam, started": (NOISE_LIGHT, "//", r"Adam at $\eta u_t$"),
        "AdaMomentum, not started": (SMALL, "//", r"AdaMomentum at $\eta/u_t$"),
    }
    with styled():
        figure, axes = beside(2, width, 2.4)
        wide = 0.2
        for k, name in enumerate(OPTIMIZERS):
            colour, hatch, label = looks[name]
            one = data.sel(optimizer=name)
            places = [j for j in range(len(etas)) if not bool(one.isel(eta=j).isnull().all())]
            value = [float(one.isel(eta=j).mean("seed")) for j in places]
            ends = np.array([[float(one.isel(eta=j).min()), float(one.isel(eta=j).max())] for j in places]).T
            error = np.abs(ends - np.array(value))
            x = np.array(places) + (k - 1.5) * wide
            axes[0].bar(x, value, wide, color=colour, hatch=hatch, edgecolor="white", linewidth=0.4, label=label)
            axes[0].errorbar(x, value, error, fmt="none", ecolor="0.2", linewidth=0.7)
        axes[0].axhline(0.5, color="0.6", linewidth=0.6, linestyle=":")
        axes[0].set_xticks(range(len(etas)), [f"{eta:g}" for eta in etas])
        axes[0].set(xlabel=r"$\eta$", ylabel="small-margin accuracy", ylim=(0.4, 1.0))
        axes[0].legend(loc="upper left", handlelength=1.2)
        t = np.arange(1, 1001)
        axes[1].plot(t, [theory.start(int(k), BETA1, MARGIN_BETA2) for k in t], color=OURS)
        axes[1].axhline(1, color=ADAM, linewidth=0.9)
        axes[1].set(xscale="log", yscale="log", xlabel="iteration $t$", ylabel=r"$u_t$, constant gradient")
        axes[1].set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
        axes[1].set_yticks([], minor=True)
        settle(figure)
        return figure


def margins_caption(result: Result[Settings]) -> str:
    """The setting, and what the first steps do."""
    s = result.settings
    return (
        f"Left: accuracy on fresh small margins of the central data after {s.margin_steps} full-batch iterations, "
        f"means over {s.draws} data sets, bars from least to largest. Hatched, at η = {first_eta(s.margin_etas):g}: "
        "Adam with the first steps of AdaMomentum, and AdaMomentum without them. Right: those steps for a constant "
        f"gradient, where Adam's u is 1: the first is 1/(1−β₁) = {1 / (1 - BETA1):.3g}."
    )


PICTURES: tuple[Any, ...] = (
    Picture("steps", steps, steps_caption),
    Picture("temperature", temperature, temperature_caption),
    Picture("regret", regret, regret_caption),
    Picture("margins", margins, margins_caption),
)
