"""The phase diagram: where in a plane of two parameters GD fails, where momentum rescues it, and the predicted lines.

By default the plane of the learning rate η and of 1 − γ on `HEADLINE`, γ = 0 (plain GD) being its last row. All cells
of a seed with the same data are stacked (`sims.cubic_cnn.stack`), in blocks of at most `BLOCK` with neighbouring η; a
block is a task of its own, which any thread or machine may take. Any two of η, γ and the parameters of the law span a
plane.
"""

from __future__ import annotations

__all__ = [
    "AXES",
    "HEADLINE_PLANE",
    "Axis",
    "Phase",
    "Plane",
    "Task",
    "clocks",
    "compute",
    "dataset",
    "judge_plane",
    "run",
    "summary",
    "tasks",
]

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr

from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.cubic_cnn.simulate import simulate
from lemmascope.sims.cubic_cnn.stack import FATES, MEASURED, CellStack
from lemmascope.sims.run.tasks import STOP, Kept, run_tasks
from lemmascope.sims.schedule import Logarithmic
from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn.boundaries import feature_share
from lemmascope.theory.cubic_cnn.claims.phase import CLAIMS, fitted_kappa
from lemmascope.theory.cubic_cnn.law import Projection
from lemmascope.theory.cubic_cnn.parameters import HEADLINE, Parameters
from lemmascope.theory.cubic_cnn.predictions import MEMORIZATION_THRESHOLD, overshoot_rate
from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.optimizers import GD, MomentumAverage, describe
from lemmascope.theory.verdict import Run, Status, Verdict

STUDY = "phase"
SEEDS = 3
BLOCK = 16
SHAPE = (BLOCK, len(MEASURED))  # of a task's result
REACH = 4000.0
"""Last iteration of a cell: ηT = 4000, HEADLINE's own, some three times what memorizing takes …"""

COAST = 5.0
"""… but no less than this many times 1/(1 − γ), in which the velocity is spent."""

AXES = {
    "eta": ("η", "learning rate"),
    "gamma": ("1 − γ", "one minus the momentum"),
    "alpha": ("α", "large signal"),
    "beta": ("β", "small signal"),
    "mu": ("μ", "probability of a small margin"),
    "sigma": ("σ", "noise level"),
    "sigma_0": ("σ₀", "size of the initial weights"),
    "N": ("N", "samples"),
    "m": ("m", "neurons"),
    "P": ("P", "patches a sample"),
    "d": ("d", "dimension"),
}
WHOLE = ("N", "m", "P", "d")


@dataclass(frozen=True)
class Axis:
    """One side of a plane.

    Args:
        name: one of `AXES`; "gamma" is given by the values of 1 − γ.
        values: increasing.
    """

    name: str
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.name not in AXES:
            raise InputError("axis", self.name, f"it must be one of {', '.join(AXES)}")
        high = 1.0 if self.name in ("gamma", "mu") else math.inf
        for value in self.values:
            check_number(f"axis {self.name}", value, 0, high, open_low=True)
        if len(self.values) < 2 or any(a >= b for a, b in zip(self.values, self.values[1:], strict=False)):
            raise InputError(f"axis {self.name}", self.values, "it needs two values or more, increasing")

    @classmethod
    def spaced(cls, name: str, low: float, high: float, count: int) -> Axis:
        """``count`` values from low to high, evenly in the logarithm; whole numbers where the parameter is one."""
        check_size("cells", count, 2)
        check_number(f"axis {name}: from", low, 0, open_low=True)
        check_number(f"axis {name}: to", high, low, open_low=True)
        values = np.geomspace(low, high, count)
        if name in WHOLE:
            values = np.unique(np.rint(values))
        return cls(name, tuple(float(x) for x in values))


@dataclass(frozen=True)
class Plane:
    """Two axes over a base.

    Args:
        x, y: the axes; base: parameters where no axis sets them; eta, gamma: likewise, of the optimizer.
    """

    x: Axis
    y: Axis
    base: Parameters = HEADLINE
    eta: float = 0.1
    gamma: float = 0.999

    def __post_init__(self) -> None:
        if self.x.name == self.y.name:
            raise InputError("axes", self.x.name, "they must be two different ones")
        check_number("eta", self.eta, 0, open_low=True)
        check_number("gamma", self.gamma, 0, 1, open_high=True)
        for j in range(len(self.y.values)):
            for i in range(len(self.x.values)):
                self.cell(j, i)

    @property
    def of_the_optimizer(self) -> bool:
        """Whether it is the (η, 1 − γ) plane, for which lines are predicted."""
        return (self.x.name, self.y.name) == ("eta", "gamma")

    def cell(self, j: int, i: int) -> tuple[Parameters, float, float]:
        """Parameters, η and γ of the cell in row j and column i."""
        values = {self.y.name: self.y.values[j], self.x.name: self.x.values[i]}
        eta = values.pop("eta", self.eta)
        gamma = 1 - values.pop("gamma") if "gamma" in values else self.gamma
        changes = {name: int(value) if name in WHOLE else value for name, value in values.items()}
        return (dataclasses.replace(self.base, **changes) if changes else self.base), eta, gamma  # type: ignore[arg-type]


HEADLINE_PLANE = {
    "quick": (Axis.spaced("eta", 0.0125, 64, 8), Axis.spaced("gamma", 1e-4, 1, 8)),
    "default": (Axis.spaced("eta", 0.0125, 64, 16), Axis.spaced("gamma", 1e-4, 1, 16)),
    "full": (Axis.spaced("eta", 0.0125, 64, 32), Axis.spaced("gamma", 1e-4, 1, 32)),
}


@dataclass(frozen=True)
class Task:
    """Some cells of one seed with the same data.

    Attributes:
        parameters: their law; seed, root_seed: the draw.
        cells: (η, γ); places: their (row, column).
        leave: whether decided cells leave the stack; backend, dtype: of `sims.cubic_cnn.stack.CellStack`.
    """

    parameters: Parameters
    seed: int
    root_seed: int
    cells: tuple[tuple[float, float], ...]
    places: tuple[tuple[int, int], ...]
    leave: bool = True
    backend: str = "auto"
    dtype: str = "float64"

    @property
    def key(self) -> str:
        """Its name in the store."""
        return f"seed={self.seed} cells={self.places[0]}…{self.places[-1]}"

    @property
    def last(self) -> list[int]:
        """The last iteration of each cell."""
        return [math.ceil(max(REACH / eta, COAST / (1 - gamma))) for eta, gamma in self.cells]

    @property
    def cost(self) -> float:
        """Operations, if no cell leaves."""
        return 2.0 * self.parameters.n**2 * self.parameters.m * sum(self.last)


def tasks(
    plane: Plane, seeds: int, root_seed: int, *, leave: bool = True, backend: str = "auto", dtype: str = "float64"
) -> list[Task]:
    """The blocks of all seeds."""
    check_size("seeds", seeds)
    if dtype not in ("float64", "float32"):
        raise InputError("dtype", dtype, "it must be 'float64' or 'float32'")
    by_data: dict[Parameters, list[tuple[float, float, int, int]]] = {}
    for j in range(len(plane.y.values)):
        for i in range(len(plane.x.values)):
            parameters, eta, gamma = plane.cell(j, i)
            by_data.setdefault(parameters, []).append((eta, gamma, j, i))
    found = []
    for seed in range(seeds):
        for parameters, cells in by_data.items():
            ordered = sorted(cells)  # neighbours in η end at about the same iteration
            for first in range(0, len(ordered), BLOCK):
                block = ordered[first : first + BLOCK]
                found.append(
                    Task(
                        parameters,
                        seed,
                        root_seed,
                        tuple((eta, gamma) for eta, gamma, _, _ in block),
                        tuple((j, i) for _, _, j, i in block),
                        leave,
                        backend,
                        dtype,
                    )
                )
    return found


def _draw(parameters: Parameters, seed: int, root_seed: int) -> Projection:
    law = "exact" if parameters.d - 1 >= parameters.n else "samples"
    return LawProblem(parameters, law).draw(streams(root_seed, STUDY, seed)).projection()


def compute(task: Task) -> np.ndarray:
    """(BLOCK, `MEASURED`) of one task; NaN below its cells."""
    rng = streams(task.root_seed, STUDY, task.seed)
    stack = CellStack(
        _draw(task.parameters, task.seed, task.root_seed), task.parameters, rng, backend=task.backend, dtype=task.dtype
    )
    found = np.full((BLOCK, len(MEASURED)), np.nan)
    found[: len(task.cells)] = stack.run(task.cells, task.last, leave=task.leave, stopped=STOP.is_set)
    return found


def clocks(parameters: Parameters, seeds: int, root_seed: int, *, workers: int | None = None) -> np.ndarray:
    """(seeds,) ηT₁ of the median small-margin sample under GD, in η·iterations; NaN where it is not memorized.

    Measured at a fifth of the overshoot rate, where steps are small, and interpolated between recorded iterations.
    """
    eta = min(0.1, overshoot_rate(parameters) / 5)
    law = "exact" if parameters.d - 1 >= parameters.n else "samples"
    run = simulate(
        LawProblem(parameters, law),
        {"GD": GD(eta)},
        iterations=math.ceil(REACH / eta),
        seeds=seeds,
        root_seed=root_seed,
        study=STUDY,
        record=Logarithmic(300),
        audit=False,
        workers=workers,
    )
    found = []
    times = run.iteration.values
    for seed in range(seeds):
        median = run.memorization_median.sel(seed=seed, margin="small").isel(optimizer=0).values
        after = np.flatnonzero(median >= MEMORIZATION_THRESHOLD)
        if not after.size or after[0] == 0:
            found.append(math.nan)
            continue
        k = int(after[0])
        share = (MEMORIZATION_THRESHOLD - median[k - 1]) / (median[k] - median[k - 1])
        found.append(eta * float(times[k - 1] + share * (times[k] - times[k - 1])))
    return np.array(found)


def dataset(
    values: np.ndarray, plane: Plane, made: Sequence[Task], seeds: int, root_seed: int, *, workers: int | None = None
) -> xr.Dataset:
    """(seed, y, x) variables of `MEASURED` from the results of the tasks.

    For the (η, 1 − γ) plane also what its lines are made of: ``clock`` and ``c_0`` by seed, and ``two_body``, the
    feature's share of the margin in the two-body race (`theory.cubic_cnn.boundaries.feature_share`).
    """
    shape = (seeds, len(plane.y.values), len(plane.x.values))
    arrays = {name: np.full(shape, np.nan) for name in MEASURED}
    for task, block in zip(made, values, strict=True):
        for (j, i), row in zip(task.places, block, strict=False):
            for name, value in zip(MEASURED, row, strict=True):
                arrays[name][task.seed, j, i] = value
    dims = ("seed", "y", "x")
    data = {name: (dims, arrays[name], {"long_name": text}) for name, text in MEASURED.items()}
    coords = {
        "seed": np.arange(seeds),
        "y": ("y", list(plane.y.values), {"axis": plane.y.name, "symbol": AXES[plane.y.name][0]}),
        "x": ("x", list(plane.x.values), {"axis": plane.x.name, "symbol": AXES[plane.x.name][0]}),
    }
    optimizers = {"GD": GD(plane.eta), "GD+M": MomentumAverage(plane.eta, plane.gamma)}
    attrs = {
        "study": STUDY,
        "root_seed": root_seed,
        "lemmascope_version": version("lemmascope"),
        "iterations": int(np.nanmax(arrays["iterations"])),
        "parameters": json.dumps(plane.base.to_dict()),
        "optimizers": json.dumps({name: describe(o) for name, o in optimizers.items()}),
        "eta": plane.eta,
        "gamma": plane.gamma,
        "x": plane.x.name,
        "y": plane.y.name,
    }
    found = xr.Dataset(data, coords, attrs)
    return _with_lines(found, plane, seeds, root_seed, workers) if plane.of_the_optimizer else found


def _with_lines(data: xr.Dataset, plane: Plane, seeds: int, root_seed: int, workers: int | None) -> xr.Dataset:
    p = plane.base
    clock = clocks(p, seeds, root_seed, workers=workers)
    eta, gap = (a.ravel() for a in np.meshgrid(plane.x.values, plane.y.values))
    longest = np.maximum(REACH / eta, COAST / gap)
    shares = np.full(data.small.shape, np.nan)
    start, share = np.full((seeds, p.m), np.nan), np.full(seeds, np.nan)
    for seed in range(seeds):
        drawn = _draw(p, seed, root_seed)
        assert drawn.small is not None
        start[seed], share[seed] = drawn.c_0, np.mean(drawn.small)
        if math.isfinite(clock[seed]):
            with np.errstate(all="ignore"):
                found = feature_share(p, start[seed], share[seed], eta, 1 - gap, clock[seed], longest)
            shares[seed] = found.reshape(shares.shape[1:])
    return data.assign(
        clock=("seed", clock, {"long_name": "ηT₁ of the median small-margin sample under GD"}),
        c_0=(("seed", "neuron"), start, {"long_name": "initial coefficients"}),
        share=("seed", share, {"long_name": "share of small margins as drawn"}),
        two_body=(("seed", "y", "x"), shares, {"long_name": "the feature's share of the margin in the two-body race"}),
    )


def judge_plane(data: xr.Dataset, plane: Plane) -> tuple[list[Verdict], float]:
    """The verdicts on the (η, 1 − γ) plane, each with its control, and the overshoot line's κ; none on other planes."""
    if not plane.of_the_optimizer:
        return [], math.nan
    run = Run(data, "the plane", plane.base, None, None)
    found = []
    for claim in CLAIMS:
        verdict = claim.judge(run)
        if claim.control is not None:
            assert callable(claim.control.kind)
            status = "not run"
            if verdict.status is not Status.NOT_APPLICABLE:
                status = claim.judge(claim.control.kind(run)).status.value
            verdict = dataclasses.replace(verdict, control={"description": claim.control.description, "status": status})
        found.append(verdict)
    return found, fitted_kappa(run) if bool((data.y == 1.0).any()) else math.nan


@dataclass(frozen=True)
class Phase:
    """What the study found: the diagram (`dataset`), the verdicts, and κ of the overshoot line (NaN: not fitted)."""

    data: xr.Dataset
    verdicts: list[Verdict]
    kappa: float


def run(
    plane: Plane | None = None,
    seeds: int = SEEDS,
    root_seed: int = 0,
    *,
    leave: bool = True,
    backend: str = "auto",
    dtype: str = "float64",
    store: Any = None,
    cluster: Any = None,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Phase:
    """Measure a plane and judge it.

    Args:
        plane: default 16 × 16 cells of (η, 1 − γ) on `HEADLINE`.
        seeds, root_seed: draws; leave, backend, dtype: see `tasks`.
        store, cluster, workers, progress: see `sims.run.tasks.run_tasks`; results stay in memory without a store.
    """
    plane = Plane(*HEADLINE_PLANE["default"]) if plane is None else plane
    made = tasks(plane, seeds, root_seed, leave=leave, backend=backend, dtype=dtype)
    kept = Kept([task.key for task in made], SHAPE) if store is None else store
    values = run_tasks(compute, made, kept, cluster=cluster, workers=workers, progress=progress)
    data = dataset(values, plane, made, seeds, root_seed, workers=workers)
    return Phase(data, *judge_plane(data, plane))


def summary(data: xr.Dataset) -> list[str]:
    """What was computed, in sentences."""
    fates = [int((data.fate == k).sum()) for k in range(len(FATES))]
    counts = ", ".join(f"{count} {name}" for count, name in zip(fates, ("at the horizon", *FATES[1:]), strict=True))
    found = [f"Cells: {counts}; {float(data.iterations.sum()):.3g} iterations."]
    if "clock" in data:
        found.append(
            "ηT₁ of the median small-margin sample under GD, by seed: "
            + ", ".join(f"{t:.0f}" for t in data.clock.values)
        )
    return found
