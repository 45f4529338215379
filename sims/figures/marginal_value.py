"""Momentum's marginal value: orders of closeness at both horizons, paths along the valley, and the gain with noise."""

from __future__ import annotations

__all__ = ["PICTURES"]

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from lemmascope.sims.figures.common import FEATURE, LARGE, NOISE, SMALL, beside, settle, styled, thin
from lemmascope.sims.pictures import Picture
from lemmascope.sims.studies.marginal_value import DAMPINGS, KAPPA, MODES, PLACES, TARGET, TIMES, Settings
from lemmascope.sims.study import Result
from lemmascope.theory.estimates import exponent
from lemmascope.theory.noise.marginal_value import asymptotic_gain, valley_law

COLOURS = (FEATURE, NOISE, LARGE, SMALL, "0.15")
MARKS = ("o", "s", "^", "D", "v")
SHORT = (0.0, 0.25, 0.5, 0.75, 1.0)
LONG = (0.0, 1.0, 1.5, 1.75, 2.0)


def _largest(data: xr.Dataset, name: str) -> xr.DataArray:
    """The largest gap over t, (alpha, eta)."""
    return abs(data[name]).max("t").transpose("alpha", "eta")


def _apart(result: Result[Settings]) -> xr.DataArray:
    """|x_M − x_S| at the first place's end, (alpha, eta), η falling."""
    found = abs(result.data["valley"]["path"] - result.data["valley_sgd"]["path"]).isel(place=0, point=-1)
    return found.transpose("alpha", "eta").sortby("eta", ascending=False)


def _orders(found: xr.DataArray) -> np.ndarray:
    """Slopes in η, by α."""
    return np.asarray(exponent(found.values, found["eta"].values))


def orders(result: Result[Settings], width: str = "text") -> Figure:
    """Weak and coupled distance of one mode against η; their slopes against α."""
    data = result.data["short"]
    with styled():
        figure, (axis, slopes) = beside(2, width, 2.5)
        eta = data["eta"].values
        for alpha, colour, mark in zip(SHORT, COLOURS, MARKS, strict=True):
            weak, coupled = (_largest(data, name).sel(alpha=alpha) for name in ("mean", "coupled"))
            axis.plot(eta, weak, mark, linestyle="-", color=colour, markersize=3, linewidth=0.9, label=f"{alpha:g}")
            axis.plot(eta, coupled, mark, linestyle="--", color=colour, markersize=2.4, linewidth=0.8, mfc="none")
        axis.set(xscale="log", yscale="log", xlabel=r"$\eta$", ylabel="largest distance over $t$")
        axis.set_title(r"means (solid), same noise (dashed)")
        figure.legend(
            *axis.get_legend_handles_labels(),
            title=r"$\alpha$, $1-\beta = \frac{1}{2}\eta^\alpha$",
            title_fontsize=7,
            loc="outside lower center",
            ncols=5,
        )
        alphas = data["alpha"].values
        at = np.linspace(0, 2, 201)
        slopes.plot(at, np.maximum(1 - at, 0), color="0.6", linewidth=0.8)
        slopes.plot(at, np.maximum(1 - at, 0) / 2, "--", color="0.6", linewidth=0.8)
        for name, mark, colour in (("mean", "o", FEATURE), ("variance", "s", NOISE), ("coupled", "^", LARGE)):
            slopes.plot(
                alphas, _orders(_largest(data, name)), mark, color=colour, markersize=3.2, mfc="none", label=name
            )
        slopes.set(xlabel=r"$\alpha$", ylabel="slope", ylim=(-0.08, 1.08))
        slopes.set_title(r"slopes, $1-\alpha$ and $(1-\alpha)/2$")
        slopes.legend(loc="upper right")
        settle(figure)
        return figure


def orders_caption(result: Result[Settings]) -> str:
    """The mode and the times."""
    data = result.data["short"]
    times = ", ".join(f"{t:g}" for t in TIMES)
    return (
        f"SGD with momentum beside SGD at the same η on one mode whose noise has the variance s²/η, h = s = x₀ = 1, "
        f"1 − β = ½η^α: the largest distance at t = ηk = {times}, by exact moments, η down to "
        f"{float(data['eta'].min()):.1e}. "
        "First panel: of the means, solid, and root mean square with the same noise, dashed. Second panel: the slopes "
        "of means, variances and of the coupled distance, on 1 − α and on half of it: laws are twice as close as paths."
    )


def valley(result: Result[Settings], width: str = "text") -> Figure:
    """Paths along the valley against τ; how far they end apart, with the two-term law."""
    tau, x_0 = PLACES[0]
    paths, plain, apart = result.data["valley"]["path"], result.data["valley_sgd"]["path"], _apart(result)
    finest = float(paths["eta"].min())
    with styled():
        figure, (axis, ends) = beside(2, width, 2.5)
        times = np.linspace(0, tau, paths.sizes["point"])
        axis.plot(times, plain.isel(place=0).sel(eta=finest), color="0.75", linewidth=3.2, label="SGD")
        eta = apart["eta"].values
        fine = np.geomspace(eta[-1], eta[0], 40)
        for alpha, colour, mark in zip(LONG, COLOURS, MARKS, strict=True):
            path = paths.isel(place=0).sel(eta=finest, alpha=alpha)
            axis.plot(times, path, color=colour, linewidth=0.9, label=rf"$\alpha = {alpha:g}$")
            ends.plot(eta, apart.sel(alpha=alpha), mark, color=colour, markersize=3.2)
            if alpha < 2:
                law = [abs(sum(valley_law(one, 1 - one**alpha / 2, tau, x_0))) for one in fine]
                ends.plot(fine, law, color=colour, linewidth=0.8)
        axis.set(xlabel=r"$\tau = \eta^2k$", ylabel="$x$")
        axis.set_title(rf"$\eta = 2^{{{round(np.log2(finest))}}}$")
        ends.set(xscale="log", yscale="log", xlabel=r"$\eta$", ylabel=rf"$|x_M - x_S|$ at $\tau = {tau:g}$")
        ends.set_title("the distance, and its two-term law")
        figure.legend(
            *axis.get_legend_handles_labels(), loc="outside lower center", ncols=3 if width == "column" else 6
        )
        settle(figure)
        thin(ends.xaxis)
        settle(figure)
        return figure


def valley_caption(result: Result[Settings]) -> str:
    """The valley."""
    tau, x_0 = PLACES[0]
    return (
        "Along the valley with label noise, n → ∞, by its closed moments: SGD (broad) and SGD with momentum at the "
        "same η, "
        f"1 − β = ½η^α, from x₀ = {x_0:g}. First panel: all are on one curve until α comes near 2, where momentum no "
        f"longer forgets within the time that the drift takes. Second panel: how far they are apart at τ = {tau:g}, "
        f"marks, and the "
        "law a₁ηβ/(1+β) + a₂η²/(1−β), lines, with nothing fitted; at α = 1.75 its second term is too large on this "
        "range to be the last."
    )


def phase(result: Result[Settings], width: str = "text") -> Figure:
    """The order of closeness over α, at both horizons."""
    data = result.data["short"]
    rows = np.stack([_orders(_largest(data, "mean")), _orders(_apart(result))])
    alphas = data["alpha"].values
    with styled():
        figure, (axis,) = beside(1, width, 1.7)
        step = float(alphas[1] - alphas[0])
        edges = np.append(alphas - step / 2, alphas[-1] + step / 2)
        drawn = axis.pcolormesh(edges, np.arange(3) - 0.5, rows, cmap="cividis", vmin=0, vmax=1, rasterized=True)
        for row, values in enumerate(rows):
            for alpha, value in zip(alphas, values, strict=True):
                text = f"{abs(value):.2f}".removeprefix("0") if value < 0.995 else "1"
                axis.text(alpha, row, text, ha="center", va="center", fontsize=6, color="w" if value < 0.6 else "k")
        for row, end in ((0, 1.0), (1, 2.0)):
            axis.plot([end - step / 2] * 2, [row - 0.5, row + 0.5], color=NOISE, linewidth=1.6)
        axis.set(xlabel=r"$\alpha$, $1-\beta = \frac{1}{2}\eta^\alpha$", xticks=alphas[::2])
        axis.set_yticks([0, 1], [r"$k \sim 1/\eta$", r"$k \sim 1/\eta^2$"])
        axis.tick_params(length=0)
        axis.spines[["left", "bottom"]].set_visible(False)
        figure.colorbar(drawn, ax=axis, label="order in $\\eta$", ticks=[0, 0.5, 1], pad=0.02)
        settle(figure)
        return figure


def phase_caption(result: Result[Settings]) -> str:
    """What the numbers are."""
    return (
        "How fast SGD with momentum comes close to SGD as η falls, 1 − β = ½η^α: the measured slope in η of the "
        "difference of means on one mode over 1/η steps, and of places along the valley over 1/η² steps. Theory says 1 "
        "− α and min(1, 2 − α); the last columns before an end are not yet at their limit on these η. The marks are "
        "where closeness ends: α = 1 at the short horizon, α = 2 at the long one."
    )


def gain(result: Result[Settings], width: str = "text") -> Figure:
    """Steps of SGD over those of SGDM: against the condition without noise, and against the noise."""
    still, noisy = result.data["descent"], result.data["noisy"]
    with styled():
        figure, (axis, removed) = beside(2, width, 2.4)
        kappa = still["kappa"].values.astype(float)
        axis.plot(kappa, still["sgd"] / still["sgdm"], "o", color=FEATURE, markersize=3.5, label="at the best rates")
        fine = np.geomspace(kappa[0], kappa[-1], 100)
        axis.plot(fine, [asymptotic_gain(x) for x in fine], color="0.6", linewidth=0.8, label="of the asymptotic rates")
        axis.plot(
            kappa,
            still["fixed_sgd"] / still["fixed_sgdm"],
            "s",
            color=NOISE,
            mfc="none",
            markersize=3.2,
            label="both at the same small rate",
        )
        axis.set(xscale="log", yscale="log", xlabel=r"$\kappa$", ylabel=r"$K_{SGD}/K_{SGDM}$")
        axis.set_title("without noise")
        axis.legend(loc="upper left")
        axis.set_ylim(0.8, 3 * asymptotic_gain(kappa[-1]))
        s2 = noisy["s2"].values
        for k, (least, mark, colour) in enumerate(zip(DAMPINGS, MARKS, (LARGE, FEATURE, NOISE), strict=False)):
            exponent_of = round(np.log10(least))
            removed.plot(
                s2,
                (noisy["sgd"] / noisy["sgdm"]).isel(damping=k),
                mark,
                linestyle="-",
                color=colour,
                markersize=3.2,
                linewidth=0.9,
                mfc="none",
                label=rf"$1-\beta \geq 10^{{{exponent_of}}}$",
            )
        removed.axhline(1, color="0.6", linewidth=0.5)
        removed.set(xscale="log", yscale="log", xlabel="$s^2$")
        removed.set_title(rf"with noise, $\kappa = {KAPPA}$")
        removed.legend(loc="upper right")
        settle(figure)
        thin(removed.yaxis)
        settle(figure)
        return figure


def gain_caption(result: Result[Settings]) -> str:
    """What is counted."""
    noisy = result.data["noisy"]
    free = float((noisy["sgd"] / noisy["sgdm"]).isel(damping=-1, s2=-1))
    return (
        f"Steps until E L stays below {TARGET:g} of its start, of SGD over those of SGD with momentum, {MODES} modes, "
        f"each at "
        "its best rates, by exact second moments. First panel: without noise the gain grows as √κ; where both take the "
        "same small rate there is none. Second panel: noise of variance s²h in each mode takes the gain away; where 1 "
        "− β may "
        f"follow η down, {free:.2f} is left."
    )


PICTURES: tuple[Any, ...] = (
    Picture("orders", orders, orders_caption),
    Picture("valley", valley, valley_caption),
    Picture("phase", phase, phase_caption),
    Picture("gain", gain, gain_caption),
)
