"""The works that are timed: every file here has some, found by its rows.

A file declares ``ROWS``, what each of its rows stands for by its letters, and ``WORKS``, a `protocol.Work` for each.
Rows are read without importing it, so that ``lemmascope bench --help`` costs nothing.
"""

from __future__ import annotations

__all__ = ["find", "rows"]

import ast
import importlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lemmascope.theory.errors import InputError

if TYPE_CHECKING:
    from lemmascope.benchmarks.protocol import Work


@cache
def _declared() -> dict[str, dict[str, str]]:
    """ROWS by file."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and [ast.unparse(one) for one in node.targets] == ["ROWS"]:
                found[path.stem] = ast.literal_eval(node.value)
    return found


def rows() -> dict[str, str]:
    """What each row stands for, by its letters."""
    return {name: meant for declared in _declared().values() for name, meant in declared.items()}


def find(names: Sequence[str] = ()) -> tuple[Work, ...]:
    """Works by the letters of their rows, upper case or lower; all of them where none is named.

    Raises:
        InputError: there is no such row.
    """
    asked, found = dict.fromkeys(name.upper() for name in names or rows()), dict[str, "Work"]()
    for name in asked:
        if name not in rows():
            raise InputError("work", name, f"it must be one of {', '.join(rows())}")
    for file, declared in _declared().items():
        if not asked.keys().isdisjoint(declared):
            found |= {work.name: work for work in importlib.import_module(f"{__name__}.{file}").WORKS}
    return tuple(found[name] for name in asked)
