"""Momentum learns the feature where GD memorizes noise: the central theorem, watched on the two-layer cubic CNN.

GD and GD+M (momentum) train from the same data and weights. Two experiments:

- ``trajectory``: GD (η = 0.1) and GD+M (η = 0.1, γ = 0.999) for 40 000 iterations on `HEADLINE`;
- ``learning_rates``: GD at three more learning rates, and GD+M, for 11 500 iterations, on the first five seeds
  (with ``--level`` on all).

Every claim about trajectories is judged on one of them, each with its negative control.
"""

from __future__ import annotations

__all__ = ["COLUMNS", "STUDY", "Settings"]

import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from lemmascope.sims.cubic_cnn.backends.auto import resolve
from lemmascope.sims.cubic_cnn.controls import CONTROLS
from lemmascope.sims.cubic_cnn.evidence import family, runs
from lemmascope.sims.rounds import ends
from lemmascope.sims.study import Axes, Data, Experiment, Result, Study, Task, option
from lemmascope.sims.tables import Table, number
from lemmascope.theory.claim import Evidence
from lemmascope.theory.cubic_cnn.claims import TRAJECTORY
from lemmascope.theory.cubic_cnn.claims.cross_terms import many_dimensions
from lemmascope.theory.cubic_cnn.claims.readings import CHANCE, GENERALIZES
from lemmascope.theory.cubic_cnn.parameters import HEADLINE, Parameters
from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.optimizers import GD, MomentumAverage, Optimizer
from lemmascope.theory.sequential import Plan
from lemmascope.theory.verdict import Status

if TYPE_CHECKING:
    from lemmascope.sims.cubic_cnn.cost import Cost

CERTIFIED = 1.5
"""What a certified run costs, over one that is not, as measured."""

RATE_SEEDS = 5  # the least number that can hold with high probability
SMALL = Parameters(
    d=150, N=60, P=2, m=12, alpha=4.0, beta=0.2, mu=0.2, sigma=2 / math.sqrt(150), sigma_0=0.35 / math.sqrt(150)
)
"""A law small enough for a look, on which both sides of the theorem are seen too."""


@dataclass(frozen=True)
class Settings:
    """What the study is run with."""

    seeds: int = option(8, "Data sets and initial weights to draw; 5 or more; at most, with --level.", tiny=5, full=220)
    level: float | None = option(
        None,
        "Draw until it is decided at 95 % of each claim whether p ≥ this over the draws, at 9 s of a core each.",
        full=0.95,
    )
    iterations: int = option(40_000, "Steps of GD and GD+M.", tiny=6000, quick=6000)
    rate_iterations: int = option(11_500, "Steps at the other learning rates.", tiny=4000, quick=4000)
    eta: float = option(0.1, "Learning rate of GD and GD+M.")
    gamma: float = option(0.999, "Momentum of GD+M.")
    rates: tuple[float, ...] = option(
        (0.2, 0.3, 0.45), "Other learning rates of GD.", tiny=(0.1, 0.2, 0.3, 0.45), quick=(0.1, 0.2, 0.3, 0.45)
    )
    parameters: Parameters = option(HEADLINE, "Data law and network.", tiny=SMALL, quick=SMALL)
    certify: bool = option(
        False, "Certify verdicts in exact arithmetic, for half as much time again; in double precision."
    )
    batch: int = option(1, "Seeds a part; more for a GPU, which takes them together.")

    def __post_init__(self) -> None:
        if check_size("seeds", self.seeds) < RATE_SEEDS:
            raise InputError("seeds", self.seeds, "5 or more are needed for a verdict with high probability")
        sequential(self)
        for name in ("iterations", "rate_iterations", "batch"):
            check_size(name, getattr(self, name))
        check_number("eta", self.eta, 0, open_low=True)
        check_number("gamma", self.gamma, 0, 1, open_high=True)
        for rate in self.rates:
            check_number("rates", rate, 0, open_low=True)
        if len(set(self.rates)) < len(self.rates) or not self.rates:
            raise InputError("rates", self.rates, "give one learning rate or more, all different")


def sequential(settings: Settings) -> Plan | None:
    """The sequential test of each claim, where a level is asked for."""
    return None if settings.level is None else Plan(settings.level, settings.seeds)


def optimizers(settings: Settings, experiment: str) -> dict[str, Optimizer]:
    """The optimizers of an experiment, by label."""
    momentum = MomentumAverage(settings.eta, settings.gamma)
    if experiment == "trajectory":
        return {"GD": GD(settings.eta), "GD+M": momentum}
    return {**{f"GD {eta:g}": GD(eta) for eta in settings.rates}, "GD+M": momentum}


def _seeds(settings: Settings, most: int) -> list[Any]:
    """Seeds one by one, or ranges of them within a round; at most so many where no level is to be decided."""
    plan, batch = sequential(settings), settings.batch
    last = [min(settings.seeds, most)] if plan is None else ends(plan)
    if batch == 1:
        return list(range(last[-1]))
    each = itertools.pairwise([0, *last])
    return [range(i, min(i + batch, end)) for first, end in each for i in range(first, end, batch)]


def simulated(task: Task[Settings]) -> xr.Dataset:
    """The trajectories of one seed, or of a range of them."""
    from lemmascope.sims.cubic_cnn.simulate import simulate
    from lemmascope.sims.schedule import Logarithmic

    s, at = task.settings, task.at["seed"]
    seeds = at if isinstance(at, range) else range(at, at + 1)
    whole = task.experiment == "trajectory"
    return simulate(
        s.parameters,
        optimizers(s, task.experiment),
        iterations=s.iterations if whole else s.rate_iterations,
        seeds=len(seeds),
        first_seed=seeds[0],
        root_seed=task.root_seed,
        study=task.study,
        record=Logarithmic(120 if whole else 20),
        audit=whole,
        certify=s.certify,
        workers=1,
        backend=task.backend,
        dtype=task.dtype,
    )


def _at(settings: Settings, experiment: str, at: Mapping[str, Any]) -> tuple[int, int, Cost]:
    """Seeds and iterations of a task, and what one seed costs in the cheaper representation."""
    from lemmascope.sims.cubic_cnn.cost import costs
    from lemmascope.sims.cubic_cnn.problems import LawProblem

    problem, whole = LawProblem(settings.parameters), experiment == "trajectory"
    found = costs(problem, len(optimizers(settings, experiment)) * problem.m, audit=whole)
    seeds = len(at["seed"]) if isinstance(at["seed"], range) else 1
    iterations = settings.iterations if whole else settings.rate_iterations
    return seeds, iterations, min(found.values(), key=lambda one: one.equivalent)


def cost(experiment: str) -> Callable[[Settings, Mapping[str, Any]], float]:
    """What a task takes, in operations."""

    def of(settings: Settings, at: Mapping[str, Any]) -> float:
        seeds, iterations, one = _at(settings, experiment, at)
        return seeds * (one.once + iterations * one.equivalent) * (CERTIFIED if settings.certify else 1)

    return of


def needs(experiment: str) -> Callable[[Settings, Mapping[str, Any]], tuple[float, float]]:
    """What a task needs in memory, and its part on the disc, as measured."""

    def of(settings: Settings, at: Mapping[str, Any]) -> tuple[float, float]:
        seeds, _, one = _at(settings, experiment, at)
        return seeds * one.memory, seeds * (1e5 if experiment == "trajectory" else 4e4)

    return of


def evidence(settings: Settings, data: Data) -> Sequence[Evidence]:
    """GD and GD+M, and the grid of learning rates as a family."""
    return [*runs(data["trajectory"]), family(data["learning_rates"])]


COLUMNS = {"training loss": None, "large margin": "large", "small margin": "small"}


@dataclass(frozen=True)
class Cell:
    """One cell of the talk's table: the final accuracy over seeds.

    Attributes:
        accuracy: median over seeds; low, high: smallest and largest, which is an interval for the median of
            confidence 1 − 2^{1−n}.
        passed: seeds that reach 1 (training) or 0.99 (test); seeds: how many there are.
        loss: median training loss, in the first column.
    """

    accuracy: float
    low: float
    high: float
    passed: int
    seeds: int
    loss: float | None = None

    @property
    def mark(self) -> str:
        """✓ if most seeds pass, else ✗."""
        return "✓" if 2 * self.passed > self.seeds else "✗"

    @property
    def text(self) -> str:
        """For a terminal."""
        text = f"{self.mark} {self.accuracy:.3f} [{self.low:.3f}, {self.high:.3f}]  {self.passed}/{self.seeds}"
        return text if self.loss is None else f"{text}\n  loss {self.loss:.1e}"

    @property
    def values(self) -> dict[str, Any]:
        """As JSON."""
        named = ("accuracy", "low", "high", "passed", "seeds", "loss")
        return {name: getattr(self, name) for name in named} | {"mark": self.mark}


def talk_table(trajectory: xr.Dataset) -> dict[str, dict[str, Cell]]:
    """The talk's table, measured at the last iteration: optimizer → column → `Cell`."""
    final = trajectory.isel(iteration=-1)
    table: dict[str, dict[str, Cell]] = {}
    for name in trajectory.optimizer.values:
        at = final.sel(optimizer=name)
        small = at.small_count
        N = json.loads(trajectory.attrs["sizes"])["N"]
        weight = xr.concat([N - small, small], dim="margin") / N
        train = (at.train_accuracy.fillna(0).transpose("margin", "seed").values * weight.values).sum(axis=0)
        row: dict[str, Cell] = {}
        for column, margin in COLUMNS.items():
            values = train if margin is None else at.test_accuracy.sel(margin=margin).values
            good = values >= (1.0 if margin is None else GENERALIZES)
            row[column] = Cell(
                accuracy=float(np.median(values)),
                low=float(values.min()),
                high=float(values.max()),
                passed=int(good.sum()),
                seeds=len(values),
                loss=float(at.loss.sum("margin").median()) if margin is None else None,
            )
        table[str(name)] = row
    return table


def tables(result: Result[Settings]) -> Sequence[Table]:
    """The talk's table."""
    found = talk_table(result.data["trajectory"])
    seeds, T = result.data["trajectory"].sizes["seed"], result.settings.iterations
    return [
        Table(
            name="talk",
            title="The talk's table, measured",
            columns=["", *COLUMNS],
            rows=[[name, *(cell.text for cell in row.values())] for name, row in found.items()],
            caption=(
                f"Accuracy after {T} iterations: median over {seeds} seeds [smallest, largest], seeds that pass. ✓: "
                f"training accuracy 1, test accuracy ≥ {GENERALIZES}. [smallest, largest] covers the median with "
                f"probability {1 - 2 ** (1 - seeds):.3f}."
            ),
            values={name: {column: cell.values for column, cell in row.items()} for name, row in found.items()},
        )
    ]


def summary(result: Result[Settings]) -> Sequence[str]:
    """What the run shows, in sentences made from its numbers, and how it was carried out."""
    from lemmascope.sims.cubic_cnn.trajectory import advice

    run = result.data["trajectory"]
    how = (
        f"{run.attrs['representation']} space: {run.attrs['representation_reason']}; backend {run.attrs['backend']}: "
        f"{run.attrs['backend_reason']}."
    )
    return [*advice(run), *meaning(run), how]


def meaning(trajectory: xr.Dataset) -> list[str]:
    """What a run with "GD" and "GD+M" on the law shows."""
    p, table = json.loads(trajectory.attrs["parameters"]), talk_table(trajectory)
    final, start = trajectory.isel(iteration=-1), trajectory.isel(iteration=0)

    def median(x: xr.DataArray) -> str:
        return number(float(x.median("seed")))

    found = []
    for name in ("GD", "GD+M"):
        at, small = final.sel(optimizer=name), final.sel(optimizer=name, margin="small")
        grown = small.Xi_abs_max / start.sel(optimizer=name, margin="small").Xi_abs_max
        found.append(
            f"{name}: the feature reaches c = {median(at.c.max('neuron'))} "
            f"(1/α = {number(1 / p['alpha'])}, 1/β = {number(1 / p['beta'])}), the noise of the small-margin samples "
            f"is amplified {median(grown)} times, and {_ending(table[name])}."
        )
    return found


def _ending(row: dict[str, Cell]) -> str:
    fits = "the training set is fitted" if row["training loss"].mark == "✓" else "the training set is not fitted"
    small = row["small margin"]
    if small.accuracy >= GENERALIZES:
        return f"{fits}: by the feature, so fresh small-margin data are classified ({small.accuracy:.2f})"
    guess = "by chance" if small.accuracy <= CHANCE else "partly"
    return f"{fits}: by memorized noise, so fresh small-margin data are classified {guess} ({small.accuracy:.2f})"


def expected(settings: Settings) -> Mapping[str, Status]:
    """n = 400 patches in d = 500 dimensions is far from n ≪ √d, where cross terms are small."""
    if many_dimensions(settings.parameters):
        return {}
    return {"lemma.cross_terms_small": Status.NOT_APPLICABLE}


AXES: Mapping[str, Callable[[Settings], Axes]] = {
    "trajectory": lambda s: {"seed": _seeds(s, s.seeds)},
    "learning_rates": lambda s: {"seed": _seeds(s, RATE_SEEDS)},
}

STUDY = Study(
    name="headline",
    subject="cubic_cnn",
    message=(
        "GD learns the feature from the large-margin data, stalls, and fits the small-margin data by memorizing their "
        "noise. GD with momentum keeps learning the feature from its historical gradients, and generalizes on both."
    ),
    settings=Settings,
    experiments={name: Experiment(axes, simulated, cost(name), needs=needs(name)) for name, axes in AXES.items()},
    evidence=evidence,
    claims=TRAJECTORY,
    controls=CONTROLS,
    expected=expected,
    sequential=sequential,
    adds=("certify",),
    tables=tables,
    summary=summary,
    examples=(
        "lemmascope reproduce",
        "lemmascope headline --quick",
        "lemmascope headline --certify --out results/certified",
        "lemmascope headline --root-seed 1 --out results/another-root",
        "lemmascope headline --seeds 20 --out results/more-seeds",
        "lemmascope headline --level 0.95 --seeds 220 --out results/decided",
        "lemmascope headline --dtype float32 --out results/single",
    ),
    seconds=60,
    dtypes=("float64", "float32"),
    backends=("auto", "numpy", "compiled", "cupy"),
    resolve=resolve,
)
