r"""Inequalities with exponentials and logarithms on an interval, certified by ball arithmetic (python-flint's Arb).

A ball is a midpoint with a radius; arithmetic on balls encloses every result that arithmetic on their members can
have, rounding included. To show f > 0 on [a, b], the interval is halved until on each part the enclosure is positive.
"""

from __future__ import annotations

__all__ = ["positive"]

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from lemmascope.proofs_check.methods.signs import precision
from lemmascope.proofs_check.outcome import Outcome, open_, proved, refuted

PARTS = 20_000
BITS = 128


def positive(
    function: Callable[[Any], Any], low: Fraction | int, high: Fraction | int, *, what: str, parts: int = PARTS
) -> Outcome:
    """Show that ``function`` > 0 on the whole of [low, high].

    Args:
        function: from an Arb ball (`flint.arb`) to one that encloses its image.
        low, high: rational ends.
        what: the inequality in words or symbols, for the reason.
        parts: give up after that many intervals.

    Raises:
        ValueError: the ends are in the wrong order; the function returns no ball, or one of an interval that does not
            have the function's values at its ends in it.

    Returns:
        PROVED; REFUTED at a point where the enclosure is negative; INCONCLUSIVE where halving does not settle it.
    """
    import flint

    if not low <= high:
        raise ValueError(f"{what}: the ends must be in order, and are {low} and {high}")

    def enclosed(x: Any) -> Any:
        found = function(x)
        if not isinstance(found, flint.arb):
            raise ValueError(f"{what}: the function must return a ball (flint.arb), and returned {found!r}")
        return found

    with precision(BITS):
        todo, done = [(Fraction(low), Fraction(high))], 0
        while todo:
            a, b = todo.pop()
            middle = (a + b) / 2
            point = enclosed(_arb(flint, middle))
            if point < 0:
                return refuted(f"{what} fails", {"at": float(middle), "value": float(point.mid())})
            radius = _arb(flint, (b - a) / 2)
            ball = flint.arb(_arb(flint, middle).mid(), (radius + _arb(flint, middle).rad()).upper())
            done += 1
            found = enclosed(ball)
            if found > 0:
                if not all(found.overlaps(enclosed(_arb(flint, end))) for end in (a, b)):
                    raise ValueError(f"{what}: the function's ball of [{a}, {b}] is without its values at the ends")
                continue
            if done >= parts or a == b:
                return open_(f"{what}: not settled near {float(middle):.6g} after {done} intervals")
            todo += [(a, middle), (middle, b)]
        return proved(f"{what} on [{low}, {high}]: enclosures are positive on {done} intervals", intervals=done)


def _arb(flint: Any, x: Fraction) -> Any:
    return flint.arb(flint.fmpq(x.numerator, x.denominator))
