"""The README's numbers and pictures, made from saved verdicts: ``make readme``.

Each block between ``<!-- begin NAME -->`` and ``<!-- end NAME -->`` is rewritten from ``docs/headline/root-*.json``,
the verdicts of one run for each root seed; a test holds the README to them.
"""

from __future__ import annotations

__all__ = ["ROOT", "blocks", "main", "rewritten"]

import re
import shutil
import sys
from pathlib import Path
from typing import Any

from sims.report import COLUMNS, number, read_verdicts

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ("coefficients", "stages", "accuracy", "data")


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


def blocks(found: list[dict[str, Any]]) -> dict[str, str]:
    """The generated blocks by name, from the verdicts of one or more root seeds, the first being the main one."""
    return {"talk": _talk(found), "claims": _claims(found)}


def rewritten(text: str, found: list[dict[str, Any]]) -> str:
    """The README's text with its generated blocks made anew.

    Raises:
        ValueError: a block's marks are missing.
    """
    for name, block in blocks(found).items():
        pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        # A function, so that no backslash of the block is read as a reference to a group.
        text, count = pattern.subn(lambda match, block=block: f"{match[1]}{block}\n{match[2]}", text)  # type: ignore[misc]
        if count != 1:
            raise ValueError(f"README.md must have one block {name!r}")
    return text


def saved(root: Path = ROOT) -> list[dict[str, Any]]:
    """The committed verdicts, by root seed."""
    return [read_verdicts(path) for path in sorted((root / "docs" / "headline").glob("root-*.json"))]


def main(folders: list[str]) -> None:
    """Copy verdicts and pictures from results folders (the first gives the pictures), and rewrite the README."""
    docs = ROOT / "docs" / "headline"
    docs.mkdir(parents=True, exist_ok=True)
    for place, folder in enumerate(map(Path, folders)):
        root_seed = read_verdicts(folder / "verdicts.json")["root_seed"]
        shutil.copyfile(folder / "verdicts.json", docs / f"root-{root_seed}.json")
        if place == 0:
            for name in FIGURES:
                shutil.copyfile(folder / "figures" / f"{name}.png", docs / f"{name}.png")
                shutil.copyfile(folder / "figures" / f"{name}.caption.txt", docs / f"{name}.caption.txt")
    readme = ROOT / "README.md"
    readme.write_text(rewritten(readme.read_text(), saved()))


if __name__ == "__main__":
    main(sys.argv[1:])
