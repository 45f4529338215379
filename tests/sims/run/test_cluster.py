"""The same tasks on real clusters: the same bits, whatever is killed."""

import asyncio
import dataclasses
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import xarray as xr
from distributed import Client, LocalCluster, Security
from distributed.comm import connect as comm_connect
from recorded_tasks import PATIENCE, begun, compute, processes, store_at, tasks_in, values, wait_for

import lemmascope.sims.run.cluster
from lemmascope.sims import registry
from lemmascope.sims.run import carry
from lemmascope.sims.run.carry import Compute, run_study
from lemmascope.sims.run.cluster import ClusterLost, Dask, _Watch, connect
from lemmascope.sims.run.code import made_with
from lemmascope.sims.run.tasks import Threads, run_tasks
from lemmascope.sims.study import experiment_tasks, settings_of
from lemmascope.theory.errors import InputError

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def two():
    """Two workers on this machine."""
    with Dask("local:2") as cluster:
        yield cluster


SCHEDULER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    cluster = LocalCluster(n_workers=int(sys.argv[1]), threads_per_worker=int(sys.argv[2]), dashboard_address=None,
                           memory_limit=None)
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
    cluster.close()
"""


@contextmanager
def scheduler(folder, workers=2, threads=1, paths=(HERE,)):
    """A process with a scheduler and its workers, and its address; ends when its input does."""
    script = folder / "scheduler.py"
    script.write_text(SCHEDULER)
    with subprocess.Popen(
        [sys.executable, str(script), str(workers), str(threads)],
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
                process.wait(timeout=PATIENCE)
            finally:
                process.kill()
                for child in started[1:]:
                    with suppress(psutil.NoSuchProcess):
                        child.kill()


def test_only_what_is_missing_goes_to_the_cluster(tmp_path, two, computed, expected):
    seen = []
    with store_at(tmp_path / "s") as store:
        store.write(1, computed.read(1))
        run_tasks(compute, tasks_in(tmp_path / "t"), store, two, seen.append)
        assert values(store) == expected
        assert store.read(0).attrs == {"index": 0}
    assert begun(tmp_path / "t") == {0: 1, 2: 1, 3: 1, 4: 1, 5: 1}
    assert sorted(task.index for task in seen) == [0, 2, 3, 4, 5]
    assert os.getpid() not in processes(tmp_path / "t")
    assert two.dashboard.startswith("http://127.0.0.1:")


def test_a_cluster_that_nobody_entered_is_there_for_one_run(tmp_path, expected):
    cluster = Dask("local:1")
    with store_at(tmp_path / "s") as store:
        run_tasks(compute, tasks_in(tmp_path / "t"), store, cluster)
        assert values(store) == expected
    wait_for(lambda: not any(map(psutil.pid_exists, processes(tmp_path / "t"))), "the end of the worker")


def threads():
    from threadpoolctl import threadpool_info

    return [os.environ["NUMBA_NUM_THREADS"], *(pool["num_threads"] for pool in threadpool_info())]


def test_a_worker_has_one_thread_and_this_process_keeps_its_environment():
    before = dict(os.environ)
    with connect("local:1") as client:
        assert list(client.nthreads().values()) == [1]
        assert client.submit(threads).result()[0] == "1"
        workers = list(client.run(os.getpid).values())
    wait_for(lambda: not any(map(psutil.pid_exists, workers)), "the end of the workers")
    assert {name for name in os.environ if os.environ[name] != before.get(name)} <= {"__DASK_PARENT_PID"}
    assert set(before) <= set(os.environ)


def test_a_killed_workers_task_is_computed_again(tmp_path, two, expected):
    tasks = tasks_in(tmp_path / "t", does={2: "kill"})
    with store_at(tmp_path / "s") as store:
        run_tasks(compute, tasks, store, two)
        assert values(store) == expected
    assert begun(tmp_path / "t")[2] == 2


def test_a_task_that_kills_every_worker_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(lemmascope.sims.run.cluster, "ALLOWED_FAILURES", 1)
    tasks = tasks_in(tmp_path / "t", 2, does={1: "wait always"}, cost={0: 2.0})
    go = tmp_path / "t" / "go"
    with store_at(tmp_path / "s", 2) as store:
        with pytest.raises(ClusterLost, match=r"the 2 workers that the task task 1 was given to died .* 1 of 2 parts"):
            run_tasks(compute, tasks, store, Dask("local:1"), lambda task: go.touch())
        assert store.missing() == [1]


def test_an_error_on_a_worker_is_the_same_error_here(tmp_path, two, expected):
    tasks = tasks_in(tmp_path / "t", does=dict.fromkeys(range(6), "fail"))
    with store_at(tmp_path / "s") as store:
        with pytest.raises(ArithmeticError, match="no such root") as caught:
            run_tasks(compute, tasks, store, two)
        assert caught.value.__notes__[0].startswith("in the task task ")
        (tmp_path / "t" / "repaired").touch()
        run_tasks(compute, tasks, store, two)
        assert values(store) == expected


def refusing(task):
    raise InputError("eta", 3.0, "it must be less than 2")


def test_a_refusal_on_a_worker_is_the_same_refusal_here(tmp_path, two):
    with store_at(tmp_path / "s") as store, pytest.raises(InputError, match=r"eta = 3.0 .* less than 2") as caught:
        run_tasks(refusing, tasks_in(tmp_path / "t"), store, two)
    assert (caught.value.field, caught.value.value) == ("eta", 3.0)


def no_dataset(task):
    """Task 0 is no part; it ends in their midst."""
    if task.index:
        return compute(task)
    wait_for(lambda: len(begun(task.folder)) >= 3, "some others")  # the other worker may begin two between two looks
    return 1.5


def test_a_part_that_is_none_is_refused_and_what_is_finished_is_kept(tmp_path, two, monkeypatch):
    """The first part is handed over when all have ended on the workers: those after the refused one are not lost."""
    monkeypatch.setattr(lemmascope.sims.run.cluster, "POLL", PATIENCE)
    tasks = tasks_in(tmp_path / "t", cost={0: 9.0})

    def finished(task):
        wait_for(lambda: all(one.status != "pending" for one in two._client.futures.values()), "all tasks")

    with store_at(tmp_path / "s") as store:
        with pytest.raises(InputError, match=r"part task 0 = 'float' .* must be an xarray Dataset"):
            run_tasks(no_dataset, tasks, store, two, finished)
        assert store.missing() == [0]


def test_an_interrupt_leaves_a_cluster_that_goes_on(tmp_path, two, expected, ctrl_c):
    tasks, left = tasks_in(tmp_path / "t"), [ctrl_c]
    with store_at(tmp_path / "s") as store:
        with pytest.raises(KeyboardInterrupt):
            run_tasks(compute, tasks, store, two, lambda task: signal.raise_signal(left.pop()) if left else None)
        assert store.done
        run_tasks(compute, tasks, store, two)
        assert values(store) == expected


@pytest.mark.parametrize("how", ["killed", "hung", "closed"])
def test_a_lost_scheduler_is_said_and_the_study_can_be_resumed(tmp_path, expected, monkeypatch, how):
    monkeypatch.setattr(lemmascope.sims.run.cluster, "POLL", 0.5)
    tasks = tasks_in(tmp_path / "t", does=dict.fromkeys(range(2, 6), "wait"), cost={0: 9.0, 1: 9.0})
    with scheduler(tmp_path, workers=1) as (address, process), store_at(tmp_path / "s") as store:

        def lose(task):
            if store.done == 2:
                monkeypatch.setattr(lemmascope.sims.run.cluster, "CONNECT", 0.5)
                if how == "closed":
                    process.stdin.close()
                else:
                    process.send_signal(signal.SIGKILL if how == "killed" else signal.SIGSTOP)

        said = r"cluster was lost(: it was silent for .*)?; 2 of 6 parts are in .* --resume"
        with Dask(address, patience=1.0) as cluster, pytest.raises(ClusterLost, match=said):
            run_tasks(compute, tasks, store, cluster, lose)
        (tmp_path / "t" / "go").touch()
    with store_at(tmp_path / "s") as store:
        assert store.missing() == [2, 3, 4, 5]
        run_tasks(compute, tasks, store, Threads(2))
        assert values(store) == expected
    assert begun(tmp_path / "t")[0] == begun(tmp_path / "t")[1] == 1


def test_a_silent_scheduler_is_asked_again(tmp_path, expected, monkeypatch):
    """It stops, as on a machine that sleeps, and goes on when it has been asked in vain."""
    tasks, asked = tasks_in(tmp_path / "t", does=dict.fromkeys(range(1, 6), "wait"), cost={0: 9.0}), []
    ask = _Watch._ask

    def counted(watch):
        try:
            return ask(watch)
        except TimeoutError:
            asked.append("in vain")
            if len(asked) == 2:
                monkeypatch.setattr(lemmascope.sims.run.cluster, "CONNECT", PATIENCE)
                (tmp_path / "t" / "go").touch()
                process.send_signal(signal.SIGCONT)
            raise

    def stop(task):
        if store.done == 1:
            monkeypatch.setattr(lemmascope.sims.run.cluster, "CONNECT", 0.1)
            process.send_signal(signal.SIGSTOP)

    monkeypatch.setattr(lemmascope.sims.run.cluster, "POLL", 0.1)
    monkeypatch.setattr(_Watch, "_ask", counted)
    with scheduler(tmp_path, workers=1) as (address, process), store_at(tmp_path / "s") as store:
        run_tasks(compute, tasks, store, Dask(address, patience=PATIENCE), stop)
        assert values(store) == expected
    assert len(asked) == 2
    assert begun(tmp_path / "t") == dict.fromkeys(range(6), 1)


@pytest.mark.parametrize("bad", [-1, float("nan"), "long"])
def test_patience_is_a_number(bad):
    with pytest.raises(InputError, match="cluster_patience"):
        Dask("local", patience=bad)


def test_a_local_cluster_serves_this_process_alone(tmp_path):
    """Whoever else knows its address is refused: one without its certificate, and one with another."""
    with connect("local:1") as client:
        address = client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        assert all(worker.startswith("tls://127.0.0.1:") for worker in client.nthreads())
        for where in (address, next(iter(client.nthreads()))):
            assert asyncio.run(greeted(where, client.security, PATIENCE))["type"] in ("Scheduler", "Worker")
            plain = where.replace("tls://", "tcp://")
            for other, security in ((plain, None), (where, Security.temporary())):
                with pytest.raises(OSError):  # noqa: PT011  # whatever the handshake says
                    asyncio.run(greeted(other, security, 2))


async def greeted(address, security, timeout):
    """What is answered there; one that is refused tries again, until its time is over."""
    arguments = security.get_connection_args("client") if security else {}
    comm = await comm_connect(address, timeout=timeout, **arguments)
    await comm.write({"op": "identity", "reply": True})
    found = await comm.read()
    await comm.close()
    return found


def test_a_cluster_without_workers_is_not_waited_for_forever(tmp_path, monkeypatch):
    monkeypatch.setattr(lemmascope.sims.run.cluster, "POLL", 0.1)
    monkeypatch.setattr(lemmascope.sims.run.cluster, "WITHOUT_WORKERS", 0.5)
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster, set_as_default=False) as client,
        store_at(tmp_path / "s") as store,
    ):
        with pytest.raises(ClusterLost, match="no worker for 0 s; 0 of 6 parts"):
            run_tasks(compute, tasks_in(tmp_path / "t"), store, Dask(client))
        assert client.status == "running"  # it is not ours to close


def test_workers_without_the_code_are_said(tmp_path):
    with (
        scheduler(tmp_path, workers=1, paths=()) as (address, _),
        store_at(tmp_path / "s") as store,
        pytest.raises(InputError, match=r"need the same lemmascope .*, and what the study imports .*recorded_tasks"),
    ):
        run_tasks(compute, tasks_in(tmp_path / "t"), store, Dask(address))


@pytest.mark.parametrize(
    "spec", ["", "local:", "local:0", "local:-1", "local:1.5", "locals", "tcp://", "tcp://host", "host:80", 4, None, []]
)
def test_other_clusters_are_refused_with_the_accepted_forms(spec):
    with pytest.raises(InputError, match=r'"local:4" .*, "tcp://host:port" or a distributed.Client'), Dask(spec):
        pytest.fail("there is no such cluster")


@pytest.mark.parametrize("package", ["distributed", "cryptography"])
def test_a_missing_package_is_named(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
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


OWN = '''"""Squares, with the help of a module beside the file."""

import os
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

import lemmascope as ls
from helper_of_own_study import square


@dataclass(frozen=True)
class Settings:
    folder: str = ls.option("", "Where it is recorded who computed.")
    count: int = ls.option(6, "How many.")


def compute(task):
    x = task.at["x"]
    (Path(task.settings.folder) / f"by-{os.getpid()}-{x}").touch()
    return xr.Dataset({"y": square(x), "u": task.rng("u").standard_normal()})


STUDY = ls.Study(
    name="squares",
    subject="squares",
    message="Squares are squares.",
    settings=Settings,
    experiments={"squares": ls.Experiment(lambda s: {"x": range(s.count)}, compute)},
    evidence=lambda settings, data: [],
    claims=[],
)
'''
HELPER = "def square(x):\n    return float(x * x)\n"


@pytest.fixture
def own(tmp_path):
    """A user's own study that imports a module beside its file."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "helper_of_own_study.py").write_text(HELPER)
    (folder / "squares.py").write_text(OWN)
    yield folder / "squares.py"
    sys.modules.pop("helper_of_own_study", None)


def test_a_users_own_study_goes_to_a_cluster_with_what_lies_beside_it(tmp_path, two, own):
    study = registry.load(own)
    settings = settings_of(study.settings, folder=str(tmp_path))
    here = run_study(study, settings)
    assert {file.name.split("-")[1] for file in tmp_path.glob("by-*")} == {str(os.getpid())}
    there = run_study(study, settings, out=tmp_path / "out", executor=two)
    xr.testing.assert_identical(here.data["squares"], there.data["squares"])
    assert there.data["squares"].y.values.tolist() == [0.0, 1.0, 4.0, 9.0, 16.0, 25.0]
    workers = {file.name.split("-")[1] for file in tmp_path.glob("by-*")} - {str(os.getpid())}
    assert workers
    assert len(list(tmp_path.glob("by-*"))) == 12


def test_the_toy_study_has_the_same_bits_and_verdicts_there(two, toy, tiny_toy):
    here, there = (run_study(toy, tiny_toy, executor=executor) for executor in (Threads(2), two))
    for name in here.data:
        xr.testing.assert_identical(here.data[name], there.data[name])
    assert here.verdicts == there.verdicts


def test_workers_with_many_threads_load_a_users_study_once(tmp_path, own):
    """All threads of a worker want the study at the same time."""
    counts = f"\nwith open(f'{tmp_path}/loaded-{{os.getpid()}}', 'a') as file:\n    file.write('x')\n"
    own.write_text(OWN + counts)
    study = registry.load(own)
    settings = settings_of(study.settings, folder=str(tmp_path), count=40)
    with scheduler(tmp_path, workers=1, threads=8) as (address, _), Dask(address) as cluster:
        found = run_study(study, settings, executor=cluster)
    assert found.data["squares"].y.values.tolist() == [float(x * x) for x in range(40)]
    assert [file.read_text() for file in tmp_path.glob("loaded-*")] == ["x", "x"]  # here and there


def test_a_study_runs_as_it_was_loaded_whatever_becomes_of_its_file(own, tmp_path, two):
    """Its text goes with the tasks: to a machine where the file is not, or is another by now."""
    study = registry.load(own)
    settings = settings_of(study.settings, folder=str(tmp_path))
    own.write_text("raise RuntimeError('another file by now')")
    found = run_study(study, settings, executor=two)
    assert found.data["squares"].y.values.tolist() == [0.0, 1.0, 4.0, 9.0, 16.0, 25.0]
    own.unlink()
    task = experiment_tasks(study, settings, 0)["squares"][3]
    again = pickle.loads(pickle.dumps(Compute(study)))
    assert float(again(pickle.loads(pickle.dumps(task))).y) == 9.0


ELSEWHERE = """
import pickle, sys
compute, task = (pickle.loads(bytes.fromhex(line)) for line in sys.stdin)
print(float(compute(task).variance))
"""


def test_a_study_is_found_by_its_text_where_its_file_is_not(tmp_path, toy):
    """In a process that never saw the file, under a path that is not there."""
    moved = tmp_path / "nowhere" / "toy_study.py"
    moved.parent.mkdir()
    moved.write_text(toy.source)
    study = registry.load(moved)
    moved.unlink()
    moved.parent.rmdir()
    settings = settings_of(study.settings, "tiny")
    (task, *_) = experiment_tasks(study, settings, 0)["chain"]
    sent = "\n".join(pickle.dumps(x).hex() for x in (Compute(study), task))
    run = subprocess.run([sys.executable, "-c", ELSEWHERE], input=sent, capture_output=True, text=True, check=True)
    assert float(run.stdout) == float(toy.experiments["chain"].compute(task).variance)


def test_what_lies_beside_the_file_goes_with_it(own, tmp_path, two):
    helper = own.with_name("helper_only_here.py")
    helper.write_text(HELPER)
    own.write_text(OWN.replace("helper_of_own_study", "helper_only_here"))
    study = registry.load(own)
    helper.unlink()
    found = run_study(study, settings_of(study.settings, folder=str(tmp_path)), executor=two)
    assert found.data["squares"].y.values.tolist() == [0.0, 1.0, 4.0, 9.0, 16.0, 25.0]


def test_a_module_that_a_worker_has_not_is_named(own, tmp_path, two, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "helper_only_here.py").write_text(HELPER)
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    own.write_text(OWN.replace("helper_of_own_study", "helper_only_here"))
    study = registry.load(own)
    settings = settings_of(study.settings, folder=str(tmp_path))
    with pytest.raises(InputError, match=r"and what the study imports .*helper_only_here"):
        run_study(study, settings, executor=two)
    sys.modules.pop("helper_only_here")


@pytest.mark.parametrize("what", ["code", "numpy", "backend"])
def test_a_worker_with_other_code_or_versions_is_refused(toy, tiny_toy, two, monkeypatch, what):
    """Whatever of this process's differs from its own: the same bits are promised."""
    here = {"code": lambda study: "another", "made": lambda study, backend: made_with(study, backend) | {what: "9.9"}}
    if what == "code":
        monkeypatch.setattr(carry, "code_of", here["code"])
        said = "a worker has other code than this process; both need the same lemmascope"
    else:
        monkeypatch.setattr(carry, "made_with", here["made"])
        said = rf"a worker computes with another {what} \(.* there, 9.9 here\)"
    with pytest.raises(InputError, match=said):
        run_study(toy, tiny_toy, executor=two)


def test_a_study_in_no_file_stays_in_this_process(toy, tiny_toy, two):
    """Changed since it was loaded, or made in a script: a worker would compute what the file says."""
    other = toy.experiments | {"chain": dataclasses.replace(toy.experiments["chain"], compute=lambda task: None)}
    for study in (
        dataclasses.replace(toy, experiments=other),
        dataclasses.replace(toy, name="made", file="", source=""),
    ):
        with pytest.raises(InputError, match=r"it must be in a file"):
            run_study(study, tiny_toy, executor=two)
    found = run_study(dataclasses.replace(toy, claims=toy.claims[:1]), tiny_toy, executor=two)
    assert len(found.verdicts) == 1


def test_a_study_of_the_house_is_found_by_its_name():
    study = registry.study(registry.names()[0])
    compute = pickle.loads(pickle.dumps(Compute(study)))
    assert compute.study is study
    assert len(pickle.dumps(Compute(study))) < 500
