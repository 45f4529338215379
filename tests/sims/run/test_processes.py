"""Tasks in processes of their own: the same results for any number, whatever becomes of one of them."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from lemmascope.sims.run.processes import Lost, Processes
from lemmascope.theory.errors import InputError

PATIENCE = 120.0
"""Seconds after which a test that waits has hung."""


def wait_for(what):
    started = time.monotonic()
    while not what():
        assert time.monotonic() - started < PATIENCE
        time.sleep(0.01)


def square(x, tell):
    return x * x, os.getpid()


def dies(how, tell):
    if how == "exit":
        os._exit(3)
    if how == "signal":
        os.kill(os.getpid(), signal.SIGKILL)
    return how


def raises(what, tell):
    if what == "input":
        raise InputError("eta", 3, "it must be < 2")
    if what == "odd":

        class Odd(Exception):
            pass

        raise Odd("cannot travel")
    sys.exit("0")


def prints(words, tell):
    print(words)
    os.write(1, b"below Python\n")
    return words


def waits(folder, tell):
    (Path(folder) / str(os.getpid())).touch()
    while True:
        time.sleep(0.01)


def collected(workers, compute, tasks, **keywords):
    found = {}
    with Processes(workers) as processes:
        processes.run(compute, tasks, found.__setitem__, **keywords)
    return found


@pytest.mark.parametrize("workers", [1, 3])
def test_every_task_is_computed_once_and_elsewhere(workers):
    found = collected(workers, square, range(7))
    assert {k: x for k, (x, _) in found.items()} == {k: k * k for k in range(7)}
    used = {who for _, who in found.values()}
    assert os.getpid() not in used
    assert 1 <= len(used) <= workers
    assert not [one for one in psutil.Process().children() if one.pid in used]


def test_a_process_serves_again():
    used = set()
    with Processes(1) as processes:
        for _ in range(2):
            processes.run(square, [1, 2, 3], lambda index, result: used.add(result[1]))
    assert len(used) == 1


def counts(most, tell):
    for k in range(most):
        tell(k)
    return "counted"


def test_how_far_a_task_is_comes_before_its_result():
    heard = {0: [], 1: []}
    with Processes(2) as processes:
        processes.run(
            counts,
            [3, 50],
            lambda index, result: heard[index].append(result),
            told=lambda index, what: heard[index].append(what),
        )
    assert heard == {0: [*range(3), "counted"], 1: [*range(50), "counted"]}


@pytest.mark.parametrize(("how", "says"), [("exit", "ended with status 3"), ("signal", "was ended by SIGKILL")])
def test_a_process_that_dies_loses_its_task_alone(how, says):
    found = collected(2, dies, ["a", how, "b", "c"])
    assert {k: found[k] for k in (0, 2, 3)} == {0: "a", 2: "b", 3: "c"}
    assert isinstance(found[1], Lost)
    assert says in found[1].how


@pytest.mark.parametrize(
    ("what", "error", "says"),
    [("input", InputError, "it must be < 2"), ("odd", RuntimeError, "Odd: cannot travel"), ("exit", SystemExit, "0")],
)
def test_what_a_task_raises_is_raised_here(what, error, says):
    with pytest.raises(error, match=says):
        collected(1, raises, [what])


def test_what_a_task_prints_is_no_output(capfd):
    assert collected(1, prints, ["mine"]) == {0: "mine"}
    out, err = capfd.readouterr()
    assert out == ""
    assert "mine\n" in err
    assert "below Python\n" in err


def test_none_at_a_time_is_refused():
    with pytest.raises(InputError, match="jobs"):
        Processes(0)


def test_an_interrupt_ends_processes_that_never_would(tmp_path, ctrl_c):
    def interrupt():
        wait_for(lambda: len(list(tmp_path.iterdir())) == 2)
        os.kill(os.getpid(), ctrl_c)

    other = threading.Thread(target=interrupt)
    other.start()
    with pytest.raises(KeyboardInterrupt):
        collected(2, waits, [str(tmp_path)] * 2)
    other.join()
    assert not [one for one in tmp_path.iterdir() if psutil.pid_exists(int(one.name))]


GROUP = """
import sys
from lemmascope.sims.run.processes import Processes
sys.path.insert(0, sys.argv[1])
from test_processes import waits

if __name__ == "__main__":
    with Processes(2) as processes:
        processes.run(waits, [sys.argv[2]] * 2, print)
"""


def test_ctrl_c_at_a_terminal_is_said_once(tmp_path, ctrl_c):
    """It goes to every process of the group; those with tasks say nothing."""
    (tmp_path / "main.py").write_text(GROUP)
    folder = tmp_path / "begun"
    folder.mkdir()
    running = subprocess.Popen(
        [sys.executable, tmp_path / "main.py", Path(__file__).parent, folder],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: len(list(folder.iterdir())) == 2)
    os.killpg(running.pid, ctrl_c)
    _, said = running.communicate()
    assert running.returncode == -ctrl_c
    assert said.count("Traceback") == 1
    assert not [one for one in folder.iterdir() if psutil.pid_exists(int(one.name))]
