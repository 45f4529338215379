r"""What a positive semidefinite part takes from a negative one: a square from below by one of its terms.

**One term.** (a + z)² + z²/G − a²/(1 + G) = (Ga + (1 + G)z)²/(G(1 + G)).

**The others**, by Cauchy and Schwarz with weights: if S² ≤ TU, then (S + b)² ≤ (T + t)(U + b²/t), which adds a term to
any number of them; one alone has a² = t · a²/t. A sum of weights may be replaced by anything above it.

**In a ball** ⟨g, v⟩ is ⟨ĝ, v⟩ + ⟨d, v⟩, so that g gᵀ ⪰ (1 − τ)ĝĝᵀ − ddᵀ/τ is a statement on two real numbers; and
w ≥ ŵe^{−Δ} ≥ ŵ(1 − Δ), as −Δ ≥ log(1 − Δ) for Δ < 1, and for a larger Δ the right side is not positive.

**On the mean** over s in [0, 1]: a chord is above a convex function, and its mean is that of both ends. Sums of
products of nonnegative, increasing convex functions, and the exponentials of such, are convex.
"""

from __future__ import annotations

__all__ = ["CHAPTER", "prove_ball", "prove_cauchy", "prove_mean", "prove_one_term", "prove_terms"]

from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.equality import equal
from lemmascope.proofs_check.methods.monotone import nonnegative
from lemmascope.proofs_check.methods.reals import decide, rational
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both
from lemmascope.theory.verdict import Kind

HALF, THIRD, THREE_HALVES = sp.Rational(1, 2), sp.Rational(1, 3), sp.Rational(3, 2)


def prove_one_term(one: Any = 1, share: Any = 1) -> Outcome:
    """(a + z)² + z²/G ≥ a²/(1 + G) for G > 0.

    Args:
        one: for the 1 of 1 + G. share: what stands before z²/G.
    """
    import z3

    a, z, G, over, part = z3.Reals("a z G over part")
    known = (G > 0, over * G == 1, part > 0, part * (rational(one) + G) == 1)
    return decide(
        (a + z) * (a + z) + rational(share) * over * z * z >= part * a * a, known, what="one term of a square"
    )


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
    step = decide((S + b) * (S + b) <= rational(two) * right, known, what="one term more")
    wider = decide((T + more) * U >= T * U, (T > 0, U >= 0, more >= 0), what="a larger sum of weights")
    return both(("one term more", step), ("more weight", wider))


def prove_terms(nine: Any = 9, half: Any = THREE_HALVES, most: Any = 16) -> Outcome:
    """ε = h(6/N)ℓ|Ξ| and w = ℓ(1 − ℓ)/N: 9wΞ⁴/ε = (3/2)(1 − ℓ)|Ξ|³/h; ε_b = 16 · 9w s⁶Σc⁴: wb² ≤ (1/16) ε_b|v_s|².

    Args:
        nine, half: what stands for the 9 and for 3/2. most: for the 16 of 1/16.
    """
    import z3

    Xi, zeta, ell, h, N = sp.symbols("Xi zeta ell h N", positive=True)
    weight, price = ell * (1 - ell) / N, h * 6 / N * ell * Xi
    adds = equal(nine * weight * Xi**4 / price, half * (1 - ell) * Xi**3 / h, "9wΞ⁴/ε")
    pays = equal(
        weight * (3 * Xi**2 * zeta) ** 2, (nine * weight * Xi**4 / price) * price * zeta**2, "wa² = G ε⟨x, v⟩²"
    )
    c, d, e, f, s, cubed = z3.Reals("c_1 c_2 v_1 v_2 s cubed")
    b = 3 * cubed * (c * c * e + d * d * f)
    taken = 16 * 9 * cubed * cubed * (c * c * c * c + d * d * d * d)  # ε_b/w
    along = decide(
        rational(most) * b * b <= taken * (e * e + f * f), (cubed == s * s * s,), what="16b² ≤ (ε_b/w)|v_s|²"
    )
    return both(("noise adds", adds), ("noise pays", pays), ("signal", along))


def prove_mean(half: Any = HALF, third: Any = THIRD, convex: bool = True) -> Outcome:
    """A convex function on [0, 1] has at most the mean of its ends, and (as + b)² at most (a + b)²/3 + b(a + b).

    Args:
        half: what stands for the ½ of the mean of a chord. third: for the ⅓.
        convex: the hypothesis that it lies below its chord; else it may lie as far above.
    """
    import z3

    s, a, b, u, v = sp.symbols("s a b u v", real=True)
    chord = equal(sp.integrate((1 - s) * u + s * v, (s, 0, 1)), half * (u + v), "the mean of a chord")
    square = equal(sp.integrate((a * s + b) ** 2, (s, 0, 1)), a**2 / 3 + a * b + b**2, "∫(as + b)²")
    A, B, f, g, t, F = z3.Reals("a b f g t F")
    below = (1 - t) * f + t * g >= F if convex else F - ((1 - t) * f + t * g) <= f + g
    under = decide((1 - t) * f + t * g >= F, (below, f >= 0, g >= 0, t >= 0, t <= 1), what="F(t) is below its chord")
    known = (A >= 0, B >= 0)
    bound = decide(
        rational(third) * (A + B) * (A + B) + B * (A + B) >= A * A / 3 + A * B + B * B, known, what="∫(as+b)²"
    )
    return both(("chord", chord), ("below", under), ("square", square), ("its bound", bound))


def prove_ball(share: Any = 1, moved: Any = 1, two: Any = 2) -> Outcome:
    """w⟨g, v⟩² ≥ (1 − τ − Δ)ŵ⟨ĝ, v⟩² − (w/τ)⟨d, v⟩², g = ĝ + d, for w ≥ ŵ(1 − Δ).

    Args:
        share: what stands before τ; moved: before Δ. two: for the 2 of (d_s + d_x)² ≤ 2(d_s² + d_x²).
    """
    import z3

    g, d, w, known, tau, over, Delta, e, D, lent, part, size = z3.Reals("g d w what tau over Delta e D lent eps size")
    x = sp.Symbol("x", nonnegative=True)
    given = (known >= 0, w >= 0, w >= known * (1 - Delta), Delta >= 0, tau > 0, tau < 1, over * tau == 1)
    left = (1 - rational(share) * tau - rational(moved) * Delta) * known * g * g
    # What is left of D once the part 1 − ε of what was taken is taken, from its bound by both.
    rest = z3.If(D - lent > 0, D - lent, 0) + part * size
    return both(
        ("e^−Δ", nonnegative(-x - sp.log(1 - x), x, 0, 1, what="x ≤ −log(1 − x)")),
        ("in the ball", decide(w * (g + d) * (g + d) >= left - w * over * d * d, given, what="w⟨g, v⟩²")),
        ("both parts", decide((d + e) * (d + e) <= rational(two) * (d * d + e * e), what="(d_s + d_x)²")),
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
            statement=r"$(a + z)^2 + z^2/G \ge a^2/(1 + G)$ for all $a$, $z$ and $G > 0$",
            plain="(a + z)² + z²/G ≥ a²/(1 + G)",
            hypotheses=("G > 0",),
            method="real arithmetic by z3, with quotients as numbers whose products are 1",
            prove=prove_one_term,
            planted=(
                Planted("½ for the 1 of 1 + G", {"one": sp.Rational(1, 2)}),
                Planted("half of z²/G", {"share": sp.Rational(1, 2)}),
            ),
            weaker=({"one": 2}, {"share": 2}),
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
                r"with $a = 3\Xi^2\langle x, v\rangle$, $w = \ell(1-\ell)/N$, $\varepsilon = h\frac6N\ell|\Xi|$: "
                r"$9w\Xi^4/\varepsilon = \frac32(1-\ell)|\Xi|^3/h$ and $wa^2 = (9w\Xi^4/\varepsilon)\,\varepsilon"
                r"\langle x, v\rangle^2$; with $b = 3s^3\sum_r c_r^2\langle w^*, v_r\rangle$, $\varepsilon_b = "
                r"144ws^6\sum_rc_r^4$: $wb^2 \le \frac1{16}\varepsilon_b\sum_r\langle w^*, v_r\rangle^2$"
            ),
            plain="9wΞ⁴/ε = (3/2)(1 − ℓ)|Ξ|³/h with ε = h(6/N)ℓ|Ξ|; wb² ≤ ε_b Σ⟨w*, v_r⟩²/16 with ε_b = 144 w s⁶Σc⁴",
            hypotheses=("two neurons, which stand for any number",),
            method="substitution by SymPy; Cauchy's inequality by z3",
            prove=prove_terms,
            planted=(
                Planted("8 for 9", {"nine": 8}),
                Planted("1 for 3/2", {"half": 1}),
                Planted("1/17 for 1/16", {"most": 17}),
            ),
            weaker=({"most": 15},),
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
        Step(
            id="relief.mean",
            statement=(
                r"for $F \ge 0$ convex on $[0, 1]$: $\int F \le \frac12(F(0) + F(1))$; for $a, b \ge 0$: $\int_0^1 "
                r"(as + b)^2ds \le \frac13(a+b)^2 + b(a+b)$"
            ),
            plain="∫F ≤ ½(F(0) + F(1)) for F convex; ∫(as + b)² ds ≤ (a + b)²/3 + b(a + b)",
            hypotheses=("F is convex: below its chord", "a, b ≥ 0"),
            method="integrals by SymPy, the bound by z3",
            prove=prove_mean,
            planted=(
                Planted("⅓ for ½", {"half": sp.Rational(1, 3)}),
                Planted("¼ for ⅓", {"third": sp.Rational(1, 4)}),
                Planted("F above its chord", {"convex": False}, hypothesis=True),
            ),
            weaker=({"third": sp.Rational(1, 2)},),
            kind=Kind.BOUND,
        ),
    ),
)
