r"""Stochastic gradient noise has no memory of its own: what an epoch, momentum and a moving mean make of white noise.

Evidence by role:

"calibrate"    ``whittle``, ``variations`` (seed, H), exact fractional noise; ``rescaled`` (seed, H), of some of the
               draws, NaN elsewhere; attribute nominal, 1/(2√M)
"independent", "epochs"
               training: ``whittle``, ``variations``, ``first`` (seed, component, gamma), acf(1) of the whitened noise;
               ``alive`` (seed), whether all noise was finite; attributes nominal and steps, T
"epoch", "frozen independent"
               frozen weights: ``acf`` (seed, component, lag), ``stated`` (lag), ``total`` (seed, component), the sum of
               acf over lags below E; ``whittle``, ``variations`` (seed, component); attributes E, steps, low, M E/T
"fractional"   ``whittle``, ``variations`` (seed, component), exact fractional noise of H = 0.3
"momentum", "fractional sums"
               ``variance`` (seed, gamma, place), mean squares of sums of ``k`` (gamma, place); ``stated`` (gamma,
               place); the last two places are k = 100/(1 − γ) and twice it
"kurtosis"     ``excess`` (seed, B), ``one`` (seed), κ₁
"variance", "step", "backwards"
               ``time`` (seed, H), first passage times in steps, ``inside`` (seed, H), whether the path was not out

Intervals are Student's, of means over seeds, and hold for all cells of a claim at once but for a chance of one in a
thousand; a claim holds if all of them lie within what is stated.

Made precise: bounds of three and four standard deviations of one series are stated of the mean over seeds, with its
whole interval, as in three seeds one of many such numbers is outside every other time; the sum over lags is −½ within
4√((E − 1)/T). A path that is not out counts as long as it ran, a lower bound: the claims on escape hold, or fail,
whatever its time was, or are open.
"""

from __future__ import annotations

__all__ = ["CLAIMS", "LEAST_EPOCH"]

import math
from itertools import pairwise
from typing import Any

from lemmascope.theory.claim import Claim, Control, Estimate, Evidence, Hypothesis
from lemmascope.theory.estimates import CHANCE, at_least, at_most, farthest, held, mean, off, ratio
from lemmascope.theory.verdict import Kind, Status

BIAS, SPREAD = 0.015, 1.25
WIDTH, LAG = 3.0, 4.0
"""Standard deviations of one series: of Ĥ, and of an autocorrelation."""

LOW, HIGH = 0.05, 0.05
"""Most of local Whittle's Ĥ, and of what second differences are off ½, on epochs."""

SUMS, FIRST, LAST = 0.05, 0.95, 0.55
KURTOSIS = 0.1
LEAST_EPOCH = 8
"""Batches of an epoch from which on second differences see hardly any of it."""

# --- measures -------------------------------------------------------------------------------------------------------


def _spread(values: Any, cells: int) -> tuple[float, float, float]:
    """Standard deviation over seeds with its interval, χ²'s."""
    from scipy import stats

    count = int(values.sizes["seed"])
    if count < 2:
        return math.nan, 0.0, math.inf
    found, tail = float(values.std("seed", ddof=1)), CHANCE / (2 * cells)
    ends = (found * ((count - 1) / float(stats.chi2.ppf(p, count - 1))) ** 0.5 for p in (1 - tail, tail))
    return (found, *ends)


def estimators(evidence: Evidence, *, of: tuple[str, ...] = ("whittle", "variations")) -> Estimate:
    """Bias of each estimator at each H, and the spread of local Whittle."""
    data, parts, biases, widest = evidence.data, [], {}, 0.0
    H, nominal = data["H"].values.tolist(), float(data.attrs["nominal"])
    cells = len(H) * (len(of) + 1)
    counts = []
    for name in of:
        for one in H:
            values = data[name].sel(H=one).dropna("seed")
            counts.append(int(values.sizes["seed"]))
            found, error = mean(values, cells)
            parts.append(off(found - one, error, BIAS))
            biases[f"{name}, H = {one:g}"] = found - one
            if name == "whittle":
                spread = [x / nominal / SPREAD for x in _spread(values, cells)]
                parts.append((spread[0], spread[1], spread[2]))
                widest = max(widest, SPREAD * spread[0])
    where = max(biases, key=lambda name: abs(biases[name]))
    says = f"largest bias {biases[where]:+.4f} ({where})"
    says += f"; spread of local Whittle at most {widest:.3f} of 1/(2√M)" if widest else ""
    return held(parts, says.replace("-", "−"), (min(counts),))


def white(evidence: Evidence) -> Estimate:
    """Both Ĥ against ½ and acf(1) against 0, of each component at each momentum."""
    data = evidence.data
    places = [(c, g) for c in data["component"].values.tolist() for g in data["gamma"].values.tolist()]
    wide, lag = WIDTH * float(data.attrs["nominal"]), LAG / float(data.attrs["steps"]) ** 0.5
    parts, told = [], []
    for name, centre, allowed in (("whittle", 0.5, wide), ("variations", 0.5, wide), ("first", 0.0, lag)):
        found = [mean(data[name].sel(component=c, gamma=g), 3 * len(places)) for c, g in places]
        parts += [off(value - centre, error, allowed) for value, error in found]
        value, error = max(found, key=lambda one: abs(one[0] - centre))
        told.append(f"{name} {value:.4f} ± {error:.4f}")
    says = f"farthest of {len(places)} cells: {', '.join(told).replace('first', 'acf(1)')}".replace("-", "−")
    return held(parts, says, (data.sizes["seed"],))


def epoch_law(evidence: Evidence) -> Estimate:
    """The autocorrelation at every lag, and its sum over lags below E."""
    data = evidence.data
    names, lags = data["component"].values.tolist(), data["lag"].values.tolist()
    E, T, cells = int(data.attrs["E"]), float(data.attrs["steps"]), len(names) * (len(lags) + 1)
    parts, told = [], []
    for name in names:
        one = data.sel(component=name)
        for lag in lags:
            value, error = mean(one["acf"].sel(lag=lag), cells)
            parts.append(off(value - float(one["stated"].sel(lag=lag)), error, LAG / T**0.5))
            if lag == 1:
                told.append(f"{name}: acf(1) {value:.4f} of {float(one['stated'].sel(lag=1)):.4f}")
        value, error = mean(one["total"], cells)
        parts.append(off(value + 0.5, error, LAG * ((E - 1) / T) ** 0.5))
        told[-1] += f", sum {value:.3f} ± {error:.3f}"
    return held(parts, "; ".join(told).replace("-", "−"), (data.sizes["seed"],))


def contradiction(evidence: Evidence) -> Estimate:
    """Local Whittle at its lower end where second differences say ½."""
    data = evidence.data
    names = data["component"].values.tolist()
    parts, told = [], []
    for name in names:
        low, other = (mean(data[one].sel(component=name), 2 * len(names)) for one in ("whittle", "variations"))
        parts += [at_most(*low, LOW), off(other[0] - 0.5, other[1], HIGH)]
        told.append(f"{name}: local Whittle {low[0]:.3f} ± {low[1]:.3f}, second differences {other[0]:.3f}")
    return held(parts, "; ".join(told), (data.sizes["seed"],))


def momentum(evidence: Evidence) -> Estimate:
    """Variances of sums over their closed form, and H(k) at both ends."""
    data = evidence.data
    gammas, count = data["gamma"].values.tolist(), int(data.sizes["place"])
    cells, parts, told, named = len(gammas) * (count + 2), [], [], {}
    for gamma in gammas:
        one = data.sel(gamma=gamma)
        for i in range(count):
            value, error = mean(one["variance"].isel(place=i), cells)
            stated = float(one["stated"].isel(place=i))
            parts.append(off(value / stated - 1, error / stated, SUMS))
            named[f"γ = {gamma:g}, k = {int(one['k'].isel(place=i))}"] = value, error, stated
        ends = []
        for small in (0, count - 2):
            R, error = ratio(one["variance"].isel(place=small + 1), one["variance"].isel(place=small), cells)
            ends.append((math.log2(R) / 2 if R > 0 else math.nan, error / (2 * math.log(2) * R)))
        parts += [at_least(*ends[0], FIRST), at_most(*ends[1], LAST)]
        told.append(f"γ = {gamma:g}: H(k) from {ends[0][0]:.3f} to {ends[1][0]:.3f}")
    return held(parts, f"{'; '.join(told)}; variances {farthest(named)}", (data.sizes["seed"],))


def kurtosis(evidence: Evidence, *, power: int = 1) -> Estimate:
    """B^power times the excess kurtosis of a batch's mean over that of one sample."""
    data = evidence.data
    sizes, parts, told = data["B"].values.tolist(), [], []
    for B in sizes:
        R, error = ratio(data["excess"].sel(B=B) * B**power, data["one"], len(sizes))
        parts.append(off(R - 1, error, KURTOSIS))
        told.append(f"B = {B}: {R:.3f} ± {error:.3f}")
    return held(parts, f"B times the excess over κ₁: {', '.join(told)}", (data.sizes["seed"],))


def rising(evidence: Evidence) -> Estimate:
    """Mean passage times of neighbouring H, the smaller one's over the larger one's."""
    data = evidence.data
    H = data["H"].values.tolist()
    parts, told = [], []
    for a, b in pairwise(H):
        value, error = ratio(data["time"].sel(H=a), data["time"].sel(H=b), len(H) - 1)
        inside = [bool(data["inside"].sel(H=one).any()) for one in (a, b)]
        # A time that is only known from below makes the ratio larger above, or smaller below.
        low, high = 0.0 if inside[1] else value - error, math.inf if inside[0] else value + error
        parts.append((value, low, high))
    for one in H:
        late = int(data["inside"].sel(H=one).sum())
        told.append(f"{'> ' if late else ''}{float(data['time'].sel(H=one).mean()):.0f}")
    says = f"T_H of H = {', '.join(f'{one:g}' for one in H)}: {', '.join(told)}"
    return held(parts, says, (data.sizes["seed"],))


# --- statements -----------------------------------------------------------------------------------------------------

ALIVE = Hypothesis("alive", "the noise is there and finite in every step", lambda e: e["alive"])
SHORT = Hypothesis(
    "short",
    rf"$E \ge {LEAST_EPOCH}$ and $ME \le T$: local Whittle looks below the epoch's frequency",
    lambda e: bool(e.data.attrs["E"] >= LEAST_EPOCH and e.data.attrs["low"] <= 1),
)
HEAVY = Hypothesis("heavy", r"$\kappa_1 > 0.2$", lambda e: e["one"] > 0.2)

CLAIMS = (
    Claim(
        id="long_memory.estimators",
        statement=(
            r"on exact fractional noise of length $4096$, $H \in \{.2, .35, .5, .65, .8\}$: $|\mathsf{E}\hat H - H| "
            rf"\le {BIAS:g}$ for local Whittle and second differences; local Whittle's standard deviation is at most "
            rf"${SPREAD:g}/(2\sqrt M)$"
        ),
        plain=(
            f"exact noise, n = 4096: local Whittle and second differences are biased by at most {BIAS:g}, and the "
            f"former's spread is at most {SPREAD:g}/(2√M)"
        ),
        kind=Kind.BOUND,
        source="derived",
        measure=estimators,
        about="calibrate",
        control=Control("rescaled range, R/S", constants={"of": ("rescaled",)}),
    ),
    Claim(
        id="long_memory.iid_noise_is_white",
        statement=(
            rf"the network in training on independent batches: of the whitened noise $|\hat H - \frac12| \le {WIDTH:g}/"
            rf"(2\sqrt M)$ by both estimators and $|\mathrm{{acf}}(1)| \le {LAG:g}/\sqrt T$, with and without momentum"
        ),
        plain=(
            f"training on independent batches, whitened: |Ĥ − ½| ≤ {WIDTH:g}/(2√M) by both estimators and |acf(1)| ≤ "
            f"{LAG:g}/√T, with and without momentum"
        ),
        kind=Kind.BOUND,
        source="derived",
        measure=white,
        assumes=(ALIVE,),
        about="independent",
        control=Control("batches of epochs", made="epochs"),
    ),
    Claim(
        id="long_memory.epoch_law",
        statement=(
            r"epochs of $E$ batches without replacement, frozen weights: $\mathrm{acf}(k) = -\frac{1 - k/E}{E - 1}$ "
            rf"for $1 \le k < E$ and $0$ beyond, within ${LAG:g}/\sqrt T$; its sum is $-\frac12$, within "
            rf"${LAG:g}\sqrt{{(E - 1)/T}}$"
        ),
        plain=(
            f"epochs of E batches, frozen weights: acf(k) = −(1 − k/E)/(E − 1) for k < E, 0 beyond, within {LAG:g}/√T, "
            "and sums to −½"
        ),
        kind=Kind.BOUND,
        source="derived",
        measure=epoch_law,
        about="epoch",
        control=Control("independent batches", made="frozen independent"),
    ),
    Claim(
        id="long_memory.epoch_is_not_fbm",
        statement=(
            rf"there local Whittle says $\hat H \le {LOW:g}$, the lower end of what it looks at, and second "
            rf"differences say $\frac12 \pm {HIGH:g}$: no single $H$ fits"
        ),
        plain=f"there local Whittle says Ĥ ≤ {LOW:g} and second differences ½ ± {HIGH:g}: no single H fits",
        kind=Kind.BOUND,
        source="derived",
        measure=contradiction,
        assumes=(SHORT,),
        about="epoch",
        control=Control("exact fractional noise of H = 0.3", made="fractional"),
    ),
    Claim(
        id="long_memory.momentum",
        statement=(
            r"momentum of white noise: $\mathrm{Var}(v_1 + \dots + v_k) = k - \frac{2\gamma(1 - \gamma^k)}{1 - "
            rf"\gamma^2}}$, to ${100 * SUMS:g}\%$; $H(k) = \frac12\log_2(\mathrm{{Var}}_{{2k}}/\mathrm{{Var}}_k)$ is "
            rf"at least ${FIRST:g}$ at $k = 1$ and at most ${LAST:g}$ at $k = 100/(1 - \gamma)$; $\gamma = 0.9, 0.99$"
        ),
        plain=(
            f"momentum of white noise: Var of k-sums is k − 2γ(1 − γ^k)/(1 − γ²), to {SUMS:.0%}; H(k) falls from ≥ "
            f"{FIRST:g} at k = 1 to ≤ {LAST:g} at 100/(1 − γ)"
        ),
        kind=Kind.IDENTITY,
        source="derived",
        measure=momentum,
        about="momentum",
        control=Control("exact fractional noise of H = 0.7, whose H(k) is constant", made="fractional sums"),
    ),
    Claim(
        id="long_memory.kurtosis",
        statement=(
            rf"with replacement the noise's excess kurtosis is $\kappa_1/B$, to ${100 * KURTOSIS:g}\%$, for $B \in "
            r"\{1, 4, 16, 64\}$: neither normal nor stable, as all moments are finite"
        ),
        plain=f"with replacement the noise's excess kurtosis is κ₁/B, to {KURTOSIS:.0%}, B = 1, 4, 16, 64",
        kind=Kind.BOUND,
        source="derived",
        measure=kurtosis,
        assumes=(HEAVY,),
        about="kurtosis",
        control=Control("κ₁ for every B", constants={"power": 0}),
    ),
    Claim(
        id="long_memory.escape",
        statement=(
            r"the mean first time $T_H$ at which $|x| \ge L = 2.5\sqrt{V_{1/2}}$ rises with $H \in \{.3, .4, .5, .6, "
            r".7\}$ at equal stationary variance, $a = 0.05$"
        ),
        plain="the mean first passage time T_H through 2.5 standard deviations rises with H at equal variance of x",
        kind=Kind.BOUND,
        source="abstract",
        measure=rising,
        about="variance",
        control=Control("at equal noise of a step", made="step"),
    ),
    Claim(
        id="long_memory.escape_per_step",
        statement=(
            r"$T_H$ rises with $H$ at equal noise of a step, which is what is measured in SGD: false, it falls, as "
            r"$V_H \sim \frac12\Gamma(2H + 1)a^{-2H}$"
        ),
        plain="T_H rises with H at equal noise of a step, as is measured in SGD: false, it falls by orders",
        kind=Kind.BOUND,
        source="derived",
        measure=rising,
        about="step",
        control=Control("at equal stationary variance, from the largest H to the smallest", made="backwards"),
        expected=Status.REFUTED,
    ),
)
