"""Command-line options that several commands share."""

from __future__ import annotations

__all__ = ["count", "size"]

from pathlib import Path
from typing import Annotated, Any

import typer

from lemmascope.sims.cubic_cnn.backends.choice import BACKENDS


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not an integer.") from None


def _real(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a number.") from None


def count(text: str, *names: str) -> Any:
    """An option that takes an integer."""
    return typer.Option(*names, parser=_integer, metavar="INT", help=text)


def size(text: str, *names: str) -> Any:
    """An option that takes a real number."""
    return typer.Option(*names, parser=_real, metavar="NUMBER", help=text)


Config = Annotated[Path | None, typer.Argument(help="Settings file (TOML); flags win over it.")]
Regime = Annotated[str | None, typer.Option(help="Start from HEADLINE, or paper (needs -d).")]
D = Annotated[int | None, count("Patch dimension.", "--d", "-d")]
N = Annotated[int | None, count("Samples.", "--N", "-N")]
P = Annotated[int | None, count("Patches a sample.", "--P", "-P")]
M = Annotated[int | None, count("Neurons.", "--m", "-m")]
Alpha = Annotated[float | None, size("Signal size of large-margin samples.")]
Beta = Annotated[float | None, size("Signal size of small-margin samples.")]
Mu = Annotated[float | None, size("Probability of a small margin.")]
Sigma = Annotated[float | None, size("Standard deviation of the noise patches.")]
Sigma0 = Annotated[float | None, size("Standard deviation of the initial weights.")]
Lam = Annotated[float | None, size("L2 penalty.")]
Law = Annotated[str | None, typer.Option(help="samples (in R^d) or exact (any dimension, at no cost in d).")]
Data = Annotated[Path | None, typer.Option(help="Your own patches: .npz with X, y (w_star, small).")]
Optimizers = Annotated[
    list[str] | None,
    typer.Option(
        "--optimizer", help="[label=]form:name=value,…; gd, momentum, velocity, nesterov, file.py:Class. Repeat."
    ),
]
Iterations = Annotated[int | None, count("Steps to take [10000].")]
Seeds = Annotated[int | None, count("Data sets and initial weights to draw [1].")]
Representation = Annotated[str | None, typer.Option(help="auto, weights or coefficients.")]
BackendName = Annotated[str | None, typer.Option("--backend", help=f"auto, {', '.join(BACKENDS)}.")]
Dtype = Annotated[str | None, typer.Option(help="float64 or float32.")]
Workers = Annotated[int | None, count("Threads; default the number of cores.")]
MemoryLimit = Annotated[float | None, size("GiB that data and state may take [80 % of what is free].")]
