"""Tables of a study, as data: shown on the terminal, in ``verdicts.json`` and on the study's page."""

from __future__ import annotations

__all__ = ["Table"]

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lemmascope.theory.errors import InputError


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
