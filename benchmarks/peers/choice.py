"""What a tuned form chooses: among variants of one formulation, the one that a short measurement finds fastest."""

from __future__ import annotations

__all__ = ["LAYOUTS", "fastest", "missing"]

import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec

import numpy as np

LAYOUTS = ("X·Wᵀ", "W·Xᵀ")
"""The skinny product of patches and weights, patch-major with Wᵀ (d, m) as the state, or neuron-major with W (m, d)."""

STEPS, SECONDS, REPEATS = 8, 0.15, 3


def missing(library: str) -> str | None:
    """None where the library is installed; else what to install."""
    try:
        found = find_spec(library) is not None
    except (ImportError, ValueError):
        found = False
    return None if found else f"{library} is not installed: pip install 'lemmascope[peers]'"


def fastest(variants: Mapping[str, Callable[[int], np.ndarray]]) -> str:
    """The name of the variant whose `STEPS` iterations take least, the best of several; all compiled before."""
    if len(variants) == 1:
        return next(iter(variants))
    for run in variants.values():
        run(STEPS)
    best = dict.fromkeys(variants, float("inf"))
    spent, rounds = 0.0, 0
    while rounds < REPEATS or spent < SECONDS * len(variants):
        for name, run in variants.items():
            start = time.perf_counter()
            run(STEPS)
            took = time.perf_counter() - start
            best[name], spent = min(best[name], took), spent + took
        rounds += 1
    return min(best, key=lambda name: best[name])
