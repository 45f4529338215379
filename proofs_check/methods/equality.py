"""Equality of two SymPy expressions, for all values of their symbols."""

from __future__ import annotations

__all__ = ["all_equal", "apart", "difference_witness", "equal", "numerator"]

from collections.abc import Callable, Iterable
from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.signs import ball, digits, exact, precision, sign
from lemmascope.proofs_check.outcome import Outcome, open_, proved, refuted
from lemmascope.theory.verdict import Status

POINTS = 5
BITS = 256


def difference_witness(left: sp.Expr, right: sp.Expr, where: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """A point at which both sides differ, with their values: small rationals; symbols y… are labels ±1.

    A symbol that is positive gets a positive number, an integer one an integer, one named gamma a number in (0, 1).
    That the sides differ is shown by a ball. None if they are shown to differ at none of a few points.
    """
    left, right = exact(left), exact(right)
    for start in range(1, POINTS + 1):
        point = _point(left, right, start)
        sides = [side.xreplace(point).doit() for side in (left, right)]
        if all(side.is_number for side in sides) and sign(sides[0] - sides[1]):
            at = {s.name: float(v) for s, v in point.items()}
            return {**(where or {}), "at": at, "left": digits(sides[0]), "right": digits(sides[1])}
    return None


def _point(left: sp.Expr, right: sp.Expr, start: int) -> dict[sp.Symbol, sp.Rational]:
    symbols = sorted(left.free_symbols | right.free_symbols, key=str)
    numbers = [(start * (3 * k + 2)) % 7 - 3 for k in range(len(symbols))]
    return {s: _number(s, number, start) for s, number in zip(symbols, numbers, strict=True)}


def apart(left: sp.Expr, right: sp.Expr) -> bool | None:
    """Whether balls tell both sides apart where both are defined: a check on SymPy that shares nothing with it.

    The first of a few points is taken at which finite balls enclose both. None if there is none, as where a
    denominator is identically 0, or for a function that no ball encloses.
    """
    for start in range(1, POINTS + 1):
        with precision(BITS):
            at = {symbol: ball(value) for symbol, value in _point(left, right, start).items()}
            try:
                sides = [ball(side, at) for side in (left, right)]
            except ValueError:  # something that no ball encloses
                return None
            if all(side.is_finite() for side in sides):
                return bool(sides[0] > sides[1] or sides[0] < sides[1])
    return None


def _number(symbol: sp.Symbol, number: int, start: int) -> sp.Rational:
    name = str(symbol)
    if name.startswith("gamma"):
        return sp.Rational(start, start + 2)
    if name.startswith("y"):
        return sp.Integer(1 if number % 2 else -1)
    if symbol.is_integer:
        return sp.Integer(abs(number) + start)
    value = sp.Rational(number or 1, 2)
    return abs(value) if symbol.is_positive or symbol.is_nonnegative else value


def equal(
    left: Any,
    right: Any,
    reason: str = "both sides are the same expression",
    normal: Callable[[sp.Expr], sp.Expr] = sp.expand,
    where: dict[str, Any] | None = None,
) -> Outcome:
    """PROVED if ``normal(left − right)`` is 0, REFUTED at a point where they differ, open otherwise.

    Equal means for all values for which both sides are defined, and there must be some: at a point, both sides are
    finite balls, which do not tell apart what SymPy takes for equal.

    Args:
        left, right: expressions.
        reason: what to say if they are equal.
        normal: a normal form under which an expression that vanishes identically becomes 0: `sympy.expand` for
            polynomials, `numerator` for rational functions. `sympy.simplify` is none: it asks numbers for their digits.
        where: what names the instance, for the witness.

    Raises:
        ValueError: a side has a floating-point number.
    """
    left, right = exact(left), exact(right)
    if normal(left - right) == 0 and apart(left, right) is False:
        return proved(reason)
    found = difference_witness(left, right, where)
    if found is None:
        return open_("the two sides could be told neither equal nor different by SymPy")
    return refuted("the two sides differ", found)


def numerator(expression: sp.Expr) -> sp.Expr:
    """A normal form for rational functions of symbols and exponentials: the numerator, each e^u a symbol of its own.

    e^−u is 1/e^u, and exponentials of other arguments are taken to be independent, which is sufficient for equality.
    NaN, which equals nothing, if a denominator is identically 0.
    """
    names: dict[sp.Expr, sp.Expr] = {}
    symbols: dict[sp.Expr, sp.Symbol] = {}
    for power in expression.atoms(sp.exp):
        (u,) = power.args
        minus = u.could_extract_minus_sign()
        symbol = symbols.setdefault(-u if minus else u, sp.Dummy(positive=True))
        names[power] = 1 / symbol if minus else symbol
    written = expression.xreplace(names)
    found = sp.expand(sp.numer(sp.together(written)))
    powers = (power for power in written.atoms(sp.Pow) if power.exp.could_extract_minus_sign())
    # `together` cancels a denominator, so that its numerator alone may be 0 for a sum of quotients by 0.
    return sp.nan if found == 0 and any(numerator(power.base) == 0 for power in powers) else found


def all_equal(
    equations: Iterable[tuple[dict[str, Any], Any, Any]], reason: str, normal: Callable[[sp.Expr], sp.Expr] = sp.expand
) -> Outcome:
    """PROVED if `equal` proves each of them; else what it found at the first that it does not prove.

    Args:
        equations: where it is (name and number of what is gone through, for the witness), left side, right side.
        reason: what to say if all are equal, "all {count} equations …".
        normal: as for `equal`.
    """
    count = 0
    for where, left, right in equations:
        count += 1
        found = equal(left, right, normal=normal, where=where)
        if found.status is not Status.PROVED:
            return found
    if not count:
        return open_("there was no equation to look at")
    return proved(reason.format(count=count))
