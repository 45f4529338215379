"""The data: what a sample looks like, and where the patches of a drawn data set lie."""

from __future__ import annotations

__all__ = ["caption", "draw"]

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from lemmascope.sims.figures.common import COLUMN, LARGE, NOISE, SMALL, settle, shade, styled
from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn.law import Sample, draw_sample
from lemmascope.theory.cubic_cnn.parameters import Parameters

SHOWN = 14  # coordinates of a patch in the strips
LABELLED = 6  # patches whose strips are named one by one


def draw(parameters: Parameters, root_seed: int = 0, width: str = "text") -> Figure:
    """One sample of each margin, patch by patch, and histograms over all patches of a drawn data set.

    The basis of the strips has w* as its first vector; beside each patch is its length, to scale. The
    histograms are of ⟨x, w*⟩ over all patches, and of ‖x‖ over the noise patches with its law σχ_{d−1}.
    """
    sample = draw_sample(parameters, streams(root_seed, "figure data", 0))
    assert sample.small is not None
    groups = [(name, np.flatnonzero(sample.small == small)) for name, small in (("large", False), ("small", True))]
    shown = [(name, int(found[0])) for name, found in groups if found.size]
    column = width == "column"
    with styled():
        figure = Figure(figsize=(COLUMN, 4.4) if column else (6.75, 2.75), layout="constrained")
        FigureCanvasAgg(figure)
        if column:
            halves = figure.add_gridspec(2, 1, height_ratios=(1.75, 1))
        else:
            halves = figure.add_gridspec(1, 2, width_ratios=(1.75, 1))
        left = halves[0].subgridspec(len(shown), 2, width_ratios=(1.5, 1))
        axes = left.subplots(squeeze=False, sharex="col")
        scale = max(parameters.alpha, 3 * parameters.sigma)
        norm = SymLogNorm(parameters.sigma, vmin=-scale, vmax=scale)
        for (name, i), (strips, lengths) in zip(shown, axes, strict=True):
            image = _strips(strips, parameters, sample, name, i, norm)
            _lengths(lengths, parameters, sample, name, i)
        for lengths in axes[:-1, 1]:
            lengths.spines.bottom.set_visible(False)
            lengths.tick_params(bottom=False)
        axes[-1, 0].set_xlabel(f"coordinates 1–{min(SHOWN, parameters.d)} of {parameters.d}")
        axes[-1, 1].set_xlabel(r"length $\|x\|$, to scale")
        bar = figure.colorbar(image, ax=list(axes[:, 0]), location="bottom", aspect=34, shrink=0.9, pad=0.03)
        bar.set_ticks(
            [-parameters.alpha, -parameters.sigma, 0, parameters.sigma, parameters.alpha],
            labels=[r"$-\alpha$", r"$-\sigma$", "0", r"$\sigma$", r"$\alpha$"],
        )
        bar.minorticks_off()
        bar.outline.set_visible(False)
        top, bottom = halves[1].subgridspec(*((1, 2) if column else (2, 1))).subplots(squeeze=False).flat
        _projections(top, parameters, sample)
        _noise_lengths(bottom, parameters, sample)
        settle(figure)
        return figure


def _coordinates(sample: Sample, i: int) -> np.ndarray:
    """(P, 14) coordinates of sample i in an orthonormal basis that begins with w*."""
    w = sample.w_star
    assert w is not None
    d = w.shape[0]
    basis, _ = np.linalg.qr(np.column_stack([w, np.eye(d, min(SHOWN, d) - 1)]))
    basis[:, 0] = w  # QR is free to choose the sign of its first column
    return np.round(sample.X[i] @ basis, 9)


def _norms(patches: np.ndarray) -> np.ndarray:
    """Lengths without their last digits, in which two runs of a BLAS may differ; the files must not."""
    return np.round(np.linalg.norm(patches, axis=-1), 9)


def _size(p: Parameters, margin: str) -> tuple[float, str, str]:
    return (p.alpha, r"\alpha", LARGE) if margin == "large" else (p.beta, r"\beta", SMALL)


def _strips(axis: Axes, p: Parameters, sample: Sample, margin: str, i: int, norm: SymLogNorm) -> AxesImage:
    assert sample.signal is not None
    values = _coordinates(sample, i)
    image = axis.imshow(values, cmap="RdBu_r", norm=norm, aspect="auto", interpolation="nearest")
    sign = "+" if sample.y[i] > 0 else "-"
    axis.set_title(
        rf"$\bf{{{margin}\ margin}}$, $y = {sign}1$: signal ${sign}{_size(p, margin)[1]}\,w^{{\!\ast}}$", pad=4
    )
    named = [j for j in range(p.P) if p.P <= LABELLED or j == sample.signal[i]]
    axis.set_yticks(named, ["signal" if j == sample.signal[i] else "noise" for j in named])
    axis.set_xticks([0, *range(3, values.shape[1], 4)], [r"$w^{\!\ast}$", *map(str, range(4, values.shape[1] + 1, 4))])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.axvline(0.5, color="0.3", linewidth=0.6)
    for j in range(1, p.P):
        axis.axhline(j - 0.5, color="white", linewidth=1.5)
    return image


def _lengths(axis: Axes, p: Parameters, sample: Sample, margin: str, i: int) -> None:
    assert sample.signal is not None
    lengths = _norms(sample.X[i])
    size, symbol, colour = _size(p, margin)
    for j, length in enumerate(lengths):
        signal = j == sample.signal[i]
        axis.barh(
            j,
            length,
            height=0.5,
            color=colour if signal else NOISE,
            hatch=None if signal else "/////",
            edgecolor="white",
            linewidth=0,
        )
        if p.P <= LABELLED or signal:
            text = rf"${symbol} = {size:.3g}$" if signal else f"{length:.3g}"
            axis.annotate(
                text,
                (length, j),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
                color=shade(colour if signal else NOISE),
            )
    axis.set_ylim(p.P - 0.5, -0.5)
    axis.set_yticks([])
    axis.set_xlim(0, 1.42 * max(p.alpha, 1.2 * p.sigma * math.sqrt(p.d)))


def _projections(axis: Axes, p: Parameters, sample: Sample) -> None:
    assert sample.w_star is not None
    assert sample.small is not None
    assert sample.signal is not None
    along = sample.X @ sample.w_star
    signal = np.arange(p.P)[None, :] == sample.signal[:, None]
    kinds = ((~signal, NOISE), (signal & ~sample.small[:, None], LARGE), (signal & sample.small[:, None], SMALL))
    highest = 1
    axis.set_xscale("symlog", linthresh=p.beta, linscale=0.8)
    for mask, colour in kinds:
        places, counts = np.unique(np.round(along[mask], 9) + 0.0, return_counts=True)
        axis.vlines(places, 0, counts, color=colour, linewidth=3)
        for x, count in zip(places, counts, strict=True):
            axis.annotate(
                f"{count}",
                (x, count),
                xytext=(0, 1.5),
                textcoords="offset points",
                ha="center",
                fontsize=6.5,
                color=shade(colour),
            )
            highest = max(highest, int(count))
    axis.set_title(r"$\langle x, w^{\!\ast}\rangle$, all patches", pad=4)
    axis.set_ylim(0, 1.25 * highest)
    axis.set_xlim(-2 * p.alpha, 2 * p.alpha)
    axis.set_xticks([-p.alpha, -p.beta, 0, p.beta, p.alpha], [r"$-\alpha$", r"$-\beta$", "0", r"$\beta$", r"$\alpha$"])
    axis.minorticks_off()
    axis.set_ylabel("patches")


def _noise_lengths(axis: Axes, p: Parameters, sample: Sample) -> None:
    lengths = _norms(sample.signal_first()[:, 1:]).ravel()
    bins = max(5, min(40, round(math.sqrt(lengths.size))))
    counts, edges, _ = axis.hist(lengths, bins=bins, color=NOISE, alpha=0.45, linewidth=0)
    x = np.linspace(edges[0], edges[-1], 201)
    z, k = x / p.sigma, p.d - 1
    log_density = (k - 1) * np.log(z) - z**2 / 2 - (k / 2 - 1) * math.log(2) - math.lgamma(k / 2)
    axis.plot(x, lengths.size * (edges[1] - edges[0]) * np.exp(log_density) / p.sigma, color=shade(NOISE), linewidth=1)
    middle = p.sigma * math.sqrt(k)
    axis.axvline(middle, color="0.35", linewidth=0.6, linestyle=(0, (4, 2)))
    axis.set_title(r"$\|x\|$, noise patches", pad=4)
    axis.annotate(
        rf"$\sigma\sqrt{{d-1}} \approx {middle:#.3g}$",
        (middle, 1),
        xycoords=("data", "axes fraction"),
        xytext=(4, 0),
        textcoords="offset points",
        va="top",
        fontsize=7,
        color="0.2",
    )
    axis.set_ylim(0, 1.35 * float(np.max(counts)))
    axis.set_ylabel("patches")


def caption(parameters: Parameters, root_seed: int = 0, width: str = "text") -> str:
    """One line that says what is seen."""
    p = parameters
    sample = draw_sample(p, streams(root_seed, "figure data", 0))
    assert sample.small is not None
    small = int(sample.small.sum())
    first, second = ("Above", "Below") if width == "column" else ("Left", "Right")
    return (
        f"The data, one draw of N = {p.N} samples: one patch of each is the signal, ±α w* (α = {p.alpha:.4g}, "
        f"{p.N - small} samples) or ±β w* (β = {p.beta:.4g}, {small} samples); the other P − 1 = {p.P - 1} are "
        f"Gaussian noise orthogonal to w*, of length about σ√(d−1) = {p.sigma * math.sqrt(p.d - 1):.3g} (σ = "
        f"{p.sigma:.4g}, d = {p.d}). {first}: coordinates of the patches of one sample of each margin, the first "
        f"along w*, and their lengths. {second}: all patches; curve: the law of the length, σχ "
        "with d − 1 degrees of freedom."
    )
