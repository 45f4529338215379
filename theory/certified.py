r"""Verdicts that hold in exact arithmetic: what a claim measures as an interval, held against its bounds.

A measured value is rounded; an `Enclosure` is not. Where the whole interval lies within the bounds the statement is
**certified** on that draw: true of the trajectory of exact real arithmetic, whatever was rounded on the way. Where it
lies outside, it is certified to be false there. In between nothing is certified, and the verdict says from which
iteration on. Seeds then carry the only uncertainty, that of the probability over draws.
"""

from __future__ import annotations

__all__ = ["Certified", "Enclosure", "certify"]

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Enclosure:
    """What a claim measures, as intervals; the statement is lower ≤ it ≤ upper.

    Attributes:
        low, high: (seed,) DataArrays, or (seed, iteration) where it may be asked at every recorded iteration: the
            claim is about the last one. NaN: not known.
        lower, upper: numbers, or DataArrays of these dimensions.
        refutes: whether an interval outside of the bounds says that the statement is false; not where the bounds are
            themselves at their worst.
    """

    low: Any
    high: Any
    lower: Any = -math.inf
    upper: Any = math.inf
    refutes: bool = True


@dataclass(frozen=True)
class Certified:
    """On which draws a statement is certified.

    Attributes:
        of: how many draws it was asked on. true, false: the seeds on which it is certified to be so.
        since: of each seed of `true`, the first recorded iteration from which on it is certified at every one; empty
            where the claim is not about an iteration.
        until: by seed not in either, the recorded iteration from which on it is not certified.
        last: the last iteration, or None.
        margin: the smallest distance of an interval to its bound over the seeds of `true`, at the last iteration.
    """

    of: int
    true: tuple[int, ...]
    false: tuple[int, ...]
    since: tuple[int, ...]
    until: dict[str, int]
    last: int | None
    margin: float | None

    def says(self) -> str:
        """One line."""
        parts = [f"certified on {len(self.true)} of {self.of} draws"]
        if self.since:
            first = min(self.since), max(self.since)
            began = f"t = {first[1]}" if first[0] == first[1] else f"t = {first[0]} … {first[1]}"
            parts[0] += f", from {began} to {self.last}"
        if self.margin:
            parts[0] += f", by {self.margin:.2g}"
        if self.false:
            parts.append(f"false in exact arithmetic on {len(self.false)}")
        if self.until:
            parts.append(", ".join(f"on draw {seed} not from t = {t} on" for seed, t in self.until.items()))
        return "; ".join(parts)


def certify(found: Enclosure, seeds: Sequence[int]) -> Certified:
    """Hold intervals against their bounds, on these seeds."""
    over_time = "iteration" in found.low.dims
    times = [int(t) for t in found.low["iteration"].values] if over_time else [0]
    true, false, since, margins = list[int](), list[int](), list[int](), list[float]()
    until: dict[str, int] = {}
    for s in seeds:
        inside, outside = _gaps(found, s)
        if not found.refutes:
            outside = [math.nan] * len(outside)
        sure = [gap >= 0 for gap in inside]  # of NaN False
        if sure[-1]:
            true.append(s)
            margins.append(inside[-1])
            since.append(times[_stretch(sure)])
        elif outside[-1] > 0:
            false.append(s)
        elif over_time:
            # After the last record at which either is certain.
            decided = [k for k in range(len(times)) if sure[k] or outside[k] > 0]
            until[str(s)] = times[decided[-1] + 1] if decided else 0
    return Certified(
        of=len(seeds),
        true=tuple(true),
        false=tuple(false),
        since=tuple(since) if over_time else (),
        until=until,
        last=times[-1] if over_time else None,
        margin=min(margins) if margins and math.isfinite(min(margins)) else None,
    )


def _stretch(sure: Sequence[bool]) -> int:
    """Where the run of True begins that ends at the end."""
    start = len(sure) - 1
    while start > 0 and sure[start - 1]:
        start -= 1
    return start


def _gaps(found: Enclosure, seed: int) -> tuple[list[float], list[float]]:
    """How far the interval is inside of its bounds, and how far outside, at each iteration; NaN where not known."""

    def values(x: Any) -> list[float]:
        one = x.sel(seed=seed) if "seed" in getattr(x, "dims", ()) else x
        return one.values.reshape(-1).tolist() if hasattr(one, "values") else [float(one)]

    ends = [values(x) for x in (found.low, found.high, found.lower, found.upper)]
    size = max(map(len, ends))
    rows = list(zip(*(x * (size // len(x)) for x in ends), strict=True))
    inside = [_by(min, low - lower, upper - high) for low, high, lower, upper in rows]
    return inside, [_by(max, lower - high, low - upper) for low, high, lower, upper in rows]


def _by(which: Callable[[float, float], float], a: float, b: float) -> float:
    return math.nan if math.isnan(a) or math.isnan(b) else which(a, b)
