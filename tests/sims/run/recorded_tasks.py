"""Tasks that record in a folder that they were begun, and wait there for leave; for threads and other processes."""

import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from lemmascope.sims import stopping
from lemmascope.sims.run.store import Store, file_name

COUNT = 6
PATIENCE = 300.0
"""Seconds after which a test that waits has hung."""


def wait_for(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.01)


@dataclass(frozen=True)
class Task:
    """Leaves a file in ``folder``, with the process's number, each time it is computed.

    Words in ``does`` say what else: "wait" for the file "go", "fail" until there is a file "repaired", "ask" whether it
    is to be given up until it is, "kill" the first process that computes it, or "always" each one.
    """

    index: int
    folder: str
    cost: float = 1.0
    does: str = ""

    @property
    def key(self):
        return f"task {self.index}"


def begun(folder):
    """How often each task was computed, by index."""
    counts: dict[int, int] = {}
    for file in Path(folder).glob("began-*"):
        index = int(file.name.split("-")[1])
        counts[index] = counts.get(index, 0) + 1
    return dict(sorted(counts.items()))


def processes(folder):
    """Of those that computed."""
    return {int(file.read_text()) for file in Path(folder).glob("began-*")}


def _record(task):
    number, whole = 0, Path(task.folder) / f"process-{os.getpid()}-{threading.get_ident()}"
    whole.write_text(str(os.getpid()))
    while True:
        try:
            os.link(whole, Path(task.folder) / f"began-{task.index}-{number}")  # whole at once, and only one has it
            return number
        except FileExistsError:
            number += 1


def compute(task):
    number, folder, does = _record(task), Path(task.folder), task.does.split()
    if "wait" in does:
        wait_for((folder / "go").exists, "leave to go on")
    if "fail" in does and not (folder / "repaired").exists():
        raise ArithmeticError("no such root")
    while "ask" in does:
        stopping.check()
        time.sleep(0.001)
    if "always" in does or ("kill" in does and number == 0):
        os.kill(os.getpid(), signal.SIGKILL)
    A = np.random.default_rng(task.index).standard_normal((150, 150))
    return xr.Dataset({"x": (("row", "column"), np.linalg.inv(A @ A.T)[:2, :3])}, attrs={"index": task.index})


def tasks_in(folder, count=COUNT, **changes):
    """Tasks of equal cost, those in ``changes`` by field and index: ``does={2: "fail"}``."""
    folder.mkdir(exist_ok=True)
    return [
        Task(index, str(folder), **{name: each[index] for name, each in changes.items() if index in each})
        for index in range(count)
    ]


def store_at(path, count=COUNT):
    """A store of those tasks, begun or resumed."""
    keys = [f"task {index}" for index in range(count)]
    return Store.create_or_open(path, {"study": "test"}, "code", keys, resume=True, force=False)


def file_of(path, index):
    """The file of a task's part."""
    return path / "parts" / file_name(f"task {index}")


def values(parts):
    """What all tasks computed, as bytes."""
    return [parts.read(index).x.values.tobytes() for index in range(len(parts.keys))]
