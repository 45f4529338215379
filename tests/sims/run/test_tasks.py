"""A study's tasks in one process: only what is missing, and nothing finished is lost."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

import lemmascope.sims.run.store
from lemmascope.sims.run.store import Store
from lemmascope.sims.run.tasks import longest_first, run_tasks
from lemmascope.theory.errors import InputError

ROOT = Path(lemmascope.sims.run.store.__file__).resolve().parents[2]


@dataclass(frozen=True)
class Task:
    """Leaves a file in ``folder``, with the process's number, each time it is computed."""

    index: int
    folder: str
    cost: float = 1.0
    wrong: bool = False
    waits: bool = False


def begun(folder):
    """How often each task was computed, by index."""
    counts: dict[int, int] = {}
    for file in Path(folder).glob("began-*"):
        counts[int(file.name.split("-")[1])] = counts.get(int(file.name.split("-")[1]), 0) + 1
    return counts


def compute(task):
    folder = Path(task.folder)
    number = 0
    while True:
        try:
            with open(folder / f"began-{task.index}-{number}", "x") as file:
                file.write(str(os.getpid()))
            break
        except FileExistsError:
            number += 1
    end = time.monotonic() + 60
    while task.waits and not (folder / "go").exists():
        assert time.monotonic() < end, "nobody let the task go on"
        time.sleep(0.01)
    if task.wrong and not (folder / "repaired").exists():
        raise ArithmeticError("no such root")
    A = np.random.default_rng(task.index).standard_normal((150, 150))
    return np.linalg.inv(A @ A.T)[:2, :3]


def tasks_in(folder, count=6, **changes):
    folder.mkdir(exist_ok=True)
    return [Task(index, str(folder), **changes) for index in range(count)]


def store_at(path, count=6, resume=True):
    return Store.create_or_open(
        path, {"study": "test"}, [f"task {i}" for i in range(count)], ["x"], (2, 3), resume=resume, force=False
    )


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The results of six tasks in one thread."""
    folder = tmp_path_factory.mktemp("expected")
    with store_at(folder / "s") as store:
        return run_tasks(compute, tasks_in(folder / "t"), store, workers=1)


@pytest.mark.parametrize("workers", [None, 1, 2, 7])
def test_any_number_of_threads_gives_the_same_bits(tmp_path, expected, workers):
    seen = []
    with store_at(tmp_path / "s") as store:
        results = run_tasks(compute, tasks_in(tmp_path / "t"), store, workers=workers, progress=seen.append)
        assert np.array_equal(results, store.read())
    assert np.array_equal(results, expected)
    assert sorted(seen) == list(range(6))
    assert begun(tmp_path / "t") == dict.fromkeys(range(6), 1)


def test_only_what_is_missing_is_computed(tmp_path, expected):
    tasks = tasks_in(tmp_path / "t")
    with store_at(tmp_path / "s") as store:
        for index in (1, 4):
            store.write(index, expected[index])
        assert np.array_equal(run_tasks(compute, tasks, store), expected)
        assert begun(tmp_path / "t") == {0: 1, 2: 1, 3: 1, 5: 1}
        assert np.array_equal(run_tasks(compute, tasks, store), expected)
    with store_at(tmp_path / "s") as store:
        assert np.array_equal(run_tasks(compute, tasks, store, cluster="never asked"), expected)
    assert sum(begun(tmp_path / "t").values()) == 4


def test_a_truncated_result_is_computed_again(tmp_path, expected):
    tasks = tasks_in(tmp_path / "t")
    with store_at(tmp_path / "s") as store:
        run_tasks(compute, tasks, store)
    file = tmp_path / "s" / "results" / "c.3.0.0"
    file.write_bytes(file.read_bytes()[:-5])
    with store_at(tmp_path / "s") as store:
        assert store.damaged == ["task 3"]
        assert np.array_equal(run_tasks(compute, tasks, store), expected)
    assert begun(tmp_path / "t") == {0: 1, 1: 1, 2: 1, 3: 2, 4: 1, 5: 1}


def test_the_longest_begin_first(tmp_path):
    (tmp_path / "t").mkdir()
    tasks = [Task(index, str(tmp_path / "t"), cost=cost) for index, cost in enumerate([1.0, 5.0, 2.0, 5.0])]
    seen = []
    with store_at(tmp_path / "s", 4) as store:
        run_tasks(compute, tasks, store, workers=1, progress=seen.append)
    assert sorted(seen) == [0, 1, 2, 3]
    assert longest_first(tasks, [0, 1, 2, 3]) == [1, 3, 2, 0]
    assert longest_first([object(), object(), object()], [2, 0]) == [2, 0]


def test_an_error_names_its_task_and_keeps_the_others(tmp_path, expected):
    tasks = tasks_in(tmp_path / "t", 5)
    tasks.append(Task(5, str(tmp_path / "t"), cost=0.5, wrong=True))
    with store_at(tmp_path / "s") as store:
        with pytest.raises(ArithmeticError, match="no such root") as caught:
            run_tasks(compute, tasks, store, workers=2)
        assert caught.value.__notes__ == ["in the task task 5"]
        assert store.missing() == [5]
        (tmp_path / "t" / "repaired").touch()
        assert np.array_equal(run_tasks(compute, tasks, store), expected)
    assert begun(tmp_path / "t") == {0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 2}


def test_an_interrupt_begins_no_further_task_and_loses_none(tmp_path, expected):
    tasks = tasks_in(tmp_path / "t")

    def interrupt(index):
        if threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGINT)

    with store_at(tmp_path / "s") as store:
        with pytest.raises(KeyboardInterrupt):
            run_tasks(compute, tasks, store, workers=1, progress=interrupt)
        done = set(range(6)) - set(store.missing())
        assert done
        assert done == set(begun(tmp_path / "t"))
        assert np.array_equal(run_tasks(compute, tasks, store), expected)
    assert begun(tmp_path / "t") == dict.fromkeys(range(6), 1)


def test_a_full_disk_is_said_and_can_be_resumed(tmp_path, expected, monkeypatch):
    tasks = tasks_in(tmp_path / "t")
    with store_at(tmp_path / "s") as store:
        with monkeypatch.context() as patch:
            write = store.write

            def full(index, array):
                if store.done == 2:
                    raise OSError(28, "No space left on device")
                write(index, array)

            patch.setattr(store, "write", full)
            with pytest.raises(OSError, match="No space left"):
                run_tasks(compute, tasks, store, workers=2)
        assert store.done == 2
        assert np.array_equal(run_tasks(compute, tasks, store), expected)


def test_arguments_are_refused_at_the_door(tmp_path):
    tasks = tasks_in(tmp_path / "t")
    with store_at(tmp_path / "s") as store:
        with pytest.raises(InputError, match="one for each of the 6 keys"):
            run_tasks(compute, tasks[:5], store)
        with pytest.raises(InputError, match="workers"):
            run_tasks(compute, tasks, store, workers=0)
        with pytest.raises(InputError, match="tcp://host:port"):
            run_tasks(compute, tasks, store, cluster="nowhere")
        with pytest.raises(ValueError, match=r"task 0: a result of shape \(1,\)"):
            run_tasks(lambda task: np.zeros(1), tasks, store, workers=1)
        assert store.done == 0


CLIENT = """
import sys
sys.path[:0] = {paths}
from pathlib import Path
from lemmascope.sims.run.tasks import run_tasks
from test_tasks import Task, compute, store_at
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    tasks = [Task(i, str(folder / "t"), cost=6.0 - i, waits=i > 1) for i in range(6)]
    with store_at(folder / "s") as store:
        run_tasks(compute, tasks, store, cluster=sys.argv[2] or None, workers=2)
"""


def wait_for(condition, what):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.01)


@pytest.mark.parametrize("cluster", ["", "local:2"])
def test_a_killed_client_loses_only_what_was_under_way(tmp_path, expected, cluster):
    tasks, script = tasks_in(tmp_path / "t"), tmp_path / "client.py"
    script.write_text(CLIENT.format(paths=[str(ROOT), str(Path(__file__).parent)]))
    stored = [tmp_path / "s" / "results" / f"c.{index}.0.0" for index in (0, 1)]
    with subprocess.Popen([sys.executable, str(script), str(tmp_path), cluster]) as client:
        try:
            wait_for(
                lambda: all(file.exists() for file in stored) and len(begun(tmp_path / "t")) == 4,
                "two tasks in the store and two under way",
            )
            with pytest.raises(InputError, match="another process is working on it"):
                store_at(tmp_path / "s")
        finally:
            client.send_signal(signal.SIGKILL)
    processes = {int(file.read_text()) for file in (tmp_path / "t").glob("began-*")}
    wait_for(lambda: not any(psutil.pid_exists(process) for process in processes), "the end of the workers")
    first = begun(tmp_path / "t")
    (tmp_path / "t" / "go").touch()
    with store_at(tmp_path / "s") as store:
        assert store.damaged == []
        assert store.missing() == [2, 3, 4, 5]
        assert np.array_equal(run_tasks(compute, tasks, store), expected)
    assert list(first.values()) == [1, 1, 1, 1]
    assert begun(tmp_path / "t") == {index: 1 + (index > 1 and index in first) for index in range(6)}
