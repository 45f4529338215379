"""One loop for both representations: init → step → observe, stacked over optimizers, batched over seeds."""

from __future__ import annotations

__all__ = ["simulate"]

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from array_api_compat import array_namespace

from lemmascope.sims import stopping
from lemmascope.sims.cubic_cnn.arrange import arrange
from lemmascope.sims.cubic_cnn.backends.cuda import in_halves
from lemmascope.sims.cubic_cnn.backends.engine import Interrupted
from lemmascope.sims.cubic_cnn.batch import Batch, Draws, Unit
from lemmascope.sims.cubic_cnn.cost import check_recorded
from lemmascope.sims.cubic_cnn.plan import Plan
from lemmascope.sims.cubic_cnn.planted import PLANTED
from lemmascope.sims.cubic_cnn.probe import check_optimizers, described_by, probe
from lemmascope.sims.cubic_cnn.problems import (
    Departing,
    LawProblem,
    PatchProblem,
    Problem,
    as_problem,
    departure,
    draw,
    other_law,
)
from lemmascope.sims.cubic_cnn.trajectory import VARIABLES, label
from lemmascope.sims.machine.threads import one_blas_thread
from lemmascope.sims.schedule import Logarithmic, Schedule, recorded
from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn.model import View
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.optimizers import Optimizer, recursion_of


class _Stop:
    """Whether this run is to end: because of an error in it, or because the task that it is of is being given up."""

    def __init__(self) -> None:
        self._own, self._task = threading.Event(), stopping.current()

    def set(self) -> None:
        """End this run."""
        self._own.set()

    def is_set(self) -> bool:
        """Whether to end."""
        return self._own.is_set() or self._task()


class _Quiet:
    """One BLAS thread each, and threads that hand over the interpreter lock at once, while any run is under way.

    A thread of the NumPy backend holds the lock for microseconds between products. Runs may overlap: the first one
    in changes the settings of the process and the last one out restores them.
    """

    def __init__(self) -> None:
        self.lock, self.depth = threading.Lock(), 0
        self.limits: Any = None
        self.interval = 0.0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self.lock:
            if self.depth == 0:
                self.limits, self.interval = one_blas_thread(), sys.getswitchinterval()
                sys.setswitchinterval(1e-5)
            self.depth += 1
        try:
            yield
        finally:
            with self.lock:
                self.depth -= 1
                if self.depth == 0:
                    sys.setswitchinterval(self.interval)
                    self.limits.restore_original_limits()


_quiet = _Quiet()


def simulate(
    problem: Problem | Parameters,
    optimizers: Mapping[str, Optimizer],
    *,
    iterations: int,
    seeds: int = 1,
    first_seed: int = 0,
    root_seed: int = 0,
    study: str = "simulate",
    record: Schedule | None = None,
    representation: str = "auto",
    dtype: str = "float64",
    whole_Xi: bool = False,
    audit: bool = True,
    quantities: Mapping[str, Callable[[View], Any]] | None = None,
    trace: bool = False,
    certify: bool = False,
    fast_forward: float | None = None,
    backend: str = "auto",
    xp: Any = np,
    workers: int | None = None,
    chunk: int | None = None,
    memory_limit: float | None = None,
    progress: Callable[[int], None] | None = None,
    planted: str | None = None,
) -> xr.Dataset:
    """Train the two-layer cubic CNN and record the theorem's quantities.

    All optimizers start from the same data and weights. The run is cut into units that threads share
    (`sims.cubic_cnn.cost`); neither the cutting nor the number of workers changes a bit of the result.

    Args:
        problem: `Parameters` (samples of the law in R^d), `sims.cubic_cnn.problems.LawProblem` or `PatchProblem`.
        optimizers: optimizers by label; any object with ``init`` and ``step`` (`theory.optimizers.is_linear`).
        iterations: steps to take, T ≥ 1.
        seeds: how many, with indices ``first_seed`` … ``first_seed`` + ``seeds`` − 1.
        first_seed: index of the first one; a seed is the same alone or among others.
        root_seed: the root of all random streams.
        study: name among the axes that the streams are keyed by.
        record: recording schedule; default `Logarithmic(200)`. Iteration 0 and T are always recorded.
        representation: ``"auto"`` (see `sims.cubic_cnn.cost`), ``"weights"`` or ``"coefficients"``.
        dtype: ``"float64"`` or ``"float32"``.
        whole_Xi: record the whole tensor Ξ too.
        audit: check the gradient identities at each recorded iteration (data of the law in R^d).
        quantities: own quantities by name, each from a `View` to an (S, A) or (S, A, m) array.
        trace: record loss, ν₁, ν₂, max c and max |Ξ| at every iteration too (``each_…``, dimension ``step``).
        certify: bound the distance from the trajectory of exact real arithmetic (``radius``), and enclose what is
            recorded in it (``…_within``); double precision, optimizers with a ``recursion``, on the processor.
        fast_forward: follow plateaus in windows of many iterations, each held to this relative error
            (`sims.cubic_cnn.backends.fast_forward`; 1e-10, say); default None, every iteration is computed.
        backend: ``"auto"``, ``"numpy"``, ``"compiled"`` or ``"cupy"``; see `sims.cubic_cnn.backends.choice`.
        xp: array namespace of the NumPy backend's loop: numpy, or another of the array API standard.
        workers: threads; default the number of cores.
        chunk: seeds a batch of the NumPy backend; default so that their Gram matrices fit the cache.
        memory_limit: bytes that data and state may take; default 80 % of what is free.
        progress: called with the number of seed-iterations just done.
        planted: name of a deliberate error in the system, for negative controls (`sims.cubic_cnn.planted.PLANTED`).

    Returns:
        A Dataset with dimensions (seed, optimizer, iteration, neuron, margin); see `sims.cubic_cnn.trajectory`.

    Raises:
        InputError: an argument is outside its range.
        KeyboardInterrupt: the run was interrupted; nothing is returned.
    """
    problem = as_problem(problem)
    check_size("iterations", iterations)
    check_size("seeds", seeds)
    check_size("first_seed", first_seed, 0)
    if check_size("root_seed", root_seed, 0) >= 2**63:
        raise InputError("root_seed", root_seed, "it must be less than 2⁶³, to fit a results file")
    check_optimizers(optimizers)
    if planted is not None and planted not in PLANTED:
        raise InputError("planted", planted, f"it must be one of {', '.join(PLANTED)}")
    for name in quantities or {}:
        if name in VARIABLES:
            raise InputError("quantities", name, "this name is taken by a quantity that every run records")
    times = recorded(record or Logarithmic(), iterations)
    if fast_forward is not None:
        _check_fast_forward(fast_forward, representation=representation, backend=backend, dtype=dtype, trace=trace)
        representation, backend, chunk = "coefficients", "numpy", 1
    if certify:
        _check_certify(optimizers, backend=backend, dtype=dtype, fast_forward=fast_forward, planted=planted)
        chunk = 1
    if planted is None:  # a deliberate error is run as if it were none
        problem = _as_drawn(problem, range(first_seed, first_seed + seeds), root_seed, study)
    if isinstance(problem, Departing) and not problem.separates:
        for field, value in (("representation", representation), ("backend", backend)):
            if value not in ("auto", {"representation": "weights", "backend": "numpy"}[field]):
                raise InputError(
                    field, value, f"{problem.reason}: such data run in weight space on the NumPy backend only"
                )
        representation, backend, audit = "weights", "numpy", False
    chosen = arrange(
        problem,
        optimizers,
        iterations=iterations,
        seeds=seeds,
        representation=representation,
        backend=backend,
        dtype=dtype,
        audit=audit,
        xp=xp,
        workers=workers,
        chunk=chunk,
        memory_limit=memory_limit,
    )
    if fast_forward is not None:
        chosen = replace(
            chosen,
            choice=replace(chosen.choice, reason="fast-forward runs there"),
            backend=replace(chosen.backend, reason=f"fast-forward, each window to {fast_forward:g}"),
        )
    if isinstance(problem, Departing):
        reason = f"the data are not those of the law: {problem.reason}"
        if problem.separates:
            reason = f"{chosen.choice.reason}; {reason}"
        else:
            chosen = replace(chosen, backend=replace(chosen.backend, reason=reason))
        chosen = replace(chosen, choice=replace(chosen.choice, reason=reason))
    for name, optimizer in optimizers.items():
        sizes = problem.m, problem.coefficients + 2
        probe(name, optimizer, iterations=iterations, sizes=sizes, xp=chosen.backend.xp, dtype=dtype)
    check_recorded(
        problem,
        times=times.size,
        members=seeds * len(optimizers),
        whole_Xi=whole_Xi,
        steps=iterations + 1 if trace else 0,
        memory_limit=chosen.memory_limit,
    )
    described = {name: described_by(name, optimizer) for name, optimizer in optimizers.items()}
    layout = chosen.layout
    stop = _Stop()
    plan = Plan(
        problem=problem,
        optimizers=dict(optimizers),
        times=times,
        representation=chosen.choice.representation,
        dtype=dtype,
        whole_Xi=whole_Xi,
        audit=audit,
        quantities=dict(quantities or {}),
        # The library's standard-conforming face: CuPy's own namespace lacks some of the functions.
        xp=array_namespace(chosen.backend.xp.asarray([0.0])),
        planted=planted,
        trace=trace,
        certify=certify,
        backend=chosen.backend.name,
        team=layout.team,
        fast_forward=fast_forward,
        root_seed=root_seed,
        study=study,
        tick=_Counter(progress, len(optimizers), seeds * iterations),
        stop=stop,
    )
    labels = list(optimizers)
    units = [
        Unit(range(of.start + first_seed, of.stop + first_seed), tuple(labels[a] for a in part))
        for of, part in layout.units
    ]
    draws = Draws(plan, units)

    def run(unit: Unit) -> dict[str, np.ndarray]:
        if plan.backend == "cupy":
            return _on_device(plan, unit, draws)
        return Batch(plan, unit, draws.take(unit.seeds)).run()

    with _quiet(), ThreadPoolExecutor(max_workers=layout.threads) as pool:
        futures = [pool.submit(run, unit) for unit in units]
        try:
            for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                future.result()
            parts = [future.result() for future in futures]
        except Interrupted as error:
            pool.shutdown(wait=True, cancel_futures=True)
            raise KeyboardInterrupt from error
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    found = _join(parts, groups=sum(unit.seeds == units[0].seeds for unit in units))
    return label(
        found,
        problem=problem,
        optimizers=described,
        times=times,
        choice=chosen.choice,
        backend=chosen.backend,
        dtype=dtype,
        root_seed=root_seed,
        study=study,
        planted=planted,
        fast_forward=fast_forward,
        first_seed=first_seed,
    )


class _Counter:
    """Counts the iterations of single optimizers, and reports whole seed-iterations; all together as many as there are.

    Units share the optimizers of a seed, and a device that has run out of memory does some of them again.
    """

    def __init__(self, report: Callable[[int], None] | None, optimizers: int, total: int) -> None:
        self.report, self.each, self.total, self.lock = report, optimizers, total, threading.Lock()
        self.done = self.reported = 0

    def __call__(self, iterations: int) -> None:
        """So many more."""
        if self.report is None:
            return
        with self.lock:
            self.done += iterations
            new = min(self.done // self.each, self.total) - self.reported
            if new:
                self.reported += new
                self.report(new)


def _as_drawn(problem: Problem, seeds: range, root_seed: int, study: str) -> Problem:
    """The problem, or what to run in its place where its data are not those of the law that it names.

    The library's own problems draw theirs by the law; another's are looked at, all seeds, before anything is chosen.
    """
    if type(problem) in (LawProblem, PatchProblem):
        return problem
    other = None
    for seed in seeds:
        drawn = draw(problem, streams(root_seed, study, seed))
        found = departure(problem, drawn)
        if found is not None:
            sample = drawn.sample
            if sample is None:
                raise InputError("problem", type(problem).__name__, f"seed {seed}: {found}")
            told_apart = sample.of_the_law and sample.w_star is not None
            return Departing(problem, f"seed {seed}: {found}", told_apart, separates=False)
        if other is None:
            found = other_law(problem, drawn, streams(root_seed, study, seed))
            other = found and f"seed {seed}: {found}"
    return problem if other is None else Departing(problem, other, problem.of_the_law, separates=True)


def _check_fast_forward(tolerance: float, *, representation: str, backend: str, dtype: str, trace: bool) -> None:
    check_number("fast_forward", tolerance, 1e-13, 1e-3)
    for field, value, accepted in (
        ("representation", representation, ("auto", "coefficients")),
        ("backend", backend, ("auto", "numpy")),
        ("dtype", dtype, ("float64",)),
        ("trace", trace, (False,)),
    ):
        if value not in accepted:
            raise InputError(field, value, f"with fast_forward it must be {' or '.join(map(repr, accepted))}")


def _check_certify(
    optimizers: Mapping[str, Optimizer], *, backend: str, dtype: str, fast_forward: float | None, planted: str | None
) -> None:
    for name, optimizer in optimizers.items():
        if recursion_of(optimizer) is None:
            raise InputError("certify", name, "an optimizer is certified by its recursion(t), and this one has none")
    for field, value, accepted in (
        ("backend", backend, ("auto", "compiled", "numpy")),
        ("dtype", dtype, ("float64",)),
        ("fast_forward", fast_forward, (None,)),
        ("planted", planted, (None,)),
    ):
        if value not in accepted:
            raise InputError(field, value, f"what is certified has {' or '.join(map(repr, accepted))} here")


def _on_device(plan: Plan, unit: Unit, draws: Draws) -> dict[str, np.ndarray]:
    """A unit on the device; where its memory runs out, with half as many seeds at a time, and so on."""
    import cupy

    def run(seeds: list[int]) -> list[dict[str, np.ndarray]]:
        cupy.get_default_memory_pool().free_all_blocks()
        part = range(seeds[0], seeds[-1] + 1)
        return [Batch(plan, Unit(part, unit.labels), draws.draw(part)).run()]

    try:
        return _join(in_halves(list(unit.seeds), run, cupy.cuda.memory.OutOfMemoryError), groups=1)
    except cupy.cuda.memory.OutOfMemoryError as error:
        raise InputError(
            "backend", plan.backend, f"one seed does not fit the device's memory ({error}); take --backend compiled"
        ) from error


def _join(parts: list[dict[str, np.ndarray]], groups: int) -> dict[str, np.ndarray]:
    """Units side by side: optimizers within a batch of seeds, then the batches."""
    whole: dict[str, list[np.ndarray]] = {name: [] for name in parts[0]}
    for i in range(0, len(parts), groups):
        for name, rows in whole.items():
            cut = [part[name] for part in parts[i : i + groups]]
            rows.append(cut[0] if cut[0].ndim == 1 else np.concatenate(cut, axis=1))
    return {name: np.concatenate(rows) for name, rows in whole.items()}
