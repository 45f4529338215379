"""A counterexample made small: fewer steps and parameters, plainer numbers, nothing that it need not have to fail."""

from __future__ import annotations

__all__ = ["reduced"]

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import copysign
from typing import Any

from lemmascope.proofs_check.conformance.case import Case

TRIES = 500
"""Cases that are tried for a smaller one, at most."""
MANY = 60
"""Numbers of which each is made plainer by itself, at most."""
ENTRIES = (0.0, 1.0, -1.0, 2.0)
RATES = (1.0, 0.5, 2.0)
MOMENTA = (0.5, 0.75, 0.25)
Row = tuple[float, ...]


def reduced(case: Case, fails: Callable[[Case], bool], *, always: frozenset[str], options: Mapping[str, Any]) -> Case:
    """The first of the simpler cases that fails, again and again, until none does.

    Args:
        case: one that fails.
        fails: asked of each that is tried.
        always: the features that it must keep.
        options: those of `draws.cases` with which it was drawn, whose bounds it keeps.
    """
    tries = 0
    case = _shorter(case, fails, *_least(options))
    while tries < TRIES:
        for simpler in _simpler(case, always, options):
            tries += 1
            if fails(simpler):
                case = simpler
                break
            if tries >= TRIES:
                return case
        else:
            return case
    return case


def _least(options: Mapping[str, Any]) -> tuple[int, int]:
    """Steps and parameters that a case must have."""
    return options.get("steps", (1,))[0], options.get("size", (1,))[0]


def _shorter(case: Case, fails: Callable[[Case], bool], steps: int, size: int) -> Case:
    """As few of the first steps and of the first coordinates as fail; a large case first with plain numbers."""

    def kept(simpler: Case) -> Case:
        return simpler if fails(simpler) else case

    T, n = len(case.gradients), len(case.theta)
    if case.large:
        case = kept(replace(case, arrays=(), missing=frozenset(), momenta=None))
        case = kept(replace(case, eta=(1.0,) * T))
        case = kept(replace(case, theta=(0.0,) * n))
        case = kept(replace(case, gradients=((1.0,) * n,) * T))
    whole = case
    found = bisect_left(range(steps, T), True, key=lambda k: fails(whole.first(k)))
    case = kept(case.first(steps + found))
    if case.large and not case.arrays and not case.missing:
        whole = case
        found = bisect_left(range(size, n), True, key=lambda k: fails(whole.only(range(k))))
        case = kept(case.only(range(size + found)))
    return case


def _simpler(case: Case, always: frozenset[str], options: Mapping[str, Any]) -> Iterator[Case]:
    """Cases that are simpler in one respect, the greatest steps first."""
    T, n = len(case.gradients), len(case.theta)
    steps, size = _least(options)
    if case.features & {"arrays", "matrices"} and not always & {"arrays", "matrices"}:
        yield replace(case.without("arrays"), arrays=())
    for feature in sorted(case.features - always - {"schedule", "zero_gradient"}):
        yield case.without(feature)
    if steps < T:
        yield from (case.at([t for t in range(T) if t != gone]) for gone in reversed(range(min(T, MANY))))
    if n > size:
        yield from (case.only([j]) for j in reversed(range(n)) if size == 1 and n <= MANY)
        yield from (case.only([j for j in range(n) if j != gone]) for gone in reversed(range(min(n, MANY))))
    yield from (replace(case, missing=case.missing - {one}) for one in sorted(case.missing) if len(case.missing) > 1)
    if len(set(case.eta)) > 1:
        yield replace(case, eta=(1.0,) * T)
    if any(case.theta):
        yield replace(case, theta=(0.0,) * n)
    if T * n <= MANY:
        yield from _plainer_numbers(case, options)


def _plainer_numbers(case: Case, options: Mapping[str, Any]) -> Iterator[Case]:
    """One number plainer."""
    if options.get("constant_gradient"):
        yield from (replace(case, gradients=(row,) * len(case.gradients)) for row in _rows(case.gradients[0], ENTRIES))
    else:
        for t, row in enumerate(case.gradients):
            for plainer in _rows(row, ENTRIES):
                yield replace(case, gradients=(*case.gradients[:t], plainer, *case.gradients[t + 1 :]))
    yield from (replace(case, theta=row) for row in _rows(case.theta, ENTRIES))
    if case.constant:
        yield from (replace(case, eta=(rate,) * len(case.eta)) for rate in _plainer(case.eta[0], RATES))
    else:
        yield from (replace(case, eta=row) for row in _rows(case.eta, RATES))
    if case.gamma and case.momenta is None:
        for gamma in _plainer(case.gamma, MOMENTA):
            tau = gamma if options.get("dampening") == "gamma" else case.dampening
            yield replace(case, gamma=gamma, dampening=tau)
    elif case.momenta is not None:
        yield from (replace(case, momenta=row, gamma=row[0]) for row in _rows(case.momenta, MOMENTA))
    if case.weight_decay:
        yield from (replace(case, weight_decay=lam) for lam in _plainer(case.weight_decay, (0.125, 1.0, 0.5)))


def _rows(row: Row, plain: Row) -> Iterator[Row]:
    for j, x in enumerate(row):
        yield from ((*row[:j], plainer, *row[j + 1 :]) for plainer in _plainer(x, plain))


def _plainer(x: float, plain: Row) -> Iterator[float]:
    """The plain numbers before x in the list, or all; then a whole number near it; 0 for −0."""
    if x == 0 and copysign(1, x) < 0:
        yield 0.0
    yield from plain[: plain.index(x)] if x in plain else plain
    if x not in plain and x != int(x) and plain is ENTRIES and abs(x) < 2**20:
        yield float(int(x))
