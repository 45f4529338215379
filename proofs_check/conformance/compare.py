"""Iterates against numbers computed without rounding, and against other iterates."""

from __future__ import annotations

__all__ = ["Known", "Unjudged", "allowed", "differ", "differ_loosely"]

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from lemmascope.proofs_check.conformance.case import STEPS, WIDE, Case
from lemmascope.proofs_check.conformance.reference import loose

F = Fraction
FEW = (STEPS + 1) * WIDE


class Unjudged(Exception):
    """No bound holds in the case: something could overflow in it, or nothing be said of its rounding."""


@dataclass(frozen=True, eq=False)
class Known:
    """What iterates should be, (T + 1, n), and how far from it they may be: fractions or floats."""

    wanted: np.ndarray
    room: np.ndarray

    @cached_property
    def _near(self) -> tuple[np.ndarray, np.ndarray]:
        """Both as floats, the room less what that loses."""
        wanted = self.wanted.astype(float)
        lost = np.abs(_fractions(self.wanted) - _fractions(wanted)) if self.wanted.dtype == object else 0.0
        return wanted, (1 - 1e-9) * (self.room - lost).astype(float)

    def within(self, found: np.ndarray) -> bool:
        """Whether iterates are surely as they should be."""
        wanted, room = self._near
        return bool((np.abs(found.astype(float) - wanted) <= room).all())


def differ(found: np.ndarray, known: Known, what: str = "") -> str | None:
    """The first iterate and coordinate at which ``found`` is further from what it should be than allowed."""
    if known.within(found):
        return None
    wanted, room = known.wanted, known.room
    if found.size <= FEW:  # without rounding
        wrong = np.argwhere(np.abs(_fractions(found) - _fractions(wanted)) > _fractions(room))
    else:
        wrong = np.argwhere(np.abs(found.astype(float) - wanted) > room)
    for t, j in wrong[:1]:
        index = f"[{j}]" if found.shape[1] > 1 else ""
        x, y = float(found[t, j]), float(wanted[t, j])
        return f"{what}θ_{t}{index} should be {y:.9g} ± {float(room[t, j]):.1e} and is {x:.9g}"
    return None


def differ_loosely(found: np.ndarray, wanted: np.ndarray, case: Case, *seen: np.ndarray, what: str = "") -> str | None:
    """The same against other iterates, within what is `allowed` to any convention on the case."""
    return differ(found, Known(wanted.astype(float), allowed(case, *seen)), what)


def allowed(case: Case, *seen: np.ndarray) -> np.ndarray:
    """`reference.loose`.

    Raises:
        Unjudged: where it is None.
    """
    room = loose(case, *seen)
    if room is None:
        raise Unjudged
    return room


_exactly = np.vectorize(lambda x: x if isinstance(x, Fraction) else F(float(x)), otypes=[object])


def _fractions(values: Any) -> np.ndarray:
    return _exactly(np.asarray(values)) if np.size(values) else np.zeros(np.shape(values), dtype=object)
