r"""AdaMomentum: Adam at a larger rate, its temperature, its regret, and what its first steps do to a small margin.

Evidence by role:

"identity"     ``apart`` (seed, beta1): the largest |Δθ| between AdaMomentum and Adam on the same gradients, ε = 0
"alternating"  ``m`` (beta1): the largest |m_t − closed form|; ``u`` (optimizer, beta1), ``limit`` (optimizer, beta1):
               |u| at the end and its limit; "with ε" is AdaMomentum at ε = 10⁻⁸, G = 0.06
"moments"      ``mean``, ``variance`` (seed, optimizer, mu): of u, s = 1; ``V`` (optimizer, mu)
"temperature"  ``square`` (seed, series, eta): stationary E x² at h = s = 1; ``stated`` (series, eta), self-consistent
"regret"       ``regret`` (kind, cell, round): average regret
"margin"       ``small`` (seed, optimizer, eta): accuracy on small margins; NaN where an optimizer is not run

Estimates hold with their whole intervals, Student's over seeds and for all cells of a claim at once.

Restated against what was first written down (ids are kept):

- `adamomentum.small_margin` was written down for rates of at most 0.01, where it is true: AdaMomentum is far ahead
  there. 0.01 is the end of those rates and not Adam's best, so that it is stated for rates of up to 0.3: Adam comes as
  far at 0.1. `adamomentum.first_steps`, which is added, says what makes the difference at 0.01: its m̂ is corrected for
  the start and the m in its v is not, so that the first step is 1/(1−β₁) times Adam's.
- `adamomentum.alternating` also states the limit with ε, where ε stands in the recursion of v.
- `adamomentum.regret_monotone` is of this T and these cells: how long the maximum takes grows with 1/(1−β₂) and with p.
"""

from __future__ import annotations

__all__ = ["CELLS", "CLAIMS", "FIRST", "MATCHED", "RATES", "ROUNDS", "SERIES", "SLOW", "SMALL"]

import math
from typing import Any

from lemmascope.theory.claim import Claim, Control, Estimate, Evidence, Hypothesis, Measurement
from lemmascope.theory.estimates import student
from lemmascope.theory.noise import adamomentum as theory
from lemmascope.theory.noise.adamomentum import CELLS, FIRST, RATES, ROUNDS, SERIES, SLOW, SMALL
from lemmascope.theory.verdict import Kind, Status

ROUNDING, LIMIT = 1e-14, 1e-4
"""Of m_t, G = 1, and of |u|."""

MOMENTS, TEMPERATURE = 0.03, 0.02
MATCHED = 0.95, 1.10
REGRET = 0.1
"""Average regret."""

AHEAD, MOST, LEFT = 0.05, 0.75, 0.25
"""In accuracy; and shares of what AdaMomentum is ahead."""

Cell = tuple[float, float]


# --- estimates ------------------------------------------------------------------------------------------------------


def _cell(values: Any) -> Cell:
    """Mean over seeds and its standard error; infinite with one seed."""
    seeds = values.sizes["seed"]
    return float(values.mean("seed")), float(values.std("seed", ddof=1)) / seeds**0.5 if seeds > 1 else math.inf


def _ratio(values: Any, base: Any) -> Cell:
    """Ratio of means over seeds, with its standard error to first order."""
    whole = float(base.mean("seed"))
    ratio = float(values.mean("seed")) / whole
    return ratio, _cell(values - ratio * base)[1] / abs(whole)


def _estimate(cells: dict[str, Cell], allowed: float, seeds: int, values: dict[str, Any]) -> Estimate:
    """The largest |relative deviation| of all cells, held against what is allowed."""
    t = student(seeds, len(cells))
    reach = {name: t * error if seeds > 1 else math.inf for name, (_, error) in cells.items()}
    worst = max(cells, key=lambda name: abs(cells[name][0]))
    value = abs(cells[worst][0])
    return Estimate(
        value,
        min(value, max(max(abs(x) - reach[name], 0.0) for name, (x, _) in cells.items())),
        max(abs(x) + reach[name] for name, (x, _) in cells.items()),
        upper=allowed,
        counts=(seeds,),
        evidence=values | {"relative deviations": {name: x for name, (x, _) in cells.items()}},
        says=f"{len(cells)} numbers, farthest {worst}: {cells[worst][0] * 100:+.2f} ± {reach[worst] * 100:.2f} %",
        undecided="" if seeds > 1 else "one seed has no interval",
    )


# --- measures -------------------------------------------------------------------------------------------------------


def is_adam(evidence: Evidence, *, beta1: float = 0.0) -> Measurement:
    """The largest distance between the iterates."""
    apart = evidence.data["apart"].sel(beta1=beta1, drop=True)
    return Measurement(apart, upper=0.0, residual=apart)


def alternating(evidence: Evidence, *, of: str = "AdaMomentum") -> Measurement:
    """The largest deviation in units of what is allowed; ``of``: whose |u| is held against 1."""
    data = evidence.data
    found = {"m": float(data["m"].max()) / ROUNDING}
    for name in data["optimizer"].values:
        u = data["u"].sel(optimizer=of if name == "AdaMomentum" else name)
        found[str(name)] = float(abs(u - data["limit"].sel(optimizer=name)).max()) / LIMIT
    values = {f"beta1 = {float(b):g}": data["u"].sel(beta1=b).values.tolist() for b in data["beta1"].values}
    worst = max(found.values())
    return Measurement(worst, upper=1.0, residual=worst, evidence={"in units of what is allowed": found, "|u|": values})


def step_moments(evidence: Evidence, *, V: str = "own") -> Estimate:
    """Relative deviations of mean and variance from μ/√V and as²/V, and of the two ratios from each other.

    Args:
        V: "own", or the optimizer whose V is used for both.
    """
    data = evidence.data
    beta1 = float(data.attrs["beta1"])
    cells: dict[str, Cell] = {}
    values: dict[str, Any] = {}
    for mu in map(float, data["mu"].values):
        at = data.sel(mu=mu)
        ratios = []
        for name in map(str, data["optimizer"].values):
            one = at.sel(optimizer=name)
            limit = float(data["V"].sel(mu=mu, optimizer=name if V == "own" else V))
            stated = theory.step_moments(mu, 1.0, beta1, limit)
            for what, target in zip(("mean", "variance"), stated, strict=True):
                found, error = _cell(one[what])
                cells[f"{what}, {name}, μ/s = {mu:g}"] = found / target - 1, error / target
                values[f"{what} {name} mu = {mu:g}"] = [found, target]
            ratios.append(one["mean"] ** 2 / one["variance"])
        ratio, error = _ratio(*ratios)
        cells[f"mean²/variance, μ/s = {mu:g}"] = ratio - 1, error
    return _estimate(cells, MOMENTS, data.sizes["seed"], values)


def hotter(evidence: Evidence, *, cold: float | None = None) -> Estimate:
    """Relative deviations of the ratio of E x² from the self-consistent one, and at the least η from 1/√a.

    Args:
        cold: a ratio in place of both.
    """
    data = evidence.data
    square, stated = data["square"], data["stated"]
    cells: dict[str, Cell] = {}
    values: dict[str, Any] = {}
    for eta in map(float, data["eta"].values):
        one = square.sel(eta=eta)
        ratio, error = _ratio(one.sel(series="AdaMomentum"), one.sel(series="Adam"))
        two = stated.sel(eta=eta)
        target = cold or float(two.sel(series="AdaMomentum") / two.sel(series="Adam"))
        cells[f"η = {eta:g}"] = ratio / target - 1, error / target
        values[f"eta = {eta:g}"] = [ratio, target]
        if eta == float(data["eta"].min()):
            end = cold or theory.attenuation(float(data.attrs["beta1"])) ** -0.5
            cells[f"1/√a at η = {eta:g}"] = ratio / end - 1, error / end
    return _estimate(cells, TEMPERATURE, data.sizes["seed"], values)


def same_at_matched_rate(evidence: Evidence, *, series: str = SERIES[2]) -> Estimate:
    """The ratio of E x² to Adam's that is farthest from the middle of what is stated."""
    square = evidence.data["square"]
    seeds, middle = square.sizes["seed"], sum(MATCHED) / 2
    found = {
        float(eta): _ratio(square.sel(eta=eta, series=series), square.sel(eta=eta, series="Adam"))
        for eta in square["eta"].values
    }
    t = student(seeds, len(found))
    ends = [(x - t * error, x + t * error) if seeds > 1 else (-math.inf, math.inf) for x, error in found.values()]
    worst = max((x for x, _ in found.values()), key=lambda x: abs(x - middle))
    outside = [(low, high) for low, high in ends if low > MATCHED[1] or high < MATCHED[0]]
    low, high = outside[0] if outside else (min(x for x, _ in ends), max(x for _, x in ends))
    return Estimate(
        worst,
        low,
        high,
        *MATCHED,
        counts=(seeds,),
        evidence={f"eta = {eta:g}": [x, error] for eta, (x, error) in found.items()},
        says="ratios " + ", ".join(f"{x:.4f} ± {t * e:.4f} at η = {eta:g}" for eta, (x, e) in found.items()),
        undecided="" if seeds > 1 else "one seed has no interval",
    )


def regret(evidence: Evidence, *, kind: str = "AdaMomentum") -> Measurement:
    """The largest average regret of all cells at the last round."""
    data = evidence.data["regret"].sel(kind=kind).isel(round=-1)
    names = [f"β₁ = {b:g}, β₂ = {c:.3g}, p = {p}, C = {C:g}" for b, c, p, C in CELLS]
    values = dict(zip(names, map(float, data.values), strict=True))
    return Measurement(max(values.values()), upper=REGRET, evidence=values)


def regret_monotone(evidence: Evidence, *, kind: str = "AMSAdaMomentum") -> Measurement:
    """The same with the running maximum of v."""
    return regret(evidence, kind=kind)


def _at_first(evidence: Evidence) -> Any:
    """What each ends with at the η at which first steps are given and taken."""
    small = evidence.data["small"]
    etas = small["eta"].values.tolist()
    return small.isel(eta=etas.index(FIRST) if FIRST in etas else -1, drop=True)


def _best(evidence: Evidence, name: str) -> Any:
    return evidence.data["small"].sel(optimizer=name, drop=True).max("eta")


def small_margin(evidence: Evidence, *, of: str = "AdaMomentum") -> Measurement:
    """Accuracy at its best η less Adam's, on each seed."""
    best = {name: _best(evidence, name) for name in ("Adam", "AdaMomentum")}
    values = {f"{name}, best": one.values.tolist() for name, one in best.items()}
    return Measurement(best[of] - best["Adam"], lower=AHEAD, evidence=values)


def first_steps(
    evidence: Evidence, *, given: str = "Adam, started", taken: str = "AdaMomentum, not started"
) -> Estimate:
    """Shares of what AdaMomentum is ahead at one η, of means over seeds: how far both are within bounds."""
    small = _at_first(evidence)
    adam = small.sel(optimizer="Adam", drop=True)
    ahead = small.sel(optimizer="AdaMomentum", drop=True) - adam
    seeds = ahead.sizes["seed"]
    gained, left = (_ratio(small.sel(optimizer=name, drop=True) - adam, ahead) for name in (given, taken))
    t = student(seeds, 2)
    slack = (gained[0] - MOST, gained[1]), (LEFT - left[0], left[1])
    reach = [t * error if error else 0.0 for _, error in slack]
    return Estimate(
        min(x for x, _ in slack),
        min(x - r for (x, _), r in zip(slack, reach, strict=True)),
        min(x + r for (x, _), r in zip(slack, reach, strict=True)),
        lower=0.0,
        counts=(seeds,),
        evidence={"share gained": gained[0], "share left": left[0]},
        says=f"given to Adam {gained[0] * 100:.1f} ± {reach[0] * 100:.1f} % of it, without them {left[0] * 100:.1f} ± "
        f"{reach[1] * 100:.1f} % left",
        undecided="" if seeds > 1 else "one seed has no interval",
    )


# --- what is assumed ------------------------------------------------------------------------------------------------


def _slow(evidence: Evidence) -> bool:
    return float(evidence.data["eta"].max()) <= SLOW * (1 + 1e-12)


def _small(evidence: Evidence) -> bool:
    return float(evidence.data["eta"].min()) <= SMALL


def _averaged(evidence: Evidence) -> bool:
    return float(evidence.data.attrs["beta2"]) >= 0.999


def _long(evidence: Evidence) -> bool:
    return int(evidence.data["round"].max()) >= ROUNDS


def _ahead(evidence: Evidence) -> Any:
    small = _at_first(evidence)
    return small.sel(optimizer="AdaMomentum", drop=True) - small.sel(optimizer="Adam", drop=True) >= AHEAD


def _tried(evidence: Evidence) -> bool:
    return float(evidence.data["eta"].max()) >= RATES


AVERAGED = Hypothesis("averaged", r"$\beta_2 \ge 0.999$", _averaged)
LONG = Hypothesis("long", r"$3\cdot10^5$ rounds or more", _long)
FROM_SMALL = Hypothesis("small", rf"$\eta h/s \le {SMALL:g}$ at the smallest $\eta$", _small)
SLOWLY = Hypothesis("slow", rf"$\eta h/s \le {SLOW:g}$", _slow)
APART = Hypothesis("apart", rf"AdaMomentum is ahead by {AHEAD:g} at this $\eta$", _ahead)
TRIED = Hypothesis("tried", rf"rates of ${RATES:g}$ or more are tried", _tried)

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="adamomentum.is_adam",
        statement=r"with $\beta_1 = 0$ and $\epsilon = 0$ AdaMomentum's iterates are Adam's, for any gradients",
        plain="β₁ = 0, ε = 0: AdaMomentum is Adam, for any gradients",
        kind=Kind.IDENTITY,
        source="derived",
        measure=is_adam,
        about="identity",
        control=Control("β₁ = 0.5", constants={"beta1": 0.5}),
    ),
    Claim(
        id="adamomentum.alternating",
        statement=(
            r"$g_t = (-1)^{t-1}G$, $a = \frac{1-\beta_1}{1+\beta_1}$: $m_t = (-1)^{t-1}aG(1 - (-\beta_1)^t)$ at every "
            r"$t$, and at $t = 40000$, $\beta_2 = 0.999$, $|u|$ is $1$ with AdaMomentum, $a$ with Adam, "
            rf"$aG/\sqrt{{a^2G^2 + \epsilon/(1-\beta_2)}}$ with AdaMomentum's $\epsilon$, within ${LIMIT:g}$"
        ),
        plain=(
            "gradients ±G in turn: m_t = ±aG(1 − (−β₁)^t), a = (1−β₁)/(1+β₁); steps |u| → 1 with AdaMomentum, a with "
            "Adam"
        ),
        kind=Kind.IDENTITY,
        source="derived",
        measure=alternating,
        about="alternating",
        control=Control("Adam's v", constants={"of": "Adam"}),
    ),
    Claim(
        id="adamomentum.step_moments",
        statement=(
            r"$g = \mu + s\xi$, $\beta_1 = 0.9$, $\beta_2 = 0.9999$, $\mu/s \in \{1, 0.3, 0.1\}$: $u$ has the mean "
            r"$\mu/\sqrt V$ and the variance $as^2/V$, $V = \mu^2 + s^2$ (Adam), $\mu^2 + as^2$ (AdaMomentum), and "
            rf"both the same $\mathrm{{mean}}^2/\mathrm{{variance}}$, within {MOMENTS * 100:g} %"
        ),
        plain=(
            "g = μ + sξ: u has mean μ/√V, variance as²/V, V = μ² + s² (Adam), μ² + as² (AdaMomentum), within "
            f"{MOMENTS * 100:g} %: the same signal to noise"
        ),
        kind=Kind.BOUND,
        source="derived",
        measure=step_moments,
        assumes=(AVERAGED,),
        about="moments",
        control=Control("Adam's V for both", constants={"V": "Adam"}),
    ),
    Claim(
        id="adamomentum.hotter",
        statement=(
            r"$\frac12hx^2$, $g = hx + s\xi$, $\beta_1 = 0.9$, $\beta_2 = 0.9999$, equal $\eta$: AdaMomentum's "
            r"stationary $\mathrm{Var}\,x$ over Adam's is that where $V = E m^2(\eta/\sqrt V)$, or $E g^2$ for Adam, "
            rf"and $1/\sqrt a$ at the smallest $\eta$, within {TEMPERATURE * 100:g} %"
        ),
        plain=(
            "at equal η AdaMomentum's stationary Var x over Adam's is the self-consistent one, 1/√a for small η, "
            f"within {TEMPERATURE * 100:g} %"
        ),
        kind=Kind.BOUND,
        source="derived",
        measure=hotter,
        assumes=(AVERAGED, FROM_SMALL),
        about="temperature",
        control=Control("as hot: a ratio of 1", constants={"cold": 1.0}),
    ),
    Claim(
        id="adamomentum.same_at_matched_rate",
        statement=(
            rf"AdaMomentum at the rate $\sqrt a\,\eta$ has Adam's stationary $\mathrm{{Var}}\,x$: a ratio in "
            rf"$[{MATCHED[0]:g}, {MATCHED[1]:g}]$"
        ),
        plain=f"AdaMomentum at √a η has Adam's Var x at η: a ratio in [{MATCHED[0]:g}, {MATCHED[1]:.2f}]",
        kind=Kind.BOUND,
        source="derived",
        measure=same_at_matched_rate,
        assumes=(AVERAGED, SLOWLY),
        about="temperature",
        control=Control("equal η", constants={"series": "AdaMomentum"}),
    ),
    Claim(
        id="adamomentum.regret",
        statement=(
            r"$f_t(x) = g_tx$ on $[-1, 1]$, $g$ of period $p$, $C$ once and $-1$ else, $\eta_t = \frac12t^{-1/2}$: "
            rf"AdaMomentum's average regret is at most ${REGRET:g}$ after $3\cdot10^5$ rounds, for every $\beta_1$, "
            r"$\beta_2$, $p$ and $C > p - 1$ that was tried"
        ),
        plain=f"AdaMomentum's average regret is at most {REGRET:g} on periodic linear losses: false, as for Adam",
        kind=Kind.BOUND,
        source="derived",
        measure=regret,
        assumes=(LONG,),
        about="regret",
        control=Control("Adam, of which it is known to be false", constants={"kind": "Adam"}),
        expected=Status.REFUTED,
    ),
    Claim(
        id="adamomentum.regret_monotone",
        statement=(
            rf"dividing by the root of the largest $v$ so far, AdaMomentum's average regret is at most ${REGRET:g}$ "
            r"after $3\cdot10^5$ rounds in each of these cases"
        ),
        plain=f"with the running maximum of v the average regret is at most {REGRET:g} in each case",
        kind=Kind.BOUND,
        source="derived",
        measure=regret_monotone,
        assumes=(LONG,),
        about="regret",
        control=Control("without the maximum", constants={"kind": "AdaMomentum"}),
    ),
    Claim(
        id="adamomentum.small_margin",
        statement=(
            rf"the central experiment, full batch, $\beta_1 = 0.9$, $\beta_2 = 0.999$: AdaMomentum's accuracy on small "
            rf"margins at its best $\eta$ exceeds Adam's at its best by {AHEAD:g}, on each seed"
        ),
        plain=(
            f"the central data: AdaMomentum's small-margin accuracy at its best η exceeds Adam's at its best by "
            f"{AHEAD:g}: false where rates are large enough for Adam"
        ),
        kind=Kind.BOUND,
        source="abstract",
        measure=small_margin,
        assumes=(TRIED,),
        about="margin",
        control=Control("Adam against itself", constants={"of": "Adam"}),
        expected=Status.REFUTED,
    ),
    Claim(
        id="adamomentum.first_steps",
        statement=(
            rf"at $\eta = {FIRST:g}$: Adam at $\eta u_t$, $u_t$ AdaMomentum's step of a constant gradient, gains at "
            rf"least {MOST * 100:g} % of what AdaMomentum is ahead, and AdaMomentum at $\eta/u_t$ keeps at most "
            rf"{LEFT * 100:g} %, in means over data"
        ),
        plain=(
            f"at η = {FIRST:g} its first steps make the difference: given to Adam they gain ≥ {MOST * 100:g} % of it, "
            f"taken from AdaMomentum they leave ≤ {LEFT * 100:g} %"
        ),
        kind=Kind.BOUND,
        source="derived",
        measure=first_steps,
        assumes=(APART,),
        about="margin",
        control=Control("neither given nor taken", constants={"given": "Adam", "taken": "AdaMomentum"}),
    ),
)
