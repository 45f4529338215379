"""What a file of a library defines, so that the table shows its optimizers."""

from __future__ import annotations

__all__ = ["Known", "Library"]

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lemmascope.proofs_check.conformance.adapters import Subject


@dataclass(frozen=True)
class Known:
    """An optimizer that the table shows.

    Attributes:
        subject: how it is made, and the convention of momentum that its documentation describes, if it is one.
        documented: what its documentation says that it is, in a few words or its formula.
        decay: how weight decay enters by its documentation: ``"coupled"``, ``"decoupled"``, or None where it has none.
        remark: what to know where it differs from that, or from another library's of the same name; may be empty.
        momentum: whether momentum is all that it is; of others, such as Adam, its identities are not tried.
        departs: identities that its documentation promises and that are known to fail; the remark says why.
    """

    subject: Subject
    documented: str = ""
    decay: str | None = None
    remark: str = ""
    momentum: bool = True
    departs: tuple[str, ...] = ()

    @property
    def told(self) -> Known:
        """The same without the function that makes it, which another process need not have."""
        subject = self.subject
        return replace(self, subject=Subject(_elsewhere, subject.name, subject.library, subject.convention))


def _elsewhere(eta: float) -> None:
    """In place of what makes an optimizer."""
    raise NotImplementedError


@dataclass(frozen=True)
class Library:
    """A library's optimizers.

    Attributes:
        name: also that of the extra with which it is installed.
        needs: the packages that must be there.
        optimizers: makes them; imports the library.
        rank: its place in the table.
        cost: the time that one of its optimizers takes, beside ours.
    """

    name: str
    needs: tuple[str, ...]
    optimizers: Callable[[], Sequence[Known]]
    rank: int = 3
    cost: float = 2.0
