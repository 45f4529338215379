"""The cases that an identity is tried in: small ones drawn from a fixed seed, and large ones, always the same.

In each block of four small cases every feature that is optional is in just one, so that few cases have all of them
already, and some more most pairs. Of what magnitude its numbers are is said by case: small integers; numbers around 1;
one magnitude for all; or any magnitude for each, subnormal numbers too.
"""

from __future__ import annotations

__all__ = ["cases", "drawn", "large"]

from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from itertools import islice
from random import Random
from typing import Any

from lemmascope.proofs_check.conformance.case import FEATURES, STEPS, WIDE, Case
from lemmascope.proofs_check.conformance.formats import FORMATS

Shape = tuple[int, ...]
BLOCK = 4
LAYOUTS: dict[tuple[str, ...], dict[int, list[tuple[Shape, ...]]]] = {
    ("arrays",): {2: [((1,), (1,))], 3: [((2,), (1,))], 4: [((2,), (2,)), ((1,), (1,), (2,))]},
    ("matrices",): {1: [((1, 1),)], 2: [((1, 2),)], 3: [((3, 1),), ((1, 3, 1),)], 4: [((2, 2),)]},
    ("arrays", "matrices"): {
        2: [((1, 1), (1,))],
        3: [((2, 1), (1,)), ((1,), (1, 2))],
        4: [((2,), (1, 2)), ((1, 1), (3,))],
    },
}
"""Into which arrays n coordinates are laid. They are few, as some libraries compile anew for each."""


def _entries(random: Random, dtype: str, small_integers: bool) -> Callable[[], float]:
    """Entries of the parameters and gradients of a case."""
    form = FORMATS[dtype]
    low, high = form.least - form.digits, form.drawn - 1
    one = random.randint(low, high)

    def integer() -> float:
        return float(random.randint(-8, 8))

    def around_one() -> float:
        return form.rounded(random.uniform(-4, 4))

    def of_one_magnitude() -> float:
        return form.rounded(random.uniform(-2, 2) * 2.0**one)

    def of_any() -> float:
        return form.rounded(random.uniform(-2, 2) * 2.0 ** random.randint(low, high))

    return integer if small_integers else random.choice([integer, integer, around_one, of_one_magnitude, of_any])


def _rate(random: Random, dtype: str) -> float:
    """η: 1, powers of two and others in [2⁻²⁰, 4], all of them normal numbers."""
    form = FORMATS[dtype]
    least = max(-20, form.least)
    any_size = form.rounded(random.uniform(1, 2) * 2.0 ** random.randint(least, 1))
    return random.choice([1.0, 2.0 ** random.randint(-10, 2), any_size, form.rounded(random.uniform(0.125, 4))])


def _gamma(random: Random, dtype: str) -> float:
    """γ in (0, 1), those in use and those close to 1 among them."""
    form = FORMATS[dtype]
    most = 1 - 2.0**-form.close
    used = [x for x in map(form.rounded, (0.5, 0.25, 0.9, 0.99, 0.999)) if x <= most]
    close = 1 - 2.0 ** -random.randint(1, form.close)
    anywhere = form.rounded(random.uniform(2.0**-10, min(most, 1 - 2.0**-10)))
    return random.choice([random.choice(used), close, anywhere])


def cases(
    random: Random,
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
) -> Iterator[Case]:
    """Cases of one dtype, without end.

    Args:
        random: from which they are drawn.
        dtype: of all numbers.
        momentum: γ > 0; else γ = 0.
        always, over: of `proofs_check.conformance.case.FEATURES`, those that each case has, and those that a quarter of
            them has.
        constant_gradient: all gradients are the same.
        steps, size: smallest and largest T and n.
        small_integers: entries small integers, so that small combinations of them are exact.
        dampening: None, ``"gamma"`` (equal to γ) or ``"any"``.
        maximize: given to the optimizer.
    """
    optional = [name for name in FEATURES if name in over and name not in always]
    while True:
        places = {name: random.randrange(BLOCK) for name in optional}
        for place in range(BLOCK):
            has = {*always, *(name for name in optional if places[name] == place)}
            T = random.randint(max(steps[0], 1 + ("zero_rate" in has)), steps[1])
            n = random.randint(max(size[0], 1 + ("arrays" in has)), size[1])
            entry = _entries(random, dtype, small_integers)
            gammas = tuple(_gamma(random, dtype) for _ in range(T)) if momentum else (0.0,) * T
            rows = [tuple(entry() for _ in range(n)) for _ in range(T)]
            at = random.randrange(T)
            if "zero_gradient" in has:
                rows[at] = (0.0,) * n
            eta = [_rate(random, dtype) for _ in range(T)]
            if not has & {"schedule", "zero_rate"}:
                eta = eta[:1] * T
            if "zero_rate" in has:
                eta[random.choice([0, random.randrange(T)])] = 0.0  # at first, or anywhere
            arrays: tuple[Shape, ...] = ()
            if has & {"arrays", "matrices"}:
                arrays = random.choice(LAYOUTS[tuple(sorted(has & {"arrays", "matrices"}))][n])
            gone = {(random.randrange(T), random.randrange(max(len(arrays), 1))) for _ in range(random.randint(1, 3))}
            tau = random.choice([0.0, 0.5, 0.25, 0.875])
            yield Case(
                theta=tuple(entry() for _ in range(n)),
                gradients=tuple(rows[at : at + 1] * T if constant_gradient else rows),
                eta=tuple(eta),
                gamma=gammas[0],
                dtype=dtype,
                dampening=None if dampening is None else gammas[0] if dampening == "gamma" else tau,
                weight_decay=2.0 ** -random.randint(FORMATS[dtype].weak, 7) if "weight_decay" in has else None,
                maximize=maximize,
                arrays=arrays,
                momenta=gammas if "momentum_schedule" in has and momentum else None,
                missing=frozenset(gone) if "missing_gradient" in has else frozenset(),
            )


@lru_cache(maxsize=256)
def drawn(dtype: str, examples: int, **options: Any) -> tuple[Case, ...]:
    """The cases that a search tries, in its order; the same for every optimizer.

    Args:
        dtype, options: as of `cases`.
        examples: how many to draw.
    """
    said = ", ".join(f"{name}={sorted(x) if isinstance(x, frozenset) else x}" for name, x in sorted(options.items()))
    return tuple(islice(cases(Random(f"{dtype}: {said}"), dtype, **options), examples))


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
