"""How a proof ends: PROVED for all values, REFUTED with a witness, or INCONCLUSIVE with what was tried."""

from __future__ import annotations

__all__ = ["Outcome", "both", "open_", "proved", "refuted"]

from dataclasses import dataclass, field, replace
from typing import Any

from lemmascope.theory.verdict import Status


@dataclass(frozen=True)
class Outcome:
    """What a method found.

    Attributes:
        status: PROVED, REFUTED or INCONCLUSIVE.
        reason: one sentence: what was shown, and for which values.
        witness: for REFUTED, names and numbers (floats, ints, strings) at which the statement fails, with its sides.
        evidence: more, JSON-ready.

    Raises:
        ValueError: the status, the reason, the witness or the evidence is none.
    """

    status: Status
    reason: str
    witness: dict[str, Any] | None = None
    evidence: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ends = (Status.PROVED, Status.REFUTED, Status.INCONCLUSIVE)
        if not isinstance(self.status, Status) or self.status not in ends:
            raise ValueError(f"a proof step cannot end as {self.status}")
        if not isinstance(self.reason, str):
            raise ValueError(f"the reason must be a sentence, and is {self.reason!r}")
        if (self.witness is not None) != (self.status is Status.REFUTED):
            raise ValueError("a refutation has a witness, and nothing else has one")
        if not isinstance(self.witness, dict | None) or not isinstance(self.evidence, dict):
            raise ValueError("witness and evidence must be dicts")


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

    Raises:
        ValueError: there are none, which would prove anything.
    """
    if not links:
        raise ValueError("a proof must have at least one link")
    for status in (Status.REFUTED, Status.INCONCLUSIVE):
        for name, found in links:
            if found.status is status:
                return replace(found, reason=f"{name}: {found.reason}")
    evidence: dict[str, Any] = {name: found.reason for name, found in links}
    return Outcome(Status.PROVED, "; ".join(name for name, _ in links), evidence=evidence)
