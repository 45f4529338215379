r"""Inequalities f ≥ 0 on an interval, for f with logarithms whose first or second derivative is a rational function.

Three arguments are tried, each sufficient, where the sign of a derivative is asked of z3 for all real values:

    f' ≥ 0 inside, and lim f ≥ 0 at the lower end       (f increases from there)
    f' ≤ 0 inside, and lim f ≥ 0 at the upper end       (f decreases to there)
    f'' ≤ 0 inside, and lim f ≥ 0 at both finite ends   (f is concave, so above its chord)

The interval is open at an end where f is only a limit, as is (0, ∞). A coefficient that is not rational, such as
log 2, is for z3 a real within a rational enclosure; the sign of a limit is a ball's, and that f vanishes at an end,
which no enclosure shows, is SymPy's exact answer. Before all that, points near and between the ends are tried: f < 0
at a rational point, certified by balls, refutes.
"""

from __future__ import annotations

__all__ = ["nonnegative", "rational"]

from fractions import Fraction
from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.ends import coefficients, limit
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.methods.signs import ball, between, exact, precision, sign
from lemmascope.proofs_check.outcome import Outcome, open_, proved, refuted
from lemmascope.theory.verdict import Status

BITS = 256
"""Enough for the points at 2^−60 from an end, where what vanishes there to second order is 2^−120."""

NEAREST = 60
ENCLOSURE = 10**12
"""Denominator of the rational ends between which z3 knows a number to lie."""


def nonnegative(f: sp.Expr, x: sp.Symbol, low: Any, high: Any, *, what: str) -> Outcome:
    """Show that f(x) ≥ 0 for all x in (low, high), ends included where f is defined there.

    Args:
        f: an expression in x alone.
        x: its symbol.
        low, high: the ends, rational; ``high`` may be `sympy.oo`.
        what: the inequality, for the reason.

    Returns:
        PROVED; REFUTED at a point, with f's value there; INCONCLUSIVE if neither is found.

    Raises:
        ValueError: f has a floating-point number, another symbol, or a function that no ball encloses; an end is not
            rational, or they are in the wrong order; x is declared to be something that not all of the interval is, so
            that SymPy may have written f for other numbers.
    """
    f, low, high = exact(f), exact(low), exact(high)
    _check_interval(x, low, high)
    for point in _points(low, high):
        with precision(BITS):
            value = ball(f, {x: ball(point)})
        if value < 0:
            return refuted(f"{what} fails", {"at": {str(x): float(point)}, "value": float(value.mid())})
    first = sp.diff(f, x)
    above = _above_at(f, x, low, "+"), _above_at(f, x, high, "-")
    tried = []
    for word, expression, starts in (
        ("increasing", first, above[0]),
        ("decreasing", -first, above[1]),
        ("concave", -sp.diff(first, x), all(above) and high.is_finite),
    ):
        if starts:
            if _real(f, x, low, high) and _sign(expression, x, low, high):
                return proved(f"{what} on ({low}, {high}): the difference is {word}, and ≥ 0 at the ends it needs")
            tried.append(word)
    return open_(f"{what} on ({low}, {high}): not settled; tried as {', '.join(tried) or 'nothing: an end is below 0'}")


def _check_interval(x: sp.Symbol, low: sp.Expr, high: sp.Expr) -> None:
    if not (low.is_Rational and (high.is_Rational or high == sp.oo) and low < high):
        raise ValueError(f"the ends must be rational numbers in order, and are {low} and {high}")
    may = sp.Dummy(positive=True) if low >= 0 else sp.Dummy(real=True)
    too_much = sorted(dict(x.assumptions0.items() - may.assumptions0.items()))
    if too_much:
        raise ValueError(f"{x} must stand for any number of ({low}, {high}), and is declared {', '.join(too_much)}")


def _above_at(f: sp.Expr, x: sp.Symbol, end: sp.Expr, side: str) -> bool:
    """Whether the limit of f at the end is shown to be ≥ 0: exactly 0, +∞, or positive by a ball."""
    found = limit(f, x, end, side)
    return found is not None and (found == sp.oo or sign(found) in (0, 1))


def _real(f: sp.Expr, x: sp.Symbol, low: sp.Expr, high: sp.Expr) -> bool:
    """Whether logarithms in f are of what is positive on the interval."""
    return all(_sign(log.args[0], x, low, high, strict=True) for log in f.atoms(sp.log) if log.has(x))


def _sign(expression: sp.Expr, x: sp.Symbol, low: sp.Expr, high: sp.Expr, *, strict: bool = False) -> bool:
    """Whether a rational function of x is shown to be ≥ 0 (> 0 if ``strict``) on the open interval, without a pole."""
    import z3

    numerator, denominator = sp.fraction(sp.together(expression))
    product, bottom = sp.expand(numerator * denominator), sp.expand(denominator)
    if not (product.is_polynomial(x) and bottom.is_polynomial(x)):
        return False
    here = z3.Real("x")
    domain = [here > rational(low)] + ([here < rational(high)] if high.is_finite else [])
    value, below = _polynomial(product, x, here, domain), _polynomial(bottom, x, here, domain)
    holds = z3.And(value > 0 if strict else value >= 0, below != 0)
    return decide(holds, tuple(domain), what="the sign").status is Status.PROVED


def _polynomial(expression: sp.Expr, x: sp.Symbol, here: Any, domain: list[Any]) -> Any:
    """For z3; a coefficient that is not rational is a real of its own, its enclosure added to the domain."""
    import z3

    total: Any = z3.RealVal(0)
    for power, coefficient in sorted(coefficients(expression, x).items()):
        if coefficient.is_Rational:
            factor = rational(coefficient)
        else:
            factor = z3.Real(f"k{len(domain)}")
            low, high = between(coefficient, ENCLOSURE)
            domain += [factor >= rational(low), factor <= rational(high)]
        for _ in range(power):
            factor = factor * here
        total = total + factor
    return total


def rational(number: Any) -> Any:
    """A rational number (int, Fraction, SymPy's, or a string of one) as z3's."""
    import z3

    number = Fraction(str(number))
    return z3.Q(number.numerator, number.denominator)


def _points(low: sp.Expr, high: sp.Expr) -> list[sp.Rational]:
    """Rational points in the interval, ever nearer to its ends (or farther out): dyadic."""
    near = [sp.Rational(1, 2**k) for k in range(1, NEAREST + 1)]
    if high.is_finite:
        points = [(high - low) * step for step in near]
        return [high, *(low + h for h in points), *(high - h for h in points[1:])]
    return [low + 1, *(low + h for h in near), *(low + 1 / h for h in near)]
