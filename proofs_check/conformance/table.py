"""Optimizers × identities: found, as data, and as text for documents and terminals."""

from __future__ import annotations

__all__ = ["SCHEMA", "Row", "as_json", "as_markdown", "counterexamples", "counterexamples_markdown", "examine", "read"]

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.assertion import names_of
from lemmascope.proofs_check.conformance.case import DTYPES, LARGE, STEPS, WIDE
from lemmascope.proofs_check.conformance.identities import IDENTITIES
from lemmascope.proofs_check.conformance.search import EXAMPLES, Finding, Mark, satisfied, seek
from lemmascope.proofs_check.text import escaped
from lemmascope.theory.errors import InputError

SCHEMA = "lemmascope-identities/1"


@dataclass(frozen=True)
class Row:
    """One optimizer with a finding for each identity.

    Attributes:
        optimizer: its name.
        convention: the one that it is meant to follow, or None.
        findings: by identity.
        satisfies: the conventions that were found to hold; None where not every identity was tried.
    """

    optimizer: str
    convention: str | None
    findings: dict[str, Finding]
    satisfies: tuple[str, ...] | None = None

    @property
    def failing(self) -> list[Finding]:
        """Identities of its own convention that fail."""
        return self._marked(Mark.FAILS, names_of(self.convention) if self.convention is not None else ())

    @property
    def untried(self) -> list[Finding]:
        """Identities of its own convention that could not be tried; any, where it follows none."""
        return self._marked(Mark.UNTRIED, names_of(self.convention) if self.convention is not None else self.findings)

    def _marked(self, mark: Mark, names: Iterable[str]) -> list[Finding]:
        return [f for name in names if (f := self.findings.get(name)) is not None and f.mark is mark]


def examine(
    subjects: Iterable[Subject],
    *,
    identities: Iterable[str] | None = None,
    dtypes: Sequence[str] = DTYPES,
    examples: int = EXAMPLES,
    progress: Callable[[int], None] = lambda count: None,
) -> list[Row]:
    """Try the identities on each optimizer.

    Args:
        subjects: the optimizers.
        identities: names; all by default.
        dtypes: "float32", "float64".
        examples: cases for each identity and dtype.
        progress: called with 1 after each identity of each optimizer.

    Raises:
        InputError: for an unknown identity.
    """
    names = tuple(IDENTITIES) if identities is None else tuple(identities)
    for name in names:
        if name not in IDENTITIES:
            raise InputError("identity", name, f"it must be one of {', '.join(IDENTITIES)}")
    rows = []
    for subject in subjects:
        findings = {}
        for name in names:
            findings[name] = seek(IDENTITIES[name], subject, dtypes=dtypes, examples=examples)
            progress(1)
        marks = {name: finding.mark for name, finding in findings.items()}
        satisfies = satisfied(marks.__getitem__, momentum=subject.has("gamma")) if identities is None else None
        rows.append(Row(subject.name, subject.convention, findings, satisfies))
    return rows


def as_json(rows: Iterable[Row], **settings: Any) -> dict[str, Any]:
    """JSON-ready; `read` takes it back."""

    def finding(f: Finding) -> dict[str, Any]:
        case = None if f.case is None else {**asdict(f.case), "text": f.case.text()}
        return {"mark": f.mark.value, "reason": f.reason, "case": case, "examples": f.examples}

    return {
        "schema": SCHEMA,
        **settings,
        "sizes": {"drawn": [STEPS, WIDE], "fixed": [list(size) for size in LARGE]},
        "identities": {name: identity.statement for name, identity in IDENTITIES.items()},
        "optimizers": [
            {
                "optimizer": row.optimizer,
                "convention": row.convention,
                "keeps_convention": not (row.failing or row.untried),
                "satisfies": None if row.satisfies is None else list(row.satisfies),
                "findings": {name: finding(f) for name, f in row.findings.items()},
            }
            for row in rows
        ],
    }


def read(path: Path) -> dict[str, Any]:
    """A saved table.

    Raises:
        InputError: if it is none.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    if found.get("schema") != SCHEMA:
        raise InputError("identities", str(path), f"it must be a file of the schema {SCHEMA}")
    return found


_SIGNS = {Mark.HOLDS: "✓", Mark.FAILS: "✗", Mark.NOT_APPLICABLE: "·", Mark.UNTRIED: "?"}


def sign(mark: str) -> str:
    """One character."""
    return _SIGNS[Mark(mark)]


def counterexamples(found: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Of every ✗ and ?: optimizer, mark with identity, the smallest case, what is wrong in it."""
    return [
        (row["optimizer"], f"{sign(f['mark'])} {name}", f["case"]["text"], f["reason"])
        for row in found["optimizers"]
        for name, f in row["findings"].items()
        if f["case"] is not None
    ]


def as_markdown(found: dict[str, Any]) -> str:
    """The table for a document, from `as_json`."""
    rows = found["optimizers"]
    head = [str(k) for k in range(1, len(rows) + 1)]
    lines = [f"| identity | {' | '.join(head)} |", "|---|" + ":-:|" * len(rows)]
    kept = ["–" if r["convention"] is None else "✓" if r["keeps_convention"] else "✗" for r in rows]
    names = list(rows[0]["findings"])
    for name in names:
        marks = " | ".join(sign(row["findings"][name]["mark"]) for row in rows)
        lines.append(f"| `{name}` {escaped(found['identities'][name])} | {marks} |")
    lines += [f"| **keeps the convention that it documents** | {' | '.join(kept)} |", ""]
    said = [f"{k} {row['optimizer']} ({', '.join(row['satisfies'] or ['–'])})" for k, row in enumerate(rows, start=1)]
    lines += [f"{'; '.join(said)}. In brackets the convention that was found.", ""]
    some = any(f["mark"] == Mark.UNTRIED for row in rows for f in row["findings"].values())
    lines += [f"✓ in every case tried, ✗ with a counterexample, · not applicable{', ? could not be tried' * some}."]
    return "\n".join(lines)


def counterexamples_markdown(found: dict[str, Any]) -> str:
    """Every ✗ with its case, and every reason why an identity does not apply, by optimizer."""
    lines = []
    for row in found["optimizers"]:
        meant = f"documented as `{row['convention']}`; " if row["convention"] else ""
        holds = ", ".join(f"`{name}`" for name in row["satisfies"] or ()) or "no convention of the list"
        lines += [f"### {row['optimizer']}", "", f"{meant}satisfies {holds}.", ""]
        wrong = [(n, case, why) for who, n, case, why in counterexamples(found) if who == row["optimizer"]]
        if wrong:
            lines += ["| fails | smallest case found | what is wrong |", "|---|---|---|"]
            lines += [
                f"| `{name.removeprefix('✗ ')}` | {escaped(case)} | {escaped(why)} |" for name, case, why in wrong
            ]
            lines.append("")
        reasons: dict[str, list[str]] = {}
        for name, f in row["findings"].items():
            if f["mark"] == Mark.NOT_APPLICABLE:
                reasons.setdefault(f["reason"], []).append(f"`{name}`")
        lines += [f"Not applicable ({reason}): {', '.join(names)}.\n" for reason, names in reasons.items()]
    return "\n".join(lines).rstrip()
