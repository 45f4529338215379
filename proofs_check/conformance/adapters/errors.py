"""What may come of driving an optimizer through a case, beside its iterates."""

from __future__ import annotations

__all__ = [
    "Misused",
    "NoWay",
    "NotDriven",
    "Refused",
    "Touched",
    "Unsaved",
    "Unsupported",
    "Untried",
    "named",
    "said",
    "unchanged",
]


import re
from typing import Any

import numpy as np

from lemmascope.theory.errors import InputError

LONGEST = 300


class Misused(InputError):
    """What ``make_optimizer`` is, or makes, cannot be driven here; an error of our caller and not of the optimizer."""


class Unsupported(Exception):
    """The optimizer does not have what the case asks for; the text says what."""


class Untried(Exception):
    """The optimizer cannot be run through a case, so that nothing can be said of it there; the text says why."""


class NotDriven(Untried):
    """The optimizer cannot be run at all from prescribed gradients; the text says what it needs."""


class Touched(Exception):
    """A step wrote into what it was given; the text says into what."""


class Unsaved(Exception):
    """The state cannot be saved, or not restored; the text says why."""


class NoWay(Exception):
    """The optimizer is not one that is driven in this way; another is to be tried."""


class Refused(Exception):
    """``make_optimizer`` raised; its error is the cause of this one."""


def named(error: BaseException) -> str:
    """The type of an error and its message, in one line; that of the maker's own error where it refused."""
    if isinstance(error, Refused) and error.__cause__ is not None:
        error = error.__cause__
    text = said(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def said(error: BaseException) -> str:
    """Its message in one line, not too long and without a terminal's colours."""
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def unchanged(before: np.ndarray, after: Any, what: str) -> None:
    """Refuse a step that wrote into what it was given."""
    if not np.array_equal(before, np.asarray(after)):
        raise Touched(f"a step writes into its {what}")
