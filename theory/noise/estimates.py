"""What claims about noise estimate: exponents of exact values, means over seeds with their intervals."""

from __future__ import annotations

__all__ = ["CHANCE", "exponent", "mean_of_seeds", "student"]

import math
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.claim import Estimate

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


def mean_of_seeds(values: Any, cells: int = 1, **rest: Any) -> Estimate:
    """The mean of one number a seed with its interval, as one of ``cells`` intervals that hold together.

    Args:
        values: DataArray (seed,).
        cells: how many intervals are to hold at once.
        rest: fields of `theory.claim.Estimate`: lower, upper, says, evidence.
    """
    count = int(values.sizes["seed"])
    mean = float(values.mean())
    error = float(values.std(ddof=1)) / count**0.5 if count > 1 else math.nan
    reach = student(count, cells) * error if count > 1 else math.inf
    few = "" if count > 1 else "one seed has no interval"
    bounds = {"lower": -math.inf, "upper": math.inf, "undecided": few} | rest
    return Estimate(mean, mean - reach, mean + reach, counts=(count,), **bounds)
