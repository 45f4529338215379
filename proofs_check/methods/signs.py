r"""The sign of a number, decided by ball arithmetic: no step is settled by a numerical evaluation without a bound.

SymPy tells the sign of a number from two digits of it, which are wrong where terms cancel, and differ from one process
to the next. Here a ball (python-flint's Arb) encloses the number, in a precision that grows until the ball does not
reach 0. SymPy is asked one thing, and only where no precision tells: whether the number is exactly 0.
"""

from __future__ import annotations

__all__ = ["ball", "between", "digits", "exact", "precision", "sign"]

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import sympy as sp

BITS = (64, 256, 1024, 4096)
"""Precisions that are tried, one after the other."""

SMALL_ONLY = {"use_rho": False, "use_pm1": False, "use_ecm": False}
"""Factors of an integer are looked for by division alone."""


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Balls are computed with that many bits inside of the block."""
    import flint

    old, flint.ctx.prec = flint.ctx.prec, bits
    try:
        yield
    finally:
        flint.ctx.prec = old


def exact(expression: Any) -> sp.Expr:
    """As an expression of SymPy; a floating-point number in it is refused, for SymPy would round with it.

    Raises:
        ValueError: there is one.
    """
    found = sp.sympify(expression)
    floats = found.atoms(sp.Float)
    if floats:
        raise ValueError(f"write {min(floats, key=str)} as an exact number, such as sympy.Rational(1, 10)")
    return found


def ball(expression: sp.Expr, at: dict[sp.Symbol, Any] | None = None) -> Any:
    """An Arb ball that encloses an expression of +, ·, powers, log, exp, sin, cos, π and e.

    Args:
        expression: of numbers, and of the symbols of ``at``.
        at: the symbols' values, balls.

    Raises:
        ValueError: there is something else in the expression, such as a symbol without a value.
    """
    import flint

    if expression.is_Rational:
        return flint.arb(flint.fmpq(int(expression.p), int(expression.q)))
    if expression.is_Symbol and expression in (at or {}):
        return (at or {})[expression]
    if expression in (sp.pi, sp.E):
        return flint.arb.pi() if expression == sp.pi else flint.arb.const_e()
    parts = [ball(part, at) for part in expression.args]
    if expression.is_Add:
        return sum(parts[1:], parts[0])
    if expression.is_Mul:
        product = parts[0]
        for part in parts[1:]:
            product = product * part
        return product
    if expression.is_Pow:
        return parts[0] ** (int(expression.exp) if expression.exp.is_Integer else parts[1])
    for function, name in ((sp.log, "log"), (sp.exp, "exp"), (sp.sin, "sin"), (sp.cos, "cos")):
        if isinstance(expression, function):
            return getattr(parts[0], name)()
    raise ValueError(f"no enclosure of {expression}")


def sign(number: sp.Expr) -> int | None:
    """−1 or 1 where a ball shows it, 0 where no ball does and SymPy shows that the number is exactly 0.

    None where neither is shown, as for what no ball encloses (∞, a complex number, a function without enclosure).
    """
    for bits in BITS:
        with precision(bits):
            try:
                found = ball(number)
            except ValueError:
                return None
            if found > 0 or found < 0:
                return 1 if found > 0 else -1
            if not found.is_finite():
                return None
    return 0 if _vanishes(number) else None


def _vanishes(number: sp.Expr) -> bool:
    """Whether it cancels to 0, each logarithm of a rational number a sum over its small primes and what is left."""

    def split(log: sp.log) -> sp.Expr:
        parts = [
            times * power * sp.log(factor)
            for whole, times in zip(sp.fraction(log.args[0]), (1, -1), strict=True)
            for factor, power in sp.factorint(whole, limit=1000, **SMALL_ONLY).items()
        ]
        return sp.Add(*parts)

    written = number.replace(lambda e: isinstance(e, sp.log) and e.args[0].is_Rational, split)
    return bool(sp.expand(sp.fraction(sp.together(written))[0]) == 0)


def digits(number: sp.Expr) -> float:
    """A number for the reader, from a ball of 256 bits; nothing is decided with it.

    Raises:
        ValueError: no ball encloses it.
    """
    with precision(BITS[1]):
        return float(ball(number).mid())


def between(number: sp.Expr, denominator: int) -> tuple[Fraction, Fraction]:
    """Rational numbers with that denominator between which a number lies, by a ball.

    Raises:
        ValueError: nothing finite encloses it.
    """
    with precision(BITS[1]):
        found = ball(number) * denominator
        if not found.is_finite():
            raise ValueError(f"no enclosure of {number}")
        low, high = (int(end.floor().unique_fmpz()) for end in (found.lower(), found.upper()))
    return Fraction(low, denominator), Fraction(high + 1, denominator)
