"""What several tools print."""

from __future__ import annotations

__all__ = ["json_output", "under"]

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def under(console: Console, text: str, style: str = "") -> None:
    """Print an indented paragraph that keeps its indent where it wraps."""
    from lemmascope.sims.report import verdicts

    console.print(verdicts.under(text, style))


@contextmanager
def json_output(path: Path | None, kind: str) -> Iterator[Callable[[Any], None]]:
    """A block of work at whose end JSON is given: to a file, which is refused or made sure of before, or printed.

    Args:
        path: the file; ``-`` prints it alone: what code of the user's own prints goes to standard error; None gives it
            nowhere.
        kind: the name of its schema; an older file of that kind is replaced, and no other.

    Yields:
        The function that gives it, whole or not at all.
    """
    if path is None:
        yield lambda value: None
    elif str(path) == "-":
        import json

        out = sys.stdout
        with redirect_stdout(sys.stderr):
            yield lambda value: print(json.dumps(value, indent=1, allow_nan=False), file=out)  # ASCII, in any encoding
    else:
        from lemmascope.sims.files import Output

        with Output(path, kind, field="json") as output:
            yield output.json
