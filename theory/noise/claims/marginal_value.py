r"""What is said of SGD with and without momentum at a small learning rate, and where it ends.

1 − β = ½η^α throughout, in the average form at equal η. Evidence by role:

"short"      exact gaps of one mode, h = s = x₀ = 1: ``mean``, ``variance``, ``coupled``, ``w2`` over (alpha, eta, t)
"constants"  the same at one η over (beta, h, t), attribute eta
"valley"     ``sgd`` over (place, eta) and ``sgdm`` over (place, alpha, eta), where x is at the end; coordinates tau and
             x_0 of the places
"sampled"    mean places of replicas over (seed, eta): ``sgd``, ``sgdm``, and ``unscaled``, SGDM at η(1−β)
"descent"    fewest steps without noise over (kappa): ``sgd``, ``sgdm``; ``fixed_sgd``, ``fixed_sgdm`` at given rates
"noisy"      fewest steps with noise over (s2): ``sgd``; over (s2, damping): ``sgdm``, damping the least 1 − β

Restated against what was first written down (ids are kept): `marginal.long_law` is judged at every α of the grid where
η²/(1−β) is small, and not at four of them.
"""

from __future__ import annotations

__all__ = ["CLAIMS", "COUPLED", "GAIN", "MOST", "SAMPLED", "WEAK"]

import math
from collections.abc import Mapping
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.claim import Claim, Control, Estimate, Evidence, Hypothesis, Measurement
from lemmascope.theory.estimates import exponent, student
from lemmascope.theory.noise.marginal_value import DAMPED, first_order, lag, valley_law
from lemmascope.theory.verdict import Kind

WEAK = (0.0, 0.25, 0.5, 0.75)
"""α of the orders at short horizon."""

LONG = (0.0, 0.5, 1.0)
"""α of the order at long horizon."""

NEAR, COUPLED = 0.02, 0.01
"""How far a slope may be off the order; that of the coupled distance."""

CONSTANTS = 3.0
"""Of η/(1−β), which the three formulas may be off."""

RATIO, SLOW = 0.1, 0.04
"""How far the two-term law may be off, and the largest η²/(1−β) for which it is claimed."""

SAMPLED, FALL = 0.02, 2.0
"""Most that the means of replicas may be apart at the smallest rate, and by how much they come closer on the way."""

GAIN = 0.06
"""How far the exponent of the gain may be off ½."""

MOST, DOMINANT = 1.1, 1.0
"""Largest gain, from which s² on, and the least 1 − β."""


def _worst(found: Mapping[str, list[float]], stated: list[float]) -> float:
    return max(abs(x - y) for slopes in found.values() for x, y in zip(slopes, stated, strict=True))


def _slopes(data: Any, name: str, alphas: tuple[float, ...]) -> list[float]:
    """Of the largest |gap| over t, against η, for each α."""
    one = abs(data[name].sel(alpha=list(alphas))).max("t").transpose("alpha", "eta")
    return [float(x) for x in exponent(one.values, data["eta"].values)]


def weak_order(evidence: Evidence, *, alphas: tuple[float, ...] = WEAK, stated: float | None = None) -> Measurement:
    """Largest distance of the slopes of mean and variance from 1 − α; ``stated``: from this slope."""
    data = evidence.data
    found = {name: _slopes(data, name, alphas) for name in ("mean", "variance")}
    orders = [1 - alpha if stated is None else stated for alpha in alphas]
    more = {"alpha": list(alphas), **found, "Wasserstein": _slopes(data, "w2", alphas)}
    return Measurement(_worst(found, orders), upper=NEAR, evidence=more)


def coupled_order(evidence: Evidence, *, half: float = 0.5) -> Measurement:
    """Largest distance of the slopes of the coupled distance from (1 − α)/2; ``half``: what stands for the ½."""
    found = {"coupled": _slopes(evidence.data, "coupled", WEAK)}
    return Measurement(
        _worst(found, [half * (1 - alpha) for alpha in WEAK]), upper=COUPLED, evidence={"alpha": list(WEAK), **found}
    )


def constants(evidence: Evidence, *, wrong: tuple[Mapping[str, float], ...] = ({},)) -> Measurement:
    """Largest error of the three formulas over η/(1−β); of several wrong ones, that of the closest."""
    data = evidence.data.transpose("beta", "h", "t")
    eta, momenta = float(data.attrs["eta"]), data["beta"].values
    beta, h, t = momenta[:, None, None], data["h"].values[:, None], data["t"].values
    a, size = lag(eta, 1 - beta), eta / (1 - beta)
    xp = array_namespace(t)
    measured = {name: data[name].values for name in ("mean", "variance", "coupled")}
    found = []
    for changed in wrong:
        mean, variance, square = first_order(eta, beta, h, t, **changed)
        errors = {
            "mean": (measured["mean"] - mean) / (a * h),
            "variance": (measured["variance"] - variance) / a,
            "coupled": measured["coupled"] ** 2 / square - 1,
        }
        by_beta = {name: xp.max(xp.abs(x) / size, axis=(1, 2)).tolist() for name, x in errors.items()}
        found.append((max(max(x) for x in by_beta.values()), by_beta))
    worst, by_beta = min(found, key=lambda one: one[0])
    return Measurement(worst, upper=CONSTANTS, evidence={"beta": momenta.tolist(), **by_beta})


def long_order(evidence: Evidence, *, alphas: tuple[float, ...] = LONG) -> Measurement:
    """Largest distance of the slopes of |x_M − x_S| at the first place from 1."""
    one = evidence.data.isel(place=0)
    apart = (one["sgdm"] - one["sgd"]).sel(alpha=list(alphas)).transpose("alpha", "eta")
    slopes = [float(x) for x in exponent(apart.values, one["eta"].values)]
    return Measurement(max(abs(x - 1) for x in slopes), upper=NEAR, evidence={"alpha": list(alphas), "slopes": slopes})


def long_law(evidence: Evidence, *, second: float = 1.0) -> Measurement:
    """Largest |(x_M − x_S)/law − 1| where η²/(1−β) is small; ``second``: what stands before the second term."""
    data = evidence.data
    worst, ratios = 0.0, {}
    for place in range(data.sizes["place"]):
        one = data.isel(place=place)
        tau, x_0 = float(one["tau"]), float(one["x_0"])
        for alpha in data["alpha"].values.tolist():
            for eta in data["eta"].values.tolist():
                beta = 1 - eta**alpha / 2
                if eta**2 / (1 - beta) > SLOW:
                    continue
                first, last = valley_law(eta, beta, tau, x_0)
                cell = one.sel(eta=eta)
                ratio = float(cell["sgdm"].sel(alpha=alpha) - cell["sgd"]) / (first + second * last)
                ratios[f"tau = {tau:g}, alpha = {alpha:g}"] = ratio  # of the smallest rate, which comes last
                worst = max(worst, abs(ratio - 1))
    return Measurement(worst, upper=RATIO, evidence=ratios)


def long_law_sampled(evidence: Evidence, *, of: str = "sgdm") -> Estimate:
    """The larger of |gap| at the smallest rate over `SAMPLED`, and of `FALL` times it over that at the largest rate."""
    data = evidence.data.sortby("eta")
    gaps = data[of] - data["sgd"]
    seeds = int(data.sizes["seed"])
    means = gaps.mean("seed")
    errors = gaps.std("seed", ddof=1) / seeds**0.5 if seeds > 1 else means * math.nan
    reach = student(seeds, 2) * errors if seeds > 1 else abs(means) * math.inf

    def least(k: int) -> float:
        return max(0.0, abs(float(means[k])) - float(reach[k]))

    def most(k: int) -> float:
        return abs(float(means[k])) + float(reach[k])

    def larger(small: float, large: float) -> float:
        return max(small / SAMPLED, FALL * small / large if large > 0 else math.inf)

    value = larger(abs(float(means[0])), abs(float(means[-1])))
    shown = ", ".join(
        f"{float(gap):.4f} ± {float(error):.4f} (η = {float(eta):g})"
        for gap, error, eta in zip(means, errors, data["eta"], strict=True)
    )
    return Estimate(
        value,
        min(value, larger(least(0), most(-1))),
        max(value, larger(most(0), least(-1))),
        upper=1.0,
        counts=(seeds,),
        evidence={"eta": data["eta"].values.tolist(), "gap": means.values.tolist()},
        by_seed={"seed": data["seed"].values.tolist()}
        | {f"eta = {float(one['eta']):g}": one.values.tolist() for one in gaps.transpose("eta", "seed")},
        says=f"{'SGDM' if of == 'sgdm' else 'SGDM at η(1−β)'} less SGD: {shown}",
        undecided="" if seeds > 1 else "one seed has no interval",
    )


def deterministic_gain(evidence: Evidence, *, of: str = "") -> Measurement:
    """Slope of K_SGD/K_SGDM in κ; ``of``: "fixed_" takes both at rates that are not tuned."""
    data = evidence.data
    gain = data[f"{of}sgd"] / data[f"{of}sgdm"]
    slope = float(exponent(gain.values, data["kappa"].values))
    return Measurement(slope, 0.5 - GAIN, 0.5 + GAIN, evidence={"gain": gain.values.tolist()})


def noise_removes_gain(evidence: Evidence, *, noise: float | None = None) -> Measurement:
    """Largest K_SGD/K_SGDM where s² ≥ `DOMINANT` and 1 − β ≥ `DAMPED`; ``noise``: at this s² instead."""
    gain = (evidence["sgd"] / evidence["sgdm"]).sel(damping=DAMPED)
    xp = array_namespace(gain.values)
    s2 = gain["s2"].values
    chosen = s2 >= DOMINANT if noise is None else s2 == noise
    return Measurement(
        float(xp.max(gain.values[chosen])), upper=MOST, evidence={"s2": s2.tolist(), "gain": gain.values.tolist()}
    )


SMALL = Hypothesis(
    "small", r"$\eta/(1-\beta) \le 0.01$", lambda e: e.data.attrs["eta"] / (1 - e["beta"].max()) < 0.0101
)
SETTLED = Hypothesis("settled", "every best run settles", lambda e: bool((e["sgdm"] > 0).all() & (e["sgd"] > 0).all()))
FINITE = Hypothesis("finite", "no replica leaves the finite numbers", lambda e: e["sgdm"].notnull().all("eta"))

CLAIMS = (
    Claim(
        id="marginal.weak_order",
        statement=(
            r"one mode, noise variance $s^2/\eta$, $1-\beta = \frac12\eta^\alpha$, $\alpha \in \{0, \frac14, "
            r"\frac12, \frac34\}$: the largest difference of means, and of variances, at $t \in \{\frac14, \frac12, 1, "
            rf"2\}}$ is of the order $\eta^{{1-\alpha}}$: slopes within {NEAR:g}"
        ),
        plain=f"1−β = ½η^α: means and variances of SGDM and SGD at t = ηk are η^(1−α) apart, slopes within {NEAR:g}",
        kind=Kind.ORDER,
        source="derived",
        measure=weak_order,
        about="short",
        control=Control("α = 1 held to the slope 0.1", constants={"alphas": (1.0,), "stated": 0.1}),
    ),
    Claim(
        id="marginal.coupled_order",
        statement=(
            r"with the same noise the root mean square distance of SGDM and SGD is of the order "
            rf"$\sqrt{{\eta/(1-\beta)}} \propto \eta^{{(1-\alpha)/2}}$: slopes within {COUPLED:g}"
        ),
        plain=f"with the same noise the r.m.s. distance is of the order √(η/(1−β)): slopes within {COUPLED:g}",
        kind=Kind.ORDER,
        source="second hand",
        measure=coupled_order,
        about="short",
        control=Control("1 − α in place of (1 − α)/2", constants={"half": 1.0}),
    ),
    Claim(
        id="marginal.constants",
        statement=(
            r"with $a = \eta\beta/(1-\beta)$, $E = e^{-2ht}$: $E x_M - E x_S = ah(1-ht)e^{-ht}x_0$, "
            r"$\mathrm{Var}\,x_M - \mathrm{Var}\,x_S = as^2[\frac{\beta}{1+\beta} - \frac12 - \frac32E + htE]$, "
            rf"$E(x_M - x_S)^2 = \frac{{\eta s^2\beta^2}}{{1-\beta^2}}$, each within ${CONSTANTS:g}\eta/(1-\beta)$, "
            r"relative to $ahx_0$, $as^2$ and itself"
        ),
        plain=(
            "E x_M − E x_S = ah(1−ht)e^{−ht}x₀, Var x_M − Var x_S = as²[β/(1+β) − ½ − (3/2)E + htE], E(x_M−x_S)² = "
            f"ηs²β²/(1−β²), within {CONSTANTS:g}η/(1−β)"
        ),
        kind=Kind.BOUND,
        source="derived",
        measure=constants,
        assumes=(SMALL,),
        about="constants",
        control=Control(
            "1 in place of 1 − ht, and the ½ left out, each", constants={"wrong": ({"delay": 0.0}, {"half": 0.0})}
        ),
    ),
    Claim(
        id="marginal.long_order",
        statement=(
            r"along the valley with label noise, $n \to \infty$, $s = x_0 = 1$, $\alpha \in \{0, \frac12, 1\}$: "
            rf"$|x_M - x_S|$ at $\tau = \eta^2k = 2$ is of the order $\eta$: slopes within {NEAR:g}"
        ),
        plain=f"along the valley, α = 0, ½, 1: |x_M − x_S| at τ = η²k = 2 is of the order η, slopes within {NEAR:g}",
        kind=Kind.ORDER,
        source="abstract",
        measure=long_order,
        about="valley",
        control=Control("α = 2", constants={"alphas": (2.0,)}),
    ),
    Claim(
        id="marginal.long_law",
        statement=(
            r"$x_M - x_S = a_1\frac{\eta\beta}{1+\beta} + a_2\frac{\eta^2}{1-\beta}$, $a_1 = \frac12X(\tau + x_0^2 - "
            r"X^2)$, $a_2 = X(1 - \frac\tau4 - \frac14\ln\frac{1+x_0^2}{1+X^2})$, $X = x_0e^{-\tau/2}$, within "
            rf"{RATIO * 100:g} % where $\eta^2/(1-\beta) \le {SLOW:g}$, $\eta \le 2^{{-8}}$"
        ),
        plain=(
            "x_M − x_S = a₁ηβ/(1+β) + a₂η²/(1−β), a₁ = ½X(τ + x₀² − X²), a₂ = X(1 − τ/4 − ¼ln((1+x₀²)/(1+X²))), "
            f"within {RATIO * 100:g} % where η²/(1−β) ≤ {SLOW:g}"
        ),
        kind=Kind.BOUND,
        source="derived",
        measure=long_law,
        about="valley",
        control=Control("a₂ = 0", constants={"second": 0.0}),
    ),
    Claim(
        id="marginal.long_law_sampled",
        statement=(
            rf"sampled, one direction across: $|E x_M - E x_S|$ at $\tau = 2$ falls by {FALL:g} or more from the "
            rf"largest $\eta$ to the smallest, and is at most {SAMPLED:g} there"
        ),
        plain=f"sampled, n = 1: |E x_M − E x_S| at τ = 2 falls by ≥ {FALL:g} with η, and to ≤ {SAMPLED:g}",
        kind=Kind.BOUND,
        source="abstract",
        measure=long_law_sampled,
        assumes=(FINITE,),
        about="sampled",
        control=Control("SGDM at η(1−β): not rescaled", constants={"of": "unscaled"}),
    ),
    Claim(
        id="marginal.deterministic_gain",
        statement=(
            r"without noise, each at its best rates: the steps of SGD over those of SGDM grow as $\kappa^{1/2}$: slope "
            rf"within {GAIN:g}"
        ),
        plain=f"without noise K_SGD/K_SGDM, each at its best rates, grows as κ^½: slope within {GAIN:g}",
        kind=Kind.ORDER,
        source="abstract",
        measure=deterministic_gain,
        assumes=(SETTLED,),
        about="descent",
        control=Control("both at η = 0.02/κ, β = 0.9", constants={"of": "fixed_"}),
    ),
    Claim(
        id="marginal.noise_removes_gain",
        statement=(
            rf"$\kappa = 100$, noise variance $s^2h_i$, $s^2 \ge {DOMINANT:g}$, $1-\beta \ge {DAMPED:g}$, each at its "
            rf"best rates: the steps of SGD over those of SGDM are at most {MOST:g}"
        ),
        plain=f"noise s² ≥ {DOMINANT:g}, 1−β ≥ {DAMPED:g}: K_SGD/K_SGDM, each at its best rates, is at most {MOST:g}",
        kind=Kind.BOUND,
        source="abstract",
        measure=noise_removes_gain,
        assumes=(SETTLED,),
        about="noisy",
        control=Control("s² = 0.001", constants={"noise": 1e-3}),
    ),
)
