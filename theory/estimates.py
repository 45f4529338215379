"""What claims estimate: exponents, how wide intervals over seeds are, several numbers judged at once.

A claim of several cells holds if all of them do: `held` takes numbers with their intervals, each over what is allowed.
"""

from __future__ import annotations

__all__ = [
    "CHANCE",
    "Part",
    "at_least",
    "at_most",
    "compared",
    "exponent",
    "farthest",
    "held",
    "mean",
    "off",
    "ratio",
    "slope",
    "student",
]

import math
from collections.abc import Sequence
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.claim import Estimate

Array = Any

Part = tuple[float, float, float]
"""A number with its interval."""

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


def held(parts: Sequence[Part], says: str, counts: tuple[int, ...], upper: float = 1.0, **rest: Any) -> Estimate:
    """All parts are at most ``upper``: held where the largest end is, refuted where one lies above as a whole."""
    value, low, high = (max(one) for one in zip(*parts, strict=True))
    return Estimate(value, low, high, upper=upper, counts=counts, says=says, **rest)


def off(value: float, error: float, allowed: float = 1.0) -> Part:
    """|value| over what is allowed."""
    low, high = value - error, value + error
    return abs(value) / allowed, max(0.0, low, -high) / allowed, max(abs(low), abs(high)) / allowed


def at_most(value: float, error: float, most: float) -> Part:
    """The value over ``most``."""
    return value / most, (value - error) / most, (value + error) / most


def at_least(value: float, error: float, least: float) -> Part:
    """``least`` over the value; infinite where that may be ≤ 0."""
    low, middle, high = (least / x if x > 0 else math.inf for x in (value + error, value, value - error))
    return middle, low, high


def mean(values: Any, cells: int) -> tuple[float, float]:
    """Of (seed,) values, with the half-width of its interval."""
    count = int(values.sizes["seed"])
    if count < 2:
        return float(values.mean()), math.inf
    return float(values.mean()), student(count, cells) * float(values.std(ddof=1)) / count**0.5


def ratio(fall: Any, base: Any, cells: int) -> tuple[float, float]:
    """Ratio of two means over seeds of the same noise, with its half-width to first order."""
    whole = float(base.mean())
    R = float(fall.mean()) / whole
    return R, mean((fall - R * base) / whole, cells)[1]


def farthest(named: dict[str, tuple[float, float, float]]) -> str:
    """The cell whose measured number is farthest from the stated one, for a sentence."""
    name = max(named, key=lambda one: abs(named[one][0] / named[one][2] - 1))
    value, error, stated = named[name]
    numbers = f"{value:.4g} ± {error:.2g} of {stated:.4g} ({value / stated - 1:+.1%})"
    return f"farthest at {name}: {numbers}".replace("-", "−")


def compared(named: dict[str, tuple[float, float, float]], allowed: float, seeds: int) -> Estimate:
    """Numbers with their half-widths against stated ones, relative."""
    parts = [off(value / stated - 1, error / abs(stated)) for value, error, stated in named.values()]
    shown = {name: list(one) for name, one in named.items()}
    says = f"{len(named)} cells, {farthest(named)}"
    return held(parts, says, (seeds,), allowed, evidence={"measured, half-width, stated": shown})


def slope(u: Sequence[float], values: Sequence[float], errors: Sequence[float]) -> tuple[float, float]:
    """Least squares' slope, and the error that independent ones give it."""
    middle = math.fsum(u) / len(u)
    scale = math.fsum((x - middle) ** 2 for x in u)
    weights = [(x - middle) / scale for x in u]
    slope = math.fsum(w * y for w, y in zip(weights, values, strict=True))
    return slope, math.hypot(*(w * e for w, e in zip(weights, errors, strict=True)))
