"""Exponents fitted to measured quantities, with a bootstrap interval; what is claimed of them is in `theory.order`."""

from __future__ import annotations

__all__ = ["fit_slope", "fit_slopes"]

import math
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from lemmascope.theory.errors import InputError
from lemmascope.theory.order import LEAST_SIZES, Slope

RESAMPLES = 2000


def _slope(u: np.ndarray, means: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted least squares along the last axis of ``means``."""
    centre = (weights * u).sum() / weights.sum()
    return (weights * (u - centre) * means).sum(axis=-1) / (weights * (u - centre) ** 2).sum()


def fit_slope(samples: Mapping[float, Sequence[float]], *, root_seed: int = 0) -> Slope:
    """The exponent of q in d by weighted least squares in logarithms, with a percentile bootstrap over seeds.

    The weights are the inverse variances of the means; each size is resampled on its own (SciPy).

    Args:
        samples: q > 0 of every seed, by d > 0; what is not finite or not positive is left out.
        root_seed: of the resampling.

    Raises:
        InputError: fewer than five sizes with two values or more, or a size that has no logarithm.
    """
    from scipy.stats import bootstrap

    for d in samples:
        if not (math.isfinite(d) and d > 0):
            raise InputError("sizes", d, "each must be a finite number > 0")
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
        float(_slope(u, np.log(np.abs(u)), weights)) if u[0] > 0 or u[-1] < 0 else math.nan,
    )


def fit_slopes(
    data: xr.Dataset,
    quantities: Sequence[str],
    axis: str = "d",
    *,
    control: xr.Dataset | None = None,
    root_seed: int = 0,
) -> xr.Dataset:
    """The exponents of measured quantities, as evidence for claims of kind order (`theory.order.exponent_claim`).

    Args:
        data: variables over (axis, seed).
        quantities: which of them; what is not finite or not positive is left out.
        axis: the dimension that they are fitted against, with its sizes as coordinate.
        control: the same variables of a control, fitted beside them.
        root_seed: of the resampling.

    Returns:
        ``slope``, ``low``, ``high`` and ``logarithm`` (quantity), the fields of `Slope`, NaN where fewer than five
        sizes have two values; ``count``, ``mean`` and ``error`` (quantity, axis), how many values there are at each
        size, the mean of their logarithms and its standard error, NaN where the size took no part; ``missing`` and
        ``not_positive`` (quantity, axis), how many values are left out, and how many of them because they are ≤ 0. With
        a control all over ``of``, "data" and "control", too.

    Raises:
        InputError: a quantity or the axis is missing, a quantity has other dimensions, or a control has other sizes.
    """
    if control is not None:
        own, other = (fit_slopes(one, quantities, axis, root_seed=root_seed) for one in (data, control))
        if own[axis].values.tolist() != other[axis].values.tolist():
            raise InputError("control", other[axis].values.tolist(), f"it must have the data's values of {axis}")
        return xr.concat(
            [own, other.assign_coords(seed=own["seed"])],
            xr.DataArray(["data", "control"], dims="of", name="of"),
            data_vars="all",
            coords="minimal",
            compat="override",
            join="override",
            combine_attrs="override",
        )
    for name in (axis, "seed"):
        if name not in data.dims:
            raise InputError("data", list(data.dims), f"it must have the dimension {name}")
    for name in quantities:
        if name not in data or set(data[name].dims) != {axis, "seed"}:
            raise InputError("quantity", name, f"it must be a variable over {axis} and seed")
    data = data.sortby(axis)
    sizes = [float(d) for d in data[axis].values]
    if len(set(sizes)) < len(sizes):
        raise InputError(axis, sizes, "each value must occur once")
    found: dict[str, list[float]] = {name: [] for name in ("slope", "low", "high", "logarithm")}
    by_size = {name: np.full((len(quantities), len(sizes)), np.nan) for name in ("mean", "error")}
    count, missing, below = (np.zeros((len(quantities), len(sizes)), dtype=int) for _ in range(3))
    for j, name in enumerate(quantities):
        values = data[name].transpose(axis, "seed").values
        count[j] = (np.isfinite(values) & (values > 0)).sum(axis=1)
        missing[j] = values.shape[1] - count[j]
        below[j] = (values <= 0).sum(axis=1)
        if (count[j] >= 2).sum() < LEAST_SIZES:
            for column in found.values():
                column.append(math.nan)
            continue
        slope = fit_slope(dict(zip(sizes, values.tolist(), strict=True)), root_seed=root_seed)
        logarithm = math.nan if slope.logarithm is None else slope.logarithm
        for column, x in zip(found.values(), (slope.value, slope.low, slope.high, logarithm), strict=True):
            column.append(x)
        by_size["mean"][j, count[j] >= 2] = slope.means
        by_size["error"][j, count[j] >= 2] = slope.errors
    by = ("quantity", axis)
    seeds = data["seed"].values
    return xr.Dataset(
        {name: ("quantity", np.array(column, dtype=float)) for name, column in found.items()}
        | {name: (by, table) for name, table in by_size.items()}
        | {"count": (by, count), "missing": (by, missing), "not_positive": (by, below)},
        {"quantity": list(quantities), axis: sizes, "seed": seeds},
        data.attrs,
    )
