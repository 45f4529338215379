"""The figures of a trajectory of the cubic CNN: feature and memorization, stages, test accuracy, data, radius."""

from __future__ import annotations

__all__ = ["PICTURES", "save_all"]

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xarray as xr
from matplotlib.figure import Figure

from lemmascope.sims.figures.common import save
from lemmascope.sims.figures.headline import accuracy, certificate, coefficients, data, stages
from lemmascope.sims.pictures import Picture, check_width
from lemmascope.theory.cubic_cnn.parameters import Parameters

LARGEST = 10**7
"""Numbers (d N P) of one data set up to which it is drawn."""


def _law(trajectory: xr.Dataset) -> tuple[Parameters, int] | None:
    """Law and root seed of the data that are drawn; None for a user's own, and for large ones."""
    values = json.loads(trajectory.attrs["parameters"])
    if values is None or values["d"] * values["N"] * values["P"] > LARGEST:
        return None
    return Parameters.from_dict(values), int(trajectory.attrs["root_seed"])


def _draw_data(trajectory: xr.Dataset, width: str) -> Figure | None:
    law = _law(trajectory)
    return None if law is None else data.draw(*law, width=width)


def _caption_data(trajectory: xr.Dataset, width: str) -> str:
    law = _law(trajectory)
    return "" if law is None else data.caption(*law, width=width)


def _draw_accuracy(trajectory: xr.Dataset, width: str) -> Figure | None:
    return accuracy.draw(trajectory, width) if "test_accuracy" in trajectory else None


DRAWN: dict[str, tuple[Callable[[xr.Dataset, str], Figure | None], Callable[[xr.Dataset, str], str]]] = {
    "coefficients": (coefficients.draw, lambda trajectory, width: coefficients.caption(trajectory)),
    "stages": (stages.draw, lambda trajectory, width: stages.caption(trajectory)),
    "accuracy": (_draw_accuracy, lambda trajectory, width: accuracy.caption(trajectory)),
    "data": (_draw_data, _caption_data),
    "certificate": (certificate.draw, lambda trajectory, width: certificate.caption(trajectory)),
}


def save_all(trajectory: xr.Dataset, folder: str | Path, width: str = "text") -> list[Path]:
    """Write every figure that the trajectory has the quantities for; return the paths.

    The data are drawn where they come from the law and one data set has at most 10⁷ numbers (d N P).

    Args:
        trajectory: what `simulate` returns.
        folder: where to; made where it is not.
        width: "text", or "column" for figures 3.25 inches wide.

    Raises:
        InputError: another width.
    """
    check_width(width)
    made: list[Path] = []
    for name, (draw, caption) in DRAWN.items():
        figure = draw(trajectory, width)
        if figure is not None:
            made += save(figure, caption(trajectory, width), folder, name)
    return made


def _of(function: Callable[[xr.Dataset, str], Any]) -> Callable[..., Any]:
    return lambda result, width="text": function(result.data["trajectory"], width)


PICTURES = tuple(Picture(name, _of(draw), _of(caption)) for name, (draw, caption) in DRAWN.items())
