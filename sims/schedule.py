"""At which iterations a run is recorded."""

from __future__ import annotations

__all__ = ["Every", "Logarithmic", "Schedule", "recorded"]

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lemmascope.theory.errors import InputError, check_size

MOST = 10**7
"""Recorded iterations at most."""


class Schedule(Protocol):
    """Anything that lists the recorded iterations of a run."""

    def iterations(self, last: int) -> np.ndarray:
        """Increasing iterations in [0, last], 0 and last among them."""


@dataclass(frozen=True)
class Every:
    """Every k-th iteration, and the last."""

    k: int = 1

    def __post_init__(self) -> None:
        check_size("every", self.k)

    def iterations(self, last: int) -> np.ndarray:
        """0, k, 2k, …, last.

        Raises:
            InputError: more than `MOST`.
        """
        if last // self.k > MOST:
            raise InputError("every", self.k, f"of {last} iterations it would record {last // self.k}, {MOST} at most")
        return _distinct(np.append(np.arange(0, last + 1, self.k), last))


@dataclass(frozen=True)
class Logarithmic:
    """About ``points`` iterations evenly spaced in log t: every one at first, then ever sparser."""

    points: int = 200

    def __post_init__(self) -> None:
        if check_size("log_points", self.points, 2) > MOST:
            raise InputError("log_points", self.points, f"it must be at most {MOST}")

    def iterations(self, last: int) -> np.ndarray:
        """0, 1, 2, …, last with growing gaps."""
        if last == 0:
            return np.array([0])
        # Rounding merges the early points, so the ratio is lowered until `points` distinct ones are left.
        low, high = self.points, 64 * self.points
        while low < high:
            middle = (low + high) // 2
            if _spread(middle, last).size >= min(self.points, last + 1):
                high = middle
            else:
                low = middle + 1
        return _spread(low, last)


def recorded(schedule: Schedule, last: int) -> np.ndarray:
    """What a schedule lists, with iterations 0 and ``last`` added.

    Raises:
        InputError: the schedule lists something else than integers in [0, last].
    """
    times = np.asarray(schedule.iterations(last))
    if times.ndim != 1 or times.dtype.kind not in "iu" or np.any((times < 0) | (times > last)):
        raise InputError("record", schedule, f"its iterations must be integers in [0, {last}]")
    return _distinct(np.concatenate([[0], times, [last]]).astype(np.int64))


def _spread(count: int, last: int) -> np.ndarray:
    grid = np.rint(np.geomspace(1, last, count)).astype(np.int64)
    return _distinct(np.concatenate([[0], grid, [last]]))


def _distinct(times: np.ndarray) -> np.ndarray:
    """Each once, sorted. `np.unique` hashes integers, which takes minutes where millions are evenly spaced."""
    times = np.sort(times, kind="stable")  # quick where nearly all of it is sorted
    return times[np.append(True, times[1:] > times[:-1])]
