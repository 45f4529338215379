r"""The square-root scaling rule of RMSprop and Adam: what it keeps, that nothing else keeps it, and where it ends.

Evidence by role, a = σ = B = 1; times are kp, p = η/(1 + ε) being the rate of the mean where v̂ = 1:

"frozen"     ``closed``, ``exchanged``, ``solved`` (beta1): Var θ by the formula, by a wrong one, by linear equations
"exponent"   ``rmsprop``, ``sgd`` (r, kappa): stationary variances at η → κ^r η; attribute most, the largest κ^{r+½}p
"scaling"    ``mean``, ``square``, ``v`` (seed, rule, kappa, time), v times the batch; ``…_stated`` (model, rule, kappa,
             time), the mean field, "live", and with v̂ = 1 throughout, "frozen"; κ = 1 is alike for all rules
"weak"       ``mean``, ``square`` (rule, p): the largest deviations at κ = 4 by mean field
"dominance"  ``mean`` (seed, theta_0, kappa), ``mean_stated`` (theta_0, kappa): Eθ at kp = 1
"v_noise"    ``ratio`` (seed, order, delta): stationary Var θ over the frozen one; ``stated`` (order, delta)

Deviations from κ = 1, largest over the times: d₁ = |ΔEθ|/θ₀, d₂ = |Eθ²(κ)/Eθ²(1) − 1|, d₃ = |ΔEv̂|. Estimates hold with
their whole intervals, Student's over seeds and for all cells of a claim at once.

Restated against what was first written down (ids are kept): that standard errors are small is no hypothesis, as wide
intervals decide nothing. `adam_sde.noise_dominance` is stated of the ratio's excess, whose bound is a
matter of these θ₀ and κ: with snr₀ → 0 mean field reaches .05 at κ snr₀ = .44, with snr₀ = .64 at 1.19.
"""

from __future__ import annotations

__all__ = ["CLAIMS", "DOMINANT", "NEAR", "WEAK"]

import math
from collections.abc import Iterable
from typing import Any

from lemmascope.theory.claim import Claim, Control, Estimate, Evidence, Hypothesis, Measurement
from lemmascope.theory.estimates import exponent, student
from lemmascope.theory.noise.adam_sde import EXPONENTS, NEAR, SQRT, WEAK
from lemmascope.theory.verdict import Kind

ROUNDING, SLOPE = 1e-10, 0.02
BOUNDS = {"mean": 0.01, "square": 0.02, "v": 0.03}
"""Of d₁, d₂, d₃."""

CLOSE = {"mean": 1e-4, "square": 0.005, "v": 0.005}
"""Of the mean field at κ = 1: Eθ, Eθ² relative, v̂."""

REACH, SHIFT = 16, 0.01
"""Largest κ at which d₁ is that of the mean field, and how closely."""

ORDER = 0.95, 1.2
RATIO, EXCESS, DOMINANT = 0.02, 0.05, 0.5
FIRST = 0.01
WRONG = tuple(rule for rule in EXPONENTS if rule != SQRT)
Cell = tuple[float, float]


# --- estimates ------------------------------------------------------------------------------------------------------


def _cell(values: Any, scale: float = 1.0) -> Cell:
    """Mean over seeds and its standard error, times ``scale``; infinite with one seed."""
    seeds = values.sizes["seed"]
    error = float(values.std("seed", ddof=1)) / seeds**0.5 if seeds > 1 else math.inf
    return float(values.mean("seed")) * scale, error * scale


def _ratio(values: Any, base: Any) -> Cell:
    """Ratio of means over seeds, with its standard error to first order."""
    whole = float(base.mean("seed"))
    ratio = float(values.mean("seed")) / whole
    return ratio, _cell(values - ratio * base)[1] / whole


def _estimate(groups: dict[str, list[Cell]], seeds: int, evidence: Any, says: str = "") -> Estimate:
    """The largest |value| of all cells in units of what is allowed, held against 1."""
    t = student(seeds, sum(map(len, groups.values())))
    worst = {name: max(abs(value) for value, _ in cells) for name, cells in groups.items()}
    every = [(abs(value), t * error if seeds > 1 else math.inf) for cells in groups.values() for value, error in cells]
    value = max(worst.values())
    return Estimate(
        value,
        min(value, max(max(x - reach, 0.0) for x, reach in every)),
        max(x + reach for x, reach in every),
        upper=1.0,
        counts=(seeds,),
        evidence={"in units of what is allowed": worst, **evidence},
        says=says or "in units of what is allowed: " + ", ".join(f"{name} {x:.3f}" for name, x in worst.items()),
        undecided="" if seeds > 1 else "one seed has no interval",
    )


def _times(data: Any) -> Iterable[Any]:
    return (data.isel(time=k) for k in range(data.sizes["time"]))


def _deviations(data: Any, rule: str, kappa: int) -> dict[str, list[Cell]]:
    """Of κ from 1 at each time: of means in θ₀, of squares relative, of v̂."""
    here, base = data.sel(rule=rule, kappa=kappa), data.sel(rule=rule, kappa=1)
    theta_0 = float(data.attrs["theta_0"])
    found: dict[str, list[Cell]] = {"mean": [], "square": [], "v": []}
    for one, other in zip(_times(here), _times(base), strict=True):
        found["mean"].append(_cell(one["mean"] - other["mean"], 1 / theta_0))
        ratio, error = _ratio(one["square"], other["square"])
        found["square"].append((ratio - 1, error))
        found["v"].append(_cell(one["v"] - other["v"]))
    return found


def _over(cells: list[Cell], allowed: float) -> list[Cell]:
    return [(value / allowed, error / allowed) for value, error in cells]


# --- measures -------------------------------------------------------------------------------------------------------


def frozen_variance(evidence: Evidence, *, of: str = "closed") -> Measurement:
    """Largest relative error of the closed form."""
    data = evidence.data
    worst = float(abs(data[of] / data["solved"] - 1).max())
    values = {f"beta1 = {float(b):g}": float(x) for b, x in zip(data["beta1"], data[of], strict=True)}
    return Measurement(worst, upper=ROUNDING, residual=worst, evidence=values)


def exponents(evidence: Evidence, *, neutral: float = 0.5) -> Measurement:
    """Largest distance of the slopes from r − ½; ``neutral``: what stands for ½."""
    data = evidence.data.transpose("r", "kappa")
    slopes = [float(x) for x in exponent(data["rmsprop"].values, data["kappa"].values)]
    r = data["r"].values.tolist()
    worst = max(abs(slope - (x - neutral)) for slope, x in zip(slopes, r, strict=True))
    return Measurement(worst, upper=SLOPE, evidence={"r": r, "slopes": slopes})


def sqrt_rule(evidence: Evidence, *, rules: tuple[str, ...] = (SQRT,)) -> Estimate:
    """d₁, d₂, d₃ at κ = 4 in units of what is allowed; of several rules, of that which deviates least."""
    data = evidence.data
    seeds, found = data.sizes["seed"], []
    for rule in rules:
        each = _deviations(data, rule, NEAR)
        largest = {name: max(abs(value) for value, _ in cells) for name, cells in each.items()}
        groups = {f"{rule}, {name}": _over(cells, BOUNDS[name]) for name, cells in each.items()}
        says = f"{rule}: d₁ = {largest['mean']:.4f}, d₂ = {largest['square']:.4f}, d₃ = {largest['v']:.4f}"
        found.append(_estimate(groups, seeds, {}, says))
    return min(found, key=lambda one: one.value)


def mean_field(evidence: Evidence, *, model: str = "live") -> Estimate:
    """What is sampled against the mean field, at κ = 1 and in d₁ of every rule."""
    data = evidence.data
    stated = data.sel(model=model)
    groups: dict[str, list[Cell]] = {name: [] for name in CLOSE}
    rule = data["rule"].values[0]
    for one, s in zip(_times(data.sel(rule=rule, kappa=1)), _times(stated.sel(rule=rule, kappa=1)), strict=True):
        for name, allowed in CLOSE.items():
            target = float(s[f"{name}_stated"])
            value, error = _cell(one[name] - target, 1 / target if name == "square" else 1.0)
            groups[name].append((value / allowed, error / allowed))
    shifts: list[Cell] = []
    theta_0 = float(data.attrs["theta_0"])
    for kappa in [int(k) for k in data["kappa"].values if 1 < k <= REACH]:
        for rule in data["rule"].values:
            here = stated["mean_stated"].sel(rule=rule)
            expected = float(abs(here.sel(kappa=kappa) - here.sel(kappa=1)).max()) / theta_0
            value, error = max(_deviations(data, str(rule), kappa)["mean"], key=lambda cell: abs(cell[0]))
            shifts.append(((abs(value) - expected) / SHIFT, error / SHIFT))
    if shifts:
        groups["d₁"] = shifts
    return _estimate(groups, data.sizes["seed"], {})


def weak_order(evidence: Evidence, *, rule: str = SQRT) -> Measurement:
    """The slope of d₁ or d₂ in p that is further from the middle of what is stated."""
    data = evidence.data.sel(rule=rule)
    slopes = {name: float(exponent(data[name].values, data["p"].values)) for name in ("mean", "square")}
    worst = max(slopes.values(), key=lambda slope: abs(slope - sum(ORDER) / 2))
    return Measurement(worst, *ORDER, evidence={"d1": slopes["mean"], "d2": slopes["square"]})


def noise_dominance(evidence: Evidence, *, predicted: float | None = None) -> Estimate:
    """The ratio against mean field, and its excess, which exceeds .05 where κ snr₀ ≥ ½ alone; ``predicted``: this."""
    data = evidence.data
    groups: dict[str, list[Cell]] = {"mean field": [], "excess": []}
    shown = {}
    for theta_0 in data["theta_0"].values.tolist():
        one = data.sel(theta_0=theta_0)
        for kappa in [int(k) for k in one["kappa"].values if k > 1]:
            ratio, error = _ratio(one["mean"].sel(kappa=kappa), one["mean"].sel(kappa=1))
            stated = float(one["mean_stated"].sel(kappa=kappa) / one["mean_stated"].sel(kappa=1))
            snr = kappa * theta_0**2
            shown[f"kappa snr = {snr:.3g}, theta_0 = {theta_0:g}"] = ratio
            stated = stated if predicted is None else predicted
            groups["mean field"].append(((ratio / stated - 1) / RATIO, error / stated / RATIO))
            excess = ratio - 1
            if snr < DOMINANT:
                groups["excess"].append((excess / EXCESS, error / EXCESS))
            else:
                groups["excess"].append((EXCESS / excess, EXCESS * error / excess**2))
    return _estimate(groups, data.sizes["seed"], shown)


def v_noise(evidence: Evidence, *, exchanged: bool = False) -> Estimate:
    """Distances of the ratio from its first order; ``exchanged``: with the law of the other order of updates."""
    data = evidence.data
    orders = data["order"].values.tolist()
    groups: dict[str, list[Cell]] = {}
    for order, law in zip(orders, orders[::-1] if exchanged else orders, strict=True):
        cells = []
        for delta in data["delta"].values.tolist():
            value, error = _cell(data["ratio"].sel(order=order, delta=delta))
            cells.append(((value - float(data["stated"].sel(order=law, delta=delta))) / FIRST, error / FIRST))
        groups[order] = cells
    shown = {order: data["ratio"].sel(order=order).mean("seed").values.tolist() for order in orders}
    says = "; ".join(f"{order}: " + ", ".join(f"{x:.4f}" for x in values) for order, values in shown.items())
    return _estimate(groups, data.sizes["seed"], {"delta": data["delta"].values.tolist(), **shown}, says)


# --- claims ---------------------------------------------------------------------------------------------------------

STABLE = Hypothesis("stable", r"$p(1-\beta_1) < 2(1+\beta_1)$", lambda e: bool(e.data.attrs["stable"]))
SMALL = Hypothesis("small", r"$\kappa^{r+1/2}p \le \frac14$", lambda e: e.data.attrs["most"] <= 0.25)
SLOW = Hypothesis("slow", r"$4\kappa p \le \frac14$ at $\kappa = 4$", lambda e: 4 * NEAR * e.data.attrs["p"] <= 0.25)
NOISY = Hypothesis(
    "noisy", r"$\kappa\,\mathrm{snr}_0 \le 0.05$ at $\kappa = 4$", lambda e: NEAR * e.data.attrs["theta_0"] ** 2 <= 0.05
)
AVERAGED = Hypothesis(
    "averaged",
    r"$\kappa(1-\beta_2) \le \frac18$ for all $\kappa \le 16$",
    lambda e: REACH * e.data.attrs["damping2"] <= 1 / 8,
)

CLAIMS = (
    Claim(
        id="adam_sde.frozen_variance",
        statement=(
            r"v frozen, $p = 0.1$, $\beta_1 \in \{0, 0.5, 0.9\}$: $\mathrm{Var}\,\theta = s^2/(p(2 - p\frac{1-\beta_1}"
            r"{1+\beta_1}))$ solves the stationary equations"
        ),
        plain="v frozen: Var θ = s²/(p(2 − p(1−β₁)/(1+β₁))) solves the stationary equations",
        kind=Kind.IDENTITY,
        source="derived",
        measure=frozen_variance,
        assumes=(STABLE,),
        about="frozen",
        control=Control("(1+β₁)/(1−β₁) in its place", constants={"of": "exchanged"}),
    ),
    Claim(
        id="adam_sde.exponent",
        statement=(
            r"v frozen, RMSprop, $\eta \to \kappa^r\eta$, $\kappa = 1 \ldots 64$, $r \in \{0, \frac14, \frac12, \frac34"
            rf", 1\}}$: $\mathrm{{Var}}\,\theta \propto \kappa^{{r-1/2}}$, slopes within {SLOPE:g}"
        ),
        plain=f"v frozen: with η → κ^r η the stationary variance goes as κ^(r−½), slopes within {SLOPE:g}: r = ½ alone",
        kind=Kind.ORDER,
        source="derived",
        measure=exponents,
        assumes=(SMALL,),
        about="exponent",
        control=Control("SGD's law κ^(r−1)", constants={"neutral": 1.0}),
    ),
    Claim(
        id="adam_sde.sqrt_rule",
        statement=(
            r"Adam, batch times $\kappa = 4$ and $(\sqrt\kappa\,\eta, 1-\kappa(1-\beta_1), 1-\kappa(1-\beta_2), "
            r"\epsilon/\sqrt\kappa)$, $kp \in \{\frac12, 1, \ldots, 4\}$: "
            rf"$|\Delta E\theta| \le {BOUNDS['mean']:g}\theta_0$, "
            rf"$|E\theta^2(\kappa)/E\theta^2(1) - 1| \le {BOUNDS['square']:g}$, $|\Delta E\hat v| \le {BOUNDS['v']:g}$"
        ),
        plain=(
            "four times the batch by the square-root rule: Eθ, Eθ² and v̂ are those of before within "
            f"{BOUNDS['mean']:g}θ₀, {BOUNDS['square'] * 100:g} % and {BOUNDS['v']:g}"
        ),
        kind=Kind.BOUND,
        source="abstract",
        measure=sqrt_rule,
        assumes=(SLOW, NOISY),
        about="scaling",
        control=Control("η × κ, η kept, and one of β₁, β₂, ε kept: each", constants={"rules": WRONG}),
    ),
    Claim(
        id="adam_sde.mean_field",
        statement=(
            rf"at $\kappa = 1$ mean field has $E\theta$ within ${CLOSE['mean']:g}$, $E\theta^2$ within "
            rf"{CLOSE['square'] * 100:g} %, $E\hat v$ within {CLOSE['v']:g}; and the largest "
            rf"$|\Delta E\theta|/\theta_0$ of every rule at $1 < \kappa \le {REACH}$ within {SHIFT:g}"
        ),
        plain=(
            f"mean field has Eθ within {CLOSE['mean']:g}, Eθ² within {CLOSE['square'] * 100:g} %, v̂ within "
            f"{CLOSE['v']:g}, and every rule's d₁ within {SHIFT:g} up to κ = {REACH}"
        ),
        kind=Kind.BOUND,
        source="derived",
        measure=mean_field,
        assumes=(AVERAGED,),
        about="scaling",
        control=Control("v̂ = 1 from the start", constants={"model": "frozen"}),
    ),
    Claim(
        id="adam_sde.weak_order",
        statement=(
            rf"mean field, $\theta_0 = 10^{{-3}}$, $\kappa = {WEAK}$, all rates in proportion to $p = 2^{{-5}} \ldots "
            rf"2^{{-10}}$: the deviations of $E\theta$ and of $E\theta^2$ by the rule are of order 1 in $p$, slopes in "
            rf"$[{ORDER[0]:g}, {ORDER[1]:g}]$"
        ),
        plain=f"by the rule, all rates ∝ p, Eθ and Eθ² deviate by order 1 in p: slopes in [{ORDER[0]:g}, {ORDER[1]:g}]",
        kind=Kind.ORDER,
        source="derived",
        measure=weak_order,
        about="weak",
        control=Control("β₂ kept", constants={"rule": "keep β₂"}),
    ),
    Claim(
        id="adam_sde.noise_dominance",
        statement=(
            r"RMSprop by the rule, $\theta_0 \in \{0.05, 0.2, 0.8\}$, $\kappa \in \{4, 16, 64\}$, $kp = 1$: $E\theta("
            rf"\kappa)/E\theta(1)$ is that of mean field within {RATIO * 100:g} %, and exceeds {1 + EXCESS:g} exactly "
            r"where $\kappa\,\mathrm{snr}_0 \ge \frac12$, $\mathrm{snr}_0 = a^2\theta_0^2B/\sigma^2$"
        ),
        plain=(
            f"Eθ(κ)/Eθ(1) is that of mean field within {RATIO * 100:g} %, and above {1 + EXCESS:g} exactly where "
            "κ·snr₀ ≥ ½"
        ),
        kind=Kind.BOUND,
        source="derived",
        measure=noise_dominance,
        about="dominance",
        control=Control("1 in place of mean field: the rule", constants={"predicted": 1.0}),
    ),
    Claim(
        id="adam_sde.v_noise",
        statement=(
            r"RMSprop, $\epsilon = 0$, $p = 0.01$, $\delta = 1-\beta_2 \in \{0.1, 0.05, 0.025\}$: stationary "
            r"$\mathrm{Var}\,\theta$ over that of v frozen is $1 + \frac58\delta$ with the old v, $1 - \frac38\delta$ "
            rf"with the new one, within {FIRST:g}"
        ),
        plain=f"v's fluctuation: Var θ over the frozen one is 1 + 5δ/8 (old v), 1 − 3δ/8 (new v), within {FIRST:g}",
        kind=Kind.BOUND,
        source="derived",
        measure=v_noise,
        about="v_noise",
        control=Control("the orders exchanged", constants={"exchanged": True}),
    ),
)
