"""The data: what a sample looks like."""

from __future__ import annotations

__all__ = ["caption", "draw"]

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from sims.figures.common import LARGE, NOISE, SMALL, styled
from sims.seeds import streams
from theory.cubic_cnn.law import Sample, draw_sample
from theory.cubic_cnn.parameters import Parameters

SHOWN = 16  # coordinates of a patch in the strips


def draw(parameters: Parameters, root_seed: int = 0) -> Figure:
    """One sample of each margin, patch by patch, and where all patches of a drawn data set lie.

    The basis has w* as its first vector; the strips show the first 16 coordinates of each patch. The right
    panel shows every patch by its part along w* and its length across.
    """
    sample = draw_sample(parameters, streams(root_seed, "figure data", 0))
    with styled():
        figure = Figure(figsize=(6.5, 2.5), layout="constrained")
        FigureCanvasAgg(figure)
        halves = figure.subfigures(1, 2, width_ratios=(1.25, 1), squeeze=False)[0]
        _strips(halves[0], parameters, sample)
        _scatter(halves[1].subplots(), parameters, sample)
        return figure


def _coordinates(sample: Sample, i: int) -> np.ndarray:
    """(P, 16) coordinates of sample i in an orthonormal basis that begins with w*."""
    w = sample.w_star
    assert w is not None
    d = w.shape[0]
    count = min(SHOWN, d)
    basis, _ = np.linalg.qr(np.column_stack([w, np.eye(d)[:, : count - 1]]))
    basis[:, 0] = w  # QR is free to choose the sign of its first column
    return sample.X[i] @ basis


def _strips(place: SubFigure, p: Parameters, sample: Sample) -> None:
    assert sample.small is not None
    groups = [("large margin", np.flatnonzero(~sample.small)), ("small margin", np.flatnonzero(sample.small))]
    shown = [(name, int(found[0])) for name, found in groups if found.size]
    axes = np.atleast_1d(place.subplots(len(shown), 1, sharex=True))
    scale = 3 * p.sigma
    for axis, (name, i) in zip(axes, shown, strict=True):
        assert sample.signal is not None
        strip = _coordinates(sample, i)
        image = axis.imshow(strip, cmap="RdBu_r", vmin=-scale, vmax=scale, aspect="auto", interpolation="nearest")
        size, symbol = (p.alpha, r"\alpha") if name == "large margin" else (p.beta, r"\beta")
        sign = "+" if sample.y[i] > 0 else "-"
        labels = ["signal" if j == sample.signal[i] else "noise" for j in range(p.P)]
        axis.set_yticks(range(p.P), labels)
        axis.tick_params(length=0)
        axis.set_title(rf"{name}: $y = {sign}1$, signal ${sign}{symbol} w^* = {sign}{size:g}\,w^*$", fontsize=8)
        axis.spines[:].set_visible(False)
        axis.set_xticks([0, *range(4, strip.shape[1], 4)], ["$w^*$", *map(str, range(4, strip.shape[1], 4))])
        axis.axvline(0.5, color="0.3", linewidth=0.6)
    axes[-1].set_xlabel(rf"coordinate (of $d = {p.d}$), the first along $w^*$")
    bar = place.colorbar(image, ax=list(axes), shrink=0.9, aspect=22, extend="both")
    bar.set_ticks([-scale, 0, scale], labels=[r"$-3\sigma$", "0", r"$3\sigma$"])
    bar.ax.tick_params(labelsize=6.5)


def _scatter(axis: Axes, p: Parameters, sample: Sample) -> None:
    assert sample.w_star is not None
    assert sample.small is not None
    assert sample.signal is not None
    along = sample.X @ sample.w_star
    across = np.linalg.norm(sample.X - along[..., None] * sample.w_star, axis=-1)
    is_signal = np.arange(p.P)[None, :] == sample.signal[:, None]
    for mask, colour, marker, size in (
        (~is_signal, NOISE, ".", 6), (is_signal & ~sample.small[:, None], LARGE, "o", 14),
        (is_signal & sample.small[:, None], SMALL, "D", 14),
    ):  # fmt: skip
        axis.scatter(along[mask], across[mask], s=size, color=colour, marker=marker, linewidths=0, alpha=0.8)
    norm = p.sigma * math.sqrt(p.d - 1)
    axis.set_xlabel(r"part along the feature, $\langle x, w^*\rangle$")
    axis.set_ylabel(r"length across, $\|x - \langle x,w^*\rangle w^*\|$")
    axis.set_ylim(-0.12 * norm, 1.45 * norm)
    reach = 1.15 * p.alpha
    axis.set_xscale("symlog", linthresh=p.beta, linscale=0.6)
    axis.set_xlim(-1.6 * reach, 1.6 * reach)
    axis.set_xticks([-p.alpha, -p.beta, p.beta, p.alpha], [r"$-\alpha$", r"$-\beta$", r"$\beta$", r"$\alpha$"])
    axis.minorticks_off()
    axis.annotate(
        r"noise, $\sigma\sqrt{d-1}$", (0, norm), xytext=(9, 0), textcoords="offset points", va="center", fontsize=7,
        color=NOISE,
    )  # fmt: skip
    handles = [
        Line2D([], [], marker=marker, linestyle="", markersize=3.5, color=colour, label=text)
        for marker, colour, text in (
            ("o", LARGE, r"signal, large margin ($\pm\alpha$)"), ("D", SMALL, r"signal, small margin ($\pm\beta$)"),
        )
    ]  # fmt: skip
    axis.legend(handles=handles, loc="upper left", handletextpad=0.2, borderaxespad=0.1)


def caption(parameters: Parameters, root_seed: int = 0) -> str:
    """One line that says what is seen."""
    p = parameters
    sample = draw_sample(p, streams(root_seed, "figure data", 0))
    assert sample.small is not None
    return (
        f"The data: one patch of each sample is the signal, ±α w* (α = {p.alpha:.4g}, {int((~sample.small).sum())} "
        f"samples) or ±β w* (β = {p.beta:.4g}, {int(sample.small.sum())} samples), the other P − 1 = {p.P - 1} are "
        f"Gaussian noise orthogonal to w* of length about σ√(d−1) = {p.sigma * math.sqrt(p.d - 1):.3g} "
        f"in d = {p.d} dimensions."
    )
