"""What claims about noise estimate: exponents of exact values, and how wide intervals over seeds are."""

from __future__ import annotations

__all__ = ["CHANCE", "exponent", "student"]

import math
from typing import Any

from array_api_compat import array_namespace

Array = Any

CHANCE = 1e-3
"""Probability that chance alone takes any of a claim's cells out of its interval."""


def exponent(values: Array, against: Array) -> Array:
    """(…) slope of log |values| (…, k) against log ``against`` (k,), by least squares."""
    xp = array_namespace(values)
    u, logs = xp.log(against), xp.log(xp.abs(values))
    centred = u - xp.mean(u)
    return xp.sum(centred * logs, axis=-1) / xp.sum(centred * centred)


def student(seeds: int, cells: int = 1) -> float:
    """How many standard errors of a mean over seeds all cells lie within, but for `CHANCE`: Student's t, Bonferroni.

    Infinite with one seed.
    """
    from scipy import stats

    return float(stats.t.ppf(1 - CHANCE / (2 * cells), seeds - 1)) if seeds > 1 else math.inf
