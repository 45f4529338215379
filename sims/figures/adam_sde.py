"""The square-root rule of Adam: curves by rule, stationary variances over the batch, the signal's cost."""

from __future__ import annotations

__all__ = ["PICTURES"]

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lemmascope.sims.figures.common import FEATURE, LARGE, NOISE, NOISE_LIGHT, SMALL, beside, settle, styled, thin
from lemmascope.sims.pictures import Picture
from lemmascope.sims.studies.adam_sde import DOMINANCE_ETA, FROZEN_P, KAPPAS, MOMENTS, POWERS, STARTS, Settings, base
from lemmascope.sims.study import Result
from lemmascope.theory.noise.adam_sde import EXPONENTS, SQRT, Rates, scaled
from lemmascope.theory.noise.claims.adam_sde import DOMINANT, EXCESS

COLOURS = (FEATURE, NOISE, LARGE, SMALL, NOISE_LIGHT)
MARKS = ("o", "s", "^", "D", "v")
TITLES = {
    SQRT: "square root",
    "linear": r"$\eta \times \kappa$",
    "none": r"$\eta$ kept",
    "keep β₁": r"$\beta_1$ kept",
    "keep β₂": r"$\beta_2$ kept",
    "keep ε": r"$\epsilon$ kept",
}


def _by_rule(result: Result[Settings], width: str, moment: str, name: str) -> Figure:
    """A moment against kp, a panel a rule: mean field and what was sampled."""
    from lemmascope.sims.noise.adam_sde import Case, expected

    s, data = result.settings, result.data["scaling"]
    factors, k = (1, *s.kappas), MOMENTS.index(moment)
    with styled():
        columns = 2 if width == "column" else 3
        figure, _ = beside(1, width, 1.0)
        figure.clear()
        figure.set_size_inches(3.25 if width == "column" else 6.75, 1.6 * -(-len(EXPONENTS) // columns) + 0.3)
        axes = figure.subplots(-(-len(EXPONENTS) // columns), columns, sharex=True, sharey=True).ravel()
        for place, (rule, axis) in enumerate(zip(EXPONENTS, axes, strict=True)):
            for kappa, colour, mark in zip(factors, COLOURS, MARKS, strict=False):
                case = Case(scaled(base(2.0**-s.finest), kappa, rule), s.theta_0)
                (exact,), _ = expected([case], kappa, steps=4 * 2 ** (s.finest + 1) // kappa, every=1)
                times = np.arange(1, len(exact) + 1) * kappa / 2 ** (s.finest + 1)
                scale = {"v": kappa, "mean": 1 / s.theta_0}.get(moment, 1)
                axis.plot(times, exact[:, k] * scale, color=colour, linewidth=0.9)
                seen = data[moment].sel(rule=rule, kappa=kappa).mean("seed") / (s.theta_0 if moment == "mean" else 1)
                label = rf"$\kappa = {kappa}$"
                axis.plot(data["time"], seen, mark, color=colour, markersize=2.8, mfc="none", label=label)
            axis.set_title(TITLES[rule])
            if place % columns == 0:
                axis.set_ylabel(name)
            if place >= len(EXPONENTS) - columns:
                axis.set_xlabel("$kp$")
        if moment == "square":
            axes[0].set_yscale("log")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        settle(figure)
        return figure


def squares(result: Result[Settings], width: str = "text") -> Figure:
    """Eθ² against time."""
    return _by_rule(result, width, "square", r"$E\theta^2$")


def means(result: Result[Settings], width: str = "text") -> Figure:
    """Eθ against time."""
    return _by_rule(result, width, "mean", r"$E\theta/\theta_0$")


def averages(result: Result[Settings], width: str = "text") -> Figure:
    """v̂ against time."""
    return _by_rule(result, width, "v", r"$E\hat v$")


def _rules_caption(what: str, found: str) -> Any:
    def caption(result: Result[Settings]) -> str:
        s = result.settings
        return (
            f"{what} of Adam against kp, p = η/2 at the batch 1, at κ = {', '.join(map(str, (1, *s.kappas)))} "
            f"times the batch by six rules; η = 2^−{s.finest}, θ₀ = {s.theta_0:g}. Lines: mean field, nothing "
            f"fitted; marks: {s.seeds * s.copies} copies. {found}"
        )

    return caption


def variance(result: Result[Settings], width: str = "text") -> Figure:
    """Stationary variances against κ with the lines of both laws."""
    data = result.data["exponent"]
    kappa = data["kappa"].values.astype(float)
    with styled():
        figure, (axis, plain) = beside(2, width, 2.4)
        for r, colour, mark in zip(POWERS, COLOURS, MARKS, strict=True):
            one = data.sel(r=r)
            axis.plot(kappa, one["rmsprop"] / one["rmsprop"][0], mark, color=colour, markersize=3.2, label=f"{r:g}")
            axis.plot(kappa, kappa ** (r - 0.5), color=colour, linewidth=0.8)
            if r in (0.5, 1.0):
                plain.plot(kappa, one["sgd"] / one["sgd"][0], mark, color=colour, markersize=3.2)
                plain.plot(kappa, kappa ** (r - 1), color=colour, linewidth=0.8)
        axis.set_title("RMSprop")
        plain.set_title("SGD")
        for panel in (axis, plain):
            panel.set(xscale="log", yscale="log", xlabel=r"$\kappa$")
            panel.set_xticks([1, 4, 16, 64], ["1", "4", "16", "64"])
            panel.set_xticks([], minor=True)
        axis.set_ylabel(r"Var $\theta$ over that at $\kappa = 1$")
        plain.set_ylim(axis.get_ylim())
        figure.legend(
            *axis.get_legend_handles_labels(),
            title=r"$r$, $\eta \propto \kappa^r$",
            title_fontsize=7,
            loc="outside lower center",
            ncols=5,
        )
        settle(figure)
        return figure


def variance_caption(result: Result[Settings]) -> str:
    """The setting."""
    return (
        "Stationary variance with κ times the batch and η ∝ κ^r, every other rate by the rule, v frozen; p = "
        f"{FROZEN_P:.3g} at κ = 1, exact. Lines: κ^{{r−½}} for RMSprop, κ^{{r−1}} for SGD. What leaves it as it is, is "
        "r = ½ for the one and r = 1 for the other."
    )


def signal(result: Result[Settings], width: str = "text") -> Figure:
    """Eθ(κ)/Eθ(1) against κ snr₀."""
    from lemmascope.sims.noise.adam_sde import Case, expected

    found = result.data["dominance"]["mean"].mean("seed")
    rates, steps = Rates(DOMINANCE_ETA, 1.0, DOMINANCE_ETA, 1.0), round(2 / DOMINANCE_ETA)
    fine = (1, 2, 4, 8, 16, 32, 64, 128, 256)
    with styled():
        figure, (axis,) = beside(1, width, 2.5)
        for theta, colour, mark in zip(STARTS, COLOURS, MARKS, strict=False):
            mean = [
                expected([Case(scaled(rates, k), theta)], k, steps=steps // k, every=steps // k)[0][0, 0, 0]
                for k in fine
            ]
            axis.plot(np.array(fine) * theta**2, np.array(mean) / mean[0], color=colour, linewidth=0.9)
            one = found.sel(theta_0=theta)
            kappa = np.array(KAPPAS[1:], float)
            axis.plot(
                kappa * theta**2,
                one.sel(kappa=list(KAPPAS[1:])) / one.sel(kappa=1),
                mark,
                color=colour,
                markersize=3.5,
                label=rf"$\theta_0 = {theta:g}$",
            )
        axis.axvline(DOMINANT, color="0.6", linewidth=0.6)
        axis.axhline(1 + EXCESS, color="0.6", linewidth=0.6, linestyle="--")
        axis.set(xscale="log", yscale="log", xlabel=r"$\kappa\,\mathrm{snr}_0$", ylabel=r"$E\theta(\kappa)/E\theta(1)$")
        axis.legend(loc="upper left")
        settle(figure)
        thin(axis.yaxis)
        settle(figure)
        return figure


def signal_caption(result: Result[Settings]) -> str:
    """What the lines are."""
    s = result.settings
    return (
        "RMSprop by the square-root rule at κ = 4, 16, 64 times the batch, kp = 1: its mean over that at κ = 1, "
        f"against the signal-to-noise ratio κ a²θ₀²B/σ² of the larger batch; {s.seeds * s.copies} copies. Lines: mean "
        "field, nothing fitted, each from its own snr₀ on. The rule says 1. Grey: κ snr₀ = ½, and 5 %."
    )


PICTURES: tuple[Any, ...] = (
    Picture(
        "squares",
        squares,
        _rules_caption("Eθ²", "By the rule they lie on each other until κ = 16; by every other they fan out."),
    ),
    Picture("means", means, _rules_caption("Eθ/θ₀", "Leaving β₁, β₂ or ε behind shows as η does.")),
    Picture(
        "averages", averages, _rules_caption("v̂ = vB/σ²", "It rises at the rate 1 − β₂, so that β₂ shows here most.")
    ),
    Picture("variance", variance, variance_caption),
    Picture("signal", signal, signal_caption),
)
