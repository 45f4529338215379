"""The stability gap: where it is bounded, in both forms; how it grows by epochs; how it falls with the samples."""

from __future__ import annotations

__all__ = ["PICTURES"]

import math
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from lemmascope.sims.figures.common import FEATURE, LARGE, NOISE, SMALL, beside, settle, styled, thin
from lemmascope.sims.pictures import Picture
from lemmascope.sims.studies.stability_gap import ACROSS_N, ALGORITHMS, EPOCHS, SHOWN, SPLIT, Settings, steps_of
from lemmascope.sims.study import Result
from lemmascope.theory.claim import Evidence
from lemmascope.theory.stability import edges
from lemmascope.theory.stability.claims.stability_gap import decay
from lemmascope.theory.stability.gap import EXPONENTS

COLOURS = dict(zip(ALGORITHMS, (FEATURE, NOISE, LARGE, SMALL, "0.2"), strict=True))
STRONGEST = 0.8
"""Decades an epoch at which the colours end."""

LEAVES, STAYS = "#117733", "#882255"
"""Of the lines that end up beyond the edge, and below it."""


def _edges(values: np.ndarray) -> np.ndarray:
    step = float(values[1] - values[0])
    return np.append(values - step / 2, values[-1] + step / 2)


def _lines(axis: Axes, form: str, n: int, eta: float) -> None:
    """Edges, and what both papers move along."""
    gamma = np.linspace(0, 0.9995, 800)
    scale = 1 / (1 - gamma) if form == "average" else np.ones_like(gamma)
    kinds: tuple[tuple[str, Any, dict[str, Any]], ...] = (
        ("random order", edges.share_edge(gamma, 1 / n), {"color": "k", "linewidth": 1.4}),
        ("cyclic order", edges.cyclic_edge(gamma, n), {"color": "k", "linewidth": 1.0, "linestyle": "--"}),
        ("$n = 1$, the heavy ball", edges.heavy_ball_edge(gamma), {"color": "k", "linewidth": 0.8, "linestyle": ":"}),
        (rf"$\eta = {eta:g}$ fixed: unbounded", eta + 0 * gamma, {"color": LEAVES, "linewidth": 1.6}),
        (rf"$\eta/(1 - \gamma) = {eta:g}$ fixed: bounded", eta * (1 - gamma), {"color": STAYS, "linewidth": 1.6}),
    )
    for label, values, style in kinds:
        axis.plot(gamma, values * scale, label=label, **style)


def phase(result: Result[Settings], width: str = "text") -> Figure:
    """Growth of √E D² an epoch over momentum and step size, in both forms, with the edges."""
    data, s = result.data["phase"], result.settings
    with styled():
        figure, axes = beside(2, width, 2.9 if width == "text" else 2.6)
        for axis, (form, most) in zip(axes, SHOWN.items(), strict=True):
            one = data.sel(form=form)
            decades = one["growth"].transpose("cell", "gamma").values / math.log(10)
            drawn = axis.pcolormesh(
                _edges(one["gamma"].values),
                _edges(one["step"].values),
                decades,
                norm=Normalize(-STRONGEST, STRONGEST),
                cmap="PuOr_r",
                rasterized=True,
            )
            _lines(axis, form, s.n, s.eta)
            axis.set(xlim=(0, 1), ylim=(0, most), xlabel=r"$\gamma$")
            axis.set_ylabel(r"$\eta L$" if form == "velocity" else r"$\eta L/(1 - \gamma)$")
            axis.set_title(f"{form} form")
        bar = figure.colorbar(
            drawn,
            ax=axes,
            label=r"decades of $\sqrt{E D^2}$ an epoch",
            ticks=[-STRONGEST, 0, STRONGEST],
            extend="both",
            aspect=28,
        )
        bar.outline.set_linewidth(0.4)
        columns = 1 if width == "column" else 3
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=columns)
        settle(figure)
        return figure


def phase_caption(result: Result[Settings]) -> str:
    """What is drawn, and which paper moves along what."""
    s = result.settings
    return (
        f"Growth of the gap's root mean square an epoch, exactly, over momentum and step size; n = {s.n} samples, one "
        "of them curved, random order, L = 1. Brown: it grows, violet: it is forgotten. Black: the edges of random and "
        "of cyclic order in closed form, and 2(1 + γ), that of a single sample. Green: γ grows at fixed "
        f"η = {s.eta:g} and leaves the stable range, which is how the gap becomes unbounded at a step size that SGD is "
        "allowed. Dark red: γ grows at fixed η/(1 − γ) and never leaves it: every momentum is stable. Lines are the "
        "same in both panels."
    )


def _names(settings: Settings) -> dict[str, str]:
    names = {}
    for name, (eta, _, until) in steps_of(settings).items():
        names[name] = f"{name.split(',')[0]}, $\\eta = {eta:g}$" + ("" if until is None else f", {SPLIT} epochs")
    return names


def path(result: Result[Settings], width: str = "text") -> Figure:
    """√E D² and E D against the epoch."""
    data, s = result.data["quadratic"], result.settings
    with styled():
        figure, (axis, means) = beside(2, width, 2.5)
        epochs = data["epoch"].values
        for name, label in _names(s).items():
            one = data.sel(algorithm=name)
            line = "--" if name == "SGDEM" else "-"
            axis.plot(epochs, one["log_rms"] / math.log(10), line, color=COLOURS[name], label=label)
            means.plot(epochs, one["mean"], line, color=COLOURS[name])
        axis.set(xlabel="epoch", ylabel=r"$\log_{10} \sqrt{E D^2}$")
        axis.set_title("root mean square")
        means.set(xlabel="epoch", ylabel=r"$E D$")
        means.set_title("mean")
        means.set(xlim=(0, 15), ylim=(0, None))
        figure.legend(
            *axis.get_legend_handles_labels(), loc="outside lower center", ncols=2 if width == "column" else 3
        )
        settle(figure)
        return figure


def path_caption(result: Result[Settings]) -> str:
    """Settings and what is seen."""
    s = result.settings
    edge = edges.share_edge(s.gamma, 1 / s.n)
    return (
        f"The gap of two runs whose data differ in one sample, exactly; {s.n} quadratic samples, one of them curved, "
        f"γ = {s.gamma:g}, velocity form, random order, Δ = 1. First panel: its root mean square, which grows "
        f"geometrically with momentum above the edge η = {edge:.3f}, is held below it, and is Δ in the end for SGD; "
        f"SGDEM has momentum for {SPLIT} epochs and forgets what they did. Second panel: the mean gap tells nothing of "
        "it."
    )


def _mean(values: xr.DataArray) -> tuple[float, float]:
    return float(values.mean()), 2 * float(values.std(ddof=1)) / values.size**0.5


def samples(result: Result[Settings], width: str = "text") -> Figure:
    """Mean gap on log cosh against n, and across the edge."""
    data, over, s = result.data["decay"], result.data["across"], result.settings
    marks = dict(zip(EXPONENTS, (("o", NOISE), ("s", FEATURE), ("x", "0.2"), ("^", LARGE)), strict=True))
    with styled():
        figure, (axis, across) = beside(2, width, 2.6)
        n = data["n"].values.astype(float)
        for name, (mark, colour) in marks.items():
            values, errors = zip(*(_mean(data["gap"].sel(algorithm=name, n=k)) for k in data["n"].values), strict=True)
            label = name if "small" not in name else rf"SGDM, $\eta = {s.low:g}$"
            axis.errorbar(
                n, values, errors, fmt=mark, color=colour, markersize=4, linewidth=0.9, mfc="none", label=label
            )
            law = values[0] * (n / n[0]) ** EXPONENTS[name][0]
            axis.plot(n, law, color=colour, linewidth=0.7, linestyle=":")
        axis.set(xscale="log", yscale="log", xlabel="$n$", ylabel=r"$E|D|$")
        axis.set_title(rf"$\gamma = {s.gamma:g}$, $\eta = {s.eta:g}$")
        axis.legend(loc="best")
        low, high = axis.get_ylim()
        axis.set_ylim(low, high * 1.3)
        gammas = over["gamma"].values
        values, errors = zip(*(_mean(over["gap"].sel(gamma=g)) for g in gammas), strict=True)
        across.errorbar(gammas, values, errors, fmt="o", color=NOISE, markersize=4, linewidth=0.9, mfc="none")
        across.set(yscale="log", xlabel=r"$\gamma$", ylabel=r"$E|D|$", xlim=(-0.03, 1))
        across.set_title(rf"$n = {ACROSS_N}$, $\eta = {s.eta:g}$")
        most = float(edges.momentum_range(s.eta, 1 / SPLIT, 1 / SPLIT))
        across.axvline(most, color="0.4", linewidth=0.8, linestyle="--", label=r"edge, $\gamma_{max}$")
        across.legend(loc="upper left")
        settle(figure)
        if thin(axis.xaxis):
            settle(figure)
        return figure


def samples_caption(result: Result[Settings]) -> str:
    """Settings, and the slopes."""
    s, data = result.settings, result.data["decay"]
    found = decay(Evidence(data, "log cosh", role="decay"))
    edge = edges.share_edge(s.gamma, 1 / SPLIT)
    return (
        f"Mean gap over epochs 31 to {EPOCHS} of runs whose data differ in one sample, on h log cosh(w − z), smooth "
        f"and Lipschitz, a fifth of n samples curved, z ~ N(0, 1), velocity form; {s.seeds * s.copies} runs, bars of "
        f"two standard errors, dotted lines of slope 0 and −1. {found.says[:1].upper()}{found.says[1:]}. Beyond the "
        f"edge, η = {edge:.3f}, the gap is finite and does not shrink with the data. SGDEM drops its momentum after "
        f"{SPLIT} epochs and ends as SGD. Second panel: across the edge in γ."
    )


PICTURES: tuple[Any, ...] = (
    Picture("phase", phase, phase_caption),
    Picture("path", path, path_caption),
    Picture("samples", samples, samples_caption),
)
