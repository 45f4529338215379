"""Where in the plane of learning rate and momentum GD fails, where momentum rescues it, and the lines that predict it.

By default the plane of the learning rate η and of 1 − γ on `HEADLINE`, γ = 0 (plain GD) being its last row. All cells
of a seed with the same data are stacked (`sims.cubic_cnn.stack`), in blocks of at most `BLOCK` with neighbouring η; a
block is a part of its own. Any two of η, γ and the parameters of the law span a plane; lines are predicted, and claims
judged, on the (η, 1 − γ) plane.
"""

from __future__ import annotations

__all__ = ["STUDY", "Axis", "Settings", "blocks"]

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import xarray as xr

from lemmascope.sims import stopping
from lemmascope.sims.cubic_cnn.backends.auto import resolve
from lemmascope.sims.seeds import streams
from lemmascope.sims.study import Data, Experiment, Result, Study, Task, option
from lemmascope.theory.claim import Evidence
from lemmascope.theory.cubic_cnn import AXES
from lemmascope.theory.cubic_cnn.boundaries import feature_share
from lemmascope.theory.cubic_cnn.claims import PHASE
from lemmascope.theory.cubic_cnn.claims.phase import SIDE, plane_of, raced
from lemmascope.theory.cubic_cnn.parameters import HEADLINE, Parameters
from lemmascope.theory.cubic_cnn.predictions import MEMORIZATION_THRESHOLD, memorization_clock, overshoot_rate
from lemmascope.theory.errors import InputError, check_number, check_size

BACKENDS = ("auto", "numpy", "compiled")
BLOCK = 16
REACH = 4000.0
"""Last iteration of a cell: ηT = 4000, HEADLINE's own, some three times what memorizing takes …"""

COAST = 5.0
"""… but no less than this many times 1/(1 − γ), in which the velocity is spent."""

MOST = 1000
"""Cells a side at most."""

WHOLE = ("N", "m", "P", "d")
SPANS = {"eta": (0.0125, 64.0), "gamma": (1e-4, 1.0), "mu": (0.05, 0.8)}
SMALL = Parameters(
    d=100, N=40, P=2, m=6, alpha=4.0, beta=0.2, mu=0.25, sigma=2 / math.sqrt(100), sigma_0=0.5 / math.sqrt(100)
)


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
        if check_size("cells", count, 2) > MOST:
            raise InputError("cells", count, f"it must be at most {MOST}")
        check_number(f"axis {name}: from", low, 0, open_low=True)
        check_number(f"axis {name}: to", high, low, open_low=True)
        values = np.geomspace(low, high, count)
        if name in WHOLE:
            values = np.unique(np.rint(values))
        return cls(name, tuple(float(x) for x in values))


@dataclass(frozen=True)
class Settings:
    """What the study is run with."""

    x: str = option("eta", "Horizontal axis: eta, gamma, alpha, beta, mu, sigma, sigma_0, N, m, P, d.")
    y: str = option("gamma", "Vertical axis; gamma is drawn as 1 − γ.")
    x_range: tuple[float, float] | None = option(None, "From and to (of 1 − γ for gamma).")
    y_range: tuple[float, float] | None = option(None, "From and to.")
    cells: int = option(16, "Cells a side.", tiny=8, quick=8, full=32)
    seeds: int = option(3, "Draws of data and weights.", tiny=2, quick=2, full=10)
    eta: float = option(0.1, "Learning rate, where it is no axis.")
    gamma: float = option(0.999, "Momentum, where it is no axis.")
    parameters: Parameters = option(HEADLINE, "Data law and network, where they are no axis.", tiny=SMALL, quick=SMALL)
    stay: bool = option(False, "Let no cell leave the stack before its last iteration.")

    def __post_init__(self) -> None:
        if self.x == self.y:
            raise InputError("axes", self.x, "they must be two different ones")
        check_size("seeds", self.seeds)
        check_number("eta", self.eta, 0, open_low=True)
        check_number("gamma", self.gamma, 0, 1, open_high=True)
        for j in (0, -1):  # the corners: what may be is monotone in every parameter
            for i in (0, -1):
                self.cell(j, i)

    def _axis(self, name: str, span: tuple[float, float] | None) -> Axis:
        if name not in AXES:
            raise InputError("axis", name, f"it must be one of {', '.join(AXES)}")
        if span is None:
            middle = float(getattr(self.parameters, name, 1.0))
            span = SPANS.get(name, (middle / 4, middle * 4))
            if name in ("N", "m", "P"):
                span = max(2.0, span[0]), span[1]
            if name == "d":
                span = float(self.parameters.n + 1), max(1e6, 4 * middle)
        return Axis.spaced(name, *span, self.cells)

    @cached_property
    def axes(self) -> tuple[Axis, Axis]:
        """The vertical and the horizontal one."""
        return self._axis(self.y, self.y_range), self._axis(self.x, self.x_range)

    @property
    def of_the_optimizer(self) -> bool:
        """Whether it is the (η, 1 − γ) plane, for which lines are predicted."""
        return (self.x, self.y) == ("eta", "gamma")

    def cell(self, j: int, i: int) -> tuple[Parameters, float, float]:
        """Parameters, η and γ of the cell in row j and column i."""
        y, x = self.axes
        values = {y.name: y.values[j], x.name: x.values[i]}
        eta = values.pop("eta", self.eta)
        gamma = 1 - values.pop("gamma") if "gamma" in values else self.gamma
        changes: dict[str, Any] = {name: int(value) if name in WHOLE else value for name, value in values.items()}
        return (dataclasses.replace(self.parameters, **changes) if changes else self.parameters), eta, gamma


@dataclass(frozen=True)
class Block:
    """Some cells with the same data: their law, (η, γ) of each, and their (row, column)."""

    parameters: Parameters
    cells: tuple[tuple[float, float], ...]
    places: tuple[tuple[int, int], ...]

    @property
    def last(self) -> list[int]:
        """The last iteration of each cell."""
        return [math.ceil(max(REACH / eta, COAST / (1 - gamma))) for eta, gamma in self.cells]

    @cached_property
    def cost(self) -> float:
        """Operations, if no cell leaves."""
        return 2.0 * self.parameters.n**2 * self.parameters.m * sum(self.last)


@lru_cache(maxsize=8)
def blocks(settings: Settings) -> tuple[Block, ...]:
    """The cells of one seed, cut into blocks."""
    rows, columns = (len(axis.values) for axis in settings.axes)
    by_data: dict[Parameters, list[tuple[float, float, int, int]]] = {}
    for j in range(rows):
        for i in range(columns):
            parameters, eta, gamma = settings.cell(j, i)
            by_data.setdefault(parameters, []).append((eta, gamma, j, i))
    found = []
    for parameters, cells in by_data.items():
        ordered = sorted(cells)  # neighbours in η end at about the same iteration
        for first in range(0, len(ordered), BLOCK):
            some = ordered[first : first + BLOCK]
            pairs, places = tuple((eta, gamma) for eta, gamma, _, _ in some), tuple((j, i) for _, _, j, i in some)
            found.append(Block(parameters, pairs, places))
    return tuple(found)


def _law(p: Parameters) -> str:
    return "exact" if p.d - 1 >= p.n else "samples"


def _draw(p: Parameters, task: Task[Settings]) -> Any:
    from lemmascope.sims.cubic_cnn.problems import LawProblem

    return LawProblem(p, _law(p)).draw(streams(task.root_seed, task.study, task.at["seed"])).projection()


def measured(task: Task[Settings]) -> xr.Dataset:
    """The cells of one block on one seed: (cell,) `MEASURED`, with their places."""
    from lemmascope.sims.cubic_cnn.stack import MEASURED, CellStack

    block = blocks(task.settings)[task.at["block"]]
    rng = streams(task.root_seed, task.study, task.at["seed"])
    drawn = _draw(block.parameters, task)
    stack = CellStack(drawn, block.parameters, rng, backend=task.backend, dtype=task.dtype)
    found = stack.run(block.cells, block.last, leave=not task.settings.stay, stopped=stopping.stopped)
    rows, columns = np.array(block.places).T
    return xr.Dataset(
        {name: ("cell", found[:, k], {"long_name": text}) for k, (name, text) in enumerate(MEASURED.items())},
        {"row": ("cell", rows), "column": ("cell", columns)},
    )


def plane(tasks: Sequence[Task[Settings]], parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """(seed, y, x) variables from the blocks."""
    s = tasks[0].settings
    y, x = s.axes
    shape = s.seeds, len(y.values), len(x.values)
    data = {}
    for name, variable in parts[0].data_vars.items():
        whole = np.full(shape, np.nan)
        for task, part in zip(tasks, parts, strict=True):
            whole[task.at["seed"], part.row.values, part.column.values] = part[name].values
        data[name] = (("seed", "y", "x"), whole, variable.attrs)
    coords = {
        "seed": np.arange(s.seeds),
        "y": ("y", list(y.values), {"axis": y.name, "symbol": AXES[y.name].symbol}),
        "x": ("x", list(x.values), {"axis": x.name, "symbol": AXES[x.name].symbol}),
    }
    attrs = {"parameters": json.dumps(s.parameters.to_dict()), "eta": s.eta, "gamma": s.gamma, "x": x.name, "y": y.name}
    return xr.Dataset(data, coords, attrs)


def lines(task: Task[Settings]) -> xr.Dataset:
    """What the lines of a seed are made of: ``clock``, ``c_0``, ``share``, and ``two_body`` (y, x).

    ``two_body`` is the feature's share of the margin in the two-body race
    (`theory.cubic_cnn.boundaries.feature_share`). They are in double precision whatever the task's dtype, which is that
    of the cells: the clock is a time, on which every line depends.
    """
    s, p = task.settings, task.settings.parameters
    y, x = s.axes
    clock = _clock(task)
    eta, gap = (a.ravel() for a in np.meshgrid(x.values, y.values))
    drawn = _draw(p, task)
    share = float(np.mean(drawn.small))
    two_body = np.full(eta.shape, np.nan)
    if math.isfinite(clock):
        longest = np.maximum(REACH / eta, COAST / gap)
        with np.errstate(all="ignore"):
            two_body = feature_share(p, drawn.c_0, share, eta, 1 - gap, clock, longest)
    return xr.Dataset(
        {
            "clock": ((), clock, {"long_name": "ηT₁ of the median small-margin sample under GD"}),
            "c_0": ("neuron", drawn.c_0, {"long_name": "initial coefficients"}),
            "share": ((), share, {"long_name": "share of small margins as drawn"}),
            "two_body": (
                ("y", "x"),
                two_body.reshape(len(y.values), len(x.values)),
                {"long_name": "the feature's share of the margin in the two-body race"},
            ),
        }
    )


def _clock(task: Task[Settings]) -> float:
    """ηT₁ of the median small-margin sample under GD, in η·iterations; NaN where it is not memorized.

    Measured at a fifth of the overshoot rate, where steps are small, and interpolated between recorded iterations.
    """
    from lemmascope.sims.cubic_cnn.problems import LawProblem
    from lemmascope.sims.cubic_cnn.simulate import simulate
    from lemmascope.sims.schedule import Logarithmic
    from lemmascope.theory.optimizers import GD

    p = task.settings.parameters
    eta = _clock_rate(p)
    run = simulate(
        LawProblem(p, _law(p)),
        {"GD": GD(eta)},
        iterations=math.ceil(REACH / eta),
        seeds=1,
        first_seed=task.at["seed"],
        root_seed=task.root_seed,
        study=task.study,
        record=Logarithmic(300),
        audit=False,
        backend=task.backend,
        workers=1,
    )
    median = run.memorization_median.sel(margin="small").isel(seed=0, optimizer=0).values
    times, after = run.iteration.values, np.flatnonzero(median >= MEMORIZATION_THRESHOLD)
    if not after.size or after[0] == 0:
        return math.nan
    k = int(after[0])
    share = (MEMORIZATION_THRESHOLD - median[k - 1]) / (median[k] - median[k - 1])
    return eta * float(times[k - 1] + share * (times[k] - times[k - 1]))


def _clock_rate(p: Parameters) -> float:
    return min(0.1, overshoot_rate(p) / 5)


def _lines_cost(settings: Settings, at: Mapping[str, Any]) -> float:
    """Operations of the clock, and of the race on a core that does some 10⁹ of its kind a second."""
    p, (y, x) = settings.parameters, settings.axes
    race = max(REACH / x.values[0], COAST / y.values[0]) * len(y.values) * len(x.values) * p.m * 100
    return 2.0 * p.n**2 * p.m * REACH / _clock_rate(p) + race


def _cells_needs(settings: Settings, at: Mapping[str, Any]) -> tuple[float, float]:
    """K twice and what it is packed into, some arrays of the block's coefficients; and its part, as measured."""
    block = blocks(settings)[at["block"]]
    p, cells = block.parameters, len(block.cells)
    return 24.0 * p.n**2 + 12 * 8 * p.n * p.m * cells, 5000 + 100.0 * cells


def _lines_needs(settings: Settings, at: Mapping[str, Any]) -> tuple[float, float]:
    """The draw of the clock, and the race of every cell; its part has a number for each."""
    cells = math.prod(len(axis.values) for axis in settings.axes)
    return 32.0 * settings.parameters.n**2 + 100 * settings.parameters.m * cells, 3000 + 8.0 * cells


def undecided(settings: Settings) -> Mapping[str, str]:
    """Everything on a plane without lines; both races on a coarse one; the race law where the coast goes too far."""
    if not settings.of_the_optimizer:
        return {claim.id: "no line is predicted for this plane; --x eta --y gamma decides" for claim in PHASE}
    found: dict[str, str] = {}
    if settings.cells < SIDE:
        why = f"{settings.cells} cells a side are too coarse for 9 of 10; --cells {SIDE} decides"
        found = {"boundary.race": why, "boundary.two_body": why}
    if not raced(settings.parameters, memorization_clock(settings.parameters)):
        found["boundary.race"] = "on this law the coast goes more than a third of the way; a larger --beta decides"
    return found


def derive(settings: Settings, data: Data) -> Data:
    """Cells and lines in one data set."""
    found = data["cells"]
    if "lines" in data:
        found = found.assign(data["lines"].drop_vars("seed").data_vars)
    return {"phase": found}


def evidence(settings: Settings, data: Data) -> Sequence[Evidence]:
    """The (η, 1 − γ) plane; no line is predicted for others."""
    if not settings.of_the_optimizer:
        return []
    return [plane_of(data["phase"], settings.parameters)]


def summary(result: Result[Settings]) -> Sequence[str]:
    """What was computed, in sentences."""
    from lemmascope.sims.cubic_cnn.stack import FATES

    data = result.data["phase"]
    fates = [int((data.fate == k).sum()) for k in range(len(FATES))]
    counts = ", ".join(f"{count} {name}" for count, name in zip(fates, ("at the horizon", *FATES[1:]), strict=True))
    found = [f"Cells: {counts}; {float(data.iterations.sum()):.3g} iterations."]
    if "clock" in data:
        times = ", ".join(f"{t:.0f}" for t in data.clock.values)
        found.append(f"ηT₁ of the median small-margin sample under GD, by seed: {times}")
    else:
        found.append("No line is predicted for this plane, and no verdict given.")
    return found


STUDY = Study(
    name="phase",
    subject="cubic_cnn",
    message=(
        "Whether small-margin data are learnt is a race: after the large-margin data are fitted, momentum coasts "
        "√(2ηL₁(0)/(1 − γ)), and from there the feature must outrun memorization. Plain GD learns them only far above "
        "1/(4αβ), where one step jumps."
    ),
    settings=Settings,
    experiments={
        "cells": Experiment(
            lambda s: {"seed": range(s.seeds), "block": range(len(blocks(s)))},
            measured,
            lambda s, at: blocks(s)[at["block"]].cost,
            plane,
            needs=_cells_needs,
        ),
        "lines": Experiment(
            lambda s: {"seed": range(s.seeds)},
            lines,
            _lines_cost,
            when=lambda s: s.of_the_optimizer,
            needs=_lines_needs,
        ),
    },
    derive=derive,
    evidence=evidence,
    claims=PHASE,
    undecided=undecided,
    summary=summary,
    examples=(
        "lemmascope phase --quick",
        "lemmascope phase",
        "lemmascope phase --full --cluster tcp://scheduler:8786",
        "lemmascope phase --x mu --y beta --cells 8 --out results/mu-beta",
        "lemmascope phase --resume",
    ),
    seconds=430,
    dtypes=("float64", "float32"),
    backends=BACKENDS,
    resolve=lambda backend: resolve(backend, BACKENDS),
)
