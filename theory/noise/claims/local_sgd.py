r"""Local SGD drifts faster than parallel SGD, by a factor in closed form, at the same noise where workers average.

Evidence by role, "fall" being −ln(z_T/z₀), z = u² − v², H = 1 among the lengths of a round (parallel SGD at the same K,
η and number of local steps), R̂ the ratio of mean falls to that of H = 1:

"lengths"     ``fall`` (seed, H), ``predicted`` (H), the rate integrated along the valley; ``step``, ``average`` and
              their wrong ones (seed, H): largest errors of the identities, relative to h
"workers"     ``fall`` (seed, K, H), ``predicted``, and ``fewer`` (K, H), R's prediction at K − 1
"average"     ``after``, ``before`` (seed, H): mean of (uv − 1)² at the averaged parameters, and of the workers just
              before; ``stated`` (H)
"rates"       ``fall`` (seed, rate, rule), ``predicted`` (rate, rule): H by a rule, the first of them H = 1
"window"      ``z_gap``, ``h_gap`` (seed, H, record): z and h of parallel SGD less those of Local SGD, at η²s²k/K =
              ``budget`` (record); ``z_predicted``, ``h_predicted`` (H, record); ``peak`` (H)
"straight"    ``square``, ``increment`` (seed, H): E x², and the averaged x's mean square change in a round over H;
              ``square_stated``, ``increment_stated`` (H); ``unsettled`` (H)

Intervals are Student's, of means over seeds (of R̂ to first order), and hold for all cells of a claim at once but for a
chance of one in a thousand; a claim holds if all of them lie within what is stated.

Restated: the gap of 1.7 at the peak is that of z; the sharpness cannot differ by more than h₀ − 2 = 1.6, and differs by
0.97 at most, earlier, so that both are stated. E x² departs from the Ornstein–Uhlenbeck value by about (3/2)κE x²/h₀
itself, 3 % for parallel SGD, so that it is held to 10 %, with its whole interval in place of 5 % and its error. The
learning rates of `local_sgd.small_rate` are those at which all three rules for H give whole rounds.
"""

from __future__ import annotations

__all__ = ["CLAIMS", "RULES", "SMALL_NOISE", "SMALL_PULL"]

import math

from lemmascope.theory.claim import Claim, Control, Estimate, Evidence, Hypothesis, Measurement
from lemmascope.theory.estimates import at_least, at_most, compared, farthest, held, mean, off, ratio, slope
from lemmascope.theory.noise.local_sgd import RULES, SMALL_NOISE, SMALL_PULL
from lemmascope.theory.verdict import Kind

ROUNDING = 64 * 2.0**-52
RATIO = 0.03
AVERAGE = 0.05
SLOPE = 0.1
EARLY = 0.05
PEAK = {"z": 1.0, "h": 0.9}
"""Least gap of each at its peak."""

PLACE, LEFT = 0.1, 0.25
DIFFUSION, SQUARE = 0.05, 0.1
# --- measures -------------------------------------------------------------------------------------------------------


def invariant(evidence: Evidence, *, wrong: bool = False) -> Measurement:
    """Largest error of both identities over lengths and steps; ``wrong``: the smaller of both wrong ones'."""
    step, average = (evidence[f"wrong_{x}" if wrong else x].max("H") for x in ("step", "average"))
    worst = step.where(step < average, average) if wrong else step.where(step > average, average)
    return Measurement(worst, upper=ROUNDING, residual=worst)


def drift_ratio(evidence: Evidence) -> Estimate:
    """R̂ over its prediction, at every length."""
    data = evidence.data
    lengths = [int(H) for H in data["H"].values if H > 1]
    base, named = data["fall"].sel(H=1), {}
    for H in lengths:
        found = ratio(data["fall"].sel(H=H), base, len(lengths))
        named[f"H = {H}"] = (*found, float(data["predicted"].sel(H=H)))
    return compared(named, RATIO, base.sizes["seed"])


def workers(evidence: Evidence, *, against: str = "predicted") -> Estimate:
    """The same at every number of workers."""
    data = evidence.data
    places = [(int(K), int(H)) for K in data["K"].values for H in data["H"].values if H > 1]
    named = {}
    for K, H in places:
        one = data.sel(K=K)
        found = ratio(one["fall"].sel(H=H), one["fall"].sel(H=1), len(places))
        named[f"K = {K}, H = {H}"] = (*found, float(one[against].sel(H=H)))
    return compared(named, RATIO, data.sizes["seed"])


def same_noise(evidence: Evidence, *, of: str = "after") -> Estimate:
    """(uv − 1)² at the averages over the closed form, at every length."""
    data, cells = evidence.data, evidence.data.sizes["H"]
    named = {
        f"H = {int(H)}": (*mean(data[of].sel(H=H), cells), float(data["stated"].sel(H=H))) for H in data["H"].values
    }
    return compared(named, AVERAGE, data.sizes["seed"])


def small_rate(evidence: Evidence, *, against: int = 0) -> Estimate:
    """Slope of ln(R̂ − 1) on ln η by each rule less that of its prediction; ``against``: one rule's, for all."""
    data = evidence.data
    u, parts, told = [math.log(eta) for eta in data["rate"].values.tolist()], [], []
    for k in range(1, len(RULES)):
        excess, errors = [], []
        for j in range(len(u)):
            one = data["fall"].isel(rate=j)
            R, error = ratio(one.isel(rule=k), one.isel(rule=0), len(RULES) - 1)
            excess.append(R - 1)
            errors.append(error / (R - 1))
        expected = data["predicted"].isel(rule=against or k).values.tolist()
        stated, _ = slope(u, [math.log(R - 1) for R in expected], [0.0] * len(u))
        if min(excess) <= 0:
            return Estimate(math.nan, math.nan, math.nan, upper=SLOPE, undecided=f"R̂ ≤ 1 by the rule {RULES[k]}")
        value, error = slope(u, [math.log(x) for x in excess], errors)
        parts.append(off(value - stated, error))
        told.append(f"{RULES[k]}: {value:.3f} ± {error:.3f}, predicted {stated:.3f}")
    return held(parts, f"slopes of ln(R̂ − 1): {'; '.join(told)}".replace("-", "−"), (data.sizes["seed"],), SLOPE)


def long_training(evidence: Evidence, *, exchanged: bool = False) -> Estimate:
    """The gaps in z and in h at k = 1/η, and where the prediction peaks; of the last length."""
    data = evidence.data.isel(H=-1)
    parts, told = [], []
    for name, least in PEAK.items():
        gap, top = data[f"{name}_gap"], int(data[f"{name}_predicted"].argmax("record"))
        early, peak = (mean(gap.isel(record=k), 2 * len(PEAK)) for k in ((top, 0) if exchanged else (0, top)))
        parts += [at_most(*early, EARLY), at_least(*peak, least)]
        told.append(f"in {name} {early[0]:.4f} ± {early[1]:.4f} and {peak[0]:.3f} ± {peak[1]:.3f}")
    return held(parts, f"gaps at 1/η and at the peak: {'; '.join(told)}", (data.sizes["seed"],))


def window(evidence: Evidence, *, length: int = -1) -> Estimate:
    """Where each seed's gap in z peaks, against ln R/(R − 1) of the last length; and what is left of it at the end."""
    data = evidence.data.isel(H=length)
    gap, stated = data["z_gap"], float(evidence.data["peak"].isel(H=-1))
    top = gap.max("record")
    place, error = mean(data["budget"].isel(record=gap.argmax("record")), 2)
    left, spread = mean(gap.isel(record=-1) / top, 2)
    says = (
        f"the gap peaks at η²s²k/K = {place:.3f} ± {error:.3f}, ln R/(R − 1) = {stated:.3f}; {left:.3f} ± {spread:.3f} "
        "of it is left at the end"
    )
    parts = [off(place / stated - 1, error / stated, PLACE), at_most(left, spread, LEFT)]
    return held(parts, says, (data.sizes["seed"],))


def same_diffusion(evidence: Evidence) -> Estimate:
    """The increment's mean square and E x², at every length; nothing is said of an E x² that has not settled."""
    data, cells = evidence.data, 2 * evidence.data.sizes["H"]
    parts, told = [], []
    for name, what, allowed in (("increment", "diffusion", DIFFUSION), ("square", "E x²", SQUARE)):
        named = {}
        for H in data["H"].values:
            one = data.sel(H=H)
            value, error = mean(one[name], cells)
            named[f"H = {int(H)}"] = found = (value, error, float(one[f"{name}_stated"]))
            unsettled = name == "square" and bool(one["unsettled"])
            parts.append(off(value / found[2] - 1, math.inf if unsettled else error / found[2], allowed))
        told.append(f"{what} {farthest(named)}")
    bad = int(data["unsettled"].sum())
    told += [f"{bad} of {data.sizes['H']} lengths are not settled"] if bad else []
    return held(parts, "; ".join(told), (data.sizes["seed"],))


# --- statements -----------------------------------------------------------------------------------------------------

FINITE = Hypothesis(
    "finite", "all iterates are finite", lambda e: (e["step"] + e["average"]).notnull().all("H").transpose("seed")
)
SMALL = Hypothesis(
    "small",
    r"$\eta h \le 0.1$ and $\eta s^2 \le 0.01$",
    lambda e: bool(e.data.attrs["eta_h"] <= SMALL_PULL and e.data.attrs["eta_noise"] <= SMALL_NOISE),
)
QUIET = Hypothesis("quiet", r"$\eta s^2 \le 0.01$", lambda e: bool(e.data.attrs["eta_noise"] <= SMALL_NOISE))
STATED = Hypothesis(
    "stated", r"$K = 8$, $s = \frac12$, $z_0 = 3$, $\eta = 0.02$", lambda e: e.data.attrs["stated"] == 1
)
POSITIVE = Hypothesis("positive", r"$z_T > 0$ in every run", lambda e: e.data.attrs["crossed"] == 0)
LARGE = Hypothesis("large", r"$R > 1.5$", lambda e: bool(e.data.attrs["R"] > 1.5))
NARROW = Hypothesis("narrow", r"$\kappa \mathsf{E} x^2 \le 0.05\, h_0$", lambda e: bool(e.data.attrs["narrow"] <= 0.05))

CLAIMS = (
    Claim(
        id="local_sgd.invariant",
        statement=(
            r"on $uv = 1$, $z = u^2 - v^2$: $z^+ = z(1 - \eta^2 r^2)$ in every local step, $\bar z = \frac1K\sum_k z_k "
            r"- \mathrm{Var}_k(u) + \mathrm{Var}_k(v)$ at every average; relative to $h$ to $64\,\varepsilon$"
        ),
        plain="z = u² − v²: z⁺ = z(1 − η²r²) in every local step, z̄ = mean z_k − Var_k(u) + Var_k(v) at every average",
        kind=Kind.IDENTITY,
        source="derived",
        measure=invariant,
        assumes=(FINITE,),
        about="lengths",
        control=Control("η in place of η², and no variances, each", constants={"wrong": True}),
    ),
    Claim(
        id="local_sgd.drift_ratio",
        statement=(
            r"the drift along the valley is $R = K - (K - 1)\varphi$ times parallel SGD's, $\varphi = "
            rf"\frac{{1 - a^{{2H}}}}{{H(1 - a^2)}}$, $a = 1 - \eta h$: $|\hat R/R - 1| \le {RATIO:g}$ at every $H$"
        ),
        plain=f"the drift is R = K − (K−1)φ(H, ηh) times parallel SGD's, |R̂/R − 1| ≤ {RATIO:g} at every H",
        kind=Kind.BOUND,
        source="derived",
        measure=drift_ratio,
        assumes=(SMALL, POSITIVE),
        about="lengths",
        control=Control("one stream of noise for all workers", made="shared noise"),
    ),
    Claim(
        id="local_sgd.workers",
        statement=rf"the same at every $K$: $|\hat R/R - 1| \le {RATIO:g}$",
        plain=f"the same at every number of workers K: |R̂/R − 1| ≤ {RATIO:g}",
        kind=Kind.BOUND,
        source="derived",
        measure=workers,
        assumes=(SMALL, POSITIVE),
        about="workers",
        control=Control("R of K − 1 workers", constants={"against": "fewer"}),
    ),
    Claim(
        id="local_sgd.same_noise_at_sync",
        statement=(
            r"where workers average $\mathsf{E}(\bar u\bar v - 1)^2 = \frac{s^2\eta h}{K(2 - \eta h)}$ whatever $H$, "
            rf"to ${100 * AVERAGE:g}\%$"
        ),
        plain=f"where workers average E(uv − 1)² = s²ηh/(K(2 − ηh)) whatever H, to {AVERAGE:.0%}",
        kind=Kind.BOUND,
        source="derived",
        measure=same_noise,
        assumes=(SMALL,),
        about="average",
        control=Control("the workers just before", constants={"of": "before"}),
    ),
    Claim(
        id="local_sgd.small_rate",
        statement=(
            r"at equal $\eta^2k$ the slope of $\ln(\hat R - 1)$ on $\ln\eta$ is that of $R$ within "
            rf"${SLOPE:g}$ for $H = 4$ (near $1$: no gain for $\eta \to 0$), $H = 0.32/\eta$ (near $0$) and $H = "
            r"0.0128/\eta^2$ (negative: $R \to K$)"
        ),
        plain=(
            f"slopes of ln(R̂ − 1) on ln η are R's within {SLOPE:g}: near 1 at H = 4, near 0 at H ∝ 1/η, negative at "
            "H ∝ 1/η²"
        ),
        kind=Kind.ORDER,
        source="derived",
        measure=small_rate,
        assumes=(QUIET, POSITIVE),
        about="rates",
        control=Control("the slope of H = 0.32/η for all three", constants={"against": 2}),
    ),
    Claim(
        id="local_sgd.long_training",
        statement=(
            rf"at $k = 1/\eta$ parallel SGD is less than ${EARLY:g}$ behind in $z$ and in $h$; at the gaps' peaks "
            rf"at least ${PEAK['z']:g}$ in $z$ and ${PEAK['h']:g}$ in $h$"
        ),
        plain=(
            f"long enough: at k = 1/η the gaps in z and h are ≤ {EARLY:g}, at their peaks ≥ {PEAK['z']:g} and "
            f"{PEAK['h']:g}"
        ),
        kind=Kind.BOUND,
        source="abstract",
        measure=long_training,
        assumes=(STATED,),
        about="window",
        control=Control("the two times exchanged", constants={"exchanged": True}),
    ),
    Claim(
        id="local_sgd.window",
        statement=(
            rf"too long: the gap in $z$ peaks at $\eta^2s^2k/K = \ln R/(R - 1)$ within ${100 * PLACE:g}\%$, $R$ at "
            r"$h_0$, and less than a quarter of it is left at the end"
        ),
        plain=f"too long: the gap in z peaks at η²s²k/K = ln R/(R − 1) to {PLACE:.0%}, and ends below 1/4 of its peak",
        kind=Kind.BOUND,
        source="derived",
        measure=window,
        assumes=(STATED, LARGE),
        about="window",
        control=Control("H = 2 against the value of H = 32", constants={"length": 0}),
    ),
    Claim(
        id="local_sgd.same_diffusion",
        statement=(
            rf"in the straight valley the averaged $x$ diffuses by $\eta^2\tau^2/K$ a step whatever $H$, "
            rf"to ${100 * DIFFUSION:g}\%$, and $\mathsf{{E}}x^2 = \eta\tau^2/(K\kappa\rho S)$, to ${100 * SQUARE:g}\%$"
        ),
        plain=(
            f"straight valley: the averaged x diffuses by η²τ²/K a step whatever H, to {DIFFUSION:.0%}; E x² = "
            f"ητ²/(KκρS), to {SQUARE:.0%}"
        ),
        kind=Kind.BOUND,
        source="derived",
        measure=same_diffusion,
        assumes=(NARROW,),
        about="straight",
        control=Control("one worker against the values of K", made="one worker"),
    ),
)
