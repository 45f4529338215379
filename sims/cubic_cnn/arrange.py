"""What a run is asked to be, made definite: backend, representation, units, threads, memory."""

from __future__ import annotations

__all__ = ["Arrangement", "arrange"]

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.backends.choice import Backend, choose_backend
from lemmascope.sims.cubic_cnn.backends.cuda import bytes_needed
from lemmascope.sims.cubic_cnn.backends.device import find_device
from lemmascope.sims.cubic_cnn.cost import Choice, Layout, choose_representation, lay_out, memory_available
from lemmascope.sims.cubic_cnn.problems import Problem
from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.optimizers import Optimizer, is_linear, recursion_of

FREE_SHARE = 0.8
"""Of the free memory that a run takes if no limit is set."""


@dataclass(frozen=True)
class Arrangement:
    """How a run will be carried out.

    Attributes:
        backend, choice, layout: see there.
        memory_limit: bytes; workers: threads at most.
    """

    backend: Backend
    choice: Choice
    layout: Layout
    memory_limit: float
    workers: int


def on_device(layout: Layout, problem: Problem, *, seeds: int, optimizers: int, itemsize: int) -> Layout:
    """As many seeds at a time as the free memory of the device holds, one unit after the other."""
    p, kept = problem, 8
    one = bytes_needed(1, optimizers, p.m, p.N, p.coefficients, itemsize, kept, steps=0)
    chunk = max(1, min(seeds, int(FREE_SHARE * find_device().free // one)))
    every = tuple(range(optimizers))
    units = tuple((range(s, min(s + chunk, seeds)), every) for s in range(0, seeds, chunk))
    return Layout(units, threads=1, team=1, cost=layout.cost, memory=layout.memory)


def arrange(
    problem: Problem,
    optimizers: Mapping[str, Optimizer],
    *,
    iterations: int,
    seeds: int = 1,
    representation: str = "auto",
    backend: str = "auto",
    dtype: str = "float64",
    audit: bool = True,
    xp: Any = np,
    workers: int | None = None,
    chunk: int | None = None,
    memory_limit: float | None = None,
) -> Arrangement:
    """Choose; the arguments are those of `sims.cubic_cnn.simulate.simulate`.

    Raises:
        InputError: one of them is outside its range, or nothing fits the memory.
    """
    check_size("iterations", iterations)
    if check_size("seeds", seeds) > 10**6:
        raise InputError("seeds", seeds, "it must be at most 1000000")
    if dtype not in ("float64", "float32"):
        raise InputError("dtype", dtype, "it must be 'float64' or 'float32'")
    if memory_limit is not None:
        check_number("memory_limit", memory_limit, 0, open_low=True)
    limit = FREE_SHARE * memory_available() if memory_limit is None else float(memory_limit)
    threads = check_size("workers", workers) if workers is not None else (os.cpu_count() or 1)
    if chunk is not None:
        check_size("chunk", chunk)
    itemsize, carrier = np.dtype(dtype).itemsize, choose_backend(backend, optimizers, xp)
    compiled = carrier.name != "numpy"
    all_recursions = all(recursion_of(o) is not None for o in optimizers.values())
    if carrier.name == "cupy" and representation == "auto" and all_recursions:
        representation = "coefficients"  # which the kernels are for
    choice = choose_representation(
        problem,
        asked=representation,
        all_linear=all(is_linear(o) for o in optimizers.values()),
        optimizers=len(optimizers),
        iterations=iterations,
        itemsize=itemsize,
        compiled=compiled,
        memory_limit=limit,
        audit=audit,
    )
    layout = lay_out(
        problem,
        choice.representation,
        seeds=seeds,
        optimizers=len(optimizers),
        workers=threads,
        itemsize=itemsize,
        compiled=compiled,
        memory_limit=limit,
        chunk=chunk,
        audit=audit,
    )
    if carrier.name == "cupy":
        layout = on_device(layout, problem, seeds=seeds, optimizers=len(optimizers), itemsize=itemsize)
    return Arrangement(carrier, choice, layout, limit, threads)
