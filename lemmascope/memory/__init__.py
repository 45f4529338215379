"""Has a series a memory? Exact fractional noise, estimators of the Hurst exponent, and what they are checked by.

Public names of `lemmascope.theory.noise.memory`, for any series of numbers.
"""

from __future__ import annotations

from lemmascope.theory.noise.memory import (
    Whittle,
    autocovariance,
    fractional_covariance,
    fractional_noise,
    local_whittle,
    rescaled_range,
    second_differences,
    sum_variance,
)

__all__ = [
    "Whittle",
    "autocovariance",
    "fractional_covariance",
    "fractional_noise",
    "local_whittle",
    "rescaled_range",
    "second_differences",
    "sum_variance",
]
