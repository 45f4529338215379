r"""Proof steps as data, and how they end.

A chapter is one file in ``proofs_check/steps/`` that defines ``CHAPTER``; adding one changes no other file. Each of
its steps has a statement, its hypotheses, the method in one sentence, a function that settles it, and at least one
**planted error**: the statement with a constant changed, which the same function must refute. A step is as expected
only if the planted errors are refuted, so that an encoding that proves everything proves nothing.

A step ends as PROVED (for all values in the stated domain), REFUTED (with a witness, whose numbers show it) or
INCONCLUSIVE (with what was tried).
"""

from __future__ import annotations

__all__ = ["Chapter", "Outcome", "Planted", "Step", "both", "chapters", "open_", "proved", "refuted", "settle"]

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lemmascope.theory.verdict import SOURCES, Kind, Status, Verdict


@dataclass(frozen=True)
class Outcome:
    """What a method found.

    Attributes:
        status: PROVED, REFUTED or INCONCLUSIVE.
        reason: one sentence: what was shown, and for which values.
        witness: for REFUTED, names and numbers (floats, ints, strings) at which the statement fails, with its sides.
        evidence: more, JSON-ready.
    """

    status: Status
    reason: str
    witness: dict[str, Any] | None = None
    evidence: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.status not in (Status.PROVED, Status.REFUTED, Status.INCONCLUSIVE):
            raise ValueError(f"a proof step cannot end as {self.status}")
        if (self.witness is not None) != (self.status is Status.REFUTED):
            raise ValueError("a refutation has a witness, and nothing else has one")


def proved(reason: str, **evidence: Any) -> Outcome:
    """For all values of the stated domain."""
    return Outcome(Status.PROVED, reason, evidence=evidence)


def refuted(reason: str, witness: dict[str, Any], **evidence: Any) -> Outcome:
    """At the witness."""
    return Outcome(Status.REFUTED, reason, witness, evidence)


def open_(reason: str, **evidence: Any) -> Outcome:
    """Not settled; the reason says what was tried."""
    return Outcome(Status.INCONCLUSIVE, reason, evidence=evidence)


def both(*links: tuple[str, Outcome]) -> Outcome:
    """A proof of several links, each with its name: PROVED if all are; else the first REFUTED, else the first open one.

    The links are to be *sufficient* for the statement. So use it only where a refuted link refutes the statement
    itself, or where the links are the statement's parts.
    """
    for status in (Status.REFUTED, Status.INCONCLUSIVE):
        for name, found in links:
            if found.status is status:
                return replace(found, reason=f"{name}: {found.reason}")
    evidence: dict[str, Any] = {name: found.reason for name, found in links}
    return Outcome(Status.PROVED, "; ".join(name for name, _ in links), evidence=evidence)


@dataclass(frozen=True)
class Planted:
    """The statement with an error in it, which must be refuted.

    Args:
        description: what is changed, in plain words or symbols ("1/4 in place of 1/2").
        constants: the keyword arguments of `Step.prove` that change it.
    """

    description: str
    constants: Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """A statement and how a machine settles it.

    Args:
        id: dotted name, unique: ``"chapter.statement"``.
        statement: LaTeX, with its quantifiers.
        plain: the same in plain text, for a terminal.
        hypotheses: the conditions under which it is stated, in plain text.
        method: one sentence on how it is settled.
        prove: settles it; its keyword arguments are the constants of the statement, their defaults the stated values.
        planted: errors that it must refute.
        kind: identity or bound.
        source: one of `theory.verdict.SOURCES`.
        expected: PROVED, or REFUTED for a statement that is known to be false and is shown to be.
    """

    id: str
    statement: str
    plain: str
    hypotheses: tuple[str, ...]
    method: str
    prove: Callable[..., Outcome]
    planted: tuple[Planted, ...]
    kind: Kind = Kind.IDENTITY
    source: str = "derived"
    expected: Status = Status.PROVED

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise ValueError(f"{self.id}: the source must be one of {', '.join(SOURCES)}")
        if self.expected not in (Status.PROVED, Status.REFUTED):
            raise ValueError(f"{self.id}: a step is expected to be PROVED or REFUTED")
        if self.expected is Status.PROVED and not self.planted:
            raise ValueError(f"{self.id}: an encoding without a planted error is not tested")


@dataclass(frozen=True)
class Chapter:
    """The steps of one file.

    Args:
        number: its place in the argument.
        title: short, in plain words.
        steps: in the order in which they build on each other.
    """

    number: int
    title: str
    steps: tuple[Step, ...]


def chapters() -> tuple[Chapter, ...]:
    """Every chapter of ``proofs_check/steps/``, in order."""
    from lemmascope.proofs_check import steps

    modules = pkgutil.walk_packages(steps.__path__, f"{steps.__name__}.")
    found = [importlib.import_module(module.name).CHAPTER for module in modules if not module.ispkg]
    return tuple(sorted(found, key=lambda chapter: chapter.number))


def settle(step: Step, *, controls: bool = True) -> Verdict:
    """The step's verdict; with ``controls``, after the planted errors have been put to the same function."""
    found = step.prove()
    control = None
    if controls and step.planted:
        statuses = [step.prove(**planted.constants).status for planted in step.planted]
        missed = [p.description for p, s in zip(step.planted, statuses, strict=True) if s is not Status.REFUTED]
        control = {
            "description": "; ".join(p.description for p in step.planted) if not missed else f"missed: {missed[0]}",
            "status": Status.REFUTED.value if not missed else Status.INCONCLUSIVE.value,
        }
    return Verdict(
        claim=step.id,
        optimizer="",
        statement=step.statement,
        kind=step.kind,
        source=step.source,
        status=found.status,
        expected=step.expected,
        reason=found.reason,
        plain=step.plain,
        hypotheses=tuple({"name": text, "statement": text} for text in step.hypotheses),
        witness=found.witness,
        evidence={"method": step.method, **found.evidence},
        control=control,
    )
