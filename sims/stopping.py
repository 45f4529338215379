"""Whether the tasks of a run, or all of this process, are being given up; a long task asks now and then."""

from __future__ import annotations

__all__ = ["Run", "check", "clear", "current", "request", "stopped"]

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ALL = threading.Event()
_CURRENT: ContextVar[Callable[[], bool]] = ContextVar("whether the run that a task is of ends", default=_ALL.is_set)


class Run:
    """A run whose tasks end together, and leave those of other runs alone; it ends with a run that it is within."""

    def __init__(self) -> None:
        self._own, self._around = threading.Event(), _CURRENT.get()

    def request(self) -> None:
        """Ask its tasks to end; for good, however often it is interrupted until they have."""
        self._own.set()

    def stopped(self) -> bool:
        """Whether they are to end."""
        return self._own.is_set() or self._around()

    @contextmanager
    def task(self) -> Iterator[None]:
        """A block, in one thread, that is a task of this run."""
        token = _CURRENT.set(self.stopped)
        try:
            yield
        finally:
            _CURRENT.reset(token)


def current() -> Callable[[], bool]:
    """What `stopped` says in this thread now, for threads that a task begins."""
    return _CURRENT.get()


def stopped() -> bool:
    """Whether to end soon; in the thread that a task was given."""
    return _CURRENT.get()()


def check() -> None:
    """Raise `KeyboardInterrupt` if the task that asks is being given up."""
    if stopped():
        raise KeyboardInterrupt


def request() -> None:
    """Ask every task of this process to end, until `clear`."""
    _ALL.set()


def clear() -> None:
    """Ask them no more."""
    _ALL.clear()
