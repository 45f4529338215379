"""What a file of a library defines, so that the table shows its optimizers."""

from __future__ import annotations

__all__ = ["Known", "Library"]

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lemmascope.proofs_check.conformance.adapters import Subject


@dataclass(frozen=True)
class Known:
    """An optimizer that the table shows.

    Attributes:
        subject: how it is made, and the convention of momentum that its documentation describes, if it is one.
        documented: what its documentation says that it is, in a few words or its formula.
        decay: how weight decay enters by its documentation: ``"coupled"``, ``"decoupled"``, or None where it has none.
        remark: what to know where it differs from that, or from another library's of the same name; may be empty.
    """

    subject: Subject
    documented: str
    decay: str | None = None
    remark: str = ""


@dataclass(frozen=True)
class Library:
    """A library's optimizers.

    Attributes:
        name: also that of the extra with which it is installed.
        needs: the packages that must be there.
        optimizers: makes them; imports the library.
        rank: its place in the table.
    """

    name: str
    needs: tuple[str, ...]
    optimizers: Callable[[], Sequence[Known]]
    rank: int = 3
