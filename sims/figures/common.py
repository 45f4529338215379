"""What the figures share: the style, the colours, panels, bands over seeds, times and levels drawn in."""

from __future__ import annotations

__all__ = [
    "COLUMN",
    "FEATURE",
    "LARGE",
    "NOISE",
    "NOISE_LIGHT",
    "SMALL",
    "WIDTHS",
    "band",
    "beside",
    "hitting_times",
    "law_of",
    "level",
    "over_seeds",
    "panels",
    "save",
    "settle",
    "shade",
    "styled",
    "thin",
    "time_axis",
    "typical_time",
]

import json
import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.mathtext import MathTextParser
from matplotlib.ticker import MaxNLocator, NullFormatter

from lemmascope.sims.files import Output
from lemmascope.sims.tables import harmless

# Okabe and Ito's colours, which stay apart for colour-blind readers; line styles tell them apart in grey.
FEATURE = "#0072B2"
NOISE = "#D55E00"
NOISE_LIGHT = "#E69F00"
LARGE = "#009E73"
SMALL = "#CC79A7"

COLUMN = 3.25
"""Inches: a column of a two-column paper."""
STYLE = Path(__file__).with_name("lemmascope.mplstyle")
WIDTHS = {1: COLUMN, 2: 5.5, 3: 6.75, 4: 6.75}
"""Inches by number of panels in a row: a column of ICML, the text of NeurIPS, the full width of ICML."""

_LOCK = threading.RLock()  # matplotlib's settings are global: one thread draws at a time


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the project's style alone, leaving matplotlib's settings as they were.

    A glyph that the fonts lack (in a user's label) is drawn as a box, without a warning.
    """
    with _LOCK, style.context([STYLE], after_reset=True), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        yield


def save(figure: Figure, caption: str, folder: str | Path, name: str) -> list[Path]:
    """Write NAME.pdf, NAME.png and NAME.caption.txt; the same figure gives the same bytes."""
    paths = [Path(folder) / f"{name}{end}" for end in (".pdf", ".png", ".caption.txt")]
    drawn = rendered(figure, caption)
    with ExitStack() as around:
        outputs = [around.enter_context(Output(path, "picture")) for path in paths]
        for output, content in zip(outputs, drawn, strict=True):
            output.write(content)
    return paths


def rendered(figure: Figure, caption: str) -> tuple[bytes, bytes, bytes]:
    """The PDF, the PNG and the caption's text: whole, or not at all where drawing fails."""
    pdf, png = BytesIO(), BytesIO()
    text = caption.encode("utf-8", "backslashreplace")  # bytes of a file's name may be no text
    with styled():
        figure.savefig(
            pdf, format="pdf", metadata={"CreationDate": None, "Title": text.decode(), "Creator": "lemmascope"}
        )
        figure.savefig(png, format="png", metadata={"Software": "lemmascope"})
    return pdf.getvalue(), png.getvalue(), text + b"\n"


def in_a_row(trajectory: xr.Dataset, width: str) -> int:
    """Panels side by side: of the optimizers four at most, in a column one."""
    return 1 if width == "column" else min(trajectory.sizes["optimizer"], max(WIDTHS))


def panels(trajectory: xr.Dataset, width: str, height: float = 2.1) -> list[tuple[str, Axes]]:
    """One panel for each optimizer, with common axes; (label, axes) in order."""
    names = [str(name) for name in trajectory.optimizer.values]
    columns = in_a_row(trajectory, width)
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(WIDTHS[columns], height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    for place, (name, axis) in enumerate(zip(names, axes, strict=False)):
        title = harmless(name)
        axis.set_title(title, fontweight="bold", parse_math=_is_mathematics(title))
        if place + columns >= len(names):
            axis.set_xlabel("iteration $t$")
            axis.tick_params(labelbottom=True)
    return list(zip(names, axes, strict=False))


def beside(count: int, width: str, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with panels in a row, or below each other in a column; ``height`` in inches is that of one."""
    upright = width == "column"
    rows, columns = (count, 1) if upright else (1, count)
    wide = COLUMN if upright or count == 1 else WIDTHS[3]
    figure = Figure(figsize=(wide, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, columns, squeeze=False).ravel())


def settle(figure: Figure) -> None:
    """Lay the figure out and hold its axes there, rounded: the solver's last digits vary from run to run."""
    figure.set_layout_engine("constrained")
    for axis in figure.axes:
        axis.set_in_layout(True)  # which holding it in its place has ended
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axis in figure.axes:
        left, bottom, width, height = (round(float(x), 5) for x in axis.get_position().bounds)
        axis.set_position((left, bottom, width, height))


def thin(axis: Axis) -> bool:
    """Give a logarithmic axis of less than two decades numbers that do not overlap, as many as there is room for.

    The figure is laid out. Of its own accord matplotlib names nothing there, or every tenth part of a decade.

    Returns:
        Whether it was changed.
    """
    low, high = sorted(axis.get_view_interval())
    if axis.get_scale() != "log" or high > 100 * low:
        return False
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    axis.set_minor_formatter(NullFormatter())
    figure = axis.axes.get_figure(root=True)
    assert figure is not None
    upright = axis is axis.axes.yaxis
    shared = axis.axes.get_shared_y_axes() if upright else axis.axes.get_shared_x_axes()
    alike = [one.yaxis if upright else one.xaxis for one in shared.get_siblings(axis.axes)]
    for most in range(6, 0, -1):
        ticks = np.array([m * 10.0**k for k in powers for m in (1, 2, 5)])
        ticks = ticks[(low <= ticks) & (ticks <= high)]
        if not 3 <= len(ticks) <= most:
            ticks = np.asarray(MaxNLocator(most, steps=[1, 2, 5, 10]).tick_values(low, high))
            ticks = ticks[(low <= ticks) & (ticks <= high)]
        axis.set_ticks(list(ticks), _numbers(ticks))
        figure.draw_without_rendering()
        texts = [text for one in alike for text in one.get_ticklabels() if text.get_visible()]
        boxes = [text.get_window_extent().padded(2) for text in texts]
        if len(ticks) and not any(a.overlaps(b) for a, b in combinations(boxes, 2)):
            break
    return True


def _numbers(ticks: np.ndarray) -> list[str]:
    """As few digits as tell them apart."""
    step = float(np.min(np.diff(ticks))) if len(ticks) > 1 else float(ticks[0])
    top = math.floor(math.log10(ticks.max()))
    digits = math.floor(math.log10(step) + 1e-9)
    if -3 <= top < 5:
        return [f"{x:.{max(0, -digits)}f}" for x in ticks]
    return [rf"${x / 10.0**top:.{max(0, top - digits)}f}\times 10^{{{top}}}$" for x in ticks]


def _is_mathematics(text: str) -> bool:
    """Whether mathtext can read a label (it has no East Asian glyphs); one that it cannot is drawn letter by letter."""
    if any(ord(letter) >= 0x2E80 for letter in text):
        return False
    try:
        MathTextParser("path").parse(text)
    except ValueError:
        return False
    return True


def time_axis(axis: Axes, trajectory: xr.Dataset, width: str) -> None:
    """A logarithmic time axis that shows iteration 0 at its left end."""
    last = int(trajectory.iteration[-1])
    axis.set_xscale("symlog", linthresh=1, linscale=0.35)
    axis.set_xlim(0, max(last, 2))
    powers = [k for k in range(len(str(max(last, 1)))) if 10**k <= last]
    step = math.ceil(len(powers) / (3 if in_a_row(trajectory, width) > 2 else 7))
    shown = powers[::-step][::-1]
    axis.set_xticks([0, *(10**k for k in shown)], ["0", *(f"$10^{{{k}}}$" for k in shown)])
    axis.set_xticks([j * 10**k for k in powers for j in range(1, 10) if j * 10**k <= last], minor=True)


def over_seeds(values: xr.DataArray) -> np.ndarray:
    """(3, iterations) smallest, median and largest over the seeds that are finite then; NaN where none is."""
    found = values.transpose("seed", "iteration").values.astype(float)
    found = np.where(np.isfinite(found), found, np.nan)
    some = np.isfinite(found).any(axis=0)
    result = np.full((3, found.shape[1]), np.nan)
    if some.any():
        result[:, some] = [f(found[:, some], axis=0) for f in (np.nanmin, np.nanmedian, np.nanmax)]
    return result


def band(axis: Axes, values: xr.DataArray, colour: str, line: str = "-", **kwargs: Any) -> Line2D:
    """Median over seeds as a line, smallest to largest as a band; a run that diverged is left out where it ends."""
    t = values.iteration.values
    low, middle, high = over_seeds(values)
    if values.sizes["seed"] > 1:
        axis.fill_between(t, low, high, color=colour, alpha=0.2, linewidth=0)
    (drawn,) = axis.plot(t, middle, line, color=colour, **kwargs)
    return drawn


def shade(colour: Any) -> tuple[float, float, float]:
    """A darker shade of a colour, for text in it on white."""
    red, green, blue = to_rgb(colour)
    return 0.72 * red, 0.72 * green, 0.72 * blue


def level(axis: Axes, y: float, text: str) -> None:
    """A thin horizontal line with its name behind its right end."""
    axis.axhline(y, color="0.35", linewidth=0.6, linestyle=(0, (1, 1.5)), zorder=0)
    axis.annotate(
        text,
        (1, y),
        xycoords=("axes fraction", "data"),
        xytext=(3, 0),
        textcoords="offset points",
        ha="left",
        va="center",
        fontsize=7,
        color="0.25",
    )


def typical_time(times: xr.DataArray) -> float:
    """Median over seeds, a time that is not reached counting as infinite: inf unless most seeds reach it."""
    return float(np.median(np.where(np.isnan(times.values), np.inf, times.values)))


def hitting_times(axis: Axes, run: xr.Dataset) -> None:
    """T₀ and T₁, medians over seeds, named above the panel; a time that half of the seeds never reach is not drawn."""
    found = {text: typical_time(run[name]) for name, text in (("T_0", "$T_0$"), ("T_1", "$T_1$")) if name in run}
    found = {text: t for text, t in found.items() if math.isfinite(t)}
    places = axis.get_xaxis_transform().transform([(t, 1) for t in found.values()] or np.empty((0, 2)))
    close = len(found) == 2 and abs(places[1, 0] - places[0, 0]) < 0.07 * axis.bbox.width
    for (text, t), side in zip(found.items(), ("right", "left") if close else ("center", "center"), strict=False):
        axis.axvline(t, color="0.35", linewidth=0.6, linestyle=(0, (4, 2)), zorder=0)
        axis.annotate(
            text,
            (t, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 1.5),
            textcoords="offset points",
            ha=side,
            va="bottom",
            fontsize=7.5,
            color="0.2",
        )


def law_of(trajectory: xr.Dataset) -> dict[str, Any] | None:
    """The parameters of the law, or None for a user's own data."""
    return json.loads(trajectory.attrs["parameters"])
