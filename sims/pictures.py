"""Pictures of a study, as data: how each is drawn from a result, and what its caption says."""

from __future__ import annotations

__all__ = ["WIDTHS", "Picture", "check_width", "of", "save"]

import importlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lemmascope.sims.study import Result, Study
from lemmascope.theory.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = "lemmascope.sims.figures"
WIDTHS = ("text", "column")
SMALLEST = 6.0
"""Points: no text of a figure in a column is smaller."""


@dataclass(frozen=True)
class Picture:
    """One picture.

    Args:
        name: of its files, NAME.pdf, NAME.png and NAME.caption.txt.
        draw: from the result to a matplotlib Figure, made without pyplot; None where the result has nothing to draw.
        caption: from the result to one paragraph that says what is seen, with its numbers.

    Where they take ``width``, they are told it: "text", or "column" for a figure 3.25 inches wide. A figure of a
    function that does not take it is made that wide, no text smaller than 6 points.
    """

    name: str
    draw: Callable[..., Figure | None]
    caption: Callable[..., str]


def of(study: Study[Any]) -> Sequence[Picture]:
    """The pictures of a study: its own, or those of the house in ``sims/figures/NAME.py``, imported now."""
    if study.pictures is not None:
        return tuple(study.pictures())
    if study.file or find_spec(f"{FIGURES}.{study.name}") is None:
        return ()
    return tuple(importlib.import_module(f"{FIGURES}.{study.name}").PICTURES)


def check_width(width: str) -> None:
    """Raise `InputError` unless pictures can be that wide."""
    if width not in WIDTHS:
        raise InputError("width", width, f"it must be one of {', '.join(WIDTHS)}")


def save(result: Result[Any], folder: Path, width: str = "text") -> list[Path]:
    """Draw every picture of a result's study into a folder; the paths of the files.

    A picture that fails is not written; the others are, and then its error is raised.

    Args:
        result: what is drawn.
        folder: where to; made where it is not.
        width: "text", or "column" for figures 3.25 inches wide.

    Raises:
        InputError: two pictures share a name, one draws something else than a Figure, or another width.
    """
    from lemmascope.sims.figures.common import save as save_figure

    check_width(width)
    made: list[Path] = []
    failed: list[Exception] = []
    pictures = of(result.study)
    if len({picture.name for picture in pictures}) < len(pictures):
        raise InputError("pictures", [picture.name for picture in pictures], "each needs a name of its own")
    for picture in pictures:
        try:
            figure = _told(picture.draw, result, width)
            if figure is None:
                continue
            if not hasattr(figure, "savefig"):
                what = "draw must return a matplotlib Figure"
                raise InputError(f"picture {picture.name}", type(figure).__name__, what)
            if width == "column":
                _narrow(figure)
            made += save_figure(figure, _told(picture.caption, result, width), folder, picture.name)
        except Exception as error:
            failed.append(error)
    if failed:
        raise failed[0]
    return made


def _told(function: Callable[..., Any], result: Result[Any], width: str) -> Any:
    """Its value, told the width if it takes one."""
    takes = "width" in inspect.signature(function).parameters
    return function(result, width=width) if takes else function(result)


def _narrow(figure: Figure) -> None:
    """Make a figure a column wide, if it is not: of its height, laid out anew, no text too small to read."""
    from matplotlib.text import Text

    from lemmascope.sims.figures.common import COLUMN

    if figure.get_figwidth() != COLUMN:
        figure.set_figwidth(COLUMN)
        if figure.get_layout_engine() is None:
            figure.set_layout_engine("constrained")
    for text in figure.findobj(Text):
        text.set_fontsize(max(text.get_fontsize(), SMALLEST))
    for axis in (one for axes in figure.axes for one in (axes.xaxis, axes.yaxis)):
        for which in ("major", "minor"):
            if any(float(text.get_fontsize()) < SMALLEST for text in axis.get_ticklabels(which=which)):
                axis.set_tick_params(which=which, labelsize=SMALLEST)
