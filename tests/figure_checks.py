"""What is wrong in a figure as it is drawn: text that is too small, lies on other text or leaves the figure."""

from itertools import combinations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from lemmascope.sims.figures.common import styled

SMALLEST = 6.0


def texts(figure):
    """What is written in a figure: all that is visible and not empty, of ticks those in view."""
    ticks, seen = set(), []
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_transform().transform(axis.get_view_interval()))
            room = 1e-6 * (high - low)
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                ticks |= {tick.label1, tick.label2}
                at = axis.get_transform().transform(tick.get_loc())
                if axes.get_visible() and tick.get_visible() and low - room <= at <= high + room:
                    seen += [tick.label1, tick.label2]
    hidden = {text for axes in figure.axes if not axes.get_visible() for text in axes.findobj(Text)}
    seen += [text for text in figure.findobj(Text) if text not in ticks and text not in hidden]
    return [text for text in seen if text.get_visible() and text.get_text().strip()]


def faults(figure):
    """A sentence for each fault, in the style in which it is saved."""
    FigureCanvasAgg(figure)
    with styled():
        figure.draw_without_rendering()
        found = [(text, text.get_text(), text.get_window_extent().padded(-0.5)) for text in texts(figure)]
    whole = figure.bbox.padded(1)
    said = [f"{name!r} has {text.get_fontsize()} pt" for text, name, _ in found if text.get_fontsize() < SMALLEST]
    for _, name, box in found:
        if not (whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1):
            said.append(f"{name!r} leaves the figure")
    pairs = combinations(found, 2)
    return said + [f"{one!r} lies on {other!r}" for (_, one, a), (_, other, b) in pairs if a.overlaps(b)]
