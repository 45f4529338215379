"""Functions as machine code, which Numba keeps on disk where it may write."""

from __future__ import annotations

__all__ = ["njit"]

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import numba


def njit(**options: Any) -> Callable[[Any], Any]:
    """`numba.njit`; what cannot be kept on disk is compiled in memory, in each process anew.

    A function is compiled with its own flags alone. Numba lets it have its first caller's where it states none, and
    keeps that on disk for all others: one that may not be re-associated would be, if a caller that may came first.
    """
    stated: dict[str, Any] = {"fastmath": False, "error_model": "numpy"} | options

    def compiled(function: Any) -> Any:
        try:
            return numba.njit(**stated)(function)
        except RuntimeError:  # neither the package's folder may be written, nor the user's, nor NUMBA_CACHE_DIR
            _say()
            return numba.njit(**stated | {"cache": False})(function)

    return compiled


@cache  # once in a process
def _say() -> None:
    logging.getLogger("lemmascope").warning(
        "lemmascope: Numba has no folder in which to keep machine code: the loops are compiled in memory, some ten "
        "seconds each time; set NUMBA_CACHE_DIR to a folder that may be written."
    )
