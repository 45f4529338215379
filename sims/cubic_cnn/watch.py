"""What is looked at in every iteration: hitting times and divergence."""

from __future__ import annotations

__all__ = ["Watch", "traced"]

from typing import Any

import numpy as np
from array_api_compat import array_namespace

from lemmascope.sims.cubic_cnn.backends.kernel import TRACED, Watched
from lemmascope.sims.cubic_cnn.plan import Plan, to_host
from lemmascope.theory.cubic_cnn import predictions
from lemmascope.theory.cubic_cnn.model import View, log1p_exp

Array = Any


def traced(view: View, small: Array) -> list[Array]:
    """The scalars `TRACED`, (S, A) each; ``small`` (S, 1, N) tells which samples are of small margin."""
    xp, N = array_namespace(view.Xi), view.margins.shape[-1]
    few = xp.astype(small, view.ell.dtype)
    return [
        xp.mean(log1p_exp(-view.margins), axis=-1),
        xp.sum((1 - few) * view.ell, axis=-1) / N,
        xp.sum(few * view.ell, axis=-1) / N,
        xp.full(view.margins.shape[:2], xp.nan) if view.c is None else xp.max(view.c, axis=-1),
        xp.max(xp.abs(view.Xi), axis=(2, 3, 4)),
    ]


class Watch:
    """Hitting times and divergence, looked at in every iteration."""

    def __init__(self, plan: Plan, masks: list[Array], S: int, A: int) -> None:
        self.plan, self.small = plan, masks[-1][:, None, :]
        self.groups = len(masks)
        self.p = plan.problem.parameters
        self.T_0 = np.full((S, A), np.nan)
        self.T_1 = np.full((S, A), np.nan)
        self.waiting_0 = True
        self.diverged_at = np.full((S, A), -1)
        self.quantity = np.full((S, A), "", dtype="U8")
        self.alive = np.ones((S, A), dtype=bool)
        steps = int(plan.times[-1]) + 1 if plan.trace else 0
        self.trace = np.full((S, A, steps, len(TRACED)), np.nan, dtype=plan.dtype)
        self.has_small = to_host(plan.xp.any(masks[-1], axis=-1))[:, None]

    @property
    def any_dead(self) -> bool:
        """Whether a member has diverged."""
        return not self.alive.all()

    def look(self, t: int, view: View) -> bool:
        """Note what happens at iteration t; True if a member has just diverged."""
        xp = self.plan.xp
        finite = np.isfinite(to_host(xp.sum(view.margins, axis=-1)))
        fresh = self.alive & ~finite
        if fresh.any():
            for s, a in np.argwhere(fresh):
                bad_c = view.c is not None and not np.isfinite(to_host(view.c[s, a, ...])).all()
                bad_Xi = not np.isfinite(to_host(view.Xi[s, a, ...])).all()
                self.quantity[s, a] = "c" if bad_c else "Xi" if bad_Xi else "margins"
            self.diverged_at[fresh] = t
            self.alive &= finite
        if self.p is not None:
            self._hitting_times(t, view)
        if self.plan.trace:
            self._note(t, view)
        return bool(fresh.any())

    def _note(self, t: int, view: View) -> None:
        """The scalars `TRACED`; NaN of a member that has diverged."""
        small = self.small if self.groups > 1 else self.plan.xp.zeros_like(self.small)
        for j, column in enumerate(traced(view, small)):
            self.trace[:, :, t, j] = np.where(self.alive, to_host(column), np.nan)

    def _hitting_times(self, t: int, view: View) -> None:
        assert self.p is not None
        xp = self.plan.xp
        if view.c is not None and self.waiting_0:
            hit = to_host(xp.max(view.c, axis=-1)) >= predictions.signal_threshold(self.p)
            self.T_0[hit & self.alive & np.isnan(self.T_0)] = t
            self.waiting_0 = bool(np.isnan(self.T_0).any())
        short = self.small & (view.memorization < predictions.MEMORIZATION_THRESHOLD)
        hit = ~to_host(xp.any(short, axis=-1)) & self.has_small
        if hit.any():
            self.T_1[hit & self.alive & np.isnan(self.T_1)] = t

    def silence(self, theta: Array) -> Array:
        """Diverged members at zero, where they stay finite; the others as they are."""
        xp = self.plan.xp
        alive = xp.asarray(self.alive)[:, :, None, None]
        return xp.where(alive, theta, xp.zeros_like(theta))

    def results(self) -> Watched:
        """Hitting times and divergence."""
        return Watched(self.T_0, self.T_1, self.diverged_at, self.quantity)
