"""The loop over iterations, for one batch of seeds."""

from __future__ import annotations

__all__ = ["Batch", "Interrupted"]

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from sims.plan import Plan, to_host
from sims.planted import GRADIENT_FACTOR, plant
from sims.record import Recorder
from sims.seeds import streams
from sims.watch import Watch
from theory.cubic_cnn.coefficients import CoefficientSystem
from theory.cubic_cnn.model import System, View
from theory.cubic_cnn.weights import WeightSystem
from theory.errors import InputError
from theory.optimizers import GD, MomentumAverage, MomentumVelocity, Nesterov, Optimizer

Array = Any

TICK = 256  # iterations between two progress reports


class Interrupted(Exception):
    """The batch was asked to stop."""


class Batch:
    """Some seeds of a plan, from drawing to recorded arrays (seed, optimizer, iteration, …)."""

    def __init__(self, plan: Plan, seeds: range) -> None:
        self.plan = plan
        rngs = [streams(plan.root_seed, plan.study, s) for s in seeds]
        self.drawn = [plant(plan.problem.draw(rng), plan.planted) for rng in rngs]
        self.seeds = seeds
        self.system, self.y, self.masks = self._system()
        self.recorder = Recorder(plan, self.drawn, rngs, self.system, self.y, self.masks)
        # Optimizers of one class stand side by side, so that each class takes one step for all of its members.
        labels = list(plan.optimizers)
        self.order = sorted(range(len(labels)), key=lambda a: _class_key(plan.optimizers[labels[a]]))
        self.groups = _stack([plan.optimizers[labels[a]] for a in self.order], self._put)

    def _put(self, x: Any) -> Array:
        return self.plan.xp.asarray(np.ascontiguousarray(x, dtype=self.plan.dtype))

    def _system(self) -> tuple[System, Array, list[Array]]:
        plan, problem = self.plan, self.plan.problem
        system: System
        if plan.representation == "weights":
            samples: list[Any] = [drawn.sample for drawn in self.drawn]
            weights: list[Any] = [drawn.W_0 for drawn in self.drawn]
            feature = samples[0].w_star is not None
            system = WeightSystem(
                X=self._put(np.stack([s.signal_first() for s in samples])),
                y=self._put(np.stack([s.y for s in samples])),
                W_0=self._put(np.stack(weights)),
                w_star=self._put(np.stack([s.w_star for s in samples])) if feature else None,
                lam=problem.lam, signal_patches=int(problem.of_the_law),
            )  # fmt: skip
            small: list[Any] = [s.small for s in samples]
        else:
            parts = [drawn.projection() for drawn in self.drawn]
            stacked = {
                name: self._put(np.stack([getattr(part, name) for part in parts]))
                for name in ("y", "strength", "K", "Xi_0", "c_0", "S_0", "overlap")
            }
            system = CoefficientSystem(
                **stacked, lam=problem.lam, has_feature=parts[0].has_feature, of_the_law=problem.of_the_law
            )
            small = [part.small for part in parts]
        xp = plan.xp
        if small[0] is None:
            masks = [xp.asarray(np.ones((len(self.drawn), problem.N), dtype=bool))]
        else:
            mask = np.stack(small)
            masks = [xp.asarray(~mask), xp.asarray(mask)]
        return system, system.y, masks

    def run(self) -> dict[str, np.ndarray]:
        """Iterate to the end; arrays (seed, optimizer, iteration, …) by name.

        Raises:
            Interrupted: the plan's stop flag was set.
        """
        with np.errstate(all="ignore"):
            return self._run()

    def _run(self) -> dict[str, np.ndarray]:
        plan, A, S = self.plan, len(self.order), len(self.seeds)
        theta = self.system.initial(A)
        states = [optimizer.init(theta[:, part, ...]) for part, optimizer in self.groups]
        watch = Watch(plan, self.masks, S, A)
        recorded: list[dict[str, np.ndarray]] = []
        times = set(plan.times.tolist())
        last = int(plan.times[-1])
        ticked = 0
        for t in range(last + 1):
            view, grad = self._evaluate(theta)
            if watch.look(t, view):
                theta = watch.silence(theta)
                view, grad = self._evaluate(theta)
            if t in times:
                recorded.append(watch.blank(self.recorder.record(theta, view, grad)))
            if t == last:
                break
            theta = self._step(theta, grad, states, t)
            if watch.any_dead:
                theta = watch.silence(theta)
            if plan.stop.is_set():
                raise Interrupted
            if t - ticked + 1 == TICK:
                ticked = t + 1
                if plan.progress is not None:
                    plan.progress(TICK * S)
        if plan.progress is not None:
            plan.progress((last - ticked) * S)
        found = {name: np.stack([r[name] for r in recorded], axis=2) for name in recorded[0]}
        found.update(watch.results())
        back = np.argsort(self.order)
        found = {name: values[:, back] for name, values in found.items()}
        found["small_count"] = to_host(plan.xp.sum(plan.xp.astype(self.masks[-1], plan.xp.int64), axis=-1))
        return found

    def _step(self, theta: Array, grad: Array, states: list[Any], t: int) -> Array:
        """The next state; a new array, as an optimizer may have kept the old one."""
        pieces = []
        for g, (part, optimizer) in enumerate(self.groups):
            whole = len(self.groups) == 1
            params, slope = (theta, grad) if whole else (theta[:, part, ...], grad[:, part, ...])
            try:
                piece, states[g] = optimizer.step(params, slope, states[g], t)
            except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
                raise InputError(
                    f"optimizer {type(optimizer).__name__}", f"step {t}",
                    f"its step must return (params, state), and it failed ({type(error).__name__}: {error})",
                ) from error
            if t == 0 and (getattr(piece, "shape", None) != params.shape or piece.dtype != params.dtype):
                got = f"{piece.dtype} {piece.shape}" if hasattr(piece, "shape") else type(piece).__name__
                raise InputError(
                    f"optimizer {type(optimizer).__name__}", got,
                    f"its step must return parameters like those it is given, {params.dtype} {params.shape}",
                )  # fmt: skip
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else array_namespace(theta).concat(pieces, axis=1)

    def _evaluate(self, theta: Array) -> tuple[View, Array]:
        view, grad = self.system.evaluate(theta)
        if self.plan.planted in GRADIENT_FACTOR:
            grad = GRADIENT_FACTOR[self.plan.planted] * grad
        return view, grad

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
