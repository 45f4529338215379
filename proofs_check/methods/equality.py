"""Equality of two SymPy expressions, for all values of their symbols."""

from __future__ import annotations

__all__ = ["all_equal", "difference_witness", "equal", "numerator"]

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


def _apart(left: sp.Expr, right: sp.Expr, point: dict[sp.Symbol, sp.Rational]) -> bool:
    """Whether balls tell both sides apart at a point: a check on SymPy that shares nothing with it."""
    with precision(BITS):
        at = {symbol: ball(value) for symbol, value in point.items()}
        try:
            gap = ball(left, at) - ball(right, at)
        except ValueError:  # something that no ball encloses
            return False
        return bool(gap > 0 or gap < 0)


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

    What SymPy takes for 0 must not be told from it by balls either, at a point.

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
    if normal(left - right) == 0 and not _apart(left, right, _point(left, right, 1)):
        return proved(reason)
    found = difference_witness(left, right, where)
    if found is None:
        return open_("the two sides could be told neither equal nor different by SymPy")
    return refuted("the two sides differ", found)


def numerator(expression: sp.Expr) -> sp.Expr:
    """A normal form for rational functions of symbols and exponentials: the numerator, each e^u a symbol of its own.

    e^−u is 1/e^u, and exponentials of other arguments are taken to be independent, which is sufficient for equality.
    """
    names: dict[sp.Expr, sp.Expr] = {}
    symbols: dict[sp.Expr, sp.Symbol] = {}
    for power in expression.atoms(sp.exp):
        (u,) = power.args
        minus = u.could_extract_minus_sign()
        symbol = symbols.setdefault(-u if minus else u, sp.Dummy(positive=True))
        names[power] = 1 / symbol if minus else symbol
    return sp.expand(sp.numer(sp.together(expression.xreplace(names))))


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
