r"""What an optimizer is put to: initial parameters, a prescribed sequence of gradients, learning rates, momentum.

A `Case` is small and all its numbers are floats of the given dtype, so that they are rational numbers, from which
references are computed without rounding. Gradients are prescribed and not those of a function: an identity of the
recursion holds for every sequence. What it has beside a plain run, a learning rate that changes or a gradient that is
missing, are its `Case.features`, by which it is said over what an identity is tried.
"""

from __future__ import annotations

__all__ = ["DTYPES", "FEATURES", "LARGE", "OPTIONS", "STEPS", "WIDE", "Case"]

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby, pairwise
from math import prod
from typing import Any

import numpy as np

from lemmascope.proofs_check.conformance.formats import DTYPES

STEPS, WIDE = 6, 4
"""Steps and parameters of the cases that are drawn, at most."""
LARGE = ((24, 5), (3, 1000), (120, 100), (1200, 2))
"""Steps and parameters of the fixed cases beside them."""
OPTIONS = ("dampening", "weight_decay", "maximize")
"""Settings that a case may give to the optimizer."""
FEATURES = {
    "schedule": "a learning rate that changes",
    "zero_rate": "learning rates of 0",
    "weight_decay": "weight decay",
    "arrays": "several parameter arrays",
    "matrices": "matrices",
    "zero_gradient": "steps in which all gradients are 0",
    "missing_gradient": "steps in which an array has no gradient",
    "momentum_schedule": "a momentum that changes",
}
"""What a case may have beside a plain run, in words."""


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        theta: the initial parameters θ₀, n numbers.
        gradients: ∇_0, …, ∇_{T−1}, n numbers each.
        eta: η_0, …, η_{T−1}; all the same for a constant learning rate.
        gamma: γ in [0, 1).
        dtype: one of `proofs_check.conformance.formats.FORMATS`.
        dampening, weight_decay, maximize: options, None where they are not given to the optimizer.
        arrays: shapes of the parameter arrays into which the n coordinates are laid, one after the other, each in C
            order; () for one flat vector.
        momenta: γ_0, …, γ_{T−1} where momentum changes, γ_0 being ``gamma``; None where it is constant.
        missing: (step, array): in that step that array has no gradient. It does not move then, nor does its buffer.
    """

    theta: tuple[float, ...]
    gradients: tuple[tuple[float, ...], ...]
    eta: tuple[float, ...]
    gamma: float
    dtype: str = "float64"
    dampening: float | None = None
    weight_decay: float | None = None
    maximize: bool | None = None
    arrays: tuple[tuple[int, ...], ...] = ()
    momenta: tuple[float, ...] | None = None
    missing: frozenset[tuple[int, int]] = frozenset()

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of the parameter arrays; one vector where ``arrays`` does not say."""
        return self.arrays or ((len(self.theta),),)

    @property
    def spans(self) -> tuple[slice, ...]:
        """The coordinates of each parameter array."""
        edges = [0, *accumulate(prod(shape) for shape in self.shapes)]
        return tuple(slice(a, b) for a, b in pairwise(edges))

    def split(self, row: np.ndarray) -> list[np.ndarray]:
        """n coordinates as parameter arrays."""
        return [row[span].reshape(shape) for span, shape in zip(self.spans, self.shapes, strict=True)]

    @property
    def gammas(self) -> tuple[float, ...]:
        """γ_0, …, γ_{T−1}."""
        return self.momenta or (self.gamma,) * len(self.gradients)

    @property
    def constant(self) -> bool:
        """Whether the learning rate is."""
        return len(set(self.eta)) == 1

    @property
    def large(self) -> bool:
        """Whether it has more numbers than those that are drawn."""
        return len(self.gradients) * len(self.theta) > STEPS * WIDE

    @property
    def features(self) -> frozenset[str]:
        """Those of `FEATURES` that it has."""
        has = {
            "schedule": not self.constant,
            "zero_rate": 0.0 in self.eta,
            "weight_decay": bool(self.weight_decay),
            "arrays": len(self.shapes) > 1,
            "matrices": any(len(shape) > 1 for shape in self.shapes),
            "zero_gradient": any(not any(row) for row in self.gradients),
            "missing_gradient": bool(self.missing),
            "momentum_schedule": len(set(self.gammas)) > 1,
        }
        return frozenset(name for name, there in has.items() if there)

    def without(self, feature: str) -> Case:
        """The same without one of `FEATURES`; steps without a gradient stay as they are."""
        n = len(self.theta)
        plain: dict[str, dict[str, Any]] = {
            "schedule": {"eta": (next(filter(None, self.eta), 0.0),) * len(self.eta)},
            "zero_rate": {"eta": tuple(rate or 1.0 for rate in self.eta)},
            "weight_decay": {"weight_decay": None},
            "arrays": {
                "arrays": ((n, 1),) if any(len(shape) > 1 for shape in self.arrays) else (),
                "missing": frozenset((t, 0) for t, _ in self.missing),
            },
            "matrices": {"arrays": tuple((prod(shape),) for shape in self.arrays)},
            "missing_gradient": {"missing": frozenset()},
            "momentum_schedule": {"momenta": None},
        }
        return replace(self, **plain.get(feature, {}))

    def first(self, steps: int) -> Case:
        """The same with fewer steps."""
        return self.at(range(steps))

    def at(self, steps: Sequence[int]) -> Case:
        """The same with some of the steps, in ascending order."""
        place = {t: k for k, t in enumerate(steps)}
        momenta = self.momenta and tuple(self.momenta[t] for t in steps)
        return replace(
            self,
            gradients=tuple(self.gradients[t] for t in steps),
            eta=tuple(self.eta[t] for t in steps),
            gamma=momenta[0] if momenta else self.gamma,
            momenta=momenta,
            missing=frozenset((place[t], a) for t, a in self.missing if t in place),
        )

    def only(self, coordinates: Sequence[int]) -> Case:
        """The same with some of the coordinates, in that order.

        Where the case says its arrays, each coordinate is an array of its own, with as many dimensions as it was in.
        """
        rows = self._picked(coordinates)
        if not self.arrays:
            return rows
        home = [a for a, span in enumerate(self.spans) for _ in range(span.start, span.stop)]
        return replace(
            rows,
            arrays=tuple((1,) * len(self.arrays[home[j]]) for j in coordinates),
            missing=frozenset((t, k) for t, a in self.missing for k, j in enumerate(coordinates) if home[j] == a),
        )

    def permuted(self, order: Sequence[int]) -> Case:
        """Coordinate order[k] in the place of coordinate k; arrays and what is missing of them stay."""
        return self._picked(order)

    def alone(self, array: int) -> Case:
        """One of its arrays, and only the steps in which that has a gradient."""
        span = self.spans[array]
        there = [t for t in range(len(self.gradients)) if (t, array) not in self.missing]
        picked = self._picked(range(span.start, span.stop))
        return replace(picked, arrays=(self.shapes[array],), missing=frozenset()).at(there)

    def _picked(self, coordinates: Sequence[int]) -> Case:
        def pick(row: tuple[float, ...]) -> tuple[float, ...]:
            return tuple(row[j] for j in coordinates)

        return replace(self, theta=pick(self.theta), gradients=tuple(pick(row) for row in self.gradients))

    def scaled(self, factor: float) -> Case:
        """Parameters and gradients times ``factor``."""
        return replace(
            self,
            theta=tuple(factor * x for x in self.theta),
            gradients=tuple(tuple(factor * x for x in row) for row in self.gradients),
        )

    def plus(self, other: Case) -> Case:
        """The sum of parameters and of gradients; all else is this case's."""

        def add(a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, ...]:
            return tuple(x + y for x, y in zip(a, b, strict=True))

        rows = zip(self.gradients, other.gradients, strict=True)
        return replace(self, theta=add(self.theta, other.theta), gradients=tuple(add(a, b) for a, b in rows))

    def text(self) -> str:
        """In a line: the settings that matter."""

        def row(x: Sequence[float]) -> str:
            return f"{x[0]:g}" if len(x) == 1 else f"({_listed([f'{v:g}' for v in x])})"

        eta = f"{self.eta[0]:g}" if self.constant else row(self.eta)
        parts = [f"η = {eta}", f"γ = {f'{self.gamma:g}' if self.momenta is None else row(self.momenta)}"]
        parts += [f"{name} = {value}" for name, value in self.options().items()]
        parts += [f"θ₀ = {row(self.theta)}", f"∇ = {_listed([row(g) for g in self.gradients])}"]
        if self.arrays:
            shapes = [f"({shape[0]})" if len(shape) == 1 else str(shape) for shape in self.arrays]
            parts.append(f"in arrays {_listed(shapes)}")
        if self.missing:
            gone = [f"of array {a} in step {t}" for t, a in sorted(self.missing)]
            parts.append(f"no gradient {_listed(gone)}")
        return ", ".join(parts)

    def options(self) -> dict[str, Any]:
        """The options that are set."""
        return {name: getattr(self, name) for name in OPTIONS if getattr(self, name) is not None}


def _listed(words: list[str]) -> str:
    """All of them where they are few, else their beginning; what repeats is counted."""
    if len(words) <= STEPS:
        return ", ".join(words)
    found = [f"{word} ({n} times)" if (n := len([*same])) > 1 else word for word, same in groupby(words)]
    return ", ".join(found if len(found) <= STEPS else [*found[:3], f"… ({len(words)} in all)"])
