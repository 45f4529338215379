"""Labelled trajectories: what a run recorded, as an xarray Dataset, and its file.

Dimensions: ``seed``, ``optimizer`` (labels), ``iteration``, ``neuron``, ``margin`` ("large", "small", or "all"
where the groups are not known), ``sample``, ``patch`` where the whole tensor Ξ was asked for, and ``step`` (each
iteration from 0 to T) where the trace was, ``end`` ("low", "high") of certified intervals.
Each variable carries ``long_name`` and ``units``; the attributes carry parameters, optimizers and seeds.
"""

from __future__ import annotations

__all__ = ["SCHEMA", "advice", "label", "load", "save"]

import json
import math
import os
from collections.abc import Mapping
from importlib.metadata import version
from numbers import Integral
from typing import Any

import numpy as np
import xarray as xr

from lemmascope.sims import netcdf
from lemmascope.sims.cubic_cnn.backends.choice import Backend
from lemmascope.sims.cubic_cnn.cost import Choice
from lemmascope.sims.cubic_cnn.problems import Problem
from lemmascope.sims.files import ResultsError
from lemmascope.sims.netcdf import save
from lemmascope.theory.cubic_cnn import predictions
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.errors import check_number, check_size

SCHEMA = "lemmascope-trajectory/1"

_RUN = ("seed", "optimizer")
_TIME = (*_RUN, "iteration")
_GROUP = (*_TIME, "margin")
_STEP = (*_RUN, "step")
_WITHIN = (*_GROUP, "end")

VARIABLES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "c": ((*_TIME, "neuron"), "signal coefficient ⟨w_r, w*⟩", "1"),
    "nu": (_GROUP, "(1/N) Σ ℓ_i over the group: ν₁, ν₂", "1"),
    "loss": (_GROUP, "(1/N) Σ log(1 + exp(−y f)) over the group", "1"),
    "train_accuracy": (_GROUP, "share of the group's training samples with y f > 0", "1"),
    "Xi_abs_max": (_GROUP, "max |Ξ| over neurons and patches of the group", "1"),
    "Xi_abs_median": (_GROUP, "median |Ξ| over neurons and patches of the group", "1"),
    "Xi_min": (_GROUP, "min Ξ over neurons and patches of the group", "1"),
    "Xi_max": (_GROUP, "max Ξ over neurons and patches of the group", "1"),
    "memorization_min": (_GROUP, "min of y_i Σ_j Σ_r Ξ³ over the group's samples", "1"),
    "memorization_median": (_GROUP, "median of y_i Σ_j Σ_r Ξ³ over the group's samples", "1"),
    "memorization_max": (_GROUP, "max of y_i Σ_j Σ_r Ξ³ over the group's samples", "1"),
    "alignment_min": (_GROUP, "min over samples of max over neurons and patches of y_i Ξ", "1"),
    "test_accuracy": (_GROUP, "exact-law accuracy on fresh samples of the group", "1"),
    "test_accuracy_error": (_GROUP, "standard error of test_accuracy (randomized quasi-Monte Carlo)", "1"),
    "weight_norm_squared": (_TIME, "‖W‖²_F", "1"),
    "cross_ratio": (_TIME, "max |Σ_{k'≠k} K u| / (σ √K_kk Σ_{k'≠k} |u|)", "1"),
    "cross_to_diagonal": (_TIME, "largest cross term over largest own term", "1"),
    "signal_gradient_residual": (_TIME, "max |−⟨∇L, w*⟩ − formula|", "1"),
    "signal_gradient_ratio": (_TIME, "signal gradient residual over its rounding bound", "1"),
    "noise_gradient_residual": (_TIME, "max |−⟨∇L, x_k⟩ − formula|", "1"),
    "noise_gradient_ratio": (_TIME, "noise gradient residual over its rounding bound", "1"),
    "Xi": ((*_TIME, "sample", "patch", "neuron"), "memorization coefficient ⟨w_r, X_i[j]⟩", "1"),
    "each_loss": (_STEP, "(1/N) Σ log(1 + exp(−y f)), at every iteration", "1"),
    "each_nu_1": (_STEP, "ν₁, at every iteration", "1"),
    "each_nu_2": (_STEP, "ν₂, at every iteration", "1"),
    "each_c_max": (_STEP, "max_r c_r, at every iteration", "1"),
    "each_Xi_abs_max": (_STEP, "max |Ξ|, at every iteration", "1"),
    "radius": (_TIME, "‖W − W exact‖_F in exact arithmetic is at most this; infinite: not known", "1"),
    "c_within": ((*_TIME, "neuron", "end"), "interval of c in exact arithmetic", "1"),
    "nu_within": (_WITHIN, "interval of nu in exact arithmetic", "1"),
    "loss_within": (_WITHIN, "interval of loss in exact arithmetic", "1"),
    "train_accuracy_within": (_WITHIN, "interval of train_accuracy in exact arithmetic", "1"),
    "Xi_abs_max_within": (_WITHIN, "interval of Xi_abs_max in exact arithmetic", "1"),
    "memorization_min_within": (_WITHIN, "interval of memorization_min in exact arithmetic", "1"),
    "test_accuracy_within": (_WITHIN, "interval of the accuracy on fresh samples, without sampling", "1"),
    "cross_ratio_within": ((*_TIME, "end"), "interval of cross_ratio in exact arithmetic", "1"),
    "cross_to_diagonal_within": ((*_TIME, "end"), "interval of cross_to_diagonal in exact arithmetic", "1"),
    "T_0_within": (
        (*_RUN, "end"),
        "first iteration at which T_0 may be, and at which it has been; NaN: none",
        "iterations",
    ),
    "T_1_within": (
        (*_RUN, "end"),
        "first iteration at which T_1 may be, and at which it has been; NaN: none",
        "iterations",
    ),
    "T_0": (_RUN, "first iteration with max c ≥ 1/(2α); NaN: not within the run", "iterations"),
    "T_1": (_RUN, "first iteration with y Σ Ξ³ ≥ 1/2 on all small-margin samples; NaN: not within", "iterations"),
    "diverged_at": (_RUN, "iteration at which the run became non-finite and stopped; −1: never", "iterations"),
    "diverged_quantity": (_RUN, "quantity that became non-finite first", ""),
    "gradients": (_RUN, "gradients evaluated on the way (fast-forward)", "1"),
    "exact_steps": (_RUN, "iterations computed one by one (fast-forward)", "iterations"),
    "small_count": (("seed",), "samples in the last margin group", "samples"),
}


def label(
    found: dict[str, np.ndarray],
    *,
    problem: Problem,
    optimizers: Mapping[str, dict[str, Any]],
    times: np.ndarray,
    choice: Choice,
    backend: Backend,
    dtype: str,
    root_seed: int,
    study: str,
    planted: str | None,
    fast_forward: float | None = None,
    first_seed: int = 0,
) -> xr.Dataset:
    """Name the axes of recorded arrays (seed, optimizer, iteration, …); ``optimizers`` are described."""
    data: dict[str, xr.Variable] = {}
    for name, values in found.items():
        if name in VARIABLES:
            dims, long_name, units = VARIABLES[name]
        else:
            dims, long_name, units = (*_TIME, "neuron")[: values.ndim], "user's quantity", ""
        data[name] = xr.Variable(dims, values, {"long_name": long_name, "units": units})
    groups = found["nu"].shape[-1]
    coords = {
        "seed": first_seed + np.arange(found["nu"].shape[0]),
        "optimizer": list(optimizers),
        "iteration": xr.Variable("iteration", times, {"long_name": "steps taken", "units": "iterations"}),
        "neuron": np.arange(problem.m),
        "margin": ["large", "small"] if groups == 2 else ["all"],
    }
    if "radius" in found:
        coords["end"] = ["low", "high"]
    p = problem.parameters
    attrs: dict[str, Any] = {
        "schema": SCHEMA,
        "lemmascope_version": version("lemmascope"),
        "parameters": json.dumps(None if p is None else p.to_dict()),
        "sizes": json.dumps({"d": problem.d, "N": problem.N, "P": problem.patches, "m": problem.m, "lam": problem.lam}),
        "law": getattr(problem, "law", "user data"),
        "optimizers": json.dumps(optimizers),
        "iterations": int(times[-1]),
        "representation": choice.representation,
        "representation_reason": choice.reason,
        "backend": backend.name,
        "backend_reason": backend.reason,
        "dtype": dtype,
        "study": study,
        "root_seed": root_seed,
        "planted": planted or "",
        "fast_forward": "" if fast_forward is None else fast_forward,
    }
    return xr.Dataset(data, coords=coords, attrs=attrs)


def advice(run: xr.Dataset) -> list[str]:
    """One sentence for each seed and optimizer that diverged, with what is responsible."""
    described, values = json.loads(run.attrs["optimizers"]), json.loads(run.attrs["parameters"])
    p = None if values is None else Parameters.from_dict(values)
    found = []
    for s in run.seed.values:
        for name in run.optimizer.values:
            t = int(run.diverged_at.sel(seed=s, optimizer=name))
            if t >= 0:
                what = str(run.diverged_quantity.sel(seed=s, optimizer=name).values)
                if t == 0:
                    remedy = "it is so at the initial weights, before any step: scale X (or sigma) or sigma_0 down"
                else:
                    member = run.sel(seed=s, optimizer=name)
                    remedy = _remedy(described[str(name)], p, _first_growth(member))
                found.append(f"seed {s}, {name}: {what} became non-finite at iteration {t}; {remedy}")
    return found


def _first_growth(member: xr.Dataset) -> float:
    """By how many times itself max |Ξ| grows in the first step, which is linear in η; NaN where it was not recorded."""
    largest = member.Xi_abs_max.max("margin").reindex(iteration=[0, 1]).values
    return float((largest[1] - largest[0]) / largest[0]) if largest[0] > 0 else math.nan


def _remedy(optimizer: dict[str, Any], p: Parameters | None, growth: float) -> str:
    """What to try: the noise level if its steps outrun the feature's (`predictions.first_steps`), the learning rate if
    the feature leaps too, or the penalty alone (ηλ > 2); else the learning rate: half of it, or that at which the first
    step no more than doubles max |Ξ|.
    """
    eta: Any = optimizer.get("eta")
    known = isinstance(eta, int | float)
    smaller = f"try eta ≤ {eta / 2:g}" if known else "try a smaller learning rate"
    signal, noise = (0.0, 0.0) if p is None else predictions.first_steps(p, 1.0)
    if p is None or noise <= signal:
        if known and growth > 2:
            return f"its first step multiplies max |Ξ| by {1 + growth:.2g}: try eta ≤ {eta / growth:.2g}"
        return smaller
    limit = predictions.largest_noise(p)
    found = (
        f"a step of the noise is {noise / signal:.2g} times one of the feature, at every learning rate: "
        f"try sigma ≤ {limit:.2g}"
    )
    form = optimizer["average_form"]
    leaps = form is not None and form["eta"] * max(signal, p.lam / 2) > 1
    return f"{found}, and {smaller}" if leaps else found


def load(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read a trajectory into memory.

    Raises:
        ResultsError: there is no such file, or it is truncated, foreign, of another schema version, or was changed.
    """
    run = netcdf.load(path, "a trajectory")
    schema = run.attrs.get("schema")
    if schema != SCHEMA:
        raise ResultsError(f"{path} has schema {schema!r}, not {SCHEMA!r}: it was not saved by this lemmascope")
    missing = {"nu", "diverged_at"} - set(run.data_vars)
    if missing:
        raise ResultsError(f"{path} lacks {', '.join(sorted(missing))}: it is not a whole trajectory")
    try:
        _check(run)
    except (LookupError, TypeError, ValueError, OverflowError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ResultsError(f"{path} is no trajectory as lemmascope saves one ({why})") from error
    return run


def _check(run: xr.Dataset) -> None:
    """Raise some error unless axes, values and attributes are such as `label` makes; axes may be selected away."""
    for name, kinds in {"seed": "iu", "iteration": "iu", "optimizer": "UO", "margin": "UO"}.items():
        values = np.atleast_1d(run[name].values)
        if values.ndim > 1 or values.dtype.kind not in kinds:
            raise TypeError(f"the axis {name} has other values")
        if name == "optimizer" and len(set(values.tolist())) < values.size:
            raise ValueError("two optimizers have one name")
        if name == "iteration" and (values.min() < 0 or np.any(np.diff(values) <= 0)):
            raise ValueError("iterations do not increase")
    for name, (dims, _, _) in VARIABLES.items():
        if name in run and not set(run[name].dims) <= set(dims):
            raise ValueError(f"{name} has other axes")
        if name in run and run[name].dtype.kind not in ("UO" if name == "diverged_quantity" else "biuf"):
            raise TypeError(f"{name} has other values")
    for name in ("law", "representation", "representation_reason", "backend", "backend_reason", "dtype", "study"):
        if not isinstance(run.attrs[name], str):
            raise TypeError(f"{name} is no text")
    for name in ("iterations", "root_seed"):
        if not isinstance(run.attrs[name], Integral) or run.attrs[name] < 0:
            raise TypeError(f"{name} is no number ≥ 0")
    values = json.loads(run.attrs["parameters"])
    if values is not None:
        Parameters.from_dict(values)
    sizes = json.loads(run.attrs["sizes"])
    for name in ("d", "N", "P", "m"):
        check_size(name, sizes[name])
    check_number("lam", sizes["lam"], 0.0)
    described = json.loads(run.attrs["optimizers"])
    for label in np.atleast_1d(run["optimizer"].values):
        form = described[str(label)]["average_form"]
        if form is not None:
            check_number("eta", form["eta"])
            check_number("gamma", form["gamma"])
