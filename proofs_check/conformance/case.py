r"""What an optimizer is put to: initial parameters, a prescribed sequence of gradients, learning rates, momentum.

A `Case` is small and all its numbers are floats of the given dtype, so that they are rational numbers, from which
references are computed without rounding. Gradients are prescribed and not those of a function: an identity of the
recursion holds for every sequence.
"""

from __future__ import annotations

__all__ = ["DTYPES", "LARGE", "STEPS", "WIDE", "Case", "cases", "drawn", "elements", "how", "large", "momenta", "rates"]

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import accumulate, groupby, pairwise
from math import prod
from typing import Any, Literal

import numpy as np
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

DTYPES = ("float32", "float64")
WIDTH: dict[str, Literal[32, 64]] = {"float32": 32, "float64": 64}
STEPS, WIDE = 6, 3
"""Steps and parameters of the cases that are drawn, at most."""
LARGE = ((24, 5), (3, 1000), (120, 100), (1200, 2))
"""Steps and parameters of the fixed cases beside them."""
LARGEST = {"float32": 2.0**96, "float64": 2.0**960}
"""Of the drawn numbers; what a few steps make of them stays finite."""


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        theta: the initial parameters θ₀, n numbers.
        gradients: ∇_0, …, ∇_{T−1}, n numbers each.
        eta: η_0, …, η_{T−1}; all the same for a constant learning rate.
        gamma: γ in [0, 1).
        dtype: ``"float32"``, ``"float64"``, ``"float16"`` or ``"bfloat16"``.
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

    def first(self, steps: int) -> Case:
        """The same with fewer steps."""
        return replace(self, gradients=self.gradients[:steps], eta=self.eta[:steps])

    def only(self, coordinates: Sequence[int]) -> Case:
        """The same with some of the coordinates, in that order."""

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
        """The sum of parameters and of gradients; learning rates and γ are this case's."""

        def add(a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, ...]:
            return tuple(x + y for x, y in zip(a, b, strict=True))

        rows = zip(self.gradients, other.gradients, strict=True)
        return replace(self, theta=add(self.theta, other.theta), gradients=tuple(add(a, b) for a, b in rows))

    def text(self) -> str:
        """In a line: the settings that matter."""

        def row(x: Sequence[float]) -> str:
            return f"{x[0]:g}" if len(x) == 1 else f"({_listed([f'{v:g}' for v in x])})"

        eta = f"{self.eta[0]:g}" if self.constant else row(self.eta)
        parts = [f"η = {eta}", f"γ = {self.gamma:g}"]
        parts += [f"{name} = {value}" for name, value in self.options().items()]
        return ", ".join([*parts, f"θ₀ = {row(self.theta)}", f"∇ = {_listed([row(g) for g in self.gradients])}"])

    def options(self) -> dict[str, Any]:
        """The options that are set."""
        names = ("dampening", "weight_decay", "maximize")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def _listed(words: list[str]) -> str:
    """All of them where they are few, else their beginning; what repeats is counted."""
    if len(words) <= STEPS:
        return ", ".join(words)
    found = [f"{word} ({n} times)" if (n := len([*same])) > 1 else word for word, same in groupby(words)]
    return ", ".join(found if len(found) <= STEPS else [*found[:3], f"… ({len(words)} in all)"])


def _rounded(x: float, dtype: str) -> float:
    return float(np.dtype(dtype).type(x))


@cache  # a strategy is validated when it is made
def elements(dtype: str, *, small_integers: bool = False) -> st.SearchStrategy[float]:
    """Entries of parameters and gradients: small integers; and, unless excluded, any size, subnormal ones too."""
    integers = st.integers(-8, 8).map(float)
    if small_integers:
        return integers
    top = LARGEST[dtype]
    return integers | st.floats(-top, top, width=WIDTH[dtype]) | st.floats(-4, 4, width=WIDTH[dtype])


@cache
def rates(dtype: str) -> st.SearchStrategy[float]:
    """η: powers of two and others in [2⁻²⁰, 4]."""
    powers = st.integers(-10, 2).map(lambda k: 2.0**k)
    return st.just(1.0) | powers | st.floats(2.0**-20, 4, width=WIDTH[dtype])


@cache
def momenta(dtype: str) -> st.SearchStrategy[float]:
    """γ in (0, 1), those in use and those close to 1 among them."""
    used = st.sampled_from([0.5, 0.25, 0.9, 0.99, 0.999]).map(lambda x: _rounded(x, dtype))
    close = st.integers(1, 20).map(lambda k: 1 - 2.0**-k)
    return used | close | st.floats(2.0**-10, 1 - 2.0**-10, width=WIDTH[dtype])


@cache
def _rows(dtype: str, small_integers: bool, n: int) -> st.SearchStrategy[tuple[float, ...]]:
    return st.lists(elements(dtype, small_integers=small_integers), min_size=n, max_size=n).map(tuple)


@st.composite
def cases(
    draw: st.DrawFn,
    dtype: str,
    *,
    momentum: bool = True,
    schedule: bool = False,
    constant_gradient: bool = False,
    steps: tuple[int, int] = (1, STEPS),
    size: tuple[int, int] = (1, WIDE),
    small_integers: bool = False,
    dampening: str | None = None,
    weight_decay: bool = False,
) -> Case:
    """Cases of one dtype.

    Args:
        draw: Hypothesis's.
        dtype: of all numbers.
        momentum: γ > 0; else γ = 0.
        schedule: a learning rate of its own for each step.
        constant_gradient: all gradients are the same.
        steps, size: smallest and largest T and n.
        small_integers: entries small integers, so that small combinations of them are exact.
        dampening: None, ``"gamma"`` (equal to γ) or ``"any"``.
        weight_decay: draw λ in (0, 1].
    """
    T, n = draw(st.integers(*steps)), draw(st.integers(*size))
    row = _rows(dtype, small_integers, n)
    gamma = draw(momenta(dtype)) if momentum else 0.0
    gradients = (draw(row),) * T if constant_gradient else tuple(draw(row) for _ in range(T))
    eta = tuple(draw(rates(dtype)) for _ in range(T)) if schedule else (draw(rates(dtype)),) * T
    tau = None
    if dampening is not None:
        tau = gamma if dampening == "gamma" else draw(st.sampled_from([0.0, 0.5, 0.25, 0.875]))
    lam = draw(st.integers(0, 7).map(lambda k: 2.0**-k)) if weight_decay else None
    return Case(
        theta=draw(row), gradients=gradients, eta=eta, gamma=gamma, dtype=dtype, dampening=tau, weight_decay=lam
    )


def how(examples: int, phases: Collection[Phase]) -> settings:
    """How cases are drawn: from a fixed seed, so many."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
        phases=list(phases),
    )


@lru_cache(maxsize=256)
def drawn(dtype: str, examples: int, **options: Any) -> tuple[Case, ...]:
    """The cases that a search tries where none fails, in its order; the same for every optimizer.

    To draw a case takes longer than to try it.

    Args:
        dtype, options: as of `cases`.
        examples: how many to draw.
    """
    found: list[Case] = []

    def kept(case: Case) -> bool:
        found.append(case)
        return False

    with suppress(NoSuchExample):
        find(cases(dtype, **options), kept, settings=how(examples, [Phase.generate]))
    return tuple(found)


@lru_cache(maxsize=256)
def large(
    dtype: str,
    steps: int,
    size: int,
    *,
    momentum: bool = True,
    schedule: bool = False,
    constant_gradient: bool = False,
    dampening: str | None = None,
    weight_decay: bool = False,
) -> Case:
    """A long or a wide case, always the same one; for what shows after many steps or with many parameters only.

    Its entries are small integers without a pattern in time, its rates powers of two, and γ = 7/8.
    """
    rows = [tuple(float((t * t + 3 * t * j + 5 * j + 1) % 17 - 8) for j in range(size)) for t in range(1, steps + 2)]
    gamma = 0.875 if momentum else 0.0
    return Case(
        theta=rows[0],
        gradients=(rows[1],) * steps if constant_gradient else tuple(rows[1:]),
        eta=tuple(2.0 ** -(t * t % 5) if schedule else 0.5 for t in range(steps)),
        gamma=gamma,
        dtype=dtype,
        dampening=None if dampening is None else gamma if dampening == "gamma" else 0.25,
        weight_decay=2.0**-5 if weight_decay else None,
    )
