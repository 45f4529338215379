"""Everything that is stated: the claims of all studies and subjects, and the proof steps, with files and verdicts."""

from __future__ import annotations

__all__ = ["Entry", "Saved", "claims", "entry", "house", "spell_seconds", "stated_in", "steps", "subjects"]

import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lemmascope.cli import lazily
from lemmascope.sims import registry
from lemmascope.sims.checksums import PROVENANCE
from lemmascope.sims.sizes import spell_seconds
from lemmascope.sims.study import Study
from lemmascope.theory.claim import Claim

THEORY = Path(str(importlib.import_module("lemmascope.theory").__file__)).resolve().parent
PROVED = "proofs"
"""The name under which verdicts of proof steps are saved."""


@dataclass(frozen=True)
class Entry:
    """Something that is stated.

    Attributes:
        id, what: its name; "claim" or "step".
        subject, studies: the subject's folder, and the studies that judge it.
        kind, source, plain, statement, conditions, expected: as the claim or the step has them.
        checked: the method of a step, the control of a claim.
        file: where it is stated, from the folder of the houses on.
    """

    id: str
    what: str
    subject: str
    studies: tuple[str, ...]
    kind: str
    source: str
    plain: str
    statement: str
    conditions: tuple[str, ...]
    checked: str
    expected: str
    file: str


@dataclass(frozen=True)
class Saved:
    """Verdicts in a folder of results.

    Attributes:
        study: whose; path: the file; verdicts: as saved.
    """

    study: str
    path: Path
    verdicts: tuple[Mapping[str, Any], ...]

    @property
    def good(self) -> int:
        """How many are as expected."""
        return sum(bool(v.get("as_expected")) for v in self.verdicts)

    @classmethod
    def within(cls, folder: Path) -> Iterator[Saved]:
        """Those of every folder of whole results in ``folder``; others are passed over.

        Raises:
            ResultsError: the verdicts, or what says where they come from, were changed since they were written.
        """
        from lemmascope.sims.report.verdicts import read_results

        for path in sorted(folder.glob(f"*/{PROVENANCE}")):
            found = read_results(path.parent)
            if found is not None:
                yield cls(str(found["study"]), path.parent / "verdicts.json", tuple(found["verdicts"]))


def subjects() -> tuple[str, ...]:
    """The subjects of the house, by their folders in theory/."""
    return tuple(sorted(path.parent.name for path in THEORY.glob("*/__init__.py")))


def house(path: Path) -> str:
    """A path from the folder on in which the houses lie: ``theory/SUBJECT/claims/NAME.py``; others as they are."""
    path = path.resolve()
    roots = [THEORY.parent, Path(__file__).resolve().parents[1]]
    return next((str(path.relative_to(root)) for root in roots if path.is_relative_to(root)), str(path))


@cache
def _sources(folder: Path) -> Mapping[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py"))}


def _line(name: str, sources: Mapping[Path, str]) -> str:
    """FILE:LINE of the first place where a name stands in quotes."""
    for path, text in sources.items():
        at = text.find(f'"{name}"')
        if at >= 0:
            return f"{house(path)}:{text.count(chr(10), 0, at) + 1}"
    return ""


def stated_in(claim: Claim, study: Study[Any] | None, subject: str = "") -> str:
    """FILE:LINE where a claim is stated, FILE where its id is composed, else where its measure is defined."""
    subject = study.subject if study is not None else subject
    places: list[Mapping[Path, str]] = []
    if study is not None and study.file:
        places.append({Path(study.file): Path(study.file).read_text(encoding="utf-8")})
    elif subject in subjects():
        places.append(_sources(THEORY / subject))
    if study is not None and not study.file:
        path = registry.FOLDER / f"{study.name}.py"
        places.append({path: path.read_text(encoding="utf-8")})
    for sources in places:
        if found := _line(claim.id, sources):
            return found
    for name, module in list(sys.modules.items()):
        if name.startswith(f"lemmascope.theory.{subject}.") and not hasattr(module, "__path__"):
            lists = [x for x in vars(module).values() if type(x) is tuple]
            if any(one is claim for some in lists for one in some):
                return house(Path(str(module.__file__)))
    measure = claim.measure
    while hasattr(measure, "func"):  # a partial
        measure = measure.func
    code = getattr(measure, "__code__", None)
    return "" if code is None else f"{house(Path(code.co_filename))}:{code.co_firstlineno}"


def _of_subject(subject: str) -> tuple[Claim, ...]:
    name = f"lemmascope.theory.{subject}.claims"
    if find_spec(name) is None:
        return ()
    found = importlib.import_module(name).CLAIMS
    return tuple(found.values() if isinstance(found, Mapping) else found)


def entry(claim: Claim, subject: str, studies: Iterable[str], file: str) -> Entry:
    """A claim, as it stands in the catalogue."""
    return Entry(
        id=claim.id,
        what="claim",
        subject=subject,
        studies=tuple(studies),
        kind=f"{claim.kind.value} {claim.scope}".strip(),
        source=claim.source,
        plain=claim.plain,
        statement=claim.statement,
        conditions=tuple(f"{h.name}: {h.statement}" for h in claim.assumes),
        checked=f"{claim.control.description}, which must be REFUTED" if claim.control else "",
        expected=claim.expected.value,
        file=file,
    )


def claims(own: Iterable[Study[Any]] = ()) -> list[Entry]:
    """The claims of every subject and study of the house, each once, and those of studies of one's own."""
    with lazily.imports():
        house_studies = [registry.study(name) for name in registry.names()]
        by_subject = {subject: _of_subject(subject) for subject in subjects()}
    found: dict[tuple[str, str], Entry] = {}
    for subject, some in by_subject.items():
        for claim in some:
            judged = [s.name for s in house_studies if s.subject == subject and claim.id in {c.id for c in s.claims}]
            found[subject, claim.id] = entry(claim, subject, judged, stated_in(claim, None, subject))
    for study in (*house_studies, *own):
        for claim in study.claims:
            if (study.subject, claim.id) not in found:
                found[study.subject, claim.id] = entry(claim, study.subject, [study.name], stated_in(claim, study))
    return list(found.values())


def steps() -> list[Entry]:
    """The steps of `prove`."""
    from lemmascope.proofs_check import report

    folder = Path(str(report.__file__)).resolve().parent / "steps"
    sources = _sources(folder)
    return [
        Entry(
            id=one["id"],
            what="step",
            subject=one["subject"],
            studies=(PROVED,),
            kind=one["kind"],
            source=one["source"],
            plain=one["plain"],
            statement=one["statement"],
            conditions=tuple(one["hypotheses"]),
            checked=one["method"],
            expected=one["expected"],
            file=_line(one["id"], sources),
        )
        for one in report.catalogue()
    ]
