r"""What a positive semidefinite part takes from a negative one: a square from below by one of its terms.

**One term.** (a + r)² − (1 − θ)a² + (1/θ − 1)r² = (θa + r)²/θ.

**The others**, by Cauchy and Schwarz with weights: if S² ≤ TU, then (S + b)² ≤ (T + t)(U + b²/t), which adds a term to
any number of them; one alone has a² = t · a²/t. A sum of weights may be replaced by anything above it.

**In a ball** ⟨g, v⟩ is ⟨ĝ, v⟩ + ⟨d, v⟩, so that g gᵀ ⪰ (1 − τ)ĝĝᵀ − ddᵀ/τ is a statement on two real numbers; and
w ≥ ŵe^{−Δ} ≥ ŵ(1 − Δ), as −Δ ≥ log(1 − Δ) for Δ < 1, and for a larger Δ the right side is not positive.
"""

from __future__ import annotations

__all__ = ["CHAPTER", "prove_ball", "prove_cauchy", "prove_one_term", "prove_terms"]

from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.equality import equal
from lemmascope.proofs_check.methods.monotone import nonnegative
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both
from lemmascope.theory.verdict import Kind


def _number(value: Any) -> Any:
    import z3

    found = sp.Rational(value)
    return z3.Q(int(found.p), int(found.q))


def prove_one_term(share: Any = 1, price: Any = 1) -> Outcome:
    """(a + r)² ≥ (1 − θ)a² − (1/θ − 1)r² for θ > 0.

    Args:
        share: what stands before the first θ. price: for the 1 of 1/θ − 1.
    """
    import z3

    a, r, theta, over = z3.Reals("a r theta over")
    stated = (1 - _number(share) * theta) * a * a - (over - _number(price)) * r * r
    return decide((a + r) * (a + r) >= stated, (theta > 0, over * theta == 1), what="the square from below")


def prove_cauchy(two: Any = 1, weights: bool = True) -> Outcome:
    """S² ≤ TU implies (S + b)² ≤ (T + t)(U + b²/t), T, t > 0; and more weight is no less.

    Args:
        two: what multiplies the right side. weights: the hypothesis t > 0; else b's weight may be any but 0.
    """
    import z3

    S, T, U, t, b, over, more = z3.Reals("S T U t b over more")
    positive = t > 0 if weights else t != 0
    known = (T > 0, positive, over * t == 1, S * S <= T * U)
    right = (T + t) * (U + b * b * over)
    step = decide((S + b) * (S + b) <= _number(two) * right, known, what="one term more")
    wider = decide((T + more) * U >= T * U, (T > 0, U >= 0, more >= 0), what="a larger sum of weights")
    return both(("one term more", step), ("more weight", wider))


def prove_terms(nine: Any = 9, power: int = 2, most: Any = 9) -> Outcome:
    """Weights Ξ² and |s|³(Σc⁴)^½: a²/t = 9Ξ²⟨x, v⟩², and b² ≤ 9t_b · t_b Σ⟨w*, v_r⟩².

    Args:
        nine, most: what stands for it in the equality and in the bound. power: of Ξ in its weight.
    """
    import z3

    Xi, zeta = sp.symbols("Xi zeta", positive=True)
    own = equal((3 * Xi**2 * zeta) ** 2 / Xi**power, nine * Xi**2 * zeta**2, "a²/t = 9Ξ²⟨x, v⟩²")
    c, d, e, f, s, cubed = z3.Reals("c_1 c_2 v_1 v_2 s cubed")
    b = 3 * cubed * (c * c * e + d * d * f)
    squared = cubed * cubed * (c * c * c * c + d * d * d * d)  # t_b²
    along = decide(b * b <= _number(most) * squared * (e * e + f * f), (cubed == s * s * s,), what="b² ≤ 9t_b²|v_s|²")
    return both(("noise", own), ("signal", along))


def prove_ball(share: Any = 1, moved: Any = 1, two: Any = 2) -> Outcome:
    """w⟨g, v⟩² ≥ (1 − τ − Δ)ŵ⟨ĝ, v⟩² − (w/τ)⟨d, v⟩², g = ĝ + d, for w ≥ ŵ(1 − Δ).

    Args:
        share: what stands before τ; moved: before Δ. two: for the 2 of (d_s + d_x)² ≤ 2(d_s² + d_x²).
    """
    import z3

    g, d, w, known, tau, over, Delta, e, D, lent, part, size = z3.Reals("g d w what tau over Delta e D lent eps size")
    x = sp.Symbol("x", nonnegative=True)
    given = (known >= 0, w >= 0, w >= known * (1 - Delta), Delta >= 0, tau > 0, tau < 1, over * tau == 1)
    left = (1 - _number(share) * tau - _number(moved) * Delta) * known * g * g
    # What is left of D once the part 1 − ε of what was taken is taken, from its bound by both.
    rest = z3.If(D - lent > 0, D - lent, 0) + part * size
    return both(
        ("e^−Δ", nonnegative(-x - sp.log(1 - x), x, 0, 1, what="x ≤ −log(1 − x)")),
        ("in the ball", decide(w * (g + d) * (g + d) >= left - w * over * d * d, given, what="w⟨g, v⟩²")),
        ("both parts", decide((d + e) * (d + e) <= _number(two) * (d * d + e * e), what="(d_s + d_x)²")),
        (
            "what is left",
            decide(D - (1 - part) * lent <= rest, (part >= 0, part <= 1, size >= D), what="D less a part"),
        ),
    )


CHAPTER = Chapter(
    title="What the positive part of the Hessian takes from the negative one",
    after=("certificate.radius",),
    steps=(
        Step(
            id="relief.one_term",
            statement=r"$(a + r)^2 \ge (1-\theta)a^2 - (\frac1\theta - 1)r^2$ for all $a$, $r$ and $\theta > 0$",
            plain="(a + r)² ≥ (1 − θ)a² − (1/θ − 1)r²",
            hypotheses=("θ > 0",),
            method="real arithmetic by z3, with 1/θ a number whose product with θ is 1",
            prove=prove_one_term,
            planted=(
                Planted("θ/2 for θ", {"share": sp.Rational(1, 2)}),
                Planted("2 for the 1 of 1/θ − 1", {"price": 2}),
            ),
            weaker=({"share": 2}, {"price": 0}),
            kind=Kind.BOUND,
        ),
        Step(
            id="relief.cauchy",
            statement=(
                r"$(\sum_\kappa a_\kappa)^2 \le T\sum_\kappa a_\kappa^2/t_\kappa$ for $t_\kappa > 0$, "
                r"$\sum_\kappa t_\kappa \le T$"
            ),
            plain="(Σ a)² ≤ T Σ a²/t for t > 0, Σ t ≤ T",
            hypotheses=("every t is positive",),
            method="induction over the terms, each step by z3; one term is an equation",
            prove=prove_cauchy,
            planted=(
                Planted("half of the right side", {"two": sp.Rational(1, 2)}),
                Planted("a weight may be negative", {"weights": False}, hypothesis=True),
            ),
            weaker=({"two": 2},),
            kind=Kind.BOUND,
        ),
        Step(
            id="relief.terms",
            statement=(
                r"with $a = 3\Xi^2\langle x, v\rangle$, $t = \Xi^2$: $a^2/t = 9\Xi^2\langle x, v\rangle^2$; with "
                r"$b = 3s^3\sum_r c_r^2\langle w^*, v_r\rangle$, $t_b = |s|^3(\sum_r c_r^4)^{1/2}$: $b^2/t_b \le "
                r"9t_b\sum_r\langle w^*, v_r\rangle^2$"
            ),
            plain="a²/t = 9Ξ²⟨x, v⟩² with t = Ξ²; b²/t_b ≤ 9 t_b Σ⟨w*, v_r⟩² with t_b = |s|³(Σc⁴)^½",
            hypotheses=("two neurons, which stand for any number",),
            method="substitution by SymPy; Cauchy's inequality by z3",
            prove=prove_terms,
            planted=(
                Planted("8 for 9", {"nine": 8}),
                Planted("8 for 9 in the bound", {"most": 8}),
                Planted("the weight |Ξ|", {"power": 1}),
            ),
            weaker=({"most": 10},),
            kind=Kind.BOUND,
        ),
        Step(
            id="relief.ball",
            statement=(
                r"for $g = \hat g + d$, $w \ge \hat we^{-\Delta}$, $0 < \tau < 1$: $w\langle g, v\rangle^2 \ge (1 - "
                r"\tau - \Delta)\hat w\langle\hat g, v\rangle^2 - \frac w\tau\langle d, v\rangle^2$; that is "
                r"$gg^\top \succeq (1-\tau)\hat g\hat g^\top - dd^\top/\tau$"
            ),
            plain="w⟨g, v⟩² ≥ (1 − τ − Δ)ŵ⟨ĝ, v⟩² − (w/τ)⟨d, v⟩² for g = ĝ + d, w ≥ ŵe^−Δ, 0 < τ < 1",
            hypotheses=("0 < τ < 1, Δ ≥ 0; any v",),
            method="on the numbers ⟨ĝ, v⟩ and ⟨d, v⟩ by z3; x ≤ −log(1 − x) on [0, 1) by its derivative",
            prove=prove_ball,
            planted=(
                Planted("τ/2 for τ", {"share": sp.Rational(1, 2)}),
                Planted("without Δ", {"moved": 0}),
                Planted("1 for the 2 of both parts", {"two": 1}),
            ),
            weaker=({"share": 2}, {"moved": 2}, {"two": 3}),
            kind=Kind.BOUND,
        ),
    ),
)
