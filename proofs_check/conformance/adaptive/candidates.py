"""What an optimizer may be: a form of the Adam family, or a convention of momentum, each with its balls in a case."""

from __future__ import annotations

__all__ = ["Candidate", "Counterexample", "Momentum", "against", "balls", "candidates", "decays", "rates"]

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np
from flint import arb, fmpq

from lemmascope.proofs_check.conformance.adaptive.arithmetic import BITS
from lemmascope.proofs_check.conformance.adaptive.case import AdaptiveCase
from lemmascope.proofs_check.conformance.adaptive.form import AXES, DECAYS, Form, forms
from lemmascope.proofs_check.conformance.adaptive.reference import Rows, enclosure
from lemmascope.proofs_check.conformance.reference import CONVENTIONS, reference
from lemmascope.proofs_check.methods.signs import precision

SMALL = 2.0**-10
"""Radii above it say little of iterates, which are about 1."""


@dataclass(frozen=True)
class Momentum:
    """One of `proofs_check.conformance.reference.CONVENTIONS`, with a decay and a rate as of `Form`."""

    convention: str
    decay: str = "none"
    rate: str = "followed"

    @property
    def name(self) -> str:
        """What it is called."""
        name = "gradient descent" if self.convention == "gd" else f"momentum {self.convention!r}"
        name = f"{name} with {DECAYS[self.decay]}" if self.decay != "none" else name
        return f"{name}, but {AXES['rate'][self.rate]}" if self.rate != "followed" else name

    @property
    def numbers(self) -> frozenset[str]:
        """γ, by whatever name."""
        return frozenset() if self.convention == "gd" else frozenset({"gamma", "beta1"})

    def formula(self) -> str:
        """One step, in symbols."""
        return CONVENTIONS[self.convention].formula

    def without(self) -> Momentum:
        """The same without decay, under a rate that is followed."""
        return Momentum(self.convention)

    def differs(self, other: Candidate) -> tuple[str, ...]:
        """The axes on which two of them differ; of a `Form` every one."""
        if not isinstance(other, Momentum):
            return tuple(AXES)
        return tuple(f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name))


Candidate = Form | Momentum


def decays(candidate: Candidate) -> tuple[str, ...]:
    """The ways in which weight decay may enter, each another algorithm."""
    if isinstance(candidate, Momentum):
        return "coupled", "decoupled"
    if candidate.outer == "schedule_free":
        return ("decoupled",) if candidate.memory == "none" else ("coupled", "decoupled")
    every = tuple(decay for decay in AXES["decay"] if decay not in ("none", "before_outer"))
    return every if candidate.outer == "plain" else (*every, "before_outer")


def rates(candidate: Candidate) -> tuple[str, ...]:
    """The ways in which a schedule may be followed."""
    free = isinstance(candidate, Form) and candidate.outer == "schedule_free"
    return tuple(rate for rate in AXES["rate"] if rate != "weights_ahead" or free)


def candidates(*, gamma: bool, beta1: bool, momentum_decay: bool, start: bool) -> Iterator[Candidate]:
    """All that an optimizer which takes those numbers may be, without decay."""
    yield from (Momentum(name) for name in CONVENTIONS if gamma or beta1 or name == "gd")
    yield from forms(outer=gamma and beta1 is False, momentum_decay=momentum_decay, start=start)


def balls(candidate: Candidate, case: AdaptiveCase) -> Rows | None:
    """Balls in which the iterates of every implementation lie; None where nothing can be said."""
    return enclosure(candidate, case) if isinstance(candidate, Form) else _momentum(candidate, case)


@lru_cache(maxsize=2**12)
def _momentum(candidate: Momentum, case: AdaptiveCase) -> Rows | None:
    convention = CONVENTIONS[candidate.convention]
    if candidate.decay not in ("none", "coupled", "decoupled"):
        return None
    if candidate.decay != "none":
        convention = replace(convention, decay=candidate.decay)
    eta = case.eta if candidate.rate == "followed" else case.eta[:1] * len(case.eta)
    known = reference(convention, replace(case, eta=eta).plain(case.gamma))
    if known is None:
        return None

    def ball(x: object) -> arb:
        numerator, denominator = x.as_integer_ratio()  # type: ignore[attr-defined]
        return arb(fmpq(numerator, denominator))

    with precision(BITS):
        return [
            [ball(x) + arb(0, ball(r).upper()) for x, r in zip(row, rooms, strict=True)]
            for row, rooms in zip(*known, strict=True)
        ]


@dataclass(frozen=True)
class Counterexample:
    """Where an optimizer is not what it might be: θ_t of a coordinate should be in a ball and is not."""

    case: AdaptiveCase
    t: int
    coordinate: int
    expected: float
    room: float
    found: float

    def text(self) -> str:
        """What is wrong."""
        index = f"[{self.coordinate}]" if len(self.case.theta) > 1 else ""
        return f"θ_{self.t}{index} should be {self.expected:.9g} ± {self.room:.1e} and is {self.found:.9g}"


def against(candidate: Candidate, case: AdaptiveCase, found: np.ndarray) -> Counterexample | bool:
    """The first iterate that lies outside of its ball; else whether that says something: whether balls are small."""
    rows = balls(candidate, case)
    if rows is None:
        return False
    small = True
    for t, (row, seen) in enumerate(zip(rows, found, strict=True)):
        for j, (ball, x) in enumerate(zip(row, seen, strict=True)):
            numerator, denominator = x.as_integer_ratio()
            if not ball.contains(arb(fmpq(numerator, denominator))):
                return Counterexample(case, t, j, float(ball.mid()), float(ball.rad()), float(x))
            small = small and ball.rad() < SMALL
    return small
