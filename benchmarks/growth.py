"""How the cost grows: time an iteration against one size at a time, and the fitted exponents."""

from __future__ import annotations

__all__ = ["Growth", "Study", "TimeOwn", "fit", "grow", "studies"]

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from lemmascope.theory.cubic_cnn.parameters import HEADLINE, Parameters

TimeOwn = Callable[[Parameters, str, int, tuple[tuple[float, float], ...], int, int], float]
"""(parameters, law, seeds, cells, iterations, workers) ↦ seconds an iteration of the law "exact" or "samples"."""

TURNS, SECONDS = 3, 0.1


@dataclass(frozen=True)
class Study:
    """One size that varies.

    Attributes:
        size: its name.
        expected: what the exponent should be, and why, in words.
        points: the values.
        base: the parameters where it does not vary.
        seeds, cells, workers: likewise.
    """

    size: str
    expected: str
    points: tuple[int, ...]
    base: Parameters
    seeds: int = 1
    cells: int = 1
    workers: int = 1

    def at(self, x: int) -> tuple[Parameters, int, int, int]:
        """Parameters, seeds, cells and workers at one point."""
        p, counts = self.base, {"seeds": self.seeds, "cells": self.cells, "threads": self.workers}
        if self.size in counts:
            counts[self.size] = x
        elif self.size == "n":
            p = replace(p, N=x // (p.P - 1))
        else:
            p = replace(p, **{self.size: x})
        return p, counts["seeds"], counts["cells"], counts["threads"]


@dataclass(frozen=True)
class Growth:
    """What a study found: (size, seconds an iteration), and the exponent with its standard error."""

    study: Study
    points: tuple[tuple[int, float], ...]
    exponent: float
    error: float


def fit(x: Sequence[float], t: Sequence[float]) -> tuple[float, float]:
    """Slope of log t against log x by least squares, and its standard error (NaN for two points or fewer)."""
    u, v = np.log(np.asarray(x, dtype=float)), np.log(np.asarray(t, dtype=float))
    if len(u) < 2:
        return math.nan, math.nan
    u = u - u.mean()
    slope = float(u @ v / (u @ u))
    if len(u) < 3:
        return slope, math.nan
    residual = v - v.mean() - slope * u
    return slope, float(math.sqrt(residual @ residual / (len(u) - 2) / (u @ u)))


def studies(cores: int | None = None, quick: bool = False) -> tuple[Study, ...]:
    """The sizes that vary: d, n, m, cells, seeds and threads."""
    cores = cores or os.cpu_count() or 1
    base = replace(HEADLINE, N=50 if quick else 200, d=10_000)
    threads = tuple(sorted({2**k for k in range(cores.bit_length()) if 2**k <= cores} | {cores}))

    def upto(*points: int) -> tuple[int, ...]:
        return points[:3] if quick else points

    return (
        Study(
            "d",
            "0: by the exact law no d-dimensional vector is formed",
            upto(10**3, 10**4, 10**6, 10**8, 10**10, 10**12),
            base,
        ),
        Study("n", "2: one product with K", upto(50, 100, 200, 400, 800, 1600), base),
        Study("m", "1: the columns of the product", upto(2, 5, 10, 20, 40, 80), base),
        Study("cells", "1: the columns of the product", upto(1, 2, 4, 8, 16, 32, 64), base),
        Study("seeds", "1: seeds over threads", upto(1, 2, 4, 8, 16, 32), base, workers=cores),
        Study("threads", "−1: seeds over threads", threads, base, seeds=4 if quick else 8 * cores),
    )


def _cells(count: int) -> tuple[tuple[float, float], ...]:
    """Learning rates between 0.05 and 0.1 with momentum."""
    return tuple((float(eta), 0.9) for eta in np.linspace(0.1, 0.05, count))


def grow(
    time_own: TimeOwn, *, found: Sequence[Study] | None = None, quick: bool = False, say: Callable[[str], Any] = print
) -> list[Growth]:
    """Time every study; the points of a study take turns, and each is the median of several turns."""
    results = []
    for study in studies(quick=quick) if found is None else found:
        say(f"growth with {study.size}")
        calls = {}
        for x in study.points:
            p, seeds, cells, workers = study.at(x)
            law = "exact" if p.d - 1 >= p.n else "samples"
            arguments = (p, law, seeds, _cells(cells))
            once = time_own(*arguments, 8, workers)
            steps = 8 if quick else max(8, math.ceil(SECONDS / max(once, 1e-7)))
            calls[x] = (arguments, steps, workers)
        times: dict[int, list[float]] = {x: [] for x in study.points}
        for _ in range(TURNS):
            for x, (arguments, steps, workers) in calls.items():
                times[x].append(time_own(*arguments, steps, workers))
        points = tuple((x, median(values)) for x, values in times.items())
        results.append(Growth(study, points, *fit(*zip(*points, strict=True))))
    return results
