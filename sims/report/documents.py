"""The documents' numbers and pictures, made from saved results: ``make readme``.

Each block between ``<!-- begin NAME -->`` and ``<!-- end NAME -->`` of the README and of pages in docs/ is rewritten
from what is committed: ``docs/headline/`` (``root-*.json``, the verdicts for each root seed; ``float32.json``, those
of root 0 in single precision), ``docs/boundaries/`` (``phase.json``, ``scaling.json``) and ``docs/proofs/``
(``proofs.json``, ``identities.json``). A test holds the documents to them.
"""

from __future__ import annotations

__all__ = [
    "BOUNDARIES",
    "FIGURES",
    "ROOT",
    "blocks",
    "boundaries",
    "documents",
    "main",
    "proofs",
    "rewritten",
    "saved",
    "single",
]

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from lemmascope.proofs_check import report as proofs_report
from lemmascope.proofs_check.conformance import table
from lemmascope.sims.report.verdicts import COLUMNS, number, read_verdicts

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ("coefficients", "stages", "accuracy", "data")
BOUNDARIES = ("phase", "scaling")
ENDS = ("png", "caption.txt")


def _cell(cell: dict[str, Any]) -> str:
    interval = f"[{cell['low']:.3f}, {cell['high']:.3f}], {cell['passed']}/{cell['seeds']}"
    return f"{cell['mark']} {cell['accuracy']:.3f} <sub>{interval}</sub>"


def _talk(found: list[dict[str, Any]]) -> str:
    lines = ["| root seed | | " + " | ".join(COLUMNS) + " |", "|---|---|" + "---|" * len(COLUMNS)]
    for verdicts in found:
        for name, row in verdicts["table"].items():
            lines.append(f"| {verdicts['root_seed']} | {name} | " + " | ".join(_cell(row[c]) for c in COLUMNS) + " |")
    seeds = len(found[0]["seeds"])
    lines.append("")
    lines.append(
        f"Accuracy after {found[0]['iterations']} iterations: median over {seeds} seeds [smallest, largest], and the "
        "number of seeds that pass (training accuracy 1; test accuracy at least 0.99)."
    )
    return "\n".join(lines)


def _bound(v: dict[str, Any]) -> str:
    low, high = v["lower"], v["upper"]
    if v["computed"] is None:
        return "–"
    if low is not None and high is not None:
        return f"in [{number(low)}, {number(high)}]"
    return f"≥ {number(low)}" if low is not None else f"≤ {number(high)}"


def _claims(found: list[dict[str, Any]]) -> str:
    lines = [
        "| claim | on | statement | computed | bound | verdict | seeds | control |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for v in found[0]["verdicts"]:
        held = f"{len(v['holding'])}/{len(v['seeds'])}" if v["seeds"] else "–"
        control = v["control"]["status"] if v["control"] else "–"
        plain = v["plain"].replace("|", "\\|").replace("*", "\\*")
        lines.append(
            f"| `{v['claim']}` | {v['optimizer']} | {plain} | {number(v['computed'])} | {_bound(v)} | {v['status']} "
            f"| {held} | {control} |"
        )
    return "\n".join(lines)


def _precision(double: dict[str, Any], single: dict[str, Any]) -> str:
    lines = [
        "| claim | on | float64 | float32 | relative change | bound (float64) | verdicts | seeds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for a, b in zip(double["verdicts"], single["verdicts"], strict=True):
        if (a["claim"], a["optimizer"]) != (b["claim"], b["optimizer"]):
            raise ValueError("both precisions must have the same claims")
        x, y = a["computed"], b["computed"]
        change = "–" if x is None or y is None else number(abs(y - x) / abs(x or 1))
        held = [f"{len(v['holding'])}/{len(v['seeds'])}" if v["seeds"] else "–" for v in (a, b)]
        lines.append(
            f"| `{a['claim']}` | {a['optimizer']} | {number(x)} | {number(y)} | {change} | {_bound(a)} "
            f"| {_pair(a['status'], b['status'])} | {_pair(*held)} |"
        )
    return "\n".join(lines)


def _pair(a: str, b: str) -> str:
    return a if a == b else f"**{a} → {b}**"


def blocks(found: list[dict[str, Any]]) -> dict[str, str]:
    """The README's blocks by name, from the verdicts of one or more root seeds, the first being the main one."""
    return {"talk": _talk(found), "claims": _claims(found)}


def documents(root: Path = ROOT) -> dict[Path, dict[str, str]]:
    """Every document with its generated blocks, from what is committed."""
    found = saved(root)
    identities = table.read(root / "docs" / "proofs" / "identities.json")
    return {
        root / "README.md": blocks(found)
        | {
            "boundaries": _claims([boundaries(root)]),
            "proofs": proofs_report.as_markdown(proofs(root)),
            "identities": table.as_markdown(identities),
        },
        root / "docs" / "float32.md": {"precision": _precision(found[0], single(root))},
        root / "docs" / "proofs.md": {"steps": proofs_report.steps_markdown(proofs(root))},
        root / "docs" / "identities.md": {"counterexamples": table.counterexamples_markdown(identities)},
    }


def rewritten(text: str, blocks: dict[str, str]) -> str:
    """The text with its generated blocks replaced.

    Raises:
        ValueError: a block's marks are missing.
    """
    for name, block in blocks.items():
        pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        # A function, so that no backslash of the block is read as a reference to a group.
        text, count = pattern.subn(lambda match, block=block: f"{match[1]}{block}\n{match[2]}", text)  # type: ignore[misc]
        if count != 1:
            raise ValueError(f"the document must have one block {name!r}")
    return text


def saved(root: Path = ROOT) -> list[dict[str, Any]]:
    """The committed verdicts, by root seed."""
    return [read_verdicts(path) for path in sorted((root / "docs" / "headline").glob("root-*.json"))]


def single(root: Path = ROOT) -> dict[str, Any]:
    """The committed verdicts of root 0 in single precision."""
    return read_verdicts(root / "docs" / "headline" / "float32.json")


def boundaries(root: Path = ROOT) -> dict[str, Any]:
    """The committed verdicts of both studies, one after the other."""
    found = [read_verdicts(root / "docs" / "boundaries" / f"{name}.json") for name in BOUNDARIES]
    return {"verdicts": [v for study in found for v in study["verdicts"]]}


def proofs(root: Path = ROOT) -> dict[str, Any]:
    """The committed verdicts of the proof steps."""
    return json.loads((root / "docs" / "proofs" / "proofs.json").read_text())


COPIES = {
    "headline/verdicts.json": "headline/root-0.json",
    "root-1/verdicts.json": "headline/root-1.json",
    "root-2/verdicts.json": "headline/root-2.json",
    "float32/verdicts.json": "headline/float32.json",
    **{f"headline/figures/{name}.{end}": f"headline/{name}.{end}" for name in FIGURES for end in ENDS},
    **{f"{name}/verdicts.json": f"boundaries/{name}.json" for name in BOUNDARIES},
    **{f"{name}/figures/{name}.{end}": f"boundaries/{name}.{end}" for name in BOUNDARIES for end in ENDS},
    "proofs/verdicts.json": "proofs/proofs.json",
    "identities/identities.json": "proofs/identities.json",
}
"""What of a folder of results goes where in docs/."""


def main(results: str) -> None:
    """Copy what there is in a folder of results to docs/, and rewrite the documents."""
    for source, target in COPIES.items():
        if (Path(results) / source).exists():
            (ROOT / "docs" / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(results) / source, ROOT / "docs" / target)
    for path, made in documents().items():
        path.write_text(rewritten(path.read_text(), made))


if __name__ == "__main__":
    main(*sys.argv[1:])
