"""The number types in which optimizers are tried, and what rounding in them is."""

from __future__ import annotations

__all__ = ["DTYPES", "FORMATS", "Format", "dtypes_of", "number_type"]

from collections.abc import Iterable
from dataclasses import dataclass
from math import frexp, isfinite, ldexp
from typing import Any

import numpy as np

from lemmascope.theory.errors import InputError


@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    Args:
        digits: of the significand, the leading one included.
        least, most: exponents of the smallest normal number and of the largest power of two.
        drawn: parameters and gradients that are drawn are at most 2^drawn, so that what a few steps make of them stays
            finite.
        close: momenta that are drawn are at most 1 − 2^−close.
        weak: weight decays that are drawn are at most 2^−weak.
    """

    digits: int
    least: int
    most: int
    drawn: int
    close: int = 20
    weak: int = 0

    @property
    def roundoff(self) -> float:
        """The unit roundoff ε: a rounded number is the exact one times 1 + δ, |δ| ≤ ε."""
        return 2.0**-self.digits

    @property
    def tiny(self) -> float:
        """The smallest normal number."""
        return 2.0**self.least

    @property
    def largest(self) -> float:
        """The largest finite number."""
        return ldexp(1 - 2.0**-self.digits, self.most + 1)

    def rounded(self, x: float) -> float:
        """x to the nearest number of the format, ties to even; it does not overflow."""
        if x == 0 or not isfinite(x):
            return x
        _, exponent = frexp(x)
        unit = max(exponent, self.least + 1) - self.digits
        return ldexp(round(ldexp(x, -unit)), unit) if unit > -1074 else x


FORMATS = {
    "float16": Format(11, -14, 15, 3, close=6, weak=3),
    "bfloat16": Format(8, -126, 127, 96, close=7),
    "float32": Format(24, -126, 127, 96),
    "float64": Format(53, -1022, 1023, 960),
}
DTYPES = ("float32", "float64")
"""What is tried unless another is asked for."""


def number_type(dtype: str) -> np.dtype[Any]:
    """NumPy's type of that name.

    Raises:
        InputError: if it is none of `FORMATS`, or "bfloat16" where the package ml_dtypes is not installed.
    """
    if dtype not in FORMATS:
        raise InputError("dtype", dtype, f"it must be one of {', '.join(FORMATS)}")
    if dtype == "bfloat16":
        try:
            import ml_dtypes
        except ImportError as error:
            raise InputError("dtype", dtype, "it needs the package ml_dtypes") from error
        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(dtype)


def dtypes_of(dtypes: Any) -> tuple[str, ...]:
    """Names of number types from a name, a NumPy type, or several of them.

    Raises:
        InputError: for one that cannot be tried here, or for none.
    """
    several = dtypes if isinstance(dtypes, Iterable) and not isinstance(dtypes, str | type | np.dtype) else (dtypes,)
    found = []
    for one in several:
        try:
            name = one if isinstance(one, str) else "None" if one is None else np.dtype(one).name
        except TypeError:
            name = str(one)
        number_type(name)
        found.append(name)
    if not found:
        raise InputError("dtypes", dtypes, f"it must be one or more of {', '.join(FORMATS)}")
    return tuple(dict.fromkeys(found))
