"""The readable loop, on the arrays of any library: the reference that every other backend is held to."""

from __future__ import annotations

__all__ = ["ArrayEngine"]

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from lemmascope.sims.cubic_cnn.backends.engine import Interrupted, Recorded
from lemmascope.sims.cubic_cnn.backends.kernel import Watched
from lemmascope.sims.cubic_cnn.plan import Plan, to_host
from lemmascope.sims.cubic_cnn.watch import Watch
from lemmascope.sims.own import said
from lemmascope.sims.users import sealed
from lemmascope.theory.cubic_cnn.model import System, View
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage, MomentumVelocity, Nesterov, Optimizer, is_linear

Array = Any

TICK = 256  # iterations between two progress reports


class ArrayEngine:
    """Some seeds and optimizers, stepped by `theory` on arrays of ``plan.xp``.

    Args:
        plan: the simulation.
        system: the seeds' system; masks: (S, N) of each margin group.
        optimizers: A of them.
    """

    def __init__(self, plan: Plan, system: System, masks: list[Array], optimizers: list[Optimizer]) -> None:
        self.plan, self.system = plan, system
        self.S, self.A = masks[0].shape[0], len(optimizers)
        # Optimizers of one class stand side by side, so that each class takes one step for all of its members.
        self.order = sorted(range(self.A), key=lambda a: _class_key(optimizers[a]))
        self.back = np.argsort(self.order)
        # What is not linear may look at all its parameters at once, a norm say: each seed goes alone.
        self.groups = [
            (seeds, part, optimizer)
            for part, optimizer in _stack([optimizers[a] for a in self.order], self._put)
            for seeds in ([slice(0, self.S)] if is_linear(optimizer) else [slice(s, s + 1) for s in range(self.S)])
        ]
        self.watch = Watch(plan, masks, self.S, self.A)

    def _put(self, x: Any) -> Array:
        return self.plan.xp.asarray(np.ascontiguousarray(x, dtype=self.plan.dtype))

    def run(self) -> Iterator[Recorded]:
        """See `sims.cubic_cnn.backends.engine.Engine.run`."""
        plan, watch = self.plan, self.watch
        theta = self.system.initial(self.A)
        states = [optimizer.init(theta[seeds, part, ...]) for seeds, part, optimizer in self.groups]
        times = set(plan.times.tolist())
        last = int(plan.times[-1])
        ticked = 0
        before: tuple[Array, Array] = theta, theta
        for t in range(last + 1):
            view, grad = self._evaluate(theta)
            if watch.look(t, view):
                self._blame(theta, *before, t - 1)
                theta = watch.silence(theta)
                view, grad = self._evaluate(theta)
            if t in times:
                yield Recorded(self._in_order(theta), self._in_order(grad), self._view(view))
            if t == last:
                break
            before = theta, grad
            theta = self._step(theta, grad, states, t)
            if watch.any_dead:
                theta = watch.silence(theta)
            if plan.stop.is_set():
                raise Interrupted
            if t - ticked + 1 == TICK:
                ticked = t + 1
                plan.tick(TICK * self.S * self.A)
        plan.tick((last - ticked) * self.S * self.A)

    def watched(self) -> Watched:
        """See `sims.cubic_cnn.backends.engine.Engine.watched`."""
        found = self.watch.results()
        return Watched(*(getattr(found, f.name)[:, self.back] for f in dataclasses.fields(found)))

    def trace(self) -> np.ndarray | None:
        """See `sims.cubic_cnn.backends.engine.Engine.trace`."""
        return self.watch.trace[:, self.back] if self.plan.trace else None

    def effort(self) -> dict[str, np.ndarray]:
        """Every iteration."""
        return {}

    def _in_order(self, x: Array) -> Array:
        """Optimizers as they were given."""
        if list(self.back) == list(range(self.A)):
            return x
        return array_namespace(x).stack([x[:, int(a), ...] for a in self.back], axis=1)

    def _view(self, view: View) -> View:
        parts = {f.name: getattr(view, f.name) for f in dataclasses.fields(view)}
        return View(**{name: None if x is None else self._in_order(x) for name, x in parts.items()})

    def _step(self, theta: Array, grad: Array, states: list[Any], t: int) -> Array:
        """The next state; a new array, as an optimizer may have kept the old one."""
        new = None if len(self.groups) == 1 else array_namespace(theta).empty_like(theta)
        for g, (seeds, part, optimizer) in enumerate(self.groups):
            params, slope = (theta, grad) if new is None else (theta[seeds, part, ...], grad[seeds, part, ...])
            try:
                piece, states[g] = optimizer.step(sealed(params), sealed(slope), states[g], t)
            except (InputError, KeyboardInterrupt, MemoryError):
                raise
            except BaseException as error:  # not by `users`, whose frame would be made anew at each step
                raise InputError(
                    f"optimizer {type(optimizer).__name__}",
                    f"step {t}",
                    "its step must return (params, state), leave params and grad as they are, and not fail "
                    f"({said(error)})",
                ) from error
            if getattr(piece, "shape", None) != params.shape or piece.dtype != params.dtype:
                got = f"{piece.dtype} {piece.shape}" if hasattr(piece, "shape") else type(piece).__name__
                raise InputError(
                    f"optimizer {type(optimizer).__name__}",
                    got,
                    f"its step {t} must return parameters like those it is given, {params.dtype} {params.shape}",
                )
            if new is None:
                return piece
            new[seeds, part, ...] = piece
        return new

    def _blame(self, theta: Array, before: Array, grad: Array, t: int) -> None:
        """Refuse a step that made numbers that are not finite of moderate ones: that is no divergence of the run."""
        limit = float(np.finfo(self.plan.dtype).max) ** 0.25
        now, given, slope = (to_host(x) for x in (theta, before, grad))
        for seeds, part, optimizer in self.groups:
            sane = np.abs(given[seeds, part]).max() < limit and np.abs(slope[seeds, part]).max() < limit
            if t >= 0 and sane and not np.isfinite(now[seeds, part]).all():
                why = "it returned NaN or infinity, for params and grad that are finite and not large"
                raise InputError(f"optimizer {type(optimizer).__name__}", f"step {t}", why)

    def _evaluate(self, theta: Array) -> tuple[View, Array]:
        view, grad = self.system.evaluate(theta)
        return view, grad if self.plan.gradient_factor == 1 else self.plan.gradient_factor * grad


def _class_key(optimizer: Optimizer) -> str:
    return f"{type(optimizer).__module__}.{type(optimizer).__qualname__}"


def _stack(ordered: list[Optimizer], put: Callable[[Any], Array]) -> list[tuple[slice, Optimizer]]:
    """Neighbours of one of our classes with constant η become one optimizer with arrays for η and γ."""
    groups: list[tuple[slice, Optimizer]] = []
    start = 0
    while start < len(ordered):
        first, end = ordered[start], start + 1
        if type(first) in (GD, MomentumAverage, MomentumVelocity, Nesterov) and not callable(first.eta):  # type: ignore[attr-defined]
            while end < len(ordered) and type(ordered[end]) is type(first) and not callable(ordered[end].eta):  # type: ignore[attr-defined]
                end += 1
        if end > start + 1:
            members = ordered[start:end]
            names = [f.name for f in dataclasses.fields(first)]  # type: ignore[arg-type]
            columns = {name: put([getattr(o, name) for o in members])[:, None, None] for name in names}
            groups.append((slice(start, end), type(first)(**columns)))
        else:
            groups.append((slice(start, end), first))
        start = end
    return groups
