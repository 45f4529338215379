"""Where a user's code is called: whatever it raises is one sentence that says whose it is."""

from __future__ import annotations

__all__ = ["sealed", "users"]

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from lemmascope.sims.own import said
from lemmascope.theory.errors import InputError


@contextmanager
def users(field: str, value: object, what: str) -> Iterator[None]:
    """A block that calls a user's code: whatever that raises, ``sys.exit`` among it, is refused in a sentence."""
    try:
        yield
    except (InputError, KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:
        raise InputError(field, value, f"{what} ({said(error)})") from error


def sealed(x: Any) -> Any:
    """The same array, which must not be written to, where its library can say so."""
    if isinstance(x, np.ndarray):
        x = x.view()
        x.flags.writeable = False
    return x
