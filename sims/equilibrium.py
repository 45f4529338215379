r"""Means of stationary chains: their error, how many independent values stand behind them, and whether they settled.

Chains are independent, so the mean of their means has a standard error from chains alone, whatever the correlation
along them (t, chains − 1 degrees of freedom). Beside it the effective sample size, samples/τ with the integrated
autocorrelation time τ = 1 + 2 Σ_{w ≤ W} ρ_w, W the first lag ≥ 5τ (Sokal's window, as emcee takes it), ρ estimated over
all chains. Settled are chains whose halves agree: the mean difference of the halves over its standard error, a t
variable of chains − 1 degrees of freedom.
"""

from __future__ import annotations

__all__ = ["Mean", "integrated_time", "stationary_mean"]

from dataclasses import dataclass

import numpy as np
from scipy import fft, stats

from lemmascope.theory.errors import InputError

WINDOW = 5.0
LEVEL = 0.9995
"""One-sided level of the halves' t statistic."""

LEAST_SAMPLES = 400
"""Effective samples that a mean needs."""


@dataclass(frozen=True)
class Mean:
    """A stationary mean.

    Attributes:
        value, error: mean of the chains' means and its standard error.
        chains: how many.
        halves: t statistic of the difference between first and second half.
        samples: effective sample size over all chains.
    """

    value: float
    error: float
    chains: int
    halves: float
    samples: float

    @property
    def unsettled(self) -> str:
        """Why the mean is not to be trusted; empty if it may be."""
        if not np.isfinite([self.value, self.error]).all():
            return "a chain is not finite"
        if not abs(self.halves) <= stats.t.ppf(LEVEL, self.chains - 1):
            return f"the halves of the chains differ by {abs(self.halves):.1f} standard errors"
        if not self.samples >= LEAST_SAMPLES:
            return f"{self.samples:.0f} effective samples, of {LEAST_SAMPLES} that are needed"
        return ""


def integrated_time(values: np.ndarray) -> float:
    """τ in samples of (chains, samples), each about the mean of all; 1 for white noise, NaN for a constant."""
    values = np.asarray(values, dtype=np.float64)
    length = values.shape[-1]
    about = values - values.mean()
    spectrum = fft.rfft(about, n=fft.next_fast_len(2 * length), axis=-1)
    covariance = fft.irfft(np.abs(spectrum) ** 2, n=fft.next_fast_len(2 * length), axis=-1)[..., :length].sum(axis=0)
    if not covariance[0] > 0:
        return float("nan")
    times = 2 * np.cumsum(covariance / covariance[0]) - 1
    late = np.flatnonzero(np.arange(length) >= WINDOW * times)
    return float(max(times[late[0] if late.size else -1], 1.0))


def stationary_mean(values: np.ndarray) -> Mean:
    """The mean of chains that have been left alone long enough.

    Args:
        values: (chains, samples), after the burn-in.

    Raises:
        InputError: fewer than two chains, or fewer than four samples.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] < 2 or values.shape[1] < 4:
        raise InputError("chains", values.shape, "give (chains, samples), two chains and four samples or more")
    chains, length = values.shape
    if not np.isfinite(values).all():
        return Mean(float("nan"), float("nan"), chains, float("nan"), 0.0)
    half = length // 2
    differences = values[:, :half].mean(axis=1) - values[:, -half:].mean(axis=1)
    means = values.mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        halves = differences.mean() / (differences.std(ddof=1) / np.sqrt(chains))
    time = integrated_time(values)
    return Mean(
        float(means.mean()),
        float(means.std(ddof=1) / np.sqrt(chains)),
        chains,
        float(halves),
        float(values.size / time) if np.isfinite(time) else 0.0,
    )
