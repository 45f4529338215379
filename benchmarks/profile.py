"""Where the time of the central experiment goes: ``python -m lemmascope.benchmarks.profile`` prints it."""

from __future__ import annotations

__all__ = ["loop_parts", "profile"]

import cProfile
import pstats
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from lemmascope.benchmarks.machine import machine
from lemmascope.sims.cubic_cnn.backends import coefficient_loop, loops, tiles
from lemmascope.sims.cubic_cnn.backends.compiled import CompiledKernel
from lemmascope.sims.cubic_cnn.explain import one_thread_rate
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.machine.limits import best_of
from lemmascope.sims.schedule import Logarithmic
from lemmascope.sims.studies import headline

SETTINGS = headline.Settings()
"""Of the central experiment."""

REPEATS = 200


class _Here:
    """An executor that runs at once in this thread, where the profiler looks."""

    def __init__(self, **_: Any) -> None:
        pass

    def __enter__(self) -> _Here:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(call(*arguments))
        return done

    def shutdown(self, **_: Any) -> None:
        pass


@contextmanager
def _one_thread(kept: list[CompiledKernel]) -> Iterator[None]:
    original = CompiledKernel.__init__

    def keep(self: CompiledKernel, *arguments: Any) -> None:
        original(self, *arguments)
        kept.append(self)

    with (
        mock.patch("lemmascope.sims.cubic_cnn.simulate.ThreadPoolExecutor", _Here),
        mock.patch.object(CompiledKernel, "__init__", keep),
    ):
        yield


def loop_parts(kernel: CompiledKernel) -> dict[str, float]:
    """Seconds of each part of an iteration in coefficient space, on one thread, from the kernel's own arrays."""
    from numba import njit

    w, data = kernel.shared._replace(theta=kernel.shared.theta.copy()), kernel.data
    m, A = kernel.m, kernel.begin.count
    panels, n, wide = data.K.shape
    Q, still = n // w.y.size, np.array([0.0, 1.0, 0.0, 0.0], kernel.dtype)  # steps of length zero

    @njit
    def product(w: Any, K: np.ndarray, times: int) -> None:
        pace = max(1, wide * tiles.ROWS // w.theta.shape[0])
        for _ in range(times):
            for p in range(panels):
                ahead = (p + 1) * n * wide
                for r in range(0, w.theta.shape[0], tiles.ROWS):
                    tiles.outer_tile(w.theta, r, K, p * n * wide, wide, w.Xi, p * wide, n, False, ahead, pace)
                    ahead += n * pace

    @njit
    def complete(w: Any, Xi_0: np.ndarray, times: int) -> None:
        for _ in range(times):
            for a in range(A):
                coefficient_loop._complete_Xi(w, Xi_0, a, 0, n)

    @njit
    def samples(w: Any, unused: np.ndarray, times: int) -> None:
        room = np.empty((4, w.y.size))
        for _ in range(times):
            loops.samples(w, m, Q, A, 0, w.y.size, False, room)

    @njit
    def step(w: Any, rates: np.ndarray, times: int) -> None:
        g = np.empty(n, w.theta.dtype)
        for _ in range(times):
            for row in range(A * m):
                coefficient_loop._pulled(w, row // m, row, 0, n, g)
                loops.take_step(w.theta[row, 0:n], w.u[row, 0:n], g, rates)

    calls = {
        "product B K": (product, data.K),
        "Ξ = BK + aΞ₀ and its cubes": (complete, data.Xi_0),
        "margins, ℓ, pull": (samples, data.Xi_0),
        "gradient and step": (step, still),
    }
    found = {}
    for name, (call, argument) in calls.items():
        call(w, argument, 1)
        found[name] = best_of(7, partial(call, w, argument, REPEATS)) / REPEATS
    return found


def profile(iterations: int = SETTINGS.iterations) -> str:
    """One seed of the central experiment on one thread, by task; then the compiled loop by part."""
    p, optimizers = SETTINGS.parameters, headline.optimizers(SETTINGS, "trajectory")

    def run(T: int) -> None:
        simulate(p, optimizers, iterations=T, study=headline.STUDY.name, record=Logarithmic(120), workers=1)

    kept: list[CompiledKernel] = []
    profiler = cProfile.Profile()
    with _one_thread(kept):
        run(20)  # compile, and load what is loaded once
        kept.clear()
        start = time.perf_counter()
        profiler.enable()
        run(iterations)
        profiler.disable()
        wall = time.perf_counter() - start
    found = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    cumulative = {(Path(file).name, name): values[3] for (file, _, name), values in found.items()}

    def spent(*where: tuple[str, str]) -> float:
        return sum(cumulative.get(key, 0.0) for key in where)

    audit, accuracy = ("record.py", "_audit"), ("record.py", "_test_accuracy")
    tasks = {
        "compiled loop": spent(("compiled.py", "advance")),
        "recording: audit of the gradient identities": spent(audit),
        "recording: test accuracy": spent(accuracy),
        "recording: summaries": spent(("record.py", "record"), ("segments.py", "_view")) - spent(audit, accuracy),
        "drawing, forming and packing K": spent(("batch.py", "take"), ("batch.py", "_system"), ("batch.py", "_engine")),
    }
    tasks["everything else"] = wall - sum(tasks.values())
    rate, parts = one_thread_rate(), loop_parts(kept[0])
    rows = len(optimizers) * p.m
    each = tasks["compiled loop"] / iterations
    parts["watching, threads' meetings, calls"] = each - sum(parts.values())
    flops = 2.0 * p.n**2 * rows
    lines = [
        f"HEADLINE, {' and '.join(optimizers)}, one seed on one thread, {iterations} iterations: {wall:.2f} s",
        "",
        *(f"  {100 * took / wall:5.1f} %  {took:7.3f} s  {name}" for name, took in tasks.items()),
        "",
        f"An iteration of the compiled loop: {1e6 * each:.1f} µs; each part alone, best of seven:",
        "",
        *(f"  {100 * took / each:5.1f} %  {1e6 * took:7.2f} µs  {name}" for name, took in parts.items()),
        "",
        f"The product: {flops:.3g} operations, {flops / parts['product B K'] / 1e9:.1f} GFLOP/s; a square product by "
        f"BLAS on it: {rate / 1e9:.1f} GFLOP/s.",
        f"{machine()['processor']}, NumPy {machine()['versions']['numpy']}, Numba {machine()['versions']['numba']}",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(profile(), end="")
