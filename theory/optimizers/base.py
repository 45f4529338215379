"""What an optimizer is: its protocol, schedules of its rate, and what is read off a user's own."""

from __future__ import annotations

__all__ = ["Array", "Optimizer", "PiecewiseConstant", "Rate", "Recursion", "at", "is_linear", "number", "recursion_of"]

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from lemmascope.theory.errors import InputError, check_number, check_size

Array = Any
Rate = float | Callable[[int], float]
Recursion = tuple[float, float, float, float]


@runtime_checkable
class Optimizer(Protocol):
    """What `simulate` needs of an optimizer; a user's own class needs no base class. See `is_linear` too."""

    def init(self, params: Array) -> Any:
        """Return the state before the first step."""

    def step(self, params: Array, grad: Array, state: Any, t: int) -> tuple[Array, Any]:
        """Return the parameters and the state after step ``t`` (0, 1, …)."""


@dataclass(frozen=True)
class PiecewiseConstant:
    """η(t) = ``values[j]`` for ``starts[j] ≤ t < starts[j+1]``; starts[0] = 0, in iterations.

    Values are ≥ 0, as warm-ups start from 0, and one or more above it.
    """

    starts: tuple[int, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.starts) != len(self.values) or not self.starts:
            raise InputError("eta", self, "a schedule needs as many starts as values, and at least one")
        for s in self.starts:
            check_size("eta (start)", s, 0)
        for v in self.values:
            check_number("eta (value)", v, 0)
        if not any(self.values):
            raise InputError("eta", self, "a schedule needs a learning rate above 0")
        if self.starts[0] != 0 or any(a >= b for a, b in zip(self.starts, self.starts[1:], strict=False)):
            raise InputError("eta", self, "the starts of a schedule must be 0 < t₁ < t₂ < …")

    def __call__(self, t: int) -> float:
        """η at step t."""
        return [v for s, v in zip(self.starts, self.values, strict=True) if s <= t][-1]


def number(field: str, value: Any, **interval: Any) -> Any:
    """A number as a Python float, which takes the precision of the arrays that it multiplies, as a scalar of a library
    does not; schedules and arrays (one number an optimizer) as they are.
    """
    if callable(value) or len(getattr(value, "shape", ())):
        return value
    return check_number(field, value, **interval)


def at(eta: Rate, t: int) -> Any:
    """η_t as a number."""
    return float(eta(t)) if callable(eta) else eta


def is_linear(optimizer: object) -> bool:
    """Whether its attribute ``linear`` says that its iterates are linear in W₀ and the gradients; without one, no."""
    return bool(getattr(optimizer, "linear", False))


def recursion_of(optimizer: object) -> Callable[[int], Recursion] | None:
    """The optimizer's ``recursion``, or None where it has none that speaks for its ``step``.

    A subclass that overrides ``step`` and inherits ``recursion`` has none.
    """

    def depth(name: str) -> int:
        return next((i for i, kind in enumerate(type(optimizer).__mro__) if name in vars(kind)), -1)

    if not is_linear(optimizer) or not 0 <= depth("recursion") <= depth("step"):
        return None
    return optimizer.recursion  # type: ignore[attr-defined]
