"""The same tasks on many machines, over Dask."""

from __future__ import annotations

__all__ = ["ClusterLost", "Dask", "connect"]

import asyncio
import logging
import os
import pickle
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, cast

import xarray as xr

from lemmascope.sims.machine.threads import one_blas_thread
from lemmascope.sims.run.parts import longest_first
from lemmascope.sims.run.tasks import ClusterLost
from lemmascope.sims.study import Task
from lemmascope.theory.errors import InputError, check_number

if TYPE_CHECKING:
    from distributed import Client, Future

ACCEPTED = 'it must be "local", "local:4" (so many processes), "tcp://host:port" or a distributed.Client'
THREADS = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"

CONNECT = 10.0
"""Seconds within which a scheduler must answer; one that has answered before is asked again."""

PATIENCE = 60.0
"""Seconds that a cluster that has begun may be silent."""

POLL = 5.0
"""Seconds without a result after which the scheduler is asked whether it is there."""

WITHOUT_WORKERS = 120.0
"""Seconds that a cluster may be without a worker."""

ALLOWED_FAILURES = 10
"""Workers that may die while they hold a task, before the task is blamed; for a local cluster."""


@contextmanager
def connect(spec: Any) -> Iterator[Client]:
    """A client of the cluster ``spec``; its ``dashboard_link`` is the address of the cluster's live page.

    Args:
        spec: ``"local"`` (a worker process a core) or ``"local:4"``, a cluster that ends with the block;
            ``"tcp://host:port"``, a running scheduler whose workers have the same lemmascope; or a client, left open.

    A local cluster accepts only what has its certificate, which this process makes and keeps in memory: no other user
    of the machine can connect. At ``tcp://`` nobody asks who connects, and who can is served.

    Raises:
        InputError: it is none of these, nothing answers there within 10 s, or a package is missing.
    """
    match = re.fullmatch(r"local(?::([1-9]\d{0,2}))?|tcp://[^/\s]+:\d+", spec) if isinstance(spec, str) else None
    if isinstance(spec, str) and match is None:
        raise InputError("cluster", spec, ACCEPTED)
    try:
        import cryptography  # noqa: F401  # what a local cluster's certificate is made with
        import distributed
    except ImportError:
        raise InputError("cluster", spec, "it needs a package: pip install 'lemmascope[cluster]'") from None
    if isinstance(spec, distributed.Client):
        yield spec
    elif match is None:
        raise InputError("cluster", spec, ACCEPTED)
    elif spec.startswith("local"):
        with _local(int(match[1] or os.cpu_count() or 1)) as client:
            yield client
    else:
        try:
            with ThreadPoolExecutor(1) as pool:  # a thread, as this one may have an event loop of its own
                pool.submit(lambda: asyncio.run(_greet(spec))).result()
            client = distributed.Client(spec, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:
            why = f"no scheduler answers there within {CONNECT:.0f} s"
            raise InputError("cluster", spec, f"{why}; start one with `dask scheduler`") from error
        with client:
            yield client


async def _greet(address: str) -> None:
    """Raise `OSError` unless a scheduler greets; a client would wait forever for one that accepts and is silent."""
    from distributed.comm import connect as reach

    try:
        comm = await asyncio.wait_for(reach(address, timeout=CONNECT), CONNECT)
        await comm.close()
    except Exception as error:  # whatever it makes of another program's greeting
        raise OSError(f"{address}: {error}") from error


@contextmanager
def _local(workers: int) -> Iterator[Client]:
    """A cluster of processes of this machine, with one thread each."""
    import dask
    from distributed import Client, LocalCluster, Security

    # What watches the workers sets some of these in this process too, for the workers to inherit.
    names = {"PYTHONHASHSEED", *THREADS, *dask.config.get("distributed.nanny.pre-spawn-environ")}
    before = {name: os.environ[name] for name in names if name in os.environ}
    try:
        with (
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                memory_limit=None,
                silence_logs=logging.CRITICAL,
                dashboard_address="127.0.0.1:0",
                env=dict.fromkeys(THREADS, "1"),
                scheduler_kwargs={"allowed_failures": ALLOWED_FAILURES},
                security=Security.temporary(),
            ) as cluster,
            Client(cluster, timeout=PATIENCE, set_as_default=False) as client,
        ):
            yield client
    finally:
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(before)


class Dask:
    """Tasks on a cluster; a context manager. A task whose worker dies is computed again by another.

    Args:
        spec: what `connect` accepts.
        patience: seconds that it may be silent before it is lost; default 60. It is asked every 10 s.

    Attributes:
        dashboard: address of the cluster's live page, once it is entered.

    Raises:
        InputError: ``patience`` is no number ≥ 0.
    """

    def __init__(self, spec: Any, patience: float | None = None) -> None:
        self.spec, self.dashboard = spec, ""
        self.patience = PATIENCE if patience is None else check_number("cluster_patience", patience, 0.0)
        self._client: Client | None = None
        self._around = ExitStack()

    def __enter__(self) -> Dask:
        self._client = self._around.enter_context(connect(self.spec))
        self.dashboard = str(self._client.dashboard_link)
        return self

    def __exit__(self, *error: Any) -> None:
        self._around.close()
        self._client = None

    def run(
        self, compute: Callable[[Task], xr.Dataset], tasks: Sequence[Task], done: Callable[[int, xr.Dataset], None]
    ) -> None:
        """See `sims.run.tasks.Executor.run`.

        Raises:
            ClusterLost: the scheduler or all workers are gone, or the workers of one task died again and again.
        """
        if self._client is None:
            with self:
                self.run(compute, tasks, done)
            return
        _run_on(self._client, self.patience, compute, tasks, done)


_UNPACKING = threading.Lock()


@lru_cache(maxsize=8)
def _unpacked(packed: bytes) -> Callable[[Task], xr.Dataset]:
    """A study is loaded, and its code compared, once in a worker."""
    found: Callable[[Task], xr.Dataset] = pickle.loads(packed)
    return found


def _on_worker(packed_compute: bytes, packed_task: bytes) -> xr.Dataset:
    # Unpacked here and in this order: a user's own study is a module that this process has only then, and where it
    # cannot be loaded the task fails, and not the worker.
    with _UNPACKING:
        compute = _unpacked(packed_compute)
    task = pickle.loads(packed_task)
    # For good, and not within a block: the threads of a worker that has many would restore it under each other.
    one_blas_thread()
    return compute(task)


def _run_on(
    client: Client,
    patience: float,
    compute: Callable[[Task], xr.Dataset],
    tasks: Sequence[Task],
    done: Callable[[int, xr.Dataset], None],
) -> None:
    finished: SimpleQueue[Future] = SimpleQueue()
    futures: dict[Any, tuple[int, Future]] = {}
    name = f"task-{uuid.uuid4().hex}"
    watch, packed = _Watch(client, patience), pickle.dumps(compute)
    try:
        for rank, index in enumerate(longest_first(tasks, list(range(len(tasks))))):
            with watch.connection():
                future = client.submit(
                    _on_worker, packed, pickle.dumps(tasks[index]), key=(name, index), pure=False, priority=-rank
                )
                futures[future.key] = index, future
                future.add_done_callback(finished.put)
        while futures:
            try:
                future = finished.get(timeout=POLL)
            except Empty:
                watch.check()
                continue
            index, _ = futures[future.key]
            result = _fetch(future, tasks[index].key, watch)
            if result is None:
                future.add_done_callback(finished.put)
                continue
            del futures[future.key]
            future.release()
            done(index, result)
    except BaseException as error:
        if not isinstance(error, ClusterLost):
            _hand_over(futures.values(), done)
        raise
    finally:
        # The scheduler forgets what nobody wants; this does not wait for it.
        for _, future in futures.values():
            future.release()


def _hand_over(futures: Iterable[tuple[int, Future]], done: Callable[[int, xr.Dataset], None]) -> None:
    """Hand over what is finished though the rest is given up; the first that cannot be fetched ends it."""
    for index, future in futures:
        if future.status == "finished":
            try:
                result = future.result(timeout=POLL)
            except Exception:
                return
            with suppress(OSError, InputError):  # if the store is what failed, it may fail here again
                done(index, result)


def _fetch(future: Future, key: str, watch: _Watch) -> xr.Dataset | None:
    """A finished future's result; None if it went with its worker, and is computed again."""
    from distributed import KilledWorker

    if future.status in ("finished", "lost"):
        with watch.connection():
            try:
                return future.result(timeout=POLL)
            except TimeoutError:
                pass
            except Exception:
                if future.status != "error":
                    raise
    if future.status == "error":
        error = future.exception()
        if isinstance(error, KilledWorker):
            died = f"the {error.allowed_failures + 1} workers that the task {key} was given to died"
            raise ClusterLost(f"{died} (is their memory too small?)")
        if isinstance(error, ImportError) or isinstance(error.__cause__, ImportError):
            lacking = "its scheduler and workers need the same lemmascope as this process, and what the study imports"
            raise InputError("cluster", watch.scheduler.address, f"{lacking} ({error.__cause__ or error})") from error
        error.add_note(f"in the task {key}, on a worker")
        raise error.with_traceback(future.traceback())
    watch.check()
    return None


class _Watch:
    """Whether the scheduler is there, and has had workers lately."""

    def __init__(self, client: Client, patience: float) -> None:
        self.client, self.patience, self.seen = client, patience, time.monotonic()
        self.scheduler = cast(Any, client.scheduler)

    @contextmanager
    def connection(self) -> Iterator[None]:
        """A block in which an `OSError` comes from the connection, and is raised as `ClusterLost`."""
        from distributed import CancelledError

        try:
            yield
        except Exception as error:
            if isinstance(error, (CancelledError, OSError)) or self.client.status != "running":
                raise ClusterLost("the connection to the cluster was lost") from error
            raise

    def check(self) -> None:
        """Raise `ClusterLost` unless the scheduler answers, and workers were there in the last two minutes."""
        with self.connection():
            if self._workers():
                self.seen = time.monotonic()
        if time.monotonic() - self.seen > WITHOUT_WORKERS:
            raise ClusterLost(f"the cluster has had no worker for {WITHOUT_WORKERS:.0f} s")

    def _workers(self) -> Any:
        """What it says of its workers; asked again until patience ends, as a busy or sleeping machine may be silent."""
        began = time.monotonic()
        while True:
            try:
                return self._ask()
            except TimeoutError as error:
                silent = time.monotonic() - began
                if silent >= self.patience:
                    wait = "--cluster-patience waits longer"
                    raise ClusterLost(f"the cluster was lost: it was silent for {silent:.0f} s ({wait})") from error
                self.seen = time.monotonic()  # of its workers nothing is known

    def _ask(self) -> Any:
        return self.client.sync(self.scheduler.ncores, callback_timeout=CONNECT)
