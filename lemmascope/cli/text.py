"""What several tools print."""

from __future__ import annotations

__all__ = ["give_json", "under"]

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def under(console: Console, text: str, style: str = "") -> None:
    """Print an indented paragraph that keeps its indent where it wraps."""
    from lemmascope.sims.report import verdicts

    console.print(verdicts.under(text, style))


def give_json(path: Path, value: Any) -> None:
    """Write JSON to a file, whole or not at all, or print it where the path is ``-``."""
    if str(path) == "-":
        import json

        print(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))
        return
    from lemmascope.sims.files import write_json

    write_json(path, value)
