"""Rows of the central network, from one small run to the (η, γ) plane, and two for a GPU."""

from __future__ import annotations

__all__ = ["ROWS", "WORKS"]

from dataclasses import replace

import numpy as np

from lemmascope.benchmarks.cubic_cnn.certified import CERTIFICATE, Certified
from lemmascope.benchmarks.cubic_cnn.compiled import OWN
from lemmascope.benchmarks.cubic_cnn.jax_scan import JAX_PEERS
from lemmascope.benchmarks.cubic_cnn.on_device import DEVICE
from lemmascope.benchmarks.cubic_cnn.pytorch import PYTORCH_PEERS
from lemmascope.benchmarks.cubic_cnn.work import CubicCNN
from lemmascope.theory.cubic_cnn.parameters import HEADLINE, Parameters

ROWS = {
    "A": "one small run",
    "B": "a middling run",
    "C": "a large run",
    "D": "many seeds of A",
    "E": "few samples in a high dimension",
    "H": "the central experiment",
    "HC": "H for 40 000 steps, certified; the peer is the same without",
    "P": "the (η, γ) plane",
    "G": "1024 seeds of A, on a GPU",
    "GP": "1024 seeds of the (η, γ) plane, on a GPU",
}

MOMENTUM = ((0.1, 0.9),)
"""(η, γ) of the rows with one cell: momentum, so that every implementation carries its buffer."""


def _sizes(m: int, N: int, P: int, d: int) -> Parameters:
    return replace(HEADLINE, m=m, N=N, P=P, d=d)


def _work(
    name: str,
    parameters: Parameters,
    seeds: int,
    cells: tuple[tuple[float, float], ...],
    at_least: float,
    iterations: int,
    rate_at_least: float | None = None,
) -> CubicCNN:
    return CubicCNN(
        name=name,
        parameters=parameters,
        seeds=seeds,
        cells=cells,
        at_least=at_least,
        iterations=iterations,
        rate_at_least=rate_at_least,
        on_device=name.startswith("G"),
        implementations=DEVICE if name.startswith("G") else (*OWN, *PYTORCH_PEERS, *JAX_PEERS),
    )


def _plane() -> tuple[tuple[float, float], ...]:
    """12 × 12 cells, even in log η over [0.02, 1] and in log(1 − γ) over [10⁻⁴, 1]."""
    rates, gaps = np.geomspace(0.02, 1.0, 12), np.geomspace(1e-4, 1.0, 12)
    return tuple((float(eta), float(1 - gap)) for eta in rates for gap in gaps)


_A = _sizes(10, 100, 3, 500)

WORKS = (
    _work("A", _A, 1, MOMENTUM, 7, 304),
    _work("B", _sizes(10, 500, 5, 1000), 1, MOMENTUM, 1.5, 104),
    _work("C", _sizes(20, 1000, 5, 4000), 1, MOMENTUM, 2, 40),
    _work("D", _A, 64, MOMENTUM, 8, 104),
    _work("E", _sizes(10, 200, 2, 20_000), 1, MOMENTUM, 150, 104),
    _work("H", HEADLINE, 5, ((0.1, 0.0), (0.1, 0.999)), 3, 304),
    Certified(name="HC", at_least=0.77, iterations=8, implementations=CERTIFICATE),
    _work("P", HEADLINE, 1, _plane(), 3, 500, rate_at_least=0.5),
    _work("G", _A, 1024, MOMENTUM, 10, 104),
    _work("GP", HEADLINE, 1024, _plane(), 10, 40),
)
