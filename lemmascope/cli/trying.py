"""Optimizers put to the identities of momentum, in this process or in several: the same findings.

An optimizer is told to another process by where it comes from, and is loaded there anew: what makes it may be a
function that cannot be sent.
"""

from __future__ import annotations

__all__ = ["Origin", "Wanted", "as_junit", "known_at", "listed", "tried"]

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

from lemmascope.proofs_check.conformance import known, table
from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.kept import KINDS_OF_DECAY, meant_for
from lemmascope.proofs_check.conformance.known import Known
from lemmascope.proofs_check.conformance.search import Finding, Mark
from lemmascope.sims.own import own_function
from lemmascope.sims.report.junit import Outcome, as_xml
from lemmascope.sims.run.processes import Lost, Processes
from lemmascope.theory.errors import InputError


@dataclass(frozen=True)
class Origin:
    """Where an optimizer comes from.

    Attributes:
        spec: ``FILE.py:NAME`` or ``package.module:NAME``; or the name of an optimizer of ``library``.
        name: for tables.
        library: one of `known.LIBRARIES` whose optimizer it is; for a user's own by what it is driven, or None.
        own: whether it is a user's own.
        convention, weight_decay: what a user's own is to keep.
    """

    spec: str
    name: str
    library: str | None
    own: bool = False
    convention: str | None = None
    weight_decay: str | None = None


@dataclass(frozen=True)
class Wanted:
    """What is to be found out of each; as of `table.examine`."""

    identities: tuple[str, ...] | None
    exactly: bool
    dtypes: tuple[str, ...]
    examples: int
    budget: float

    @property
    def steps(self) -> int:
        """Of each optimizer, for a progress bar."""
        return len(table.names_for(self.identities)) + 1


@lru_cache(maxsize=256)
def known_at(origin: Origin) -> Known:
    """The optimizer, loaded once in a process.

    Raises:
        InputError: it cannot be loaded, or not be what it is to keep.
    """
    if not origin.own:
        return next(one for one in known.optimizers(str(origin.library)) if one.subject.name == origin.name)
    subject = Subject(own_function(origin.spec, "optimizer"), origin.name, origin.library, origin.convention)
    if origin.convention is not None:
        meant_for(subject, origin.convention, origin.weight_decay)
    elif origin.weight_decay is not None:
        if origin.weight_decay not in KINDS_OF_DECAY:
            raise InputError("weight_decay", origin.weight_decay, f"it must be one of {', '.join(KINDS_OF_DECAY)}")
        if not subject.has("weight_decay"):
            raise InputError("weight_decay", origin.weight_decay, "make_optimizer takes no weight_decay")
    return Known(subject, decay=origin.weight_decay)


def listed(libraries: Sequence[str], processes: Processes | None) -> list[Origin]:
    """The optimizers of libraries; those are imported where the optimizers will be tried.

    Raises:
        InputError: a library is unknown or not installed.
    """
    found: list[Sequence[Origin]] = [()] * len(libraries)
    if processes is None:
        found = [_listed(library) for library in libraries]
    else:
        processes.run(_listed, libraries, found.__setitem__)
        if lost := [one.how for one in found if isinstance(one, Lost)]:
            raise InputError("library", ", ".join(libraries), f"one could not be imported: {lost[0]}")
    return [origin for origins in found for origin in origins]


def _listed(library: str, tell: Callable[[Any], None] = lambda how_far: None) -> list[Origin]:
    return [Origin(one.subject.name, one.subject.name, library) for one in known.optimizers(library)]


def tried(
    origins: Sequence[Origin], wanted: Wanted, processes: Processes | None, progress: Callable[[int], None]
) -> list[table.Row]:
    """A row of the table for each optimizer.

    Args:
        origins: the optimizers.
        wanted: what is to be found out.
        processes: where; None for this one.
        progress: called with a number of steps, of which each optimizer has `Wanted.steps`.
    """
    rows: dict[int, table.Row] = {}
    left = [wanted.steps] * len(origins)

    def told(index: int, count: int) -> None:
        left[index] -= count
        progress(count)

    def done(index: int, row: Any) -> None:
        rows[index] = _lost(origins[index], wanted, row.how) if isinstance(row, Lost) else row
        told(index, left[index])

    order = sorted(range(len(origins)), key=lambda k: -_cost(origins[k]))
    if processes is not None:
        processes.run(
            _examined,
            [(origins[k], wanted) for k in order],
            lambda k, row: done(order[k], row),
            lambda k, count: told(order[k], count),
        )
    else:
        for index, origin in enumerate(origins):
            with redirect_stdout(sys.stderr):  # what a user's code prints is no result
                row = _examined((origin, wanted), partial(told, index))
            done(index, row)
    return [rows[index] for index in range(len(origins))]


def _cost(origin: Origin) -> float:
    return 1.0 if origin.own else known.LIBRARIES[str(origin.library)].cost


def _examined(task: tuple[Origin, Wanted], tell: Callable[[int], None]) -> table.Row:
    origin, wanted = task
    row = table.examine(
        known_at(origin),
        identities=wanted.identities,
        exactly=wanted.exactly,
        dtypes=wanted.dtypes,
        examples=wanted.examples,
        budget=wanted.budget,
        progress=tell,
    )
    return replace(row, known=row.known.told)


def _lost(origin: Origin, wanted: Wanted, how: str) -> table.Row:
    """Of an optimizer whose process has ended."""
    names = table.names_for(wanted.identities)
    findings = {name: Finding(name, origin.name, Mark.UNTRIED, f"could not be tried: {how}") for name in names}
    return table.Row(known_at(origin).told, findings)


def as_junit(rows: Sequence[table.Row]) -> bytes:
    """JUnit's XML: a suite for each optimizer, a test for each identity.

    What the command's exit status calls a failure is one here too, and what could not be tried is an error; an identity
    that fails and to which the optimizer is not held is left out, with its counterexample.
    """
    return as_xml(
        "lemmascope identities", {row.optimizer: [_test(row, f) for f in row.findings.values()] for row in rows}
    )


def _test(row: table.Row, f: Finding) -> Outcome:
    seconds = row.seconds.get(f.identity, 0.0)
    why = ": ".join(filter(None, ("" if f.case is None else f.case.text(), f.reason)))
    if f.mark is Mark.HOLDS:
        return Outcome(f.identity, seconds)
    if f in row.failing:
        return Outcome(f.identity, seconds, "failure", why, row.explanation if f is row.failing[0] else why)
    if f in row.untried:
        return Outcome(f.identity, seconds, "error", why, why)
    if f.mark is Mark.FAILS:
        departs = f.identity in row.known.departs
        why = f"it fails, as is known: {row.known.remark}" if departs else f"it fails, and need not hold: {why}"
    return Outcome(f.identity, seconds, "skipped", why)
