"""The certificates of one seed's optimizers, carried along while a kernel carries their trajectories."""

from __future__ import annotations

__all__ = ["Witness"]

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lemmascope.sims.cubic_cnn.backends.kernel import Seen
from lemmascope.sims.cubic_cnn.certificate.carry import Carried
from lemmascope.theory.cubic_cnn.certificate.curvature import Ball, movement
from lemmascope.theory.cubic_cnn.certificate.data import Data
from lemmascope.theory.cubic_cnn.certificate.quantities import hitting
from lemmascope.theory.cubic_cnn.certificate.window import join


class Witness:
    """Of A optimizers.

    Args:
        data: the seed's problem. small: (N,) samples of small margin.
        rates: (A, 4) γ, κ, p, q of the first step. times: the recorded iterations, up to T.
        c_threshold, memorization_threshold: as of `sims.cubic_cnn.backends.kernel.Start`.

    Attributes:
        hits: (A, 2, 2) of T₀ and T₁ the first iteration at which it may have come, and at which it has; NaN: surely
            not, or not known to have, within the run.
    """

    def __init__(
        self,
        data: Data,
        small: np.ndarray,
        rates: np.ndarray,
        times: np.ndarray,
        c_threshold: float | None = None,
        memorization_threshold: float | None = None,
    ) -> None:
        self.data, self.small, self.times = data, small, times
        self.thresholds = c_threshold, memorization_threshold if small.any() else None
        self.carried = [_Own(Carried(data, own)) for own in rates]
        self.hits = np.full((len(rates), 2, 2), np.nan)

    @property
    def last(self) -> int:
        """T."""
        return int(self.times[-1])

    @property
    def end(self) -> int:
        """Where the next window ends; the last one after the last iteration."""
        return min(self._end(one) for one in self.carried)

    @property
    def known(self) -> int:
        """Up to which iteration, without it, the balls of all optimizers are known."""
        return min(one.begin for one in self.carried)

    def _end(self, one: _Own) -> int:
        end = one.begin + one.carried.window(one.begin)
        return end if end < self.last else self.last + 1

    def add(self, seen: Sequence[Seen], stop: int, dead: np.ndarray) -> None:
        """The iterations up to ``stop`` were carried out; which of the optimizers have diverged."""
        for a, (one, part) in enumerate(zip(self.carried, seen, strict=True)):
            one.parts.append(part)
            if stop >= self._end(one):
                self._close(a, one, stop, bool(dead[a]))

    def _close(self, a: int, one: _Own, stop: int, dead: bool) -> None:
        carried, parts, begin = one.carried, one.parts, one.begin
        if dead:
            carried.lose()
        if carried.certain:
            window = join([part.window for part in parts if part.window is not None])
            passed = carried.through(window)
            radii = passed.radii
            moved = movement(self.data, window, passed.wrong, Ball(*map(float, radii.max(axis=0))))
            far = float(moved.c.max()), float(moved.memorization[self.small].max(initial=0.0))
        else:
            radii, far = np.full((stop - begin + 1, 3), np.inf), (np.inf, np.inf)
        for which, name in enumerate(("c_max", "memorization_min")):
            values, threshold = np.concatenate([getattr(part, name) for part in parts]), self.thresholds[which]
            if threshold is not None:
                for side, found in enumerate(hitting(np.nan_to_num(values), far[which], threshold)):
                    if found is not None and np.isnan(self.hits[a, which, side]):
                        self.hits[a, which, side] = begin + found
        for t in self.times[(self.times >= begin) & (self.times < stop)].tolist():
            one.balls[t] = Ball(*map(float, radii[t - begin]))
        one.begin, one.parts = stop, []

    def balls(self, t: int) -> list[Ball]:
        """Where the exact states of a recorded iteration are; each is told once."""
        return [one.balls.pop(t) for one in self.carried]


@dataclass
class _Own:
    """One optimizer's: its distance, what was seen since its last window's end, and balls that were not asked for."""

    carried: Carried
    begin: int = 0
    parts: list[Seen] = field(default_factory=list)
    balls: dict[int, Ball] = field(default_factory=dict)
