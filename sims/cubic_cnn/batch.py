"""One batch: some seeds of a plan with some of its optimizers, from drawing to recorded arrays."""

from __future__ import annotations

__all__ = ["Batch", "Draws", "Unit"]

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from lemmascope.sims.cubic_cnn.backends.array_kernel import ArrayKernel
from lemmascope.sims.cubic_cnn.backends.arrays import ArrayEngine
from lemmascope.sims.cubic_cnn.backends.engine import Engine
from lemmascope.sims.cubic_cnn.backends.fast_forward import FastForwardEngine
from lemmascope.sims.cubic_cnn.backends.kernel import TRACED, Kernel, Start
from lemmascope.sims.cubic_cnn.backends.segments import KernelEngine, rates_of
from lemmascope.sims.cubic_cnn.certificate.problem import data_of
from lemmascope.sims.cubic_cnn.certificate.witness import Witness
from lemmascope.sims.cubic_cnn.plan import Plan, to_host
from lemmascope.sims.cubic_cnn.planted import plant
from lemmascope.sims.cubic_cnn.problems import Departing, Drawn, departure, draw, other_law
from lemmascope.sims.cubic_cnn.record import Recorder
from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn import predictions
from lemmascope.theory.cubic_cnn.certificate.data import Data
from lemmascope.theory.cubic_cnn.coefficients import CoefficientSystem
from lemmascope.theory.cubic_cnn.model import System
from lemmascope.theory.cubic_cnn.weights import WeightSystem
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import recursion_of

Array = Any


@dataclass(frozen=True)
class Unit:
    """What one thread takes: seeds, and the labels of optimizers."""

    seeds: range
    labels: tuple[str, ...]


class Draws:
    """Data and initial weights by seed, drawn once and kept while a unit is still to come that needs them."""

    def __init__(self, plan: Plan, units: list[Unit]) -> None:
        self.plan, self.lock = plan, threading.Lock()
        self.waiting = {seeds: sum(unit.seeds == seeds for unit in units) for seeds in {unit.seeds for unit in units}}
        self.locks = {seeds: threading.Lock() for seeds in self.waiting}
        self.kept: dict[range, list[Drawn]] = {}

    def draw(self, seeds: range) -> list[Drawn]:
        """The seeds' data, drawn anew.

        Raises:
            InputError: they are not what the representation takes them for.
        """
        plan, found = self.plan, []
        for seed in seeds:
            drawn = draw(plan.problem, streams(plan.root_seed, plan.study, seed))
            # A deliberate error, and what is known to depart from the law, run as if they did not.
            lacking = None
            if plan.planted is None and (not isinstance(plan.problem, Departing) or plan.problem.separates):
                again = streams(plan.root_seed, plan.study, seed)
                lacking = departure(plan.problem, drawn) or other_law(plan.problem, drawn, again)
            if lacking is not None:
                raise InputError("problem", type(plan.problem).__name__, f"seed {seed} is not of its law: {lacking}")
            found.append(plant(drawn, plan.planted))
        return found

    def take(self, seeds: range) -> list[Drawn]:
        """The seeds' data; the last unit that asks for them gets them alone."""
        with self.locks[seeds]:
            if seeds not in self.kept:
                self.kept[seeds] = self.draw(seeds)
            self.waiting[seeds] -= 1
            return self.kept[seeds] if self.waiting[seeds] else self.kept.pop(seeds)


class Batch:
    """A unit of a plan.

    Args:
        plan: the simulation.
        unit: the seeds and optimizers.
        drawn: the seeds' data.
    """

    def __init__(self, plan: Plan, unit: Unit, drawn: list[Drawn]) -> None:
        self.plan, self.drawn, self.seeds = plan, drawn, unit.seeds
        self.optimizers = [plan.optimizers[label] for label in unit.labels]
        self.witness: Witness | None = None
        self.system, self.y, self.masks = self._system()
        rngs = [streams(plan.root_seed, plan.study, s) for s in unit.seeds]
        self.data: Data | None = None
        if plan.certify:
            self.data = data_of(drawn[0], plan.problem.lam, in_weights=plan.representation == "weights")
        self.recorder = Recorder(plan, drawn, rngs, self.system, self.y, self.masks, self.data)

    def _put(self, each: list[Any]) -> Array:
        """Stacked over seeds; one seed's array is not copied."""
        x = each[0][None] if len(each) == 1 else np.stack(each)
        return self.plan.xp.asarray(np.ascontiguousarray(x, dtype=self.plan.dtype))

    def _system(self) -> tuple[System, Array, list[Array]]:
        plan, problem = self.plan, self.plan.problem
        system: System
        if plan.representation == "weights":
            samples: list[Any] = [drawn.sample for drawn in self.drawn]
            weights: list[Any] = [drawn.W_0 for drawn in self.drawn]
            feature = samples[0].w_star is not None
            system = WeightSystem(
                X=self._put([s.signal_first() for s in samples]),
                y=self._put([s.y for s in samples]),
                W_0=self._put(weights),
                w_star=self._put([s.w_star for s in samples]) if feature else None,
                lam=problem.lam,
                signal_patches=int(problem.of_the_law),
            )
            small: list[Any] = [s.small for s in samples]
        else:
            parts = [drawn.projection() for drawn in self.drawn]
            stacked = {
                name: self._put([getattr(part, name) for part in parts])
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

    def _engine(self) -> Engine:
        plan = self.plan
        small = to_host(self.masks[1]) if len(self.masks) == 2 else np.zeros((len(self.seeds), plan.problem.N), bool)
        if plan.fast_forward is not None:
            return FastForwardEngine(plan, self.system, small[0], self.optimizers)  # type: ignore[arg-type]
        by_recursion = all(recursion_of(optimizer) is not None for optimizer in self.optimizers)
        on_device = plan.backend == "cupy" and plan.representation == "coefficients" and by_recursion
        if plan.backend != "compiled" and not on_device and not plan.certify:
            return ArrayEngine(plan, self.system, self.masks, self.optimizers)
        p = plan.problem.parameters
        start = Start(
            small=small,
            c_threshold=None if p is None else predictions.signal_threshold(p),
            memorization_threshold=None if p is None else predictions.MEMORIZATION_THRESHOLD,
            gradient_factor=plan.gradient_factor,
            last=int(plan.times[-1]),
            trace=plan.trace,
            count=len(self.optimizers),
            dtype=plan.dtype,
            data=self.data,
        )
        kernel: Kernel
        if on_device:
            from lemmascope.sims.cubic_cnn.backends.cuda import CudaKernel, CupyRuntime

            kernel = CudaKernel(self.system, start, CupyRuntime())  # type: ignore[arg-type]
        elif plan.backend != "compiled":
            kernel = ArrayKernel(self.system, start)
        else:
            from lemmascope.sims.cubic_cnn.backends.compiled import CompiledKernel

            kernel = CompiledKernel(self.system, start, plan.team)  # type: ignore[arg-type]
        if self.data is not None:
            rates = rates_of(self.optimizers, 0, 1)
            first = rates if rates.ndim == 2 else rates[0]
            thresholds = start.c_threshold, start.memorization_threshold
            self.witness = Witness(self.data, small[0], first, plan.times, *thresholds)
        return KernelEngine(plan, self.system, kernel, self.optimizers, len(self.seeds), self.witness)

    def run(self) -> dict[str, np.ndarray]:
        """Iterate to the end; arrays (seed, optimizer, iteration, …) by name.

        Raises:
            Interrupted: the plan's stop flag was set.
        """
        plan = self.plan
        with np.errstate(all="ignore"):
            engine = self._engine()
            recorded = [self.recorder.record(one) for one in engine.run()]
        found = {name: np.stack([r[name] for r in recorded], axis=2) for name in recorded[0]}
        watched = engine.watched()
        dead = (watched.diverged_at[..., None] >= 0) & (plan.times >= watched.diverged_at[..., None])
        if dead.any():
            for name, values in found.items():
                lost = np.inf if name == "radius" else np.nan
                found[name] = np.where(dead.reshape(dead.shape + (1,) * (values.ndim - 3)), lost, values)
        if plan.problem.parameters is not None:
            found |= {"T_0": watched.T_0, "T_1": watched.T_1}
        if self.witness is not None and plan.problem.parameters is not None:
            found |= {f"T_{k}_within": self.witness.hits[None, :, k] for k in range(2)}
        found |= {"diverged_at": watched.diverged_at, "diverged_quantity": watched.diverged_quantity}
        found |= engine.effort()
        trace = engine.trace()
        if trace is not None:
            found |= {f"each_{name}": trace[..., j] for j, name in enumerate(TRACED)}
        found["small_count"] = to_host(plan.xp.sum(plan.xp.astype(self.masks[-1], plan.xp.int64), axis=-1))
        return found
