"""A subject: whose theorem is watched, where it is published, and its symbols with their names in the code."""

from __future__ import annotations

__all__ = ["Reference", "Subject", "Symbol"]

from dataclasses import dataclass

from lemmascope.theory.errors import InputError


@dataclass(frozen=True)
class Reference:
    """Where something is published.

    Args:
        authors: as they are cited; title, venue, year: of the publication.
        link: where it is read, or "".
        bibtex: its entry, or "".
    """

    authors: str
    title: str
    venue: str
    year: int
    link: str = ""
    bibtex: str = ""


@dataclass(frozen=True)
class Symbol:
    """A symbol of the paper.

    Args:
        symbol: as it is written: "σ₀".
        code: its name in the code: "sigma_0".
        shape: of the array, or the unit; "" for a number.
        meaning: in words.
    """

    symbol: str
    code: str
    shape: str
    meaning: str


@dataclass(frozen=True)
class Subject:
    """What one theorem is about; `theory/NAME/__init__.py` defines it as ``SUBJECT``.

    Args:
        name: of its folder; title: for a reader.
        paper: where its theorem is published.
        symbols: every symbol that a reader meets, in the order of the table.
        others: papers of further studies of the same mathematics.

    Raises:
        InputError: a name that cannot be a folder's, or two symbols with one name in the code.
    """

    name: str
    title: str
    paper: Reference
    symbols: tuple[Symbol, ...]
    others: tuple[Reference, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise InputError("subject", self.name, "its name must be letters, digits and _, as a folder's")
        codes = [symbol.code for symbol in self.symbols]
        twice = sorted({code for code in codes if codes.count(code) > 1})
        if twice:
            raise InputError("symbols", twice, "each name in the code must stand for one symbol")

    def __getitem__(self, code: str) -> Symbol:
        """The symbol of a name in the code; raises `KeyError` where there is none."""
        for symbol in self.symbols:
            if symbol.code == code:
                return symbol
        raise KeyError(code)
