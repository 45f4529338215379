r"""Claims of kind *order*: an exponent, held against a slope with its interval.

A statement q = Θ̃(d^e) leaves a factor of log d free, up or down. It moves the fitted slope of log q against log d by
exactly a, the slope of log log d in the same fit with the same weights (derived: the fit is linear in log q); through
two sizes d₁ and d₂ alone that is log(log d₂ / log d₁) / log(d₂ / d₁).
The statement HOLDS if the whole interval of the slope lies within e ± a, is REFUTED if it lies outside, and is
INCONCLUSIVE where it reaches across the edge. So a wrong exponent is refuted as soon as it is wrong by more than a
logarithm can be, and no tolerance is chosen.

An exponent of any quantity against any axis is stated, and judged on values by (axis, seed), in three lines:

    claim = exponent_claim("mine.risk", "risk", -0.5, axis="width")
    evidence = sims.slopes.fit_slopes(data, ["risk"], axis="width")
    verdicts = sims.judge.judge(claim, evidence)
"""

from __future__ import annotations

__all__ = [
    "Slope",
    "beside",
    "estimate",
    "exponent_claim",
    "exponent_seeds",
    "log_allowance",
    "measure_exponent",
    "slope_of",
]

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from lemmascope.theory.claim import Claim, Control, Estimate, Evidence, Hypothesis
from lemmascope.theory.errors import InputError
from lemmascope.theory.verdict import Kind

if TYPE_CHECKING:
    import xarray as xr

LEAST_SIZES = 5
"""Sizes with two values or more that a slope needs."""

DECISIVE = 15
"""Values at each size for a verdict: with fewer the percentile bootstrap covers too little (73 % at 5, 85 % at 10)."""

LEFT_OUT = 0.1
"""Share of values that may be missing at a size: those that are, are not missing at random."""


def log_allowance(d_1: float, d_2: float) -> float:
    """How far one factor of log d moves a slope through d₁ and d₂."""
    return math.log(math.log(d_2) / math.log(d_1)) / math.log(d_2 / d_1)


@dataclass(frozen=True)
class Slope:
    """A fitted exponent (`sims.slopes.fit_slope`).

    Attributes:
        value: the slope of log q against log d.
        low, high: its 95 % bootstrap interval.
        sizes: the d that took part; counts: the seeds at each.
        means: mean of log q at each size; errors: its standard error.
        logarithm: slope of log log d in the same fit; by default that through the smallest and the largest size.
    """

    value: float
    low: float
    high: float
    sizes: tuple[float, ...]
    counts: tuple[int, ...]
    means: tuple[float, ...]
    errors: tuple[float, ...]
    logarithm: float | None = None


def estimate(
    slope: Slope,
    exponent: float,
    *,
    factors: float = 1.0,
    within: float = 0.0,
    axis: str = "d",
    undecided: str = "",
    evidence: Mapping[str, Any] | None = None,
) -> Estimate:
    """A slope held against an exponent.

    Args:
        slope: as fitted; exponent: as predicted.
        factors: how many factors of the axis' logarithm are free, on either side.
        within: how far off the exponent may be besides.
        axis: its name in the sentence.
        undecided: why it decides nothing; evidence: further numbers.
    """
    free = within
    if factors:
        one = log_allowance(slope.sizes[0], slope.sizes[-1]) if slope.logarithm is None else slope.logarithm
        free += factors * abs(one)
    low, high = exponent - free, exponent + free
    stated = f"with factors of log {axis} in" if factors else "stated in"
    return Estimate(
        value=slope.value,
        low=slope.low,
        high=slope.high,
        lower=low,
        upper=high,
        counts=slope.counts,
        evidence={
            "sizes": list(slope.sizes),
            "mean log": list(slope.means),
            "standard error": list(slope.errors),
            **(evidence or {}),
        },
        says=(
            f"slope {slope.value:.3f}, 95 % interval [{slope.low:.3f}, {slope.high:.3f}], {len(slope.sizes)} sizes; "
            f"predicted {exponent:.3f}, {stated} [{low:.3f}, {high:.3f}]"
        ),
        undecided=undecided,
    )


# --- claims --------------------------------------------------------------------------------------------------------


def _axis(data: xr.Dataset) -> str:
    """What the quantities are fitted against."""
    if not {"slope", "mean", "count", "missing", "not_positive"} <= set(data.data_vars):
        raise InputError("evidence", list(data.data_vars), "it must be slopes that sims.slopes.fit_slopes fitted")
    (axis,) = set(data["mean"].dims) - {"quantity", "of"}
    return str(axis)


def slope_of(data: xr.Dataset, quantity: str) -> Slope:
    """The slope of a quantity, from data that `sims.slopes.fit_slopes` made; NaN where none could be fitted."""
    axis, one = _axis(data), data.sel(quantity=quantity)
    part = [place for place, count in enumerate(one["count"].values) if count >= 2]
    value, low, high, logarithm = (float(one[name]) for name in ("slope", "low", "high", "logarithm"))
    return Slope(
        value,
        low,
        high,
        tuple(float(x) for x in one[axis].values[part]),
        tuple(int(x) for x in one["count"].values[part]),
        tuple(float(x) for x in one["mean"].values[part]),
        tuple(float(x) for x in one["error"].values[part]),
        logarithm,
    )


def measure_exponent(
    evidence: Evidence,
    *,
    quantity: str,
    exponent: float,
    factors: float = 1.0,
    within: float = 0.0,
    unreached: str = "have no value",
    decisive: int = DECISIVE,
    left_out: float = LEFT_OUT,
    nearest_wrong: bool = False,
) -> Estimate:
    """A fitted slope held against an exponent, on data of `sims.slopes.fit_slopes`.

    It decides nothing with fewer than ``decisive`` values at a size, or where a share of more than ``left_out`` of them
    is missing at a size, let alone so many that the size takes no part. A value is missing if it is not finite or not
    positive: it has no logarithm.

    Args:
        evidence: the fitted slopes; of those with a control beside them, the data's own.
        quantity: which; exponent: as predicted.
        factors, within: what is free on either side, as of `estimate`.
        unreached: what is said of runs whose value is missing: "30% of the runs have no value".
        decisive, left_out: the two rules, which a control is exempt from (0 and 1).
        nearest_wrong: hold it against the nearest exponent that it must exclude instead: off by twice what is free, so
            that no exponent is allowed by both, and by the interval's width, on the side on which the slope lies.
            Farther off any data would refute it, nearer not those of which the statement holds or is undecided.
    """
    data = evidence.data
    own = data.sel(of="data", drop=True) if "of" in data.dims else data
    axis = _axis(own)
    slope, one = slope_of(own, quantity), own.sel(quantity=quantity)
    sizes = [float(x) for x in one[axis].values]
    there, missing = (dict(zip(sizes, one[name].values.tolist(), strict=True)) for name in ("count", "missing"))
    seeds = own.sizes["seed"]
    more: dict[str, Any] = {}
    if "of" in data.dims:
        other = slope_of(data.sel(of="control", drop=True), quantity)
        more["control slope"] = None if math.isnan(other.value) else [other.value, other.low, other.high]
    if any(missing.values()):
        more[f"seeds left out, by {axis}"] = {f"{x:g}": count for x, count in missing.items() if count}
    found = estimate(slope, exponent, factors=factors, within=within, axis=axis, evidence=more)
    if nearest_wrong:
        off = (found.upper - found.lower) + 1.001 * (slope.high - slope.low) + 1e-9
        wrong = exponent + math.copysign(off, slope.value - exponent)
        found = estimate(slope, wrong, factors=factors, within=within, axis=axis, evidence=more)
    if len(slope.sizes) < LEAST_SIZES:
        why = f"a slope needs {LEAST_SIZES} sizes with two seeds or more, and has {len(slope.sizes)}"
        return dataclasses.replace(found, undecided=why)
    reasons = []
    share, worst = sum(missing.values()) / (seeds * len(sizes)), max(sizes, key=lambda x: missing[x])
    # What is left out is not left out at random: those are the slow ones.
    unreached += " or have a value ≤ 0" if one["not_positive"].any() else ""
    if share > left_out:
        reasons.append(f"{share:.0%} of the runs {unreached}, and cannot be left out")
    elif missing[worst] > left_out * seeds:
        part = f"{missing[worst] / seeds:.0%} of the runs at {axis} = {worst:g}"
        reasons.append(f"{part} {unreached}, and cannot be left out")
    without = [f"{x:g}" for x in sizes if x not in slope.sizes]
    if without and left_out < 1:
        reasons.append(f"fewer than two values are left at {axis} = {', '.join(without)}, and it takes no part")
    inside = found.lower <= found.low and found.high <= found.upper
    outside = found.high < found.lower or found.low > found.upper
    fewest = min(slope.sizes, key=lambda x: there[x])
    if there[fewest] < decisive and (inside or outside):
        at = f"{seeds} seeds a size" if seeds < decisive else f"{there[fewest]} seeds at {axis} = {fewest:g}"
        reasons.append(f"{at} are too few for the interval, take {decisive}")
    return dataclasses.replace(found, undecided="; ".join(reasons))


def beside(evidence: Evidence, *, quantity: str) -> Evidence | None:
    """The control that was fitted beside the data; None where there is none, or where it has no slope."""
    if "of" not in evidence.data.dims:
        return None
    other = evidence.data.sel(of="control", drop=True)
    return None if math.isnan(slope_of(other, quantity).value) else dataclasses.replace(evidence, data=other)


def exponent_seeds(claim: Claim) -> int:
    """Values at each size that it takes to decide a claim on an exponent; 0 for any other claim."""
    if not isinstance(claim.measure, partial) or claim.measure.func is not measure_exponent:
        return 0
    return int(claim.measure.keywords.get("decisive", DECISIVE))


def _of_all_seeds(hypothesis: Hypothesis, evidence: Evidence) -> Any:
    """What it says, which must be the same of every seed: there is nothing to leave one out of."""
    found = hypothesis.holds(evidence)
    if getattr(found, "dims", ()) and bool(found.any()) and not bool(found.all()):
        raise InputError(
            "hypothesis",
            hypothesis.name,
            "it differs by seed, and the slopes are fitted to all seeds; leave seeds out of the data before the fit",
        )
    return found


def exponent_claim(
    id: str,
    quantity: str,
    exponent: float,
    *,
    axis: str = "d",
    statement: str = "",
    plain: str = "",
    source: str = "user",
    about: str = "any",
    assumes: tuple[Hypothesis, ...] = (),
    factors: float = 1.0,
    within: float = 0.0,
    unreached: str = "have no value",
    control: str = "",
) -> Claim:
    r"""The claim that a quantity is Θ̃(axis^exponent), up to factors of log axis.

    Args:
        id: dotted name, unique.
        quantity: one of those that `sims.slopes.fit_slopes` was given.
        exponent: predicted.
        axis: what it is fitted against, in the texts.
        statement, plain: in LaTeX and in plain text; made from the exponent where they are empty.
        source, about, assumes: as of `theory.claim.Claim`. A condition that differs by seed is refused: the slopes are
            fitted to all seeds already, so it belongs to the data before the fit.
        factors: how many factors of log axis are free, on either side; 0 where the axis crosses 1, whose logarithm has
            none.
        within: how far off the exponent may be besides, where the statement says so.
        unreached: what is said of runs whose value is missing: "30% of the runs have no value".
        control: what the data are whose slopes were fitted beside, as a control. Where it is empty, the control is the
            statement with the nearest exponent that it must exclude, at the interval's own width (`measure_exponent`).
    """
    assumes = tuple(dataclasses.replace(h, holds=partial(_of_all_seeds, h)) for h in assumes)
    exempt = {"decisive": 0, "left_out": 1.0}
    return Claim(
        id=id,
        statement=statement or rf"${quantity} = \tilde\Theta({axis}^{{{exponent:g}}})$",
        plain=plain or f"{quantity} = Θ̃({axis}^{exponent:g})" + (f" up to factors of log {axis}" if factors else ""),
        kind=Kind.ORDER,
        source=source,
        measure=partial(
            measure_exponent, quantity=quantity, exponent=exponent, factors=factors, within=within, unreached=unreached
        ),
        assumes=assumes,
        about=about,
        control=Control(control, made=partial(beside, quantity=quantity), constants=exempt)
        if control
        else Control("the nearest exponent that it must exclude", constants={"nearest_wrong": True, **exempt}),
    )
