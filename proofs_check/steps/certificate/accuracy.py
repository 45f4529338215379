r"""Test accuracy without sampling: the second moment of Σh³, and how little of it lies near 0.

**Isserlis.** Two normal variables of covariances S are h_r = ag, h_s = bg + cg' with independent standard normal g,
g'; then S_rr = a², S_rs = ab, S_ss = b² + c².

**Pólya's inequality for cubics** (here proved for all cubics). Let p = ax³ + …, a > 0, and E = {|p| ≤ s}, of measure
ℓ. The function φ(x) = |E ∩ (−∞, x]| has slope at most 1; so there are x_0 < … < x_3 in E with φ(x_i) = t_i, the points
at which Chebyshev's polynomial of an interval of length ℓ is extremal, and |x_i − x_j| ≥ |t_i − t_j|. By Lagrange's
interpolation a = Σ_i p(x_i)/Π_{j≠i}(x_i − x_j) ≤ s Σ_i 1/Π|t_i − t_j| = 32 s/ℓ³, that is ℓ ≤ 4(s/2a)^{1/3}. Equality
for 4x³ − 3x, s = 1.

**Cosine.** ∫₀^{π/2} cos(y) y^{−2/3} dy = Σ_k (−1)^k (π/2)^{2k+1/3}/((2k)!(2k + 1/3)), alternating with falling terms.

**Rearranged.** A set of measure 2w has ∫3h² ≥ 2w³: what is nearest to 0 has least of it. For E and I = [−w, w]:
∫(1_E − 1_I)h² = ∫(1_E − 1_I)(h² − w²), as both have the same measure.
"""

from __future__ import annotations

__all__ = ["CHAPTER", "prove_cosine", "prove_polya", "prove_rearranged", "prove_second_moment"]

from math import factorial, prod
from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.ends import coefficients
from lemmascope.proofs_check.methods.equality import equal, numerator
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.methods.signs import precision
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both, open_, proved, refuted
from lemmascope.theory.verdict import Kind

MOST = sp.Rational(7812, 10000)


def _mean(polynomial: sp.Expr, *variables: sp.Symbol) -> sp.Expr:
    """Over independent standard normal variables."""
    for g in variables:
        total = sp.Integer(0)
        for k, factor in coefficients(sp.expand(polynomial), g).items():
            total += factor * (sp.factorial2(k - 1) if k and k % 2 == 0 else sp.Integer(int(k == 0)))
        polynomial = total
    return polynomial


def prove_second_moment(nine: Any = 9, six: Any = 6) -> Outcome:
    """E h_r³h_s³ = 9 S_rr S_ss S_rs + 6 S_rs³, which is 15 S³ for r = s.

    Args:
        nine, six: what stands for them.
    """
    a, b, c, g, h = sp.symbols("a b c g h", real=True)
    found = _mean((a * g) ** 3 * (b * g + c * h) ** 3, g, h)
    stated = nine * a**2 * (b**2 + c**2) * (a * b) + six * (a * b) ** 3
    own = _mean((a * g) ** 6, g)
    return both(
        ("two neurons", equal(found, stated, "E h_r³h_s³")), ("one neuron", equal(own, (nine + six) * a**6, "E h⁶"))
    )


def prove_polya(four: Any = 4) -> Outcome:
    """|{x: |ax³ + bx² + cx + d| ≤ s}| ≤ 4(s/2a)^{1/3}.

    Args:
        four: what stands for the 4.
    """
    x, lead, *rest = sp.symbols("x a b c d", real=True)
    nodes = sp.symbols("x_0:4", real=True)

    def p(at: Any) -> sp.Expr:
        return lead * at**3 + rest[0] * at**2 + rest[1] * at + rest[2]

    divided = sum((p(one) / sp.Mul(*(one - other for other in nodes if other != one)) for one in nodes), sp.Integer(0))
    extremal = [sp.Integer(-1), -sp.Rational(1, 2), sp.Rational(1, 2), sp.Integer(1)]  # on an interval of length 2
    total = sum((1 / prod(abs(one - other) for other in extremal if other != one) for one in extremal), sp.Integer(0))
    at = {str(t): sp.Integer(4) * t**3 - 3 * t for t in extremal}
    chebyshev = both(*[(f"4x³ − 3x at {t}", equal(abs(value), sp.Integer(1), "±1")) for t, value in at.items()])
    # ℓ³ ≤ 8 total s/a, and the statement allows ℓ³ ≤ four³ s/(2a).
    enough = sp.Integer(8) * total <= sp.sympify(four) ** 3 / 2
    if not enough:
        # |4x³ − 3x| ≤ 1 on [−1, 1], since 1 ∓ (4x³ − 3x) = (1 ∓ x)(1 ± 2x)²; a = 4, s = 1.
        square = both(
            ("above", equal(1 - (4 * x**3 - 3 * x), (1 - x) * (1 + 2 * x) ** 2, "1 − p")),
            ("below", equal(1 + (4 * x**3 - 3 * x), (1 + x) * (1 - 2 * x) ** 2, "1 + p")),
        )
        bound = float(sp.sympify(four) / 2)
        return refuted(f"4x³ − 3x: {square.reason}", {"a": 4, "s": 1, "measure": 2, "bound": bound})
    return both(
        ("interpolation", equal(divided, lead, "Σ p(x_i)/Π(x_i − x_j) = a", numerator)),
        ("extremal points", chebyshev),
        ("distances", proved(f"Σ 1/Π|t_i − t_j| = {total} for a length of 2, that is {8 * total}/ℓ³ for ℓ")),
    )


def prove_cosine(most: Any = MOST, terms: int = 12) -> Outcome:
    """(2/π)^½ ⅓ ∫₀^{π/2} cos(y) y^{−2/3} dy < 0.7812.

    Args:
        most: what stands for 0.7812. terms: of the series; the first one left out bounds the rest.
    """
    import flint

    most = sp.Rational(most)
    with precision(200):
        half, third = flint.arb.pi() / 2, flint.arb(1) / 3

        def term(k: int) -> Any:
            return half ** (2 * k + third) / (factorial(2 * k) * (2 * k + third))

        partial = sum((term(k) * (-1) ** k for k in range(terms)), flint.arb(0))
        falls = all(term(k + 1) < term(k) for k in range(terms + 1))  # and from there on by (π/2)²/((2k+1)(2k+2)) < 1
        found = (2 / flint.arb.pi()).sqrt() / 3 * (partial + flint.arb(0, term(terms).upper()))
        stated = flint.arb(flint.fmpq(int(most.p), int(most.q)))
        if found > stated:
            return refuted("the constant is larger", {"constant": float(found.mid()), "stated": float(most)})
        if falls and found < stated:
            return proved(f"the constant is {float(found.mid()):.6f}, by an alternating series in balls")
    return open_("the balls do not tell")


def prove_rearranged(two: Any = 2, most: Any = 1) -> Outcome:
    """∫ over [−w, w] of 3h² is 2w³, and no set of that length has less: (1_E − 1_[−w,w])(h² − w²) ≥ 0 everywhere.

    Args:
        two: what stands for the 2. most: of what stands for the indicator of E, at a point.
    """
    import z3

    h, w = sp.symbols("h w", positive=True)
    e, at, size = z3.Reals("e h w")
    known = (e >= 0, e <= z3.RealVal(str(most)), size > 0)
    square, inside = at * at - size * size, z3.And(at <= size, at >= -size)
    apart = z3.If(inside, (e - 1) * square, e * square) >= 0
    return both(
        ("[−w, w]", equal(sp.integrate(3 * h**2, (h, -w, w)), two * w**3, "2w³")),
        ("pointwise", decide(apart, known, what="(1_E − 1_[−w,w])(h² − w²) ≥ 0")),
    )


CHAPTER = Chapter(
    title="Test accuracy without sampling",
    after=("certificate.radius",),
    steps=(
        Step(
            id="accuracy.second_moment",
            statement=r"for normal $h$ of covariance $S$: $E h_r^3h_s^3 = 9S_{rr}S_{ss}S_{rs} + 6S_{rs}^3$",
            plain="E h_r³h_s³ = 9 S_rr S_ss S_rs + 6 S_rs³",
            hypotheses=("h is normal with mean 0",),
            method="moments of independent normal variables, by SymPy",
            prove=prove_second_moment,
            planted=(Planted("3 for 6", {"six": 3}), Planted("6 for 9", {"nine": 6})),
        ),
        Step(
            id="accuracy.polya",
            statement=r"$|\{x : |ax^3+bx^2+cx+d| \le s\}| \le 4(s/2a)^{1/3}$ for $a, s > 0$",
            plain="|{x: |ax³ + bx² + cx + d| ≤ s}| ≤ 4(s/2a)^{1/3}",
            hypotheses=("a > 0, s > 0",),
            method="Lagrange's interpolation at Chebyshev's points, by SymPy",
            prove=prove_polya,
            planted=(Planted("3 for 4", {"four": 3}), Planted("3.99 for 4", {"four": sp.Rational(399, 100)})),
            weaker=({"four": 5},),
            kind=Kind.BOUND,
            source="derived",
        ),
        Step(
            id="accuracy.cosine",
            statement=r"$\sqrt{2/\pi}\,\frac13\int_0^{\pi/2}\cos(y)\,y^{-2/3}dy < 0.7812$",
            plain="(2/π)^½ ⅓ ∫₀^{π/2} cos(y) y^{−2/3} dy < 0.7812",
            hypotheses=("none",),
            method="an alternating series in balls",
            prove=prove_cosine,
            planted=(Planted("0.78", {"most": sp.Rational(78, 100)}),),
            weaker=({"most": sp.Rational(4, 5)},),
            kind=Kind.BOUND,
        ),
        Step(
            id="accuracy.rearranged",
            statement=r"a set $E$ of measure $2w$ has $\int_E 3h^2dh \ge \int_{-w}^w 3h^2dh = 2w^3$",
            plain="a set E of measure 2w has ∫_E 3h² ≥ ∫_{−w}^{w} 3h² = 2w³",
            hypotheses=("E is a set: its indicator is at most 1",),
            method="the integrand of the difference, by z3, where both sets have the same measure; the value by SymPy",
            prove=prove_rearranged,
            planted=(Planted("3w³", {"two": 3}), Planted("an indicator of up to 2", {"most": 2}, hypothesis=True)),
        ),
    ),
)
