r"""Claims about the (η, 1 − γ) plane: on which side of the predicted lines each cell lies (derived; this project's
own).

They are judged on a `Run` whose data are a phase diagram: ``small`` (test accuracy on small-margin data) over (seed,
y, x) with y = 1 − γ and x = η, ``clock`` (seed), ``c_0`` (seed, neuron) and ``two_body`` (seed, y, x).

A cell is on the learning side if its accuracy is above 3/4, half way between chance and 1.
"""

from __future__ import annotations

__all__ = ["CLAIMS", "crossing", "fitted_kappa", "learns", "valid"]

import dataclasses
import math
from itertools import pairwise

import xarray as xr

from lemmascope.theory.cubic_cnn.boundaries import COASTS, friction, overshoot_line, race_line, roughness
from lemmascope.theory.cubic_cnn.claims.readings import ERRORS, GENERALIZES
from lemmascope.theory.cubic_cnn.predictions import overshoot_rate
from lemmascope.theory.verdict import Claim, Control, Hypothesis, Kind, Measurement, Run

HALF_WAY = 0.75
RIGHT = 0.9
"""Share of cells that must lie on the right side of a line."""

SHIFTED, MIRRORED = "shifted", "mirrored"  # attributes of a control's data


def learns(run: Run) -> xr.DataArray:
    """(seed, y, x) whether small-margin test accuracy is above 3/4."""
    return run["small"] > HALF_WAY


def valid(run: Run) -> xr.DataArray:
    """(seed, y, x) where the coasting law holds: momentum, friction and roughness ≤ 1, and a memorization time."""
    c_0, gap, eta = run["c_0"].max("neuron"), run["small"].y, run["small"].x
    weak = friction(run.p, eta, 1 - gap, c_0.where(c_0 > 0)) <= COASTS
    found = weak & (roughness(run.p, eta, 1 - gap) <= COASTS) & (gap < 1) & run["clock"].notnull()
    return found.transpose("seed", "y", "x")


def _line(run: Run) -> xr.DataArray:
    """(seed, x) 1 − γ of the race law."""
    rows = [race_line(run.p, run["small"].x, float(clock)) for clock in run["clock"].values]
    return xr.concat(rows, "seed").assign_coords(seed=run["small"].seed) * float(run.data.attrs.get(SHIFTED, 1.0))


def _share(right: xr.DataArray, where: xr.DataArray) -> xr.DataArray:
    return right.where(where).mean(("y", "x"))


def race(run: Run) -> Measurement:
    """Share of the valid cells that learn below the race law's line, and do not above it."""
    where = valid(run)
    right = learns(run) == (run["small"].y <= _line(run))
    over = crossing(run).where(where.any("y"))
    evidence = {
        "cells": [int(x) for x in where.sum(("y", "x")).values],
        "eta T_1": [float(x) for x in run["clock"].values],
        "measured boundary over the line, median": [float(x) for x in over.median("x").values],
    }
    return Measurement(_share(right, where), lower=RIGHT, evidence=evidence)


def crossing(run: Run) -> xr.DataArray:
    """(seed, x) the measured boundary over the race law's line: where accuracy falls through 3/4 from below, by
    log-linear interpolation in 1 − γ; NaN where it does not."""
    small, lines = run["small"].transpose("seed", "x", "y"), _line(run).transpose("seed", "x").values
    gaps = [float(y) for y in small.y.values]
    rows = [
        [_crossed(gaps, [float(a) for a in cell]) / float(line) for cell, line in zip(row, at, strict=True)]
        for row, at in zip(small.values, lines, strict=True)
    ]
    return xr.DataArray(rows, {"seed": small.seed, "x": small.x}, ("seed", "x"))


def _crossed(gaps: list[float], accuracy: list[float]) -> float:
    """The 1 − γ at which accuracy first falls through 3/4; NaN where it never does."""
    for (g, a), (h, b) in pairwise(zip(gaps, accuracy, strict=True)):
        if a > HALF_WAY >= b:
            return g * (h / g) ** ((a - HALF_WAY) / (a - b))
    return math.nan


def two_body(run: Run) -> Measurement:
    """Share of all cells that learn if and only if the feature has most of the margin in the two-body race."""
    predicted = run["two_body"] > 0.5
    if run.data.attrs.get(MIRRORED):
        predicted = predicted.copy(data=predicted.values[..., ::-1])
    return Measurement(_share(learns(run) == predicted, run["two_body"].notnull()), lower=RIGHT)


def _gd_row(run: Run) -> xr.DataArray:
    """(seed, x) accuracy of plain GD."""
    return run["small"].sel(y=1.0)


def fitted_kappa(run: Run) -> float:
    """κ of the overshoot line η = κ/(αβ), from the first seed: half way, in the logarithm, between its last failing and
    its first learning rate from which every cell learns; NaN if there is none."""
    row = [bool(x) for x in (_gd_row(run) > HALF_WAY).isel(seed=0).values]
    if all(row) or not row[-1]:
        return math.nan
    last = max(i for i, good in enumerate(row) if not good)
    etas = run["small"].x.values
    return math.sqrt(float(etas[last]) * float(etas[last + 1])) * run.p.alpha * run.p.beta


def overshoot(run: Run) -> Measurement:
    """Share of plain GD's cells that learn from twice the line fitted on the first seed on, and fail up to 1/(4αβ)."""
    kappa = fitted_kappa(run)
    line = float(overshoot_line(run.p, kappa)) * float(run.data.attrs.get(SHIFTED, 1.0))
    row = _gd_row(run)
    low, high = row.x <= overshoot_rate(run.p), row.x >= 2 * line
    right = xr.where(high, row > HALF_WAY, row <= HALF_WAY)
    between = ~(low | high)
    evidence = {
        "kappa": kappa,
        "eta": line,
        "share that learns in between": [float(x) for x in (row > HALF_WAY).where(between).mean("x").values],
    }
    return Measurement(right.where(~between).mean("x"), lower=RIGHT, evidence=evidence)


def no_rate(run: Run) -> Measurement:
    """Largest small-margin accuracy, plus three standard errors, of plain GD below the overshoot rate."""
    y = float(run.data.attrs.get("row", 1.0))
    below = run["small"].x <= overshoot_rate(run.p)
    high = (run["small"] + ERRORS * run["small_error"]).sel(y=y, method="nearest")
    whole = run["small"].sel(y=y, method="nearest")
    etas = [float(x) for x in whole.x.values]
    first = [
        next((eta for eta, good in zip(etas, row >= GENERALIZES, strict=True) if good), None)
        for row in whole.transpose("seed", "x").values
    ]
    evidence = {
        "holds for eta in": [float(whole.x.values[0]), overshoot_rate(run.p)],
        "first eta at which GD generalizes": first,
    }
    return Measurement(high.where(below).max("x"), upper=GENERALIZES, evidence=evidence)


def _shift(factor: float) -> Control:
    def made(run: Run) -> Run:
        return dataclasses.replace(run, data=run.data.assign_attrs({SHIFTED: factor}))

    return Control(made, f"the same line, shifted by a factor {factor:g}")


def _mirrored(run: Run) -> Run:
    return dataclasses.replace(run, data=run.data.assign_attrs({MIRRORED: 1}))


def _momentum_row(run: Run) -> Run:
    return dataclasses.replace(run, data=run.data.assign_attrs(row=float(run["small"].y.values[0])))


MEMORIZES = Hypothesis(
    "memorizes", r"GD memorizes the median small-margin sample within the horizon", lambda run: run["clock"].notnull()
)
LEARNABLE = Hypothesis("learnable", r"$\max_r c_r(0) > 0$", lambda run: run["c_0"].max("neuron") > 0)
ANY_VALID = Hypothesis(
    "coasts", r"friction and roughness are at most 1 somewhere in the plane", lambda run: valid(run).any(("y", "x"))
)
OTHER_SEED = Hypothesis(
    "other_seed", r"not the seed on which $\kappa$ was fitted", lambda run: run["small"].seed > run["small"].seed[0]
)
FITTED = Hypothesis(
    "fitted",
    r"$\kappa$ can be fitted: GD fails at small $\eta$ and learns at large",
    lambda run: math.isfinite(fitted_kappa(run)),
)
HAS_GD = Hypothesis("has_gd", r"the plane has the row $\gamma = 0$", lambda run: bool((run["small"].y == 1.0).any()))

CLAIMS = (
    Claim(
        "boundary.race",
        r"where friction $\le 1$ and $\eta(1-\gamma)\alpha^2 \le 1$: small-margin data are learnt if and only if"
        r" $1 - \gamma \le 2\eta L_1(0)/c_*^2$, $1/c_* = \beta + 1.5\beta^3\mu\,\eta T_1$, on 9 of 10 cells",
        Kind.BOUND,
        "derived",
        race,
        (LEARNABLE, MEMORIZES, ANY_VALID),
        "any",
        None,
        _shift(0.1),
        plain="where it is valid, small-margin data are learnt iff 1 − γ ≤ 2ηL₁(0)/c*², 1/c* = β + 1.5β³μ ηT₁",
    ),
    Claim(
        "boundary.two_body",
        r"small-margin data are learnt if and only if the feature has most of the margin in the two-body race, on"
        r" 9 of 10 cells of the whole plane",
        Kind.BOUND,
        "derived",
        two_body,
        (LEARNABLE, MEMORIZES),
        "any",
        None,
        Control(_mirrored, r"the same prediction with its axis of η reversed"),
        plain="small-margin data are learnt iff the feature has most of the margin in the two-body race",
    ),
    Claim(
        "boundary.overshoot",
        r"plain GD learns small-margin data for $\eta \ge 2\kappa/(\alpha\beta)$, $\kappa$ fitted on the first seed,"
        r" and not for $\eta \le 1/(4\alpha\beta)$, on 9 of 10 such cells of every other seed",
        Kind.BOUND,
        "derived",
        overshoot,
        (HAS_GD, FITTED, OTHER_SEED),
        "any",
        None,
        _shift(0.1),
        plain="plain GD learns small-margin data for η ≥ 2κ/(αβ), κ fitted on the first seed, not for η ≤ 1/(4αβ)",
    ),
    Claim(
        "boundary.no_learning_rate_rescues",
        r"GD's test accuracy on small-margin data is $< 0.99$ for every $\eta \le 1/(4\alpha\beta)$ of the row"
        r" $\gamma = 0$",
        Kind.BOUND,
        "talk",
        no_rate,
        (HAS_GD,),
        "any",
        None,
        Control(_momentum_row, "the row of the largest momentum in its place"),
        plain="GD's test accuracy on small-margin data is < 0.99 for every η ≤ 1/(4αβ) of the row γ = 0",
    ),
)
