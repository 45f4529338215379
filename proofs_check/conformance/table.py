"""Optimizers × identities: found, and as data."""

from __future__ import annotations

__all__ = [
    "SCHEMA",
    "Row",
    "as_json",
    "counterexamples",
    "examine",
    "irreproducible",
    "names_for",
    "read",
    "reasons",
    "sign",
]

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from lemmascope.proofs_check.conformance.adapters import Untried
from lemmascope.proofs_check.conformance.adaptive.which import which
from lemmascope.proofs_check.conformance.assertion import explanation
from lemmascope.proofs_check.conformance.case import DTYPES, FEATURES, LARGE, STEPS, WIDE, Case
from lemmascope.proofs_check.conformance.identities import IDENTITIES, STRUCTURE, drawn_over
from lemmascope.proofs_check.conformance.instead import decay_of, forms_of
from lemmascope.proofs_check.conformance.kept import Kept, kept
from lemmascope.proofs_check.conformance.known.library import Known
from lemmascope.proofs_check.conformance.search import EXAMPLES, Finding, Mark, judge, satisfied
from lemmascope.proofs_check.conformance.trial import BUDGET, Budget, Trial
from lemmascope.theory.errors import InputError

SCHEMA = "lemmascope-identities/2"
DECAYS = ("weight_decay[coupled]", "weight_decay[decoupled]")


@dataclass(frozen=True)
class Row:
    """One optimizer with a finding for each identity.

    Attributes:
        known: the optimizer, what it is meant to be, and what is to be known of it.
        findings: by identity.
        satisfies: the conventions that were found to hold; None where not every identity was tried.
        forms: in words, what it is where it satisfies none of them.
        decay: how its weight decay enters; None where it takes none, or that was not tried.
        which: which algorithm it is, as `adaptive.which.Identification.as_json`; None where that was not asked.
        explanation: what its owner is told where it does not keep what it is held to.
        seconds: that each identity took.
    """

    known: Known
    findings: dict[str, Finding]
    satisfies: tuple[str, ...] | None = None
    forms: tuple[str, ...] = ()
    decay: str | None = None
    which: dict[str, Any] | None = None
    explanation: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def optimizer(self) -> str:
        """Its name."""
        return self.known.subject.name

    @property
    def kept(self) -> Kept | None:
        """What is said of the convention that it is meant to follow; None where there is none."""
        meant = self.known.subject.convention
        return None if meant is None else kept(meant, self.findings, self.known.decay)

    @property
    def failing(self) -> tuple[Finding, ...]:
        """Of what it is held to, its convention with structure and the decay that it is to have, what fails.

        What is known to depart from its documentation is not among them.
        """
        if self.kept is not None:
            found = self.kept.failing
        else:
            decay = self.findings.get(f"weight_decay[{self.known.decay}]")
            found = (decay,) if decay is not None and decay.mark is Mark.FAILS else ()
        return tuple(f for f in found if f.identity not in self.known.departs)

    @property
    def untried(self) -> tuple[Finding, ...]:
        """What could not be tried of that; of all, where a user's own is meant to follow no convention."""
        if self.irreproducible:
            return ()  # that is what is said of it
        if self.kept is not None:
            return self.kept.untried
        if not self.known.momentum:
            return ()  # squares of large numbers overflow
        return tuple(f for f in self.findings.values() if f.mark is Mark.UNTRIED)

    @property
    def irreproducible(self) -> bool:
        """Whether two runs from the same inputs differ."""
        first = self.findings.get("reproducible")
        return first is not None and first.mark is Mark.FAILS


def names_for(identities: Iterable[str] | None = None, *, momentum: bool = True) -> tuple[str, ...]:
    """The names of the identities to try: of those that are asked for, or else of all.

    Args:
        identities: names.
        momentum: whether those of momentum are among them.

    Raises:
        InputError: one of them is none.
    """
    names = tuple(IDENTITIES) if identities is None else tuple(dict.fromkeys(identities))
    for name in names:
        if name not in IDENTITIES:
            raise InputError("identity", name, f"it must be one of {', '.join(IDENTITIES)}")
    return names if momentum else tuple(name for name in names if name in (*STRUCTURE, *DECAYS))


def examine(
    known: Known,
    *,
    identities: Iterable[str] | None = None,
    exactly: bool = False,
    dtypes: Sequence[str] = DTYPES,
    examples: int = EXAMPLES,
    budget: float = BUDGET,
    progress: Callable[[int], None] = lambda count: None,
) -> Row:
    """Try the identities on an optimizer.

    Args:
        known: the optimizer.
        identities: names; all by default.
        exactly: also find out which algorithm it is.
        dtypes: of `proofs_check.conformance.formats.FORMATS`.
        examples: cases for each identity and dtype.
        budget: seconds for all of it.
        progress: called with 1 after each identity.

    Raises:
        InputError: for an unknown identity.
    """
    names, allowed = names_for(identities, momentum=known.momentum), Budget(budget)
    trial = Trial(known.subject, allowed)
    times = [time.monotonic()]

    def judged(count: int) -> None:
        times.append(time.monotonic())
        progress(count)

    findings = judge(trial, names, dtypes=dtypes, examples=examples, progress=judged)
    row = Row(known, findings, seconds=dict(zip(findings, np.diff(times).tolist(), strict=True)))
    if set(names) == set(IDENTITIES) and not row.irreproducible:
        marks = {name: finding.mark for name, finding in findings.items()}
        row = replace(row, satisfies=satisfied(marks.__getitem__, momentum=trial.has("gamma")))
    if row.satisfies == ():
        row = replace(row, forms=tuple(forms_of(trial, dtypes=dtypes, examples=examples)))
    if exactly and not row.irreproducible:
        row = replace(row, which=_algorithm(known, allowed))
    if row.failing:
        said = explanation(trial, list(row.failing), examples=examples, dtypes=dtypes)
        row = replace(row, explanation=said)
    return replace(row, decay=_decay(trial, findings, dtypes, examples))


def _algorithm(known: Known, allowed: Budget) -> dict[str, Any]:
    if allowed.spent:
        return {"optimizer": known.subject.name, "names": [], "untold": [allowed.said]}
    try:
        return which(known.subject).as_json()
    except (Untried, InputError) as error:
        return {"optimizer": known.subject.name, "names": [], "untold": [str(error)]}


def _decay(trial: Trial, findings: dict[str, Finding], dtypes: Sequence[str], examples: int) -> str | None:
    """How weight decay enters, where that was tried and is not open."""
    tried = {name.removeprefix("weight_decay[")[:-1]: findings[name].mark for name in DECAYS if name in findings}
    for kind, mark in tried.items():
        if mark is Mark.HOLDS:
            return kind
    if len(tried) < len(DECAYS) or any(mark is not Mark.FAILS for mark in tried.values()):
        return None
    return decay_of(trial, dtypes=dtypes, examples=examples) or "neither"


def as_json(rows: Iterable[Row], **settings: Any) -> dict[str, Any]:
    """JSON-ready; `read` takes it back."""
    return {
        "schema": SCHEMA,
        **settings,
        "sizes": {"drawn": [STEPS, WIDE], "fixed": [list(size) for size in LARGE]},
        "features": FEATURES,
        "identities": {name: identity.statement for name, identity in IDENTITIES.items()},
        "drawn_over": {name: drawn_over(identity) for name, identity in IDENTITIES.items()},
        "optimizers": [_row(row) for row in rows],
    }


def _row(row: Row) -> dict[str, Any]:
    said = row.kept
    return {
        "optimizer": row.optimizer,
        "documented": row.known.documented,
        "remark": row.known.remark,
        "convention": row.known.subject.convention,
        "weight_decay": row.known.decay,
        "departs": list(row.known.departs),
        "keeps_convention": None if said is None else said.kept,
        "said": None if said is None else said.said,
        "satisfies": None if row.satisfies is None else list(row.satisfies),
        "forms": list(row.forms),
        "decay": row.decay,
        "which": row.which,
        "findings": {name: _finding(f) for name, f in row.findings.items()},
    }


def _finding(f: Finding) -> dict[str, Any]:
    return {
        "mark": f.mark.value,
        "reason": f.reason,
        "case": None if f.case is None else _case(f.case),
        "examples": f.examples,
        "over": list(f.over),
    }


def _case(case: Case) -> dict[str, Any]:
    return {**asdict(case), "missing": sorted(map(list, case.missing)), "text": case.text()}


def read(path: Path) -> dict[str, Any]:
    """A saved table.

    Raises:
        InputError: if it is none.
    """
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if found.get("schema") != SCHEMA:
        raise InputError("identities", str(path), f"it must be a file of the schema {SCHEMA}")
    return found


_SIGNS = {Mark.HOLDS: "✓", Mark.FAILS: "✗", Mark.NOT_APPLICABLE: "·", Mark.UNTRIED: "?"}


def sign(mark: str) -> str:
    """One character."""
    return _SIGNS[Mark(mark)]


def irreproducible(row: dict[str, Any]) -> bool:
    """Whether two runs of a saved row's optimizer differ, so that nothing else was judged."""
    first = row["findings"].get("reproducible")
    return first is not None and first["mark"] == Mark.FAILS


def counterexamples(found: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Of every ✗ and ?: optimizer, mark with identity, the smallest case if there is one, what is wrong in it."""
    return [
        (row["optimizer"], f"{sign(f['mark'])} {name}", f["case"]["text"] if f["case"] else "", f["reason"])
        for row in found["optimizers"]
        for name, f in row["findings"].items()
        if f["mark"] == Mark.FAILS or (f["mark"] == Mark.UNTRIED and not irreproducible(row))
    ]


def reasons(row: dict[str, Any]) -> dict[str, list[str]]:
    """Why identities do not apply to an optimizer, and which."""
    found: dict[str, list[str]] = {}
    for name, f in row["findings"].items():
        if f["mark"] == Mark.NOT_APPLICABLE:
            found.setdefault(f["reason"], []).append(name)
    return found
