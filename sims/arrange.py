"""What a run is asked to be, made definite: backend, representation, units, threads, memory."""

from __future__ import annotations

__all__ = ["Arrangement", "arrange"]

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sims.backends.choice import Backend, choose_backend
from sims.cost import Choice, Layout, choose_representation, lay_out, memory_available
from sims.problems import Problem
from theory.errors import InputError, check_number, check_size
from theory.optimizers import Optimizer

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


def arrange(
    problem: Problem, optimizers: Mapping[str, Optimizer], *, iterations: int, seeds: int = 1,
    representation: str = "auto", backend: str = "auto", dtype: str = "float64", audit: bool = True, xp: Any = np,
    workers: int | None = None, chunk: int | None = None, memory_limit: float | None = None,
) -> Arrangement:
    """Choose; the arguments are those of `sims.simulate.simulate`.

    Raises:
        InputError: one of them is outside its range, or nothing fits the memory.
    """  # fmt: skip
    if dtype not in ("float64", "float32"):
        raise InputError("dtype", dtype, "it must be 'float64' or 'float32'")
    if memory_limit is not None:
        check_number("memory_limit", memory_limit, 0, open_low=True)
    limit = FREE_SHARE * memory_available() if memory_limit is None else float(memory_limit)
    threads = check_size("workers", workers) if workers is not None else (os.cpu_count() or 1)
    if chunk is not None:
        check_size("chunk", chunk)
    itemsize, carrier = np.dtype(dtype).itemsize, choose_backend(backend, optimizers, xp)
    compiled = carrier.name == "compiled"
    choice = choose_representation(
        problem, asked=representation, all_linear=all(o.linear for o in optimizers.values()),
        optimizers=len(optimizers), iterations=iterations, itemsize=itemsize, compiled=compiled, memory_limit=limit,
        audit=audit,
    )  # fmt: skip
    layout = lay_out(
        problem, choice.representation, seeds=seeds, optimizers=len(optimizers), workers=threads, itemsize=itemsize,
        compiled=compiled, memory_limit=limit, chunk=chunk, audit=audit,
    )  # fmt: skip
    return Arrangement(carrier, choice, layout, limit, threads)
