"""A device that is none: the kernels' own source, compiled for the processor, threads as fibers in any order."""

import ctypes
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np

from lemmascope.sims.cubic_cnn.backends import cuda

HERE = Path(__file__).parent
ORDERS = {"forwards": 0, "backwards": 1, "shuffled": 2}
COMPILER = shutil.which("g++")


class Stuck(Exception):
    """Some threads wait for others that will never come."""


@cache
def library(folder: Path, edit: tuple[str, str] | None = None) -> ctypes.CDLL:
    """The kernels with the emulator, compiled into a folder; ``edit`` replaces a text of the source, once."""
    text = cuda.SOURCE.read_text(encoding="utf-8")
    if edit is not None:
        assert text.count(edit[0]) >= 1, edit
        text = text.replace(edit[0], edit[1], 1)
    name = f"kernels_{abs(hash(edit))}"
    source, out = folder / f"{name}.cu", folder / f"{name}.so"
    source.write_text(text, encoding="utf-8")
    flags = ["-std=c++17", "-O1", "-fPIC", "-shared", f"-I{HERE}", f'-DKERNELS="{source}"', "-o", str(out)]
    command = [str(COMPILER), *flags, str(HERE / "emulate.cpp")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = ctypes.CDLL(str(out))
    count = ctypes.c_int
    loaded.emulate.argtypes = [count, ctypes.c_void_p, count, count, ctypes.c_longlong, count]
    return loaded


class Emulated:
    """`sims.cubic_cnn.backends.cuda.Runtime` on NumPy arrays."""

    def __init__(self, folder: Path, *, shared: int = 200_000, order: str = "forwards", edit=None, multiprocessors=4):
        self.shared, self.multiprocessors, self.order = shared, multiprocessors, ORDERS[order]
        self.library, self.launches = library(folder, edit), []

    def array(self, x):
        return np.array(x)

    def empty(self, shape, dtype):
        # What is not written shows.
        return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else -7, dtype)

    def address(self, x):
        assert x.flags.c_contiguous
        return x.ctypes.data

    def host(self, x):
        return x.copy()

    def launch(self, name, table, blocks, threads, shared):
        assert shared <= self.shared
        single = int(bool(re.fullmatch("trajectory_float32", name)))
        self.launches.append((name, blocks, threads, shared))
        if self.library.emulate(single, table.ctypes.data, blocks, threads, shared, self.order):
            raise Stuck(name)
