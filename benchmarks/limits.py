"""What this machine can do at best: the rate of large matrix products, and the bandwidth at each size."""

from __future__ import annotations

__all__ = ["Limits", "bandwidth", "best_of", "measure_limits", "product_rate"]

import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from benchmarks.protocol import Cost

SIZES = tuple(2**k for k in range(16, 29))
"""Bytes that each core goes over, 64 KiB … 256 MiB."""
SIDE = 2048
"""Side of the square matrices."""


@dataclass(frozen=True)
class Limits:
    """Measured limits.

    Attributes:
        product_rate: floating-point operations a second of large square products on all cores, by number type.
        bandwidth: (bytes that each core goes over, bytes a second that all cores read together), by size.
    """

    product_rate: dict[str, float]
    bandwidth: tuple[tuple[float, float], ...]

    def bandwidth_at(self, resident: float) -> float:
        """Bytes a second where each core goes over ``resident`` bytes; between the measured sizes, a power law."""
        sizes, rates = (np.log(column) for column in np.array(self.bandwidth).T)
        # What is smaller is read at least as fast: a slower measurement of it was disturbed.
        rates = np.maximum.accumulate(rates[::-1])[::-1]
        return float(np.exp(np.interp(math.log(max(resident, 1.0)), sizes, rates)))

    def least_seconds(self, cost: Cost, dtype: str = "float64") -> tuple[float, str]:
        """The larger of flops over the product rate and bytes over the bandwidth, and which of the two it is."""
        products = cost.flops / self.product_rate[dtype]
        traffic = cost.bytes / self.bandwidth_at(cost.resident)
        return (products, "product rate") if products >= traffic else (traffic, "bandwidth")

    def best_with(self, other: Limits) -> Limits:
        """The better of two measurements, number by number: a limit is the best that was seen."""
        rates = {dtype: max(rate, other.product_rate[dtype]) for dtype, rate in self.product_rate.items()}
        pairs = zip(self.bandwidth, other.bandwidth, strict=True)
        return Limits(rates, tuple((size, max(a, b)) for (size, a), (_, b) in pairs))


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


def measure_limits(quick: bool = False) -> Limits:
    """All of them; a few seconds."""
    side, sizes, repeats = (512, SIZES[::4], 3) if quick else (SIDE, SIZES, 5)
    cores = os.cpu_count() or 1
    rates = {dtype: product_rate(dtype, side, repeats) for dtype in ("float64", "float32")}
    return Limits(rates, tuple((float(size), bandwidth(size, cores, repeats)) for size in sizes))
