"""A study's tasks in one process: only what is missing, and nothing finished is lost."""

import errno
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from recorded_tasks import PATIENCE, begun, compute, file_of, processes, store_at, tasks_in, values, wait_for

from lemmascope.sims import stopping
from lemmascope.sims.run.parts import Kept
from lemmascope.sims.run.tasks import ClusterLost, Threads, run_tasks
from lemmascope.theory.errors import InputError


@pytest.mark.parametrize("workers", [None, 1, 2, 7])
def test_any_number_of_threads_gives_the_same_bits(tmp_path, expected, workers):
    seen = []
    tasks = tasks_in(tmp_path / "t")
    with store_at(tmp_path / "s") as store:
        run_tasks(compute, tasks, store, Threads(workers), seen.append)
        assert values(store) == expected
    assert sorted(task.index for task in seen) == list(range(6))
    assert begun(tmp_path / "t") == dict.fromkeys(range(6), 1)


def test_parts_in_memory_are_the_same(tmp_path, computed, expected):
    tasks = tasks_in(tmp_path / "t")
    kept = Kept([task.key for task in tasks])
    kept.write(3, computed.read(3))
    run_tasks(compute, tasks, kept, Threads(2))
    assert values(kept) == expected
    assert begun(tmp_path / "t") == {0: 1, 1: 1, 2: 1, 4: 1, 5: 1}


def test_only_what_is_missing_is_computed(tmp_path, computed, expected):
    tasks, seen = tasks_in(tmp_path / "t"), []
    with store_at(tmp_path / "s") as store:
        for index in (1, 4):
            store.write(index, computed.read(index))
        run_tasks(compute, tasks, store, Threads(), seen.append)
        assert values(store) == expected
    assert sorted(task.index for task in seen) == [0, 2, 3, 5]
    with store_at(tmp_path / "s") as store:
        run_tasks(compute, tasks, store, NeverAsked())
        assert values(store) == expected
    assert begun(tmp_path / "t") == {0: 1, 2: 1, 3: 1, 5: 1}


class NeverAsked:
    def run(self, compute, tasks, done):
        raise AssertionError("everything is there")


def test_a_truncated_result_is_computed_again(tmp_path, expected):
    tasks = tasks_in(tmp_path / "t")
    with store_at(tmp_path / "s") as store:
        run_tasks(compute, tasks, store, Threads())
    file = file_of(tmp_path / "s", 3)
    file.write_bytes(file.read_bytes()[:-5])
    with store_at(tmp_path / "s") as store:
        assert store.damaged == ["task 3"]
        run_tasks(compute, tasks, store, Threads())
        assert values(store) == expected
    assert begun(tmp_path / "t") == {0: 1, 1: 1, 2: 1, 3: 2, 4: 1, 5: 1}


def test_the_longest_begin_first(tmp_path):
    tasks, order = tasks_in(tmp_path / "t", 4, cost={1: 5.0, 2: 2.0, 3: 5.0}), []

    def ordered(task):
        order.append(task.index)
        return compute(task)

    with store_at(tmp_path / "s", 4) as store:
        run_tasks(ordered, tasks, store, Threads(1))
    assert order == [1, 3, 2, 0]


def check_ended(folder, store, *failed):
    """Every task that was begun and did not fail is in the store, and no other."""
    assert set(range(6)) - set(store.missing()) == set(begun(folder)) - set(failed)


def test_an_error_names_its_task_and_keeps_the_others(tmp_path, expected):
    tasks = tasks_in(tmp_path / "t", does={5: "fail"}, cost={5: 0.5})
    with store_at(tmp_path / "s") as store:
        with pytest.raises(ArithmeticError, match="no such root") as caught:
            run_tasks(compute, tasks, store, Threads(2))
        assert caught.value.__notes__ == ["in the task task 5"]
        assert store.missing() == [5]
        (tmp_path / "t" / "repaired").touch()
        run_tasks(compute, tasks, store, Threads(2))
        assert values(store) == expected
    assert begun(tmp_path / "t") == {0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 2}


def test_an_error_begins_no_further_task_and_ends_those_that_ask(tmp_path):
    """Of two threads one asks, forever, until the other's task fails; the rest is never begun."""
    tasks = tasks_in(tmp_path / "t", does={0: "ask"}, cost={0: 3.0, 1: 2.0})

    def failing(task):
        if task.index == 1:
            wait_for(lambda: 0 in begun(tmp_path / "t"), "the other task")
            raise ArithmeticError("no such root")
        return compute(task)

    with store_at(tmp_path / "s") as store:
        with pytest.raises(ArithmeticError):
            run_tasks(failing, tasks, store, Threads(2))
        check_ended(tmp_path / "t", store, 0)
    assert not stopping.stopped()


def test_a_run_that_fails_does_not_end_another(tmp_path):
    """In another thread of the process, or around it: whose task may run a study of its own."""
    others = tasks_in(tmp_path / "other", 2, does={0: "wait", 1: "ask"}, cost={0: 9.0})
    inner = tasks_in(tmp_path / "inner", 2, does={0: "ask", 1: "fail"}, cost={0: 9.0})
    kept = Kept([task.key for task in others])

    def outer(task):
        if task.index == 1:
            with pytest.raises(ArithmeticError):
                run_tasks(compute, inner, Kept([one.key for one in inner]), Threads(2))
            assert not stopping.stopped()
            task = replace(task, does="")
        return compute(task)

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(run_tasks, outer, others, kept, Threads(2))
        wait_for(
            lambda: begun(tmp_path / "inner") == {0: 1, 1: 1} and begun(tmp_path / "other") == {0: 1, 1: 1}, "both"
        )
        (tmp_path / "other" / "go").touch()
        other.result()
    assert kept.done == 2


def test_a_run_within_a_task_ends_with_it(tmp_path):
    inner = tasks_in(tmp_path / "inner", 1, does={0: "ask"})

    def outer(task):
        if task.index == 1:
            wait_for(lambda: begun(tmp_path / "inner"), "the run within the other task")
            raise ArithmeticError("no such root")
        run_tasks(compute, inner, Kept([one.key for one in inner]), Threads(1))
        raise AssertionError("it must have been ended")

    tasks = tasks_in(tmp_path / "t", 2)
    with pytest.raises(ArithmeticError, match="no such root"):
        run_tasks(outer, tasks, Kept([task.key for task in tasks]), Threads(2))


def test_a_second_interrupt_does_not_let_tasks_run_to_their_end(tmp_path, ctrl_c):
    """Ctrl-C comes again while a task is waited for, which asks only then, and would else ask forever."""
    tasks = tasks_in(tmp_path / "t", 2, does={0: "ask"}, cost={0: 9.0})
    again, ended = threading.Event(), []

    def handler(number, frame):
        again.set()
        raise KeyboardInterrupt

    def computed(task):
        if task.index == 0:
            wait_for(stopping.stopped, "the first interrupt")
            os.kill(os.getpid(), ctrl_c)
            assert again.wait(PATIENCE)
        try:
            return compute(task)
        except KeyboardInterrupt:
            ended.append(task.index)
            raise

    def interrupt(task):
        raise KeyboardInterrupt

    signal.signal(ctrl_c, handler)
    with pytest.raises(KeyboardInterrupt):
        run_tasks(computed, tasks, Kept([task.key for task in tasks]), Threads(2), interrupt)
    wait_for(lambda: ended == [0], "the task's end")
    assert not stopping.stopped()


@pytest.mark.parametrize("bad", [np.zeros(1), None])
def test_a_part_that_is_none_is_refused_and_the_others_are_kept(tmp_path, bad):
    """The task that is refused is the first in every list: what comes after it is handed over nevertheless."""
    tasks = tasks_in(tmp_path / "t", cost={0: 9.0})

    def computed(task):
        if task.index == 0:
            wait_for(lambda: len(begun(tmp_path / "t")) == 5, "the other tasks")
            return bad
        return compute(task)

    with store_at(tmp_path / "s") as store:
        with pytest.raises(InputError, match=r"part task 0 = '\w+' .* must be an xarray Dataset"):
            run_tasks(computed, tasks, store, Threads(2))
        assert store.missing() == [0]


def once(action):
    """A callback that does it at its first call."""
    left = [action]
    return lambda task: left.pop()() if left else None


def test_an_interrupt_begins_no_further_task_and_loses_none(tmp_path, expected, ctrl_c):
    tasks = tasks_in(tmp_path / "t")
    with store_at(tmp_path / "s") as store:
        with pytest.raises(KeyboardInterrupt):
            run_tasks(compute, tasks, store, Threads(1), once(lambda: signal.raise_signal(ctrl_c)))
        assert store.done
        check_ended(tmp_path / "t", store)
        run_tasks(compute, tasks, store, Threads(2))
        assert values(store) == expected
    assert begun(tmp_path / "t") == dict.fromkeys(range(6), 1)


def test_a_full_disk_is_said_and_can_be_resumed(tmp_path, expected, monkeypatch):
    tasks = tasks_in(tmp_path / "t")
    with store_at(tmp_path / "s") as store:
        with monkeypatch.context() as patch:
            write = store.write

            def full(index, part):
                if store.done == 2:
                    raise OSError(errno.ENOSPC, "No space left on device")
                write(index, part)

            patch.setattr(store, "write", full)
            with pytest.raises(OSError, match="No space left"):
                run_tasks(compute, tasks, store, Threads(2))
        assert store.done == 2
        run_tasks(compute, tasks, store, Threads(2))
        assert values(store) == expected


def test_a_task_that_ends_the_process_ends_the_run(tmp_path):
    def leaving(task):
        if task.index == 0:
            sys.exit(3)
        return compute(task)

    with store_at(tmp_path / "s") as store, pytest.raises(SystemExit):
        run_tasks(leaving, tasks_in(tmp_path / "t"), store, Threads(2))


def test_each_task_has_one_thread_of_the_library(tmp_path):
    from threadpoolctl import threadpool_info

    def counted(task):
        seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return compute(task)

    seen = []
    before = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
    with store_at(tmp_path / "s") as store:
        run_tasks(counted, tasks_in(tmp_path / "t"), store, Threads(2))
    assert set(seen) == {1}
    after = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
    assert {path: after[path] for path in before} == before


LATE = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[1].split()
from recorded_tasks import compute, store_at, tasks_in
from threadpoolctl import threadpool_info
from lemmascope.sims.run.tasks import Threads, run_tasks

def counted(task):
    import scipy.linalg.cython_blas  # as a compiled loop does at its first product
    seen.update({pool["filepath"]: pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"})
    return compute(task)

seen, folder = {}, Path(sys.argv[2])
with store_at(folder / "s") as store:
    run_tasks(counted, tasks_in(folder / "t"), store, Threads(2))
print(sorted(seen.values()))
"""


def test_a_library_that_a_task_loads_has_one_thread_too(tmp_path):
    tests = Path(__file__).parent
    code = [sys.executable, "-c", LATE, f"{tests} {tests.parents[1]}", str(tmp_path)]
    done = subprocess.run(code, capture_output=True, text=True, check=True)
    assert set(done.stdout.strip("[]\n").split(", ")) == {"1"}


def test_arguments_are_refused_at_the_door(tmp_path):
    tasks = tasks_in(tmp_path / "t")
    with store_at(tmp_path / "s") as store:
        for others in (tasks[:5], tasks[::-1]):
            with pytest.raises(InputError, match="one for each of the 6 keys"):
                run_tasks(compute, others, store, Threads())
        assert store.done == 0
    for workers in (0, -1, 1.5, True):
        with pytest.raises(InputError, match="workers"):
            Threads(workers)


class Lost:
    """A cluster that ends after two tasks."""

    def run(self, compute, tasks, done):
        for index in range(2):
            done(index, compute(tasks[index]))
        raise ClusterLost("the connection to the cluster was lost")


def test_a_lost_cluster_says_what_is_kept_and_where(tmp_path):
    tasks = tasks_in(tmp_path / "t")
    with store_at(tmp_path / "s") as store:
        with pytest.raises(ClusterLost, match=r"was lost; 2 of 6 parts are in .*/s/parts, and --resume continues"):
            run_tasks(compute, tasks, store, Lost())
        assert store.done == 2
    with pytest.raises(ClusterLost, match=r"was lost; 2 of 6 parts were computed, and are not kept without a folder"):
        run_tasks(compute, tasks, Kept([task.key for task in tasks]), Lost())


CLIENT = """
import sys
sys.path[:0] = [{here!r}]
from pathlib import Path
from lemmascope.sims.run.cluster import Dask
from lemmascope.sims.run.tasks import Threads, run_tasks
from recorded_tasks import compute, store_at, tasks_in
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    tasks = tasks_in(folder / "t", does=dict.fromkeys(range(2, 6), "wait"), cost={{0: 9.0, 1: 9.0}})
    with store_at(folder / "s") as store:
        run_tasks(compute, tasks, store, Dask("local:2") if sys.argv[2] else Threads(2))
"""


@pytest.mark.parametrize("cluster", ["", "local:2"])
def test_a_killed_client_loses_only_what_was_under_way(tmp_path, expected, cluster):
    folder, script = tmp_path / "t", tmp_path / "client.py"
    tasks = tasks_in(folder)
    script.write_text(CLIENT.format(here=str(Path(__file__).parent)))
    stored = [file_of(tmp_path / "s", index) for index in (0, 1)]
    with subprocess.Popen([sys.executable, str(script), str(tmp_path), cluster]) as client:
        try:
            wait_for(
                lambda: client.poll() is not None or (all(f.exists() for f in stored) and len(begun(folder)) == 4),
                "two tasks in the store and two under way",
            )
            assert client.poll() is None
            with pytest.raises(InputError, match="another process is working on it"):
                store_at(tmp_path / "s")
        finally:
            client.send_signal(signal.SIGKILL)
    wait_for(lambda: not any(map(psutil.pid_exists, processes(folder))), "the end of the workers")
    first = begun(folder)
    with store_at(tmp_path / "s") as store:
        assert store.damaged == []
        assert store.missing() == [2, 3, 4, 5]
        run_tasks(compute, tasks, store, Threads(2))
        assert values(store) == expected
    assert list(first.values()) == [1, 1, 1, 1]
    assert begun(folder) == {index: 1 + (index > 1 and index in first) for index in range(6)}
    assert os.getpid() in processes(folder)
