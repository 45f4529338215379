"""Names written beside the curves where they fit, else one legend above the panels."""

from __future__ import annotations

__all__ = ["finish"]

import math
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from lemmascope.sims.figures.common import settle, shade

GAP = 2.0  # points between a curve and its name
NEAR = 14.0  # points within which another curve makes it unclear whose name it is
WORST = 3.2  # a panel whose best place costs more gets a legend instead


def finish(found: list[tuple[str, Axes]], vertical: str = "", width: str = "text") -> Figure:
    """The figure of the panels, every curve named beside it, or by a legend if one name does not fit.

    Args:
        found: names and axes.
        vertical: what the vertical axes show: it is said at the first of those in a row, or at each in a column.
        width: of the figure, "text" or "column".
    """
    figure = found[0][1].figure
    for _, axis in found if width == "column" else found[:1]:
        axis.set_ylabel(vertical)
    assert isinstance(figure, Figure)
    settle(figure)
    named: list[Text] = []
    for _, axis in found:
        placed = _name_curves(axis)
        if placed is None:
            for text in named:
                text.remove()
            handles, labels = found[0][1].get_legend_handles_labels()
            columns = 2 if width == "column" else len(handles)
            figure.legend(handles, labels, loc="outside upper right", ncols=columns)
            settle(figure)
            break
        named += placed
    return figure


def _name_curves(axis: Axes) -> list[Text] | None:
    """Names for the curves of a panel, or None (and nothing drawn) if one has no good place."""
    lines = [line for line in axis.lines if not str(line.get_label()).startswith("_")]
    curves = [_points(axis, line) for line in lines]
    straight = [_points(axis, line) for line in axis.lines if str(line.get_label()).startswith("_")]
    taken = [text.get_window_extent() for text in axis.texts]
    placed: list[Text] = []
    for i, (line, own) in enumerate(zip(lines, curves, strict=True)):
        if len(own) < 2:
            continue  # diverged, or off the axes
        text = axis.text(
            0.5,
            0.5,
            str(line.get_label()),
            transform=axis.transAxes,
            ha="center",
            va="center",
            fontsize=7,
            color=shade(line.get_color()),
        )
        text.set_in_layout(False)
        others = np.concatenate([np.empty((0, 2)), *(c for j, c in enumerate(curves) if j != i)])
        lone = np.concatenate([np.empty((0, 2)), *straight])
        place = _best(axis, text.get_window_extent(), own, others, lone, taken)
        placed.append(text)
        if place is None:
            for one in placed:
                one.remove()
            return None
        x, y = axis.transAxes.inverted().transform(place)
        text.set_position((float(x), float(y)))
        taken.append(text.get_window_extent())
        if _count(taken[-1], lone):
            text.set_bbox({"facecolor": "white", "alpha": 0.8, "pad": 0.2, "linewidth": 0})
    return placed


def _points(axis: Axes, line: Line2D) -> np.ndarray:
    """(k, 2) points along what is visible of a line, a pixel or two apart, in pixels."""
    xy = line.get_transform().transform(np.column_stack(line.get_data()).astype(float))
    pieces = [np.empty((0, 2))]
    for a, b in pairwise(xy):
        if np.isfinite(a).all() and np.isfinite(b).all():
            steps = min(4000, max(2, math.ceil(np.hypot(*(b - a)) / 1.5)))
            pieces.append(a + (b - a) * np.linspace(0, 1, steps)[:, None])
    points = np.concatenate(pieces)
    box = axis.bbox
    inside = (points[:, 0] >= box.x0) & (points[:, 0] <= box.x1) & (points[:, 1] >= box.y0) & (points[:, 1] <= box.y1)
    return points[inside]


def _best(
    axis: Axes, size: Bbox, own: np.ndarray, others: np.ndarray, straight: np.ndarray, taken: list[Bbox]
) -> np.ndarray | None:
    """The centre, in pixels, of the best place for a name of this size beside its own curve."""
    pixel = axis.figure.dpi / 72
    w, h, gap = size.width, size.height, GAP * pixel
    away = np.array([(0, h / 2 + gap), (0, -h / 2 - gap), (w / 2 + 2 * gap, 0), (-w / 2 - 2 * gap, 0)])
    best, least = None, WORST
    inner = axis.bbox.padded(-pixel)
    bands = [
        c.get_transform().transform_path(c.get_paths()[0]) for c in axis.collections if isinstance(c, PolyCollection)
    ]
    for anchor in own[:: max(1, len(own) // 150)]:
        for side, offset in enumerate(away):
            centre = anchor + offset
            box = Bbox.from_bounds(float(centre[0]) - w / 2, float(centre[1]) - h / 2, w, h)
            corners = (inner.x0 <= box.x0, box.x1 <= inner.x1, inner.y0 <= box.y0, box.y1 <= inner.y1)
            if not all(corners) or any(box.padded(pixel).overlaps(b) for b in taken):
                continue
            near = box.padded(gap / 2)
            if _count(near, own) or _count(near, others):
                continue
            cost = 0.4 * (side > 1) + (1.3 if _count(near, straight) else 0.0)
            if len(others):
                cost += 2 * math.exp(-_distance(box, others) / (NEAR * pixel))
            spots = np.stack(np.meshgrid(np.linspace(box.x0, box.x1, 5), np.linspace(box.y0, box.y1, 3)), -1)
            cost += 2 * sum(path.contains_points(spots.reshape(-1, 2)).mean() for path in bands)
            beside = own[np.abs(own[:, 0] - centre[0]) < w / 2]
            cost += 0.5 * float(np.ptp(beside[:, 1])) / h if side < 2 and len(beside) else 0.0
            if cost < least:
                best, least = centre, cost
    return best


def _count(box: Bbox, points: np.ndarray) -> int:
    x, y = points[:, 0], points[:, 1]
    return int(((box.x0 <= x) & (x <= box.x1) & (box.y0 <= y) & (y <= box.y1)).sum())


def _distance(box: Bbox, points: np.ndarray) -> float:
    across = np.maximum(np.maximum(box.x0 - points[:, 0], points[:, 0] - box.x1), 0)
    along = np.maximum(np.maximum(box.y0 - points[:, 1], points[:, 1] - box.y1), 0)
    return float(np.hypot(across, along).min())
