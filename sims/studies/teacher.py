"""Does momentum always help? ReLU students and teachers on Gaussian data, and data with a shared feature beside them.

For each student and teacher of {1-MLP, 2-MLP, 1-CNN, 2-CNN}: Gaussian inputs, labels by the sign of the teacher about
its median, full-batch training of GD and GD+M from the same weights, each at the learning rate that a common rule
chooses on draws of its own. Then the same kind of network on data of the central theorem's law, where one feature is
shared.
"""

from __future__ import annotations

__all__ = ["STUDY", "TALK", "Settings"]

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from lemmascope.sims.study import Data, Experiment, Result, Study, Task, option
from lemmascope.sims.tables import Table
from lemmascope.theory.claim import Evidence
from lemmascope.theory.cubic_cnn.law import draw_sample
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.teacher.claims import TEACHER
from lemmascope.theory.teacher.claims.teacher import EPOCHS, interval
from lemmascope.theory.teacher.networks import NETWORKS, Network, balance, gradient, loss, output, pattern

NAMES = ("1-MLP", "2-MLP", "1-CNN", "2-CNN")
WIDTHS = {"1-MLP": 48, "2-MLP": 32, "1-CNN": 40, "2-CNN": 16}
"""Of students; a 1-CNN of width 16 does not fit MLP teachers."""

TEACHERS = 10
TALK = ((1.00, 1.00, 1.00, 0.99), (0.99, 1.00, 0.99, 0.99), (0.99, 1.00, 1.00, 1.01), (1.00, 1.00, 1.00, 1.02))
"""The talk's table, students by teachers in the order of `NAMES`: a mean of three runs each."""

D, MEDIAN = 30, 20_000
RATES = (0.3, 1.0, 3.0, 10.0)
TUNING = 2
EARLY = 5
ERROR = 0.01
STRONG = 0.99
"""Momentum of the contrast, and of its control on Gaussian data."""

SHARED = Parameters(d=200, N=200, P=2, m=1, alpha=5.0, beta=0.1, mu=0.2, sigma=2 / math.sqrt(200), sigma_0=1.0)
"""The law of the contrast."""

HIDDEN = 20
CONTRAST_RATES = (0.1, 0.5, 2.0, 8.0)
FRESH = 2000


@dataclass(frozen=True)
class Settings:
    """What the study is run with."""

    networks: tuple[str, ...] = option(NAMES, "Students and teachers.", tiny=("1-MLP",), quick=("1-MLP", "1-CNN"))
    seeds: int = option(8, "Draws of a cell, three or more for an interval.", tiny=3, quick=4, full=30)
    epochs: int = option(1000, "Steps on all samples; the talk has 1000.", tiny=300, quick=300)
    samples: int = option(500, "Training samples.", tiny=200)
    test: int = option(5000, "Test samples.", tiny=2000)
    gamma: float = option(0.9, "Momentum of GD+M, average form.")
    contrast_seeds: int = option(8, "Draws of the contrast.", tiny=3, quick=4, full=30)
    contrast_epochs: int = option(1000, "Steps of the contrast.", tiny=250, quick=500)
    bias: bool = option(True, "Biases in the contrast's networks; without, hidden weights are drawn N(0, 1/q).")

    def __post_init__(self) -> None:
        if not self.networks or len(set(self.networks)) < len(self.networks) or not set(self.networks) <= set(NAMES):
            raise InputError("networks", self.networks, f"give some of {', '.join(NAMES)}, each once")
        least_of = {"seeds": 2, "contrast_seeds": 2, "epochs": 50, "contrast_epochs": 50, "samples": 10}
        for name, least in least_of.items():
            if check_size(name, getattr(self, name)) < least:
                raise InputError(name, getattr(self, name), f"it must be at least {least}")
        check_size("test", self.test)
        check_number("gamma", self.gamma, 0, 1, open_low=True, open_high=True)


def network(name: str, width: int) -> Network:
    """One of the four on inputs of dimension 30."""
    return NETWORKS(width, D)[name]


# --- gradients ------------------------------------------------------------------------------------------------------


def gradients(task: Task[Settings]) -> xr.Dataset:
    """Hand-derived gradients of small networks against central differences, at points away from kinks."""
    rows: dict[str, list[float]] = {"difference": [], "unmasked": [], "balance": []}
    for name in NAMES:
        one, rng = network(name, 4), task.rng(f"gradients {name}")
        X, y = rng.standard_normal((12, D)), rng.choice([-1.0, 1.0], 12)
        theta = {key: x + 0.1 * rng.standard_normal(x.shape) for key, x in one.initial(rng.standard_normal).items()}
        exact, planted = (gradient(one, theta, X, y, masked=masked) for masked in (True, False))
        scale = max(float(np.abs(x).max()) for x in exact.values())
        apart = {"difference": 0.0, "unmasked": 0.0}
        for key, values in theta.items():
            flat, picked = values.reshape(-1), rng.permutation(values.size)[:12]
            for k in map(int, picked):
                slope = _slope(one, theta, X, y, flat, k)
                if slope is not None:
                    apart["difference"] = max(apart["difference"], abs(slope - exact[key].reshape(-1)[k]) / scale)
                    apart["unmasked"] = max(apart["unmasked"], abs(slope - planted[key].reshape(-1)[k]) / scale)
        for kind, value in apart.items():
            rows[kind].append(value)
        rows["balance"].append(float(np.abs(balance(one, theta, exact)).max()) / scale)
    return xr.Dataset({kind: ("network", values) for kind, values in rows.items()}, {"network": list(NAMES)})


STEP = 1e-4


def _slope(
    one: Network, theta: Mapping[str, np.ndarray], X: np.ndarray, y: np.ndarray, flat: np.ndarray, k: int
) -> float | None:
    """A central difference of the fourth order; None where a kink lies between."""
    at, values, patterns = flat[k], [], [pattern(one, theta, X)]
    for shift in (-2, -1, 1, 2):
        flat[k] = at + shift * STEP
        values.append(loss(one, theta, X, y))
        patterns.append(pattern(one, theta, X))
    flat[k] = at
    if any((other != patterns[0]).any() for other in patterns):
        return None
    return (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * STEP)


# --- Gaussian data --------------------------------------------------------------------------------------------------

AT_ONCE = 500
"""Samples whose outputs are computed at a time: their activations stay in the cache."""


def _outputs(one: Network, theta: Mapping[str, np.ndarray], X: np.ndarray) -> np.ndarray:
    """f (N,)."""
    return np.concatenate([output(one, theta, X[first : first + AT_ONCE]) for first in range(0, len(X), AT_ONCE)])


def _draw(task: Task[Settings], what: str, seed: int) -> dict[str, Any]:
    """Teacher, data and initial weights of one draw of a cell."""
    s, cell = task.settings, f"{task.at['student']} on {task.at['teacher']} {what}"
    dtype = np.dtype(task.dtype)
    teacher = network(task.at["teacher"], TEACHERS)
    weights = teacher.initial(task.rng(f"{cell} teacher", seed).standard_normal)
    median = float(np.median(_outputs(teacher, weights, task.rng(f"{cell} median", seed).standard_normal((MEDIAN, D)))))
    rng = task.rng(f"{cell} inputs", seed)

    def labelled(count: int) -> tuple[np.ndarray, np.ndarray]:
        X = rng.standard_normal((count, D))
        y = np.where(_outputs(teacher, weights, X) > median, 1.0, -1.0)
        return X.astype(dtype), y.astype(dtype)

    student = network(task.at["student"], WIDTHS[task.at["student"]])
    start = student.initial(task.rng(f"{cell} student", seed).standard_normal)
    return {"student": student, "start": start, "train": labelled(s.samples), "test": labelled(s.test)}


def _accuracy(one: Network, theta: Mapping[str, np.ndarray], data: tuple[np.ndarray, np.ndarray]) -> float:
    found = _outputs(one, theta, data[0]) * data[1]
    return float(np.mean(found > 0))


def _fitted(
    task: Task[Settings], draws: Sequence[Mapping[str, Any]], rules: Sequence[tuple[float, float]]
) -> np.ndarray:
    """Test accuracy, training error, and that after `EARLY` epochs, of each draw by each (rate, momentum)."""
    from lemmascope.sims.teacher.runs import train_all

    X, y = (np.stack([at["train"][k] for at in draws]) for k in range(2))
    one, starts, epochs = draws[0]["student"], [at["start"] for at in draws], task.settings.epochs
    found = train_all(one, starts, X, y, rules, epochs=epochs, early=EARLY, backend=task.backend)
    return np.array(
        [
            [(_accuracy(one, theta, at["test"]), error, early) for theta, (early, error) in runs]
            for at, runs in zip(draws, found, strict=True)
        ]
    )


def chosen(accuracy: np.ndarray, error: np.ndarray) -> int:
    """The rate of the largest mean accuracy among those whose training error is tiny on every draw, ties to the
    smaller;
    where there is none, that of the least mean training error. (draws, rates) each."""
    fine = (error <= ERROR).all(axis=0)
    if fine.any():
        return int(np.argmax(np.where(fine, accuracy.mean(axis=0), -np.inf)))
    return int(np.argmin(error.mean(axis=0)))


def momenta(settings: Settings, student: str, teacher: str) -> list[float]:
    """γ of the optimizers of a cell: GD, GD+M, and in the first cell the contrast's."""
    first = student == teacher == settings.networks[0]
    return [0.0, settings.gamma, *([STRONG] if first and settings.gamma != STRONG else [])]


def cell(task: Task[Settings]) -> xr.Dataset:
    """One student on one teacher: rates chosen on tuning draws, accuracies on the others."""
    s = task.settings
    gammas = momenta(s, task.at["student"], task.at["teacher"])
    tuning = [_draw(task, "tuning", seed) for seed in range(TUNING)]
    tried = _fitted(task, tuning, [(eta, gamma) for gamma in gammas for eta in RATES])
    held = tried.reshape(TUNING, len(gammas), len(RATES), -1).swapaxes(0, 1)  # optimizers, draws, rates
    rates = [RATES[chosen(one[..., 0], one[..., 1])] for one in held]
    draws = [_draw(task, "draw", seed) for seed in range(s.seeds)]
    found = _fitted(task, draws, list(zip(rates, gammas, strict=True))).swapaxes(0, 1)
    full = {
        "accuracy": (("optimizer", "seed"), found[..., 0]),
        "error": (("optimizer", "seed"), found[..., 1]),
        "early": (("optimizer", "seed"), found[..., 2]),
        "eta": ("optimizer", rates),
        "tuning_accuracy": (("optimizer", "rate"), held[..., 0].mean(axis=1)),
        "tuning_error": (("optimizer", "rate"), held[..., 1].max(axis=1)),
    }
    return xr.Dataset(full, {"optimizer": gammas, "rate": list(RATES), "seed": range(s.seeds)})


def _cells(tasks: Sequence[Task[Settings]], parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Every cell, with γ that only some have left NaN elsewhere."""
    every = sorted({float(g) for part in parts for g in part["optimizer"].values})
    students = list(dict.fromkeys(task.at["student"] for task in tasks))
    teachers = list(dict.fromkeys(task.at["teacher"] for task in tasks))
    aligned = [part.reindex(optimizer=every) for part in parts]
    rows = [
        xr.concat(aligned[k * len(teachers) : (k + 1) * len(teachers)], dim="teacher") for k in range(len(students))
    ]
    return xr.concat(rows, dim="student").assign_coords(student=students, teacher=teachers)


# --- a shared feature -----------------------------------------------------------------------------------------------


def fresh(sample: Any, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X (FRESH, P, d), y and which are of small margin, half of them, from the law of a sample with its feature."""
    p = SHARED
    y = rng.choice([-1.0, 1.0], FRESH)
    small = np.arange(FRESH) % 2 == 0
    X = p.sigma * rng.standard_normal((FRESH, p.P, p.d))
    X -= (X @ sample.w_star)[..., None] * sample.w_star
    X[np.arange(FRESH), rng.integers(0, p.P, FRESH)] = (y * np.where(small, p.beta, p.alpha))[:, None] * sample.w_star
    return X, y, small


def contrast(task: Task[Settings]) -> xr.Dataset:
    """One network on one draw of data with a shared feature, over rates and momenta."""
    from lemmascope.sims.teacher.runs import train_all

    s, p, dtype = task.settings, SHARED, np.dtype(task.dtype)
    sample = draw_sample(p, lambda name: task.rng(f"shared {name}"))
    name = task.at["network"]
    positions = p.P if name == "1-CNN" else 1
    one = Network(name, 1, positions, 1, p.P * p.d // positions, HIDDEN)
    start = one.initial(task.rng(f"shared {name} student").standard_normal)
    if not s.bias:
        start["W"] = start["W"] / math.sqrt(2)
    X, y = np.asarray(sample.X).reshape(p.N, -1).astype(dtype), np.asarray(sample.y).astype(dtype)
    sets = [fresh(sample, task.rng(f"shared {what}")) for what in ("held out", "test")]
    gammas = (0.0, STRONG)
    rules = [(eta, gamma) for gamma in gammas for eta in CONTRAST_RATES]
    rest: dict[str, Any] = {"epochs": s.contrast_epochs, "bias": s.bias, "backend": task.backend}
    (runs,) = train_all(one, [start], X[None], y[None], rules, **rest)
    rows: dict[str, list[float]] = {
        "error": [error for _, (_, error) in runs],
        "small_held": [],
        "small": [],
        "large": [],
    }
    for theta, _ in runs:
        for what, (at, labels, small) in zip(("_held", ""), sets, strict=True):
            right = _outputs(one, theta, at.reshape(FRESH, -1).astype(dtype)) * labels > 0
            rows[f"small{what}"].append(right[small].mean())
            if not what:
                rows["large"].append(right[~small].mean())
    found = {name: np.reshape(values, (len(gammas), len(CONTRAST_RATES))) for name, values in rows.items()}
    return xr.Dataset(
        {name: (("optimizer", "rate"), x) for name, x in found.items()},
        {"optimizer": list(gammas), "rate": list(CONTRAST_RATES)},
    )


def ratios(data: xr.Dataset, rates: tuple[float, float]) -> xr.Dataset:
    """``log_ratio`` and ``error`` by draw, of γ = 0.99 at the second rate over γ = 0 at the first."""
    low, high = (data.sel(optimizer=g, rate=eta, drop=True) for g, eta in zip((0.0, STRONG), rates, strict=True))
    return xr.Dataset(
        {
            "log_ratio": ("seed", np.log(high["small"].values / low["small"].values)),
            "error": (("optimizer", "seed"), np.stack([low["error"].values, high["error"].values])),
        },
        {"seed": low["seed"].values},
        attrs={"slow": int(max(rates) <= 1 / (4 * SHARED.alpha * SHARED.beta)), "eta": list(rates)},
    )


def best(data: xr.Dataset) -> tuple[float, float]:
    """Of each optimizer the rate of the largest mean held-out accuracy among those with training error 0 on all draws;
    the smallest where there is none."""
    found = []
    for gamma in (0.0, STRONG):
        one = data.sel(optimizer=gamma)
        fitted = (one["error"] == 0).all("seed")
        mean = one["small_held"].mean("seed").where(fitted, -1.0)
        found.append(float(data["rate"][int(mean.argmax("rate"))]))
    return found[0], found[1]


def evidence(settings: Settings, data: Data) -> Sequence[Evidence]:
    """The gradients, every cell, and the contrast of both networks at one rate and at the best ones."""
    made = [Evidence(data["gradients"], "four networks", role="gradients", parameters=settings)]
    for student in settings.networks:
        for teacher in settings.networks:
            one = data["cells"].sel(student=student, teacher=teacher)
            label = f"{student} on {teacher}"
            made.append(Evidence(pair(one, settings.gamma), label, role="cell", parameters=settings))
    for name in data["contrast"]["network"].values.tolist():
        one = data["contrast"].sel(network=name)
        for role, rates in (("contrast", (0.5, 0.5)), ("tuned", best(one))):
            made.append(Evidence(ratios(one, rates), str(name), role=role, parameters=settings))
    first = settings.networks[0]
    strong = pair(data["cells"].sel(student=first, teacher=first), STRONG)
    return [*made, Evidence(strong, "Gaussian data, γ = 0.99", role="strong", parameters=settings)]


def pair(one: xr.Dataset, gamma: float) -> xr.Dataset:
    """GD+M of one momentum beside GD, in one cell."""
    both = one.sel(optimizer=[0.0, gamma])
    accuracy = both["accuracy"].values
    return (
        both[["error", "early", "eta"]]
        .assign(log_ratio=("seed", np.log(accuracy[1] / accuracy[0])))
        .drop_vars(["student", "teacher"])
    )


def shared_feature(one: Evidence, everyone: Sequence[Evidence]) -> Evidence | None:
    """The contrast of the dense network at one rate."""
    found = [e for e in everyone if e.role == "contrast" and e.label == "1-MLP"]
    return found[0] if found else None


def gaussian(one: Evidence, everyone: Sequence[Evidence]) -> Evidence | None:
    """The first cell with the contrast's momentum."""
    found = [e for e in everyone if e.role == "strong"]
    return found[0] if found else None


def undecided(settings: Settings) -> Mapping[str, str]:
    """Training takes the talk's epochs, and best rates take draws."""
    found: dict[str, str] = {}
    if settings.epochs < EPOCHS:
        why = f"{settings.epochs} epochs need not ensure a tiny training error; --epochs {EPOCHS} do"
        found |= {f"gaussian.{name}": why for name in ("training_error_is_tiny", "momentum_does_not_help", "no_gain")}
    if settings.contrast_seeds < 8:
        why = (
            f"{settings.contrast_seeds} draws leave the interval at the best rates too wide; --contrast-seeds 8 decide"
        )
        found["gaussian.contrast_tuned"] = why
    return found


def _cost(settings: Settings, at: Mapping[str, Any]) -> float:
    """Milliseconds, as measured: of a thousand epochs of 500 samples; and of a draw with its test samples."""
    draws, runs = TUNING + settings.seeds, TUNING * len(RATES) + settings.seeds
    each = {"1-MLP": 90, "2-MLP": 140, "1-CNN": 130, "2-CNN": 260}[at["student"]]
    trained = each * runs * len(momenta(settings, at["student"], at["teacher"])) * settings.epochs * settings.samples
    return trained / 5e5 + 40 * draws


def _needs(settings: Settings, at: Mapping[str, Any]) -> tuple[float, float]:
    """Draws of a cell with their test samples, and the activations of a 1-CNN on all of them."""
    samples = settings.samples + settings.test
    return 8.0 * (samples * (D * (settings.seeds + TUNING) + 6 * 40 * 4) + MEDIAN * D * 4), 4100.0


def _contrast_cost(settings: Settings, at: Mapping[str, Any]) -> float:
    each = {"1-MLP": 120, "1-CNN": 190}[at["network"]]
    return 2 * len(CONTRAST_RATES) * each * settings.contrast_epochs / 1000 + 100


def tables(result: Result[Settings]) -> Sequence[Table]:
    """Ratios by student and teacher with their intervals, the talk's beside them; and the contrast."""
    s, data = result.settings, result.data["cells"]
    rows, values = [], []
    for student in s.networks:
        row = [student]
        for teacher in s.networks:
            one = pair(data.sel(student=student, teacher=teacher), s.gamma)
            R, low, high = interval(one["log_ratio"].values)
            talk = TALK[NAMES.index(student)][NAMES.index(teacher)]
            error = float(one["error"].max())
            mark = "*" if error > ERROR else ""
            row.append(f"{R:.3f}{mark} [{low:.3f}, {high:.3f}]\n  talk {talk:.2f}")
            values.append({"student": student, "teacher": teacher, "R": R, "interval": [low, high], "talk": talk})
            values[-1] |= {"training error": error, "eta": one["eta"].values.tolist()}
        rows.append(row)
    found = result.data["contrast"]
    more = []
    for name in found["network"].values.tolist():
        for gamma in (0.0, STRONG):
            one = found.sel(network=name, optimizer=gamma)
            cells = [
                f"{float(x):.3f}" + ("" if float(e) == 0 else "*")
                for x, e in zip(one["small"].mean("seed"), one["error"].max("seed"), strict=True)
            ]
            more.append([str(name), f"{gamma:g}", *cells])
    return [
        Table(
            "gaussian",
            f"Accuracy of GD+M (γ = {s.gamma:g}) over GD on Gaussian data, student by teacher",
            ["student", *s.networks],
            rows,
            (
                f"exp of the mean log ratio over {s.seeds} draws with its 90 % interval; *: training error above "
                f"{ERROR:g}."
            ),
            values,
        ),
        Table(
            "contrast",
            "Accuracy on small-margin samples, data with a shared feature",
            ["network", "γ", *(f"η = {eta:g}" for eta in CONTRAST_RATES)],
            more,
            f"Mean over {s.contrast_seeds} draws; *: training error above 0 on a draw.",
        ),
    ]


def summary(result: Result[Settings]) -> Sequence[str]:
    """Where the intervals lie, and the rates that were chosen."""
    data, s = result.data["cells"], result.settings
    ends = [
        interval(pair(data.sel(student=a, teacher=b), s.gamma)["log_ratio"].values)
        for a in s.networks
        for b in s.networks
    ]
    below, above = sum(high < 1 for _, _, high in ends), sum(low > 1 for _, low, _ in ends)
    talk = [TALK[NAMES.index(a)][NAMES.index(b)] for a in s.networks for b in s.networks]
    mean = math.exp(math.fsum(math.log(R) for R, _, _ in ends) / len(ends))
    return [
        f"{below} of {len(ends)} intervals lie below 1 (GD better), {above} above; mean ratio {mean:.4f}, the talk's "
        f"{sum(talk) / len(talk):.4f}."
    ]


def resolve(backend: str) -> str:
    """What "auto" stands for."""
    from lemmascope.sims.teacher import runs

    return runs.resolve(backend)


STUDY = Study(
    name="teacher",
    subject="teacher",
    message=(
        "Momentum does not unconditionally improve generalization: on Gaussian data labelled by a teacher both "
        "optimizers "
        "test alike, within three per cent for every student and teacher. On data with a shared feature the "
        "same networks "
        "gain a fifth or more from it."
    ),
    settings=Settings,
    experiments={
        "gradients": Experiment(
            lambda s: {"seed": range(3)}, gradients, lambda s, at: 300.0, needs=lambda s, at: (2e7, 4100)
        ),
        "cells": Experiment(
            lambda s: {"student": s.networks, "teacher": s.networks}, cell, _cost, _cells, needs=_needs
        ),
        "contrast": Experiment(
            lambda s: {"network": ("1-CNN", "1-MLP"), "seed": range(s.contrast_seeds)},
            contrast,
            _contrast_cost,
            needs=lambda s, at: (5e7, 4100),
        ),
    },
    evidence=evidence,
    claims=TEACHER,
    controls={"shared feature": shared_feature, "gaussian": gaussian},
    undecided=undecided,
    tables=tables,
    summary=summary,
    examples=(
        "lemmascope teacher",
        "lemmascope teacher --quick",
        "lemmascope teacher --networks 1-MLP,2-MLP --seeds 20 --out results/dense",
        "lemmascope teacher --no-bias --out results/teacher-no-bias",
    ),
    seconds=60,
    dtypes=("float64", "float32"),
    backends=("auto", "compiled", "numpy", "cupy"),
    resolve=resolve,
)
