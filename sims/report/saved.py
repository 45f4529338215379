"""What is kept in docs/, and the tables and links that the documents are made of."""

from __future__ import annotations

__all__ = ["BEGIN", "ROOT", "Saved", "anchor", "as_table", "bound", "cell", "link", "slug"]

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lemmascope.proofs_check.conformance import table as identities_table
from lemmascope.proofs_check.conformance.adaptive import table as algorithms_table
from lemmascope.proofs_check.text import escaped
from lemmascope.sims import registry
from lemmascope.sims.checksums import PROVENANCE, check_seal, read_json, read_provenance
from lemmascope.sims.report.verdicts import read_verdicts
from lemmascope.sims.tables import number

ROOT = Path(__file__).resolve().parents[2]
BEGIN = re.compile(r"<!-- begin (\w+)((?: [^\s>]+)*) -->\n")
"""Where a block begins: its name, and the words behind it."""


@dataclass(frozen=True)
class Saved:
    """What is kept in docs/.

    Args:
        root: of the repository.
    """

    root: Path = ROOT

    def folder(self, study: str) -> Path:
        """Of a study's saved results."""
        return self.root / "docs" / "studies" / study

    def page(self, study: str) -> Path:
        """A study's page."""
        return self.root / "docs" / "studies" / f"{study}.md"

    def studies(self) -> tuple[str, ...]:
        """The studies that have saved verdicts."""
        return tuple(name for name in registry.names() if (self.folder(name) / "verdicts.json").exists())

    def verdicts(self, study: str, run: str = "verdicts") -> dict[str, Any]:
        """A study's saved verdicts: the main ones, or those of another run by its name."""
        return read_verdicts(self.folder(study) / f"{run}.json")

    def roots(self, study: str) -> list[dict[str, Any]]:
        """A study's verdicts at every root seed that is kept."""
        paths = [self.folder(study) / "verdicts.json", *sorted(self.folder(study).glob("root-*.json"))]
        return [read_verdicts(path) for path in paths]

    def seconds(self, study: str) -> float | None:
        """How long the saved run took, or about how long one takes."""
        if (self.folder(study) / PROVENANCE).exists():
            return float(read_provenance(self.folder(study))["wall_seconds"])
        return registry.study(study).seconds

    @cached_property
    def claims(self) -> dict[str, tuple[str, list[dict[str, Any]]]]:
        """Each claim by its id: the study that judges it, and its verdicts."""
        found: dict[str, tuple[str, list[dict[str, Any]]]] = {}
        for study in self.studies():
            for v in self.verdicts(study)["verdicts"]:
                found.setdefault(v["claim"], (study, []))[1].append(v)
        return found

    @cached_property
    def proofs(self) -> dict[str, Any]:
        """The verdicts of the proof steps."""
        return read_verdicts(self.root / "docs" / "proofs" / "proofs.json")

    @cached_property
    def algorithms(self) -> dict[str, Any]:
        """Which algorithm each optimizer of the Adam family is."""
        return algorithms_table.read(self.root / "docs" / "proofs" / "algorithms.json")

    @cached_property
    def identities(self) -> dict[str, Any]:
        """Which identities of momentum each optimizer satisfies."""
        path = self.root / "docs" / "proofs" / "identities.json"
        check_seal(path, read_json(path, "identities"))
        return identities_table.read(path)


def cell(text: str) -> str:
    """Plain text as a cell of a table."""
    return escaped(text).replace("\n", "<br>")


def as_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def link(page: Path, target: Path, anchor: str = "") -> str:
    """From a page to a file, and to a place in it."""
    return Path(os.path.relpath(target, page.parent)).as_posix() + (f"#{anchor}" if anchor else "")


def bound(v: dict[str, Any]) -> str:
    """A verdict's bound, in words."""
    low, high = v["lower"], v["upper"]
    if v["computed"] is None:
        return "–"
    if low is not None and high is not None:
        return f"in [{number(low)}, {number(high)}]"
    if low is None and high is None:
        return "–"
    return f"≥ {number(low)}" if low is not None else f"≤ {number(high)}"


def anchor(heading: str) -> str:
    """Of a heading, as it is made where pages lie and by the site alike."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def slug(v: dict[str, Any]) -> str:
    """The anchor of a step's heading in docs/proofs.md."""
    return anchor(f"{v['claim']} {v['status']}")
