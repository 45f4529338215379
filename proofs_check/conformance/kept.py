"""Whether an optimizer keeps the convention that it is meant to follow: said only of what was tried."""

from __future__ import annotations

__all__ = ["KINDS_OF_DECAY", "Kept", "kept", "meant_for", "names_of"]

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.identities import OF_CONVENTION, STRUCTURE
from lemmascope.proofs_check.conformance.reference import CONVENTIONS
from lemmascope.proofs_check.conformance.search import Finding, Mark
from lemmascope.theory.errors import InputError

KINDS_OF_DECAY = ("coupled", "decoupled")


def names_of(convention: str, weight_decay: str | None = None) -> tuple[str, ...]:
    """The identities that an optimizer of a convention satisfies, those of structure first.

    Raises:
        InputError: for an unknown convention or kind of weight decay.
    """
    if convention not in OF_CONVENTION:
        known = "; ".join(f"{c.name!r}: {c.formula}" for c in CONVENTIONS.values())
        raise InputError("convention", convention, f"it must be one of {known}")
    if weight_decay is not None and weight_decay not in KINDS_OF_DECAY:
        raise InputError("weight_decay", weight_decay, f"it must be one of {', '.join(KINDS_OF_DECAY)}, or None")
    decay = () if weight_decay is None else (f"weight_decay[{weight_decay}]",)
    return (*STRUCTURE, *OF_CONVENTION[convention], *decay)


def meant_for(subject: Subject, convention: str, weight_decay: str | None = None) -> tuple[str, ...]:
    """`names_of`, for an optimizer that can follow the convention at all.

    Raises:
        InputError: as `names_of`; if it takes no momentum, or for "gd" one; if it takes no weight decay, and one is
            demanded.
    """
    names = names_of(convention, weight_decay)
    if weight_decay is not None and not subject.has("weight_decay"):
        raise InputError("weight_decay", weight_decay, "make_optimizer takes no weight_decay")
    if convention != "gd" and not subject.has("gamma"):
        why = subject.missing_momentum or "no momentum"
        raise InputError("convention", convention, f"make_optimizer takes no gamma or momentum: {why}")
    if convention == "gd" and subject.has("gamma"):
        raise InputError("convention", convention, "make_optimizer takes a momentum")
    return names


@dataclass(frozen=True)
class Kept:
    """What was found of an optimizer's convention.

    Attributes:
        convention: its name.
        weight_decay: the kind that was demanded, or None.
        failing, untried: findings of its identities, of structure and of the demanded decay too.
        holding: how many of the identities of the convention itself, and of the decay, were tried and hold.
        applying: how many of them there are that apply.
    """

    convention: str
    weight_decay: str | None
    failing: tuple[Finding, ...]
    untried: tuple[Finding, ...]
    holding: int
    applying: int

    @property
    def kept(self) -> bool | None:
        """True if all that belongs to it was tried and holds, False if some fails, else None: nothing is said."""
        if self.failing:
            return False
        return True if not self.untried and 0 < self.holding == self.applying else None

    @property
    def said(self) -> str:
        """In words, after "it"."""
        name = f"{self.convention!r}{f' with {self.weight_decay} weight decay' if self.weight_decay else ''}"
        of = f"of its {self.applying} identities"
        if self.kept:
            return f"keeps {name} ({self.holding} {of})"
        if self.failing:
            others = f" and {len(self.failing) - 1} more" if len(self.failing) > 1 else ""
            return f"does not keep {name}: {self.failing[0].identity}{others} fails"
        if self.untried:
            return (
                f"may or may not keep {name}: {self.untried[0].identity} could not be tried; {self.holding} {of} hold"
            )
        tried = f"only {self.holding} {of} were" if self.holding > 1 else f"{self.holding or 'none'} {of} was"
        return f"may or may not keep {name}: {tried} tried"


def kept(convention: str, findings: Mapping[str, Finding], weight_decay: str | None = None) -> Kept:
    """What the findings, of some identities or of all, say of a convention."""
    names = names_of(convention, weight_decay)
    own = names[len(STRUCTURE) :]

    def marked(mark: Mark, which: Iterable[str]) -> tuple[Finding, ...]:
        return tuple(f for name in which if (f := findings.get(name)) is not None and f.mark is mark)

    return Kept(
        convention,
        weight_decay,
        marked(Mark.FAILS, names),
        marked(Mark.UNTRIED, names),
        len(marked(Mark.HOLDS, own)),
        len(own) - len(marked(Mark.NOT_APPLICABLE, own)),
    )
