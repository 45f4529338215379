r"""f is 3-homogeneous in W: Euler's identity, and what follows for ‖W‖²; with sums of any length.

With z_{ijr} = ⟨w_r, X_i[j]⟩ and f_i = Σ_r Σ_j z_{ijr}³: z is linear in W, so f_i(sW) = s³ f_i(W), and

    ⟨∇_{w_r} f_i, w_r⟩ = 3 Σ_j z_{ijr}²⟨X_i[j], w_r⟩ = 3 Σ_j z_{ijr}³,    summed over r: ⟨∇f_i, W⟩ = 3 f_i.

With the closed form of ∇L, for a neuron and for all of them,

    −2⟨w_r, ∇_{w_r} L⟩ = (6/N) Σ_i ℓ_i y_i Σ_j z_{ijr}³ − 2λ‖w_r‖²,    −2⟨W, ∇L⟩ = (6/N) Σ_i ℓ_i y_i f_i − 2λ‖W‖².

That is d‖w_r‖²/dt and d‖W‖²/dt under gradient flow, and a step of GD adds η times it and η²‖∇L‖². So, with λ = 0, once
every margin y_i f_i is positive, ‖W‖² only grows, however small the loss has become.
"""

from __future__ import annotations

__all__ = ["CHAPTER", "euler", "flow", "grows", "scaling", "step_of_gd"]

from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.equality import equal
from lemmascope.proofs_check.methods.monotone import rational
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.methods.sums import contracted, equal_sums
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both
from lemmascope.proofs_check.steps.cubic_cnn.gradient import Indices, indices
from lemmascope.theory.verdict import Kind

ALIKE = "both sides have the same normal form, with symbols for all sizes"


def _order(of: Indices) -> tuple[sp.Symbol, ...]:
    """Innermost first; b runs over coordinates and a over neurons where k and r are in use."""
    return of.k, of.b, of.r, of.a, of.j, of.i


def _along(of: Indices, entry: sp.Expr) -> sp.Expr:
    """Σ_b W[a, b] · entry[a, b]: the inner product with w_a."""
    return sp.Sum(of.W[of.a, of.b] * entry, (of.b, 0, of.d - 1))


def _cubes(of: Indices) -> sp.Expr:
    """Σ_j z_{ija}³, one of the three factors written as a sum over b."""
    last = sp.Sum(of.W[of.a, of.b] * of.X[of.i, of.j, of.b], (of.b, 0, of.d - 1))
    return of.over(of.z(of.i, of.a) ** 2 * last, of.j)


def scaling(power: Any = 3) -> Outcome:
    """f(sW) = s³ f(W).

    Args:
        power: what stands for the 3.
    """
    of, s = indices(), sp.Symbol("s", positive=True)
    scaled = of.output().replace(lambda e: isinstance(e, sp.Indexed) and e.base == of.W, lambda e: s * e)
    return equal_sums(_pulled(scaled, s), s**power * of.output(), of.order, {**of.at(1), of.i: 0}, reason=ALIKE)


def _pulled(expression: sp.Expr, s: sp.Symbol) -> sp.Expr:
    """Σ_k s g_k as s Σ_k g_k, in every sum."""

    def outside(total: sp.Sum) -> sp.Expr:
        constant, rest = total.function.as_independent(*(limit[0] for limit in total.limits), as_Add=False)
        return constant * sp.Sum(rest, *total.limits)

    return (
        expression.replace(lambda e: isinstance(e, sp.Sum), outside)
        .replace(lambda e: isinstance(e, sp.Pow), lambda e: sp.expand_power_base(e, force=True))
        .replace(lambda e: isinstance(e, sp.Sum) and s in e.free_symbols, outside)
    )


def euler(factor: Any = 3) -> Outcome:
    """⟨∇_{w_a} f, w_a⟩ = 3 Σ_j z_{ija}³, for a symbolic neuron a.

    Args:
        factor: what stands for the 3.
    """
    of = indices()
    slope = contracted(sp.diff(of.output(), of.W[of.a, of.b]), of.entry)
    return equal_sums(_along(of, slope), factor * _cubes(of), _order(of), {**of.at(1), of.i: 0}, reason=ALIKE)


def flow(factor: Any = 6, penalty: Any = 2) -> Outcome:
    """−2⟨w_a, ∇_{w_a} L⟩ = (6/N) Σ_i ℓ_i y_i Σ_j z_{ija}³ − 2λ‖w_a‖², for a symbolic neuron a, and summed over a.

    Args:
        factor, penalty: what stands for the 6 and for the 2 before λ.
    """
    of = indices()
    gradient = of.closed_form(of.ell[of.i])
    left = -2 * _along(of, gradient)
    norm = sp.Sum(of.W[of.a, of.b] ** 2, (of.b, 0, of.d - 1))
    pulls = of.over(of.ell[of.i] * of.y[of.i] * _cubes(of), of.i)
    right = sp.sympify(factor) / of.N * pulls - penalty * of.lam * norm
    neurons = (of.a, 0, of.m - 1)
    at = of.at(1)
    whole = {key: value for key, value in at.items() if key not in (of.a, of.b)}
    return both(
        ("a neuron", equal_sums(left, right, _order(of), {k: v for k, v in at.items() if k != of.b}, reason=ALIKE)),
        ("all neurons", equal_sums(sp.Sum(left, neurons), sp.Sum(right, neurons), _order(of), whole, reason=ALIKE)),
    )


def step_of_gd(square: Any = 1) -> Outcome:
    """(w − ηg)² = w² + η(−2wg) + η²g² in every entry, hence for the sum over any number of entries.

    Args:
        square: what stands for the 1 before η²g².
    """
    w, g, eta = sp.symbols("w g eta", real=True)
    return equal((w - eta * g) ** 2, w**2 + eta * (-2 * w * g) + square * eta**2 * g**2, "in every entry")


def grows(least: Any = 0, penalty: Any = 0, margin: Any = 0) -> Outcome:
    """Σ_i ℓ_i y_i f_i − (N λ/3)‖W‖² > 0 if all margins are positive and λ = 0: induction over the samples.

    Args:
        least: what stands for the 0 that the sum exceeds.
        penalty: λ.
        margin: what stands for the 0 that the margins exceed.
    """
    import z3

    total, ell, one, norm, eta, share, square = z3.Reals("sum ell margin norm eta share square")  # share: 6/N
    first = (ell > 0, ell < 1, one > rational(margin), norm >= 0)
    one_sample = ell * one - rational(penalty) * norm > rational(least)
    more = decide(total + ell * one > rational(least), (total > rational(least), *first), what="the sum with one more")
    gained = decide(eta * share * total + eta * eta * square > 0, (eta > 0, share > 0, square >= 0, total > 0))
    return both(
        ("one sample", decide(one_sample, first, what="ℓ y f > 0")),
        ("one sample more", more),
        ("a step of GD gains η(6/N) Σ and η²‖∇L‖²", gained),
    )


NAMES = ("W, X, y and λ real", "ℓ_i = 1/(1 + exp(y_i f(X_i)))")
SIZES = "SymPy's nested sums over ranges of symbolic size, brought to one normal form"
CHAPTER = Chapter(
    title="Homogeneity",
    after=("gradient", "energy"),
    steps=(
        Step(
            id="homogeneity.scaling",
            statement=r"For all $m, P, d \ge 1$, all real $W, X$ and $s > 0$: $f(sW) = s^3 f(W)$.",
            plain="f(sW) = s³ f(W), for all sizes",
            hypotheses=("s > 0",),
            method=SIZES,
            prove=scaling,
            planted=(Planted("s² for s³", {"power": 2}), Planted("s⁴ for s³", {"power": 4})),
        ),
        Step(
            id="homogeneity.euler",
            statement=(
                r"For all $m, P, d \ge 1$, all real $W, X$ and each $r$: $\langle \nabla_{w_r} f, w_r \rangle = 3 "
                r"\sum_j \langle w_r, X[j] \rangle^3$, hence $\langle \nabla f, W \rangle = 3 f$."
            ),
            plain="⟨∇_{w_r} f, w_r⟩ = 3 Σ_j ⟨w_r, X[j]⟩³ for each r, hence ⟨∇f, W⟩ = 3f, for all sizes",
            hypotheses=("W and X real",),
            method=f"the derivative with respect to W[a, b] by SymPy; {SIZES}",
            prove=euler,
            planted=(
                Planted("2 for 3", {"factor": 2}),
                Planted("3 + 10⁻⁶ for 3", {"factor": 3 + sp.Rational(1, 10**6)}),
            ),
        ),
        Step(
            id="homogeneity.flow",
            statement=(
                r"For all sizes: $-2\langle w_r, \nabla_{w_r} L \rangle = \frac{6}{N} \sum_i \ell_i y_i \sum_j \langle "
                r"w_r, X_i[j] \rangle^3 - 2\lambda \|w_r\|^2$ for each $r$, and $\frac{d}{dt}\|W\|^2 = -2\langle W, "
                r"\nabla L \rangle = \frac{6}{N} \sum_i \ell_i y_i f(X_i) - 2\lambda\|W\|^2$ under gradient flow."
            ),
            plain=(
                "gradient flow: d‖w_r‖²/dt = (6/N) Σ ℓ_i y_i Σ_j ⟨w_r, X_i[j]⟩³ − 2λ‖w_r‖², and d‖W‖²/dt = (6/N) Σ ℓ_i "
                "y_i f_i − 2λ‖W‖²"
            ),
            hypotheses=NAMES,
            method=f"with the closed form of the gradient, proved before; {SIZES}",
            prove=flow,
            planted=(Planted("3/N for 6/N", {"factor": 3}), Planted("λ for 2λ", {"penalty": 1})),
        ),
        Step(
            id="homogeneity.gd",
            statement=(
                r"For a step of GD, $W' = W - \eta \nabla L$: $\|W'\|^2 = \|W\|^2 + \eta(-2\langle W, \nabla L\rangle) "
                r"+ \eta^2 \|\nabla L\|^2$."
            ),
            plain="a step of GD: ‖W'‖² = ‖W‖² + η(−2⟨W, ∇L⟩) + η²‖∇L‖²",
            hypotheses=("any sizes",),
            method="entry by entry, by SymPy",
            prove=step_of_gd,
            planted=(Planted("without η²‖∇L‖²", {"square": 0}),),
        ),
        Step(
            id="homogeneity.grows",
            statement=(
                r"If $\lambda = 0$ and $y_i f(X_i) > 0$ for all $i$, then $\sum_i \ell_i y_i f(X_i) > 0$: $\|W\|^2$ "
                r"strictly increases, under gradient flow and in a step of GD with $\eta > 0$."
            ),
            plain="λ = 0 and all margins positive: ‖W‖² strictly increases, under gradient flow and in a step of GD",
            hypotheses=("λ = 0", "η > 0", "y_i f(X_i) > 0 for all i"),
            method="induction over the samples, each link by z3 over the reals; ‖W‖² by the two steps before",
            prove=grows,
            planted=(
                Planted("Σ ℓ_i y_i f_i > 10⁻⁶", {"least": "1/1000000"}),
                Planted("λ = 1/100", {"penalty": "1/100"}, hypothesis=True),
                Planted("margins above −1/100", {"margin": "-1/100"}, hypothesis=True),
            ),
            weaker=({"least": -1},),
            kind=Kind.BOUND,
        ),
    ),
)
