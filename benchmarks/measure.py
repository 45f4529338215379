"""The measurement: results compared first, then implementations in turn, medians over rounds."""

from __future__ import annotations

__all__ = ["Timing", "compare", "measure_work"]

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from lemmascope.benchmarks.protocol import Cost, Implementation, Run, Work

FIRST = 8
"""Iterations of the two runs that tell the compile time from the rest."""

REST = 0.3
"""Seconds of rest before a turn, in which the idle threads of the library before it stop spinning (up to 0.2 s)."""

Say = Callable[[str], None]


@dataclass
class Timing:
    """What was found for one implementation on one work.

    Attributes:
        name, library, formulation, cost: as in `benchmarks.protocol.Implementation`.
        chosen: what a tuned form chose.
        refused: why it was not timed; None for what was.
        difference: the largest relative difference of its result from the first implementation's; NaN where it has
            none.
        prepare, compile: seconds.
        iterations: in a round.
        rounds: seconds an iteration, round by round.
    """

    name: str
    library: str
    formulation: str
    cost: Cost
    chosen: str = ""
    refused: str | None = None
    difference: float = math.nan
    prepare: float = math.nan
    compile: float = math.nan
    iterations: int = 0
    rounds: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Median seconds an iteration; NaN where it was not timed."""
        return median(self.rounds) if self.rounds else math.nan


def compare(found: np.ndarray, expected: np.ndarray, recorded: Sequence[str]) -> tuple[float, str]:
    """The largest relative difference of two results (…, T, quantities), and in which quantity.

    Relative to the largest magnitude of the quantity over T, as `protocol.Work` has it. A number that is finite in
    one of them alone is an infinite difference.
    """
    if found.shape != expected.shape:
        return math.inf, f"shape {found.shape} in place of {expected.shape}"
    finite = np.isfinite(expected)
    scale = np.max(np.abs(np.where(finite, expected, 0.0)), axis=-2, keepdims=True)
    with np.errstate(invalid="ignore"):
        difference = np.abs(found - expected) / np.where(scale > 0, scale, 1.0)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    difference = np.where(same, 0.0, np.where(np.isfinite(found) & finite, difference, math.inf))
    by_quantity = difference.max(axis=tuple(range(difference.ndim - 1)))
    worst = int(np.argmax(by_quantity))
    return float(by_quantity[worst]), recorded[worst]


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"it failed: {type(error).__name__}: {lines[0] if lines else 'no message'}"


def _admit(
    work: Work, inputs: Any, implementation: Implementation, timing: Timing, expected: np.ndarray | None, seconds: float
) -> tuple[Run, np.ndarray]:
    """Prepare, compile, compare; sets ``timing.refused`` where the result disagrees."""
    start = time.perf_counter()
    run = implementation.prepare(inputs)
    timing.prepare, timing.chosen = time.perf_counter() - start, run.chosen
    first, second = _timed(lambda: run(FIRST)), _timed(lambda: run(FIRST))
    timing.compile = max(first - second, 0.0)
    result = run(work.iterations)
    if expected is not None:
        timing.difference, quantity = compare(result, expected, work.recorded)
        if not timing.difference <= work.tolerance:
            timing.refused = f"it differs by {timing.difference:.1e} in {quantity}; not timed"
            return run, result
    # A whole number of blocks of eight steps, so that unrolled code computes nothing for the bin.
    timing.iterations = FIRST * max(1, math.ceil(seconds / second))
    run(timing.iterations)  # JAX compiles anew for each length
    once = _timed(lambda: run(timing.iterations))
    if once < seconds:
        timing.iterations = FIRST * max(1, math.ceil(timing.iterations * seconds / once / FIRST))
        run(timing.iterations)
    return run, result


def measure_work(
    work: Work,
    implementations: Sequence[Implementation],
    *,
    rounds: int = 5,
    seconds: float = 0.35,
    rest: float = REST,
    say: Say = lambda _: None,
    root_seed: int = 0,
) -> list[Timing]:
    """Time all implementations of a work against each other.

    The first one's result is what the others are held to; one that disagrees, fails or is not available is not timed,
    and says so. In each round every implementation has one turn of at least ``seconds``, from
    the initial weights; the order is shifted by one from round to round.

    Args:
        work: the work.
        implementations: the ways to compute it.
        rounds: turns of each.
        seconds: least length of a turn.
        rest: seconds before each turn.
        say: told what is being done.
        root_seed: root of the streams of its data.
    """
    timings = [
        Timing(one.name, one.library, one.formulation, one.cost(work), refused=one.available())
        for one in implementations
    ]
    able = [(one, t) for one, t in zip(implementations, timings, strict=True) if t.refused is None]
    inputs = work.draw(root_seed) if able else None
    running: list[tuple[Timing, Run]] = []
    expected: np.ndarray | None = None
    for implementation, timing in able:
        say(f"{work.name}: checking {timing.name}")
        try:
            run, result = _admit(work, inputs, implementation, timing, expected, seconds)
        except Exception as error:  # another library's error, whatever it is, is a line of the table
            timing.refused = _reason(error)
            continue
        if expected is None:
            expected, timing.difference = result, 0.0
        if timing.refused is None:
            running.append((timing, run))
    for turn in range(rounds):
        say(f"{work.name}: round {turn + 1} of {rounds}")
        shift = turn % max(len(running), 1)
        for timing, run in running[shift:] + running[:shift]:
            time.sleep(rest)
            timing.rounds.append(_timed(lambda run=run, k=timing.iterations: run(k)) / timing.iterations)  # type: ignore[misc]
    return timings
