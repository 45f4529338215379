r"""Proof steps as data, and how one is settled.

A chapter is one file in ``proofs_check/steps/SUBJECT/`` that defines ``CHAPTER``; adding one changes no other file. It
says after which others it comes, and has no number of its own: that is its place in the order. Each of its steps has a
statement, its hypotheses, the method in one sentence, a function that settles it, and at least one **planted error**:
the statement with a constant changed, or a hypothesis, which the same function must refute. An encoding that proves
everything proves nothing. A step with a bound also has **weaker** statements, constants with which it says less and
stays true: the same function may leave them open, and must not refute them. A step is as expected only with both.

A step ends as PROVED (for all values in the stated domain), REFUTED (with a witness, whose numbers show it) or
INCONCLUSIVE (with what was tried): `proofs_check.outcome`.
"""

from __future__ import annotations

__all__ = ["Chapter", "Outcome", "Planted", "Step", "both", "open_", "proved", "refuted", "settle"]

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lemmascope.proofs_check.outcome import Outcome, both, open_, proved, refuted
from lemmascope.theory.errors import InputError
from lemmascope.theory.verdict import SOURCES, Kind, Status, Verdict


@dataclass(frozen=True)
class Planted:
    """The statement with an error in it, which must be refuted.

    Args:
        description: what is changed, in plain words or symbols ("1/4 in place of 1/2").
        constants: the keyword arguments of `Step.prove` that change it.
        hypothesis: whether what is changed is a hypothesis, and no constant of the conclusion.
    """

    description: str
    constants: Mapping[str, Any]
    hypothesis: bool = False

    @property
    def told(self) -> str:
        """The description, for a reader."""
        return f"{self.description} (a hypothesis)" if self.hypothesis else self.description


@dataclass(frozen=True, kw_only=True)
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
        weaker: for a bound, constants with which less is stated, each as keyword arguments of ``prove``: never refuted.
        kind: identity or bound.
        source: one of `theory.verdict.SOURCES`.
        expected: PROVED, or REFUTED for a statement that is known to be false and is shown to be.

    Raises:
        InputError: a field is of another type; an unknown source or expected status; a statement that is to be proved
            and has no planted error.
    """

    id: str
    statement: str
    plain: str
    hypotheses: tuple[str, ...]
    method: str
    prove: Callable[..., Outcome]
    planted: tuple[Planted, ...]
    weaker: tuple[Mapping[str, Any], ...] = ()
    kind: Kind = Kind.IDENTITY
    source: str = "derived"
    expected: Status = Status.PROVED

    def __post_init__(self) -> None:
        _check_text(self, "id", "statement", "plain", "method")
        if self.source not in SOURCES:
            raise InputError("source", self.source, f"for {self.id} it must be one of {', '.join(SOURCES)}")
        if not isinstance(self.kind, Kind):
            raise InputError("kind", self.kind, f"for {self.id} it must be a Kind, such as Kind.BOUND")
        if self.expected not in (Status.PROVED, Status.REFUTED):
            raise InputError("expected", str(self.expected), f"{self.id} is expected to be PROVED or REFUTED")
        if not callable(self.prove):
            raise InputError("prove", self.prove, f"for {self.id} it must be a function that returns an Outcome")
        _check_all(self, "hypotheses", _is_text, "several texts: write (text,)")
        _check_all(self, "planted", _is_planted, "several, each Planted(description, constants): write (Planted(…),)")
        _check_all(self, "weaker", _is_constants, "several dicts of prove's arguments: write ({name: value},)")
        if self.expected is Status.PROVED and not self.planted:
            why = f"{self.id} must have a planted error, for an encoding without one is not tested"
            raise InputError("planted", self.planted, why)


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """The steps of one file.

    Args:
        title: short, in plain words.
        steps: in the order in which they build on each other.
        after: the chapters that come before it, as it builds on them or is read after them: their names, with the
            subject where a name occurs twice ("cubic_cnn.gradient").
        subject, name: the folder and the file in which it was found; empty for one that was made elsewhere.
        number: its place in the order, from 1; 0 for one that has none.

    Raises:
        InputError: a field is of another type.
    """

    title: str
    steps: tuple[Step, ...]
    after: tuple[str, ...] = ()
    subject: str = ""
    name: str = ""
    number: int = 0

    def __post_init__(self) -> None:
        _check_text(self, "title")
        _check_all(self, "steps", lambda one: isinstance(one, Step), "several, each a Step: write (step,)")
        _check_all(self, "after", lambda one: isinstance(one, str), "several names: write (name,)")

    @property
    def heading(self) -> str:
        """The title, with the number where it has one."""
        return f"{self.number}. {self.title}" if self.number else self.title

    @property
    def path(self) -> str:
        """Subject and name, "cubic_cnn.gradient"."""
        return f"{self.subject}.{self.name}" if self.subject else self.name


def _name(of: Step | Chapter) -> str:
    return of.id if isinstance(of, Step) else f"the chapter {of.title!r}"


def _check_text(of: Step | Chapter, *fields: str) -> None:
    for field in fields:
        if not _is_text(getattr(of, field)) or not getattr(of, field):
            raise InputError(field, getattr(of, field), f"for {_name(of)} it must be a text that is not empty")


def _check_all(of: Step | Chapter, field: str, fits: Callable[[Any], bool], accepted: str) -> None:
    """Raise `InputError` unless the field is a tuple of what fits; a list becomes one."""
    value = getattr(of, field)
    if not isinstance(value, tuple | list) or not all(map(fits, value)):
        raise InputError(field, value, f"for {_name(of)} it must be {accepted}")
    object.__setattr__(of, field, tuple(value))


def _is_text(one: Any) -> bool:
    return isinstance(one, str) and one.encode("utf-8", "ignore").decode() == one  # no half of a surrogate pair


def _is_constants(one: Any) -> bool:
    return isinstance(one, Mapping) and all(isinstance(name, str) for name in one)


def _is_planted(one: Any) -> bool:
    return isinstance(one, Planted) and _is_text(one.description) and _is_constants(one.constants)


def settle(step: Step, *, chapter: str = "", controls: bool = True) -> Verdict:
    """The step's verdict.

    Args:
        step: what is settled.
        chapter: the title of its chapter, for the verdict's evidence.
        controls: whether the planted errors and the weaker statements are put to the same function.

    Raises:
        InputError: the step's function fails, or returns something else than an `Outcome` that can be saved as JSON.
    """
    found = _outcome(step)
    planted = [one.told for one in step.planted]
    return Verdict(
        claim=step.id,
        label="",
        statement=step.statement,
        kind=step.kind,
        source=step.source,
        status=found.status,
        expected=step.expected,
        reason=found.reason,
        plain=step.plain,
        hypotheses=tuple({"name": text, "statement": text} for text in step.hypotheses),
        witness=found.witness,
        evidence={**found.evidence, "chapter": chapter, "method": step.method, "planted": planted},
        control=_control(step) if controls and (step.planted or step.weaker) else None,
    )


def _control(step: Step) -> dict[str, str]:
    """REFUTED where every planted error is, and nothing weaker; INCONCLUSIVE with the first that is not as it must."""
    for one in step.planted:
        if _outcome(step, one.constants, f"the planted error {one.description!r}").status is not Status.REFUTED:
            return {"description": f"missed: {one.told}", "status": Status.INCONCLUSIVE.value}
    for constants in step.weaker:
        told = ", ".join(f"{name} = {value}" for name, value in constants.items())
        if _outcome(step, constants, f"the weaker {told}").status is Status.REFUTED:
            return {"description": f"refuted, and weaker: {told}", "status": Status.INCONCLUSIVE.value}
    return {"description": "; ".join(one.told for one in step.planted), "status": Status.REFUTED.value}


def _said(error: BaseException) -> str:
    with suppress(Exception):  # a user's error may fail even in saying what it is
        return f"{type(error).__name__}: {error}"
    return type(error).__name__


def _outcome(step: Step, constants: Mapping[str, Any] | None = None, which: str = "") -> Outcome:
    """What the step's function finds, for the statement or with other constants; failures are told with its name."""
    what = f"its prove, with {which}," if which else "its prove"
    try:
        found = step.prove(**(constants or {}))
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | MemoryError):
            raise
        why = f"{what} must settle the statement, and failed ({_said(error)})"  # also where it calls sys.exit
        raise InputError("step", step.id, why) from error
    if not isinstance(found, Outcome):
        why = f"{what} must return an Outcome, made by proved, refuted or open_, and not {type(found).__name__}"
        raise InputError("step", step.id, why)
    try:
        json.dumps([found.reason, found.witness, found.evidence], ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        why = f"{what} must give finite numbers, strings, lists and dicts as witness and evidence ({error})"
        raise InputError("step", step.id, why) from error
    return found
