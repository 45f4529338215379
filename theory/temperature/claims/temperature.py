r"""What the lecture says of SGD's temperature, and where it ends.

Grid G: momenta × batch sizes. Evidence by role:

"spectra"     exact moments by solvers on drawn noise covariances: ``h`` (mode), ``S`` (seed, mode, other),
              ``covariance`` (…, mode, other) and ``variance`` (…, mode) over (seed, mu, B, eta_0), ``ratio`` = T/T₀
              over
              (seed, rule, mu, B, eta_limit), ``corrected`` over (seed, correction, mu, B, eta_corrected)
"reshuffled"  ``exact``, ``leading`` and ``independent`` temperatures over (mu, B, eta_0), attributes N and h
"effect"      ``open``, ``closed``: what one gradient does in all, over (seed, cell), and what it should
"average"     ``velocity`` and ``average`` along drawn gradients, over (seed, mu, step), with ``eta``
"minibatch"   chains on samples that share the Hessian, "regression" chains on linear regression: ``loss``, ``error``,
              ``halves``, ``samples`` and ``exact`` over (sampling, cell)
"effective"   T/T₀ on linear regression from the exact linear system over (batch, B)
"cnn"         chains on the cubic CNN over (place): ``ratio`` = T/T₀, ``error``, ``a``, ``kappa``, ``eta_0``; "
""wrong rules"
              is its control

Restated against what was first written down (the ids are kept): `temperature.cnn` bounds the departure by twice its
derived
first order (a + κ)η₀ (`theory.temperature.anharmonic`), where it was 10η₀ + κη₀, a number read off one draw of the
data; on
other draws a lies between 1 and 60. `temperature.finite_data` is the simulation alone; the rule with B_eff is
`temperature.effective_batch`, held to twice its derived first order instead of 0.01. Beside them stand the coefficients
of both orders, and the departure on the CNN.
"""

from __future__ import annotations

__all__ = ["CLAIMS", "LOCAL", "SMALL"]

import math
from typing import Any

from array_api_compat import array_namespace

from lemmascope.theory.claim import Claim, Control, Estimate, Evidence, Hypothesis, Measurement
from lemmascope.theory.temperature import quadratic as q
from lemmascope.theory.temperature.reshuffled import leading
from lemmascope.theory.verdict import Kind

Array = Any

LOCAL = 0.02
"""How far a local slope may be off the order, over the two decades of small rates: what curvature leaves there."""

SMALL = 0.06
"""The rule is called near where the first order of its departure is at most this."""

FIRST = 0.03
"""Where the second order is small beside the first."""

EQUAL = 1e-9
"""Relative difference that is called equality, of solvers' results."""

CHANCE = 1e-3
"""Probability that chance alone takes any of a claim's cells out of its interval."""

SLOPE = 0.1
"""How far a local slope of T_R may be off 2: at η₀hN = 0.26 the next order leaves 0.06."""

LEADING = 70.0
"""Bound of |exact/leading − 1|/η₀ at N = 256, h = 1; at μ = 0 and B = 1 it is N/4 − 1 = 63."""


def _by_seed(evidence: Evidence, values: Array) -> Any:
    """An array (seed,) with the seeds' names."""
    seeds = evidence.data["seed"]
    return seeds.astype(float).copy(data=values)


def _rate(data: Any, eta: str = "eta_0") -> Any:
    """(mu, B, eta) learning rates by the rule."""
    return ((1 - data["mu"]) * data["B"] * data[eta]).transpose("mu", "B", eta)


# --- exact moments of the quadratic ---------------------------------------------------------------------------------


def closed_form(evidence: Evidence, *, cross: float = 1.0) -> Measurement:
    """Largest relative difference, in Frobenius norm, of the formula from the Lyapunov solver's covariance."""
    data = evidence.data.transpose("seed", "mu", "B", "eta_0", "mode", "other", ...)
    solved, h, S = data["covariance"].values, data["h"].values, data["S"].values
    eta, mu, B = (x.values[..., None, None] for x in _grid(data))
    stated = q.covariance(h, S[:, None, None, None], eta, mu, B, cross=cross)
    xp = array_namespace(solved)
    apart = xp.sqrt(xp.sum((stated - solved) ** 2, axis=(-2, -1)) / xp.sum(solved**2, axis=(-2, -1)))
    worst = _by_seed(evidence, xp.max(apart, axis=(1, 2, 3)))
    return Measurement(worst, upper=EQUAL, residual=worst)


def _grid(data: Any) -> tuple[Any, Any, Any]:
    eta = _rate(data)
    return eta, (data["mu"] + 0 * eta).transpose(*eta.dims), (data["B"] + 0 * eta).transpose(*eta.dims)


def collapse(evidence: Evidence, *, edge: float = 1.0) -> Measurement:
    """Largest |(T/T₀)(1 − η/η_max) − 1| over modes and G; ``edge``: what stands before μ in η_max = 2(1 + μ)/h."""
    data = evidence.data.transpose("seed", "mu", "B", "eta_0", "mode", ...)
    xp = array_namespace(data["variance"].values)
    eta, mu, _ = (x.values[..., None] for x in _grid(data))
    h, s = data["h"].values, xp.linalg.diagonal(data["S"].values)[:, None, None, None, :]
    ratio = 2 * h * data["variance"].values / (s * data["eta_0"].values[:, None])
    apart = xp.abs(ratio * (1 - eta / q.edge(h, edge * mu)) - 1)
    worst = _by_seed(evidence, xp.max(apart, axis=(1, 2, 3, 4)))
    return Measurement(worst, upper=EQUAL, residual=worst)


def _slopes(values: Array, eta: Array) -> Array:
    """Local slopes of log values (…, eta) against log eta."""
    xp = array_namespace(values)
    return xp.diff(xp.log(values), axis=-1) / xp.diff(xp.log(eta))


def _furthest(slopes: Array, order: float) -> Array:
    """Of (seed, k) slopes that furthest from the order."""
    xp = array_namespace(slopes)
    at = xp.argmax(xp.abs(slopes - order), axis=-1)
    return xp.take_along_axis(slopes, at[:, None], axis=-1)[:, 0]


def _spread(data: Any, rule: str) -> Array:
    one = data["ratio"].sel(rule=rule)
    return (one.max(("mu", "B")) - one.min(("mu", "B"))).transpose("seed", "eta_limit").values


def _closest(found: list[Array], order: float) -> Array:
    """Of several candidates (seed,) that closest to the order: if it is refuted, each is."""
    xp = array_namespace(*found)
    stacked = xp.stack(found)
    at = xp.argmin(xp.abs(stacked - order), axis=0)
    return xp.take_along_axis(stacked, at[None, :], axis=0)[0]


def limit(evidence: Evidence, *, rules: tuple[str, ...] = ("the rule",)) -> Measurement:
    """The local slope of the spread over G that is furthest from 1; of several rules, of that closest to 1."""
    eta = evidence["eta_limit"].values
    slopes = {rule: _slopes(_spread(evidence.data, rule), eta) for rule in rules}
    found = _by_seed(evidence, _closest([_furthest(x, 1.0) for x in slopes.values()], 1.0))
    spread = {rule: float(_spread(evidence.data, rule)[:, 0].max()) for rule in rules}
    return Measurement(found, 1 - LOCAL, 1 + LOCAL, evidence={"spread at the smallest rate": spread})


def _strengths(data: Any) -> Array:
    """B(1 − μ)/(2(1 + μ)) over G."""
    return q.departure(data["mu"], data["B"], 1.0)


def limit_coefficient(evidence: Evidence, *, plain: bool = False) -> Measurement:
    """Spread/(coefficient η₀) at the smallest η₀, and the bounds that geometric series give it; ``plain``: with the
    plain
    mean of h in place of h̄."""
    data, h = evidence.data, evidence["h"].values
    xp = array_namespace(h)
    S = data["S"].transpose("seed", "mode", "other").values
    h_mean = xp.mean(h) if plain else q.mean_curvature(h, xp.linalg.diagonal(S))
    strengths, eta = _strengths(data), float(data["eta_limit"][0])
    most, least = float(strengths.max()), float(strengths.min())
    x, y = most * eta * float(xp.max(h)), least * eta * float(xp.max(h))
    computed = _spread(data, "the rule")[:, 0] / (h_mean * (most - least) * eta)
    upper = (most / (1 - x) - least) / (most - least)
    lower = (most - least / (1 - y)) / (most - least)
    return Measurement(_by_seed(evidence, computed), lower, upper, evidence={"eta_0": eta})


def corrected(evidence: Evidence, *, corrections: tuple[str, ...] = ("the corrected rule",)) -> Measurement:
    """The local slope of max over G of |T/T₀ − 1| furthest from 2; of several corrections, that closest to 2."""
    one = abs(evidence["corrected"] - 1).max(("mu", "B")).transpose("correction", "seed", "eta_corrected")
    eta = evidence["eta_corrected"].values
    found = [_furthest(_slopes(one.sel(correction=name).values, eta), 2.0) for name in corrections]
    return Measurement(_by_seed(evidence, _closest(found, 2.0)), 2 - LOCAL, 2 + LOCAL)


def corrected_coefficient(evidence: Evidence, *, power: int = 2) -> Measurement:
    """(T/T₀ − 1)/coefficient where B(1−μ)/(2(1+μ)) is largest, and the bounds that the exact remainder gives it."""
    data, h = evidence.data, evidence["h"].values
    xp = array_namespace(h)
    s = xp.linalg.diagonal(data["S"].transpose("seed", "mode", "other").values)
    strengths, eta = _strengths(data), float(data["eta_corrected"][0])
    most = float(strengths.max())
    at = strengths.argmax(("mu", "B"))
    one = data["corrected"].sel(correction="the corrected rule").isel(at).isel(eta_corrected=0)
    kappa, top = most * q.mean_curvature(h, s), most * float(xp.max(h))
    computed = (one.transpose("seed").values - 1) / (most**power * q.variance_of_curvature(h, s) * eta**2)
    lower, upper = 1 / (1 + kappa * eta), 1 / (1 - (top - kappa) * eta)
    computed, lower, upper = (_by_seed(evidence, x) for x in (computed, lower - EQUAL, upper + EQUAL))
    return Measurement(computed, lower, upper, evidence={"eta_0": eta})


# --- reshuffled epochs ----------------------------------------------------------------------------------------------


def reshuffled(evidence: Evidence, *, of: str = "exact") -> Measurement:
    """The local slope of T_R in η₀ that is furthest from 2, over G."""
    one = evidence[of].transpose("mu", "B", "eta_0").values
    slopes = _slopes(one, evidence["eta_0"].values)
    flat = array_namespace(slopes).reshape(slopes, (1, -1))
    return Measurement(float(_furthest(flat, 2.0)[0]), 2 - SLOPE, 2 + SLOPE)


def reshuffled_leading(evidence: Evidence, *, momentum: bool = True) -> Measurement:
    """Largest |exact/leading − 1|/η₀ over G; without the momentum's part of the leading formula, if it is left out."""
    data, N = evidence.data, int(evidence.data.attrs["N"])
    least = data.isel(eta_0=0)
    eta_0, worst = float(least["eta_0"]), 0.0
    for mu in data["mu"].values.tolist():
        for B in data["B"].values.tolist():
            stated = leading(mu if momentum else 0.0, B, N, eta_0, float(data.attrs["h"]))
            worst = max(worst, abs(float(least["exact"].sel(mu=mu, B=B)) / stated - 1) / eta_0)
    return Measurement(worst, upper=LEADING, evidence={"eta_0": eta_0})


# --- one gradient, running averages ---------------------------------------------------------------------------------


def total_effect(evidence: Evidence, *, averaging: bool = True) -> Measurement:
    """Largest relative residual of the limit with H = 0, and of the sum with H ≻ 0."""
    reach = evidence["N_avg"] if averaging else 1.0
    free = evidence["open"]
    stated = -(reach / evidence["B"]) * evidence["eta"] * evidence["delta"]
    apart = abs(free - stated).max("component") / abs(free).max("component")
    total = evidence["closed"]
    summed = abs(total - evidence["closed_stated"]).max("component") / abs(total).max("component")
    worst = apart.max("cell").where(apart.max("cell") > summed.max("cell"), summed.max("cell"))
    return Measurement(
        worst, upper=EQUAL, residual=worst, evidence={"peak": evidence["peak"].mean("seed").values.tolist()}
    )


def running_average(evidence: Evidence, *, reach: float = 0.0) -> Measurement:
    """Largest |v_t − N_avg η g̃_t| over the largest |v_t|; ``reach``: added to N_avg."""
    data = evidence.data
    stated = (1 / (1 - data["mu"]) + reach) * data["eta"] * data["average"]
    worst = abs(data["velocity"] - stated).max(("mu", "step")) / abs(data["velocity"]).max(("mu", "step"))
    return Measurement(worst, upper=EQUAL, residual=worst)


# --- chains ---------------------------------------------------------------------------------------------------------


def _errors(data: Any) -> float:
    """How many standard errors all cells lie within, but for `CHANCE`: Student's t with one chain less, Bonferroni."""
    from scipy import stats

    cells = max(int(data["error"].size), 1)
    return float(stats.t.ppf(1 - CHANCE / (2 * cells), int(data["chains"].min()) - 1))


def _unsettled(data: Any) -> str:
    bad = data["unsettled"].astype(bool)
    count = int(bad.sum())
    return f"{count} of {bad.size} cells are not settled" if count else ""


def agreement(evidence: Evidence, *, against: str = "exact") -> Estimate:
    """The largest distance of a chain's temperature from the exact one in standard errors, over all cells."""
    data = evidence.data
    away = abs(data["loss"] - data[against]) / data["error"]
    worst, cells = float(away.max()), int(away.notnull().sum())
    names = " and ".join(str(x) for x in data["sampling"].values)
    return Estimate(
        worst,
        worst,
        worst,
        upper=_errors(data),
        counts=(cells,),
        says=(
            f"{cells} cells ({names}): at most {worst:.2f} standard errors from the exact value, of {_errors(data):.2f}"
        ),
        undecided=_unsettled(data),
    )


def effective_batch(evidence: Evidence, *, batch: str = "B_eff") -> Measurement:
    """Largest |T/T₀ − 1| over twice its first order."""
    one = evidence.data.sel(batch=batch)
    excess = abs(one["ratio"] - 1) / (2 * one["first_order"])
    return Measurement(float(excess.max()), upper=1.0, evidence={"T/T₀": one["ratio"].values.tolist()})


def _near(data: Any, most: float = SMALL) -> Any:
    """The cells where the derived departure is at most so much."""
    first = (data["a"] + data["kappa"]) * data["eta_0"]
    return data.assign(first=first).isel(place=(first <= most).values)


def _unsettled_or_none(data: Any) -> str:
    return _unsettled(data) if data.sizes["place"] else "no cell has so small a first order"


def cnn(evidence: Evidence, *, least: bool = False) -> Estimate:
    """Largest of |T/T₀ − 1| less 2(a + κ)η₀ and its error's interval over the cells; ``least``: the smallest."""
    data = evidence.data if least else _near(evidence.data)
    first = (data["a"] + data["kappa"]) * data["eta_0"]
    excess = abs(data["ratio"] - 1) - 2 * first - (_errors(data) if data.sizes["place"] else 0.0) * data["error"]
    cells = int(excess.size)
    found = float(excess.min() if least else excess.max()) if cells else math.nan
    shown = ", ".join(f"{x:.3f}" for x in data["ratio"].values.tolist()[:12]) + (" …" if cells > 12 else "")
    return Estimate(
        found,
        found,
        found,
        upper=0.0,
        counts=(cells,),
        evidence={"T/T₀": data["ratio"].values.tolist(), "error": data["error"].values.tolist()},
        says=f"{cells} cells, T/T₀ = {shown}",
        undecided="" if least else _unsettled_or_none(data),
    )


def cnn_departure(evidence: Evidence, *, anharmonic: float = 1.0) -> Estimate:
    """Weighted mean of (T/T₀ − 1)/((a + κ)η₀) over cells, with its interval; ``anharmonic``: what stands before a."""
    data = _near(evidence.data, FIRST)
    stated = (anharmonic * data["a"] + data["kappa"]) * data["eta_0"]
    if not data.sizes["place"]:
        return Estimate(math.nan, math.nan, math.nan, 0.5, 1.5, undecided=_unsettled_or_none(data))
    weight = (stated / data["error"]) ** 2
    share = weight / weight.sum()
    value = float((share * (data["ratio"] - 1) / stated).sum())
    error = float(1 / weight.sum()) ** 0.5
    low, high = (value + sign * _errors(data) * error for sign in (-1, 1))
    return Estimate(
        value,
        low,
        high,
        0.5,
        1.5,
        counts=(int(stated.size),),
        says=f"{value:.2f} ± {error:.2f} of the derived first order, over {int(stated.size)} cells",
        undecided=_unsettled_or_none(data),
    )


STABLE = Hypothesis("stable", r"$0 < \eta h_{\max} < 2(1+\mu)$ on all of $G$", lambda e: bool(e.data.attrs["stable"]))
DECAY = Hypothesis("decay", r"$\lambda > 0$", lambda e: e.data.attrs["lam"] > 0)
MINIMUM = Hypothesis("minimum", r"$\nabla L(W^*) = 0$, $H(W^*) \succ 0$", lambda e: bool(e.data.attrs["minimum"]))
RAISED = Hypothesis("raised", r"$a > 0$", lambda e: e.data.attrs["a"] > 0)

CLAIMS = (
    Claim(
        id="temperature.running_average",
        statement=(
            r"$v_t = N_{\mathrm{avg}}\,\eta\,\tilde g_t$, $N_{\mathrm{avg}} = 1/(1-\mu)$, for every "
            r"sequence of gradients"
        ),
        plain="v_t = N_avg η g̃_t, N_avg = 1/(1−μ), for every sequence of gradients",
        kind=Kind.IDENTITY,
        source="slides",
        measure=running_average,
        about="average",
        control=Control("N_avg + 1 in place of N_avg", constants={"reach": 1.0}),
    ),
    Claim(
        id="temperature.total_effect",
        statement=(
            r"$H = 0$: $r_\infty = -(N_{\mathrm{avg}}/B)\,\eta\delta$; $H \succ 0$: $\sum_k r_k = -H^{-1}\delta/B$, "
            r"whatever $\eta$ and $\mu$"
        ),
        plain="H = 0: r_∞ = −(N_avg/B)ηδ; H ≻ 0: Σ_k r_k = −H⁻¹δ/B, whatever η and μ",
        kind=Kind.IDENTITY,
        source="slides",
        measure=total_effect,
        about="effect",
        control=Control("N_avg left out", constants={"averaging": False}),
    ),
    Claim(
        id="temperature.closed_form",
        statement=(
            r"$C_{ij} = \frac{\eta(1+\mu)S_{ij}}{B(1-\mu)[(1+\mu)(h_i+h_j) - \eta h_ih_j + "
            r"\mu\eta(h_i-h_j)^2/(1-\mu)^2]}$"
        ),
        plain="C_ij = η(1+μ)S_ij / (B(1−μ)[(1+μ)(h_i+h_j) − ηh_ih_j + μη(h_i−h_j)²/(1−μ)²])",
        kind=Kind.IDENTITY,
        source="derived",
        measure=closed_form,
        assumes=(STABLE,),
        about="spectra",
        control=Control("without the term with (h_i − h_j)²", constants={"cross": 0.0}),
    ),
    Claim(
        id="temperature.stability_collapse",
        statement=r"for one mode $(T/T_0)(1 - \eta/\eta_{\max}) = 1$, $\eta_{\max} = 2(1+\mu)/h$",
        plain="for one mode (T/T₀)(1 − η/η_max) = 1, η_max = 2(1+μ)/h",
        kind=Kind.IDENTITY,
        source="derived",
        measure=collapse,
        assumes=(STABLE,),
        about="spectra",
        control=Control("η_max = 2/h", constants={"edge": 0.0}),
    ),
    Claim(
        id="temperature.limit",
        statement=(
            r"with $\eta = (1-\mu)B\eta_0$ the spread of $T/T_0$ over $G$ vanishes in proportion to $\eta_0$: "
            r"every local "
            rf"slope lies within {LOCAL:g} of 1, $\eta_0 \le 10^{{-3}}$"
        ),
        plain=(
            f"with η = (1−μ)Bη₀ the spread of T/T₀ over G is ∝ η₀: every local slope within {LOCAL:g} of 1, η₀ ≤ 10⁻³"
        ),
        kind=Kind.ORDER,
        source="slides",
        measure=limit,
        assumes=(STABLE,),
        about="spectra",
        control=Control("η = Bη₀, (1−μ)η₀, (1−μ)√B η₀ and √(1−μ)Bη₀, each", constants={"rules": q.WRONG_RULES}),
    ),
    Claim(
        id="temperature.limit_coefficient",
        statement=(
            r"that spread is $\bar h\,(\max - \min)_G \frac{B(1-\mu)}{2(1+\mu)}\,\eta_0$, $\bar h = "
            r"\mathrm{tr}(H\Sigma)/\mathrm{tr}\,\Sigma$"
        ),
        plain=(
            "that spread is h̄·(max − min over G of B(1−μ)/(2(1+μ)))·η₀, h̄ = tr(HΣ)/tr Σ, up to the "
            "geometric series' rest"
        ),
        kind=Kind.BOUND,
        source="derived",
        measure=limit_coefficient,
        assumes=(STABLE,),
        about="spectra",
        control=Control("the plain mean of h in place of h̄", constants={"plain": True}),
    ),
    Claim(
        id="temperature.corrected_rule",
        statement=(
            r"with $\eta = (1-\mu)B\eta_0/(1+\kappa\eta_0)$ the largest $|T/T_0 - 1|$ over $G$ vanishes as $\eta_0^2$: "
            rf"every local slope lies within {LOCAL:g} of 2"
        ),
        plain=f"with η = (1−μ)Bη₀/(1+κη₀) max |T/T₀ − 1| over G is ∝ η₀²: every local slope within {LOCAL:g} of 2",
        kind=Kind.ORDER,
        source="derived",
        measure=corrected,
        assumes=(STABLE,),
        about="spectra",
        control=Control(
            "κ without 1 + μ, and κ with the plain mean of h, each",
            constants={"corrections": tuple(q.WRONG_CORRECTIONS)},
        ),
    ),
    Claim(
        id="temperature.corrected_coefficient",
        statement=r"that departure is $\left(\frac{B(1-\mu)}{2(1+\mu)}\right)^2 \mathrm{Var}_\Sigma(h)\,\eta_0^2$",
        plain="that departure is (B(1−μ)/(2(1+μ)))² Var_Σ(h) η₀², up to the exact remainder",
        kind=Kind.BOUND,
        source="derived",
        measure=corrected_coefficient,
        assumes=(STABLE,),
        about="spectra",
        control=Control("the first power of B(1−μ)/(2(1+μ))", constants={"power": 1}),
    ),
    Claim(
        id="temperature.minibatch",
        statement=(
            r"chains on $N$ samples that share the Hessian agree with the exact $T$ (simultaneous 99.9 % "
            r"interval): with "
            r"replacement at $B$, distinct at $B_{\mathrm{eff}}$, reshuffled at $T_R$"
        ),
        plain=(
            "chains on samples that share H agree with the exact T (simultaneous 99.9 % interval), with replacement, "
            "distinct, reshuffled"
        ),
        kind=Kind.BOUND,
        source="derived",
        measure=agreement,
        about="minibatch",
        control=Control("the exact T of another sampling", constants={"against": "other"}),
    ),
    Claim(
        id="temperature.finite_data",
        statement=(
            r"chains on linear regression agree with the exact linear system's $T$ (simultaneous 99.9 % "
            r"interval), with "
            r"replacement and with distinct samples"
        ),
        plain="chains on linear regression agree with the exact linear system's T (simultaneous 99.9 % interval)",
        kind=Kind.BOUND,
        source="derived",
        measure=agreement,
        about="regression",
        control=Control("the exact T of the other sampling", constants={"against": "other"}),
    ),
    Claim(
        id="temperature.effective_batch",
        statement=(
            r"with distinct samples the rule holds with $B_{\mathrm{eff}} = B(N-1)/(N-B)$ for $B$: $|T/T_0 - 1| \le "
            r"2(\kappa+\tau)\eta_0$"
        ),
        plain="with distinct samples the rule holds with B_eff = B(N−1)/(N−B) for B: |T/T₀ − 1| ≤ 2(κ+τ)η₀",
        kind=Kind.BOUND,
        source="derived",
        measure=effective_batch,
        assumes=(STABLE,),
        about="effective",
        control=Control("B in place of B_eff", constants={"batch": "B"}),
    ),
    Claim(
        id="temperature.reshuffled",
        statement=(
            rf"with reshuffled epochs $T_R \propto \eta_0^2$: every local slope lies within {SLOPE:g} of "
            rf"2, $\eta_0 \le 10^{{-3}}$"
        ),
        plain=f"with reshuffled epochs T_R ∝ η₀², not η₀: every local slope within {SLOPE:g} of 2, η₀ ≤ 10⁻³",
        kind=Kind.ORDER,
        source="derived",
        measure=reshuffled,
        about="reshuffled",
        control=Control("independent batches", constants={"of": "independent"}),
    ),
    Claim(
        id="temperature.reshuffled_leading",
        statement=(
            r"$T_R = \frac12\mathrm{tr}(H\Sigma)(B\eta_0)^2\frac{n-1}{N-1}\left[\frac{n+1}{6} - \mu V\right](1 + "
            rf"\epsilon)$, $|\epsilon| \le {LEADING:g}\,\eta_0$ at $N = 256$, $h = 1$"
        ),
        plain=f"T_R = ½tr(HΣ)(Bη₀)²((n−1)/(N−1))[(n+1)/6 − μV](1 + ε), |ε| ≤ {LEADING:g}η₀ at N = 256, h = 1",
        kind=Kind.BOUND,
        source="derived",
        measure=reshuffled_leading,
        about="reshuffled",
        control=Control("without μV", constants={"momentum": False}),
    ),
    Claim(
        id="temperature.cnn",
        statement=(
            rf"on the cubic CNN $|T/(\eta_0\,\mathrm{{tr}}\,\Sigma/4) - 1| \le 2(a+\kappa)\eta_0$ and "
            rf"its error's interval, where $(a+\kappa)\eta_0 \le {SMALL:g}$"
        ),
        plain=f"on the cubic CNN |T/(η₀ tr Σ/4) − 1| ≤ 2(a+κ)η₀ and its error, where (a+κ)η₀ ≤ {SMALL:g}",
        kind=Kind.BOUND,
        source="slides",
        measure=cnn,
        assumes=(DECAY, MINIMUM, RAISED),
        about="cnn",
        control=Control(
            "η = Bη₀, (1−μ)η₀ and √(1−μ)Bη₀ at μ = 0.5, B = 4, each", made="wrong rules", constants={"least": True}
        ),
    ),
    Claim(
        id="temperature.cnn_departure",
        statement=(
            r"on the cubic CNN $T/T_0 - 1$ is $(a+\kappa)\eta_0$ to first order, $a$ from the third and fourth "
            r"derivatives "
            rf"of $L$ and those of the noise: the mean quotient lies in $[0.5, 1.5]$ where $(a+\kappa)\eta_0 "
            rf"\le {FIRST:g}$"
        ),
        plain=(
            f"on the cubic CNN (T/T₀ − 1)/((a+κ)η₀) is 1 to a half, with no fitted constant, where (a+κ)η₀ ≤ {FIRST:g}"
        ),
        kind=Kind.BOUND,
        source="derived",
        measure=cnn_departure,
        assumes=(DECAY, MINIMUM, RAISED),
        about="cnn",
        control=Control("a = 0: the quadratic's departure alone", constants={"anharmonic": 0.0}),
    ),
)
