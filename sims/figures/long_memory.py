"""Has noise a memory: autocorrelations, sums that bend, escape times by what is held fixed, the estimators' bias."""

from __future__ import annotations

__all__ = ["PICTURES"]

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lemmascope.sims.figures.common import FEATURE, LARGE, NOISE, NOISE_LIGHT, SMALL, beside, settle, styled
from lemmascope.sims.pictures import Picture
from lemmascope.sims.studies.long_memory import (
    COMPARED,
    ESCAPING,
    HURST,
    LENGTH,
    LEVEL,
    PARAMETERS,
    PULL,
    RESCALED,
    Settings,
    batches_of_an_epoch,
)
from lemmascope.sims.study import Result
from lemmascope.theory.noise import long_memory as theory

SHOWN = "direction"
"""The component of the noise that is drawn."""


def _bars(values: Any) -> tuple[np.ndarray, np.ndarray]:
    """Means over seeds, and twice their standard errors."""
    count = values.sizes["seed"]
    return values.mean("seed").values, 2 * values.std("seed", ddof=1).values / count**0.5


def _points(axis: Any, x: Any, values: Any, colour: str, mark: str, label: str) -> None:
    mean, error = _bars(values)
    axis.errorbar(x, mean, error, fmt=mark, color=colour, markersize=3.2, elinewidth=0.6, linestyle="none", label=label)


def acf(result: Result[Settings], width: str = "text") -> Figure:
    """Autocorrelations of whitened noise at frozen weights."""
    data, E = result.data["frozen"].sel(component=SHOWN), batches_of_an_epoch(result.settings)
    lags = data["lag"].values
    with styled():
        figure, (axis,) = beside(1, width, 2.3)
        axis.axhline(0, color="0.6", linewidth=0.6)
        axis.plot(lags, theory.epoch_correlation(lags, E), color=NOISE, linewidth=0.9)
        for sampling, colour, mark, label in (
            ("independent", FEATURE, "o", "independent batches"),
            ("epochs", NOISE, "s", "epochs"),
        ):
            _points(axis, lags, data["acf"].sel(sampling=sampling), colour, mark, label)
        axis.axvline(E, color="0.35", linewidth=0.6, linestyle=(0, (4, 2)))
        axis.annotate(
            f"$E = {E}$",
            (E, 0.06),
            xycoords=("data", "axes fraction"),
            xytext=(3, 0),
            textcoords="offset points",
            fontsize=7,
            color="0.2",
        )
        axis.set(xlabel="lag $k$", ylabel="autocorrelation of the noise", xlim=(0, lags[-1] + 1))
        figure.legend(loc="outside lower center", ncols=2)
        settle(figure)
        return figure


def acf_caption(result: Result[Settings]) -> str:
    """The setting."""
    s, E = result.settings, batches_of_an_epoch(result.settings)
    return (
        f"Autocorrelation of the gradient noise of batches of {s.B} of {PARAMETERS.N} samples at frozen weights, along "
        f"a direction at random; means over {s.seeds} networks with bars of two standard errors, {s.frozen_steps} "
        f"steps each. Independent batches have none. In epochs without replacement it is −(1 − k/E)/(E − 1), line, up "
        f"to the epoch's E = {E} batches, and 0 beyond: negative, short, and −½ in sum."
    )


def sums(result: Result[Settings], width: str = "text") -> Figure:
    """Variance of sums of k terms against k."""
    still, moving = result.data["frozen"].sel(component=SHOWN), result.data["momentum"]
    exact, gamma = result.data["sums"], float(moving["gamma"].values[-1])
    k = still["length"].values
    E = batches_of_an_epoch(result.settings)
    with styled():
        figure, (axis,) = beside(1, width, 2.6)
        places = moving["k"].sel(gamma=gamma).values
        more = np.geomspace(1, places[-1], 200)
        axis.plot(more, more, color=FEATURE, linewidth=0.9)
        axis.plot(k, [theory.epoch_sum(int(one), E) for one in k], color=NOISE, linewidth=0.9)
        axis.plot(more, theory.momentum_sum(gamma, more), color=LARGE, linewidth=0.9)
        axis.plot(more, more ** (2 * COMPARED), color=SMALL, linewidth=0.9, linestyle=(0, (4, 2)))
        for x, values, colour, mark, label in (
            (places, exact["variance"].sel(gamma=gamma), SMALL, "v", f"fractional, $H = {COMPARED:g}$"),
            (k, still["sums"].sel(sampling="independent"), FEATURE, "o", "independent batches"),
            (places, moving["variance"].sel(gamma=gamma), LARGE, "^", rf"momentum, $\gamma = {gamma:g}$"),
            (k, still["sums"].sel(sampling="epochs"), NOISE, "s", "epochs"),
        ):
            _points(axis, x, values, colour, mark, label)
        axis.set(xscale="log", yscale="log", xlabel="$k$", ylabel="variance of sums of $k$ terms")
        figure.legend(loc="outside lower center", ncols=1 if width == "column" else 2)
        settle(figure)
        return figure


def sums_caption(result: Result[Settings]) -> str:
    """What is seen."""
    E = batches_of_an_epoch(result.settings)
    return (
        "Variance of sums of k terms in a row, each series' terms of variance 1 but momentum's, which averages white "
        "noise of variance 1; lines: closed forms, bars of two standard errors. Fractional noise is a straight line, "
        f"of slope 2H. Independent batches have slope 1. Epochs bend from 1 to 0 at E = {E}: what an epoch gives it "
        "takes back. Momentum bends from 2 to 1 near 1/(1 − γ). No single Hurst exponent fits what bends."
    )


WORDS = {"step": "noise of a step", "variance": "stationary variance", "time": r"$\varepsilon$ in continuous time"}


def escape(result: Result[Settings], width: str = "text") -> Figure:
    """Mean passage times against H by what is held fixed."""
    data = result.data["escape"]
    with styled():
        figure, (axis,) = beside(1, width, 2.5)
        for held, colour, mark in (("variance", FEATURE, "o"), ("time", LARGE, "^"), ("step", NOISE, "s")):
            one = data.sel(held=held)
            mean, error = _bars(one["time"])
            late = one["inside"].sum("seed").values > 0
            axis.plot(ESCAPING, mean, color=colour, linewidth=0.8)
            axis.errorbar(
                ESCAPING,
                mean,
                np.where(late, 0.45 * mean, error),
                lolims=late,
                fmt=mark,
                color=colour,
                markersize=3.5,
                elinewidth=0.6,
                capsize=2,
                linestyle="none",
                label=f"equal {WORDS[held]}",
            )
        axis.set(yscale="log", xlabel="Hurst exponent $H$", ylabel="mean first passage time, steps")
        axis.set_xticks(ESCAPING)
        figure.legend(loc="outside lower center", ncols=1)
        settle(figure)
        return figure


def escape_caption(result: Result[Settings]) -> str:
    """The setting, and what is seen."""
    s = result.settings
    return (
        f"Mean first time at which |x| of x ← (1 − a)x + sξ, a = {PULL:g}, ξ fractional noise, is {LEVEL:g} standard "
        f"deviations of the white noise's x; {s.paths} paths of {s.path_steps} steps, bars of two standard errors, "
        "arrows where some paths were not out, so that the mean is larger. A larger H is slower at equal stationary "
        "variance and at equal ε of dx = −x dt + ε dB, and faster by orders at equal noise of a step."
    )


def estimators(result: Result[Settings], width: str = "text") -> Figure:
    """Mean and standard deviation of each estimate less H on exact noise."""
    data = result.data["calibrate"]
    with styled():
        figure, (axis,) = beside(1, width, 2.3)
        axis.axhline(0, color="0.6", linewidth=0.6)
        axis.axhspan(-0.015, 0.015, color="0.9", linewidth=0)
        for shift, name, colour, mark, label in (
            (-0.012, "whittle", FEATURE, "o", "local Whittle"),
            (0.0, "variations", LARGE, "^", "second differences"),
            (0.012, "rescaled", NOISE_LIGHT, "s", "R/S"),
        ):
            values = data[name]
            axis.errorbar(
                np.array(HURST) + shift,
                values.mean("seed").values - np.array(HURST),
                values.std("seed", ddof=1).values,
                fmt=mark,
                color=colour,
                markersize=3.5,
                elinewidth=0.7,
                capsize=2,
                linestyle="none",
                label=label,
            )
        axis.set(xlabel="Hurst exponent $H$ of exact noise", ylabel=r"$\hat H - H$")
        axis.set_xticks(HURST, [f"{H:g}" for H in HURST])
        figure.legend(loc="outside lower center", ncols=3)
        settle(figure)
        return figure


def estimators_caption(result: Result[Settings]) -> str:
    """The setting."""
    draws = result.settings.draws
    rescaled = int(result.data["calibrate"]["rescaled"].isel(H=0).notnull().sum())
    return (
        f"What three estimators say of exact fractional noise of length {LENGTH}, less its H: mean and standard "
        f"deviation over {draws} series ({rescaled} for R/S, {RESCALED} of each hundred). Grey: the bias of 0.015 that "
        "is claimed to be most. R/S is biased by a tenth for small H, and is there for comparison alone."
    )


PICTURES: tuple[Any, ...] = (
    Picture("acf", acf, acf_caption),
    Picture("sums", sums, sums_caption),
    Picture("escape", escape, escape_caption),
    Picture("estimators", estimators, estimators_caption),
)
