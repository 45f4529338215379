"""Exponents fitted to measured quantities, with a bootstrap interval; what is claimed of them is in `theory.order`."""

from __future__ import annotations

__all__ = ["fit_slope"]

import math
from collections.abc import Mapping, Sequence

import numpy as np

from lemmascope.theory.errors import InputError
from lemmascope.theory.order import Slope

LEAST_SIZES = 5
RESAMPLES = 2000


def _slope(u: np.ndarray, means: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted least squares along the last axis of ``means``."""
    centre = (weights * u).sum() / weights.sum()
    return (weights * (u - centre) * means).sum(axis=-1) / (weights * (u - centre) ** 2).sum()


def fit_slope(samples: Mapping[float, Sequence[float]], *, root_seed: int = 0) -> Slope:
    """The exponent of q in d by weighted least squares in logarithms, with a percentile bootstrap over seeds.

    The weights are the inverse variances of the means; each size is resampled on its own (SciPy).

    Args:
        samples: q > 0 of every seed, by d; what is not finite or not positive is left out.
        root_seed: of the resampling.

    Raises:
        InputError: fewer than five sizes with two values or more.
    """
    from scipy.stats import bootstrap

    logs = {d: np.log([q for q in values if math.isfinite(q) and q > 0]) for d, values in samples.items()}
    logs = {d: values for d, values in sorted(logs.items()) if len(values) >= 2}
    if len(logs) < LEAST_SIZES:
        raise InputError("sizes", [f"{d:g}" for d in logs], f"a slope needs {LEAST_SIZES} sizes with two seeds or more")
    u = np.log(list(logs))
    means = np.array([values.mean() for values in logs.values()])
    errors = np.array([values.std(ddof=1) / math.sqrt(len(values)) for values in logs.values()])
    # A size whose seeds happen to agree to rounding must not outweigh all others.
    weights = 1 / np.maximum(errors, 1e-3 * max(errors.max(), 1e-12)) ** 2

    def statistic(*parts: np.ndarray, axis: int = -1) -> np.ndarray:
        return _slope(u, np.stack([part.mean(axis=axis) for part in parts], axis=-1), weights)

    value = float(_slope(u, means, weights))
    if errors.max() <= 1e-12:
        low = high = value
    else:
        made = bootstrap(
            tuple(logs.values()),
            statistic,
            n_resamples=RESAMPLES,
            method="percentile",
            vectorized=True,
            rng=np.random.default_rng(root_seed),
        )
        low, high = map(float, made.confidence_interval)
    return Slope(
        value,
        low,
        high,
        tuple(logs),
        tuple(len(values) for values in logs.values()),
        tuple(means.tolist()),
        tuple(errors.tolist()),
        float(_slope(u, np.log(u), weights)),
    )
