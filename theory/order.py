r"""Claims of kind *order*: an exponent, held against a slope with its interval.

A statement q = Θ̃(d^e) leaves a factor between 1/log d and log d free. Over sizes from d₁ to d₂ such a factor moves the
slope of log q against log d by at most

    a = log(log d₂ / log d₁) / log(d₂ / d₁)

per power of the logarithm that it gains or loses from one end to the other (derived: the slope between the ends).
The statement HOLDS if the whole interval of the slope lies within e ± a, is REFUTED if it lies outside, and is
INCONCLUSIVE where it reaches across the edge. So a wrong exponent is refuted as soon as it is wrong by more than a
logarithm can be, and no tolerance is chosen.
"""

from __future__ import annotations

__all__ = ["OrderClaim", "Slope", "fit_slope", "log_allowance"]

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory.errors import InputError
from theory.verdict import Kind, Status, Verdict

LEAST_SIZES = 5
RESAMPLES = 2000


def log_allowance(d_1: float, d_2: float) -> float:
    """How far one factor of log d moves a slope between d₁ and d₂."""
    return math.log(math.log(d_2) / math.log(d_1)) / math.log(d_2 / d_1)


@dataclass(frozen=True)
class Slope:
    """A fitted exponent.

    Attributes:
        value: the slope of log q against log d.
        low, high: its 95 % bootstrap interval.
        sizes: the d that took part; counts: the seeds at each.
        means: mean of log q at each size; errors: its standard error.
    """

    value: float
    low: float
    high: float
    sizes: tuple[float, ...]
    counts: tuple[int, ...]
    means: tuple[float, ...]
    errors: tuple[float, ...]


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
            tuple(logs.values()), statistic, n_resamples=RESAMPLES, method="percentile", vectorized=True,
            rng=np.random.default_rng(root_seed),
        )  # fmt: skip
        low, high = map(float, made.confidence_interval)
    return Slope(
        value, low, high, tuple(logs), tuple(len(values) for values in logs.values()), tuple(means.tolist()),
        tuple(errors.tolist()),
    )  # fmt: skip


@dataclass(frozen=True)
class OrderClaim:
    """An exponent as data.

    Args:
        id: dotted name; statement: LaTeX; plain: the same in plain text.
        source: of the exponent, one of `theory.verdict.SOURCES`.
        quantity: what is fitted, a name known to the study.
        optimizer: whose.
        exponent: predicted.
        factors: how many factors of log d are free, on either side.
        control: description of the negative control.
    """

    id: str
    statement: str
    plain: str
    source: str
    quantity: str
    optimizer: str
    exponent: float
    factors: float = 1.0
    control: str = ""

    def status(self, slope: Slope) -> Status:
        """How a slope comes out."""
        low, high = self.band(slope)
        if low <= slope.low and slope.high <= high:
            return Status.HOLDS
        return Status.REFUTED if slope.high < low or slope.low > high else Status.INCONCLUSIVE

    def band(self, slope: Slope) -> tuple[float, float]:
        """The exponents that a factor of logarithms allows."""
        free = self.factors * log_allowance(slope.sizes[0], slope.sizes[-1])
        return self.exponent - free, self.exponent + free

    def judge(
        self,
        slope: Slope,
        *,
        seeds: Sequence[int],
        control: Slope | None = None,
        evidence: dict[str, Any] | None = None,
    ) -> Verdict:
        """Hold a slope, and the control's, against the exponent."""
        low, high = self.band(slope)
        status = self.status(slope)
        reason = (
            f"slope {slope.value:.3f}, 95 % interval [{slope.low:.3f}, {slope.high:.3f}], {len(slope.sizes)} sizes; "
            f"predicted {self.exponent:.3f}, with factors of log d in [{low:.3f}, {high:.3f}]"
        )
        outcome = "not run" if control is None else self.status(control).value
        return Verdict(
            claim=self.id, optimizer=self.optimizer, statement=self.statement, kind=Kind.ORDER, source=self.source,
            status=status, expected=Status.HOLDS, reason=reason, plain=self.plain, computed=slope.value, lower=low,
            upper=high, margin=min(slope.low - low, high - slope.high), seeds=tuple(seeds),
            holding=tuple(seeds) if status is Status.HOLDS else (),
            witness={"slope": slope.value, "low": slope.low, "high": slope.high} if status is Status.REFUTED else None,
            evidence={
                "slope interval": [slope.low, slope.high], "sizes": list(slope.sizes),
                "seeds a size": list(slope.counts),
                "mean log": list(slope.means), "standard error": list(slope.errors),
                "control slope": None if control is None else [control.value, control.low, control.high],
                **(evidence or {}),
            },
            control={"description": self.control, "status": outcome} if self.control else None,
        )  # fmt: skip
