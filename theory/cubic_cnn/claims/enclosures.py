"""What the claims measure, as intervals of exact arithmetic; on a run with a certificate, else None."""

from __future__ import annotations

__all__ = [
    "accuracy",
    "final_largest_size",
    "fitted_share",
    "largest_c",
    "memorized",
    "passing_time",
    "recorded_most",
    "shares_at_move",
    "within",
]

from collections.abc import Callable, Sequence
from typing import Any

import xarray as xr

from lemmascope.theory.certified import Enclosure
from lemmascope.theory.cubic_cnn import predictions
from lemmascope.theory.cubic_cnn.run import Run

Pair = tuple[Any, Any]
ROUNDING = 1e-12
"""Of the few operations that form a rate and its bounds."""


def within(run: Run, name: str) -> Pair | None:
    """Lower and upper ends of a recorded quantity."""
    found = f"{name}_within"
    return (run[found].sel(end="low", drop=True), run[found].sel(end="high", drop=True)) if found in run else None


def largest_c(run: Run, factor: float, *, size: bool, lower: float, upper: float = float("inf")) -> Enclosure | None:
    """``factor`` max_r c_r, or max_r |c_r|."""
    found = within(run, "c")
    if found is None:
        return None
    low, high = found
    if size:
        # |c| is at least what its interval leaves between itself and 0.
        low, high = xr.where(low > 0, low, xr.where(high < 0, -high, 0.0)), xr.where(high > -low, high, -low)
    low, high = (factor * x.max("neuron", skipna=False) for x in (low, high))
    return Enclosure(low, high, lower=lower, upper=upper)


def memorized(run: Run) -> Enclosure | None:
    """min over Z₂ of y_i Σ_j Σ_r Ξ³."""
    found = within(run, "memorization_min")
    if found is None:
        return None
    low, high = (x.sel(margin="small") for x in found)
    return Enclosure(low, high, lower=1 / run.p.log_d)


def fitted_share(run: Run) -> Enclosure | None:
    """Training accuracy over all samples."""
    found = within(run, "train_accuracy")
    if found is None:
        return None
    small, N = run["small_count"], run.p.N
    low, high = ((x.sel(margin="large") * (N - small) + x.sel(margin="small") * small) / N for x in found)
    return Enclosure(low, high, lower=1.0)


def accuracy(
    run: Run,
    margins: Sequence[str],
    lower: float = -float("inf"),
    upper: float = float("inf"),
    optimizers: Sequence[str] = (),
) -> Enclosure | None:
    """The smallest over the margins, and the largest over the optimizers of a family."""
    found = within(run, "test_accuracy")
    if found is None:
        return None
    low, high = (x.sel(margin=list(margins)).min("margin", skipna=False) for x in found)
    if optimizers:
        low, high = (x.sel(optimizer=list(optimizers)).max("optimizer", skipna=False) for x in (low, high))
    return Enclosure(low, high, lower=lower, upper=upper)


def final_largest_size(run: Run) -> Enclosure | None:
    """max |Ξ| over max |Ξ(0)|."""
    found = within(run, "Xi_abs_max")
    if found is None:
        return None
    low, high = (x.max("margin", skipna=False) for x in found)
    return Enclosure(low / high.isel(iteration=0), high / low.isel(iteration=0), upper=run.p.log_d)


def recorded_most(run: Run, name: str, upper: float) -> Enclosure | None:
    """The largest over the recorded iterations of a quantity."""
    found = within(run, name)
    if found is None:
        return None
    low, high = (x.max("iteration", skipna=False) for x in found)
    return Enclosure(low, high, upper=upper)


def _first(may: xr.DataArray, must: xr.DataArray, last: bool) -> xr.DataArray:
    """(seed,) the place of the first record at which something is so, −1 where it is not sure which that is.

    Args:
        may, must: (seed, iteration) it may be so, it is so. last: where it surely never is, the last place.
    """
    size = must.sizes["iteration"]
    known = may.argmax("iteration") == must.argmax("iteration")
    place = must.argmax("iteration").where(must.any("iteration") & known, -1)
    return place.where(may.any("iteration"), size - 1) if last else place


def shares_at_move(run: Run, moved: float) -> Enclosure | None:
    """ν₁/ν₁(0) at the first record with ν₂ ≤ ``moved`` ν₂(0)."""
    found = within(run, "nu")
    if found is None:
        return None
    low, high = found
    share_low, share_high = low / high.isel(iteration=0), high / low.isel(iteration=0)
    may, must = (x.sel(margin="small") <= moved for x in (share_low, share_high))
    place = _first(may, must, last=True).astype(int)
    ends = (x.sel(margin="large").isel(iteration=place).where(place >= 0) for x in (share_low, share_high))
    low, high = (x.drop_vars("iteration", errors="ignore") for x in ends)
    return Enclosure(low, high, upper=1 / run.p.log_d)


def passing_time(run: Run, leader: Callable[[Run], xr.DataArray]) -> Enclosure | None:
    """The passing time of the leading neuron and its bounds, both from certain ends."""
    c, nu = within(run, "c"), within(run, "nu")
    if c is None or nu is None or run.eta is None:
        return None
    which, v = leader(run), predictions.signal_threshold(run.p)
    low, high = (x.isel(neuron=which) for x in c)
    place = _first(high >= v, low >= v, last=False).astype(int)
    p = run.p
    rates = [3 * run.eta * (p.alpha**3 * x.sel(margin="large") + p.beta**3 * x.sel(margin="small")) for x in nu]
    columns: dict[str, list[float]] = {"time": [], "lower": [], "upper": []}
    for i, k in enumerate(place.values.tolist()):
        start_low, start_high = (float(x.isel(seed=i, iteration=0)) for x in (low, high))
        rivals = float(c[1].isel(seed=i, iteration=0).drop_isel(neuron=int(which[i])).max())
        before = [x.isel(seed=i, iteration=slice(0, max(k, 1))) for x in rates]
        least, most = float(before[1].min()) * (1 + ROUNDING), float(before[0].max()) * (1 - ROUNDING)  # a ≤, A ≥
        if k < 1 or not (max(0.0, rivals) < start_low and start_high < v and float(before[0].min()) > 0):
            values = (float("nan"),) * 3
        else:
            # Both bounds at their worst: the lower one at its largest, the upper one at its smallest.
            first = predictions.tensor_power_bounds(start_low, v, least, most)[0]
            values = float(run["iteration"][k]), first, predictions.tensor_power_bounds(start_high, v, least, most)[1]
        for column, value in zip(columns.values(), values, strict=True):
            column.append(value)
    time, lower, upper = (xr.DataArray(column, coords={"seed": run["c"].seed}) for column in columns.values())
    return Enclosure(time, time, lower=lower, upper=upper, refutes=False)
