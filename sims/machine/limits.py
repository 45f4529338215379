"""What a processor can do at best: the rate of matrix products, and the bandwidth of its memory and caches."""

from __future__ import annotations

__all__ = ["SIDE", "bandwidth", "best_of", "product_rate"]

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

SIDE = 2048
"""Side of the square matrices."""


def best_of(repeats: int, call: Callable[[], object]) -> float:
    """The least seconds of a call without arguments."""
    best = math.inf
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def product_rate(dtype: str, side: int = SIDE, repeats: int = 5) -> float:
    """Operations a second of a square product of random matrices, by NumPy's BLAS on its own number of threads."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((side, side)).astype(dtype) for _ in range(2))
    out = np.empty_like(a)
    np.matmul(a, b, out=out)
    return 2.0 * side**3 / best_of(repeats, lambda: np.matmul(a, b, out=out))


def bandwidth(size: int, cores: int, repeats: int = 5, seconds: float = 0.01) -> float:
    """Bytes a second that all cores read together, each going over ``size`` bytes of its own again and again.

    Each core takes inner products of two vectors of half the size; one NumPy call repeats them without Python.
    """
    length = 2**12
    stacks = max(1, size // (16 * length))
    times = max(1, round(seconds * 2e10 / size))
    # Inner products of 4096 numbers: long enough to run at full speed, short enough to stay on one thread.
    pairs = [np.random.default_rng(core).standard_normal((2, 1, stacks, length)) for core in range(cores)]

    def read(core: int) -> None:
        left, right = (np.broadcast_to(x, (times, stacks, length)) for x in pairs[core])
        np.vecdot(left, right)

    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(read, range(cores)))
        took = best_of(repeats, lambda: list(pool.map(read, range(cores))))
    return 16.0 * length * stacks * times * cores / took
