r"""What an optimizer of the Adam family is put to: a `AdaptiveCase`, of numbers among which ε counts.

Gradients are small integers times 1, √ε or ε, zeros among them, so that ε stands beside √v and beside v as a number of
their own size; β₁ and β₂ differ. All numbers are of the number type, unless the optimizer takes none and has one of its
own, which is then that of the case.
"""

from __future__ import annotations

__all__ = ["SETTINGS", "AdaptiveCase", "cases", "drawn", "ladder", "long", "matrices"]

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from math import log2
from typing import Any

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from lemmascope.proofs_check.conformance.case import Case

SETTINGS = ("beta1", "beta2", "epsilon", "gamma", "weight_decay", "momentum_decay", "start")
Fixed = tuple[tuple[str, Any], ...]
STEPS, WIDE = 5, 3
WORDS = {
    "beta1": "β₁",
    "beta2": "β₂",
    "epsilon": "ε",
    "gamma": "γ",
    "weight_decay": "λ",
    "momentum_decay": "ψ",
    "start": "v₀",
}


@dataclass(frozen=True)
class AdaptiveCase:
    """One input; its numbers are floats, which are rational.

    Attributes:
        theta: θ₀, n numbers.
        gradients: ∇, T rows of n numbers.
        eta: learning rates, T numbers.
        beta1, beta2, epsilon: β₁, β₂ in [0, 1), ε ≥ 0.
        gamma: momentum of steps γ in [0, 1), beside β₁.
        weight_decay: λ ≥ 0.
        momentum_decay: ψ of NAdam's schedule.
        start: v₀ where an optimizer takes it.
        dtype: a name of `proofs_check.conformance.formats.FORMATS`.
        arrays: shapes of the parameter arrays into which the numbers are laid; () for the first alone and the others.
    """

    theta: tuple[float, ...]
    gradients: tuple[tuple[float, ...], ...]
    eta: tuple[float, ...]
    beta1: float = 0.5
    beta2: float = 0.75
    epsilon: float = 0.25
    gamma: float = 0.0
    weight_decay: float = 0.0
    momentum_decay: float = 0.0
    start: float = 0.0
    dtype: str = "float64"
    arrays: tuple[tuple[int, ...], ...] = ()

    def plain(self, gamma: float = 0.0) -> Case:
        """The same for a driver that is given the other numbers; with γ, and decay, for a convention of momentum."""
        vectors = ((1,), (len(self.theta) - 1,)) if len(self.theta) > 1 else ()
        arrays = () if gamma else self.arrays or vectors
        decay = self.weight_decay if gamma and self.weight_decay else None
        return Case(self.theta, self.gradients, self.eta, gamma, self.dtype, weight_decay=decay, arrays=arrays)

    def text(self, shown: Sequence[str] = SETTINGS) -> str:
        """In a line: the settings that are shown, rates, parameters and gradients."""

        def row(values: Sequence[float]) -> str:
            words = [f"{x:.6g}" for x in values]
            return words[0] if len(words) == 1 else f"({', '.join(words)})"

        eta = f"{self.eta[0]:g}" if len(set(self.eta)) == 1 else row(self.eta)
        parts = [f"{WORDS[name]} = {getattr(self, name):.6g}" for name in SETTINGS if name in shown]
        rows = ", ".join(row(g) for g in self.gradients)
        return ", ".join([f"η = {eta}", *parts, f"θ₀ = {row(self.theta)}", f"∇ = {rows}"])

    @property
    def size(self) -> tuple[int, int, int]:
        """By which cases are ordered: steps, parameters, and what stands in them."""
        numbers = [*self.theta, *self.eta, *(x for row in self.gradients for x in row)]
        return len(self.gradients), len(self.theta), sum(x not in (0, 1) for x in numbers)


def _fractions(*values: tuple[int, int]) -> st.SearchStrategy[float]:
    return st.sampled_from([float(Fraction(*value)) for value in values])


BETAS = _fractions((1, 2), (3, 4), (1, 4), (7, 8), (15, 16), (31, 32), (5, 8))
EPSILONS = _fractions((1, 4), (1, 16), (1, 1), (1, 64), (1, 2**12))
RATES = _fractions((1, 1), (1, 2), (1, 8), (2, 1))
DECAYS = _fractions((1, 4), (1, 8), (1, 2))


@st.composite
def drawn(
    draw: st.DrawFn, dtype: str, fixed: Fixed = (), *, schedule: bool = False, decay: bool = False
) -> AdaptiveCase:
    """Cases.

    Args:
        draw: Hypothesis's.
        dtype: of all numbers.
        fixed: settings that are not to be drawn, with their values.
        schedule: a learning rate of its own for each step.
        decay: λ > 0.
    """
    given = dict(fixed)

    def number(name: str, strategy: st.SearchStrategy[float]) -> float:
        return given[name] if name in given else draw(strategy)

    T, n = draw(st.integers(1, STEPS)), draw(st.integers(1, WIDE))
    epsilon = number("epsilon", EPSILONS)
    entries = st.builds(lambda k, unit: k * unit, st.integers(-4, 4), st.sampled_from(units(epsilon)))
    beta2 = number("beta2", BETAS)
    return AdaptiveCase(
        theta=tuple(float(draw(st.integers(-3, 3))) for _ in range(n)),
        gradients=tuple(tuple(draw(entries) for _ in range(n)) for _ in range(T)),
        eta=tuple(draw(RATES) for _ in range(T)) if schedule else (draw(RATES),) * T,
        beta1=number("beta1", BETAS.filter(lambda beta: beta != beta2)),
        beta2=beta2,
        epsilon=epsilon,
        gamma=number("gamma", BETAS),
        weight_decay=number("weight_decay", DECAYS if decay else st.just(0.0)),
        momentum_decay=number("momentum_decay", _fractions((1, 2), (1, 1), (4, 1))),
        start=number("start", _fractions((1, 2), (1, 1), (1, 8))),
        dtype=dtype,
    )


def units(epsilon: float) -> tuple[float, ...]:
    """1, and powers of two next to √ε and ε."""
    k = round(log2(epsilon)) if epsilon else 0
    return 1.0, 2.0 ** (k // 2), 2.0**k


def ladder(dtype: str, fixed: Fixed = (), *, schedule: bool = False, decay: bool = False) -> list[AdaptiveCase]:
    """Plain ones: gradients 1, small or 0, one parameter, one to three steps."""
    plain = replace(
        AdaptiveCase((0.0,), ((1.0,),), (1.0,), dtype=dtype, gamma=0.5, momentum_decay=1.0, start=0.5), **dict(fixed)
    )
    _, root, small = units(plain.epsilon)
    rows = [(1.0,), (root,), (small,), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (1.0, -1.0), (small, small), (1.0, 0.0, 0.0)]
    if schedule:
        rows = [row for row in rows if len(row) > 1]
    start = (1.0,) if decay else (0.0,)
    rates = (1.0, 0.5, 0.5) if schedule else (0.5,) * 3 if decay else (1.0,) * 3
    changes: dict[str, Any] = {"theta": start}
    if decay and "weight_decay" not in dict(fixed):
        changes["weight_decay"] = 0.25
    return [replace(plain, gradients=tuple((x,) for x in row), eta=rates[: len(row)], **changes) for row in rows]


def long(dtype: str, fixed: Fixed = (), *, schedule: bool = False, decay: bool = False) -> list[AdaptiveCase]:
    """Two of twelve steps and one of thirty; for what begins after some steps, or once v's average has settled."""
    found = []
    for steps, beta2 in ((12, 31 / 32), (12, 7 / 8), (30, 127 / 128)):
        rows = [tuple(float((t * t + 3 * t * j + j) % 7 - 3) / 2 for j in range(2)) for t in range(1, steps + 1)]
        one = AdaptiveCase(
            (1.0, -2.0),
            tuple(rows),
            tuple(2.0 ** -(t * t % 3) if schedule else 0.5 for t in range(steps)),
            0.75,
            beta2,
            1 / 16,
            gamma=0.625,
            weight_decay=0.125 if decay else 0.0,
            momentum_decay=0.5,
            start=0.5,
            dtype=dtype,
        )
        found.append(replace(one, **{name: x for name, x in fixed if decay or name != "weight_decay"}))
    return found


def matrices(dtype: str, fixed: Fixed = ()) -> list[AdaptiveCase]:
    """Matrices of 2 × 2 and 2 × 3; in two of three the gradient is first along the parameters, and then orthogonal."""
    found = []
    for columns, orthogonal in ((2, True), (2, False), (3, True)):
        theta = [float(2 * (i == j)) for i in range(2) for j in range(columns)]
        rows = [[float((3 * t + 5 * k + t * k) % 7 - 3) / 2 for k in range(2 * columns)] for t in range(3)]
        if orthogonal:
            rows[0] = [x / 2 for x in theta]
            rows[1] = [0.0 if x else float(k + 1) for k, x in enumerate(theta)]
        plain = AdaptiveCase(
            tuple(theta), tuple(map(tuple, rows)), (0.5,) * 3, gamma=0.5, dtype=dtype, arrays=((2, columns),)
        )
        found.append(replace(plain, **dict(fixed)))
    return found


@lru_cache(maxsize=64)
def cases(
    dtype: str, fixed: Fixed = (), examples: int = 40, *, schedule: bool = False, decay: bool = False
) -> tuple[AdaptiveCase, ...]:
    """So many that are drawn from a fixed seed, after the `ladder` and before the `long` ones; the plainer come first.

    Args:
        dtype, fixed, schedule, decay: as of `drawn`.
        examples: how many.
    """
    found: list[AdaptiveCase] = []

    def kept(case: AdaptiveCase) -> bool:
        found.append(case)
        return False

    how = settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    kind = {"schedule": schedule, "decay": decay}
    with suppress(NoSuchExample):
        find(drawn(dtype, fixed, **kind), kept, settings=how)
    ordered = sorted(found, key=lambda one: one.size)
    every = dict.fromkeys([*ladder(dtype, fixed, **kind), *ordered, *long(dtype, fixed, **kind)])
    return tuple(case for case in every if not schedule or len(set(case.eta)) > 1)
