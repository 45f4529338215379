"""The kernel's contract on NumPy, by `theory` and the optimizer's recursion: slow, readable, runs everywhere."""

from __future__ import annotations

__all__ = ["ArrayKernel"]

from dataclasses import replace

import numpy as np

from lemmascope.sims.cubic_cnn.backends.compiled import QUANTITIES
from lemmascope.sims.cubic_cnn.backends.kernel import Seen, Start, States, Watched
from lemmascope.sims.cubic_cnn.watch import traced
from lemmascope.theory.cubic_cnn.certificate.window import Window, first, join, look
from lemmascope.theory.cubic_cnn.model import System, View


class ArrayKernel:
    """One seed with A optimizers; as `sims.cubic_cnn.backends.compiled.CompiledKernel`.

    Args:
        system: the seed's system, S = 1; start: thresholds, sizes and options.
    """

    def __init__(self, system: System, start: Start) -> None:
        self.system, self.begin = system, start
        self.theta = system.initial(start.count)
        self.u = np.zeros_like(self.theta)
        self.hits = np.full((2, start.count), np.nan)
        self.dead_at, self.dead_of = np.full(start.count, -1), np.zeros(start.count, np.int64)

    def advance(self, start: int, stop: int, rates: np.ndarray, record: np.ndarray) -> States:
        """See `sims.cubic_cnn.backends.kernel.Kernel.advance`."""
        kept: list[tuple[np.ndarray, np.ndarray]] = []
        trace: list[np.ndarray] = []
        seen = [_Looks() for _ in range(self.begin.count if self.begin.data is not None else 0)]
        times = set(record.tolist())
        for t in range(start, stop):
            view, grad = self.system.evaluate(self.theta)
            if self.begin.gradient_factor != 1:
                grad = self.begin.gradient_factor * grad
            fresh = ~np.isfinite(view.margins.sum(axis=-1))[0] & (self.dead_at < 0)
            if fresh.any():
                finite_Xi = np.isfinite(view.Xi).all(axis=(2, 3, 4))[0]
                finite_c = np.isfinite(view.c).all(axis=-1)[0] if view.c is not None else np.ones_like(fresh)
                self.dead_at[fresh] = t
                self.dead_of[fresh] = np.where(~finite_c, 1, np.where(~finite_Xi, 2, 3))[fresh]
            alive = self.dead_at < 0
            self._watch(t, view, alive)
            if self.begin.trace:
                scalars = np.stack(traced(view, self.begin.small[:, None, :]), axis=-1)
                trace.append(np.where(alive[None, :, None], scalars, np.nan))
            if t in times:
                kept.append((self.theta.copy(), grad.copy()))
            now = rates if rates.ndim == 2 else rates[t - start]
            for a, looks in enumerate(seen):
                looks.add(self.begin, view, a, self.theta, self.u, now[a])
            if t < self.begin.last:
                gamma, kappa, p, q = (now[:, j][None, :, None, None] for j in range(4))
                self.u = gamma * self.u + kappa * grad
                self.theta = self.theta - (p * self.u + q * grad)
            for x in (self.theta, self.u):
                x[:, ~alive] = 0
        empty = np.empty((0, *self.theta.shape))
        theta, grad = (np.stack([pair[j] for pair in kept]) if kept else empty for j in (0, 1))
        taken = min(stop, self.begin.last) - start
        watched = np.stack(trace, axis=2) if trace else None
        return States(theta, grad, watched, seen=[looks.seen(taken) for looks in seen] or None)

    def _watch(self, t: int, view: object, alive: np.ndarray) -> None:
        small, (c_threshold, m_threshold) = (
            self.begin.small[0],
            (self.begin.c_threshold, self.begin.memorization_threshold),
        )
        reached = np.zeros((2, self.begin.count), bool)
        if c_threshold is not None and view.c is not None:  # type: ignore[attr-defined]
            reached[0] = view.c[0].max(axis=-1) >= c_threshold  # type: ignore[attr-defined]
        if m_threshold is not None and small.any():
            reached[1] = (view.memorization[0][:, small] >= m_threshold).all(axis=-1)  # type: ignore[attr-defined]
        self.hits[reached & alive & np.isnan(self.hits)] = t

    def watched(self) -> Watched:
        """See `sims.cubic_cnn.backends.kernel.Kernel.watched`."""
        return Watched(
            self.hits[None, 0].copy(),
            self.hits[None, 1].copy(),
            self.dead_at[None].copy(),
            QUANTITIES[self.dead_of][None],
        )

    def state(self) -> tuple[np.ndarray, np.ndarray]:
        """The state and its buffer, each (1, A, m, width), copied."""
        return self.theta.copy(), self.u.copy()

    def keep(self, members: list[int]) -> None:
        """Go on with some of the optimizers, in this order."""
        self.begin = replace(self.begin, count=len(members))
        self.theta, self.u, self.hits = self.theta[:, members], self.u[:, members], self.hits[:, members]
        self.dead_at, self.dead_of = self.dead_at[members], self.dead_of[members]


class _Looks:
    """What a certificate sees of one optimizer, iteration by iteration."""

    def __init__(self) -> None:
        self.windows: list[Window] = []
        self.scalars: list[tuple[float, float]] = []

    def add(self, begin: Start, view: View, a: int, theta: np.ndarray, u: np.ndarray, rates: np.ndarray) -> None:
        """One more."""
        assert begin.data is not None
        largest = 0.0 if view.c is None else view.c[0, a].max()
        self.scalars.append((largest, view.memorization[0, a][begin.small[0]].min(initial=np.inf)))
        self.windows.append(look(begin.data, view.alone(a), theta[0, a], u[0, a], rates))

    def seen(self, taken: int) -> Seen:
        """All of them; the first ``taken`` took a step."""
        c, memorization = np.array(self.scalars).T
        return Seen(first(join(self.windows), taken) if taken else None, c, memorization)
