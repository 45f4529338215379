r"""1 − β ∝ η^{2/3} along a valley with label noise: where the exponent is right, its constants, and what is gained.

Notation of `theory.noise.flatter_faster`. hit(r): the first step with |x| ≤ rx₀; settle(r): the last with |x| > rx₀;
ISE: Σ_{k≥1} x_k². Times are times (ηs)^{2/3}. Evidence by role:

"linear"       over (case, eta), cases of ``s`` and ``q``: ``C_least`` (smallest spectral radius of the whole linear map
               at x = 0, on a grid), ``C_stated`` over ``critical``, ``epsilon`` = 1 − β* of the fastest step along the
               valley, ``floor`` = ½Y* there, ``floor_fixed`` at a fixed β
"settling"     over (criterion, eta): ``epsilon`` and ``time`` at the best C, ``inside``: whether it is no end of the
               grid
"collapse"     ``time`` over (s, eta, criterion, C), ``limit`` over (exchange, criterion, C)
"arrival"      ``hit`` and ``settle`` over (C), at r = 0.1
"temperature"  ``ratio`` over (r, C): settle(SGD at η/(1−β))/settle(momentum); ``same_rate`` over (r, eta) with SGD at η
"limit"        ``most`` over (r): the largest such ratio over C in the scaling limit; ``same_rate`` as above
"sampled"      ``log_C`` over (size) and ``resampled`` over (draw, size): log of the best C by ISE; ``eta``, ``s`` over
               (size); "strong" the same at s = 1, "fixed floor" where η^{1/3}s^{4/3} is the same at every size
"curve"        ``log_ratio`` and ``resampled`` over (draw): log of uv's best C over that of the line

Restated against what was first written down (ids are kept). `flatter.collapse` allows what averaging leaves, by its
orders: 0.6 % and 0.2 % at η = 10⁻³ and 10⁻⁵ hold at s = 1 and 0.3, and not at s = 3.
`flatter.equal_temperature` says at which r it is judged, since settling is not bounded as the rates are:
`flatter.equal_temperature_every_r`, added, is REFUTED by r ≤ 10⁻⁴. `flatter.rate_exponent` has the expansion's second
order −ε₀²/48 beside the first, so that .05ε₀² became .01ε₀². Added as well: `flatter.fixed_floor`, that at n = 1 the
exponent is ⅔ under strong noise too once η^{1/3}s^{4/3} is held, and `flatter.curve_constant`, that the constant on
uv = 1 is the line's times (4/2)^{1/3} at an equal start, which had been left open.
"""

from __future__ import annotations

__all__ = ["CLAIMS"]

import math
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.claim import Claim, Control, Estimate, Evidence, Hypothesis, Measurement
from lemmascope.theory.estimates import exponent
from lemmascope.theory.noise import flatter_faster as scaling
from lemmascope.theory.verdict import Kind, Status

Array = Any

EXPONENT = 2 / 3
GRID = 2e-3
"""Relative: three steps of the grid on which the smallest spectral radius is sought."""

SECOND = 0.01
"""Of ε₀²: what the third order leaves in (1 − β*)/ε₀."""

RATE_SLOPE, SETTLING_SLOPE, FLOOR_SLOPE, SAMPLED_SLOPE = 3e-3, 2e-3, 0.01, 0.03
FIXED_SLOPE = 0.02
"""How far an exponent may be off."""

NEAR = 0.08
"""Of η^{1/3}s^{4/3}: how far a time may be above its limit, relative; below, it may be by (ηs)^{2/3}. Both orders are
those of what averaging leaves, the first that of ε²/(ηh), damping over the frequency of the phase that is averaged,
squared. The 0.08 is read off: at most 0.067 was found."""

LEVEL = 0.95
"""Of the bootstrap's percentile intervals."""

CURVE = 0.05
"""How far log(ratio of constants) may be off: the curve's h is 2 cosh 2z, the line's a parabola."""


def rate_constant(evidence: Evidence, *, critical: str = "(1−√β)²") -> Measurement:
    """Largest relative distance of the C with the smallest spectral radius from the root of qηY* = ``critical``."""
    apart = abs(evidence["C_least"] / evidence["C_stated"].sel(critical=critical) - 1)
    return Measurement(float(apart.max()), upper=GRID, residual=float(apart.max()))


def _slopes(values: Any, eta: Any) -> Array:
    """Exponents in η of values over (…, eta)."""
    return exponent(values.transpose(..., "eta").values, eta.values)


def _furthest(slopes: Array, order: float) -> float:
    """Of several exponents that furthest from the order."""
    return max((float(x) for x in slopes.ravel()), key=lambda x: abs(x - order))


def rate_exponent(evidence: Evidence, *, exponents: tuple[float, ...] = (EXPONENT,)) -> Measurement:
    """The largest of: (1 − β*)/ε₀ from its expansion over `SECOND` ε₀², the exponent's distance over `RATE_SLOPE`.

    Of several exponents, with the one that is closest.
    """
    data = evidence.data
    zero = scaling.constant(data["eta"], data["s"], 2 * data["q"])
    rest = abs(data["epsilon"] / zero - scaling.expansion(zero, data["eta"])) / (SECOND * zero**2)
    found = _slopes(data["epsilon"], data["eta"])
    off = min(abs(_furthest(found, one) - one) for one in exponents) / RATE_SLOPE
    return Measurement(
        max(float(rest.max()), off),
        upper=1.0,
        evidence={"exponents": found.tolist(), "(1−β*)/ε₀": (data["epsilon"] / zero).values.tolist()},
    )


def settling_exponent(evidence: Evidence, *, criteria: tuple[str, ...] = scaling.CRITERIA) -> Measurement:
    """The largest distance of an exponent from ±⅔ over `SETTLING_SLOPE`, and how many optima are ends of the grid."""
    data = evidence.data.sel(criterion=list(criteria))
    of_C, of_time = (_slopes(data[name], data["eta"]) for name in ("epsilon", "time"))
    worst = max(abs(_furthest(x, order) - order) for x, order in ((of_C, EXPONENT), (of_time, -EXPONENT)))
    ends = int((~data["inside"].astype(bool)).sum())
    C = (data["epsilon"].isel(eta=0) / scaling.scale(data["eta"][0], 1.0)).values
    return Measurement(
        worst / SETTLING_SLOPE + ends,
        upper=1.0,
        evidence={"1−β*": of_C.tolist(), "time": of_time.tolist(), "C*": C.tolist(), "ends": ends},
    )


def collapse(evidence: Evidence, *, exchange: str = "with ½(h'/h)ẋe") -> Measurement:
    """Largest relative distance of a time from its limit, over what is allowed above it and below."""
    data = evidence.data
    apart = data["time"] / data["limit"].sel(exchange=exchange) - 1
    above = apart / (NEAR * scaling.noise_floor(data["eta"], data["s"]))
    below = -apart / scaling.scale(data["eta"], data["s"])
    worst = abs(apart).max(("criterion", "C")).transpose("s", "eta")
    return Measurement(
        max(float(above.max()), float(below.max())),
        upper=1.0,
        evidence={f"s = {float(s):g}": worst.sel(s=s).values.tolist() for s in data["s"]},
    )


def arrival(evidence: Evidence, *, of: str = "hit") -> Measurement:
    """The largest quotient of a time at one C by that at the next larger C."""
    times = evidence[of].sortby("C").values
    return Measurement(float((times[:-1] / times[1:]).max()), upper=1.0, evidence={"times": times.tolist()})


def equal_temperature(evidence: Evidence, *, of: str = "ratio") -> Measurement:
    """The largest ratio of settling times."""
    data = evidence[of]
    over = str(data.dims[0])
    return Measurement(
        float(data.max()),
        upper=2.0,
        evidence={f"{over} = {float(r):g}": float(data.sel({over: r}).max()) for r in data[over]},
    )


def every_r(evidence: Evidence, *, of: str = "most") -> Measurement:
    """The largest ratio of settling times in the scaling limit, over r and C."""
    return equal_temperature(evidence, of=of)


def floor(evidence: Evidence, *, of: str = "floor") -> Measurement:
    """The exponent of the loss floor in η that is furthest from ⅓."""
    found = _slopes(evidence[of], evidence["eta"])
    share = evidence["floor"].isel(case=0) / evidence["eta"] ** (1 / 3)
    return Measurement(
        _furthest(found, 1 / 3),
        1 / 3 - FLOOR_SLOPE,
        1 / 3 + FLOOR_SLOPE,
        evidence={"floor/η^(1/3)": share.values.tolist()},
    )


def _interval(draws: Array) -> tuple[float, float]:
    """The percentile interval of draws (draw,)."""
    xp = array_namespace(draws)
    ranked, cut = xp.sort(draws), (1 - LEVEL) / 2 * draws.shape[0]
    return float(ranked[int(cut)]), float(ranked[-1 - int(cut)])


def _sampled(evidence: Evidence, against: str, within: float) -> Estimate:
    data = evidence.data
    both = data["eta"] * data["s"]
    over = (data["eta"] if against == "eta" else both).values
    scale = scaling.scale(both, 1.0)
    logs = [data[name].transpose(..., "size").values for name in ("log_C", "resampled")]
    xp = array_namespace(*logs)
    value, draws = (exponent(xp.exp(x) * scale.values, over) for x in logs)
    low, high = _interval(draws)
    C = [math.exp(x) for x in logs[0].tolist()]
    best = ", ".join(f"{x:.3f}" for x in C)
    return Estimate(
        float(value),
        low,
        high,
        EXPONENT - within,
        EXPONENT + within,
        counts=(int(data["replicas"].min()),),
        evidence={"C*": C},
        says=f"{float(value):.4f} [{low:.4f}, {high:.4f}]; C* = {best}",
    )


def sampled_exponent(evidence: Evidence) -> Estimate:
    """The exponent of 1 − β* in η, with the bootstrap's interval over replicas."""
    return _sampled(evidence, "eta", SAMPLED_SLOPE)


def fixed_floor(evidence: Evidence) -> Estimate:
    """The exponent of 1 − β* in ηs, with the bootstrap's interval over replicas."""
    return _sampled(evidence, "eta s", FIXED_SLOPE)


def curve_constant(evidence: Evidence, *, power: float = 1 / 3) -> Estimate:
    """log of uv's best C over the line's, less power·log(4/2), with the bootstrap's interval."""
    stated = power * math.log(2)
    value = float(evidence["log_ratio"]) - stated
    low, high = _interval(evidence["resampled"].values - stated)
    return Estimate(
        value,
        low,
        high,
        -CURVE,
        CURVE,
        says="ratio {:.3f} [{:.3f}, {:.3f}]".format(*(math.exp(x + stated) for x in (value, low, high))),
    )


def _stable(evidence: Evidence) -> bool:
    """At the largest learning rate, curvature and 1 − β that occur."""
    eta, epsilon, h = (float(evidence.data.attrs[name]) for name in ("eta_most", "epsilon_most", "h_most"))
    return 0 < epsilon <= 1 and 0 < eta < float(scaling.edge(epsilon, h))


STABLE = Hypothesis("stable", r"$0 \le \beta < 1$, $0 < \eta h < 2(1+\beta)$", _stable)

CLAIMS = (
    Claim(
        id="flatter.rate_constant",
        statement=(
            r"$n\to\infty$: the spectral radius of the linear map at $x = 0$ is least where "
            rf"$q\eta Y^* = (1-\sqrt\beta)^2$, to {GRID:g} of $1-\beta$"
        ),
        plain=f"n → ∞: the spectral radius at x = 0 is least where qηY* = (1−√β)², to {GRID:g} of 1−β",
        kind=Kind.IDENTITY,
        source="derived",
        measure=rate_constant,
        assumes=(STABLE,),
        about="linear",
        control=Control("(1−β)² in place of (1−√β)²", constants={"critical": "(1−β)²"}),
    ),
    Claim(
        id="flatter.rate_exponent",
        statement=(
            r"$1-\beta^* = \epsilon_0(1 - \epsilon_0/6 - \epsilon_0^2/48 + \eta/12)$ to "
            rf"${SECOND:g}\,\epsilon_0^3$, $\epsilon_0 = (h_2\eta^2s^2)^{{1/3}}$; its exponent lies within "
            rf"{RATE_SLOPE:g} of $2/3$"
        ),
        plain=(
            f"1−β* = ε₀(1 − ε₀/6 − ε₀²/48 + η/12) to {SECOND:g}ε₀³, ε₀ = (h₂η²s²)^(1/3); exponent within "
            f"{RATE_SLOPE:g} of 2/3"
        ),
        kind=Kind.ORDER,
        source="derived",
        measure=rate_exponent,
        assumes=(STABLE,),
        about="linear",
        control=Control("exponents 1/2 and 1, each", constants={"exponents": (0.5, 1.0)}),
    ),
    Claim(
        id="flatter.settling_exponent",
        statement=(
            r"$n\to\infty$: the best $1-\beta$ by settle(0.1), settle(0.01) and ISE has an exponent in $\eta$ within "
            rf"{SETTLING_SLOPE:g} of $2/3$, and the time there one within {SETTLING_SLOPE:g} of $-2/3$"
        ),
        plain=(
            f"the best 1−β by settle(0.1), settle(0.01) and ISE is ∝ η^(2/3), the time there ∝ η^(−2/3), "
            f"to {SETTLING_SLOPE:g}"
        ),
        kind=Kind.ORDER,
        source="abstract",
        measure=settling_exponent,
        assumes=(STABLE,),
        about="settling",
        control=Control("the hitting time, which has no optimum inside", constants={"criteria": ("hit(0.1)",)}),
    ),
    Claim(
        id="flatter.collapse",
        statement=(
            r"settle(0.1), settle(0.01), hit(0.1) times $(\eta s)^{2/3}$ over those of the averaged equations, less 1, "
            rf"lie between $-(\eta s)^{{2/3}}$ and ${NEAR:g}\,\eta^{{1/3}}s^{{4/3}}$, for $C = 0.3, 0.875, 1.26$, "
            r"$s = 0.3, 1, 3$, $\eta = 10^{-5}, 10^{-4}, 10^{-3}$"
        ),
        plain=(
            "settling and hitting times × (ηs)^(2/3) are those of the averaged equations, from −(ηs)^(2/3) to "
            f"+{NEAR:g}η^(1/3)s^(4/3)"
        ),
        kind=Kind.BOUND,
        source="derived",
        measure=collapse,
        assumes=(STABLE,),
        about="collapse",
        control=Control("without ½(h'/h)ẋe", constants={"exchange": "without"}),
    ),
    Claim(
        id="flatter.hitting_has_no_optimum",
        statement=r"hit(0.1) falls all the way as $C \downarrow 0.01$: more momentum never delays the arrival",
        plain="hit(0.1) falls all the way as C ↓ 0.01: more momentum never delays the arrival",
        kind=Kind.BOUND,
        source="derived",
        measure=arrival,
        assumes=(STABLE,),
        about="arrival",
        control=Control("settle(0.1) held to the same", constants={"of": "settle"}),
    ),
    Claim(
        id="flatter.equal_temperature",
        statement=(
            r"settle($r$) of SGD at $\eta/(1-\beta)$, which has the same $Y^*$, is at most twice that of momentum, for "
            r"every $C$, at $r = 0.1$ and $0.01$"
        ),
        plain="settle(r) of SGD at η/(1−β), of the same Y*, is at most twice momentum's, for every C, at r = 0.1, 0.01",
        kind=Kind.BOUND,
        source="derived",
        measure=equal_temperature,
        assumes=(STABLE,),
        about="temperature",
        control=Control("SGD at the same η", constants={"of": "same_rate"}),
    ),
    Claim(
        id="flatter.equal_temperature_every_r",
        statement=(
            r"in the scaling limit settle($r$) of SGD at $\eta/(1-\beta)$ is at most twice that of momentum, for every "
            r"$C$ and every $r$"
        ),
        plain=(
            "in the scaling limit settle(r) of SGD at η/(1−β) is at most twice momentum's for every C and r: false "
            "from r = 10⁻⁴ on"
        ),
        kind=Kind.BOUND,
        source="derived",
        measure=every_r,
        about="limit",
        control=Control("SGD at the same η", constants={"of": "same_rate"}),
        expected=Status.REFUTED,
    ),
    Claim(
        id="flatter.floor",
        statement=(
            rf"at $1-\beta^*$ the loss floor $\frac12Y^*$ has an exponent in $\eta$ within {FLOOR_SLOPE:g} of $1/3$"
        ),
        plain=f"at 1−β* the loss floor ½Y* is ∝ η^(1/3), to {FLOOR_SLOPE:g}: 0.198η^(1/3) at s = q = 1",
        kind=Kind.ORDER,
        source="derived",
        measure=floor,
        assumes=(STABLE,),
        about="linear",
        control=Control("a fixed β, whose floor is ∝ η", constants={"of": "floor_fixed"}),
    ),
    Claim(
        id="flatter.sampled_exponent",
        statement=(
            r"sampled, one direction across, $s = 0.1$: the best $1-\beta$ by ISE has an exponent in $\eta$ within "
            rf"{SAMPLED_SLOPE:g} of $2/3$ (bootstrap interval)"
        ),
        plain=f"sampled, one direction across, s = 0.1: the best 1−β by ISE is ∝ η^(2/3), to {SAMPLED_SLOPE:g}",
        kind=Kind.ORDER,
        source="abstract",
        measure=sampled_exponent,
        assumes=(STABLE,),
        about="sampled",
        control=Control("the same at s = 1", made="strong noise"),
    ),
    Claim(
        id="flatter.fixed_floor",
        statement=(
            r"sampled, one direction across, $s \propto \eta^{-1/4}$ so that $\eta^{1/3}s^{4/3}$ is fixed: the best "
            rf"$1-\beta$ by ISE has an exponent in $\eta s$ within {FIXED_SLOPE:g} of $2/3$ (bootstrap interval)"
        ),
        plain=(
            "sampled, η^(1/3)s^(4/3) fixed: the best 1−β by ISE is ∝ (ηs)^(2/3) under strong noise too, to "
            f"{FIXED_SLOPE:g}"
        ),
        kind=Kind.ORDER,
        source="derived",
        measure=fixed_floor,
        assumes=(STABLE,),
        about="fixed floor",
        control=Control("the same with s = 1 fixed", made="strong noise"),
    ),
    Claim(
        id="flatter.curve_constant",
        statement=(
            r"sampled, weak noise, equal starts: the logarithm of the best $C$ by ISE on $uv = 1$ ($h_2 = 4$) over "
            rf"that beside the line ($h_2 = 2$) lies within {CURVE:g} of $\frac13\log(4/2)$ (bootstrap interval)"
        ),
        plain=(
            "weak noise, equal starts: the best C by ISE on uv = 1 (h₂ = 4) over the line's (h₂ = 2) is (4/2)^(1/3), "
            f"to {CURVE:.0%}"
        ),
        kind=Kind.BOUND,
        source="derived",
        measure=curve_constant,
        about="curve",
        control=Control("the same C on both", constants={"power": 0.0}),
    ),
)
