"""The one error for input that is refused at the door."""

from __future__ import annotations

__all__ = ["InputError", "check_number", "check_size"]

import math
from numbers import Integral, Real


class InputError(ValueError):
    """Refused input: names the field, the value and the accepted range in one sentence."""

    def __init__(self, field: str, value: object, accepted: str) -> None:
        self.field, self.value, self.accepted = field, value, accepted
        super().__init__(f"{field} = {value!r} is not accepted: {accepted.removesuffix('.')}.")

    @property
    def brief(self) -> str:
        """The same within another sentence: "eta = 3: it must be < 2"."""
        return f"{self.field} = {self.value!r}: {self.accepted.removesuffix('.')}"

    def __reduce__(self) -> tuple[object, ...]:
        return InputError, (self.field, self.value, self.accepted)  # as it comes from another machine


def check_size(field: str, value: object, at_least: int = 1) -> int:
    """Return ``value`` as an int; raise `InputError` unless it is an integer ≥ ``at_least``."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < at_least:
        raise InputError(field, value, f"it must be an integer ≥ {at_least}")
    return int(value)


def check_number(
    field: str,
    value: object,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """Return ``value`` as a float; raise `InputError` unless it is finite and in the interval."""
    accepted = "it must be a finite number"
    if low > -math.inf and high < math.inf:
        accepted += f" in {'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"
    elif low > -math.inf:
        accepted += f" {'>' if open_low else '≥'} {low:g}"
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise InputError(field, value, accepted)
    x = float(value)
    if x < low or x > high or (open_low and x == low) or (open_high and x == high):
        raise InputError(field, value, accepted)
    return x
