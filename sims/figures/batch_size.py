"""Test accuracy and momentum's gain against the batch size, on images and central data; rates and plateaus."""

from __future__ import annotations

__all__ = ["PICTURES"]

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lemmascope.sims.figures.common import FEATURE, LARGE, NOISE, NOISE_LIGHT, SMALL, beside, settle, styled
from lemmascope.sims.pictures import Picture
from lemmascope.sims.studies.batch_size import CENTRAL, CENTRAL_GAMMAS, Settings, gain_of, signed
from lemmascope.sims.study import Result
from lemmascope.sims.tables import harmless
from lemmascope.theory.images.claims.batch_size import interval, slope

LINES = ((NOISE, "o", "-", "SGD"), (FEATURE, "s", "--", "SGD+M"))
COLOURS = (NOISE, NOISE_LIGHT, LARGE, FEATURE, SMALL)
MARKS = "osD^v"
LEAST = 1e-4
"""Of an error on a logarithmic axis."""


def gain(result: Result[Settings], width: str = "text") -> Figure:
    """Accuracy on the images; the gain by draw with its slope; accuracy on the central data."""
    s, cells = result.settings, result.data["cells"]
    with styled():
        figure, (left, middle, right) = beside(3, width, 2.3)
        shown = cells.transpose("optimizer", "batch", "seed", "rate")
        _accuracies(left, s.batches, shown["accuracy"].values, shown["error"].values > 0)
        left.set_title(harmless(f"{Path(s.data).name}, {s.architecture}"), parse_math=False)
        left.set_ylabel("test accuracy")
        each = gain_of(cells, (0.0, s.gamma)).values
        low = _slope(middle, s.batches, each, slope(gain_of(cells, (0.0, s.gamma))).values)
        status = [v.status.value for v in result.verdicts if v.claim == "batch.gain_grows"]
        middle.set(title="gain by draw, and its slope", ylabel="gain of SGD+M")
        middle.set_ylim(bottom=low)
        told = f"grows: {status[0].replace('_', ' ').lower()}" if status else ""
        middle.text(0.96, 0.04, told, transform=middle.transAxes, ha="right", va="bottom")
        found = result.data["central"].transpose("optimizer", "batch", "seed")
        ends = [CENTRAL_GAMMAS[0], CENTRAL_GAMMAS[-1]]
        theirs = found.sel(optimizer=ends)
        _accuracies(right, s.central_batches, theirs["small"].values, np.zeros(theirs["small"].shape, bool))
        right.set(title="central data, small margins", ylabel="test accuracy")
        right.set_ylim(0.45, 1.05)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
        settle(figure)
        return figure


def _accuracies(axis: Axes, batches: Sequence[int], values: np.ndarray, untrained: np.ndarray) -> None:
    """Means over draws with their intervals, of (optimizer, batch, seed); hollow where a draw is not fitted."""
    for k, (colour, mark, style, label) in enumerate(LINES):
        at = np.array(batches) * (1.02 if k else 1 / 1.02)  # beside each other
        means, lows, highs = np.array([interval(row) for row in values[k]]).T
        axis.errorbar(at, means, [means - lows, highs - means], color=colour, linestyle="none", linewidth=0.9)
        axis.plot(at, means, style, color=colour, linewidth=1, label=label, marker=mark, markersize=3.4)
        hollow = untrained[k].any(axis=-1)
        axis.plot(at[hollow], means[hollow], mark, color=colour, markersize=3.4, markerfacecolor="white")
    _sizes(axis, batches)


def _slope(axis: Axes, batches: Sequence[int], each: np.ndarray, slopes: np.ndarray) -> float:
    """Gains (batch, seed), the line of the mean slope and its pointwise interval; where the axis is to end below."""
    x = np.log2(np.array(batches, float))
    fine = np.linspace(x[0], x[-1], 40)
    lines = each.mean(axis=0) + (fine[:, None] - x.mean()) * slopes
    means, lows, highs = np.array([interval(row) for row in lines]).T
    axis.axhline(0, color="0.6", linewidth=0.6)
    axis.fill_between(2**fine, lows, highs, color=FEATURE, alpha=0.2, linewidth=0)
    axis.plot(2**fine, means, color=FEATURE, linewidth=1)
    for row in each.T:
        axis.plot(batches, row, ".", color="0.35", markersize=3)
    _sizes(axis, batches)
    low, high = axis.get_ylim()
    return low - 0.12 * (high - low)


def _sizes(axis: Axes, batches: Sequence[int]) -> None:
    axis.set(xscale="log", xlabel="batch size $B$")
    axis.set_xticks(list(batches), [str(B) for B in batches])
    axis.set_xticks([], minor=True)


def gain_caption(result: Result[Settings]) -> str:
    """What is seen, with the draws."""
    s, cells = result.settings, result.data["cells"]
    grows = signed(*interval(slope(gain_of(cells, (0.0, s.gamma))).values))
    full = f", B = {s.train_size} being all images" if s.batches[-1] == s.train_size else ""
    return (
        f"Test accuracy of SGD and SGD+M (γ = {s.gamma:g}) against the batch size{full}, each at the learning rate of "
        f"its best validation accuracy, {s.epochs} epochs; bars are 95 % intervals over {s.seeds} draws, open marks "
        f"have a training error above 0 on a draw. Second panel: the gain by draw, and its line with slope {grows} "
        f"per doubling of B. Third panel: small-margin samples of the central data, γ = {CENTRAL_GAMMAS[-1]:g}, "
        f"{s.central_steps} steps at every B, {s.central_seeds} draws; B = {CENTRAL.N} is all of them."
    )


def rates(result: Result[Settings], width: str = "text") -> Figure:
    """Validation error against the learning rate, a line a batch size, an optimizer a panel."""
    s, cells = result.settings, result.data["cells"].transpose("optimizer", "batch", "seed", "rate")
    shown = np.maximum(1 - cells["validation"].mean("seed").values, LEAST)
    fitted = (cells["training_error"] == 0).all("seed").values
    low, high = 0.8 * shown.min(), 1.25 * shown.max()
    ticks = [x for x in (m * 10.0**k for k in range(-4, 1) for m in (1, 2, 5)) if low <= x <= high]
    with styled():
        figure, axes = beside(2, width, 2.3)
        for k, (axis, (_, _, _, name)) in enumerate(zip(axes, LINES, strict=True)):
            for j, B in enumerate(s.batches):
                colour, mark = COLOURS[j % len(COLOURS)], MARKS[j % len(MARKS)]
                axis.plot(s.rates, shown[k, j], f"{mark}-", color=colour, markersize=3.4, label=f"$B = {B}$")
                hollow = ~fitted[k, j]
                at = np.array(s.rates)[hollow]
                axis.plot(at, shown[k, j, hollow], mark, color=colour, markersize=3.4, markerfacecolor="white")
                often = [int((cells["eta"].values[k, j] == eta).sum()) for eta in s.rates]
                best = int(np.argmax(often))
                axis.plot(s.rates[best], shown[k, j, best], "o", markersize=8, markerfacecolor="none", color=colour)
            axis.set(xscale="log", yscale="log", xlabel=r"learning rate $\eta$", title=name)
            axis.set_ylabel("validation error")
            axis.set_ylim(low, high)
            axis.set_yticks(ticks, [f"{x:g}" for x in ticks])
            axis.set_yticks([], minor=True)
            axis.set_xticks(list(s.rates), [f"{eta:g}" for eta in s.rates])
            axis.set_xticks([], minor=True)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3 if width == "column" else 5)
        settle(figure)
        return figure


def rates_caption(result: Result[Settings]) -> str:
    """What is seen."""
    s = result.settings
    return (
        f"Validation error against the learning rate, mean over {s.seeds} draws; open marks have a training error "
        "above 0 on a draw. Each draw takes its best rate among those with training error 0; rings mark the rate that "
        "most draws take at a batch size."
    )


PICTURES = (Picture("gain", gain, gain_caption), Picture("rates", rates, rates_caption))
