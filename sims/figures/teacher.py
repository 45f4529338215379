"""Ratios of test accuracy on Gaussian data, student by teacher, and the contrast; accuracy against learning rates."""

from __future__ import annotations

__all__ = ["PICTURES"]

import numpy as np
from matplotlib.figure import Figure

from lemmascope.sims.figures.common import FEATURE, LARGE, NOISE, beside, settle, styled
from lemmascope.sims.pictures import Picture
from lemmascope.sims.studies.teacher import NAMES, STRONG, TALK, Settings, best, pair, ratios
from lemmascope.sims.study import Result
from lemmascope.theory.teacher.claims.teacher import BAND, interval


def forest(result: Result[Settings], width: str = "text") -> Figure:
    """A row a cell: ratio, interval, the talk's value; the contrast below them on the same axis."""
    s, data, found = result.settings, result.data["cells"], result.data["contrast"]
    rows: list[tuple[str, np.ndarray, float | None, str, bool]] = []
    for student in s.networks:
        for teacher in s.networks:
            one = pair(data.sel(student=student, teacher=teacher), s.gamma)
            talk = TALK[NAMES.index(student)][NAMES.index(teacher)]
            fitted = float(one["error"].max()) <= 0.01
            rows.append((f"{student} on {teacher}", one["log_ratio"].values, talk, FEATURE, fitted))
    for name in found["network"].values.tolist():
        one = found.sel(network=name)
        for what, rates in (("η = 0.5", (0.5, 0.5)), ("best η", best(one))):
            held = ratios(one, rates)
            fitted = float(held["error"].max()) == 0
            rows.append((f"shared feature, {name}, {what}", held["log_ratio"].values, None, NOISE, fitted))
    with styled():
        figure, (axis,) = beside(1, width, 0.9 + 0.17 * len(rows))
        if width != "column":
            figure.set_size_inches(5.5, 0.9 + 0.17 * len(rows))
        axis.axvspan(*BAND, color="0.9", linewidth=0)
        axis.axvline(1, color="0.6", linewidth=0.6)
        for k, (_, values, told, colour, fitted) in enumerate(rows):
            R, low, high = interval(values)
            axis.plot([low, high], [k, k], color=colour, linewidth=1.0)
            mark = "o" if colour == FEATURE else "s"
            axis.plot([R], [k], mark, color=colour, markersize=3.2, markerfacecolor=colour if fitted else "white")
            if told is not None:
                axis.plot([told], [k], "|", color="0.1", markersize=7, markeredgewidth=1.0)
        axis.set_yticks(range(len(rows)), [row[0] for row in rows])
        axis.set_ylim(len(rows) - 0.4, -0.6)
        axis.set(xscale="log", xlabel="accuracy of GD+M over that of GD")
        right = max(1.1, *(interval(row[1])[2] * 1.02 for row in rows))
        axis.set_xlim(0.95, right)
        ticks = [x for x in (0.97, 1.0, 1.03, 1.1, 1.2, 1.3, 1.4, 1.6, 2.0) if x < right]
        if width == "column":
            ticks = [x for x in ticks if x not in (0.97, 1.03, 1.1, 1.3)]
        axis.set_xticks(ticks, [f"{x:g}" for x in ticks])
        axis.set_xticks([], minor=True)
        handles = [
            axis.plot([], [], "o-", color=FEATURE, markersize=3.2, label="Gaussian data")[0],
            axis.plot([], [], "|", color="0.1", markersize=7, linestyle="none", label="the talk")[0],
            axis.plot([], [], "s-", color=NOISE, markersize=3.2, label="shared feature")[0],
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
        settle(figure)
        return figure


def forest_caption(result: Result[Settings]) -> str:
    """What is seen, with the draws."""
    s = result.settings
    return (
        f"Ratio of test accuracies, GD+M over GD, with 90 % intervals: two one-sided tests at 5 %. Round: "
        f"Gaussian data, "
        f"student on teacher, γ = {s.gamma:g}, {s.seeds} draws; short strokes: the talk's values; the grey band is "
        f"[{BAND[0]:g}, {BAND[1]:g}]. Square: small-margin samples of data with a shared feature, γ = {STRONG:g}, "
        f"{s.contrast_seeds} draws. Open marks: training error above 0.01, or above 0 below."
    )


def rates(result: Result[Settings], width: str = "text") -> Figure:
    """Held-out accuracy against the learning rate: the first cell, and the contrast of one network."""
    s, data = result.settings, result.data["cells"]
    first = s.networks[0]
    one, contrast = data.sel(student=first, teacher=first), result.data["contrast"].sel(network="1-CNN")
    with styled():
        figure, (left, right) = beside(2, width, 2.2)
        for gamma, colour, mark in ((0.0, NOISE, "o"), (s.gamma, FEATURE, "s"), (STRONG, LARGE, "^")):
            if gamma in one["optimizer"].values:
                at = one.sel(optimizer=gamma)
                _line(left, at["rate"].values, at["tuning_accuracy"].values, colour, mark, gamma, float(at["eta"]))
            if gamma in contrast["optimizer"].values:
                held = contrast.sel(optimizer=gamma)
                chosen = best(contrast)[0 if gamma == 0 else 1]
                _line(right, held["rate"].values, held["small"].mean("seed").values, colour, mark, gamma, chosen)
        left.set_title(f"Gaussian data, {first} on {first}")
        right.set_title("shared feature, 1-CNN, small margins")
        for axis in (left, right):
            axis.set(xscale="log", xlabel=r"learning rate $\eta$", ylabel="accuracy")
            axis.legend(loc="best")
        settle(figure)
        return figure


def _line(axis, x, y, colour, mark, gamma, chosen):
    label = "GD" if gamma == 0 else rf"GD+M, $\gamma = {gamma:g}$"
    axis.plot(x, y, mark + {"o": "-", "s": "--", "^": ":"}[mark], color=colour, markersize=3, linewidth=1, label=label)
    at = int(np.argmin(np.abs(np.asarray(x) - chosen)))
    axis.plot([x[at]], [y[at]], "o", markersize=8, markerfacecolor="none", color=colour, markeredgewidth=0.8)


def rates_caption(result: Result[Settings]) -> str:
    """What is seen."""
    return (
        "Accuracy against the learning rate; rings mark the rates that the common rule chooses (training error "
        "tiny, best "
        "accuracy on held-out samples of other draws). First panel: on Gaussian data the plateaus coincide. "
        "Second panel: on "
        "small-margin samples of data with a shared feature no rate of GD reaches GD+M's plateau."
    )


PICTURES = (Picture("forest", forest, forest_caption), Picture("rates", rates, rates_caption))
