"""Tasks in processes of their own, for code that may end its process, never end, or hold Python's one lock.

A task is called with what can be pickled, one at a time in each process. What it prints goes to standard error. Where,
how many at a time and in which order they end changes no bit of what they return.
"""

from __future__ import annotations

__all__ = ["Lost", "Processes"]

import multiprocessing
import os
import pickle
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from lemmascope.theory.errors import check_size

THREADS = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"
DONE, TOLD, RAISED = "done", "told", "raised"


@dataclass(frozen=True)
class Lost:
    """In place of a task's result: its process ended before it; the text says how."""

    how: str


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    index: int = -1


@dataclass
class Processes:
    """So many processes, begun when they are needed; a context manager, at whose end they are ended.

    Args:
        workers: how many, at most.
    """

    workers: int
    _idle: list[_Worker] = field(default_factory=list, init=False)
    _busy: dict[Connection, _Worker] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        check_size("jobs", self.workers)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *error: Any) -> None:
        every = [*self._idle, *self._busy.values()]
        self._idle, self._busy = [], {}
        for worker in every:
            worker.pipe.close()
            worker.process.kill()  # it may be in a user's code that asks nobody
        for worker in every:
            worker.process.join()

    def run(
        self,
        compute: Callable[[Any, Callable[[Any], None]], Any],
        tasks: Sequence[Any],
        done: Callable[[int, Any], None],
        told: Callable[[int, Any], None] = lambda index, what: None,
    ) -> None:
        """Compute each task, in this order as processes become free.

        Args:
            compute: a module's function, called with a task and a function that tells this process how far it is.
            tasks: what it is called with.
            done: called in this process with a task's index and what it returned, or `Lost`, as soon as it is there.
            told: called in this process with a task's index and what it tells.

        Raises:
            Exception: what a task raises, after which no further one begins.
        """
        todo = deque(range(len(tasks)))
        while todo or self._busy:
            while todo and len(self._busy) < self.workers:
                index = todo.popleft()
                self._begin(index, pickle.dumps((compute, tasks[index])))
            for pipe in wait(list(self._busy)):
                assert isinstance(pipe, Connection)
                worker = self._busy[pipe]
                try:
                    what, result = pipe.recv()
                except (EOFError, ConnectionError):
                    worker.process.join()
                    del self._busy[pipe]
                    pipe.close()
                    done(worker.index, Lost(_ended(worker.process.exitcode)))
                    continue
                if what == TOLD:
                    told(worker.index, result)
                    continue
                self._idle.append(self._busy.pop(pipe))
                if what == RAISED:
                    raise result
                done(worker.index, result)

    def _begin(self, index: int, packed: bytes) -> None:
        while True:
            worker = self._idle.pop() if self._idle else _started()
            worker.index = index
            try:
                worker.pipe.send_bytes(packed)
            except (BrokenPipeError, ConnectionError):  # it ended after its last task
                worker.process.join()
                worker.pipe.close()
                continue
            self._busy[worker.pipe] = worker
            return


def _ended(code: int | None) -> str:
    """How a process ended, in words."""
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process ended with status {code}"


@contextmanager
def _deaf() -> Iterator[None]:
    """A block in which no Ctrl-C comes through; what begins in it never gets one, and this process gets it after."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _started() -> _Worker:
    context = multiprocessing.get_context("spawn")  # libraries with threads of their own do not survive a fork
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs,))
    with _deaf():
        process.start()
    theirs.close()
    return _Worker(process, ours)


def _work(pipe: Connection) -> None:
    """Compute what comes through a pipe until it is closed."""
    os.environ.update(dict.fromkeys(THREADS, "1"))  # the processes fill the cores
    with suppress(OSError, ValueError):
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdout = sys.stderr
    while True:
        try:
            packed = pipe.recv_bytes()
        except (EOFError, ConnectionError):
            return
        try:
            compute, task = pickle.loads(packed)
            answer = pickle.dumps((DONE, compute(task, lambda how_far: pipe.send((TOLD, how_far)))))
        except BaseException as error:  # whatever a user's code raises, sys.exit among it
            answer = _packed(error)
        try:
            pipe.send_bytes(answer)
        except (BrokenPipeError, ConnectionError):
            return


def _packed(error: BaseException) -> bytes:
    try:
        packed = pickle.dumps((RAISED, error))
        pickle.loads(packed)
    except Exception:  # an error that cannot travel is told
        packed = pickle.dumps((RAISED, RuntimeError(f"{type(error).__name__}: {error}")))
    return packed
