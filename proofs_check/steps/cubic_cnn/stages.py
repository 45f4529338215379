r"""What never goes back, and which stage is over first, under GD and momentum with λ = 0.

**The feature.** Δc_r = 3ηc_r²(α³ν₁ + β³ν₂) ≥ 0 under GD, as ν₁, ν₂ > 0. Every form of momentum here is a recursion
u ← γu + κ∇, θ ← θ − pu − q∇ with γ, κ, p, q ≥ 0 from u = 0; as ∇_c = −3c²(α³ν₁ + β³ν₂) ≤ 0 at whatever c, u stays
≤ 0 by induction, and no step takes c_r back. So this holds for the average, the velocity, and Nesterov's form: at its
look-ahead point, and at the point behind it, which moves by −u. Each moves c_r at least as far as the newest gradient
alone does. With λ > 0 a small c_r > 0 shrinks.

**The noise.** With u_k = y_kℓ_kΞ_k² (y_k the label of the sample of patch k), ΔΞ_k = (3η/N) Σ_k' K_kk' u_k'. The own
term of y_kΔΞ_k is (3η/N)K_kk ℓ_kΞ_k² ≥ 0. The cross terms may outweigh it: y_kΞ_k may fall. It does not if
|Σ_{k'≠k} K_kk' u_k'| ≤ K_kk|u_k|, because y_ku_k = |u_k|. And whatever the patches,

    Σ_k u_kΔΞ_k = (3η/N)‖Σ_k u_kx_k‖² ≥ 0,

by coordinates: (Σ_{k≤n} u_kx_k)² = (Σ_{k<n} u_kx_k)² + 2u_nx_n Σ_{k<n} u_kx_k + u_n²x_n², by induction over n.

**The order of the stages under GD.** T₀ is the first t with max_r c_r ≥ 1/(2α); T₁ the first one at which every
small-margin sample has y_iΣ_jΣ_rΞ³ ≥ ½. Let c₀ = max_r c_r(0) > 0, x_t = max |Ξ(t)| over all noise patches (those of
large-margin samples too) and neurons, Q = P − 1, R = max_k Σ_k' |K_kk'|, and let there be a sample of each kind. Put

    v₁ = (2mQ)^{−1/3},    B = 3ηR/N,    ℓ_min = ℓ(m/8 + ½),    a = 3ηα³(N₁/N)ℓ_min,
    U = ⌈(1/c₀ − 2α)/a + log(1/(2αc₀))⌉  (0 if c₀ ≥ 1/(2α)),    L = (1/x₀ − 1/v₁)/B.

If U < L then T₀ ≤ U < L ≤ T₁:

1. As ℓ < 1, x_{t+1} ≤ x_t + Bx_t², and x ↦ x + Bx² increases: by the lower tensor power bound x_t < v₁ for t < L.
2. x_t < v₁ gives |Σ_jΣ_rΞ³| ≤ mQx_t³ < ½ in every sample. So no small-margin sample is memorized, and T₁ ≥ L.
3. Let t < min(T₀, L). Every αc_r < ½, so α³Σ_r c_r³ ≤ m/8 (negative c_r only lower it) and margins are below
   m/8 + ½. As ℓ decreases, every ℓ_i > ℓ_min and ν₁ ≥ (N₁/N)ℓ_min; with ν₂ ≥ 0 all c_r grow as c + A_tc², A_t ≥ a.
4. If T₀ > U, 3 holds for t = 0, …, U − 1, and the neuron with c_r(0) = c₀ has c_r(U) ≥ 1/(2α) by the upper tensor power
   bound, whose proof uses no later step. That is T₀ ≤ U after all.

Without U < L the order may be the other one. The converse of the condition is not claimed: it has slack in ℓ_min, in
ℓ < 1 and in R.
"""

from __future__ import annotations

__all__ = ["CHAPTER", "Order", "ordering"]

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.equality import equal
from lemmascope.proofs_check.methods.monotone import rational
from lemmascope.proofs_check.methods.races import Order, certified, headline, ordering, races, surely_ordered
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.methods.small_cases import Increments, negative
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both, open_, refuted
from lemmascope.proofs_check.steps.cubic_cnn import sigmoid, tensor_power
from lemmascope.theory.optimizers import FORMS
from lemmascope.theory.verdict import Kind, Status

MILLIONTH = Fraction(1, 10**6)


def prove_feature(share: Any = 1, lam: Any = 0) -> Outcome:
    """Δc = 3ηc²(α³ν₁ + β³ν₂) − ηλc ≥ share · 3ηα³ν₁c² ≥ 0."""
    import z3

    eta, alpha, beta, nu_1, nu_2, c = z3.Reals("eta alpha beta nu_1 nu_2 c")
    domain = (eta > 0, beta > 0, alpha > beta, nu_1 > 0, nu_2 > 0, nu_1 + nu_2 < 1)
    large, small = (3 * eta * c * c * s * s * s * nu for s, nu in ((alpha, nu_1), (beta, nu_2)))
    step = large + small - eta * rational(lam) * c
    return both(
        ("0 < ℓ < 1", sigmoid.prove_range()),
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


def prove_own(label: int = 2, power: int = 2) -> Outcome:
    """y · y^(label−1) · (3η/N)K_kk ℓ Ξ^power ≥ 0."""
    import z3

    rate, K, ell, xi, y = z3.Reals("rate K_kk ell Xi y")  # rate: 3η/N
    term = rate * K * ell
    for factor, times in ((y, label), (xi, power)):
        for _ in range(times):
            term = term * factor
    domain = (rate > 0, K >= 0, ell > 0, ell < 1, z3.Or(y == 1, y == -1))
    return both(
        ("0 < ℓ < 1", sigmoid.prove_range()),
        ("the own term", decide(term >= 0, domain, what="the own term of y_kΔΞ_k is ≥ 0")),
    )


def _fall(found: Increments, k: int) -> Any:
    return found.y[k] * (found.own[k] + found.cross[k])


def prove_never_falls() -> Outcome:
    """y_kΔΞ_k ≥ 0 for all patches: false."""
    return negative("y_kΔΞ_k ≥ 0", lambda found, k: (_fall(found, k), True))


def prove_dominance(theta: Any = 1) -> Outcome:
    """If |Σ_{k'≠k} K_kk' u_k'| ≤ theta · K_kk|u_k| then y_kΔΞ_k ≥ 0."""
    import z3

    theta = Fraction(theta)
    own, cross, y, size = z3.Reals("own cross y size")  # size: K_kk|u_k|, own: K_kk u_k = y·size
    domain = (size >= 0, z3.Or(y == 1, y == -1), own == y * size)
    small = (cross <= rational(theta) * size, -cross <= rational(theta) * size)
    proof = both(
        ("0 < ℓ < 1", sigmoid.prove_range()),
        ("y_k(own + cross) ≥ 0", decide(y * (own + cross) >= 0, (*domain, *small))),
    )
    if proof.status is Status.PROVED:
        return proof

    def dominated(found: Increments, k: int) -> bool:
        return bool(abs(found.cross[k]) * theta.denominator <= abs(found.own[k]) * theta.numerator)

    return negative("y_kΔΞ_k ≥ 0 under dominance", lambda found, k: (_fall(found, k), dominated(found, k)))


def prove_weighted(power: int = 2, ell_power: int = 1, factor: Any = 1) -> Outcome:
    """Σ_k y_kℓ_k^ell_power Ξ_k^power ΔΞ_k = factor · (3η/N)‖Σ_k u_kx_k‖² ≥ 0."""
    y, ell, xi, u, x, before = sp.symbols("y ell xi u x before", real=True)
    factor = sp.Rational(Fraction(factor))
    weights = equal(y * ell**ell_power * xi**power, y * ell * xi**2, "the weights are u_k")
    if weights.status is not Status.PROVED:

        def total(found: Increments, k: int) -> tuple[Any, bool]:
            parts = zip(found.y, found.ell, found.Xi, found.own, found.cross, strict=True)
            return sum(y * ell**ell_power * xi**power * (own + cross) for y, ell, xi, own, cross in parts), True

        return negative("Σ_k y_kℓ_k^a Ξ_k^b ΔΞ_k ≥ 0", total)
    grown = before**2 + 2 * u * x * before + (u * x) ** 2
    return both(
        ("the weights are u_k", weights),
        ("induction over patches", equal(grown, factor * (before + u * x) ** 2, where={"before": "Σ_{k<n} u_k x_k"})),
    )


def prove_order(off_diagonal: Any = 1, slack: Any = 1, **constants: Any) -> Outcome:
    """U < slack · L implies T₀ < T₁.

    Args:
        off_diagonal: factor of the off-diagonal |K_kk'| in R.
        slack: of the condition; `math.inf` is no condition.
        constants: ``level``, ``head``, ``noise``, ``feature``, ``spread`` of `ordering`.
    """
    proof = open_("no condition") if slack == math.inf else _links(off_diagonal, slack, **constants)
    if proof.status is Status.PROVED:
        return replace(proof, evidence={**proof.evidence, "HEADLINE": [headline(seed) for seed in range(3)]})
    for race in races():
        found = ordering(  # in floats, with a margin: balls certify the condition itself
            m=1,
            P=2,
            alpha=race.alpha,
            eta=race.eta,
            N=race.N,
            N_1=race.N - 1,
            c_0=race.c * (1 - 1e-9),
            x_0=race.x,
            row_sum=race.kappa + float(off_diagonal) * race.off_diagonal,
            slack=slack if slack == math.inf else float(slack) * (1 - 1e-9),
            **constants,
        )
        surely = found.holds and surely_ordered(race, off_diagonal=off_diagonal, slack=slack, **constants)
        passed = certified(race) if surely else None
        if passed is not None:
            numbers = {**race._asdict(), "T_1": passed, "T_0_at_least": passed}
            condition = {"U": found.T_0_at_most, "L": found.T_1_at_least}
            return refuted("noise is memorized before the feature is learnt", {**numbers, **condition})
    return open_(f"a link of the proof fails, and no case of the grid breaks the order ({proof.reason})")


def _links(
    off_diagonal: Any,
    slack: Any,
    level: Any = 2,
    head: Any = Fraction(1, 8),
    noise: Any = Fraction(1, 2),
    feature: Any = 3,
    spread: Any = 3,
) -> Outcome:
    import z3

    p, k, h, total, term, n, v, x, X, B = z3.Reals("p k h total term n v x X B")  # n: mQ
    f, g, m, eta, cubed, n_1, ell, nu_1, smaller, K, u = z3.Reals("f g m eta cubed n_1 ell nu_1 smaller K u")
    xi, pull, R, D, L, rate = z3.Reals("xi pull R D L rate")  # rate: η/N
    T_0, T_1, U = z3.Ints("T_0 T_1 U")
    half = rational("1/2")
    far = x + rational(spread) * rate * R * x * x
    return both(
        ("sums", decide(total + term <= (k + 1) * h, (total <= k * h, term <= h))),
        ("αc < ½: α³c³ ≤ 1/8", decide(8 * p * p * p <= 1, (p < half,))),
        ("|Ξ|³ ≤ x³", decide(z3.And(xi * xi * xi <= x * x * x, -xi * xi * xi <= x * x * x), (xi <= x, xi >= -x))),
        ("mQx³ < ½", decide(n * x * x * x < half, (n >= 1, rational(level) * n * v * v * v == 1, x >= 0, x < v))),
        ("margin", decide(f + g <= rational(head) * m + rational(noise), (m >= 1, 8 * f <= m, g < half))),
        ("ℓ decreases", sigmoid.prove_decreasing()),
        ("0 < ℓ < 1", sigmoid.prove_range()),
        (
            "A_t ≥ a",
            decide(
                3 * eta * (cubed * nu_1 + smaller) >= rational(feature) * eta * cubed * n_1 * ell,
                (eta > 0, cubed > 0, smaller >= 0, ell > 0, n_1 > 0, nu_1 >= n_1 * ell),
            ),
        ),
        (
            "|Ku| ≤ |K|x²",
            decide(z3.And(K * u <= R * x * x, -K * u <= R * x * x), (x >= 0, u >= -x * x, u <= x * x, R >= K, R >= -K)),
        ),
        ("R", decide(D + rational(off_diagonal) * R >= D + R, (D >= 0, R >= 0))),
        (
            "x' ≤ x + Bx²",
            decide(
                z3.And(xi + 3 * rate * pull <= far, -(xi + 3 * rate * pull) <= far),
                (rate > 0, R > 0, xi <= x, -xi <= x, pull <= R * x * x, -pull <= R * x * x),
            ),
        ),
        ("x ↦ x + Bx² increases", decide(x + B * x * x <= X + B * X * X, (x >= 0, x <= X, B >= 0))),
        ("lower tensor power bound", tensor_power.prove_lower()),
        ("upper tensor power bound", tensor_power.prove_upper()),
        (
            "T₀ < T₁",
            decide(
                T_0 < T_1,
                (
                    U >= 0,
                    z3.ToReal(U) < rational(slack) * L,
                    z3.ToReal(T_1) >= L,
                    z3.Implies(z3.ToReal(U) < L, z3.Implies(T_0 > U, T_0 <= U)),
                ),
            ),
        ),
    )


REALS = "real arithmetic, for all values (z3), with 0 < ℓ < 1 from the chapter on ℓ"
SEARCH = "one step on a grid of two samples with one neuron, signs certified by balls"
ORDER = r"$T_0 < T_1$ for all $m, P, \alpha, \eta, W_0$ and data with $c_0 > 0$, $N_1, N_2 \ge 1$"
START = ("GD", "λ = 0", "η > 0", "c₀ = max c_r(0) > 0", "N₁, N₂ ≥ 1", "x₀ = max |Ξ(0)|, over all noise patches")

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
            hypotheses=("GD", "λ = 0", "η > 0"),
            method=REALS,
            prove=prove_feature,
            planted=(
                Planted("λ = 10⁻⁶", {"lam": MILLIONTH}),
                Planted("(1 + 10⁻⁶)·3ηα³ν₁c_r²", {"share": 1 + MILLIONTH}),
            ),
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
            hypotheses=("λ = 0", "η > 0 constant", "0 ≤ γ < 1"),
            method="induction over t; the optimizers' own steps are run on z3's real variables",
            prove=prove_momentum,
            planted=(
                *(Planted(f"λ = 10⁻⁶, {form}", {"lam": MILLIONTH, "forms": (form,)}) for form in FORMS),
                Planted("(1 + 10⁻⁶)κ", {"share": 1 + MILLIONTH}),
            ),
            kind=Kind.BOUND,
        ),
        Step(
            id="stages.own_term",
            statement=r"$y_k \cdot \frac{3\eta}{N} K_{kk} y_k \ell_k \Xi_k^2 \ge 0$ for all $k$",
            plain="the own term of y_kΔΞ_k, (3η/N)K_kk ℓ_k Ξ_k², is ≥ 0",
            hypotheses=("GD", "λ = 0", "η > 0"),
            method=REALS,
            prove=prove_own,
            planted=(Planted("without the label y_k", {"label": 1}), Planted("Ξ³ in place of Ξ²", {"power": 3})),
            kind=Kind.BOUND,
        ),
        Step(
            id="stages.memorization_never_falls",
            statement=r"$y_k \Delta\Xi_{k,r} \ge 0$ for all data, $W$ and $k$",
            plain="y_kΞ_k never decreases: false, for cross terms may outweigh the own term",
            hypotheses=("GD", "λ = 0", "η > 0"),
            method=SEARCH,
            prove=prove_never_falls,
            planted=(),
            kind=Kind.BOUND,
            expected=Status.REFUTED,
        ),
        Step(
            id="stages.dominance",
            statement=r"$|\sum_{k' \ne k} K_{kk'} u_{k'}| \le K_{kk}|u_k|$ implies $y_k \Delta\Xi_{k,r} \ge 0$",
            plain="if |Σ_{k'≠k} K_kk' u_k'| ≤ K_kk|u_k| then y_kΔΞ_k ≥ 0",
            hypotheses=("GD", "λ = 0", "η > 0"),
            method=REALS,
            prove=prove_dominance,
            planted=(
                Planted("up to 1 + 10⁻⁶ times K_kk|u_k|", {"theta": 1 + MILLIONTH}),
                Planted("up to twice", {"theta": 2}),
            ),
            kind=Kind.BOUND,
        ),
        Step(
            id="stages.weighted_sum",
            statement=r"$\sum_k u_k \Delta\Xi_k = \frac{3\eta}{N} \|\sum_k u_k x_k\|^2 \ge 0$ for all data and $W$",
            plain="Σ_k u_kΔΞ_k = (3η/N)‖Σ_k u_k x_k‖² ≥ 0, u_k = y_kℓ_kΞ_k²",
            hypotheses=("GD", "λ = 0", "η > 0"),
            method="induction over the patches, coordinate by coordinate (SymPy)",
            prove=prove_weighted,
            planted=(
                Planted("Σ_k y_kΔΞ_k ≥ 0", {"power": 0, "ell_power": 0}),
                Planted("Σ_k y_kΞ_k²ΔΞ_k ≥ 0", {"ell_power": 0}),
                Planted("(1 + 10⁻⁶)·", {"factor": 1 + MILLIONTH}),
            ),
            kind=Kind.BOUND,
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
