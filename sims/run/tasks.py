"""A study's tasks, in threads of this process or on a cluster, each result put into a store as soon as it is there."""

from __future__ import annotations

__all__ = ["STOP", "Kept", "longest_first", "run_tasks"]

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from lemmascope.theory.errors import InputError, check_size

if TYPE_CHECKING:
    from lemmascope.sims.run.store import Store

STOP = threading.Event()
"""Set while tasks of this process are being given up; a long task asks now and then, and raises KeyboardInterrupt."""


class Kept:
    """A store in memory, for a study that nobody wants to resume; see `sims.run.store.Store`.

    Args:
        keys: names of the tasks; shape: of a task's result.
    """

    path = "memory"

    def __init__(self, keys: list[str], shape: tuple[int, ...]) -> None:
        self.keys, self.results = keys, np.full((len(keys), *shape), np.nan)
        self.there = [False] * len(keys)

    def missing(self) -> list[int]:
        """Tasks that are not there."""
        return [index for index, there in enumerate(self.there) if not there]

    @property
    def done(self) -> int:
        """How many are there."""
        return sum(self.there)

    def write(self, index: int, array: np.ndarray) -> None:
        """Keep a task's result."""
        self.results[index], self.there[index] = array, True

    def read(self) -> np.ndarray:
        """All results."""
        return self.results


def longest_first(tasks: Sequence[Any], chosen: list[int]) -> list[int]:
    """The indices ``chosen`` by falling ``cost`` of their tasks, else in order: the last to end should be short."""
    return sorted(chosen, key=lambda index: -float(getattr(tasks[index], "cost", 0.0)))


def run_tasks(
    compute: Callable[[Any], np.ndarray],
    tasks: Sequence[Any],
    store: Store | Kept,
    *,
    cluster: Any = None,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Run the tasks that the store lacks, the longest first.

    This process alone writes to the store. Where the tasks run, how many at a time and in which order they end changes
    no bit of the results. After an error or an interrupt no further task begins, and what is finished is in the store.

    Args:
        compute: from a task to an array of the store's shape; a function of a module, with one thread each.
        tasks: one for each key of the store; they can be pickled. Those with an attribute ``cost`` are sorted by it.
        store: an open store, or `Kept` in memory.
        cluster: None for threads of this process, or what `sims.run.cluster.connect` accepts.
        workers: threads of this process; default the number of cores.
        progress: called with a task's index after its result is in the store.

    Returns:
        All results, (task, *shape).

    Raises:
        InputError: an argument is outside its range.
        lemmascope.sims.run.cluster.ClusterLost: the cluster ended before the study.
        OSError: a result could not be written.
    """
    if len(tasks) != len(store.keys):
        raise InputError("tasks", len(tasks), f"there must be one for each of the {len(store.keys)} keys of the store")
    if workers is not None:
        check_size("workers", workers)
    if store.missing() and cluster is not None:
        from lemmascope.sims.run.cluster import connect, run_on

        with connect(cluster) as client:
            run_on(client, compute, tasks, store, progress)
    elif store.missing():
        _run_here(compute, tasks, store, workers or os.cpu_count() or 1, progress)
    return store.read()


def _run_here(
    compute: Callable[[Any], np.ndarray],
    tasks: Sequence[Any],
    store: Store | Kept,
    workers: int,
    progress: Callable[[int], None] | None,
) -> None:
    # One BLAS thread a task: the threads of the pool fill the cores, and on a cluster's worker it is one too.
    with threadpool_limits(limits=1), ThreadPoolExecutor(max_workers=workers) as pool:
        futures: dict[Future[np.ndarray], int] = {}
        STOP.clear()
        try:
            for index in longest_first(tasks, store.missing()):
                futures[pool.submit(compute, tasks[index])] = index
            for future in as_completed(list(futures)):
                index = futures[future]
                try:
                    result = future.result()
                except Exception as error:
                    error.add_note(f"in the task {store.keys[index]}")
                    raise
                store.write(index, result)
                del futures[future]
                if progress is not None:
                    progress(index)
        except BaseException:
            STOP.set()
            pool.shutdown(wait=True, cancel_futures=True)
            # Tasks that did not ask have run to their end; if the store is what failed, it may fail here again.
            with suppress(OSError, ValueError):
                for future, index in futures.items():
                    if not future.cancelled() and future.exception() is None:
                        store.write(index, future.result())
            raise
