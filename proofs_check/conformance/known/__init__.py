"""The optimizers that the table shows: ours, plain functions, and those of other people's libraries.

Each names what its documentation describes; what it is, is found. A library is a file here, which is found, and it is
imported where its optimizers are asked for.
"""

from __future__ import annotations

__all__ = ["LIBRARIES", "Known", "check_installed", "installed", "optimizers", "subjects"]

import pkgutil
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from lemmascope.proofs_check.conformance.adapters import Subject
from lemmascope.proofs_check.conformance.known.library import Known, Library
from lemmascope.theory.errors import InputError

_FOUND = [import_module(f"{__name__}.{one.name}") for one in pkgutil.iter_modules(__path__) if one.name != "library"]
LIBRARIES: dict[str, Library] = {
    one.name: one for one in sorted((module.LIBRARY for module in _FOUND), key=lambda one: (one.rank, one.name))
}
"""By name, in the order of the table."""


def installed(library: str) -> bool:
    """Whether its packages are there."""
    return all(find_spec(name) is not None for name in LIBRARIES[library].needs)


def check_installed(library: str) -> None:
    """Raise `InputError` for a library that is unknown or not installed."""
    if library not in LIBRARIES:
        raise InputError("library", library, f"it must be one of {', '.join(LIBRARIES)}")
    if not installed(library):
        raise InputError("library", library, f"it is not installed: pip install 'lemmascope[{library}]'")


@cache
def optimizers(library: str) -> tuple[Known, ...]:
    """Those of one of `LIBRARIES`.

    Raises:
        InputError: for a library that is unknown or not installed.
    """
    check_installed(library)
    return tuple(LIBRARIES[library].optimizers())


def subjects(library: str) -> list[Subject]:
    """The same, to be put on trial.

    Raises:
        InputError: as `optimizers`.
    """
    return [one.subject for one in optimizers(library)]
