"""Tasks in threads of this process, and what every way of running them promises."""

from __future__ import annotations

__all__ = ["ClusterLost", "Executor", "Threads", "run_tasks"]

import os
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from typing import Protocol

import xarray as xr

from lemmascope.sims import stopping
from lemmascope.sims.machine.threads import one_blas_thread
from lemmascope.sims.run.parts import Parts, longest_first
from lemmascope.sims.study import Task
from lemmascope.theory.errors import InputError, check_size

Compute = Callable[[Task], xr.Dataset]
Done = Callable[[int, xr.Dataset], None]


class ClusterLost(RuntimeError):
    """Where the tasks ran is gone, or could not go on, before they were done; what was finished has been kept."""


class Executor(Protocol):
    """Where tasks run. Where, how many at a time and in which order they end changes no bit of their results."""

    def run(self, compute: Compute, tasks: Sequence[Task], done: Done) -> None:
        """Compute each task, the longest first; call ``done`` with its index, in this thread, as soon as it is there.

        After an error or an interrupt no further task begins, what is finished has been handed over, and the error is
        raised with the task's name.
        """


class Threads:
    """Threads of this process, with one BLAS thread each.

    Args:
        workers: how many; default the number of cores.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = check_size("workers", workers) if workers is not None else (os.cpu_count() or 1)

    def run(self, compute: Compute, tasks: Sequence[Task], done: Done) -> None:
        """See `Executor.run`."""
        # One BLAS thread a task: the threads of the pool fill the cores, and on a cluster's worker it is one too.
        with one_blas_thread(), ThreadPoolExecutor(max_workers=self.workers) as pool:
            futures: dict[Future[xr.Dataset], int] = {}
            run = stopping.Run()

            def in_run(task: Task) -> xr.Dataset:
                with run.task():
                    return compute(task)

            try:
                for index in longest_first(tasks, list(range(len(tasks)))):
                    futures[pool.submit(in_run, tasks[index])] = index
                for future in as_completed(list(futures)):
                    index = futures[future]
                    try:
                        result = future.result()
                    except Exception as error:
                        error.add_note(f"in the task {tasks[index].key}")
                        raise
                    done(index, result)
                    del futures[future]
            except BaseException:
                run.request()
                pool.shutdown(wait=True, cancel_futures=True)
                # Tasks that did not ask have run to their end; if the store is what failed, it may fail here again.
                for future, index in futures.items():
                    if not future.cancelled() and future.exception() is None:
                        with suppress(OSError, InputError):
                            done(index, future.result())
                raise


def run_tasks(
    compute: Compute,
    tasks: Sequence[Task],
    parts: Parts,
    executor: Executor,
    progress: Callable[[Task], None] | None = None,
    chosen: Collection[str] | None = None,
) -> None:
    """Run the tasks that the store of parts lacks; this process alone writes to it.

    Args:
        compute: from a task to its part.
        tasks: one for each key of the store.
        parts: an open store.
        executor: where they run.
        progress: called with a task after its part is in the store.
        chosen: the keys of those that are to run; default all.

    Raises:
        ClusterLost: the cluster ended before the study; the message says how much is kept.
        OSError: a part could not be written.
    """
    if [task.key for task in tasks] != parts.keys:
        raise InputError("tasks", len(tasks), f"there must be one for each of the {len(parts.keys)} keys of the store")
    missing = [index for index in parts.missing() if chosen is None or parts.keys[index] in chosen]
    if not missing:
        return
    todo = [tasks[index] for index in missing]

    def done(index: int, part: xr.Dataset) -> None:
        parts.write(missing[index], part)
        if progress is not None:
            progress(todo[index])

    try:
        executor.run(compute, todo, done)
    except ClusterLost as error:
        some = f"{parts.done} of {len(tasks)} parts"
        kept = f"are in {parts.path}, and --resume continues from there"
        lost = "were computed, and are not kept without a folder"
        raise ClusterLost(f"{error}; {some} {lost if parts.path is None else kept}.") from error
