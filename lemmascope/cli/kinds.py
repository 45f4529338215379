"""What a flag takes: integers, numbers, words, lists of them; a wrong value is refused in one sentence."""

from __future__ import annotations

__all__ = ["INT", "NUMBER", "PATH", "TEXT", "Fixed", "Kind", "Listed", "OneOf"]

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from lemmascope.theory.errors import InputError


class Kind(click.ParamType):
    """Text made into a value by a function.

    Args:
        metavar: how the value is called in ``--help``.
        read: from the text to the value; raises ValueError.
        accepted: what is accepted, "it must be …".
    """

    def __init__(self, metavar: str, read: Callable[[str], Any], accepted: str) -> None:
        self.name, self.read, self.accepted = metavar, read, accepted

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """As it is given."""
        return self.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value of a text; what is no text any more stays as it is."""
        if not isinstance(value, str):
            return value
        try:
            return self.read(value)
        except (ValueError, OverflowError):
            field = str(param.name).rpartition("__")[2] if param is not None else "value"
            raise InputError(field, value, self.accepted) from None


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        found = float(text)  # 1e6
        if not found.is_integer():
            raise
        return int(found)


INT = Kind("INT", _integer, "it must be an integer")
NUMBER = Kind("NUMBER", float, "it must be a number")
TEXT = Kind("TEXT", str, "it must be text")
PATH = click.Path(path_type=Path)


class OneOf(Kind):
    """One of a few words, which a shell can complete; what is no text is given by its text."""

    def __init__(self, values: Sequence[Any], metavar: str = "") -> None:
        self.values = {str(value): value for value in values}
        self.words = tuple(self.values)
        super().__init__(metavar or "|".join(self.words), self._word, f"it must be one of {', '.join(self.words)}")

    def _word(self, text: str) -> Any:
        if text not in self.values:
            raise ValueError(text)
        return self.values[text]

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """The words that begin so."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(word) for word in self.words if word.startswith(incomplete)]


class Listed(Kind):
    """Values with commas between them, as a tuple: ``0,0.5,1e3``."""

    def __init__(self, each: Kind) -> None:
        def read(text: str) -> tuple[Any, ...]:
            return tuple(each.read(part.strip()) for part in text.split(",") if part.strip())

        example = {"INT": "1,10,1e3", "NUMBER": "0,0.5,1e3"}.get(each.name, "a,b")
        what = {"INT": "integers", "NUMBER": "numbers"}.get(each.name, each.name)
        super().__init__(f"{each.name},…", read, f"it must be {what} with commas between them, as in {example}")


class Fixed(click.types.CompositeParamType):
    """So many values, one after the other, as a tuple."""

    def __init__(self, each: Sequence[Kind]) -> None:
        self.each, self.name = tuple(each), " ".join(kind.name for kind in each)

    @property
    def arity(self) -> int:  # type: ignore[override]
        """How many."""
        return len(self.each)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Those of its values."""
        return self.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Each by its own kind."""
        return tuple(kind.convert(x, param, ctx) for kind, x in zip(self.each, value, strict=True))
