r"""What never goes back, and which stage is over first, under GD and momentum with λ = 0.

All of it is about the closed system of (c, Ξ), so the data are the law's: the noise is orthogonal to w*.

**The feature.** Δc_r = 3ηc_r²(α³ν₁ + β³ν₂) ≥ 0 under GD, as ν₁, ν₂ > 0. Every form of momentum here is a recursion
u ← γu + κ∇, θ ← θ − pu − q∇ with γ, κ, p, q ≥ 0 from u = 0; as ∇_c = −3c²(α³ν₁ + β³ν₂) ≤ 0 at whatever c, u stays
≤ 0 by induction, and no step takes c_r back. So this holds for the average, the velocity, and Nesterov's form: at its
look-ahead point, and at the point behind it, which moves by −u. Each moves c_r at least as far as the newest gradient
alone does. With λ > 0 a small c_r > 0 shrinks.

**The noise.** With u_k = y_kℓ_kΞ_k² (y_k the label of the sample of patch k), ΔΞ_k = (3η/N) Σ_k' K_kk' u_k'. The own
term of y_kΔΞ_k is (3η/N)K_kk ℓ_kΞ_k² ≥ 0. The cross terms may outweigh it: y_kΞ_k may fall. It does not if
|Σ_{k'≠k} K_kk' u_k'| ≤ K_kk|u_k|, because y_ku_k = |u_k|. And whatever the patches,

    Σ_k u_kΔΞ_k = (3η/N)‖Σ_k u_kx_k‖² ≥ 0,

with K_kk' = Σ_b x_kb x_k'b, as sums over any number of patches and coordinates.

**The order of the stages under GD** is argued in `proofs_check.steps.cubic_cnn._order`.
"""

from __future__ import annotations

__all__ = ["CHAPTER", "Order", "ordering"]

import math
from fractions import Fraction
from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.monotone import rational
from lemmascope.proofs_check.methods.races import Order, ordering
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.methods.small_cases import Increments, negative
from lemmascope.proofs_check.methods.sums import equal_sums
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both, open_, refuted
from lemmascope.proofs_check.steps.cubic_cnn import sigmoid
from lemmascope.proofs_check.steps.cubic_cnn._order import prove_order
from lemmascope.proofs_check.steps.cubic_cnn.closed_system import LAW, ORTHOGONAL
from lemmascope.theory.optimizers import FORMS
from lemmascope.theory.verdict import Kind, Status

MILLIONTH = Fraction(1, 10**6)


def prove_feature(share: Any = 1, lam: Any = 0) -> Outcome:
    """Δc = 3ηc²(α³ν₁ + β³ν₂) − ηλc ≥ share · 3ηα³ν₁c² ≥ 0."""
    import z3

    eta, alpha, beta, nu_1, nu_2, c = z3.Reals("eta alpha beta nu_1 nu_2 c")
    domain = (eta > 0, alpha > 0, beta > 0, nu_1 >= 0, nu_2 >= 0, nu_1 + nu_2 < 1)
    large, small = (3 * eta * c * c * s * s * s * nu for s, nu in ((alpha, nu_1), (beta, nu_2)))
    step = large + small - eta * rational(lam) * c
    return both(
        ("0 < ℓ < 1, so ν₁, ν₂ ≥ 0", sigmoid.prove_range()),
        ("Δc ≥ 0", decide(step >= 0, domain, what="Δc_r ≥ 0")),
        ("Δc ≥ 3ηα³ν₁c²", decide(step >= rational(share) * large, domain, what="Δc_r ≥ 3ηα³ν₁c_r²")),
    )


def prove_momentum(share: Any = 1, lam: Any = 0, forms: tuple[str, ...] = tuple(FORMS)) -> Outcome:
    """Each optimizer of `theory.optimizers`, its ``step`` run on z3's reals: the state stays ≤ 0, c never falls."""
    import z3

    eta, gamma, c, state, S = z3.Reals("eta gamma c state S")  # S: α³ν₁ + β³ν₂
    least = {"gd": eta, "momentum": eta * (1 - gamma), "velocity": eta, "nesterov": eta * (1 + gamma)}
    domain = (eta > 0, gamma >= 0, gamma < 1, S > 0)
    links = []
    for form in forms:
        optimizer: Any = object.__new__(FORMS[form])  # its __post_init__ would ask for floats
        object.__setattr__(optimizer, "eta", eta)
        object.__setattr__(optimizer, "gamma", gamma)
        grad = -3 * c * c * S + rational(lam) * c
        after, buffer = optimizer.step(c, grad, state, 0)
        parts = {"c never falls": after >= c, "as far": after - c >= rational(share) * least[form] * 3 * c * c * S}
        if form != "gd":
            parts["its state stays ≤ 0"] = buffer <= 0
        for part, holds in parts.items():
            # If it fails, then at the first step, whose state is 0, rather than from a state that may not occur.
            found = [decide(holds, (*domain, at), what=f"{form}: {part}") for at in (state <= 0, state == 0)]
            if found[0].status is Status.REFUTED and found[1].witness is None:
                found[0] = open_(f"{form}, {part}: fails from a state ≤ 0 that may not occur")
            elif found[1].witness is not None:
                found[0] = refuted(found[1].reason, {"form": form, **found[1].witness})
            links.append((f"{form}: {part}", found[0]))
    return both(*links)


def prove_own(label: int = 2, power: int = 2, least: Any = 0) -> Outcome:
    """y · y^(label−1) · (3η/N)K_kk ℓ Ξ^power ≥ least."""
    import z3

    rate, K, ell, xi, y = z3.Reals("rate K_kk ell Xi y")  # rate: 3η/N
    term = rate * K * ell
    for factor, times in ((y, label), (xi, power)):
        for _ in range(times):
            term = term * factor
    domain = (rate > 0, K >= 0, ell > 0, ell < 1, z3.Or(y == 1, y == -1))
    return both(
        ("0 < ℓ < 1", sigmoid.prove_range()),
        ("the own term", decide(term >= rational(least), domain, what="the own term of y_kΔΞ_k is ≥ 0")),
    )


def _fall(found: Increments, k: int) -> Any:
    return found.y[k] * (found.own[k] + found.cross[k])


def prove_never_falls() -> Outcome:
    """y_kΔΞ_k ≥ 0 in every step, for all patches: false."""
    return negative("y_kΔΞ_k ≥ 0", lambda found, k: (_fall(found, k), True))


def prove_dominance(theta: Any = 1) -> Outcome:
    """If |Σ_{k'≠k} K_kk' u_k'| ≤ theta · K_kk|u_k| then y_kΔΞ_k ≥ 0."""
    import z3

    theta = Fraction(theta)
    K, ell, xi, y, u, size, cross = z3.Reals("K_kk ell Xi y u size cross")  # size: |u|
    term = (K >= 0, ell > 0, z3.Or(y == 1, y == -1), u == y * ell * xi * xi, z3.Or(size == u, size == -u), size >= 0)
    small = (cross <= rational(theta) * K * size, -cross <= rational(theta) * K * size)
    proof = both(
        ("0 < ℓ < 1", sigmoid.prove_range()),
        ("y_ku_k = |u_k|", decide(y * u == size, term)),
        (
            "y_k(own + cross) ≥ 0",
            decide(y * (K * u + cross) >= 0, (K >= 0, z3.Or(y == 1, y == -1), size >= 0, y * u == size, *small)),
        ),
    )
    if proof.status is Status.PROVED:
        return proof

    def dominated(found: Increments, k: int) -> bool:
        return bool(abs(found.cross[k]) * theta.denominator <= abs(found.own[k]) * theta.numerator)

    return negative("y_kΔΞ_k ≥ 0 under dominance", lambda found, k: (_fall(found, k), dominated(found, k)))


def prove_weighted(power: int = 2, ell_power: int = 1, factor: Any = 1) -> Outcome:
    """Σ_k y_kℓ_k^ell_power Ξ_k^power ΔΞ_k = factor · (3η/N)‖Σ_k u_kx_k‖² ≥ 0."""
    import z3

    if (power, ell_power) != (2, 1):

        def total(found: Increments, k: int) -> tuple[Any, bool]:
            parts = zip(found.y, found.ell, found.Xi, found.own, found.cross, strict=True)
            return sum(y * ell**ell_power * xi**power * (own + cross) for y, ell, xi, own, cross in parts), True

        return negative("Σ_k y_kℓ_k^a Ξ_k^b ΔΞ_k ≥ 0", total)
    k, j, b, n, d = sp.symbols("k j b n d", integer=True, nonnegative=True)
    rate = sp.Symbol("rate", positive=True)  # 3η/N
    labels, ell, xi, x = (sp.IndexedBase(name, real=True) for name in ("y", "ell", "xi", "x"))

    def u(of: sp.Symbol) -> sp.Expr:
        return labels[of] * ell[of] * xi[of] ** 2

    def patches(term: sp.Expr, of: sp.Symbol) -> sp.Expr:
        return sp.Sum(term, (of, 0, n - 1))

    gram = sp.Sum(x[k, b] * x[j, b], (b, 0, d - 1))
    left = patches(u(k) * rate * patches(gram * u(j), j), k)
    square = sp.Sum(patches(u(k) * x[k, b], k) * patches(u(j) * x[j, b], j), (b, 0, d - 1))
    before, one = z3.Reals("before one")
    return both(
        (
            "Σ_k u_kΔΞ_k = (3η/N)‖Σ_k u_kx_k‖²",
            equal_sums(
                left,
                sp.Rational(Fraction(factor)) * rate * square,
                (b, j, k),
                {n: 1, d: 1},
                reason="both sides have the same normal form, with symbols for the number of patches and for d",
            ),
        ),
        ("a sum of squares is ≥ 0", decide(before + one * one >= 0, (before >= 0,))),
    )


REALS = "real arithmetic, for all values (z3), with 0 < ℓ < 1 from the chapter on ℓ"
SEARCH = "one step on a grid of two samples with one neuron, signs certified by balls"
ORDER = r"$T_0 < T_1$ for all $m, P, \alpha, \eta, W_0$ and data with $c_0 > 0$, $N_1, N_2 \ge 1$"
GD = ("GD, λ = 0, η > 0", LAW, ORTHOGONAL)
START = (*GD, "c₀ = max c_r(0) > 0", "P ≥ 2", "N₁, N₂ ≥ 1", "x₀ = max |Ξ(0)| > 0, over all noise patches")

CHAPTER = Chapter(
    title="What never goes back, and which stage is over first",
    after=("closed_system", "sigmoid", "tensor_power"),
    steps=(
        Step(
            id="stages.feature_grows",
            statement=(
                r"$\Delta c_r = 3\eta c_r^2(\alpha^3\nu_1+\beta^3\nu_2) \ge 3\eta\alpha^3\nu_1 c_r^2 \ge 0$ for all "
                r"$c_r$"
            ),
            plain="Δc_r = 3ηc_r²(α³ν₁ + β³ν₂) ≥ 3ηα³ν₁c_r² ≥ 0",
            hypotheses=GD,
            method=REALS,
            prove=prove_feature,
            planted=(
                Planted("(1 + 10⁻⁶)·3ηα³ν₁c_r²", {"share": 1 + MILLIONTH}),
                Planted("λ = 10⁻⁶", {"lam": MILLIONTH}, hypothesis=True),
            ),
            weaker=({"share": Fraction(1, 2)},),
            kind=Kind.BOUND,
        ),
        Step(
            id="stages.feature_grows_with_momentum",
            statement=(
                r"$c_{r,t+1} - c_{r,t} \ge 3\kappa c_r^2(\alpha^3\nu_1 + \beta^3\nu_2) \ge 0$ for all $t$; $\kappa = "
                r"\eta(1-\gamma), \eta, (1+\gamma)\eta$ for average, velocity, Nesterov's look-ahead point"
            ),
            plain=(
                "c_{t+1} − c_t ≥ κ·3c_r²(α³ν₁ + β³ν₂) ≥ 0, κ = η(1−γ), η, (1+γ)η: average, velocity, Nesterov "
                "(look-ahead)"
            ),
            hypotheses=("λ = 0", "η > 0 and 0 ≤ γ < 1 constant", "the first state is 0", LAW, ORTHOGONAL),
            method="induction over t; the optimizers' own steps are run on z3's real variables",
            prove=prove_momentum,
            planted=(
                Planted("(1 + 10⁻⁶)κ", {"share": 1 + MILLIONTH}),
                *(
                    Planted(f"λ = 10⁻⁶, {form}", {"lam": MILLIONTH, "forms": (form,)}, hypothesis=True)
                    for form in FORMS
                ),
            ),
            weaker=({"share": Fraction(1, 2)},),
            kind=Kind.BOUND,
        ),
        Step(
            id="stages.own_term",
            statement=r"$y_k \cdot \frac{3\eta}{N} K_{kk} y_k \ell_k \Xi_k^2 \ge 0$ for all $k$",
            plain="the own term of y_kΔΞ_k, (3η/N)K_kk ℓ_k Ξ_k², is ≥ 0",
            hypotheses=GD,
            method=REALS,
            prove=prove_own,
            planted=(
                Planted("≥ 10⁻⁶", {"least": MILLIONTH}),
                Planted("without the label y_k", {"label": 1}),
                Planted("Ξ³ in place of Ξ²", {"power": 3}),
            ),
            weaker=({"least": -1},),
            kind=Kind.BOUND,
        ),
        Step(
            id="stages.memorization_never_falls",
            statement=r"$y_k \Delta\Xi_{k,r} \ge 0$ in a step from every $W$, for all noise patches $x_k \perp w^*$",
            plain="no y_kΞ_k decreases in a step, whatever the noise patches and W: false",
            hypotheses=GD,
            method=SEARCH,
            prove=prove_never_falls,
            planted=(),
            kind=Kind.BOUND,
            expected=Status.REFUTED,
        ),
        Step(
            id="stages.dominance",
            statement=(
                r"$|\sum_{k' \ne k} K_{kk'} u_{k'}| \le K_{kk}|u_k|$ implies $y_k \Delta\Xi_{k,r} \ge 0$ in that step, "
                r"$u_k = y_k \ell_k \Xi_{k,r}^2$"
            ),
            plain="if |Σ_{k'≠k} K_kk' u_k'| ≤ K_kk|u_k| then y_kΔΞ_k ≥ 0 in that step, u_k = y_kℓ_kΞ_k²",
            hypotheses=GD,
            method=REALS,
            prove=prove_dominance,
            planted=(
                Planted("up to 1 + 10⁻⁶ times K_kk|u_k|", {"theta": 1 + MILLIONTH}),
                Planted("up to twice", {"theta": 2}),
            ),
            weaker=({"theta": Fraction(1, 2)},),
            kind=Kind.BOUND,
        ),
        Step(
            id="stages.weighted_sum",
            statement=(
                r"$\sum_k u_k \Delta\Xi_{k,r} = \frac{3\eta}{N} \|\sum_k u_k x_k\|^2 \ge 0$ in a step from every $W$, "
                r"for all noise patches $x_k \perp w^*$, $u_k = y_k \ell_k \Xi_{k,r}^2$"
            ),
            plain="Σ_k u_kΔΞ_k = (3η/N)‖Σ_k u_k x_k‖² ≥ 0, u_k = y_kℓ_kΞ_k²",
            hypotheses=GD,
            method="SymPy's sums over any number of patches and coordinates in one normal form; the sign by z3",
            prove=prove_weighted,
            planted=(
                Planted("Σ_k y_kΔΞ_k ≥ 0", {"power": 0, "ell_power": 0}),
                Planted("Σ_k y_kΞ_k²ΔΞ_k ≥ 0", {"ell_power": 0}),
                Planted("(1 + 10⁻⁶)·", {"factor": 1 + MILLIONTH}),
            ),
        ),
        Step(
            id="stages.order",
            statement=ORDER
            + r" such that $\lceil (1/c_0 - 2\alpha)/a + \log(1/(2\alpha c_0)) \rceil < (1/x_0 - 1/v_1)/B$,"
            r" $a = 3\eta\alpha^3\frac{N_1}{N}\ell(\frac m8 + \frac12)$, $B = \frac{3\eta}{N}\max_k\sum_{k'}|K_{kk'}|$,"
            r" $v_1 = (2m(P-1))^{-1/3}$",
            plain=(
                "T₀ < T₁ if ⌈(1/c₀ − 2α)/a + log(1/(2αc₀))⌉ < (1/x₀ − 1/v₁)/B, a = 3ηα³(N₁/N)ℓ(m/8 + ½), B = (3η/N) "
                "max_k Σ|K_kk'|, v₁ = (2m(P − 1))^(−1/3)"
            ),
            hypotheses=START,
            method=(
                "each link by z3 or from the chapters on ℓ and the tensor power; to refute, small cases iterated in "
                "balls"
            ),
            prove=prove_order,
            planted=(
                Planted("eight times the right side", {"slack": 8}),
                Planted("K_kk in place of the row sum of |K|", {"off_diagonal": 0}),
                Planted("v₁ = (m(P − 1)/1000)^(−1/3)", {"level": Fraction(1, 1000)}),
                Planted("1/4 in place of the 3 of B", {"spread": Fraction(1, 4)}),
            ),
            weaker=(
                {"slack": Fraction(1, 2)},
                {"off_diagonal": 2},
                {"level": 4},
                {"spread": 6},
                {"feature": 2},
                {"head": Fraction(1, 4)},
                {"noise": 1},
            ),
            kind=Kind.BOUND,
        ),
        Step(
            id="stages.order_without_condition",
            statement=ORDER,
            plain="T₀ < T₁ whatever the start: false",
            hypotheses=START,
            method="the system of (c, Ξ) iterated in balls for one neuron, two patches a sample",
            prove=lambda: prove_order(slack=math.inf),
            planted=(),
            kind=Kind.BOUND,
            expected=Status.REFUTED,
        ),
    ),
)
