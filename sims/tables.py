"""What a study shows, as data: tables for terminal, JSON and page; numbers and colours that are alike everywhere."""

from __future__ import annotations

__all__ = ["COLOURS", "Table", "harmless", "number", "spell_bytes"]

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lemmascope.theory.errors import InputError

COLOURS = {"PROVED": "green", "HOLDS": "green", "REFUTED": "red", "INCONCLUSIVE": "yellow", "NOT_APPLICABLE": "dim"}
"""Of the statuses, on a terminal."""


def number(x: float | None) -> str:
    """Three significant digits, ∞ and – for what has none."""
    if x is None or math.isnan(x):
        return "–"
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    return f"{x:.3g}".replace("-", "−")


def harmless(text: object, *, lines: bool = False) -> str:
    """Text that is not ours as one line that no terminal obeys: what is no printable character is shown by its escape.

    Ends of lines, controls, marks of direction, and bytes of a file's name that are no UTF-8 are none.

    Args:
        text: whose string is taken.
        lines: keep ends of lines: the text has lines of its own, as a table's cell.
    """
    kept = "\n" if lines else ""
    return "".join(c if c.isprintable() or c == kept else c.encode("unicode_escape").decode() for c in str(text))


def spell_bytes(count: float) -> str:
    """A number of bytes as one reads it."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} GiB"


@dataclass(frozen=True)
class Table:
    """Rows of text under a head, with the numbers behind them.

    Args:
        name: in ``verdicts.json``; letters, digits and _.
        title: one line above it.
        columns: heads; rows: as many cells each, a text may have several lines.
        caption: one line below it.
        values: the same as JSON, for programs; what a test or an appendix reads.
    """

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    values: Any = field(default=None)

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise InputError(f"table {self.name}", list(row), f"each row must have {len(self.columns)} cells")
            if not all(isinstance(cell, str) for cell in row):
                raise InputError(f"table {self.name}", list(row), "each cell must be text")
