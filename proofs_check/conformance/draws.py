"""The cases that an identity is tried in: drawn by Hypothesis from a fixed seed, and large ones, always the same."""

from __future__ import annotations

__all__ = ["cases", "drawn", "elements", "large", "momenta", "rates"]

from collections.abc import Collection
from contextlib import suppress
from functools import cache, lru_cache
from itertools import product
from typing import Any, Literal

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from lemmascope.proofs_check.conformance.case import STEPS, WIDE, Case
from lemmascope.proofs_check.conformance.formats import FORMATS

WIDTH: dict[str, Literal[16, 32, 64]] = {"float16": 16, "float32": 32, "float64": 64}
Shape = tuple[int, ...]


def _floats(dtype: str, low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers of the format, subnormal ones too."""
    if dtype in WIDTH:
        return st.floats(low, high, width=WIDTH[dtype])
    return st.floats(low, high, width=32).map(FORMATS[dtype].rounded)


@cache  # a strategy is validated when it is made
def elements(dtype: str, *, small_integers: bool = False) -> st.SearchStrategy[float]:
    """Entries of parameters and gradients: small integers; and, unless excluded, any size, subnormal ones too."""
    integers = st.integers(-8, 8).map(float)
    if small_integers:
        return integers
    top = 2.0 ** FORMATS[dtype].drawn
    return integers | _floats(dtype, -top, top) | _floats(dtype, -4, 4)


@cache
def rates(dtype: str) -> st.SearchStrategy[float]:
    """η: powers of two and others in [2⁻²⁰, 4], all of them normal numbers."""
    powers = st.integers(-10, 2).map(lambda k: 2.0**k)
    return st.just(1.0) | powers | _floats(dtype, max(2.0**-20, FORMATS[dtype].tiny), 4)


@cache
def momenta(dtype: str) -> st.SearchStrategy[float]:
    """γ in (0, 1), those in use and those close to 1 among them."""
    form = FORMATS[dtype]
    most = 1 - 2.0**-form.close
    used = [x for x in map(form.rounded, (0.5, 0.25, 0.9, 0.99, 0.999)) if x <= most]
    close = st.integers(1, form.close).map(lambda k: 1 - 2.0**-k)
    return st.sampled_from(used) | close | _floats(dtype, 2.0**-10, min(most, 1 - 2.0**-10))


@cache
def _rows(dtype: str, small_integers: bool, n: int) -> st.SearchStrategy[tuple[float, ...]]:
    return st.lists(elements(dtype, small_integers=small_integers), min_size=n, max_size=n).map(tuple)


@cache
def _layouts(n: int, arrays: bool, matrices: bool) -> tuple[tuple[Shape, ...], ...]:
    """The ways to lay n coordinates into one array or, with ``arrays``, several; one a matrix, with ``matrices``."""
    parts = [part for part in _partitions(n) if (len(part) > 1) == arrays]
    found = [layout for part in parts for layout in product(*(_shapes(size, matrices) for size in part))]
    return tuple(layout for layout in found if not matrices or any(len(shape) > 1 for shape in layout))


def _partitions(n: int) -> list[tuple[int, ...]]:
    """n as a sum, in every order."""
    return [(n,), *((*rest, last) for last in range(1, n) for rest in _partitions(n - last))]


def _shapes(size: int, matrices: bool) -> list[Shape]:
    if not matrices:
        return [(size,)]
    of_two = [(rows, size // rows) for rows in range(1, size + 1) if size % rows == 0]
    return [(size,), *of_two, (size, 1, 1)]


@st.composite
def cases(
    draw: st.DrawFn,
    dtype: str,
    *,
    momentum: bool = True,
    always: Collection[str] = (),
    over: Collection[str] = (),
    constant_gradient: bool = False,
    steps: tuple[int, int] = (1, STEPS),
    size: tuple[int, int] = (1, WIDE),
    small_integers: bool = False,
    dampening: str | None = None,
    maximize: bool | None = None,
) -> Case:
    """Cases of one dtype.

    Args:
        draw: Hypothesis's.
        dtype: of all numbers.
        momentum: γ > 0; else γ = 0.
        always, over: of `proofs_check.conformance.case.FEATURES`, those that each case has, and those that some have.
        constant_gradient: all gradients are the same.
        steps, size: smallest and largest T and n.
        small_integers: entries small integers, so that small combinations of them are exact.
        dampening: None, ``"gamma"`` (equal to γ) or ``"any"``.
        maximize: given to the optimizer.
    """
    some = {name for name in sorted(over) if name not in always and draw(st.integers(0, 3)) == 3}
    has = {*always, *some}
    if "momentum_schedule" in has and not momentum:
        has.remove("momentum_schedule")
    least = max(size[0], 2 if "arrays" in has else 1)
    T, n = draw(st.integers(*steps)), draw(st.integers(least, max(size[1], least)))
    row, rate = _rows(dtype, small_integers, n), rates(dtype)
    gammas = tuple(draw(momenta(dtype)) for _ in range(T if "momentum_schedule" in has else 1)) if momentum else (0.0,)
    gradients = [draw(row)] * T if constant_gradient else [draw(row) for _ in range(T)]
    if "zero_gradient" in has:
        at = draw(st.integers(0, T - 1))
        gradients = [(0.0,) * n if t == at or constant_gradient else row for t, row in enumerate(gradients)]
    changing = has & {"schedule", "zero_rate"}
    eta = [draw(rate) for _ in range(T)] if changing else [draw(rate)] * T
    if "zero_rate" in has:
        eta[draw(st.integers(0, T - 1))] = 0.0
    tau = None
    if dampening is not None:
        tau = gammas[0] if dampening == "gamma" else draw(st.sampled_from([0.0, 0.5, 0.25, 0.875]))
    lam = 2.0 ** -draw(st.integers(FORMATS[dtype].weak, 7)) if "weight_decay" in has else None
    arrays: tuple[Shape, ...] = ()
    if has & {"arrays", "matrices"}:
        arrays = draw(st.sampled_from(_layouts(n, "arrays" in has, "matrices" in has)))
    missing: frozenset[tuple[int, int]] = frozenset()
    if "missing_gradient" in has:
        places = st.tuples(st.integers(0, T - 1), st.integers(0, max(len(arrays), 1) - 1))
        missing = draw(st.frozensets(places, min_size=1, max_size=3))
    return Case(
        theta=draw(row),
        gradients=tuple(gradients),
        eta=tuple(eta),
        gamma=gammas[0],
        dtype=dtype,
        dampening=tau,
        weight_decay=lam,
        maximize=maximize,
        arrays=arrays,
        momenta=gammas if "momentum_schedule" in has else None,
        missing=missing,
    )


@lru_cache(maxsize=256)
def drawn(dtype: str, examples: int, **options: Any) -> tuple[Case, ...]:
    """The cases that a search tries, from a fixed seed, in its order; the same for every optimizer.

    To draw a case takes longer than to try it, so that they are kept for the next one.

    Args:
        dtype, options: as of `cases`.
        examples: how many to draw.
    """
    found: list[Case] = []

    def kept(case: Case) -> bool:
        found.append(case)
        return False

    how = settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    with suppress(NoSuchExample):
        find(cases(dtype, **options), kept, settings=how)
    return tuple(found)


@lru_cache(maxsize=256)
def large(
    dtype: str,
    steps: int,
    size: int,
    *,
    momentum: bool = True,
    has: Collection[str] = (),
    constant_gradient: bool = False,
    dampening: str | None = None,
    maximize: bool | None = None,
) -> Case:
    """A long or a wide case, always the same one; for what shows after many steps or with many parameters only.

    Its entries are small integers without a pattern in time, its rates powers of two, and γ = 7/8, or 3/4 by turns.
    ``has`` names its `proofs_check.conformance.case.FEATURES`.
    """
    rows = [tuple(float((t * t + 3 * t * j + 5 * j + 1) % 17 - 8) for j in range(size)) for t in range(1, steps + 2)]
    gradients = [rows[1]] * steps if constant_gradient else rows[1:]
    if "zero_gradient" in has and not constant_gradient:
        gradients = [(0.0,) * size if t % 7 == 3 else row for t, row in enumerate(gradients)]
    eta = [2.0 ** -(t * t % 5) if "schedule" in has else 0.5 for t in range(steps)]
    if "zero_rate" in has:
        eta = [0.0 if t % 6 == 0 else rate for t, rate in enumerate(eta)]
    gamma = 0.875 if momentum else 0.0
    changing = momentum and "momentum_schedule" in has
    layout = {
        frozenset({"arrays"}): ((size - 1,), (1,)),
        frozenset({"matrices"}): ((size, 1),),
        frozenset({"arrays", "matrices"}): (*(((2, 2),) if size > 4 else ()), (size - 4 if size > 4 else size, 1)),
    }
    arrays = layout.get(frozenset(has) & {"arrays", "matrices"}, ())
    return Case(
        theta=rows[0],
        gradients=tuple(gradients),
        eta=tuple(eta),
        gamma=gamma,
        dtype=dtype,
        dampening=None if dampening is None else gamma if dampening == "gamma" else 0.25,
        weight_decay=2.0**-5 if "weight_decay" in has else None,
        maximize=maximize,
        arrays=arrays,
        momenta=tuple(0.75 if t % 3 == 1 else gamma for t in range(steps)) if changing else None,
        missing=frozenset((t, 0) for t in range(2, steps, 5)) if "missing_gradient" in has else frozenset(),
    )
