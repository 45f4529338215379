r"""Proof steps as data, and how they end.

A chapter is one file in ``proofs_check/steps/SUBJECT/`` that defines ``CHAPTER``; adding one changes no other file. It
says after which others it comes, and has no number of its own: that is its place in the order. Each of its steps has a
statement, its hypotheses, the method in one sentence, a function that settles it, and at least one **planted error**:
the statement with a constant changed, which the same function must refute. A step is as expected only if the planted
errors are refuted, so that an encoding that proves everything proves nothing.

A step ends as PROVED (for all values in the stated domain), REFUTED (with a witness, whose numbers show it) or
INCONCLUSIVE (with what was tried).
"""

from __future__ import annotations

__all__ = [
    "Chapter",
    "Outcome",
    "Planted",
    "Step",
    "as_chapter",
    "both",
    "chapters",
    "in_order",
    "open_",
    "proved",
    "refuted",
    "settle",
]

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import Any

from lemmascope.theory.errors import InputError
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
        kind: identity or bound.
        source: one of `theory.verdict.SOURCES`.
        expected: PROVED, or REFUTED for a statement that is known to be false and is shown to be.

    Raises:
        InputError: an unknown source, kind or expected status; hypotheses or planted errors that are none; a statement
            that is to be proved and has no planted error.
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
            raise InputError("source", self.source, f"for {self.id} it must be one of {', '.join(SOURCES)}")
        if not isinstance(self.kind, Kind):
            raise InputError("kind", self.kind, f"for {self.id} it must be a Kind, such as Kind.BOUND")
        if self.expected not in (Status.PROVED, Status.REFUTED):
            raise InputError("expected", str(self.expected), f"{self.id} is expected to be PROVED or REFUTED")
        if isinstance(self.hypotheses, str):
            raise InputError("hypotheses", self.hypotheses, f"for {self.id} they must be several: write (text,)")
        if not all(isinstance(one, Planted) for one in self.planted):
            raise InputError("planted", self.planted, f"for {self.id} each must be a Planted(description, constants)")
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
    """

    title: str
    steps: tuple[Step, ...]
    after: tuple[str, ...] = ()
    subject: str = ""
    name: str = ""
    number: int = 0

    @property
    def heading(self) -> str:
        """The title, with the number where it has one."""
        return f"{self.number}. {self.title}" if self.number else self.title

    @property
    def path(self) -> str:
        """Subject and name, "cubic_cnn.gradient"."""
        return f"{self.subject}.{self.name}" if self.subject else self.name


def chapters() -> tuple[Chapter, ...]:
    """Every chapter of ``proofs_check/steps/``, in any depth, in order.

    A file whose name starts with an underscore is none.

    Raises:
        InputError: a file defines no chapter, or `in_order` refuses.
    """
    from lemmascope.proofs_check import steps

    def stop(name: str) -> None:
        raise  # the error with which a package did not import, which would be passed over

    found = []
    for module in pkgutil.walk_packages(steps.__path__, f"{steps.__name__}.", onerror=stop):
        path = module.name.removeprefix(f"{steps.__name__}.")
        subject, _, name = path.partition(".") if "." in path else ("", "", path)
        if module.ispkg or name.rpartition(".")[2].startswith("_"):
            continue
        chapter = getattr(importlib.import_module(module.name), "CHAPTER", None)
        if not isinstance(chapter, Chapter):
            raise InputError("chapter", path, "the file must define CHAPTER = Chapter(…), or begin with an underscore")
        found.append(replace(chapter, subject=subject, name=name))
    return in_order(found)


def in_order(chapters: Iterable[Chapter]) -> tuple[Chapter, ...]:
    """The chapters numbered: each follows those that it says it comes after, otherwise by folder and file.

    Raises:
        InputError: a chapter comes after one that does not exist, or whose name is shared by several, or after itself.
    """
    every = {chapter.path: chapter for chapter in chapters}
    before = {path: [_named(name, chapter, every) for name in chapter.after] for path, chapter in every.items()}
    sorter = TopologicalSorter(before)
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise InputError("after", circle, "chapters must not come after each other in a circle") from error
    ready: list[tuple[str, str]] = []
    order: list[Chapter] = []
    while sorter.is_active():
        for path in sorter.get_ready():
            heappush(ready, (every[path].subject, every[path].name))
        subject, name = heappop(ready)
        path = f"{subject}.{name}" if subject else name
        order.append(replace(every[path], number=len(order) + 1))
        sorter.done(path)
    return tuple(order)


def _named(name: str, chapter: Chapter, every: Mapping[str, Chapter]) -> str:
    """The path of the chapter that ``chapter`` names."""
    found = [path for path, one in every.items() if name in (path, one.name)]
    if not found:
        raise InputError("after", name, f"{chapter.path} comes after it, and the chapters are {', '.join(every)}")
    if len(found) > 1:
        raise InputError("after", name, f"{chapter.path} comes after it, and must say which: {' or '.join(found)}")
    return found[0]


def as_chapter(objects: Mapping[str, Any] | Iterable[Any], name: str) -> Chapter:
    """The chapter that a user's own objects make: their ``CHAPTER`` or their steps, in their order.

    Args:
        objects: what a module has at its top level, ``vars(module)``, or only the values.
        name: of the file, without its ending.

    Raises:
        InputError: there is neither a step nor a chapter, or there are several chapters.
    """
    values = list(objects.values() if isinstance(objects, Mapping) else objects)
    whole = list({id(one): one for one in values if isinstance(one, Chapter)}.values())
    loose = list({id(one): one for one in values if isinstance(one, Step)}.values())
    if len(whole) > 1:
        raise InputError("chapter", name, f"it must define one Chapter, and defines {len(whole)}")
    if not whole and not loose:
        raise InputError("chapter", name, "it must define at least one Step, or a Chapter, at its top level")
    if not whole:
        told = str(objects.get("__doc__") or "").strip() if isinstance(objects, Mapping) else ""
        return Chapter(title=told.partition("\n")[0].rstrip(".") or name, steps=tuple(loose), name=name)
    listed = {id(step) for step in whole[0].steps}
    more = tuple(step for step in loose if id(step) not in listed)
    return replace(whole[0], steps=whole[0].steps + more, subject="", name=name, number=0)


def settle(step: Step, *, chapter: str = "", controls: bool = True) -> Verdict:
    """The step's verdict.

    Args:
        step: what is settled.
        chapter: the title of its chapter, for the verdict's evidence.
        controls: whether the planted errors are put to the same function.

    Raises:
        InputError: the step's function fails, or returns something else than an `Outcome` that can be saved as JSON.
    """
    found = _outcome(step)
    control = None
    if controls and step.planted:
        statuses = [_outcome(step, planted).status for planted in step.planted]
        missed = [p.description for p, s in zip(step.planted, statuses, strict=True) if s is not Status.REFUTED]
        control = {
            "description": "; ".join(p.description for p in step.planted) if not missed else f"missed: {missed[0]}",
            "status": Status.REFUTED.value if not missed else Status.INCONCLUSIVE.value,
        }
    planted = [one.description for one in step.planted]
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
        control=control,
    )


def _outcome(step: Step, planted: Planted | None = None) -> Outcome:
    """What the step's function finds, for the statement or for a planted error; its failures are told with its name."""
    what = "its prove" if planted is None else f"its prove, with the planted error {planted.description!r},"
    try:
        found = step.prove(**({} if planted is None else planted.constants))
    except Exception as error:
        why = f"{what} must settle the statement, and failed ({type(error).__name__}: {error})"
        raise InputError("step", step.id, why) from error
    if not isinstance(found, Outcome):
        why = f"{what} must return an Outcome, made by proved, refuted or open_, and not {type(found).__name__}"
        raise InputError("step", step.id, why)
    try:
        json.dumps([found.witness, found.evidence])
    except (TypeError, ValueError) as error:
        why = f"{what} must give numbers, strings, lists and dicts as witness and evidence ({error})"
        raise InputError("step", step.id, why) from error
    return found
