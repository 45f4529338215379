"""Looking for a counterexample, and shrinking it: what an optimizer satisfies and what it does not."""

from __future__ import annotations

__all__ = ["EXAMPLES", "Finding", "Mark", "conventions_of", "satisfied", "seek"]

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis.errors import NoSuchExample

from lemmascope.proofs_check.conformance.adapters import Subject, Unsupported
from lemmascope.proofs_check.conformance.case import DTYPES, Case
from lemmascope.proofs_check.conformance.identities import IDENTITIES, OF_CONVENTION, Identity
from lemmascope.theory.errors import InputError

EXAMPLES = 100


class Mark(StrEnum):
    """How an identity came out for an optimizer."""

    HOLDS = "✓"
    FAILS = "✗"
    NOT_APPLICABLE = "n/a"


@dataclass(frozen=True)
class Finding:
    """One identity tried on one optimizer.

    Attributes:
        identity, optimizer: their names.
        mark: ✓ in every case tried, ✗ with a counterexample, n/a with the reason.
        reason: what is wrong in the counterexample, or why it does not apply.
        case: the smallest counterexample that was found, or None.
        examples: cases tried, over all dtypes, shrinking included.
    """

    identity: str
    optimizer: str
    mark: Mark
    reason: str = ""
    case: Case | None = None
    examples: int = 0


def _violation(identity: Identity, subject: Subject, case: Case) -> str | None:
    """What is wrong in the case; an exception of the optimizer's own is wrong, too."""
    try:
        return identity.check(subject, case)
    except (Unsupported, InputError):
        raise
    except AssertionError as error:
        return str(error)
    except Exception as error:
        return f"it raises {type(error).__name__}: {error}"


def seek(
    identity: Identity,
    subject: Subject,
    *,
    dtypes: Iterable[str] = DTYPES,
    examples: int = EXAMPLES,
    shrink: bool = True,
) -> Finding:
    """Look for a case in which the identity fails, in each dtype; the first that is found is shrunk.

    The search is the same each time: cases are drawn from a fixed seed. Without ``shrink`` it is faster where only the
    mark is wanted.
    """
    missing = identity.missing(subject)
    if missing is not None:
        return Finding(identity.name, subject.name, Mark.NOT_APPLICABLE, missing)
    how = settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
    )
    tried = 0

    def fails(case: Case) -> bool:
        nonlocal tried
        tried += 1
        return _violation(identity, subject, case) is not None

    for dtype in dtypes:
        try:
            case = find(identity.cases(subject, dtype), fails, settings=how)
        except NoSuchExample:
            continue
        except Unsupported as error:
            return Finding(identity.name, subject.name, Mark.NOT_APPLICABLE, str(error))
        reason = _violation(identity, subject, case)
        if reason is None:
            reason = "it fails in some runs from these inputs and not in others"
        return Finding(identity.name, subject.name, Mark.FAILS, reason, case, tried)
    return Finding(identity.name, subject.name, Mark.HOLDS, examples=tried)


def conventions_of(subject: Subject, *, dtype: str = "float64", examples: int = EXAMPLES) -> tuple[str, ...]:
    """The conventions all of whose identities hold for the optimizer, as far as they apply to it."""
    known: dict[str, Mark] = {}

    def mark(name: str) -> Mark:
        if name not in known:
            known[name] = seek(IDENTITIES[name], subject, dtypes=(dtype,), examples=examples, shrink=False).mark
        return known[name]

    return satisfied(mark, momentum=subject.has("gamma"))


def satisfied(mark: Callable[[str], Mark], *, momentum: bool) -> tuple[str, ...]:
    """The conventions none of whose identities fails, from the mark of each identity.

    Args:
        mark: from an identity's name to how it came out.
        momentum: whether the optimizer takes γ; if not, only "gd" is asked about, else every other one.
    """
    return tuple(
        convention
        for convention, names in OF_CONVENTION.items()
        if (convention == "gd") != momentum and all(mark(name) is not Mark.FAILS for name in names)
    )
