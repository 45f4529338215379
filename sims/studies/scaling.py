"""How hitting times and final coefficients grow with the dimension, from 10³ to 10¹², against the predicted exponents.

For each d and seed GD and GD+M run from the same draw of (K, Ξ₀, c₀) by the exact law, in the configuration
`theory.cubic_cnn.scaling.point`, for as many iterations as memorizing takes, 10⁷ to 10¹⁹: by fast-forward where that
is more than `EXACT` of them. The same is done for a deliberately wrong scaling, the negative control. Fast-forward
itself is held to exact steps on the smallest dimension.
"""

from __future__ import annotations

__all__ = ["DIMENSIONS", "QUANTITIES", "STUDY", "Settings", "samples"]

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from lemmascope.sims.cubic_cnn.backends.auto import resolve
from lemmascope.sims.slopes import fit_slopes
from lemmascope.sims.study import Data, Experiment, Result, Study, Task, grid, option
from lemmascope.theory.claim import Evidence
from lemmascope.theory.cubic_cnn.claims import SCALING
from lemmascope.theory.cubic_cnn.claims.scaling import EXPONENTS, FAST_FORWARD
from lemmascope.theory.cubic_cnn.scaling import LOOSE, PAPER, VALIDATED, WRONG, point
from lemmascope.theory.errors import InputError, check_size
from lemmascope.theory.order import log_allowance

DIMENSIONS = tuple(10**k for k in range(3, 13))
TOLERANCE = 1e-10
VALIDATING = 3
"""Seeds on which fast-forward is held to exact steps."""

EXACT = 10**5
"""Iterations up to which exact steps are taken."""

SCALINGS = {"paper": PAPER, "wrong": WRONG}
OPTIMIZERS = ("GD", "GD+M")
QUANTITIES = {
    "T_0": "first iteration with max c ≥ 1/(2α)",
    "T_1": "first iteration with y Σ Ξ³ ≥ 1/2 on all small-margin samples",
    "c_max": "max_r c_r(T)",
    "Xi_abs_max": "max |Ξ(T)|",
    "small": "test accuracy on small-margin data",
    "large": "test accuracy on large-margin data",
    "iterations": "T",
    "gradients": "gradients evaluated",
    "exact_steps": "iterations computed one by one",
}


@dataclass(frozen=True)
class Settings:
    """What the study is run with."""

    dimensions: tuple[int, ...] = option(
        DIMENSIONS,
        "Dimensions d, five or more, up to 1e12.",
        tiny=(10**3, 10**4, 10**5, 10**6, 10**12),
        quick=(10**3, 10**5, 10**7, 10**9, 10**12),
    )
    seeds: int = option(20, "Draws at each dimension; 15 or more for a verdict.", tiny=2, quick=4, full=100)
    N: int = option(40, "Samples.", tiny=8)
    exact: bool = option(False, "Compute every iteration; takes days beyond d = 1e4.")

    def __post_init__(self) -> None:
        d = self.dimensions
        if len(d) < 5 or list(d) != sorted(set(d)) or d[0] < 100:
            raise InputError("dimensions", d, "give five or more, increasing, from 100 on")
        if d[-1] > 10**12:
            raise InputError("dimensions", d, "at most 1e12: beyond it 1 − γ is lost in the rounding of γ")
        if check_size("seeds", self.seeds) < 2:
            raise InputError("seeds", self.seeds, "2 or more are needed for an interval")
        check_size("N", self.N, 5)


def _run(task: Task[Settings], name: str, d: int, iterations: int, tolerance: float | None) -> xr.Dataset:
    """One draw at one dimension, its streams keyed by scaling, dimension and seed; exact steps without a tolerance.

    Fast-forward has a backend of its own; exact steps are taken on the task's.
    """
    from lemmascope.sims.cubic_cnn.problems import LawProblem
    from lemmascope.sims.cubic_cnn.simulate import simulate
    from lemmascope.sims.schedule import Logarithmic
    from lemmascope.theory.optimizers import GD, MomentumAverage

    at = point(d, SCALINGS[name], N=task.settings.N)
    return simulate(
        LawProblem(at.parameters, "exact"),
        {"GD": GD(at.eta), "GD+M": MomentumAverage(at.eta, at.gamma)},
        iterations=iterations,
        root_seed=task.root_seed,
        study=f"scaling {name} d={d} seed={task.at['seed']}",
        record=Logarithmic(2),
        audit=False,
        dtype=task.dtype,
        backend=task.backend if tolerance is None else "auto",
        workers=1,
        fast_forward=tolerance,
    )


def draw(task: Task[Settings]) -> xr.Dataset:
    """(optimizer,) `QUANTITIES` of one draw."""
    name, d = task.at["scaling"], task.at["d"]
    iterations = point(d, SCALINGS[name], N=task.settings.N).iterations
    fast = not task.settings.exact and iterations > EXACT
    run = _run(task, name, d, iterations, TOLERANCE if fast else None).isel(seed=0)
    final = run.isel(iteration=-1)
    T = float(run.iteration[-1])
    found = {
        "T_0": run.T_0,
        "T_1": run.T_1,
        "c_max": final.c.max("neuron"),
        "Xi_abs_max": final.Xi_abs_max.max("margin"),
        "small": final.test_accuracy.sel(margin="small"),
        "large": final.test_accuracy.sel(margin="large"),
        "iterations": T,
        "gradients": run.get("gradients", T),
        "exact_steps": run.get("exact_steps", T),
    }
    columns = {
        name: ("optimizer", np.broadcast_to(np.asarray(found[name], dtype=float), len(OPTIMIZERS)), {"long_name": text})
        for name, text in QUANTITIES.items()
    }
    return xr.Dataset(columns, {"optimizer": list(OPTIMIZERS)})


def gathered(tasks: Sequence[Task[Settings]], parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """(scaling, d, seed, optimizer) variables, with η, γ and α, β by scaling and d."""
    found, N = grid(tasks, parts), tasks[0].settings.N
    points = [[point(int(d), SCALINGS[str(name)], N=N) for d in found.d.values] for name in found.scaling.values]
    read = {
        "eta": lambda at: at.eta,
        "gamma": lambda at: at.gamma,
        "alpha": lambda at: at.parameters.alpha,
        "beta": lambda at: at.parameters.beta,
    }
    by_point = {
        name: (("scaling", "d"), np.array([[of(at) for at in row] for row in points])) for name, of in read.items()
    }
    return found.assign(by_point).assign_coords(d=found.d.astype(float)).assign_attrs(tolerance=TOLERANCE)


def differences(task: Task[Settings]) -> xr.Dataset:
    """Fast-forward against exact steps on one draw of the smallest dimension: the largest relative difference of each
    quantity, with windows held tightly, as they are in the study, and loosely."""
    d = task.settings.dimensions[0]
    exact = _run(task, "paper", d, VALIDATED, None)
    found = {}
    for held, tolerance in (("tight", TOLERANCE), ("loose", LOOSE)):
        fast = _run(task, "paper", d, VALIDATED, tolerance)
        found[held] = [_apart(exact[x].values, fast[x].values) for x in ("T_0", "T_1", "c", "Xi_abs_max")]
    return xr.Dataset(
        {"difference": (("held", "quantity"), np.array(list(found.values())))},
        {"held": list(found), "quantity": ["T_0", "T_1", "c", "Xi"]},
    )


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.where(same, 0.0, np.abs(a - b) / np.abs(a))
    return float(np.max(np.where(np.isnan(gap), np.inf, gap)))


def samples(data: xr.Dataset, optimizer: str, scaling: str) -> xr.Dataset:
    """(d, seed) what is fitted: times in η·iterations, coefficients as they are."""
    one = data.sel(scaling=scaling, optimizer=optimizer, drop=True)
    return one.assign(T_0=one.T_0 * one.eta, T_1=one.T_1 * one.eta)


def evidence(settings: Settings, data: Data) -> Sequence[Evidence]:
    """The slopes of GD and of GD+M, each with those of the wrong scaling beside them, and fast-forward's agreement."""
    found, root = data["scaling"], int(data["scaling"].attrs.get("root_seed", 0))
    made = [Evidence(data["fast_forward"], "GD and GD+M", role=FAST_FORWARD)]
    for optimizer, role in (("GD", "gd"), ("GD+M", "momentum")):
        paper, wrong = (samples(found, optimizer, name) for name in SCALINGS)
        slopes = fit_slopes(paper, ["T_0", "T_1", "c_max"], control=wrong, root_seed=root)
        made.append(Evidence(slopes, optimizer, role=role))
    return made


def summary(result: Result[Settings]) -> Sequence[str]:
    """What was computed, in sentences."""
    paper = result.data["scaling"].sel(scaling="paper")
    T, work = float(paper.iterations.sum()), float(paper.gradients.sum())
    hit = int(np.isfinite(paper.T_1.sel(optimizer="GD+M")).sum())
    whole = paper.sizes["d"] * paper.sizes["seed"]
    return [
        f"{T:.3g} iterations represented by {work:.3g} gradients, {float(paper.exact_steps.sum()):.3g} of them "
        "exact steps.",
        f"GD+M memorizes all small-margin samples in {hit} of {whole} runs; GD in "
        f"{int(np.isfinite(paper.T_1.sel(optimizer='GD')).sum())}.",
    ]


def _cost(settings: Settings, at: Mapping[str, Any]) -> float:
    """Gradients of a draw, 18 000 at d = 10³ and 250 000 at 10¹² as counted; five exact steps cost as much as one."""
    T = point(at["d"], SCALINGS[at["scaling"]], N=settings.N).iterations
    exact = settings.exact or T <= EXACT
    return _wide(settings) * (T / 5 if exact else 2000 * math.log10(at["d"]) ** 2)


def _validating_cost(settings: Settings, at: Mapping[str, Any]) -> float:
    return _wide(settings) * VALIDATED / 4


def _wide(settings: Settings) -> float:
    """What a gradient costs, beside one at N = 40, where the products are not yet most of it."""
    return max(1.0, (settings.N / 40) ** 2)


def _needs(settings: Settings, at: Mapping[str, Any]) -> tuple[float, float]:
    """K several times, and a part as it was measured."""
    from lemmascope.sims.cubic_cnn.cost import costs
    from lemmascope.sims.cubic_cnn.problems import LawProblem

    problem = LawProblem(point(settings.dimensions[0], N=settings.N).parameters, "exact")
    return costs(problem, len(OPTIMIZERS) * problem.m)["coefficients"].memory, 4200.0


OFF = 0.02
"""How far slopes at these sizes lie from their exponents."""


def undecided(settings: Settings) -> Mapping[str, str]:
    """Exponents of which the control's is too near, for dimensions so close that a factor of log d reaches it."""
    low, high = settings.dimensions[0], settings.dimensions[-1]
    free, wrong = log_allowance(low, high), WRONG.predicted()
    why = (
        f"from d = {low:.3g} to {high:.3g} a factor of log d is worth d^±{free:.3f}, which reaches the wrong scaling; "
        "--dimensions 1e3,1e5,1e7,1e9,1e12 decides"
    )
    predicted = PAPER.predicted()
    return {id: why for id, key in EXPONENTS.items() if abs(wrong[key] - predicted[key]) <= free + OFF}


STUDY = Study(
    name="scaling",
    subject="cubic_cnn",
    message=(
        "The theorem's exponents hold up to a factor of log d: GD stalls at 1/α, memorizes in ηT₁ ∝ N/(σ₀σ³d^{3/2}), "
        "and GD+M goes on to 1/β. A deliberately wrong scaling is refuted in each of them."
    ),
    settings=Settings,
    experiments={
        "scaling": Experiment(
            lambda s: {"scaling": list(SCALINGS), "d": s.dimensions, "seed": range(s.seeds)},
            draw,
            _cost,
            gathered,
            needs=_needs,
        ),
        "fast_forward": Experiment(lambda s: {"seed": range(VALIDATING)}, differences, _validating_cost, needs=_needs),
    },
    evidence=evidence,
    claims=SCALING,
    undecided=undecided,
    summary=summary,
    examples=(
        "lemmascope scaling",
        "lemmascope scaling --quick",
        "lemmascope scaling --seeds 50 --cluster local --out results/scaling-50",
        "lemmascope scaling --dimensions 1e3,1e4,1e5,1e6,1e7 --out results/to-ten-million",
        "lemmascope scaling --resume",
    ),
    seconds=225,
    resolve=resolve,
)
