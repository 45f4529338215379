"""What this machine can do at best: the rate of large matrix products, and the bandwidth at each size."""

from __future__ import annotations

__all__ = ["Limits", "measure_limits"]

import math
import os
from dataclasses import dataclass

import numpy as np

from lemmascope.benchmarks.protocol import Cost
from lemmascope.sims.machine.limits import SIDE, bandwidth, product_rate

SIZES = tuple(2**k for k in range(16, 29))
"""Bytes that each core goes over, 64 KiB … 256 MiB."""


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


def measure_limits(quick: bool = False) -> Limits:
    """All of them; a few seconds."""
    side, sizes, repeats = (512, SIZES[::4], 3) if quick else (SIDE, SIZES, 5)
    cores = os.cpu_count() or 1
    rates = {dtype: product_rate(dtype, side, repeats) for dtype in ("float64", "float32")}
    return Limits(rates, tuple((float(size), bandwidth(size, cores, repeats)) for size in sizes))
