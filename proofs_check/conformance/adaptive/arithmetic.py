r"""Numbers with which one recursion is computed: exactly, or as balls that hold whatever floating point makes of it.

**Exact**: `fractions.Fraction` where a form is rational, else balls of `BITS` bits, whose radii are below 10⁻³⁰ of
anything seen here.

**Rounded**: in floating point each operation gives the exact result times (1 + δ), |δ| ≤ ε (the unit roundoff), plus an
underflow of at most ω, the smallest normal number, as some libraries flush subnormal numbers to zero. A group of at
most k operations on a term, in any order, is off by a factor in 1 ± g_k, g_k = kε/(1 − kε) (Higham, *Accuracy and
Stability of Numerical Algorithms*, lemma 3.1), and by kω. So a sum of terms x_i, each of which passes through at most
k operations, is computed as a number of the ball Σ x_i(1 ± g_k) ± kω; a term that is 0 stays 0. The balls x_i hold
what was computed before, whatever it was: what a quotient by a small denominator or a root near 0 makes of those
errors is in the arithmetic of balls, which is inclusion monotone. Where a denominator's ball meets 0, or a radicand's
numbers below it, nothing can be said: `Undetermined`.

The numbers that a form is given are those of the number type, or else rounded to it once: a ball too.
"""

from __future__ import annotations

__all__ = ["BITS", "Arithmetic", "Exact", "Rounded", "Undetermined"]

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from typing import Any, Protocol

from flint import arb, fmpq

from lemmascope.proofs_check.conformance.formats import Format
from lemmascope.proofs_check.methods.signs import precision

BITS = 160
Number = Any


class Undetermined(Exception):
    """The arithmetic cannot say what comes out."""


class Arithmetic(Protocol):
    """What `proofs_check.conformance.adaptive.reference` is computed with; + − × are the numbers' own."""

    def given(self, x: Fraction) -> Number:
        """A number that the form is given."""

    def exactly(self, x: Fraction) -> Number:
        """A number that is what it is: θ₀, a gradient."""

    def sum(self, k: int, *terms: Number) -> Number:
        """The sum of terms that pass through at most k operations each, this one included."""

    def mean(self, k: int, beta: Number, old: Number, new: Number) -> Number:
        """β old + (1 − β) new in at most k operations, as it stands or as old + (1 − β)(new − old)."""

    def slack(self, k: int, *terms: Number) -> Number:
        """0, but for what k operations make of such terms."""

    def square(self, x: Number) -> Number:
        """Its square, not negative."""

    def root(self, k: int, x: Number) -> Number:
        """Its root in at most k operations."""

    def kept(self, x: Number) -> Number:
        """A sum of squares that is not below 0, whatever was rounded."""

    def quotient(self, x: Number, y: Number) -> Number:
        """x/y, rounded where the terms are summed up."""

    def larger(self, x: Number, y: Number) -> Number:
        """The larger of the two."""

    def absolute(self, x: Number) -> Number:
        """Its absolute value."""

    def sign(self, x: Number) -> Number:
        """−1, 0 or 1."""

    def power(self, base: Fraction, exponent: Fraction) -> Number:
        """A power of given numbers; rounded, it has exponent + 4 roundings where that is an integer, else 8."""


def _exact(x: Fraction) -> arb:
    return arb(fmpq(x.numerator, x.denominator))


def nonnegative(x: arb) -> arb:
    """A ball that holds all that a ball has from 0 on."""
    half = x.upper() / 2
    return arb(half, half) if x.lower() < 0 else x


class Exact:
    """Without rounding: fractions where ``rational``, else balls."""

    def __init__(self, rational: bool) -> None:
        self.rational = rational

    @contextmanager
    def running(self) -> Iterator[None]:
        """The precision."""
        with precision(BITS):
            yield

    def exactly(self, x: Fraction) -> Number:
        """Itself."""
        return x if self.rational else _exact(x)

    given = exactly

    def sum(self, k: int, *terms: Number) -> Number:
        """Σ terms."""
        return sum(terms[1:], terms[0])

    def mean(self, k: int, beta: Number, old: Number, new: Number) -> Number:
        """β old + (1 − β) new."""
        return beta * old + (1 - beta) * new

    def slack(self, k: int, *terms: Number) -> Number:
        """0."""
        return 0 * terms[0]

    def square(self, x: Number) -> Number:
        """x²."""
        return x * x

    def root(self, k: int, x: Number) -> Number:
        """√x; of fractions there is none here."""
        if x.lower() < 0:
            raise Undetermined("a root of a number that may be negative")
        return x.sqrt()

    def kept(self, x: Number) -> Number:
        """x, of which a ball may reach below 0."""
        return x if self.rational else nonnegative(x)

    def quotient(self, x: Number, y: Number) -> Number:
        """x/y."""
        if y == 0 if self.rational else y.contains(0):
            raise Undetermined("a division by a number that may be 0")
        return x / y

    def larger(self, x: Number, y: Number) -> Number:
        """max(x, y)."""
        return max(x, y) if self.rational else x.max(y)

    def absolute(self, x: Number) -> Number:
        """|x|."""
        return abs(x)

    def sign(self, x: Number) -> Number:
        """sign(x)."""
        if self.rational:
            return Fraction((x > 0) - (x < 0))
        if x.contains(0) and not x.is_zero():
            raise Undetermined("the sign of a number that may be 0")
        return x.sgn()

    def power(self, base: Fraction, exponent: Fraction) -> Number:
        """base^exponent."""
        if self.rational:
            return base**exponent
        if exponent.denominator == 1:
            return _exact(base) ** exponent.numerator
        return _exact(base) ** _exact(exponent)


class Rounded:
    """Balls that hold what floating point of a format may make of it."""

    def __init__(self, format: Format) -> None:
        self.roundoff = arb(2) ** -format.digits
        self.tiny = arb(2) ** format.least
        self.format = format

    @contextmanager
    def running(self) -> Iterator[None]:
        """The precision."""
        with precision(BITS):
            yield

    @cache  # noqa: B019  one for each format, kept as long as the program runs
    def _relative(self, k: int) -> tuple[arb, arb, arb]:
        """0 ± g_k, 1 ± g_k and 0 ± kω."""
        g = k * self.roundoff / (1 - k * self.roundoff)
        return arb(0, g), arb(1, g), arb(0, k * self.tiny)

    @cache  # noqa: B019
    def given(self, x: Fraction) -> Number:
        """Itself where it is a number of the format, else all that it may be rounded to."""
        ball = _exact(x)
        same = Fraction(self.format.rounded(float(x))) == x
        return ball if same else ball * self._relative(1)[1]

    @cache  # noqa: B019
    def exactly(self, x: Fraction) -> Number:
        """Itself."""
        return _exact(x)

    def sum(self, k: int, *terms: Number) -> Number:
        """Σ terms (1 ± g_k) ± kω."""
        _, factor, lost = self._relative(k)
        total = terms[0] * factor
        for term in terms[1:]:
            total += term * factor
        return total if all(term.is_zero() for term in terms) else total + lost

    def mean(self, k: int, beta: Number, old: Number, new: Number) -> Number:
        """Where it is old + (1 − β)(new − old), the errors are in proportion to (1 − β)|old| too."""
        other = 1 - beta
        found = self.sum(k, beta * old, other * new)
        return found + other * old * self._relative(k)[0] if beta < other else found

    def slack(self, k: int, *terms: Number) -> Number:
        """Σ terms (0 ± g_k) ± kω."""
        around, _, lost = self._relative(k)
        total = lost
        for term in terms:
            total += term * around
        return total

    def square(self, x: Number) -> Number:
        """x², not below 0."""
        return nonnegative(x * x)

    def kept(self, x: Number) -> Number:
        """What of the ball is not below 0."""
        return nonnegative(x)

    def root(self, k: int, x: Number) -> Number:
        """√x (1 ± g_k) ± kω."""
        if x.lower() < 0:
            raise Undetermined("a root of a number that may be negative")
        return self.sum(k, x.sqrt())

    def quotient(self, x: Number, y: Number) -> Number:
        """x/y."""
        if y.contains(0):
            raise Undetermined("a division by a number that may be 0")
        return x / y

    def larger(self, x: Number, y: Number) -> Number:
        """max(x, y)."""
        return x.max(y)

    def absolute(self, x: Number) -> Number:
        """|x|."""
        return abs(x)

    def sign(self, x: Number) -> Number:
        """A ball about 0 where the sign is not known."""
        return arb(0, 1) if x.contains(0) and not x.is_zero() else x.sgn()

    def power(self, base: Fraction, exponent: Fraction) -> Number:
        """base^exponent, by products or by a library's function."""
        if exponent.denominator == 1:
            return self.sum(exponent.numerator + 4, self.given(base) ** exponent.numerator)
        return self.sum(8, self.given(base) ** self.given(exponent))
