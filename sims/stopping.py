"""Whether the tasks of this process are being given up; a long task asks now and then."""

from __future__ import annotations

__all__ = ["check", "clear", "request", "stopped"]

import threading

_STOP = threading.Event()


def stopped() -> bool:
    """Whether to end soon."""
    return _STOP.is_set()


def check() -> None:
    """Raise `KeyboardInterrupt` if the tasks of this process are being given up."""
    if _STOP.is_set():
        raise KeyboardInterrupt


def request() -> None:
    """Ask every task of this process to end."""
    _STOP.set()


def clear() -> None:
    """Before the first task of a run."""
    _STOP.clear()
