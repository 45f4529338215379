r"""Decay and momentum on weights whose length does not matter: the norm exactly, the loss, how fast both come to rest.

Evidence by role; "noise" is ĝ of length 1 in a random direction orthogonal to w:

"exact"          ``apart`` (seed, of): largest difference of the losses of runs that are to be equivalent
                 ("equivalent"), and of one whose decay is not scaled ("eta alone"); ``G``, ``angle`` (seed, pair)
                 after 10⁴ steps of noise, at learning rate and decay ``eta``, ``decay`` (pair)
"relaxation"     ``steps`` (eta, eta_lambda) from G*/4 until |G²/G*² − 1| ≤ 1 %
"level"          ``loss`` (seed, eta, eta_lambda): mean loss of the Rayleigh quotient; "reset": the same with |w| = 1
                 after each step, at the learning rate ηλ
"follow"         ``loss`` (seed, eta_lambda, time): at ηλt = time from G*/4; ``end``, ``end_error`` (eta_lambda): E L of
                 "level" with its standard error
"equal wells"    ``steps``, ``slowest`` (eta_lambda) of the angle's matrix; "unequal wells": the same
"noise"          ``G`` (seed, case) at the end, ``mean_G`` its mean late, ``path`` Σ P_k, ``error`` and ``wrong`` the
                 largest errors of the recursion, and of it without s; ``eta``, ``decay``, ``beta``, ``projected``
                 (case); ``quadratic`` (seed): error on ½wᵀAw; ``doubled`` (seed, which): steps until G doubles
"adam"           ``growth`` (seed, beta1, which): (G − G₀)/(η²dT)
"quiet"          ``loss`` (seed, which, step) of the Rayleigh quotient without noise; "noisy": with noise

``which`` is "SGDM" or "SGDP" ("Adam" or "AdamP"); "SGDP, η/10" is SGDP at a tenth of the learning rate.

Intervals are Student's, of means over seeds, and hold for all cells of a claim at once but for a chance of one in a
thousand; a claim holds if all of them lie within what is stated.

Restated: `adamp.projection_helps` is the case without noise; with noise it has the id `adamp.projection_helps_noise`,
as it comes out the other way. The loss at ηλt is measured beside its linearisation on the same noise, whose mean is
exact."""

from __future__ import annotations

__all__ = ["CLAIMS", "FOLLOWED", "LONG", "STEPS_SEEN", "TOLERANCE"]

import math
from itertools import pairwise
from typing import Any

from lemmascope.theory.claim import Claim, Control, Estimate, Evidence, Hypothesis, Measurement
from lemmascope.theory.estimates import Part, compared, farthest, held, mean, off, ratio, slope, student
from lemmascope.theory.scale_invariant import norms
from lemmascope.theory.scale_invariant.norms import LONG, START, STEPS_SEEN, TOLERANCE, WIDE
from lemmascope.theory.verdict import Kind, Status

EPSILON = 2.0**-52
SHARP = 1e-6
ORDER, ODE = 0.02, 0.02
HALF, LEVEL, SAME = 0.05, 0.04, 1e-9
FOLLOW, FOLLOWED = 0.05, 1e-3
"""What the loss is held to, and the largest ηλ for which it is claimed."""

ARRHENIUS, ARRHENIUS_MOST = 0.06, 1e-3
GROWTH, PREMATURE, UNIVERSAL, EQUILIBRIUM, ADAM = 0.01, 0.05, 0.01, 0.01, 0.05
# --- measures: the intrinsic learning rate --------------------------------------------------------------------------


def equivalence(evidence: Evidence, *, of: str = "equivalent") -> Measurement:
    """Largest difference of the losses over all steps."""
    apart = evidence["apart"].sel(of=of)
    return Measurement(apart, upper=0.0, residual=apart)


def equilibrium(evidence: Evidence, *, plain: bool = False) -> Measurement:
    """Largest relative error of G*² and of the angle; ``plain``: G*² = η/λ."""
    data = evidence.data
    eta, decay = data["eta"], data["decay"]
    stated = eta / decay if plain else norms.equilibrium(eta, decay) ** 2
    angles = data["eta"].copy(data=[norms.angle(x) for x in (eta * decay).values.tolist()])
    errors = abs(data["G"] ** 2 / stated - 1).max("pair"), abs(data["angle"] / angles - 1).max("pair")
    worst = errors[0].where(errors[0] > errors[1], errors[1])
    return Measurement(worst, upper=SHARP, residual=worst)


def relaxation(evidence: Evidence, *, rate: float = 4.0) -> Measurement:
    """Slope of ln steps on ln ηλ, steps against the equation, their spread over η; the worst over what is allowed."""
    steps = evidence["steps"]
    places = [float(x) for x in steps["eta_lambda"].values]
    one = steps.isel(eta=0)
    found, _ = slope([math.log(x) for x in places], [math.log(max(float(x), 1)) for x in one], [0.0] * len(places))
    off_ode = max(
        abs(float(x) / norms.relaxation(place, START, TOLERANCE, rate) - 1)
        for place, x in zip(places, one.values, strict=True)
    )
    spread = int((steps.max("eta") - steps.min("eta")).max())
    worst = max(abs(found + 1) / ORDER, off_ode / ODE, math.inf if spread else 0.0)
    numbers = {"slope": found, "largest relative distance from the equation": off_ode, "spread over η": spread}
    return Measurement(worst, upper=1.0, evidence=numbers)


def loss_level(evidence: Evidence) -> Estimate:
    """Slope of ln E L on ln ηλ, E L over its formula, and how far both learning rates are apart."""
    data = evidence.data
    places = [float(x) for x in data["eta_lambda"].values]
    d, sigma, cells = data.attrs["d"], data.attrs["sigma"], 2 * len(places)
    parts: list[Part] = []
    named, values, errors = {}, [], []
    for place in places:
        value, error = mean(data["loss"].sel(eta_lambda=place).isel(eta=0), cells)
        stated = float(norms.level(place, sigma, d))
        named[f"ηλ = {place:g}"] = (value, error, stated)
        values.append(math.log(value))
        errors.append(error / value)
        parts.append(off(value / stated - 1, error / stated, LEVEL))
    found, error = slope([math.log(x) for x in places], values, errors)
    parts.append(off(found - 0.5, error, HALF))
    apart = float(abs(data["loss"].isel(eta=0) / data["loss"].isel(eta=-1) - 1).max())
    parts.append(off(apart, 0.0, SAME))
    says = f"slope {found:.4f} ± {error:.4f}; {farthest(named)}; both learning rates within {apart:.1e}"
    return held(parts, says.replace("-", "−"), (data.sizes["seed"],))


def loss_follows_norm(evidence: Evidence, *, rate: float = 4.0) -> Estimate:
    """E L over E L(∞) at three times, against G*/G of the equation."""
    data, named = evidence.data, {}
    cells = data.sizes["eta_lambda"] * (data.sizes["time"] + 1)
    for place in data["eta_lambda"].values:
        one = data.sel(eta_lambda=place)
        end = float(one["end"])
        relative = student(data.attrs["end_seeds"], cells) * float(one["end_error"]) / end
        for time in data["time"].values:
            value, error = mean(one["loss"].sel(time=time), cells)
            stated = float(norms.following(float(time), START, rate))
            error = math.hypot(error / value, relative) * value / end
            named[f"ηλ = {place:g}, ηλt = {time:g}"] = (value / end, error, stated)
    return compared(named, FOLLOW, data.sizes["seed"])


def fast_equilibrium(evidence: Evidence, *, power: int = 1) -> Measurement:
    """Largest factor by which steps times ηλ grow from one ηλ to the next smaller one."""
    data = evidence.data.sortby("eta_lambda", ascending=False)
    places = [float(x) for x in data["eta_lambda"].values]
    scaled = [float(n) * x**power for n, x in zip(data["steps"].values, places, strict=True)]
    worst = max(after / before if before else math.inf for before, after in pairwise(scaled))
    told = {f"ηλ = {place:g}": n for place, n in zip(places, scaled, strict=True)}
    return Measurement(worst, upper=1.0, evidence={"steps · ηλ" if power else "steps": told})


def arrhenius(evidence: Evidence, *, factor: float = 1.0) -> Measurement:
    """Slope of ln(τ₂ η_eff) on 1/√(2ηλ) over 2ΔU/σ, less 1."""
    data = evidence.data
    small = [float(x) for x in data["eta_lambda"].values if x <= ARRHENIUS_MOST]
    u = [(2 * x) ** -0.5 for x in small]
    logs = [math.log(float(data["slowest"].sel(eta_lambda=x)) * (2 * x) ** 0.5) for x in small]
    found, _ = slope(u, logs, [0.0] * len(u))
    stated = factor * data.attrs["arrhenius"]
    return Measurement(abs(found / stated - 1), upper=ARRHENIUS, evidence={"slope": found, "2ΔU/σ": stated})


# --- measures: momentum ---------------------------------------------------------------------------------------------


def norm_identity(evidence: Evidence, *, wrong: bool = False) -> Measurement:
    """Largest error of the recursion; ``wrong``: the least of it without s, for β > 0, and of ½wᵀAw."""
    data = evidence.data
    worst = data["error"].max("case")
    if wrong:
        momentum = ((data["beta"] > 0) & (data["projected"] == 0)).values
        worst = data["wrong"].isel(case=momentum).min("case")
        worst = worst.where(worst < data["quadratic"], data["quadratic"])
    return Measurement(worst, upper=64 * data.attrs["d"] * EPSILON, residual=worst)


def _case(one: Any) -> str:
    """Of one case of the noise, for a reader."""
    kind = "SGDP" if one["projected"] else "SGDM"
    return f"{kind}, β = {float(one['beta']):g}, η = {float(one['eta']):g}"


def _cases(
    evidence: Evidence, *, decay: bool, eta: float | None = None, least: float = 0.0, most: float = 1.0
) -> list[Any]:
    """One data set for each case that is asked for."""
    each = [evidence.data.isel(case=k) for k in range(evidence.data.sizes["case"])]
    return [
        one
        for one in each
        if (float(one["decay"]) > 0) == decay
        and (eta is None or float(one["eta"]) == eta)
        and least <= float(one["beta"]) <= most
    ]


def growth(evidence: Evidence, *, exchanged: bool = False) -> Estimate:
    """(G_T − G₀)/(η²Σ P_k) in every case without decay at the first learning rate."""
    cases = _cases(evidence, decay=False, eta=evidence.data.attrs["eta"])
    named = {}
    for one in cases:
        found = mean((one["G"] - 1) / (float(one["eta"]) ** 2 * one["path"]), len(cases))
        named[_case(one)] = (*found, float(norms.growth(float(one["beta"]), bool(one["projected"]) != exchanged)))
    return compared(named, GROWTH, evidence.data.sizes["seed"])


def premature_decay(evidence: Evidence, *, without: bool = False) -> Estimate:
    """Steps until G doubles, over the formula; ``without``: that of β = 0 for both."""
    attrs, named = evidence.data.attrs, {}
    for which in ("SGDM", "SGDP"):
        beta = 0.0 if without else attrs["doubling_beta"]
        stated = float(norms.doubling(attrs["doubling_eta"], beta, which == "SGDP"))
        named[which] = (*mean(evidence["doubled"].sel(which=which), 2), stated)
    return compared(named, PREMATURE, evidence.data.sizes["seed"])


def universal_step(evidence: Evidence, *, same: bool = False) -> Estimate:
    """η_eff √(2t) at the end, β ≤ 0.9; ``same``: SGDP against 1 too."""
    steps = evidence.data.attrs["steps"]
    cases = [
        one for one in _cases(evidence, decay=False, most=0.9) if not one["projected"] or float(one["beta"]) == 0.9
    ]
    named = {}
    for one in cases:
        eta, beta = float(one["eta"]), float(one["beta"])
        found = mean(eta / ((1 - beta) * one["G"]) * (2 * steps) ** 0.5, len(cases))
        named[_case(one)] = (*found, float(norms.universal(beta, bool(one["projected"]) and not same)))
    return compared(named, UNIVERSAL, evidence.data.sizes["seed"])


def momentum_equilibrium(evidence: Evidence, *, bracket: bool = True) -> Estimate:
    """(mean G)² late, over the formula, β = 0.5 and 0.9."""
    cases = _cases(evidence, decay=True, least=0.5, most=0.9)
    named = {}
    for one in cases:
        G, error = mean(one["mean_G"], len(cases))
        eta, decay, beta = (float(one[name]) for name in ("eta", "decay", "beta"))
        stated = norms.momentum_equilibrium(eta, decay, beta, bool(one["projected"]), bracket=bracket)
        named[_case(one)] = (G * G, 2 * G * error, float(stated))
    return compared(named, EQUILIBRIUM, evidence.data.sizes["seed"])


def adam(evidence: Evidence, *, same: bool = False) -> Estimate:
    """(G − G₀)/(η²dT) over the formula; ``same``: AdamP of β₁ > 0 against 1."""
    data, named = evidence.data, {}
    for which in data["which"].values.tolist():
        for beta1 in data["beta1"].values.tolist():
            found = mean(data["growth"].sel(which=which, beta1=beta1), data.sizes["which"] * data.sizes["beta1"])
            projected = which == "AdamP" and not same
            named[f"{which}, β₁ = {beta1:g}"] = (*found, float(norms.adam_growth(beta1, projected)))
    return compared(named, ADAM, data.sizes["seed"])


def projection_helps(evidence: Evidence, *, exchanged: bool = False, of: str = "SGDP") -> Estimate:
    """E L of SGDP over that of SGDM after 50 and 3000 steps; all are to be at most 1."""
    parts, told = [], []
    for step in STEPS_SEEN:
        one = evidence["loss"].sel(step=step)
        sides = one.sel(which=of), one.sel(which="SGDM")
        found, error = ratio(*(sides[::-1] if exchanged else sides), len(STEPS_SEEN))
        parts.append((found, found - error, found + error))
        told.append(f"after {step}: {found:.3g} ± {error:.2g}")
    says = f"E L of {of} over SGDM's{', exchanged,' if exchanged else ''} {'; '.join(told)}"
    return held(parts, says, (evidence.data.sizes["seed"],))


# --- statements -----------------------------------------------------------------------------------------------------


def _finite(*names: str) -> Hypothesis:
    def holds(evidence: Evidence) -> Any:
        found: Any = True
        for name in names:
            one = evidence[name].notnull()
            found = found & one.all([dim for dim in one.dims if dim != "seed"])
        return found if found.ndim else bool(found)

    return Hypothesis("finite", "all iterates are finite", holds)


WIDE_ENOUGH = Hypothesis("wide", rf"$d \ge {WIDE}$", lambda e: bool(e.data.attrs["d"] >= WIDE))
SLOW = Hypothesis(
    "slow", r"$\eta\lambda \le 10^{-3}$", lambda e: bool(float(e["eta_lambda"].max()) <= FOLLOWED * (1 + 1e-9))
)
RESOLVED = Hypothesis(
    "resolved",
    r"$\eta_{\mathrm{eff}}\sigma$ is at least one spacing of the grid",
    lambda e: bool(e.data.attrs["spacings"] >= 1),
)
THREE = Hypothesis(
    "three",
    r"three $\eta\lambda \le 10^{-3}$ or more",
    lambda e: int((e["eta_lambda"] <= ARRHENIUS_MOST * (1 + 1e-9)).sum()) >= 3,
)
LONG_ENOUGH = Hypothesis(
    "long", rf"$t \ge {LONG}(1 - \beta)^{{-2}}$", lambda e: bool(e.data.attrs["steps"] >= LONG * 0.1**-2 * (1 - 1e-9))
)

CLAIMS = (
    Claim(
        id="intrinsic.equivalence",
        statement=(
            r"$(c^2\eta, \lambda/c^2, cw_0)$ has the $\bar w_t$ of $(\eta, \lambda, w_0)$ on the same noise: for $c = "
            r"4$ all losses of 2000 steps are the same bits"
        ),
        plain="(c²η, λ/c², cw₀) has the w̄_t of (η, λ, w₀) on the same noise: for c = 4, 2000 losses, bit for bit",
        kind=Kind.IDENTITY,
        source="derived",
        measure=equivalence,
        assumes=(_finite("apart"),),
        about="exact",
        control=Control("(c²η, λ, cw₀)", constants={"of": "eta alone"}),
    ),
    Claim(
        id="intrinsic.equilibrium",
        statement=(
            r"on noise of length 1, $G^{*2} = \frac{\eta}{\lambda(2 - \eta\lambda)}$ and a step turns $w$ by "
            rf"$\arccos(1 - \eta\lambda)$, relative to ${SHARP:g}$".replace("1e-06", "10^{-6}")
        ),
        plain="on noise of length 1: |w|⁴ → (η/λ)/(2 − ηλ), and a step turns w by arccos(1 − ηλ), to 10⁻⁶",
        kind=Kind.IDENTITY,
        source="derived",
        measure=equilibrium,
        assumes=(_finite("G", "angle"),),
        about="exact",
        control=Control("G*² = η/λ", constants={"plain": True}),
    ),
    Claim(
        id="intrinsic.relaxation",
        statement=(
            r"from $G^*/4$ the steps until $|G^2/G^{*2} - 1| \le 1\%$ are $\propto (\eta\lambda)^{-1}$, slope $-1 \pm "
            rf"{ORDER:g}$, within ${100 * ODE:g}\%$ of $\ln(93.75)/(4\eta\lambda)$, and the same for every $\eta$"
        ),
        plain="from G*/4, steps to 1 % of G*² are ln(93.75)/(4ηλ) to 2 %, slope −1 ± 0.02, the same for every η",
        kind=Kind.ORDER,
        source="derived",
        measure=relaxation,
        assumes=(_finite("steps"),),
        about="relaxation",
        control=Control("the rate 2ηλ", constants={"rate": 2.0}),
    ),
    Claim(
        id="intrinsic.loss_level",
        statement=(
            r"Rayleigh quotient: $\mathsf{E}L = \frac14\sqrt{2\eta\lambda}\,\sigma\sqrt{(d - 1)/d}$ at equilibrium, to "
            rf"${100 * LEVEL:g}\%$, slope $\frac12 \pm {HALF:g}$ on $\eta\lambda$, the same for $\eta = 0.1$ and $1$"
        ),
        plain="Rayleigh: E L = √(2ηλ)σ√((d−1)/d)/4 to 4 %, slope ½ ± 0.05 in ηλ, the same for η = 0.1 and 1",
        kind=Kind.ORDER,
        source="derived",
        measure=loss_level,
        assumes=(WIDE_ENOUGH, _finite("loss")),
        about="level",
        control=Control("|w| put back to 1 after each step, learning rate ηλ", made="reset"),
    ),
    Claim(
        id="intrinsic.loss_follows_norm",
        statement=(
            r"from $G^*/4$: $\mathsf{E}L/\mathsf{E}L(\infty)$ at $\eta\lambda t = 0.1, 0.2, 0.4$ is $(1 - \frac{15}{16}"
            rf"e^{{-4\eta\lambda t}})^{{-1/2}}$ to ${100 * FOLLOW:g}\%$"
        ),
        plain="from G*/4: E L/E L(∞) at ηλt = 0.1, 0.2, 0.4 is (1 − (15/16)e^{−4ηλt})^{−1/2} to 5 %",
        kind=Kind.BOUND,
        source="derived",
        measure=loss_follows_norm,
        assumes=(WIDE_ENOUGH, SLOW, _finite("loss", "end")),
        about="follow",
        control=Control("e^{−2ηλt}", constants={"rate": 2.0}),
    ),
    Claim(
        id="intrinsic.fast_equilibrium",
        statement=(
            r"(conjecture) equal wells: steps until $\mathsf{E}U$, from $\theta = \pi$, is within $10\%$ of its end, "
            r"times $\eta\lambda$, do not grow as $\eta\lambda$ falls"
        ),
        plain="equal wells: steps until E U is within 10 % of its end, times ηλ, do not grow as ηλ falls",
        kind=Kind.ORDER,
        source="abstract",
        measure=fast_equilibrium,
        assumes=(RESOLVED,),
        about="equal wells",
        control=Control("the unequal wells", made="unequal wells"),
    ),
    Claim(
        id="intrinsic.fast_equilibrium_unequal",
        statement=(
            r"unequal wells, that at $\pi$ higher by $c$: steps until $\mathsf{E}U$, from $\theta = \pi$, is within "
            r"$10\%$ of its end, times $\eta\lambda$, do not grow as $\eta\lambda$ falls"
        ),
        plain="unequal wells: steps until E U is within 10 % of its end, times ηλ, do not grow as ηλ falls",
        kind=Kind.ORDER,
        source="abstract",
        measure=fast_equilibrium,
        assumes=(RESOLVED,),
        about="unequal wells",
        control=Control("the steps themselves, without the factor ηλ", constants={"power": 0}),
        expected=Status.REFUTED,
    ),
    Claim(
        id="intrinsic.arrhenius",
        statement=(
            r"unequal wells: the slope of $\ln(\tau_2\eta_{\mathrm{eff}})$ on $1/\sqrt{2\eta\lambda}$, "
            rf"$\eta\lambda \le 10^{{-3}}$, is $2\Delta U/\sigma$ to ${100 * ARRHENIUS:g}\%$"
        ),
        plain="unequal wells: the slope of ln(τ₂η_eff) on 1/√(2ηλ), ηλ ≤ 10⁻³, is 2ΔU/σ to 6 %",
        kind=Kind.ORDER,
        source="derived",
        measure=arrhenius,
        assumes=(RESOLVED, THREE),
        about="unequal wells",
        control=Control("ΔU halved", constants={"factor": 0.5}),
    ),
    Claim(
        id="adamp.norm_identity",
        statement=(
            r"$s_t = \beta(as_{t-1} - \eta P_t)$; $G^+ = a^2G - 2a\eta s_t + \eta^2|v_{t+1}|^2$ (SGDM), $G^+ = a^2G + "
            r"\eta^2|\Pi v_{t+1}|^2$ (SGDP), in every step, relative to $64\,d\,\varepsilon$"
        ),
        plain="G⁺ = a²G − 2aηs + η²|v|² (SGDM), a²G + η²|Πv|² (SGDP), s_t = β(as_{t−1} − ηP_t), in every step",
        kind=Kind.IDENTITY,
        source="derived",
        measure=norm_identity,
        assumes=(_finite("error", "G"),),
        about="noise",
        control=Control("SGDM without s, and the loss ½wᵀAw, each", constants={"wrong": True}),
    ),
    Claim(
        id="adamp.growth",
        statement=(
            r"$\lambda = 0$: $\frac{G_T - G_0}{\eta^2\sum P_k} = \frac{1 + \beta}{1 - \beta}$ (SGDM), $1$ (SGDP), "
            rf"to ${100 * GROWTH:g}\%$, $\beta = 0, 0.5, 0.9, 0.99$"
        ),
        plain="without decay (G_T − G₀)/(η²ΣP_k) = (1 + β)/(1 − β) (SGDM), 1 (SGDP), to 1 %",
        kind=Kind.BOUND,
        source="abstract",
        measure=growth,
        assumes=(WIDE_ENOUGH, _finite("G")),
        about="noise",
        control=Control("the two exchanged", constants={"exchanged": True}),
    ),
    Claim(
        id="adamp.premature_decay",
        statement=(
            r"$\lambda = 0$, $\beta = 0.9$, $\eta = 0.01$: $\eta_{\mathrm{eff}}$ halves after $\frac{3G_0^2}{2\eta^2}"
            r"(1 - \beta)^2$ steps (SGDM), $\frac{3G_0^2}{2\eta^2}(1 - \beta^2)$ (SGDP), "
            rf"to ${100 * PREMATURE:g}\%$"
        ),
        plain="η_eff halves after 3(1 − β)²/(2η²) steps (SGDM: 150), 3(1 − β²)/(2η²) (SGDP: 2850), to 5 %",
        kind=Kind.BOUND,
        source="derived",
        measure=premature_decay,
        assumes=(WIDE_ENOUGH, _finite("doubled")),
        about="noise",
        control=Control("the formulas of β = 0", constants={"without": True}),
    ),
    Claim(
        id="adamp.universal_step",
        statement=(
            r"$\lambda = 0$: $\eta_{\mathrm{eff}}\sqrt{2t} \to 1$ for every $\eta$ and $\beta$ (SGDM), "
            rf"$\sqrt{{(1 + \beta)/(1 - \beta)}}$ (SGDP), to ${100 * UNIVERSAL:g}\%$ at the end, $\beta \le 0.9$"
        ),
        plain="without decay η_eff√(2t) → 1 for every η and β (SGDM), √((1 + β)/(1 − β)) (SGDP), to 1 %, β ≤ 0.9",
        kind=Kind.BOUND,
        source="derived",
        measure=universal_step,
        assumes=(WIDE_ENOUGH, LONG_ENOUGH, _finite("G")),
        about="noise",
        control=Control("SGDP held against 1", constants={"same": True}),
    ),
    Claim(
        id="adamp.equilibrium",
        statement=(
            r"$G^2 \to \frac{\eta^2(1 + \beta a)}{(1 - a^2)(1 - \beta a)(1 - \beta^2)}$ (SGDM), "
            r"$\frac{\eta^2}{(1 - a^2)(1 - \beta^2)(1 + \beta^2(1 - a^2)/(1 - \beta a)^2)}$ (SGDP), "
            rf"to ${100 * EQUILIBRIUM:g}\%$, $\beta = 0.5, 0.9$"
        ),
        plain="G² at equilibrium in closed form, SGDP's with its bracket 1 + β²(1 − a²)/(1 − βa)², to 1 %",
        kind=Kind.BOUND,
        source="derived",
        measure=momentum_equilibrium,
        assumes=(WIDE_ENOUGH, _finite("mean_G")),
        about="noise",
        control=Control("SGDP without its bracket", constants={"bracket": False}),
    ),
    Claim(
        id="adamp.adam",
        statement=(
            r"isotropic noise, $\lambda = 0$: $(G - G_0)/(\eta^2dT) = 1$ for every $\beta_1$ (Adam), "
            rf"$(1 - \beta_1)/(1 + \beta_1)$ (AdamP), to ${100 * ADAM:g}\%$"
        ),
        plain="(G − G₀)/(η²dT) = 1 for every β₁ (Adam), (1 − β₁)/(1 + β₁) (AdamP), to 5 %",
        kind=Kind.BOUND,
        source="derived",
        measure=adam,
        assumes=(WIDE_ENOUGH, _finite("growth")),
        about="adam",
        control=Control("AdamP held against 1", constants={"same": True}),
    ),
    Claim(
        id="adamp.projection_helps",
        statement=(
            r"Rayleigh quotient without noise, $\lambda = 0$, from $45^\circ$ off its minimum: $\mathsf{E}L$ of SGDP "
            r"is at most SGDM's after 50 and 3000 steps"
        ),
        plain="Rayleigh without noise: E L of SGDP is at most SGDM's after 50 and 3000 steps",
        kind=Kind.BOUND,
        source="abstract",
        measure=projection_helps,
        assumes=(WIDE_ENOUGH, _finite("loss")),
        about="quiet",
        control=Control("the two exchanged", constants={"exchanged": True}),
    ),
    Claim(
        id="adamp.projection_helps_noise",
        statement=(
            r"Rayleigh quotient with noise $\sigma$, $\lambda = 0$, from $45^\circ$ off its minimum: $\mathsf{E}L$ of "
            r"SGDP is at most SGDM's after 50 and 3000 steps"
        ),
        plain="Rayleigh with noise: E L of SGDP is at most SGDM's after 50 and 3000 steps",
        kind=Kind.BOUND,
        source="abstract",
        measure=projection_helps,
        assumes=(WIDE_ENOUGH, _finite("loss")),
        about="noisy",
        control=Control("SGDP at a tenth of the learning rate", constants={"of": "SGDP, η/10"}),
        expected=Status.REFUTED,
    ),
)
