"""The same tasks on real clusters: the same bits, whatever is killed."""

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
from test_tasks import ROOT, Task, begun, compute, expected, store_at, tasks_in  # noqa: F401

import lemmascope.sims.run.cluster
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.run.cluster import ClusterLost, connect
from lemmascope.sims.run.store import Store
from lemmascope.sims.run.tasks import run_tasks
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage


@pytest.fixture(scope="module")
def two():
    """A client of two workers on this machine."""
    with connect("local:2") as client:
        yield client


SCHEDULER = """
import sys, time
from distributed import LocalCluster
if __name__ == "__main__":
    cluster = LocalCluster(n_workers=int(sys.argv[1]), threads_per_worker=1, dashboard_address=None, memory_limit=None)
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
    cluster.close()
"""


@contextmanager
def scheduler(folder, workers=2, paths=(ROOT, Path(__file__).parent)):
    """A process with a scheduler and its workers, and its address; ends when its input does."""
    script = folder / "scheduler.py"
    script.write_text(SCHEDULER)
    with subprocess.Popen(
        [sys.executable, str(script), str(workers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*map(str, paths), os.environ.get("PYTHONPATH", "")])},
    ) as process:
        started = [process]
        try:
            address = process.stdout.readline().strip()
            started += psutil.Process(process.pid).children(recursive=True)
            yield address, process
        finally:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)
            process.stdin.close()
            try:
                process.wait(timeout=20)
            finally:
                process.kill()
                for child in started[1:]:
                    with suppress(psutil.NoSuchProcess):
                        child.kill()


@dataclass(frozen=True)
class Training:
    seed: int
    cost: float


def train(task):
    parameters = Parameters(d=40, N=12, P=2, m=4, alpha=2.0, beta=0.2, mu=0.25, sigma=0.3, sigma_0=0.08)
    run = simulate(
        parameters, {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.9)}, iterations=50, root_seed=task.seed, workers=1
    )
    return run["c"].isel(seed=0, iteration=-1).values


def test_training_on_workers_gives_the_same_bits_as_here(tmp_path, two):
    tasks = [Training(seed, cost=float(seed % 2)) for seed in range(4)]
    results = []
    for name, cluster in (("here", None), ("there", two)):
        with Store.create_or_open(
            tmp_path / name, {}, list("abcd"), ["c"], train(tasks[0]).shape, resume=False, force=False
        ) as store:
            results.append(run_tasks(train, tasks, store, cluster=cluster))
    assert np.isfinite(results[0]).all()
    assert np.array_equal(results[0], results[1])


def test_only_what_is_missing_goes_to_the_cluster(tmp_path, two, expected):  # noqa: F811
    seen = []
    with store_at(tmp_path / "s") as store:
        store.write(1, expected[1])
        results = run_tasks(compute, tasks_in(tmp_path / "t"), store, cluster=two, progress=seen.append)
    assert np.array_equal(results, expected)
    assert begun(tmp_path / "t") == {0: 1, 2: 1, 3: 1, 4: 1, 5: 1}
    assert sorted(seen) == [0, 2, 3, 4, 5]
    assert two.status == "running"
    assert two.dashboard_link.startswith("http://127.0.0.1:")


def threads():
    from threadpoolctl import threadpool_info

    return [os.environ["NUMBA_NUM_THREADS"], *(pool["num_threads"] for pool in threadpool_info())]


def test_a_worker_has_one_thread_and_this_process_keeps_its_environment():
    before = dict(os.environ)
    with connect("local:1") as client:
        assert list(client.nthreads().values()) == [1]
        assert client.submit(threads).result(timeout=60)[0] == "1"
        processes = list(client.run(os.getpid).values())
    assert not any(psutil.pid_exists(process) for process in processes)
    assert {name for name in os.environ if os.environ[name] != before.get(name)} <= {"__DASK_PARENT_PID"}
    assert set(before) <= set(os.environ)


@dataclass(frozen=True)
class Deadly:
    """The first worker that computes it is killed; with ``always``, each one."""

    inner: object
    always: bool = False


def deadly(task):
    result = compute(task.inner)
    if task.always or begun(task.inner.folder)[task.inner.index] == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return result


def test_a_killed_workers_task_is_computed_again(tmp_path, two, expected):  # noqa: F811
    tasks = [Deadly(task) if task.index == 2 else task for task in tasks_in(tmp_path / "t")]
    with store_at(tmp_path / "s") as store:
        assert np.array_equal(run_tasks(either, tasks, store, cluster=two), expected)
    assert begun(tmp_path / "t")[2] == 2


def either(task):
    return deadly(task) if isinstance(task, Deadly) else compute(task)


def test_a_task_that_kills_every_worker_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(lemmascope.sims.run.cluster, "ALLOWED_FAILURES", 1)
    first, second = tasks_in(tmp_path / "t", 1)[0], Task(1, str(tmp_path / "t"), waits=True)

    def begin_killing(index):
        (tmp_path / "t" / "go").touch()

    with store_at(tmp_path / "s", 2) as store:
        with pytest.raises(ClusterLost, match=r"the 2 workers that the task task 1 was given to died .* 1 of 2 tasks"):
            run_tasks(either, [first, Deadly(second, always=True)], store, cluster="local:1", progress=begin_killing)
        assert store.missing() == [1]


def test_an_error_on_a_worker_is_the_same_error_here(tmp_path, two, expected):  # noqa: F811
    tasks = tasks_in(tmp_path / "t", wrong=True)
    with store_at(tmp_path / "s") as store:
        with pytest.raises(ArithmeticError, match="no such root") as caught:
            run_tasks(compute, tasks, store, cluster=two)
        assert caught.value.__notes__[0].startswith("in the task task ")
        (tmp_path / "t" / "repaired").touch()
        assert np.array_equal(run_tasks(compute, tasks, store, cluster=two), expected)


def test_an_interrupt_leaves_a_cluster_that_goes_on(tmp_path, two, expected):  # noqa: F811
    tasks = tasks_in(tmp_path / "t")
    with store_at(tmp_path / "s") as store:
        with pytest.raises(KeyboardInterrupt):
            run_tasks(compute, tasks, store, cluster=two, progress=lambda index: signal.raise_signal(signal.SIGINT))
        assert store.done == 1
        assert np.array_equal(run_tasks(compute, tasks, store, cluster=two), expected)


@pytest.mark.parametrize("how", ["killed", "hung", "closed"])
def test_a_lost_scheduler_is_said_and_the_study_can_be_resumed(tmp_path, expected, monkeypatch, how):  # noqa: F811
    monkeypatch.setattr(lemmascope.sims.run.cluster, "POLL", 0.5)
    tasks = tasks_in(tmp_path / "t", 2) + tasks_in(tmp_path / "t", waits=True)[2:]
    with scheduler(tmp_path) as (address, process), store_at(tmp_path / "s") as store:

        def lose(index):
            if store.done == 2:
                if how == "closed":
                    process.stdin.close()
                else:
                    process.send_signal(signal.SIGKILL if how == "killed" else signal.SIGSTOP)

        with connect(address) as client:
            monkeypatch.setattr(lemmascope.sims.run.cluster, "CONNECT", 2.0)
            with pytest.raises(ClusterLost, match=r"cluster was lost; 2 of 6 tasks are in .* --resume"):
                run_tasks(compute, tasks, store, cluster=client, progress=lose)
        (tmp_path / "t" / "go").touch()
    before = begun(tmp_path / "t")
    with store_at(tmp_path / "s") as store:
        assert store.missing() == [2, 3, 4, 5]
        assert np.array_equal(run_tasks(compute, tasks, store), expected)
    assert before[0] == before[1] == 1
    assert begun(tmp_path / "t")[0] == begun(tmp_path / "t")[1] == 1


def test_a_cluster_without_workers_is_not_waited_for_forever(tmp_path, monkeypatch):
    monkeypatch.setattr(lemmascope.sims.run.cluster, "POLL", 0.1)
    monkeypatch.setattr(lemmascope.sims.run.cluster, "WITHOUT_WORKERS", 0.5)
    with (
        scheduler(tmp_path, workers=0) as (address, _),
        store_at(tmp_path / "s") as store,
        pytest.raises(ClusterLost, match="no worker for 0 s; 0 of 6 tasks"),
    ):
        run_tasks(compute, tasks_in(tmp_path / "t"), store, cluster=address)


def test_workers_without_the_code_are_said(tmp_path):
    with (
        scheduler(tmp_path, workers=1, paths=()) as (address, _),
        store_at(tmp_path / "s") as store,
        pytest.raises(InputError, match="the same lemmascope"),
    ):
        run_tasks(compute, tasks_in(tmp_path / "t"), store, cluster=address)


@pytest.mark.parametrize(
    "spec", ["", "local:", "local:0", "local:-1", "local:1.5", "locals", "tcp://", "tcp://host", "host:80", 4, None, []]
)
def test_other_clusters_are_refused_with_the_accepted_forms(spec):
    with pytest.raises(InputError, match=r'"local:4" .*, "tcp://host:port" or a distributed.Client'), connect(spec):
        pytest.fail("there is no such cluster")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'lemmascope\[cluster\]'"), connect("local:2"):
        pytest.fail("it cannot be there")


def greet(server):
    """As a shell server would."""
    with server.accept()[0] as connection:
        connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
        connection.recv(1000)


@pytest.mark.parametrize("who", ["nobody", "silent", "another"])
def test_nobody_at_the_address_is_said_in_time(monkeypatch, who):
    monkeypatch.setattr(lemmascope.sims.run.cluster, "CONNECT", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if who == "nobody":
            server.close()
        elif who == "another":
            threading.Thread(target=greet, args=[server], daemon=True).start()
        with pytest.raises(InputError, match="no scheduler answers"), connect(f"tcp://127.0.0.1:{port}"):
            pytest.fail("nobody is there")
