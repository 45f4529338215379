"""The peers' libraries: which are there, and what a tuned form chooses by a short measurement."""

from __future__ import annotations

__all__ = ["LIBRARIES", "Loop", "double", "fastest", "missing", "on_threads"]

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np

LIBRARIES = ("torch", "jax")

STEPS, SECONDS, REPEATS = 8, 0.15, 3

Loop = Callable[[int], np.ndarray]


def missing(library: str) -> str | None:
    """None where the library is installed; else what to install."""
    try:
        found = find_spec(library) is not None
    except (ImportError, ValueError):
        found = False
    return None if found else f"{library} is not installed: pip install 'lemmascope[peers]'"


def fastest(variants: Mapping[str, Loop]) -> str:
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


def double() -> AbstractContextManager[Any]:
    """JAX in double precision for what runs inside, and for nothing else in the process."""
    import jax

    return jax.enable_x64(True)


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    """PyTorch on so many threads, for what runs inside."""
    import torch

    before = torch.get_num_threads()
    if count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
