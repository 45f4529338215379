r"""The logistic weight ℓ(z) = 1/(1 + e^z) and the logistic loss log(1 + e^{−z}) of a margin z = y f(X), for all real z.

The map z ↦ x = e^{−z} is a bijection of ℝ onto (0, ∞) that turns z ≥ 0 into x ≤ 1 and z ≤ 0 into x ≥ 1, and

    ℓ = x/(1 + x),        log(1 + e^{−z}) = log(1 + x),        −z = log x.

**Without logarithms** (range, tails, monotonicity, derivative). The statements are rational in x, so z3 decides them
for all x. ℓ itself is a variable there, tied to x by ℓ(1 + x) = x: no division is left that could be by zero.

**Derivative.** ℓ' = −e^z/(1 + e^z)² = −ℓ(1 − ℓ), and ¼ − ℓ(1 − ℓ) = (½ − ℓ)² ≥ 0. So z/4 + ℓ(z) does not decrease, and
ℓ decreases: for a ≥ b, 0 ≤ ℓ(b) − ℓ(a) ≤ ¼(a − b), which is the Lipschitz bound.

**With logarithms.** Each bound is f ≥ 0 for an f that vanishes (or has limit 0) at an end of the range of x:

    log(1 + x) − x/(1 + x)            0 at x = 0, derivative x/(1 + x)² ≥ 0
    x − log(1 + x)                    0 at x = 0, derivative x/(1 + x) ≥ 0
    log(1 + x) − log x                → 0 as x → ∞, derivative −1/(x(1 + x)) ≤ 0
    log x + log 2 − log(1 + x)        0 at x = 1, derivative 1/(x(1 + x)) ≥ 0, used on x ≥ 1
    log 2 − log(1 + x)                0 at x = 1, decreasing, used on x ≤ 1
    log(1 + x) − x log 2              0 at x = 0 and x = 1, concave between
    2 log 2 · x/(1 + x) − log(1 + x)  0 at x = 0 and x = 1, f'' = (1 + x − 4 log 2)/(1 + x)³ < 0 between

Equality at an end makes the constants ½, 1, ¼, log 2 and 2 log 2 best possible: none can be moved by any amount. The
last two bounds hold for z ≥ 0 only; as z → −∞ the loss grows as −z while ℓ stays below 1, so no constant does there.
"""

from __future__ import annotations

__all__ = ["CHAPTER"]

import math
from fractions import Fraction
from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.balls import positive
from lemmascope.proofs_check.methods.equality import equal
from lemmascope.proofs_check.methods.monotone import nonnegative, rational
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.methods.signs import ball, digits, precision
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both, open_, refuted
from lemmascope.theory.verdict import Kind

X = sp.Symbol("x", positive=True)
ELL, LOSS = X / (1 + X), sp.log(1 + X)
LOG2 = sp.log(2)
MILLIONTH = Fraction(1, 10**6)


def decided(conclusion: Any, *hypotheses: Any, what: str) -> Outcome:
    """Decide a formula in z3's x = e^{−z} > 0 and ell = ℓ(z), and name the margin z if it fails."""
    import z3

    x, ell = z3.Reals("x ell")
    found = decide(conclusion, (x > 0, ell * (1 + x) == x, *hypotheses), what=what)
    if found.witness is None or not isinstance(found.witness["at"]["x"], float):  # beyond what a float can be
        return found
    at = found.witness["at"]
    z = {"z": 0.0 - math.log(at["x"]), "x": at["x"]}
    return refuted(found.reason, {**found.witness, "at": z, "ell": at["ell"]})


def at_most(less: sp.Expr, more: sp.Expr, low: Any, high: Any, what: str) -> Outcome:
    """less ≤ more for low ≤ x ≤ high, with the margin and both sides if it fails."""
    found = nonnegative(more - less, X, low, high, what=what)
    if found.witness is None:
        return found
    x = found.witness["at"]["x"]
    left, right = (digits(side.xreplace({X: sp.Rational(x)})) for side in (less, more))
    witness = {"at": {"z": 0.0 - math.log(x), "x": x}, "left": left, "right": right}
    witness["right_minus_left"] = found.witness["value"]  # which the floats left and right may not tell
    return refuted(found.reason, witness)


def on_compact(less: sp.Expr, more: sp.Expr, low: Any, high: Any, what: str) -> Outcome:
    """The same inequality, strict, by enclosures inside (low, high): a second proof that shares nothing with z3."""
    return positive(lambda x: ball(more - less, {X: x}), Fraction(low), Fraction(high), what=what)


def _z3() -> tuple[Any, Any, Any]:
    import z3

    return (z3, *z3.Reals("x ell"))


def prove_range(low: Any = 0, high: Any = 1) -> Outcome:
    """low < ℓ < high."""
    z3, _, ell = _z3()
    return decided(z3.And(rational(low) < ell, ell < rational(high)), what=f"{low} < ℓ < {high}")


def prove_tails(low: Any = Fraction(1, 2), high: Any = 1) -> Outcome:
    """low · e^{−z} ≤ ℓ for z ≥ 0, and ℓ ≤ high · e^{−z}."""
    _, x, ell = _z3()
    return both(
        ("lower tail, z ≥ 0", decided(rational(low) * x <= ell, x <= 1, what=f"{low} e^(−z) ≤ ℓ")),
        ("upper tail, all z", decided(ell <= rational(high) * x, what=f"ℓ ≤ {high} e^(−z)")),
    )


def prove_half(half: Any = Fraction(1, 2)) -> Outcome:
    """ℓ ≥ half for z ≤ 0."""
    _, x, ell = _z3()
    return decided(ell >= rational(half), x >= 1, what=f"ℓ ≥ {half} for z ≤ 0")


def prove_decreasing(rate: Any = 0) -> Outcome:
    """ℓ(a) + rate · ℓ(a)ℓ(b) < ℓ(b) for a > b; with rate = 0, ℓ decreases strictly."""
    import z3

    p, q, at_a, at_b = z3.Reals("x_a x_b ell_a ell_b")
    points = (p > 0, p < q, at_a * (1 + p) == p, at_b * (1 + q) == q)
    return decide(at_a + rational(rate) * at_a * at_b < at_b, points, what="ℓ(a) < ℓ(b) for a > b")


def prove_derivative(factor: Any = 1, steepest: Any = Fraction(1, 4)) -> Outcome:
    """ℓ' = −factor · ℓ(1 − ℓ) lies in [−steepest, 0)."""
    z3, _, ell = _z3()
    z = sp.Symbol("z", real=True)
    of_z = 1 / (1 + sp.exp(z))
    closed = -sp.Rational(Fraction(factor)) * of_z * (1 - of_z)
    identity = equal(sp.diff(of_z, z), closed, normal=lambda e: sp.numer(sp.together(e)).expand())
    slope = -ell * (1 - ell)
    return both(
        ("ℓ' = −ℓ(1 − ℓ)", identity),
        ("its range", decided(z3.And(slope >= -rational(steepest), slope < 0), what=f"−{steepest} ≤ ℓ' < 0")),
    )


def prove_lipschitz(constant: Any = Fraction(1, 4)) -> Outcome:
    """|ℓ(a) − ℓ(b)| ≤ constant · |a − b|."""
    import flint

    _, _, ell = _z3()
    slope = decided(rational(constant) - ell * (1 - ell) >= 0, what=f"(cz + ℓ)' = c − ℓ(1 − ℓ) ≥ 0, c = {constant}")
    proof = both(("ℓ' = −ℓ(1 − ℓ) < 0", prove_derivative()), ("cz + ℓ(z) does not decrease", slope))
    if proof.witness is None or "z" not in proof.witness["at"]:
        return proof
    # Steeper at one point, hence between two points near it.
    constant, centre = Fraction(constant), Fraction(proof.witness["at"]["z"])
    with precision(256):
        for k in range(1, 40):
            a, b = centre + Fraction(1, 2**k), centre - Fraction(1, 2**k)
            at_a, at_b = (1 / (1 + ball(sp.exp(sp.Rational(point)))) for point in (a, b))
            bound = flint.fmpq(constant.numerator, constant.denominator) * ball(sp.Rational(a - b))
            if abs(at_a - at_b) > bound:
                gap, sides = abs(at_a - at_b) - bound, (float(abs(at_a - at_b).mid()), float(bound.mid()))
                witness = {"at": {"a": float(a), "b": float(b)}, "left": sides[0], "right": sides[1]}
                return refuted("two points between which ℓ is steeper", {**witness, "excess": float(gap.mid())})
    return open_("the slope is steeper at a point, but no two points were found")


def prove_hinge(low: Any = 0, high: Any = LOG2) -> Outcome:
    """max(−z, 0) + low ≤ log(1 + e^{−z}) ≤ max(−z, 0) + high."""
    links = []
    for name, hinge, start, end in (("z ≥ 0", sp.Integer(0), 0, 1), ("z ≤ 0", sp.log(X), 1, sp.oo)):
        below, above = hinge + sp.sympify(low), hinge + sp.sympify(high)
        links.append((f"lower, {name}", at_most(below, LOSS, start, end, "max(−z, 0) ≤ log(1 + e^(−z))")))
        links.append((f"upper, {name}", at_most(LOSS, above, start, end, "log(1 + e^(−z)) ≤ max(−z, 0) + log 2")))
    return both(*links)


def prove_sandwich(low: Any = 1, high: Any = 1) -> Outcome:
    """low · ℓ ≤ log(1 + e^{−z}) ≤ high · e^{−z}."""
    below, above = sp.sympify(low) * ELL, sp.sympify(high) * X
    words = "ℓ ≤ log(1 + e^(−z))", "log(1 + e^(−z)) ≤ e^(−z)"
    return both(
        (words[0], at_most(below, LOSS, 0, sp.oo, words[0])),
        (words[1], at_most(LOSS, above, 0, sp.oo, words[1])),
        ("the first by balls", on_compact(below, LOSS, Fraction(1, 8), 8, words[0])),
        ("the second by balls", on_compact(LOSS, above, Fraction(1, 8), 8, words[1])),
    )


def prove_from_below(constant: Any = LOG2, high: Any = 1, attained: Any = LOG2) -> Outcome:
    """constant · e^{−z} ≤ log(1 + e^{−z}) for e^{−z} ≤ high; attained · e^{−z} is equal to it at z = 0."""
    less, what = sp.sympify(constant) * X, "log 2 · e^(−z) ≤ log(1 + e^(−z))"
    return both(
        (what, at_most(less, LOSS, 0, high, what)),
        ("equality at z = 0", equal(attained, LOSS.subs(X, 1))),
        ("the same by balls", on_compact(less, LOSS, Fraction(1, 8), Fraction(7, 8), what)),
    )


def prove_by_weight(constant: Any = 2 * LOG2, high: Any = 1, attained: Any = 2 * LOG2) -> Outcome:
    """log(1 + e^{−z}) ≤ constant · ℓ for e^{−z} ≤ high; attained · ℓ is equal to it at z = 0."""
    more, what = sp.sympify(constant) * ELL, "log(1 + e^(−z)) ≤ 2 log 2 · ℓ"
    return both(
        (what, at_most(LOSS, more, 0, high, what)),
        ("equality at z = 0", equal(attained * ELL.subs(X, 1), LOSS.subs(X, 1))),
        ("the same by balls", on_compact(LOSS, more, Fraction(1, 8), Fraction(7, 8), what)),
    )


RATIONAL = "e^{−z} is any positive real, and in it the statement is polynomial: z3 decides it for all of them"
ENDS = "the difference of the sides, in x = e^{−z}, is 0 at an end and has a derivative of one sign (SymPy, z3)"

CHAPTER = Chapter(
    title="The logistic weight and the logistic loss",
    steps=(
        Step(
            id="sigmoid.range",
            statement=r"$0 < \ell(z) < 1$ for all $z \in \mathbb{R}$, $\ell(z) = 1/(1+e^z)$",
            plain="0 < ℓ(z) < 1 for all z",
            hypotheses=("z real",),
            method=RATIONAL,
            prove=prove_range,
            planted=(Planted("ℓ > 10⁻⁶", {"low": MILLIONTH}), Planted("ℓ < 1 − 10⁻⁶", {"high": 1 - MILLIONTH})),
            weaker=({"low": -1}, {"high": 2}),
            kind=Kind.BOUND,
        ),
        Step(
            id="sigmoid.tails",
            statement=r"$\frac12 e^{-z} \le \ell(z)$ for all $z \ge 0$, and $\ell(z) \le e^{-z}$ for all $z$",
            plain="½e^(−z) ≤ ℓ(z) for z ≥ 0, and ℓ(z) ≤ e^(−z) for all z",
            hypotheses=("z real",),
            method=RATIONAL,
            prove=prove_tails,
            planted=(
                Planted("½ + 10⁻⁶ in place of ½", {"low": Fraction(1, 2) + MILLIONTH}),
                Planted("1 − 10⁻⁶ in place of 1", {"high": 1 - MILLIONTH}),
            ),
            weaker=({"low": Fraction(1, 4)}, {"high": 2}),
            kind=Kind.BOUND,
        ),
        Step(
            id="sigmoid.half",
            statement=r"$\ell(z) \ge \frac12$ for all $z \le 0$",
            plain="ℓ(z) ≥ ½ for z ≤ 0",
            hypotheses=("z ≤ 0",),
            method=RATIONAL,
            prove=prove_half,
            planted=(Planted("½ + 10⁻⁶ in place of ½", {"half": Fraction(1, 2) + MILLIONTH}),),
            weaker=({"half": Fraction(1, 4)},),
            kind=Kind.BOUND,
        ),
        Step(
            id="sigmoid.decreasing",
            statement=r"$\ell(a) < \ell(b)$ for all $a > b$",
            plain="ℓ(a) < ℓ(b) for all a > b",
            hypotheses=("a > b",),
            method=RATIONAL,
            prove=prove_decreasing,
            planted=(Planted("ℓ(a) + 10⁻⁶ℓ(a)ℓ(b) < ℓ(b)", {"rate": MILLIONTH}),),
            weaker=({"rate": -1},),
            kind=Kind.BOUND,
        ),
        Step(
            id="sigmoid.derivative",
            statement=r"$\ell' = -\ell(1-\ell) \in [-\frac14, 0)$ for all $z$",
            plain="ℓ' = −ℓ(1 − ℓ) ∈ [−1/4, 0)",
            hypotheses=("z real",),
            method="SymPy differentiates; z3 decides the range for all values of e^{−z}",
            prove=prove_derivative,
            planted=(
                Planted("ℓ' = −(1 + 10⁻⁶)ℓ(1 − ℓ)", {"factor": 1 + MILLIONTH}),
                Planted("1/4 − 10⁻⁶ in place of 1/4", {"steepest": Fraction(1, 4) - MILLIONTH}),
            ),
            weaker=({"steepest": 1},),
            kind=Kind.BOUND,
        ),
        Step(
            id="sigmoid.lipschitz",
            statement=r"$|\ell(a) - \ell(b)| \le \frac14 |a-b|$ for all $a, b$",
            plain="|ℓ(a) − ℓ(b)| ≤ ¼|a − b|",
            hypotheses=("a, b real",),
            method="z/4 + ℓ(z) does not decrease and ℓ decreases: the signs of their derivatives by z3",
            prove=prove_lipschitz,
            planted=(Planted("1/4 − 10⁻⁶ in place of 1/4", {"constant": Fraction(1, 4) - MILLIONTH}),),
            weaker=({"constant": 1},),
            kind=Kind.BOUND,
        ),
        Step(
            id="sigmoid.hinge",
            statement=r"$\max(-z,0) \le \log(1+e^{-z}) \le \max(-z,0) + \log 2$ for all $z$",
            plain="max(−z, 0) ≤ log(1 + e^(−z)) ≤ max(−z, 0) + log 2",
            hypotheses=("z real",),
            method=ENDS,
            prove=prove_hinge,
            planted=(
                Planted("max(−z, 0) + 10⁻⁶ below", {"low": sp.Rational(1, 10**6)}),
                Planted("log 2 − 10⁻⁶ above", {"high": LOG2 - sp.Rational(1, 10**6)}),
            ),
            weaker=({"low": -1}, {"high": 1}),
            kind=Kind.BOUND,
        ),
        Step(
            id="sigmoid.loss_between",
            statement=r"$\ell(z) \le \log(1+e^{-z}) \le e^{-z}$ for all $z$",
            plain="ℓ(z) ≤ log(1 + e^(−z)) ≤ e^(−z)",
            hypotheses=("z real",),
            method=ENDS + "; away from the ends once more by balls",
            prove=prove_sandwich,
            planted=(
                Planted("(1 + 10⁻⁶)ℓ below", {"low": 1 + sp.Rational(1, 10**6)}),
                Planted("(1 − 10⁻⁶)e^(−z) above", {"high": 1 - sp.Rational(1, 10**6)}),
            ),
            weaker=({"low": sp.Rational(1, 2)}, {"high": 2}),
            kind=Kind.BOUND,
        ),
        Step(
            id="sigmoid.loss_from_below",
            statement=r"$\log 2 \cdot e^{-z} \le \log(1+e^{-z})$ for all $z \ge 0$, with equality at $z = 0$",
            plain="log 2 · e^(−z) ≤ log(1 + e^(−z)) for z ≥ 0, with equality at 0",
            hypotheses=("z ≥ 0",),
            method=(
                "in x = e^{−z} the difference is concave on [0, 1] (SymPy, z3) and 0 at both ends; once more by balls"
            ),
            prove=prove_from_below,
            planted=(
                Planted("log 2 + 10⁻⁶", {"constant": LOG2 + sp.Rational(1, 10**6)}),
                Planted("equality for log 2 − 10⁻⁶", {"attained": LOG2 - sp.Rational(1, 10**6)}),
                Planted("for z ≥ −log 2", {"high": 2}, hypothesis=True),
            ),
            weaker=({"constant": sp.Rational(1, 2)}, {"high": sp.Rational(1, 2)}),
            kind=Kind.BOUND,
        ),
        Step(
            id="sigmoid.loss_by_weight",
            statement=r"$\log(1+e^{-z}) \le 2\log 2 \cdot \ell(z)$ for all $z \ge 0$, with equality at $z = 0$",
            plain="log(1 + e^(−z)) ≤ 2 log 2 · ℓ(z) for z ≥ 0, with equality at 0: the least constant",
            hypotheses=("z ≥ 0",),
            method=(
                "in x = e^{−z} the difference is concave on [0, 1] (SymPy, z3) and 0 at both ends; once more by balls"
            ),
            prove=prove_by_weight,
            planted=(
                Planted("2 log 2 − 10⁻⁶", {"constant": 2 * LOG2 - sp.Rational(1, 10**6)}),
                Planted("equality for 2 log 2 + 10⁻⁶", {"attained": 2 * LOG2 + sp.Rational(1, 10**6)}),
                Planted("for z ≥ −10⁻⁶", {"high": 1 + sp.Rational(1, 10**6)}, hypothesis=True),
            ),
            weaker=({"constant": 2}, {"high": sp.Rational(1, 2)}),
            kind=Kind.BOUND,
        ),
    ),
)
