"""Looking for a counterexample, and shrinking it: what an optimizer satisfies and what it does not."""

from __future__ import annotations

__all__ = ["EXAMPLES", "Finding", "Mark", "conventions_of", "satisfied", "seek"]

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from hypothesis import Phase, find
from hypothesis.errors import NoSuchExample

from lemmascope.proofs_check.conformance.adapters import Subject, Unsupported, Untried
from lemmascope.proofs_check.conformance.case import DTYPES, Case, how
from lemmascope.proofs_check.conformance.identities import IDENTITIES, OF_CONVENTION, Identity

EXAMPLES = 100
KEPT = 2000
"""Drawn cases that are kept for the next optimizer, at most; more are drawn anew for each."""


class Mark(StrEnum):
    """How an identity came out for an optimizer."""

    HOLDS = "✓"
    FAILS = "✗"
    NOT_APPLICABLE = "n/a"
    UNTRIED = "?"


@dataclass(frozen=True)
class Finding:
    """One identity tried on one optimizer.

    Attributes:
        identity, optimizer: their names.
        mark: ✓ in every case tried, ✗ with a counterexample, n/a with the reason, ? where the optimizer raises, or
            returns no finite numbers in the shape of its parameters, so that a case could not be tried.
        reason: what is wrong in the counterexample, why it does not apply, or could not be tried.
        case: the smallest counterexample that was found, the smallest case that could not be tried, or None.
        examples: cases tried, over all dtypes, large cases and shrinking included.
    """

    identity: str
    optimizer: str
    mark: Mark
    reason: str = ""
    case: Case | None = None
    examples: int = 0


def seek(
    identity: Identity,
    subject: Subject,
    *,
    dtypes: Iterable[str] = DTYPES,
    examples: int = EXAMPLES,
    shrink: bool = True,
) -> Finding:
    """Look for a case in which the identity fails, in each dtype; the first that is found is shrunk.

    The search is the same each time: small cases are drawn from a fixed seed, and where none fails the large ones are
    tried. Without ``shrink`` it is faster where only the mark is wanted. A failure that is found stands, whatever else
    could not be tried.
    """
    missing = identity.missing(subject)
    if missing is not None:
        return Finding(identity.name, subject.name, Mark.NOT_APPLICABLE, missing)
    dtypes, tried = tuple(dtypes), 0
    untried: list[tuple[int, Case, str]] = []

    def violation(case: Case) -> str | None:
        try:
            return identity.check(subject, case)
        except Untried as error:
            untried.append((len(case.gradients) * len(case.theta), case, str(error)))
            return None

    def fails(case: Case) -> bool:
        nonlocal tried
        tried += 1
        return violation(case) is not None

    def drawn(dtype: str) -> Case | None:
        nonlocal tried
        first, before = None, tried
        if examples <= KEPT:
            first = next((case for case in identity.drawn(subject, dtype, examples) if fails(case)), None)
            if first is None or not shrink:
                return first
            tried = before  # the search comes to it again, and counts
        phases = [Phase.generate, *([Phase.shrink] if shrink else [])]
        try:
            return find(identity.cases(subject, dtype), fails, settings=how(examples, phases))
        except NoSuchExample:
            return first

    def fixed(dtype: str) -> Case | None:
        found = next((case for case in identity.large(subject, dtype) if fails(case)), None)
        return _reduced(found, fails) if found is not None and shrink else found

    try:
        found = next((case for look in (drawn, fixed) for dtype in dtypes if (case := look(dtype)) is not None), None)
    except Unsupported as error:
        return Finding(identity.name, subject.name, Mark.NOT_APPLICABLE, str(error))
    if found is not None:
        reason = violation(found) or "it fails in some runs from these inputs and not in others"
        return Finding(identity.name, subject.name, Mark.FAILS, reason, found, tried)
    if untried:
        _, case, reason = min(untried, key=lambda one: one[0])
        return Finding(identity.name, subject.name, Mark.UNTRIED, reason, case, tried)
    return Finding(identity.name, subject.name, Mark.HOLDS, examples=tried)


def _reduced(case: Case, fails: Callable[[Case], bool]) -> Case:
    """A large case with plainer numbers, fewer steps and fewer parameters, as long as it fails."""

    def kept(plainer: Case) -> Case:
        return plainer if fails(plainer) else case

    T, n = len(case.gradients), len(case.theta)
    case = kept(replace(case, eta=(1.0,) * T))
    case = kept(replace(case, theta=(0.0,) * n))
    case = kept(replace(case, gradients=((1.0,) * n,) * T))
    whole = case
    case = kept(case.first(1 + bisect_left(range(1, T), True, key=lambda steps: fails(whole.first(steps)))))
    whole = case
    case = kept(case.only(range(1 + bisect_left(range(1, n), True, key=lambda most: fails(whole.only(range(most)))))))
    return kept(case.only([len(case.theta) - 1]))


def conventions_of(subject: Subject, *, dtype: str = "float64", examples: int = EXAMPLES) -> tuple[str, ...]:
    """The conventions all of whose identities hold for the optimizer, as far as they apply to it."""
    known: dict[str, Mark] = {}

    def mark(name: str) -> Mark:
        if name not in known:
            known[name] = seek(IDENTITIES[name], subject, dtypes=(dtype,), examples=examples, shrink=False).mark
        return known[name]

    return satisfied(mark, momentum=subject.has("gamma"))


def satisfied(mark: Callable[[str], Mark], *, momentum: bool) -> tuple[str, ...]:
    """The conventions none of whose identities fails or could not be tried, from the mark of each identity.

    Args:
        mark: from an identity's name to how it came out.
        momentum: whether the optimizer takes γ; if not, only "gd" is asked about, else every other one.
    """
    return tuple(
        convention
        for convention, names in OF_CONVENTION.items()
        if (convention == "gd") != momentum and all(mark(name) in (Mark.HOLDS, Mark.NOT_APPLICABLE) for name in names)
    )
