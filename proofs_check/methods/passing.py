r"""Tensor power recursions z_{t+1} = z_t + A_t z_t² that break a bound on their passing time, found and certified.

Scaling z by 1/a and A_t by a changes nothing, so a = 1. Recursions are iterated in balls from a grid of z_0, A and
orders of A_t; v is a decimal just above z_{τ−1} or just below z_τ, where a bound is hardest pressed. What takes too
long to iterate passes no earlier than (1/z_0 − 1/v)/A, which is proved apart
(`proofs_check.steps.cubic_cnn.tensor_power`).
"""

from __future__ import annotations

__all__ = ["Passing", "exact_ball", "search"]

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle, islice
from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.signs import ball, precision
from lemmascope.proofs_check.outcome import Outcome, open_, refuted

BITS = 320
DIGITS = 40
"""v is nearer to z than 10^−40 of it."""

PLACES = 80
"""Decimal places that hold every v."""


@dataclass(frozen=True)
class Passing:
    """A recursion, A_t = ``steps`` again and again: z_t ≥ v first at t = ``tau``, or not before, if ``late``."""

    z_0: Fraction
    v: Fraction
    a: Fraction
    A: Fraction
    steps: tuple[Fraction, ...]
    tau: int
    late: bool = False

    def doublings(self) -> int:
        """⌈log₂(v/z_0)⌉, exactly."""
        n = 0
        while self.v > self.z_0 * 2**n:
            n += 1
        return n

    def witness(self, bound: Any) -> dict[str, Any]:
        """Exact numbers as strings (decimals or fractions), which `fractions.Fraction` reads."""
        numbers = {name: str(getattr(self, name)) for name in ("z_0", "a", "A")}
        time = "tau_at_least" if self.late else "tau"
        steps = [str(A) for A in self.steps]
        return {**numbers, "v": _text(self.v), "A_t": steps, time: self.tau, "bound": float(bound.mid())}


def exact_ball(number: Fraction) -> Any:
    """The ball of a rational number."""
    return ball(sp.Rational(number.numerator, number.denominator))


def _decimal(number: Any, z: Fraction, up: bool) -> Fraction:
    """A decimal just above or below a ball of size about z."""
    places = DIGITS + len(str(int(1 / z)))
    man, exp = (number.upper() if up else number.lower()).man_exp()
    scaled = Fraction(int(man)) * Fraction(2) ** int(exp) * 10**places
    return Fraction(scaled // 1 + up, 10**places)


def _text(number: Fraction) -> str:
    """A decimal with an exponent where that is exact, else a fraction."""
    digits = str((number * 10**PLACES).numerator).rstrip("0")
    zeros = len(str((number * 10**PLACES).numerator)) - len(digits)
    return f"{digits}e{zeros - PLACES}" if (number * 10**PLACES).denominator == 1 else str(number)


def passings(early: bool) -> Iterator[Passing]:
    """From the grid, with τ certified: v just below z_τ if ``early``, else just above z_{τ−1}."""
    one, ten = Fraction(1), Fraction(10)
    starts = [(ten**k, 3) for k in range(9, -13, -1)]
    starts += [(Fraction(z), 400) for z in ("1", "0.3", "0.1", "0.03", "0.01")]
    for z_0, horizon in starts:
        for A in (one, 2 * one, 8 * one, 100 * one):
            for steps in dict.fromkeys([(one,), (A,), (one, A), (A, one)]):
                z = exact_ball(z_0)
                for t, rate in enumerate(islice(cycle(steps), horizon), start=1):
                    old, z = z, z + exact_ball(rate) * z * z
                    v = _decimal(z if early else old, z_0, up=not early)
                    if old < exact_ball(v) <= z:
                        yield Passing(z_0, v, one, A, steps, t)
                    if z > 10**12 * exact_ball(z_0):
                        break
    if not early:  # too long to iterate: no earlier than the lower bound, which is proved
        for k in range(1, 31):
            for j in range(1, 13):
                z_0, v = ten**-k, ten ** (j - k)
                yield Passing(z_0, v, one, one, (one,), -int((1 / v - 1 / z_0) // 1), late=True)


def search(
    what: str, bound: Callable[[Passing], Any], broken: Callable[[Passing, Any], bool], *, early: bool
) -> Outcome:
    """A passing that breaks a bound; open if the grid has none.

    Args:
        what: the bound, for the reason.
        bound: its value for a passing, a ball.
        broken: whether the passing certainly breaks it.
        early: which thresholds v press it most.
    """
    with precision(BITS):
        for passing in passings(early):
            value = bound(passing)
            if broken(passing, value):
                return refuted(f"{what} fails for a recursion", passing.witness(value))
    return open_(f"{what}: a link of the proof fails, and no recursion of the grid breaks it")
