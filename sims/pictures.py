"""Pictures of a study, as data: how each is drawn from a result, and what its caption says."""

from __future__ import annotations

__all__ = ["Picture", "of", "save"]

import importlib
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


@dataclass(frozen=True)
class Picture:
    """One picture.

    Args:
        name: of its files, NAME.pdf, NAME.png and NAME.caption.txt.
        draw: from the result to a matplotlib Figure, made without pyplot; None where the result has nothing to draw.
        caption: from the result to one paragraph that says what is seen, with its numbers.
    """

    name: str
    draw: Callable[[Result[Any]], Figure | None]
    caption: Callable[[Result[Any]], str]


def of(study: Study[Any]) -> Sequence[Picture]:
    """The pictures of a study: its own, or those of the house in ``sims/figures/NAME.py``, imported now."""
    if study.pictures is not None:
        return tuple(study.pictures())
    if study.file or find_spec(f"{FIGURES}.{study.name}") is None:
        return ()
    return tuple(importlib.import_module(f"{FIGURES}.{study.name}").PICTURES)


def save(result: Result[Any], folder: Path) -> list[Path]:
    """Draw every picture of a result's study into a folder; the paths of the files.

    Raises:
        InputError: two pictures share a name, or one draws something else than a Figure.
    """
    from lemmascope.sims.figures.common import save as save_figure

    made: list[Path] = []
    pictures = of(result.study)
    if len({picture.name for picture in pictures}) < len(pictures):
        raise InputError("pictures", [picture.name for picture in pictures], "each needs a name of its own")
    for picture in pictures:
        figure = picture.draw(result)
        if figure is None:
            continue
        if not hasattr(figure, "savefig"):
            raise InputError(f"picture {picture.name}", type(figure).__name__, "draw must return a matplotlib Figure")
        made += save_figure(figure, picture.caption(result), folder, picture.name)
    return made
