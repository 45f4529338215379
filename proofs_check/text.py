"""Text for documents."""

from __future__ import annotations

__all__ = ["escaped"]


def escaped(text: str) -> str:
    """Plain text as Markdown that shows it, also in a cell of a table."""
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")
