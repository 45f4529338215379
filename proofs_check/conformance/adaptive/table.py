"""What optimizers are, as data and as tables: one row each, where libraries differ, and the counterexamples."""

from __future__ import annotations

__all__ = [
    "SCHEMA",
    "as_json",
    "counterexamples_markdown",
    "differences",
    "differences_markdown",
    "examine",
    "read",
    "rows_markdown",
]

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lemmascope.proofs_check.conformance.adapters import Untried
from lemmascope.proofs_check.conformance.adaptive.case import WORDS
from lemmascope.proofs_check.conformance.adaptive.form import AXES, choice
from lemmascope.proofs_check.conformance.adaptive.known import FAMILIES, Shown
from lemmascope.proofs_check.conformance.adaptive.which import Excluded, Identification, which
from lemmascope.proofs_check.text import escaped
from lemmascope.theory.errors import InputError

SCHEMA = "lemmascope-algorithms/1"


def examine(
    shown: Iterable[Shown], *, examples: int = 40, progress: Callable[[str], None] = lambda name: None
) -> list[tuple[Shown, Identification]]:
    """Identify each; one that cannot be tried has no names, and the reason.

    Args:
        shown: the optimizers.
        examples: cases drawn for each stage.
        progress: called with each name, before.
    """
    found = []
    for one in shown:
        progress(one.subject.name)
        try:
            said = which(one.subject, hidden=dict(one.hidden), examples=examples)
        except Untried as error:
            said = Identification(one.subject.name, (), (), (), (f"anything: {error}",), {}, "", 0, 0)
        found.append((one, replace(said, excluded=_hardest(said.excluded))))
    return found


def _hardest(excluded: Iterable[Excluded]) -> tuple[Excluded, ...]:
    """Of each axis the alternative that takes the longest counterexample to refute; all conventions of momentum."""
    kept: dict[str, Excluded] = {}
    for one in excluded:
        key = one.what if one.axis in ("momentum", "form") else one.axis
        if key not in kept or len(one.case) > len(kept[key].case):
            kept[key] = one
    return tuple(kept.values())


def as_json(found: Iterable[tuple[Shown, Identification]], **settings: Any) -> dict[str, Any]:
    """JSON-ready; `read` takes it back."""
    rows = [{"family": one.family, **said.as_json()} for one, said in found]
    rows.sort(key=lambda row: FAMILIES.index(row["family"]))
    return {"schema": SCHEMA, **settings, "optimizers": rows}


def read(path: Path) -> dict[str, Any]:
    """What is saved.

    Raises:
        InputError: if it is none.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    if found.get("schema") != SCHEMA:
        raise InputError("algorithms", str(path), f"it must be a file of the schema {SCHEMA}")
    return found


def _said(row: Mapping[str, Any]) -> str:
    names = row["names"]
    if not names:
        return "none of them"
    return names[0] if len(names) == 1 else f"one of {len(names)}: {', or '.join(names)}"


_PLAIN = ("how weight decay enters (its maker takes none)", "what its float64 iterates have")
"""What is not told and needs no words in the table: a blank, and what the number type says."""


def rows_markdown(found: Mapping[str, Any]) -> str:
    """One row for each optimizer: what it is, its formula, and what is not told."""
    lines = ["| optimizer | what it is | one step, t = 1, 2, … |", "|---|---|---|"]
    for row in found["optimizers"]:
        notes = [f"not told: {words.split(': ')[0]}" for words in row["untold"] if not words.startswith(_PLAIN)]
        if row["assumed"]:
            notes.append("with " + ", ".join(f"{WORDS[name]} = {x:g}" for name, x in row["assumed"].items()))
        if row["names"] and row["dtype"] != "float64":
            notes.append(f"in {row['dtype']}")
        said = "; ".join([_said(row), *notes])
        formula = row["formulas"][0] if row["formulas"] else "–"
        lines.append(f"| `{row['optimizer']}` | {escaped(said)} | {escaped(formula)} |")
    return "\n".join(lines)


_NO_CHOICE = {("decay", "none"), ("start", "given")}
"""An option that is left to the user, or that is not there, is no difference."""


def differences(found: Mapping[str, Any]) -> list[tuple[str, str, dict[str, list[str]]]]:
    """Family, axis, and from each choice on it to the optimizers that have it: where there is more than one."""
    rows = []
    for family in FAMILIES:
        members = [row for row in found["optimizers"] if row["family"] == family and len(row["axes"]) == 1]
        for axis in ("convention", *AXES):
            by: dict[str, list[str]] = {}
            for row in members:
                chosen = row["axes"][0]
                value = chosen.get(axis)
                if value is not None and (axis, value) not in _NO_CHOICE:
                    words = value if axis == "convention" else choice(axis, value, chosen.get("memory", ""))
                    by.setdefault(words, []).append(row["optimizer"])
            if len(by) > 1:
                rows.append((family, axis, by))
    return rows


def differences_markdown(found: Mapping[str, Any]) -> str:
    """Where optimizers of one name are different algorithms, as a table."""
    lines = ["| called | they differ in | which has it how |", "|---|---|---|"]
    for family, axis, by in differences(found):
        cell = "<br>".join(f"{escaped(words)}: {', '.join(f'`{x}`' for x in names)}" for words, names in by.items())
        lines.append(f"| {family} | {axis.replace('_', ' of ') if axis != 'convention' else 'momentum'} | {cell} |")
    return "\n".join(lines)


def counterexamples_markdown(found: Mapping[str, Any]) -> str:
    """For each optimizer, folded, what it is not, and the case that says so."""
    parts = []
    for row in found["optimizers"]:
        parts += ["<details>", f"<summary><code>{row['optimizer']}</code>: {escaped(_said(row))}</summary>", ""]
        parts.append(
            f"Left of {row['forms']} forms by {row['cases']} cases in {row['dtype']}.\n" if row["forms"] else ""
        )
        if row["excluded"]:
            parts += ["| it is not | in the case | where |", "|---|---|---|"]
            parts += [f"| {escaped(x['what'])} | {x['case']} | {escaped(x['reason'])} |" for x in row["excluded"]]
        parts += ["", "</details>", ""]
    return "\n".join(parts).rstrip()
