r"""When momentum destroys stability: two edges in closed form, what lies beyond them, and what an average form changes.

Evidence by role; velocity form, L = G = Δ = 1:

"cyclic"    ``stated``, ``found``, ``wrong`` (n, gamma): E_cyc, where an epoch's spectral radius is 1, and 2(1 + γ)
"random"    ``stated``, ``found``, ``wrong`` (mix, gamma): E_ms, where that of a step of the second moments is 1, and
            2(1 − γ), which is E_ms of one curved sample in n → ∞
"exact"     ``log_rms``, ``mean`` (algorithm, epoch): log √E D² and E D on one curved sample in n
"coupled"   ``square`` (seed, epoch): mean of D² over copies; ``stated``, ``plain`` (epoch): E D², and that of SGD
"decay"     ``gap`` (seed, algorithm, n): mean of |D| over epochs 31 to 40, on h log cosh
"early"     ``gap`` (seed, algorithm, n, epoch): mean of |D|; ``bound`` (n, epoch): that of SGDEM
"range"     ``stated``, ``found``, ``wrong`` (case): γ_max, where the radius of the second moments is 1, and γ_max with
            h̄² in the place of m₂
"forms"     ``ratio`` (form, gamma, epoch): √E D² over SGD's, at equal η/(1 − γ), "effective", and at equal η, "step"

Sampled means have Student's intervals over seeds, for all cells of a claim at once but for a chance of one in a
thousand; a claim holds if all of them lie within what is stated.

Beside what was first written down (ids are kept): `stability.ms_edge` also takes in mixtures of curvatures in which no
sample is flat, `stability.momentum_range` step sizes and data beside the first ones, and `stability.sgdem_bound` is
held with the whole interval of the mean. `stability.average_form` says at which epochs: in between √E D² at equal
η/(1 − γ) is up to 2 % above SGD's. No threshold was moved.
"""

from __future__ import annotations

__all__ = ["CLAIMS", "EXPONENTS"]

import math
from typing import Any

from lemmascope.theory.claim import Claim, Control, Estimate, Evidence, Hypothesis, Measurement
from lemmascope.theory.estimates import at_most, compared, held, mean, off, slope
from lemmascope.theory.stability.gap import EXPONENTS
from lemmascope.theory.verdict import Kind

CYCLIC, SECOND = 1e-9, 1e-8
LARGE, STABLE = 1e6, 1.001
SAMPLED = 0.03
EQUAL, ENDS = 1e-6, (1, 40)
"""What a ratio may be above what is stated, and the epochs after which it is."""

# --- measures -------------------------------------------------------------------------------------------------------


def _farthest(data: Any, of: str, dims: tuple[str, ...]) -> Measurement:
    """Largest relative distance of what is stated from what is found."""
    apart = abs(data[of] / data["found"] - 1).transpose(*dims)
    worst = float(apart.max())
    place = {name: apart[name].values[int(k)] for name, k in apart.argmax(dims).items()}
    at = {str(name): str(x) if isinstance(x, str) else float(x) for name, x in place.items()}
    numbers = {name: float(data[name].sel(place)) for name in (of, "found")}
    return Measurement(worst, residual=worst, evidence={"farthest": at | numbers})


def cyclic_edge(evidence: Evidence, *, of: str = "stated") -> Measurement:
    """Largest relative error of E_cyc."""
    found = _farthest(evidence.data, of, ("n", "gamma"))
    return Measurement(found.computed, upper=CYCLIC, residual=found.residual, evidence=found.evidence)


def mean_square_edge(evidence: Evidence, *, of: str = "stated", mixes: tuple[str, ...] = ()) -> Measurement:
    """Largest relative error of E_ms, over all mixtures or these."""
    data = evidence.data.sel(mix=list(mixes)) if mixes else evidence.data
    found = _farthest(data, of, ("mix", "gamma"))
    return Measurement(found.computed, upper=SECOND, residual=found.residual, evidence=found.evidence)


def unbounded(evidence: Evidence, *, of: str = "SGDM") -> Measurement:
    """Decades of √E D² at the end above 10⁶; 0 at most where SGD's is above what it may be."""
    ends = evidence["log_rms"].isel(epoch=-1)
    decades, plain = float(ends.sel(algorithm=of)) / math.log(10), math.exp(float(ends.sel(algorithm="SGD")))
    computed = decades if plain <= STABLE else min(decades, 0.0)
    return Measurement(computed, lower=math.log10(LARGE), evidence={"log10 rms": decades, "rms of SGD": plain})


def simulated(evidence: Evidence, *, against: str = "stated") -> Estimate:
    """√E D² of coupled runs against the exact one, at every epoch that is seen."""
    data, cells = evidence.data, evidence.data.sizes["epoch"]
    named = {}
    for epoch in data["epoch"].values.tolist():
        square, error = mean(data["square"].sel(epoch=epoch), cells)
        root = square**0.5
        named[f"epoch {epoch}"] = (
            root,
            error / (2 * root) if root else math.inf,
            float(data[against].sel(epoch=epoch)) ** 0.5,
        )
    return compared(named, SAMPLED, data.sizes["seed"])


def decay(evidence: Evidence, *, exchanged: bool = False) -> Estimate:
    """Slopes of ln(mean |D|) on ln n; ``exchanged``: SGDM's stated slope for all others, and theirs for it."""
    data = evidence.data
    u, parts, told = [math.log(n) for n in data["n"].values.tolist()], [], []
    for name, (stated, allowed) in EXPONENTS.items():
        one = data["gap"].sel(algorithm=name)
        values, errors = [], []
        for k in range(len(u)):
            value, error = mean(one.isel(n=k), len(EXPONENTS))
            if not value > 0:
                return Estimate(math.nan, math.nan, math.nan, upper=1.0, undecided=f"{name} has no gap that is above 0")
            values.append(math.log(value))
            errors.append(error / value)
        found, error = slope(u, values, errors)
        parts.append(off(found - (-1 - stated if exchanged else stated), error, allowed))
        told.append(f"{name} {found:.3f} ± {error:.3f}")
    return held(parts, f"slopes in n: {', '.join(told)}".replace("-", "−"), (data.sizes["seed"],))


def early_bound(evidence: Evidence, *, of: str = "SGDEM") -> Estimate:
    """E|D| over the bound, at every n and epoch."""
    data = evidence.data
    places = [(n, epoch) for n in data["n"].values.tolist() for epoch in data["epoch"].values.tolist()]
    parts, told = [], []
    for n, epoch in places:
        value, error = mean(data["gap"].sel(algorithm=of, n=n, epoch=epoch), len(places))
        bound = float(data["bound"].sel(n=n, epoch=epoch))
        parts.append(at_most(value, error, bound))
        told.append(f"n = {n}, epoch {epoch}: {value:.4g} ± {error:.2g} of {bound:.4g}")
    return held(parts, "; ".join(told), (data.sizes["seed"],))


def momentum_range(evidence: Evidence, *, of: str = "stated") -> Measurement:
    """Largest relative error of γ_max."""
    found = _farthest(evidence.data, of, ("case",))
    return Measurement(found.computed, upper=SECOND, residual=found.residual, evidence=found.evidence)


def average_form(evidence: Evidence, *, power: float = -1.5) -> Measurement:
    """By how much the largest ratio to SGD exceeds 1 at equal η/(1 − γ), and (1 − γ)^``power`` at equal η, relative."""
    ratio = evidence["ratio"].sel(epoch=list(ENDS))
    same = float(ratio.sel(form="effective").max())
    slower = ratio.sel(form="step")
    worst = float((slower / (1 - slower["gamma"]) ** power).max())
    values = {"effective": same, "step, in units of the bound": worst}
    return Measurement(max(same, worst) - 1, upper=EQUAL, evidence=values)


# --- statements -----------------------------------------------------------------------------------------------------

ALLOWED = Hypothesis("allowed", r"$\eta L \le 2$: steps of SGD do not expand", lambda e: bool(e.data.attrs["eta"] <= 2))
STATED = Hypothesis(
    "stated", r"$\gamma = 0.9$, $\eta = 1$, $n = 10$ samples on the quadratic", lambda e: e.data.attrs["stated"] == 1
)
BEYOND = Hypothesis(
    "beyond",
    r"$\gamma = 0.9$, $\eta = 1$ beyond the edge $E_{ms} = 0.247$, and the small step below it",
    lambda e: e.data.attrs["stated"] == 1,
)
BELOW = Hypothesis("below", r"$\eta < E_{ms}$", lambda e: bool(e.data.attrs["eta"] < e.data.attrs["edge"]))
CONTRACTS = Hypothesis("sgd", r"$\eta m_2 \le 2\bar h$: SGD is stable", lambda e: bool(e.data.attrs["excess"] <= 0))

CLAIMS = (
    Claim(
        id="stability.cyclic_edge",
        statement=(
            r"cyclic order, one curved sample in $n$: the gap is bounded below and unbounded above $\eta L = E_{cyc} "
            r"= \frac{2(1 - \gamma)(1 + \gamma^n)}{1 - \gamma^n}$ (velocity form); relative to $10^{-9}$ where the "
            r"spectral radius of an epoch is $1$"
        ),
        plain="cyclic order: the gap's edge is ηL = E_cyc = 2(1 − γ)(1 + γⁿ)/(1 − γⁿ), velocity form; to 1e−9",
        kind=Kind.IDENTITY,
        source="derived",
        measure=cyclic_edge,
        about="cyclic",
        control=Control("2(1 + γ), the heavy ball's edge", constants={"of": "wrong"}),
    ),
    Claim(
        id="stability.ms_edge",
        statement=(
            r"random order, any curvatures: $\mathsf{E}D^2$ is bounded below and unbounded above $\eta = E_{ms} = "
            r"\frac{2\bar h(1 - \gamma^2)}{(1 + \gamma)m_2 - 2\gamma\bar h^2}$ (velocity form); relative to $10^{-8}$ "
            r"where the spectral radius of the second moments is $1$"
        ),
        plain="random order: the edge of E D² is η = E_ms = 2h̄(1 − γ²)/((1 + γ)m₂ − 2γh̄²), velocity form; to 1e−8",
        kind=Kind.IDENTITY,
        source="derived",
        measure=mean_square_edge,
        about="random",
        control=Control("2(1 − γ), of many samples, at n = 2", constants={"of": "wrong", "mixes": ("1 of 2",)}),
    ),
    Claim(
        id="stability.unbounded",
        statement=(
            r"at a step size that SGD is allowed, on convex smooth quadratics: after $40$ epochs $\sqrt{\mathsf{E}D^2} "
            rf"\ge 10^6\Delta$ with momentum, and $\le {STABLE}\,\Delta$ without (velocity form)"
        ),
        plain=f"ηL ≤ 2, 40 epochs: √E D² ≥ 10⁶Δ with momentum (velocity form), ≤ {STABLE}Δ without",
        kind=Kind.BOUND,
        source="abstract",
        measure=unbounded,
        assumes=(ALLOWED, STATED),
        about="exact",
        control=Control("momentum at η = 0.15, below the edge 0.221", constants={"of": "SGDM, below"}),
    ),
    Claim(
        id="stability.simulated",
        statement=(
            rf"$\sqrt{{\mathsf{{E}}D^2}}$ over coupled runs is that of the exact recursion to ${100 * SAMPLED:g}\%$, "
            r"after $1$, $5$ and $40$ epochs"
        ),
        plain=f"√E D² over coupled runs is the exact recursion's to {SAMPLED:.0%}, after 1, 5 and 40 epochs",
        kind=Kind.BOUND,
        source="derived",
        measure=simulated,
        assumes=(BELOW,),
        about="coupled",
        control=Control("the exact law of γ = 0", constants={"against": "plain"}),
    ),
    Claim(
        id="stability.lipschitz",
        statement=(
            r"on $h\log\cosh(w - z)$, smooth and Lipschitz, a fifth of the samples curved: $\mathsf{E}|D|$ over epochs "
            r"$31$ to $40$ is of the order $n^0$ for SGDM beyond the edge and $n^{-1}$ for SGD, for SGDEM and for SGDM "
            r"below the edge: slopes within $0.15$, the last within $0.25$ (velocity form)"
        ),
        plain=(
            "log cosh: E|D| does not fall with n for SGDM beyond the edge (slope 0 ± 0.15); slope −1 ± 0.15 for SGD "
            "and SGDEM, −1 ± 0.25 for SGDM below it"
        ),
        kind=Kind.ORDER,
        source="derived",
        measure=decay,
        assumes=(BEYOND,),
        about="decay",
        control=Control("the slopes exchanged", constants={"exchanged": True}),
    ),
    Claim(
        id="stability.sgdem_bound",
        statement=(
            r"SGDEM, convex $L$-smooth $G$-Lipschitz losses: $\mathsf{E}|D_T| \le \frac{\eta G}{n}\left[\frac{T_d(T_d "
            r"+ 1)}{1 - \gamma} + 2(T - T_d)\right]$ (velocity form)"
        ),
        plain="SGDEM: E|D_T| ≤ (ηG/n)[T_d(T_d + 1)/(1 − γ) + 2(T − T_d)], velocity form",
        kind=Kind.BOUND,
        source="derived",
        measure=early_bound,
        assumes=(ALLOWED,),
        about="early",
        control=Control("momentum that is never dropped", constants={"of": "SGDM"}),
    ),
    Claim(
        id="stability.momentum_range",
        statement=(
            r"$\mathsf{E}D^2$ stays bounded for $0 < \gamma < \gamma_{max} = \frac{-\eta(m_2 - 2\bar h^2) + "
            r"\sqrt{\eta^2(m_2 - 2\bar h^2)^2 - 8\bar h(\eta m_2 - 2\bar h)}}{4\bar h}$ (velocity form), relative to "
            r"$10^{-8}$ where the spectral radius is $1$"
        ),
        plain="E D² is bounded for 0 < γ < γ_max(η, h̄, m₂) in closed form, velocity form; by bisection to 1e−8",
        kind=Kind.IDENTITY,
        source="derived",
        measure=momentum_range,
        assumes=(CONTRACTS,),
        about="range",
        control=Control("h̄² in the place of m₂: all curvatures equal", constants={"of": "wrong"}),
    ),
    Claim(
        id="stability.average_form",
        statement=(
            r"all $h = 1$, after $1$ and after $40$ epochs: $\sqrt{\mathsf{E}D^2}$ with momentum over that of SGD is "
            r"$\le 1 + 10^{-6}$ at equal $\eta/(1 - \gamma)$ (average form), and $\le (1 - \gamma)^{-3/2}$ at equal "
            r"$\eta$ (velocity form)"
        ),
        plain=(
            "after 1 and 40 epochs √E D² over SGD's is ≤ 1 + 1e−6 at equal η/(1 − γ), the average form, and "
            "≤ (1 − γ)^(−3/2) at equal η"
        ),
        kind=Kind.BOUND,
        source="second hand",
        measure=average_form,
        about="forms",
        control=Control("equal η against the bound 1", constants={"power": 0.0}),
    ),
)
