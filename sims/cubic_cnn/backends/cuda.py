"""Trajectories on an NVIDIA GPU: one block of threads carries a seed with a group of its optimizers.

The kernel is ``kernels/trajectory.cu``, which says what lives where. This module shares out seeds and optimizers,
places arrays in shared memory, fills the kernel's table, and owns the state between two calls. Device memory,
compilation and launch stand behind `Runtime`, so that the same code runs where there is no device, on a runtime that
emulates one. On a device itself it has not been run yet.
"""

from __future__ import annotations

__all__ = ["CudaKernel", "CupyRuntime", "Runtime", "bytes_needed", "in_halves", "places", "slots"]

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from lemmascope.sims.cubic_cnn.backends.kernel import TRACED, Start, States, Watched
from lemmascope.theory.cubic_cnn.coefficients import CoefficientSystem

Array = Any
Piece = TypeVar("Piece")

SOURCE = Path(__file__).parent / "kernels" / "trajectory.cu"
QUANTITIES = np.array(["", "c", "Xi", "margins"], dtype="U8")
WARP = 32
ROWS = 64
"""Rows (optimizers × neurons) of a block at most: K is used for all as it streams past, and B is in shared memory."""
TENSOR_ROWS = 16
"""Rows from which tensor cores pay, which take eight at a time."""
PLACED = ("B", "XI", "PULL", "MARGINS", "MEMORIZATION", "ELL", "SOFT", "CUBES", "PEAKS", "C", "K", "U")
"""What may have a place in shared memory, in the order in which places are given."""


@cache
def slots() -> dict[str, int]:
    """The kernel's table, by name: read from the source, so that there is one list."""
    (body,) = re.findall(r"enum Slot \{(.*?)\}", SOURCE.read_text(encoding="utf-8"), re.DOTALL)
    names = re.findall(r"[A-Z][A-Z_0-9]*", re.sub(r"//.*", "", body))
    return {name: i for i, name in enumerate(names)}


class Runtime(Protocol):
    """Memory and launches on a device."""

    shared: int
    """Bytes of shared memory that a block may take."""
    multiprocessors: int

    def array(self, x: np.ndarray) -> Array:
        """A copy on the device."""

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Memory on the device, as it is."""

    def address(self, x: Array) -> int:
        """Where an array begins; it must be contiguous."""

    def host(self, x: Array) -> np.ndarray:
        """A copy on the host."""

    def launch(self, name: str, table: Array, blocks: int, threads: int, shared: int) -> None:
        """Run a kernel of `SOURCE`; return when it is done."""


@cache
def _module() -> Any:
    """The kernels, compiled for the current device by its own compiler."""
    import cupy

    return cupy.RawModule(code=SOURCE.read_text(encoding="utf-8"), options=("--std=c++17",), backend="nvrtc")


class CupyRuntime:
    """The current CUDA device, through CuPy.

    Raises:
        Unavailable: there is none.
    """

    def __init__(self) -> None:
        from lemmascope.sims.cubic_cnn.backends.device import find_device

        found = find_device()
        import cupy

        self.cupy = cupy
        self.shared, self.multiprocessors = found.shared, found.multiprocessors
        self.module = _module()

    def array(self, x: np.ndarray) -> Array:
        """A copy on the device."""
        return self.cupy.asarray(x)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Memory on the device, as it is."""
        return self.cupy.empty(shape, dtype)

    def address(self, x: Array) -> int:
        """Where an array begins."""
        assert x.flags.c_contiguous
        return int(x.data.ptr)

    def host(self, x: Array) -> np.ndarray:
        """A copy on the host."""
        return self.cupy.asnumpy(x)

    def launch(self, name: str, table: Array, blocks: int, threads: int, shared: int) -> None:
        """Run a kernel and wait for it."""
        kernel = self.module.get_function(name)
        kernel.max_dynamic_shared_size_bytes = shared
        kernel((blocks,), (threads,), (table,), shared_mem=shared)
        self.cupy.cuda.get_current_stream().synchronize()


def places(sizes: dict[str, int], room: int) -> tuple[dict[str, int], int]:
    """Offsets in shared memory (−1: none) of arrays of so many bytes, first come first served; and the bytes taken."""
    offsets, taken = {}, 0
    for name, size in sizes.items():
        size = -(-size // 16) * 16
        fits = taken + size <= room
        offsets[name] = taken if fits else -1
        taken += size * fits
    return offsets, taken


def bytes_needed(S: int, A: int, m: int, N: int, n: int, itemsize: int, kept: int, steps: int) -> int:
    """Device memory of a batch: systems, state, what belongs to samples, and what a call records."""
    members = S * A
    system = S * (n * n + m * n + m * m + 2 * m + 4 * N + 2 * n)
    state = members * (3 * m * n + 6 * m + 5 * N + 2 * n)
    recorded = members * (2 * kept * m * (n + 2) + steps * len(TRACED))
    return itemsize * (2 * system + state + recorded)


def in_halves(pieces: list[Piece], run: Callable[[list[Piece]], list[Any]], failed: type[BaseException]) -> list[Any]:
    """``run(pieces)``; where that raises ``failed`` (no memory), each half in turn, down to single pieces.

    Raises:
        BaseException: ``failed``, for a single piece.
    """
    try:
        return run(pieces)
    except failed:
        if len(pieces) == 1:
            raise
    # Outside of the handler: the exception, and the frames that it keeps with all their arrays, is gone.
    half = len(pieces) // 2
    return in_halves(pieces[:half], run, failed) + in_halves(pieces[half:], run, failed)


class CudaKernel:
    """S seeds with A optimizers, in flight on a device.

    Args:
        system: the seeds' system, on arrays of the runtime's library.
        start: thresholds, sizes and options.
        runtime: the device.
        threads: of a block, a multiple of 32.
    """

    def __init__(self, system: CoefficientSystem, start: Start, runtime: Runtime, threads: int = 512) -> None:
        self.begin, self.runtime, self.threads = start, runtime, threads
        self.dtype = np.dtype(start.dtype)
        self.name = f"trajectory_{start.dtype}"
        (S, m, n), N, A = system.Xi_0.shape, system.y.shape[-1], start.count
        self.S, self.A, self.m, self.N, self.n = S, A, m, N, n
        self.group = max(1, min(A, ROWS // m, -(-S * A // runtime.multiprocessors)))
        rows = self.group * m
        assert rows * (n + 2) < 2**31
        assert n * n < 2**31
        self.blocks = S * -(-A // self.group)
        item = self.dtype.itemsize
        samples = dict.fromkeys(("PULL", "MARGINS", "MEMORIZATION", "ELL", "SOFT"), item * self.group * N)
        sizes = {
            "B": item * rows * n,
            "XI": item * rows * n,
            **samples,
            "CUBES": item * self.group * n,
            "PEAKS": item * self.group * n,
            "C": item * rows,
            "K": item * n * n,
            "U": item * rows * n,
        }
        scratch = 8 * (threads + 2 * self.group)
        offsets, taken = places({name: sizes[name] for name in PLACED}, runtime.shared - scratch)
        self.shared = taken + scratch

        def zeros(*shape: int, dtype: Any = self.dtype) -> Array:
            return runtime.array(np.zeros(shape, dtype))

        tail = np.zeros((S, A, m, 2), self.dtype)
        tail[..., 1] = 1
        # (y_i c_i)³, or zero without signal patches.
        cubed = system.strength**3 if system.of_the_law and system.has_feature else 0 * system.strength
        nan = np.nan
        thresholds = (start.c_threshold, start.memorization_threshold)
        numbers = [system.lam, start.gradient_factor, *(nan if x is None else x for x in thresholds)]
        self.arrays = {
            "NUMBERS": runtime.array(np.array(numbers)),
            "Y": system.y,
            "CUBED": cubed,
            "SMALL": runtime.array(np.ascontiguousarray(start.small, np.uint8)),
            "XI_0": system.Xi_0,
            "C_0": system.c_0,
            "OVERLAP": system.overlap,
            "TAIL": runtime.array(tail),
            "TAIL_U": zeros(S, A, m, 2),
            "T_0": runtime.array(np.full((S, A), nan)),
            "T_1": runtime.array(np.full((S, A), nan)),
            "DEAD_AT": runtime.array(np.full((S, A), -1)),
            "DEAD_OF": zeros(S, A, dtype=np.int64),
            "B": zeros(S, A, m, n),
            "U": zeros(S, A, m, n),
            "XI": zeros(S, A, m, n),
            "CUBES": zeros(S, A, n),
            "PEAKS": zeros(S, A, n),
            "C": zeros(S, A, m),
            "K": system.K,
            **{name: zeros(S, A, N) for name in samples},
        }
        bare = system.of_the_law or not system.has_feature
        self.fixed = {
            "SEEDS": S,
            "OPTIMIZERS": A,
            "NEURONS": m,
            "SAMPLES": N,
            "PATCHES": n,
            "GROUP": self.group,
            "LAST": start.last,
            "TRACED": start.trace,
            "HAS_FEATURE": system.has_feature,
            "OF_THE_LAW": system.of_the_law,
            "HAS_OVERLAP": not bare,
            "TENSOR": item == 8 and rows >= TENSOR_ROWS,
            "SCRATCH_OFFSET": taken,
            **{f"{name}_OFFSET": offset for name, offset in offsets.items()},
        }

    def restart(self) -> None:
        """Back to iteration 0: the initial state, nothing watched yet."""
        for name, value in (
            ("B", 0),
            ("U", 0),
            ("TAIL", 0),
            ("TAIL_U", 0),
            ("T_0", np.nan),
            ("T_1", np.nan),
            ("DEAD_AT", -1),
            ("DEAD_OF", 0),
        ):
            self.arrays[name][...] = value
        self.arrays["TAIL"][..., 1] = 1

    def advance(self, start: int, stop: int, rates: np.ndarray, record: np.ndarray) -> States:
        """See `sims.cubic_cnn.backends.kernel.Kernel.advance`; states and gradients stay on the device."""
        runtime, S, A, m = self.runtime, self.S, self.A, self.m
        shape = (len(record), S, A, m, self.n + 2)
        steps = stop - start if self.begin.trace else 0
        made = {
            "RATES": runtime.array(np.ascontiguousarray(rates, float)),
            "RECORD": runtime.array(np.ascontiguousarray(record, np.int64)),
            "THETA_OUT": runtime.empty(shape, self.dtype),
            "GRAD_OUT": runtime.empty(shape, self.dtype),
            "TRACE": runtime.empty((S, A, steps, len(TRACED)), self.dtype),
        }
        addresses = {name: runtime.address(x) for name, x in {**self.arrays, **made}.items()}
        call = {"START": start, "STOP": stop, "RECORDED": len(record), "CHANGING": rates.ndim == 3}
        known = slots()
        table = np.zeros(len(known), np.int64)
        for name, value in {**addresses, **self.fixed, **call}.items():
            table[known[name]] = int(value)
        runtime.launch(self.name, runtime.array(table), self.blocks, self.threads, self.shared)
        trace = runtime.host(made["TRACE"]) if steps else None
        return States(made["THETA_OUT"], made["GRAD_OUT"], trace)

    def watched(self) -> Watched:
        """See `sims.cubic_cnn.backends.kernel.Kernel.watched`."""
        T_0, T_1, at, of = (self.runtime.host(self.arrays[name]) for name in ("T_0", "T_1", "DEAD_AT", "DEAD_OF"))
        return Watched(T_0, T_1, at, QUANTITIES[of])
