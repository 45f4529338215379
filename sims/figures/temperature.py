"""The temperature rule: where it is exact, chains that follow it and that do not, and what one gradient does."""

from __future__ import annotations

__all__ = ["PICTURES"]

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lemmascope.sims.figures.common import FEATURE, LARGE, NOISE, SMALL, beside, settle, styled
from lemmascope.sims.pictures import Picture
from lemmascope.sims.studies.temperature import EFFECTS, Settings
from lemmascope.sims.study import Result
from lemmascope.theory.temperature import quadratic as q
from lemmascope.theory.temperature.averages import weights as weights_of
from lemmascope.theory.temperature.averages import window_average
from lemmascope.theory.temperature.total_effect import response

COLOURS = (FEATURE, NOISE, LARGE, SMALL)
MARKS = ("o", "s", "^", "D")
LINES = ("-", "--", "-.", ":")
NAMES = {
    "the rule": "the rule",
    "η = Bη₀": r"$B\eta_0$",
    "η = (1−μ)η₀": r"$(1-\mu)\eta_0$",
    "η = (1−μ)√B η₀": r"$(1-\mu)\sqrt{B}\,\eta_0$",
    "η = √(1−μ) Bη₀": r"$\sqrt{1-\mu}\,B\eta_0$",
}


def _columns(width: str, most: int) -> int:
    """Of a legend."""
    return 2 if width == "column" else most


def collapse(result: Result[Settings], width: str = "text") -> Figure:
    """T/T₀ of single modes against the share of the stable range, and the wrong rules beside it."""
    data = result.data["spectra"].isel(seed=0)
    h, s = data["h"].values, np.diag(data["S"].values)
    with styled():
        figure, (modes, rules) = beside(2, width, 2.3)
        x = np.linspace(0, 0.97, 400)
        modes.plot(x, 1 / (1 - x), color="0.3", linewidth=0.8, label=r"$1/(1-\eta/\eta_{\max})$")
        for k, mu in enumerate(data["mu"].values.tolist()):
            one = data.sel(mu=mu)
            eta = ((1 - mu) * one["B"] * one["eta_0"]).transpose("B", "eta_0").values[..., None]
            ratio = 2 * h * one["variance"].transpose("B", "eta_0", "mode").values / (s * one["eta_0"].values[:, None])
            modes.plot(
                (eta / q.edge(h, mu)).ravel(),
                ratio.ravel(),
                MARKS[k % 4],
                color=COLOURS[k % 4],
                markersize=2.6,
                markerfacecolor="none",
                markeredgewidth=0.6,
                label=rf"$\mu = {mu:g}$",
            )
        modes.set(yscale="log", xlabel=r"$\eta/\eta_{\max}$", ylabel=r"$T/T_0$ of a mode")
        modes.set_title("one curve for all modes, momenta and batches")
        modes.legend(loc="upper left")
        eta_0 = data["eta_limit"].values
        for k, rule in enumerate(q.RULES):
            flat = data["ratio"].sel(rule=rule).stack(cell=("mu", "B")).transpose("eta_limit", "cell").values
            for column in flat.T:
                rules.plot(
                    eta_0,
                    column,
                    LINES[k % 4] if k else "-",
                    color=COLOURS[(k - 1) % 4] if k else "0.1",
                    linewidth=0.7 if k else 1.2,
                    zorder=3 if k == 0 else 2,
                )
            colour, line = (COLOURS[(k - 1) % 4], LINES[k % 4]) if k else ("0.1", "-")
            rules.plot([], [], color=colour, linestyle=line, label=NAMES[rule])
        rules.set(xscale="log", yscale="log", xlabel=r"$\eta_0$", ylabel=r"$T/T_0$ over $G$")
        rules.set_title("the rule, and four that leave something out")
        figure.legend(*rules.get_legend_handles_labels(), loc="outside lower center", ncols=_columns(width, 5))
        settle(figure)
        return figure


def collapse_caption(result: Result[Settings]) -> str:
    """The grid."""
    data = result.data["spectra"]
    mus, batches = (", ".join(f"{x:g}" for x in data[name].values) for name in ("mu", "B"))
    return (
        f"The temperature of SGD with momentum on a quadratic by solvers of the stationary moments; momenta "
        f"{mus}, batch "
        f"sizes {batches}, curvatures {float(data['h'].min()):g} to {float(data['h'].max()):g}. First panel: each "
        f"mode's T over "
        "T₀ = η₀s/4 lies on 1/(1 − η/η_max), η_max = 2(1+μ)/h. Second panel: T/T₀ with η = (1−μ)Bη₀ tends to 1 "
        "in every cell; "
        "with four other rules it spreads, one line a cell."
    )


def reshuffled(result: Result[Settings], width: str = "text") -> Figure:
    """T against η₀: independent batches, slope 1; reshuffled epochs, slope 2."""
    data = result.data["reshuffled"]
    with styled():
        figure, (axis,) = beside(1, width, 2.6)
        eta_0 = data["eta_0"].values
        axis.plot(eta_0, data["independent"].isel(mu=0, B=0), color="0.4", linewidth=1.2, label="independent batches")
        for k, mu in enumerate(data["mu"].values.tolist()):
            for B, line in zip(data["B"].values.tolist(), LINES, strict=False):
                one = data.sel(mu=mu, B=B)
                axis.plot(
                    eta_0, one["exact"], line, color=COLOURS[k], linewidth=1.0, label=rf"$\mu = {mu:g}$, $B = {B}$"
                )
        axis.set(xscale="log", yscale="log", xlabel=r"$\eta_0$", ylabel=r"$T$")
        figure.legend(loc="outside lower center", ncols=_columns(width, 3))
        settle(figure)
        return figure


def reshuffled_caption(result: Result[Settings]) -> str:
    """The setting."""
    data = result.data["reshuffled"]
    return (
        f"The converged loss of one mode, h = {data.attrs['h']:g}, N = {data.attrs['N']} samples, by the rule η "
        f"= (1−μ)Bη₀. "
        "With independent batches it is η₀ tr Σ/4 whatever μ and B (one line); with reshuffled epochs it is "
        "quadratic in "
        "η₀, far smaller, and depends on μ and B."
    )


def cnn(result: Result[Settings], width: str = "text") -> Figure:
    """T/T₀ − 1 on the cubic CNN against its derived first order; the wrong rules beside it."""
    data, wrong = result.data["cnn"], result.data["cnn_wrong"]
    with styled():
        figure, (axis, rules) = beside(2, width, 2.4)
        top = 0.0
        for k, mu in enumerate(data["mu"].values.tolist()):
            for j, B in enumerate(data["B"].values.tolist()):
                one = data.sel(mu=mu, B=B)
                first = ((one["a"] + one["kappa"]) * one["eta_0"]).values
                top = max(top, float(np.nanmax(first)))
                axis.errorbar(
                    first,
                    one["ratio"] - 1,
                    2 * one["error"],
                    fmt=MARKS[j % 4],
                    color=COLOURS[k % 4],
                    markersize=3,
                    elinewidth=0.6,
                    linestyle="none",
                    markerfacecolor="none" if j else COLOURS[k % 4],
                    markeredgewidth=0.7,
                    label=rf"$\mu = {mu:g}$, $B = {B}$",
                )
        x = np.linspace(0, 1.1 * top, 50)
        axis.plot(x, x, color="0.3", linewidth=0.8, label="first order")
        axis.axhline(0, color="0.6", linewidth=0.5)
        axis.set(xlabel=r"$(a+\kappa)\eta_0$, derived", ylabel=r"$T/T_0 - 1$, chains")
        axis.set_title("the rule on the cubic CNN")
        right = (
            data.sel(mu=0.5, method="nearest").sel(B=4, method="nearest").sel(departure=float(wrong["departure"][0]))
        )
        values: dict[str, tuple[float, ...]] = {"the rule": (float(right["ratio"]), float(right["error"]))}
        for rule in wrong["rule"].values.tolist():
            values[rule] = tuple(float(wrong[name].sel(rule=rule).isel(departure=0)) for name in ("ratio", "error"))
        for k, (ratio, error) in enumerate(values.values()):
            rules.errorbar([ratio], [k], xerr=[2 * error], fmt="o", color="0.1" if k == 0 else NOISE, markersize=3.5)
        rules.set_yticks(range(len(values)), [NAMES[name] for name in values])
        rules.axvline(1, color="0.6", linewidth=0.5)
        rules.set(xscale="log", xlim=(0.2, 4), ylim=(len(values) - 0.5, -0.5), xlabel=r"$T/T_0$")
        rules.set_xticks([0.25, 0.5, 1, 2, 4], ["0.25", "0.5", "1", "2", "4"])
        rules.set_xticks([], minor=True)
        rules.set_title(rf"other rules, $\mu = {float(right['mu']):g}$, $B = {int(right['B'])}$")
        figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=_columns(width, 4))
        settle(figure)
        return figure


def cnn_caption(result: Result[Settings]) -> str:
    """The network, and how it ran."""
    data = result.data["cnn"]
    one = data.isel(mu=0, B=0, departure=0)
    return (
        f"The converged loss on the cubic CNN at a minimum of its loss with weight decay (tr Σ = "
        f"{float(one['trace']):.3g}, "
        f"curvatures {float(one['h_min']):.2g} to {float(one['h_max']):.3g}), over T₀ = η₀ tr Σ/4; "
        f"{result.settings.cnn_chains} chains a cell, bars of two standard errors. First panel: its departure from 1 "
        f"against the "
        f"derived first order, with a = {float(one['a']):.3g} from the derivatives of loss and noise at the minimum: "
        "nothing is fitted. Second panel: rules that leave something out."
    )


def effect(result: Result[Settings], width: str = "text") -> Figure:
    """The response to one gradient, open loop and closed."""
    with styled():
        figure, axes = beside(2, width, 2.1)
        for axis, h, title in zip(axes, (0.0, 1.0), (r"open loop, $H = 0$", r"closed loop, $h = 1$"), strict=True):
            for k, (mu, eta_0) in enumerate(EFFECTS):
                found = response(np.array([[h]]), np.ones(1), (1 - mu) * eta_0, mu, 1, 5000)[:, 0]
                axis.plot(
                    np.arange(1, found.size + 1),
                    -found / eta_0,
                    LINES[k],
                    color=COLOURS[k],
                    linewidth=1.0,
                    label=rf"$\mu = {mu:g}$, $\eta_0 = {eta_0:g}$",
                )
            axis.set(xscale="log", xlabel="$k + 1$", ylim=(-0.05, 1.1))
            axis.set_title(title)
        axes[0].set_ylabel(r"$-r_k\, /\, N_{\mathrm{avg}}\eta\delta$")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=_columns(width, 4))
        settle(figure)
        return figure


def effect_caption(result: Result[Settings]) -> str:
    """What is seen."""
    return (
        "What one gradient, perturbed by δ, does to the parameters, in units of the lecture's total effect "
        "N_avg ηδ (B = 1). "
        "Without feedback each response reaches it. With feedback it is undone again, its sum is −H⁻¹δ whatever "
        "η and μ, and "
        "its peak falls short of the total effect unless η₀h/(1−μ) is small."
    )


AVERAGED = 0.9
"""The momentum whose average is shown beside its window."""


def averages(result: Result[Settings], width: str = "text") -> Figure:
    """Running and window average of a drawn sequence, their weights, and the running average at several momenta."""
    data = result.data["average"].isel(seed=0)
    slopes = data["gradient"].values
    t = np.arange(1, slopes.size + 1)
    mu, reach = AVERAGED, round(1 / (1 - AVERAGED))
    average = data["average"].sel(mu=mu).values
    with styled():
        figure, (axis, weights, several) = beside(3, width, 2.1)
        axis.plot(t, slopes, color="0.75", linewidth=0.7, label="gradient")
        axis.plot(t, average, color=FEATURE, linewidth=1.1, label=rf"$\tilde g$, $N = {reach}$")
        axis.plot(t, window_average(slopes, reach), "--", color=NOISE, linewidth=0.9, label=f"mean of the last {reach}")
        axis.plot(t, average / (1 - mu**t), ":", color=LARGE, linewidth=1.1, label=r"$\tilde g/(1-\mu^t)$")
        axis.set(xlabel="step $t$", xlim=(0, 100))
        shown = slopes[:100]
        axis.set_ylim(shown.min() - 1, shown.max() + 1)
        axis.set_title(f"a running average, $N = {reach}$")
        ages = np.arange(0.0, 40)
        weights.plot(ages, weights_of(mu, ages), color=FEATURE, linewidth=1.1)
        weights.step(ages, np.where(ages < reach, 1 / reach, 0.0), "--", where="mid", color=NOISE, linewidth=0.9)
        weights.set(xlabel="age $i$ of the gradient", ylabel="weight")
        weights.set_title(r"weights $\frac{1}{N}(1-\frac{1}{N})^i$ sum to 1")
        several.plot(t, slopes, color="0.85", linewidth=0.5)
        looks = {mu: ("-", FEATURE, 1.1), 0.5: ("-", SMALL, 0.6), 0.99: ("-.", "0.1", 1.1)}
        for one in [x for x in data["mu"].values.tolist() if x in looks]:
            line, colour, thick = looks[one]
            label = "" if one == mu else rf"$\tilde g$, $N = {1 / (1 - one):.0f}$"
            several.plot(t, data["average"].sel(mu=one), line, color=colour, linewidth=thick, label=label)
        several.set(xlabel="step $t$", xlim=(0, slopes.size))
        several.set_title("the average at three momenta")
        handles, labels = axis.get_legend_handles_labels()
        more, named = several.get_legend_handles_labels()
        figure.legend(handles + more, labels + named, loc="outside lower center", ncols=_columns(width, 6))
        settle(figure)
        return figure


def averages_caption(result: Result[Settings]) -> str:
    """What is seen."""
    return (
        "The lecture's running average, N = 10, of a drawn sequence of gradients, from 0, beside the mean of the last "
        "ten and the average freed from its start (division by 1 − μ^t). Second panel: the weights of both; each sums "
        "to 1. Third panel: the running averages of the same 400 gradients with N = 1/(1 − μ) = 2, 10 and "
        "100: with N grow smoothness, the time until the start is forgotten, and the delay."
    )


PICTURES: tuple[Any, ...] = (
    Picture("collapse", collapse, collapse_caption),
    Picture("cnn", cnn, cnn_caption),
    Picture("reshuffled", reshuffled, reshuffled_caption),
    Picture("effect", effect, effect_caption),
    Picture("averages", averages, averages_caption),
)
