"""Scale-invariant weights: the norm on one curve, times to equilibrium, the size of a step, what a projection does."""

from __future__ import annotations

__all__ = ["PICTURES"]

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lemmascope.sims.figures.common import FEATURE, LARGE, NOISE, NOISE_LIGHT, SMALL, beside, settle, styled
from lemmascope.sims.pictures import Picture
from lemmascope.sims.studies.intrinsic_lr import HELPS, HELPS_BETA, HELPS_ETA, NOISE_ETA, RELAXED, STEPS_SEEN, Settings
from lemmascope.sims.study import Result
from lemmascope.theory.scale_invariant import norms
from lemmascope.theory.scale_invariant.claims.intrinsic_lr import START
from lemmascope.theory.scale_invariant.losses import Circle

COLOURS = (FEATURE, NOISE, LARGE, SMALL, NOISE_LIGHT, "0.45")
MARKS = ("o", "s", "^", "D", "v", "P")
SHOWN = (0.0, 0.3)
"""σ of the last figure."""


def norm(result: Result[Settings], width: str = "text") -> Figure:
    """|w|²/G* against ηλt."""
    data = result.data["relaxation"]
    with styled():
        figure, (axis,) = beside(1, width, 2.5)
        time = np.linspace(0, 1.4, 200)
        axis.plot(time, norms.square_at(time, START) ** 0.5, "--", color="0.1", linewidth=0.9, label="equation")
        for k, place in enumerate(RELAXED):
            for j in range(data.sizes["eta"]):
                one = data.sel(eta_lambda=place).isel(eta=j)
                axis.plot(
                    one["eta_lambda_t"][3 * k + j :: 18],
                    one["ratio"][3 * k + j :: 18],
                    MARKS[j],
                    color=COLOURS[k],
                    markersize=2.6,
                    markeredgewidth=0,
                    label=rf"$10^{{{np.log10(place):.3g}}}$" if j == 0 else None,
                )
        axis.set(xlabel=r"$\eta\lambda t$", ylabel=r"$|w|^2/G^*$", xlim=(0, 1.4), ylim=(0.2, 1.03))
        handles, _ = axis.get_legend_handles_labels()
        names = ["equation", *(_power(place) for place in RELAXED)]
        figure.legend(handles, names, loc="outside lower center", ncols=4, title=r"$\eta\lambda$", title_fontsize=7)
        settle(figure)
        return figure


def _power(x: float) -> str:
    """3·10^−4 as mathematics."""
    digits, power = f"{x:.0e}".split("e")
    return (r"$" if digits == "1" else rf"${digits} \cdot ") + rf"10^{{{int(power)}}}$"


def norm_caption(result: Result[Settings]) -> str:
    """The setting."""
    return (
        "|w|² over its value G* at equilibrium against ηλt, from G*/4, on noise of length 1; η = 0.01 (circles), 0.1 "
        f"(squares) and 1 (triangles), d = {result.settings.d}. Runs of all η lie on each other, those of all ηλ on "
        "G²/G*² = 1 − (15/16)e^{−4ηλt} (dashed) but for ηλ = 10⁻², where a step is a part of the time."
    )


def equilibrium(result: Result[Settings], width: str = "text") -> Figure:
    """Steps times ηλ against ηλ for both pairs of wells, and τ₂."""
    s, data = result.settings, result.data["circle"]
    unequal = Circle(s.b, s.c)
    with styled():
        figure, (axis, inset) = beside(2, width, 2.5)
        place = np.array(s.eta_lambdas)
        line = np.geomspace(place.min(), place.max(), 100)
        for k, (wells, label) in enumerate((("equal", "equal wells"), ("unequal", "unequal wells"))):
            one = data["steps"].sel(wells=wells).values * place
            axis.plot(place, one, MARKS[k] + "-", color=COLOURS[k], markersize=3.5, linewidth=0.7, label=label)
        slowest = data["slowest"].sel(wells="unequal").values * place
        axis.plot(place, slowest, "^", color=LARGE, markersize=3.5, label=r"$\tau_2$, unequal wells")
        kramers = [unequal.kramers(x) * x for x in line]
        axis.plot(line, kramers, "--", color="0.1", linewidth=0.8, label=r"$\tau_2$ after Kramers")
        axis.axhline(1, color="0.6", linewidth=0.6, linestyle=(0, (1, 1.5)))
        axis.annotate(
            "conjecture: flat",
            (0.03, 1),
            xycoords=("axes fraction", "data"),
            fontsize=7,
            color="0.25",
            va="bottom",
            xytext=(0, 1),
            textcoords="offset points",
        )
        axis.set(xscale="log", yscale="log", xlabel=r"$\eta\lambda$", ylabel=r"steps $\times\ \eta\lambda$")
        theta = np.linspace(-np.pi / 2, 3 * np.pi / 2, 300)
        for k, where in enumerate((Circle(s.b, 0.0), unequal)):
            inset.plot(theta, where.potential(theta), color=COLOURS[k], linewidth=1.0)
        inset.plot([np.pi], [unequal.potential(np.array([np.pi]))[0]], "o", color="0.1", markersize=3)
        inset.annotate("start", (np.pi, s.c), xytext=(0, 5), textcoords="offset points", ha="center", fontsize=7)
        inset.set_xticks([0, np.pi], ["0", r"$\pi$"])
        inset.set(xlabel=r"$\theta$", ylabel="$U$", ylim=(-0.02 * s.b, None))
        figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        settle(figure)
        return figure


def equilibrium_caption(result: Result[Settings]) -> str:
    """What is seen."""
    s, data = result.settings, result.data["circle"]
    last = f"{int(data['steps'].sel(wells='unequal', eta_lambda=min(s.eta_lambdas))):,}".replace(",", " ")
    return (
        "Steps until the mean loss, from θ = π and with |w| at equilibrium, is within 10 % of where it ends, times ηλ; "
        f"by powers of the transition matrix on {s.cells} angles, b = {s.b:g}, c = {s.c:g}. Times proportional to "
        "1/(ηλ) would be flat. With equal wells they fall; with unequal ones they grow exponentially, to "
        f"{last} steps at ηλ = {min(s.eta_lambdas):g}. Dashed: Kramers' time, nothing fitted. Second panel: both "
        "landscapes."
    )


def step(result: Result[Settings], width: str = "text") -> Figure:
    """η_eff against t without decay."""
    data = result.data["noise"].mean("seed")
    with styled():
        figure, (axis,) = beside(1, width, 2.6)
        t = data["step"].values.astype(float)
        axis.plot(t, (2 * t) ** -0.5, color="0.1", linewidth=0.6)
        axis.plot(t, norms.universal(HELPS_BETA, True) * (2 * t) ** -0.5, color="0.1", linewidth=0.6)
        shown = (("SGD", 0.0, 0), ("SGDM", 0.5, 0), ("SGDM", 0.9, 0), ("SGDP", 0.9, 1))
        for k, (name, beta, projected) in enumerate(shown):
            one = _case(data, beta, projected)
            label = name if not beta else rf"{name}, $\beta = {beta:g}$"
            axis.plot(
                t,
                NOISE_ETA / ((1 - beta) * one["shown"]),
                MARKS[k],
                color=COLOURS[k],
                markersize=2.8,
                markeredgewidth=0,
                label=label,
            )
        for y, text in ((1.0, r"$1/\sqrt{2t}$"), (norms.universal(HELPS_BETA, True), r"$\sqrt{19}/\sqrt{2t}$")):
            axis.annotate(
                text,
                (t[-1], y * (2 * t[-1]) ** -0.5),
                xytext=(3, 0),
                textcoords="offset points",
                fontsize=7,
                color="0.25",
                va="center",
                annotation_clip=False,
            )
        axis.set(xscale="log", yscale="log", xlabel="$t$", ylabel=r"$\eta_{\mathrm{eff}}$", ylim=(3e-3, 0.8))
        figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        settle(figure)
        return figure


def _case(data: Any, beta: float, projected: int) -> Any:
    """The case at the small learning rate without decay."""
    found = (
        (data["eta"] == NOISE_ETA) & (data["decay"] == 0) & (data["beta"] == beta) & (data["projected"] == projected)
    )
    return data.isel(case=int(np.flatnonzero(found.values)[0]))


def step_caption(result: Result[Settings]) -> str:
    """What is seen."""
    s = result.settings
    return (
        f"Effective step η/((1 − β)|w|²) on noise of length 1 without decay, η = {NOISE_ETA:g}, d = {s.wide}, means of "
        f"{s.seeds} runs. SGD and momentum end on one line, 1/√(2t), whatever β; the projected optimizer lies "
        "a factor √((1 + β)/(1 − β)) = √19 above. Nothing is fitted."
    )


def projection(result: Result[Settings], width: str = "text") -> Figure:
    """Mean loss against t, without and with noise."""
    data = result.data["helps"]["loss"].mean("seed")
    with styled():
        figure, axes = beside(len(SHOWN), width, 2.3)
        for axis, sigma in zip(axes, SHOWN, strict=True):
            for k, which in enumerate(HELPS):
                one = data.sel(sigma=sigma, which=which)
                label = which.replace("η/10", r"$\eta/10$")
                axis.plot(one["step"], one, ("-", "--", ":")[k], color=COLOURS[k], linewidth=1.2, label=label)
            axis.set(xscale="log", yscale="log", xlabel="$t$", title=rf"$\sigma = {sigma:g}$")
        axes[0].set(ylabel=r"$\mathrm{E}\,L$", ylim=(1e-10, 1), xlim=(1, 300))
        axes[1].set_xlim(1, STEPS_SEEN[-1])
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
        settle(figure)
        return figure


def projection_caption(result: Result[Settings]) -> str:
    """What is seen."""
    s, loss = result.settings, result.data["helps"]["loss"].mean("seed").sel(sigma=SHOWN[-1], step=STEPS_SEEN[-1])
    values = ", ".join(f"{float(loss.sel(which=which)):.2g} ({which})" for which in HELPS)
    return (
        f"Mean loss of the Rayleigh quotient, d = {s.d}, from 45° off its minimum, η = {HELPS_ETA:g}, β = "
        f"{HELPS_BETA:g}, no decay, {s.helps_runs} runs. Without noise SGDP is ahead from some thirty steps on; with "
        f"it, it ends higher, as its steps stay larger: after {STEPS_SEEN[-1]} steps {values}. A tenth of the learning "
        "rate does not repair it."
    )


PICTURES: tuple[Any, ...] = (
    Picture("norm", norm, norm_caption),
    Picture("equilibrium", equilibrium, equilibrium_caption),
    Picture("step", step, step_caption),
    Picture("projection", projection, projection_caption),
)
