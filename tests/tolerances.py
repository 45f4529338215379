"""The one table of tolerances: kind of check × number type, each with its reason.

``tolerance(kind)`` is the number; `assert_close` applies it relative to a scale, by default the largest magnitude on
the expected side. u is the unit roundoff: 1.1e−16 for float64, 6.0e−8 for float32.
"""

from __future__ import annotations

__all__ = ["CEILINGS", "TABLE", "Tolerance", "assert_close", "standard_errors", "tolerance"]

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm


@dataclass(frozen=True)
class Tolerance:
    """A number and why it is that number."""

    value: float
    reason: str


TABLE: dict[tuple[str, str], Tolerance] = {
    ("identity", "float64"): Tolerance(
        1e-12,
        "relative to the sum of magnitudes: γ_k = k u for k ≤ 1000 terms is 1.1e−13, and a cube or a gradient "
        "passes an input's error on about three to nine times",
    ),
    ("identity", "float32"): Tolerance(
        1e-3, "as for float64: γ_k = k u for k ≤ 1000 terms is 6e−5, times up to nine, rounded up"
    ),
    ("trajectory", "float64"): Tolerance(
        1e-9,
        "relative, over a whole run: T k u with T ≤ 600 steps of k ≤ 300 terms is 2e−11, and errors grow as the "
        "coefficients do, by less than 50",
    ),
    ("trajectory", "float32"): Tolerance(
        1e-2, "relative, over T k ≤ 3000 roundings of u = 6e−8 (2e−4), amplified by less than 50; short runs only"
    ),
    ("backend", "float64"): Tolerance(
        1e-10,
        "relative to the largest of its kind: what is promised of every backend over 1000 iterations; T k u with 60 "
        "steps of 500 terms is 3e−12, and errors grow as the coefficients do",
    ),
    ("backend", "float32"): Tolerance(
        1e-3, "as for float64: T k u with 20 steps of 80 terms is 1e−4, and growth stays below ten"
    ),
    ("fast-forward", "float64"): Tolerance(
        1e-7,
        "relative: each of a hundred windows that matter for a result is held to 1e−10, and errors grow as the "
        "coefficients do, by less than ten",
    ),
    ("finite difference", "float64"): Tolerance(
        1e-7,
        "relative, central differences with h = u^(1/3) = 5e−6 of the scale: truncation h² and rounding u/h are 2e−11, "
        "times third derivatives and condition numbers up to 1e3",
    ),
    ("complex step", "float64"): Tolerance(
        1e-12, "relative: no subtraction, and truncation h² = 1e−60 at h = 1e−30, so it is an identity to rounding"
    ),
    ("statistical", "any"): Tolerance(
        1e-4,
        "level of a p-value: streams are fixed, so this is the chance that a right program is refused when they are "
        "chosen anew; fifty such tests together stay below one half of a percent",
    ),
    ("linear solve", "float64"): Tolerance(
        1e-6, "relative: κ u for a Gram matrix of as many patches as dimensions, whose κ stays below 1e9 in fixed draws"
    ),
    ("quadrature", "float64"): Tolerance(
        1e-7, "absolute, for a probability: adaptive quadrature split at its kink, asked for 1e−9, with a margin"
    ),
    ("asymptotic law", "any"): Tolerance(
        0.02,
        "relative, for a leading-order law: what the start takes from the loss (c₀³α³/2 = 0.4 %) and the friction over "
        "the fit (1 % at α = 10, half of it at α = 20); a factor √2 or 1 − μ shows",
    ),
    ("quasi-Monte Carlo", "any"): Tolerance(
        6.0, "standard errors, from 8 replicates: Student's t with 7 degrees of freedom is beyond 6 with chance 5e−4"
    ),
}

CEILINGS = {
    "identity": 2e-3,
    "trajectory": 2e-2,
    "backend": 2e-3,
    "fast-forward": 1e-6,
    "finite difference": 1e-6,
    "complex step": 1e-11,
    "linear solve": 1e-5,
    "quadrature": 1e-6,
    "asymptotic law": 0.03,
    "statistical": 1e-3,
    "quasi-Monte Carlo": 8.0,
}
"""No entry of a kind may be wider: a missing factor, a sign or an exponent always shows."""


def tolerance(kind: str, dtype: str = "float64") -> float:
    """The number for a kind of check; the kinds that know no number type take any."""
    return TABLE[(kind, "any") if (kind, "any") in TABLE else (kind, dtype)].value


def standard_errors(count: int = 1) -> float:
    """How many standard errors the largest of ``count`` unbiased means may be off, at the statistical level."""
    return float(norm.isf(tolerance("statistical") / (2 * count)))


def assert_close(
    actual: Any, expected: Any, kind: str = "identity", dtype: str = "float64", *, scale: Any = None, note: str = ""
) -> None:
    """Assert |actual − expected| ≤ tolerance · scale, entry by entry; shapes must agree, and NaN is never close.

    ``scale`` is the size that rounding is relative to: by default the largest |expected|; give the sum of the
    magnitudes where terms cancel.
    """
    left, right = np.asarray(actual), np.asarray(expected)
    assert left.shape == right.shape, f"{note}: shapes {left.shape} and {right.shape}"
    if not left.size:
        return
    size = np.max(np.abs(right)) if scale is None else np.asarray(scale)
    allowed = tolerance(kind, dtype) * size
    error = np.abs(left - right)
    worst = np.argmax(np.where(np.isnan(error), np.inf, error - allowed))
    assert bool(np.all(error <= allowed)), (
        f"{note}: {left.ravel()[worst]!r} against {right.ravel()[worst]!r}, {kind} allows "
        f"{np.broadcast_to(allowed, error.shape).ravel()[worst]:.3g}"
    )
