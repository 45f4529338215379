"""Figures for papers, each as PDF and PNG with its caption beside it, made from a trajectory."""

from __future__ import annotations

__all__ = ["save", "save_all"]

import json
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from lemmascope.sims.figures.common import styled
from lemmascope.sims.figures.headline import accuracy, coefficients, data, stages
from lemmascope.theory.cubic_cnn.parameters import Parameters


def save(figure: Figure, caption: str, folder: str | Path, name: str) -> list[Path]:
    """Write NAME.pdf, NAME.png and NAME.caption.txt; the same figure gives the same bytes."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}{end}" for end in (".pdf", ".png", ".caption.txt")]
    with styled():
        figure.savefig(paths[0], metadata={"CreationDate": None, "Title": caption})
        figure.savefig(paths[1])
    paths[2].write_text(caption + "\n", encoding="utf-8")
    return paths


def save_all(trajectory: xr.Dataset, folder: str | Path) -> list[Path]:
    """Write every figure that the trajectory has the quantities for; return the paths.

    The data are drawn where they come from the law and one data set has at most 10⁷ numbers (d N P).
    """
    made = save(coefficients.draw(trajectory), coefficients.caption(trajectory), folder, "coefficients")
    made += save(stages.draw(trajectory), stages.caption(trajectory), folder, "stages")
    if "test_accuracy" in trajectory:
        made += save(accuracy.draw(trajectory), accuracy.caption(trajectory), folder, "accuracy")
    values = json.loads(trajectory.attrs["parameters"])
    if values is not None and values["d"] * values["N"] * values["P"] <= 10**7:
        parameters, root = Parameters.from_dict(values), int(trajectory.attrs["root_seed"])
        made += save(data.draw(parameters, root), data.caption(parameters, root), folder, "data")
    return made
