r"""Claims about the (η, 1 − γ) plane: on which side of the predicted lines each cell lies (derived; this project's
own).

They are judged on a phase diagram: ``small`` and ``small_error`` (test accuracy on small-margin data, its standard
error) over (seed, y, x) with y = 1 − γ and x = η, ``clock`` (seed), ``c_0`` (seed, neuron) and ``two_body`` (seed, y,
x); its role is `PLANE`, and its parameters are those of the law. `plane_of` makes it evidence: κ is fitted there, on
the first seed, so that what is measured on the others is of each alone.

A cell is on the learning side if its accuracy is above 3/4, half way between chance and 1. A cell that diverged has no
accuracy, and is on neither side: the race and the two-body race are not judged on it, and their evidence says so.

**How far off the race law is** (derived). It counts the feature as late unless it reaches 1/β within ηT₁. Where 1/(kβ)
is enough, 1/c* = kβ + 1.5β³μ ηT₁, so the measured boundary in 1 − γ lies above the line by the factor
(1 + (k − 1)βc*)², βc* = 1/(1 + 1.5β²μ ηT₁). Accuracy 3/4 needs k between 2.1 and 3.0 on the draws that were looked at,
at βc* from 0.31 to 0.64. At k = 3 the cells between the two are on the wrong side, in each column that the line crosses
2 log(1 + 2βc*)/r of them, r the logarithm of the ratio of two rows. On the plane that the study runs by default the
line crosses 7 of 16 columns, r = 0.614, and 125 cells or more are valid: a tenth of these is reached at
log(1 + 2βc*) = 0.55, βc* = 0.37. The line is claimed up to βc* = 1/3 (`RACED`).

**How fine a grid it takes** (derived). In each of C columns the boundary is known up to one row, so that the cells on
the wrong side of the line are those of the area give or take one: a random rounding, of standard deviation 1/2 at most.
The share of n cells is then uncertain by √C/(2n). Three of these are at most half of the tenth that may be wrong if
n ≥ 30 √C (`FEWEST`). With half of a k × k plane valid, n = k²/2 and C = k, they are 3 k^{−3/2}: 0.13 at k = 8, 0.047 at
k = 16 (`SIDE`). Of the whole plane, on which the two-body race is judged, n = k² makes it half as much: 0.066 at k = 8,
0.023 at k = 16.

**Both sides are tried.** Where a tenth of the cells or fewer lie on one side of a line, 9 of 10 are right though all of
those are wrong: such a plane says nothing of the line. So each side has more than a tenth of the cells that the
statement is about (`TRIED`, and its like), which is known before any of them is run; and where cells that diverged
leave fewer, the share is undefined.
"""

from __future__ import annotations

__all__ = ["CLAIMS", "PLANE", "SIDE", "crossing", "fitted_kappa", "learns", "plane_of", "raced", "valid"]

import math
from dataclasses import replace
from itertools import pairwise

import xarray as xr

from lemmascope.theory.claim import Claim, Control, Evidence, Hypothesis, Measurement
from lemmascope.theory.cubic_cnn.boundaries import (
    COASTS,
    friction,
    overshoot_line,
    race_coefficient,
    race_line,
    roughness,
)
from lemmascope.theory.cubic_cnn.claims.readings import ERRORS, GENERALIZES
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.cubic_cnn.predictions import SMALL_START, overshoot_rate, start_size
from lemmascope.theory.verdict import Kind

PLANE = "plane"
"""The role of the evidence: a phase diagram, and no trajectory."""

HALF_WAY = 0.75
HALF_MARGIN = 0.5
RIGHT = 0.9
"""Share of cells that must lie on the right side of a line."""

SIDE = 16
"""Rows, and columns, from which on a plane decides what is said of 9 of 10 of its valid cells."""

FEWEST = 30.0
"""Cells, over the root of the number of their columns, from which on they decide what is said of 9 of 10."""

LARGEST_COAST = 1 / 3
"""The largest βc*, the coast's share of the way to 1/β, for which the race law is claimed."""


def learns(plane: Evidence) -> xr.DataArray:
    """(seed, y, x) whether small-margin test accuracy is above 3/4."""
    return plane["small"] > HALF_WAY


def valid(plane: Evidence) -> xr.DataArray:
    """(seed, y, x) where the coasting law holds: with momentum, friction and roughness ≤ 1, a small start; and a
    memorization time."""
    c_0, gap, eta = plane["c_0"].max("neuron"), plane["small"].y, plane["small"].x
    weak = friction(plane.p, eta, 1 - gap, c_0.where(c_0 > 0)) <= COASTS
    small = start_size(plane.p, plane["c_0"], "neuron") <= SMALL_START
    found = weak & (roughness(plane.p, eta, 1 - gap) <= COASTS) & (gap < 1) & small & plane["clock"].notnull()
    return found.transpose("seed", "y", "x")


def _line(plane: Evidence, shift: float) -> xr.DataArray:
    """(seed, x) 1 − γ of the race law, times ``shift``."""
    rows = [race_line(plane.p, plane["small"].x, float(clock)) for clock in plane["clock"].values]
    return xr.concat(rows, "seed").assign_coords(seed=plane["small"].seed) * shift


def _both_sides(where: xr.DataArray, learnt: xr.DataArray, dims: tuple[str, ...]) -> xr.DataArray:
    """Whether each side has so many of the cells that they are not 9 of 10 without it."""
    cells = where.sum(dims)
    cells = cells.where(cells > 0)
    return ((where & learnt).sum(dims) / cells < RIGHT) & ((where & ~learnt).sum(dims) / cells < RIGHT)


def _decide(where: xr.DataArray, learnt: xr.DataArray) -> xr.DataArray:
    """(seed,) whether some cells are enough to tell 9 of 10, and are on both sides of what is ``learnt`` by a line."""
    enough = where.sum(("y", "x")) >= FEWEST * where.any("y").sum("x") ** 0.5
    return enough & _both_sides(where, learnt, ("y", "x"))


def _below(plane: Evidence, shift: float = 1.0) -> xr.DataArray:
    """(seed, y, x) what the race law times ``shift`` says is learnt."""
    return plane["small"].y <= _line(plane, shift)


def _share(
    plane: Evidence, right: xr.DataArray, where: xr.DataArray, learnt: xr.DataArray
) -> tuple[xr.DataArray, dict[str, list[int]]]:
    """(seed,) the share of some cells that are right, of those with an accuracy, and how many these are on each seed.

    It is undefined where they do not decide.
    """
    there = plane["small"].notnull()
    judged = where & there
    counts = {"cells": _counts(judged), "cells on the learning side of the line": _counts(judged & learnt)}
    if any(left := _counts(where & ~there)):
        counts["cells left out, without an accuracy"] = left
    return right.where(judged).mean(("y", "x")).where(_decide(judged, learnt)), counts


def _counts(where: xr.DataArray) -> list[int]:
    return [int(x) for x in where.sum(("y", "x")).values]


def race(plane: Evidence, *, shift: float = 1.0) -> Measurement:
    """Share of the valid cells that learn below the race law's line times ``shift``, and do not above it.

    Undefined on seeds whose valid cells with an accuracy are too few, or on one side of the law's own line.
    """
    where = valid(plane)
    share, counts = _share(plane, learns(plane) == _below(plane, shift), where, _below(plane))
    over = crossing(plane, shift=shift).where((where & plane["small"].notnull()).any("y"))
    evidence = {
        "eta T_1": [float(x) for x in plane["clock"].values],
        "measured boundary over the line, median": [float(x) for x in over.median("x").values],
        **counts,
    }
    return Measurement(share, lower=RIGHT, evidence=evidence)


def raced(p: Parameters, clock: float) -> bool:
    """Whether most of the way to 1/β is the race's, βc* ≤ 1/3, for an ηT₁ of ``clock``."""
    return p.beta * race_coefficient(p, clock) <= LARGEST_COAST


def crossing(plane: Evidence, *, shift: float = 1.0) -> xr.DataArray:
    """(seed, x) the measured boundary over the race law's line: where accuracy falls through 3/4 from below, by
    log-linear interpolation in 1 − γ; NaN where it does not."""
    small, lines = plane["small"].transpose("seed", "x", "y"), _line(plane, shift).transpose("seed", "x").values
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


def two_body(plane: Evidence, *, mirrored: bool = False) -> Measurement:
    """Share of all cells that learn if and only if the feature has most of the margin in the two-body race.

    Undefined on seeds whose cells with a prediction and an accuracy are too few, or on one side of it. ``mirrored``
    reverses the prediction's axis of η.
    """
    predicted = plane["two_body"]
    if mirrored:
        predicted = predicted.copy(data=predicted.values[..., ::-1])
    where, feature = predicted.notnull(), predicted > HALF_MARGIN
    share, counts = _share(plane, learns(plane) == feature, where, feature)
    if any(unsaid := _counts(~where)):
        counts["cells left out, without a prediction"] = unsaid
    return Measurement(share, lower=RIGHT, evidence=counts)


def _has_gd(plane: Evidence) -> bool:
    return bool((plane["small"].y == 1.0).any())


def _gd_row(plane: Evidence) -> xr.DataArray:
    """(seed, x) accuracy of plain GD."""
    return plane["small"].sel(y=1.0)


def plane_of(data: xr.Dataset, parameters: Parameters) -> Evidence:
    """A phase diagram as evidence, with ``kappa`` as `fitted_kappa` finds it, and the seed that it is ``fitted_on``."""
    plane = Evidence(data, "the plane", role=PLANE, parameters=parameters)
    return replace(plane, data=data.assign(kappa=fitted_kappa(plane), fitted_on=data["seed"].values[0]))


def fitted_kappa(plane: Evidence) -> float:
    """κ of the overshoot line η = κ/(αβ), from the first seed: half way, in the logarithm, between its last failing and
    its first learning rate from which every cell learns; NaN if there is none, or no row γ = 0."""
    if not _has_gd(plane):
        return math.nan
    row = [bool(x) for x in (_gd_row(plane) > HALF_WAY).isel(seed=0).values]
    if all(row) or not row[-1]:
        return math.nan
    last = max(i for i, good in enumerate(row) if not good)
    etas = plane["small"].x.values
    return math.sqrt(float(etas[last]) * float(etas[last + 1])) * plane.p.alpha * plane.p.beta


def overshoot(plane: Evidence, *, shift: float = 1.0) -> Measurement:
    """Share of plain GD's cells that learn from twice the fitted line times ``shift`` on, and fail up to 1/(4αβ).

    A cell that diverged does neither.
    """
    row = _gd_row(plane)
    low, high = _ends(plane, shift)
    right = xr.where(high, row > HALF_WAY, row <= HALF_WAY)
    between = ~(low | high)
    evidence = {
        "kappa": float(plane["kappa"]),
        "eta": overshoot_line(plane.p, float(plane["kappa"])) * shift,
        "cells that learn, and that fail, by the statement": [int(high.sum()), int((low & ~high).sum())],
        "cells left out, in between": int(between.sum()),
        "share that learns in between": [float(x) for x in (row > HALF_WAY).where(between).mean("x").values],
    }
    return Measurement(right.where(~between).mean("x"), lower=RIGHT, evidence=evidence)


def _ends(plane: Evidence, shift: float = 1.0) -> tuple[xr.DataArray, xr.DataArray]:
    """(x,) which learning rates are at most 1/(4αβ), and which at least twice the fitted line times ``shift``."""
    eta = plane["small"].x
    return eta <= overshoot_rate(plane.p), eta >= 2 * overshoot_line(plane.p, float(plane["kappa"])) * shift


def _both_ends(plane: Evidence) -> bool:
    low, high = _ends(plane)
    return bool(_both_sides(low | high, high, ("x",)))


def no_rate(plane: Evidence, *, row: float = 1.0) -> Measurement:
    """Largest small-margin accuracy, plus three standard errors, below the overshoot rate.

    It is that of plain GD; with another 1 − γ for ``row``, that of the plane's row next to it. Undefined where a cell
    is and no other one decides, for that cell may have learnt.
    """
    below = plane["small"].x <= overshoot_rate(plane.p)
    high = (plane["small"] + ERRORS * plane["small_error"]).sel(y=row, method="nearest")
    whole = plane["small"].sel(y=row, method="nearest")
    etas = [float(x) for x in whole.x.values]
    first = [
        next((eta for eta, good in zip(etas, values >= GENERALIZES, strict=True) if good), None)
        for values in whole.transpose("seed", "x").values
    ]
    evidence = {
        "holds for eta in": [float(whole.x.values[0]), overshoot_rate(plane.p)],
        "first eta at which GD generalizes": first,
    }
    found = high.where(below).max("x")
    decided = (high.notnull() | ~below).all("x") | (found > GENERALIZES)
    return Measurement(found.where(decided), upper=GENERALIZES, evidence=evidence)


MEMORIZES = Hypothesis(
    "memorizes",
    r"GD memorizes the median small-margin sample within the horizon",
    lambda plane: plane["clock"].notnull(),
)
LEARNABLE = Hypothesis("learnable", r"$\max_r c_r(0) > 0$", lambda plane: plane["c_0"].max("neuron") > 0)
CLEAN_LABELS = Hypothesis("clean_labels", r"$\rho = 0$: no label is flipped", lambda plane: plane.p.label_noise == 0)
RESOLVED = Hypothesis(
    "resolved",
    f"the plane has {SIDE} rows and columns or more: fewer cells do not decide what is said of 9 of 10",
    lambda plane: min(plane["small"].sizes[side] for side in ("y", "x")) >= SIDE,
)
SMALL_STARTS = Hypothesis(
    "small_start",
    r"$\alpha \|c(0)\|_3 \le \frac12$: the coasting law is off by no more than 5 % for the loss at the start",
    lambda plane: start_size(plane.p, plane["c_0"], "neuron") <= SMALL_START,
)
RACED = Hypothesis(
    "raced",
    r"$\beta c_* \le \frac13$: most of the way to $1/\beta$ is the race's, and the law, off by $(1 + 2\beta c_*)^2$ at"
    r" most, has fewer than a tenth of the cells on the wrong side",
    lambda plane: plane["clock"].copy(data=[raced(plane.p, float(clock)) for clock in plane["clock"].values]),
)
ANY_VALID = Hypothesis(
    "coasts", r"friction and roughness are at most 1 somewhere in the plane", lambda plane: valid(plane).any(("y", "x"))
)
ENOUGH = (
    rf", in $C$ columns, are $n \ge {FEWEST:g}\sqrt{{C}}$, more than a tenth of them on each side of the line: a tenth"
    " could all be wrong"
)
TRIED = Hypothesis("tried", f"the $n$ valid cells{ENOUGH}", lambda plane: _decide(valid(plane), _below(plane)))
PREDICTED = Hypothesis(
    "predicted",
    f"the $n$ cells with a prediction{ENOUGH}",
    lambda plane: _decide(plane["two_body"].notnull(), plane["two_body"] > HALF_MARGIN),
)
BOTH_ENDS = Hypothesis(
    "both_ends",
    r"more than a tenth of the learning rates that are spoken of are $\ge 2\kappa/(\alpha\beta)$, and more than a tenth"
    r" $\le 1/(4\alpha\beta)$: a tenth could all be wrong",
    _both_ends,
)
OTHER_SEED = Hypothesis(
    "other_seed", r"not the seed on which $\kappa$ was fitted", lambda plane: plane["small"].seed != plane["fitted_on"]
)
FITTED = Hypothesis(
    "fitted",
    r"$\kappa$ can be fitted: GD fails at small $\eta$ and learns at large",
    lambda plane: math.isfinite(float(plane["kappa"])),
)
HAS_GD = Hypothesis("has_gd", r"the plane has the row $\gamma = 0$", _has_gd)

SHIFTED = Control("the same line, shifted by a factor 0.1", constants={"shift": 0.1})

CLAIMS = (
    Claim(
        id="boundary.race",
        statement=(
            r"where friction $\le 1$ and $\eta(1-\gamma)\alpha^2 \le 1$: small-margin data are learnt if and only if"
            r" $1 - \gamma \le 2\eta L_1(0)/c_*^2$, $1/c_* = \beta + 1.5\beta^3\mu\,\eta T_1$, on 9 of 10 cells"
        ),
        plain="where it is valid, small-margin data are learnt iff 1 − γ ≤ 2ηL₁(0)/c*², 1/c* = β + 1.5β³μ ηT₁",
        kind=Kind.BOUND,
        source="derived",
        measure=race,
        about=PLANE,
        assumes=(CLEAN_LABELS, RESOLVED, LEARNABLE, MEMORIZES, RACED, SMALL_STARTS, ANY_VALID, TRIED),
        control=SHIFTED,
    ),
    Claim(
        id="boundary.two_body",
        statement=(
            r"small-margin data are learnt if and only if the feature has most of the margin in the two-body race, on"
            r" 9 of 10 cells of the whole plane of which both are known"
        ),
        plain="small-margin data are learnt iff the feature has most of the margin in the two-body race",
        kind=Kind.BOUND,
        source="derived",
        measure=two_body,
        about=PLANE,
        assumes=(CLEAN_LABELS, RESOLVED, LEARNABLE, MEMORIZES, PREDICTED),
        control=Control("the same prediction with its axis of η reversed", constants={"mirrored": True}),
    ),
    Claim(
        id="boundary.overshoot",
        statement=(
            r"plain GD learns small-margin data for $\eta \ge 2\kappa/(\alpha\beta)$, $\kappa$ fitted on the first"
            r" seed, and not for $\eta \le 1/(4\alpha\beta)$, on 9 of 10 such cells of every other seed"
        ),
        plain="plain GD learns small-margin data for η ≥ 2κ/(αβ), κ fitted on the first seed, not for η ≤ 1/(4αβ)",
        kind=Kind.BOUND,
        source="derived",
        measure=overshoot,
        about=PLANE,
        assumes=(CLEAN_LABELS, HAS_GD, FITTED, BOTH_ENDS, OTHER_SEED),
        control=SHIFTED,
    ),
    Claim(
        id="boundary.no_learning_rate_rescues",
        statement=(
            r"GD's test accuracy on small-margin data is $\le 0.99$ for every $\eta \le 1/(4\alpha\beta)$ of the row"
            r" $\gamma = 0$"
        ),
        plain="GD's test accuracy on small-margin data is ≤ 0.99 for every η ≤ 1/(4αβ) of the row γ = 0",
        kind=Kind.BOUND,
        source="talk",
        measure=no_rate,
        about=PLANE,
        assumes=(CLEAN_LABELS, HAS_GD),
        control=Control("the row of the largest momentum in its place", constants={"row": 0.0}),
    ),
)
