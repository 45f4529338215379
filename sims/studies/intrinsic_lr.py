"""Weights whose length does not matter: decay, momentum and SGDP set the step, ηλ the time, the landscape the rest.

The norm of scale-invariant weights by exact recursions, on noise of constant length; the loss of a Rayleigh quotient
that follows it; an angle between two wells by powers of its transition matrix; SGD with momentum, SGDP, Adam, AdamP.
"""

from __future__ import annotations

__all__ = ["ETAS", "LEVELS", "PAIRS", "RELAXED", "STUDY", "Settings", "cases", "log_times"]

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from lemmascope.sims.study import Data, Experiment, Result, Study, Task, option
from lemmascope.sims.tables import Table, number
from lemmascope.theory.claim import Evidence
from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.scale_invariant import norms
from lemmascope.theory.scale_invariant.claims.intrinsic_lr import CLAIMS
from lemmascope.theory.scale_invariant.losses import Circle, Noise, Quadratic, Rayleigh
from lemmascope.theory.scale_invariant.norms import LONG, START, STEPS_SEEN, TOLERANCE, WIDE
from lemmascope.theory.verdict import Status

SCALE, SCALED_STEPS = 4.0, 2000
"""c, and steps of the equivalence at η = 0.1, λ = 0.01."""

PAIRS, FIXED_STEPS = ((0.1, 0.01), (0.4, 0.0025), (0.01, 0.1), (1.0, 0.1)), 10_000
"""(η, λ) of the equilibrium, and steps from 4G*."""

RELAXED, ETAS = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5), (0.01, 0.1, 1.0)
"""ηλ and η of the relaxation."""

KEPT, BEYOND = 120, 1.3
"""Values of |w|² that are kept of a run, and its length over that of the equation."""

LEVELS, LEVEL_ETAS, LEVEL_BURN_IN, LEVEL_EVERY = (1e-3, 3e-4, 1e-4, 3e-5, 1e-5), (0.1, 1.0), 3000, 20
"""ηλ and η of the stationary loss; what is left out at first, and steps between two looks."""

RESET_STEPS = 400
"""Of the runs whose |w| is put back, from their stationary law."""

FOLLOWED, FOLLOWED_AT = (1e-3, 3e-4), (0.1, 0.2, 0.4)
"""ηλ, and ηλt, of the loss on its way."""

BETAS, NOISE_ETA, LARGE_ETA, NOISE_DECAY = (0.0, 0.5, 0.9, 0.99), 0.05, 0.5, (0.1, 0.01)
"""Momenta; learning rates without decay; η and λ with it."""

NOISE_BURN_IN, NOISE_EVERY, QUADRATIC_STEPS = 3000, 50, 200
DOUBLING_ETA, DOUBLING_BETA, DOUBLING_RUNS = 0.01, 0.9, (24, 2)
"""And how many runs of SGDM and SGDP a seed's number of steps is the mean of."""

ADAM_BETAS, ADAM_ETA, ADAM_BETA2, ADAM_STEPS = (0.0, 0.5, 0.9), 0.001, 0.99, 8000
SIGMAS, HELPS_ETA, HELPS_BETA = (0.0, 0.3, 3.0), 0.1, 0.9
HELPS = ("SGDM", "SGDP", "SGDP, η/10")
BLOCK, FOLLOW_BLOCK = 16, 64
"""Replicas of a task."""

ENOUGH, ENOUGH_UNIVERSAL, ENOUGH_FOLLOW, ENOUGH_HELPS, ENOUGH_LEVEL = 8, 12, 4096, 32, 480_000
"""Replicas without which intervals are wider than what is stated; last, replicas times steps."""

MOST = 10**6
"""Replicas, at most."""


@dataclass(frozen=True)
class Settings:
    """What the study is run with."""

    d: int = option(32, "Weights of the Rayleigh quotient.")
    wide: int = option(256, "Weights on noise, with momentum.")
    seeds: int = option(12, "Replicas of momentum and Adam on noise.", tiny=6, quick=8, full=64)
    steps: int = option(20_000, "Steps of momentum on noise.", tiny=10_000)
    runs: int = option(96, "Replicas of the stationary loss.", tiny=8, quick=48, full=256)
    level_steps: int = option(20_000, "Steps of each, 3000 more left out at first.", tiny=1000, quick=10_000)
    follow_runs: int = option(4096, "Replicas of the loss on its way.", tiny=32, quick=128, full=16_384)
    helps_runs: int = option(64, "Replicas of SGDP beside SGDM on the Rayleigh quotient.", tiny=16, quick=32, full=512)
    cells: int = option(512, "Angles of the grid, even.", tiny=260, quick=288)
    eta_lambdas: tuple[float, ...] = option(
        (0.03, 0.01, 0.003, 0.001, 0.0005, 0.0003), "ηλ of the angle's law, falling.", tiny=(0.03, 0.001, 0.0003)
    )
    b: float = option(0.1, "Barrier between equal wells.")
    c: float = option(0.02, "How much higher one of the unequal wells is.")

    def __post_init__(self) -> None:
        for name in ("d", "wide"):
            if check_size(name, getattr(self, name)) < 3:
                raise InputError(name, getattr(self, name), "it must be at least 3")
        for name in ("seeds", "runs", "follow_runs", "helps_runs"):
            if not 2 <= check_size(name, getattr(self, name)) <= MOST:
                raise InputError(name, getattr(self, name), f"it must be from 2 to {MOST}")
        if check_size("steps", self.steps) < 2 * NOISE_BURN_IN:
            raise InputError("steps", self.steps, f"it must be at least {2 * NOISE_BURN_IN}")
        if check_size("level_steps", self.level_steps) % LEVEL_EVERY:
            raise InputError("level_steps", self.level_steps, f"it must be a multiple of {LEVEL_EVERY}")
        if check_size("cells", self.cells, 8) % 2:
            raise InputError("cells", self.cells, "it must be even, for the start θ = π to be on the grid")
        if len(self.eta_lambdas) < 2 or list(self.eta_lambdas) != sorted(set(self.eta_lambdas), reverse=True):
            raise InputError("eta_lambdas", self.eta_lambdas, "give two or more, falling")
        for one in self.eta_lambdas:
            check_number("eta_lambdas", one, 0, norms.MOST, open_low=True, open_high=True)
        check_number("b", self.b, 0, open_low=True)
        if not 0 < check_number("c", self.c, 0, open_low=True) < 4 * self.b:
            raise InputError("c", self.c, f"the well at π is one below 4b = {4 * self.b:g}; stay below")


def _blocks(count: int, size: int) -> list[range]:
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


def log_times(last: int, count: int = 60, also: Sequence[int] = ()) -> list[int]:
    """Steps evenly spaced in their logarithm, the last and ``also`` among them."""
    return sorted({*np.rint(np.geomspace(1, last, count)).astype(int).tolist(), last, *also})


def _first(holds: np.ndarray) -> np.ndarray:
    """Steps until it first holds along the last axis, from 1; NaN where it never does."""
    return np.where(holds.any(axis=-1), holds.argmax(axis=-1) + 1.0, np.nan)


# --- the intrinsic learning rate ------------------------------------------------------------------------------------


def exact(task: Task[Settings]) -> xr.Dataset:
    """Losses of runs that are to be equivalent, and the equilibrium on noise, of one replica."""
    from lemmascope.sims.scale_invariant.plan import Case
    from lemmascope.sims.scale_invariant.runs import directions, run

    d, backend = task.settings.d, task.backend
    eta, decay = PAIRS[0]
    square = SCALE**2
    cases = [
        Case(eta, decay),
        Case(square * eta, decay / square, start=square),
        Case(square * eta, decay, start=square),
    ]
    start = directions([task.rng("start")], d)
    found = run(Rayleigh(), cases, start, [task.rng("rayleigh")], range(1, SCALED_STEPS + 1), backend)["loss"][:, 0]
    apart = np.abs(found[1:] - found[0]).max(axis=-1)
    fixed = [Case(eta, decay, start=4 * norms.equilibrium(eta, decay)) for eta, decay in PAIRS]
    rest = run(Noise(), fixed, start, [task.rng("noise")], [FIXED_STEPS], backend)
    eta_of, decay_of = zip(*PAIRS, strict=True)
    return xr.Dataset(
        {"apart": ("of", apart), "G": ("pair", rest["G"][:, 0, -1]), "angle": ("pair", rest["angle"][:, 0])},
        {"of": ["equivalent", "eta alone"], "eta": ("pair", list(eta_of)), "decay": ("pair", list(decay_of))},
    )


def relaxation(task: Task[Settings]) -> xr.Dataset:
    """Steps until |w|² is near G*, for every η at one ηλ, and |w|²/G* on the way."""
    from lemmascope.sims.scale_invariant.plan import Case
    from lemmascope.sims.scale_invariant.runs import directions, run

    place = task.at["eta_lambda"]
    G = np.array([norms.equilibrium(eta, place / eta) for eta in ETAS])
    cases = [Case(eta, place / eta, start=START * one) for eta, one in zip(ETAS, G, strict=True)]
    last = math.ceil(BEYOND * norms.relaxation(place, START, TOLERANCE))
    start = directions([task.rng("start")], task.settings.d)
    found = run(Noise(), cases, start, [task.rng("noise")], range(1, last + 1), task.backend)["G"][:, 0]
    ratio = found / G[:, None]
    kept = np.rint(np.linspace(1, last, KEPT)).astype(int)
    return xr.Dataset(
        {
            "steps": ("eta", _first(np.abs(ratio**2 - 1) <= TOLERANCE)),
            "ratio": (("eta", "time"), ratio[:, kept - 1]),
            "eta_lambda_t": ("time", kept * place),
        },
        {"eta": list(ETAS)},
    )


def _minimum(count: int, d: int) -> np.ndarray:
    """The direction of curvature 0 (replicas, d)."""
    w = np.zeros((count, d))
    w[:, 0] = 1
    return w


def _across(rngs: Sequence[np.random.Generator], d: int) -> np.ndarray:
    """Random directions (replicas, d) orthogonal to that of curvature 0."""
    w = np.array([[0.0, *rng.standard_normal(d - 1)] for rng in rngs])
    return w / np.linalg.norm(w, axis=1, keepdims=True)


def _stationary(rngs: Sequence[np.random.Generator], eta: float, d: int) -> np.ndarray:
    """Directions (replicas, d) of the stationary law at this η_eff, to leading order, σ = 1."""
    from lemmascope.theory.scale_invariant.losses import curvatures

    w = _minimum(len(rngs), d)
    scale = (eta / (2 * d * np.asarray(curvatures(np, d))[1:])) ** 0.5
    w[:, 1:] = scale * np.array([rng.standard_normal(d - 1) for rng in rngs])
    return w / np.linalg.norm(w, axis=1, keepdims=True)


def level(task: Task[Settings]) -> xr.Dataset:
    """Mean losses at equilibrium, and where |w| is put back to 1 after each step."""
    from lemmascope.sims.scale_invariant.plan import Case
    from lemmascope.sims.scale_invariant.runs import run

    s, seeds, places = task.settings, task.at["seed"], [(eta, x) for eta in LEVEL_ETAS for x in LEVELS]
    length, start = _length(s.d), _minimum(len(seeds), s.d)
    cases = [Case(eta, x / eta, start=norms.equilibrium(eta, x / eta, length)) for eta, x in places]
    times = range(LEVEL_BURN_IN + LEVEL_EVERY, LEVEL_BURN_IN + s.level_steps + 1, LEVEL_EVERY)
    loss = run(Rayleigh(), cases, start, [task.rng("level", seed) for seed in seeds], times, task.backend)["loss"]
    shape = len(seeds), len(LEVEL_ETAS), len(LEVELS)
    means = loss.mean(axis=-1).T.reshape(shape)
    start = np.stack([_stationary([task.rng(f"reset {x:g}", seed) for seed in seeds], x, s.d) for x in LEVELS])
    rngs = [task.rng("reset", seed) for seed in seeds]
    put_back = [Case(x, reset=True) for x in LEVELS]
    times = range(LEVEL_EVERY, RESET_STEPS + 1, LEVEL_EVERY)
    other = run(Rayleigh(), put_back, start, rngs, times, task.backend)["loss"].mean(axis=-1).T
    dims = ("seed", "eta", "eta_lambda")
    return xr.Dataset(
        {"loss": (dims, means), "reset": (dims, np.broadcast_to(other[:, None, :], shape))},
        {"seed": list(seeds), "eta": list(LEVEL_ETAS), "eta_lambda": list(LEVELS)},
    )


def _length(d: int) -> float:
    """|ĝ| of the Rayleigh quotient near its minimum, σ = 1."""
    return ((d - 1) / d) ** 0.5


def follow(task: Task[Settings]) -> xr.Dataset:
    """The loss on its way from G*/4, less its companion's, whose mean is added."""
    from lemmascope.sims.scale_invariant.linear import beside
    from lemmascope.sims.scale_invariant.plan import Case

    s, seeds, place = task.settings, task.at["seed"], task.at["eta_lambda"]
    eta = LEVEL_ETAS[0]
    case = Case(eta, place / eta, start=START * norms.equilibrium(eta, place / eta, _length(s.d)))
    rngs = [task.rng(f"follow {place:g}", seed) for seed in seeds]
    loss, companion, exact = beside(Rayleigh(), case, s.d, rngs, [round(x / place) for x in FOLLOWED_AT], task.backend)
    return xr.Dataset(
        {"loss": (("seed", "time"), loss - companion + exact), "alone": (("seed", "time"), loss)},
        {"seed": list(seeds), "time": list(FOLLOWED_AT)},
    )


def circle(task: Task[Settings]) -> xr.Dataset:
    """How long the law of the angle takes to come to rest, at one ηλ and for one pair of wells."""
    from lemmascope.sims.machine.threads import one_blas_thread
    from lemmascope.sims.scale_invariant.angles import rest

    s = task.settings
    with one_blas_thread():
        found = rest(_circle(s, task.at["wells"]), task.at["eta_lambda"], s.cells)
    return xr.Dataset({"steps": found.steps, "stationary": found.stationary, "slowest": found.slowest})


def _circle(s: Settings, wells: str) -> Circle:
    return Circle(s.b, s.c if wells == "unequal" else 0.0)


# --- momentum -------------------------------------------------------------------------------------------------------


def cases() -> list[Any]:
    """The optimizers that run on noise: without decay at two learning rates, then with decay."""
    from lemmascope.sims.scale_invariant.plan import Case

    eta, decay = NOISE_DECAY
    small = [Case(NOISE_ETA, beta=beta, projected=p) for beta in BETAS for p in (False, True)]
    large = [Case(LARGE_ETA, beta=beta) for beta in BETAS[:3]] + [Case(LARGE_ETA, beta=BETAS[2], projected=True)]
    kept = [Case(eta, decay, beta, p) for beta in BETAS[1:3] for p in (False, True)]
    return [*small, *large, *kept, Case(eta, decay, BETAS[0]), Case(eta, decay, BETAS[3])]


def noise(task: Task[Settings]) -> xr.Dataset:
    """SGD with momentum and SGDP on noise, of one replica."""
    from lemmascope.sims.noise.draws import generators
    from lemmascope.sims.scale_invariant.plan import Case
    from lemmascope.sims.scale_invariant.runs import directions, run

    s, backend, every = task.settings, task.backend, cases()
    start = directions([task.rng("start")], s.wide)
    shown = log_times(s.steps)
    late = set(range(NOISE_BURN_IN, s.steps + 1, NOISE_EVERY))
    times = sorted(late.union(shown))
    found = run(Noise(), every, start, [task.rng("noise")], times, backend)
    G = found["G"][:, 0]
    quadratic = run(Quadratic(), [Case(NOISE_ETA, beta=DOUBLING_BETA)], start, [task.rng("noise")], [QUADRATIC_STEPS])
    doubled = []
    for projected, count in zip((False, True), DOUBLING_RUNS, strict=True):
        one = Case(DOUBLING_ETA, beta=DOUBLING_BETA, projected=projected)
        last = math.ceil(BEYOND * norms.doubling(DOUBLING_ETA, DOUBLING_BETA, projected))
        rngs = generators(task.rng, f"doubling {int(projected)}", count)
        G_on = run(Noise(), [one], directions(rngs, s.wide), rngs, range(1, last + 1), backend)["G"][0]
        doubled.append(_first(G_on >= 2).mean())
    return xr.Dataset(
        {
            "G": ("case", G[:, -1]),
            "mean_G": ("case", G[:, [time in late for time in times]].mean(axis=-1)),
            "path": ("case", found["path"][:, 0, -1]),
            "error": ("case", found["error"][:, 0]),
            "wrong": ("case", found["wrong"][:, 0]),
            "quadratic": quadratic["error"][0, 0],
            "doubled": ("which", doubled),
            "shown": (("case", "step"), G[:, [times.index(time) for time in shown]]),
        },
        {
            "which": ["SGDM", "SGDP"],
            "step": shown,
            **{name: ("case", [getattr(one, name) for one in every]) for name in ("eta", "decay", "beta")},
            "projected": ("case", [int(one.projected) for one in every]),
        },
    )


def adam(task: Task[Settings]) -> xr.Dataset:
    """Adam and AdamP on noise, of one replica."""
    from lemmascope.sims.scale_invariant.plan import AdamCase
    from lemmascope.sims.scale_invariant.runs import directions, run

    s = task.settings
    every = [AdamCase(ADAM_ETA, beta1, ADAM_BETA2, p) for beta1 in ADAM_BETAS for p in (False, True)]
    start = directions([task.rng("start")], s.wide)
    G = run(Noise(), every, start, [task.rng("adam")], [ADAM_STEPS], task.backend)["G"][:, 0, -1]
    grown = (G - 1) / (ADAM_ETA**2 * s.wide * ADAM_STEPS)
    return xr.Dataset(
        {"growth": (("beta1", "which"), grown.reshape(len(ADAM_BETAS), 2))},
        {"beta1": list(ADAM_BETAS), "which": ["Adam", "AdamP"]},
    )


def helps(task: Task[Settings]) -> xr.Dataset:
    """SGDP beside SGD with momentum on the Rayleigh quotient, at one σ, from 45° off the minimum."""
    from lemmascope.sims.scale_invariant.plan import Case
    from lemmascope.sims.scale_invariant.runs import run

    s, seeds, sigma = task.settings, task.at["seed"], task.at["sigma"]
    every = [
        Case(HELPS_ETA, beta=HELPS_BETA),
        Case(HELPS_ETA, beta=HELPS_BETA, projected=True),
        Case(HELPS_ETA / 10, beta=HELPS_BETA, projected=True),
    ]
    start = (_minimum(len(seeds), s.d) + _across([task.rng("start", seed) for seed in seeds], s.d)) / 2**0.5
    rngs = [task.rng(f"helps sigma={sigma:g}", seed) for seed in seeds]
    times = log_times(STEPS_SEEN[-1], 40, STEPS_SEEN)
    loss = run(Rayleigh(sigma), every, start, rngs, times, task.backend)["loss"]
    return xr.Dataset(
        {"loss": (("seed", "which", "step"), loss.swapaxes(0, 1))},
        {"seed": list(seeds), "which": list(HELPS), "step": times},
    )


# --- what is judged -------------------------------------------------------------------------------------------------


def derive(settings: Settings, data: Data) -> Data:
    """The stationary loss beside the loss on its way."""
    places = list(FOLLOWED)
    end = data["level"]["loss"].isel(eta=0).sel(eta_lambda=places)
    error = end.std("seed", ddof=1) / end.sizes["seed"] ** 0.5
    beside = {"end": end.mean("seed").drop_vars("eta"), "end_error": error.drop_vars("eta")}
    return dict(data) | {"follow": data["follow"].sel(eta_lambda=places).assign(beside)}


def evidence(settings: Settings, data: Data) -> Sequence[Evidence]:
    """What each group of claims is measured on."""
    s, level = settings, data["level"]
    on_noise = {"d": s.wide, "steps": s.steps, "eta": NOISE_ETA}
    doubling = {"doubling_eta": DOUBLING_ETA, "doubling_beta": DOUBLING_BETA}
    rayleigh = {"d": s.d, "sigma": 1.0}
    helped = data["helps"]
    noisy = [sigma for sigma in SIGMAS if sigma > 0]
    found = [
        ("exact", f"d = {s.d}", data["exact"].assign_attrs(d=s.d)),
        ("relaxation", "on noise", data["relaxation"]),
        ("level", "at equilibrium", level[["loss"]].assign_attrs(rayleigh)),
        ("reset", "|w| = 1", level.assign(loss=level["reset"])[["loss"]].assign_attrs(rayleigh)),
        ("follow", "from G*/4", data["follow"].assign_attrs(rayleigh | {"end_seeds": s.runs})),
        *(_wells(s, data["circle"], wells) for wells in ("equal", "unequal")),
        ("noise", "on noise", data["noise"].assign_attrs(on_noise | doubling)),
        ("adam", "on noise", data["adam"].assign_attrs(d=s.wide)),
        ("quiet", "σ = 0", helped.sel(sigma=0.0, drop=True).assign_attrs(d=s.d)),
        *(("noisy", f"σ = {x:g}", helped.sel(sigma=x, drop=True).assign_attrs(d=s.d)) for x in noisy),
    ]
    return [Evidence(one, label, role=role, parameters=s) for role, label, one in found]


def _wells(s: Settings, data: xr.Dataset, wells: str) -> tuple[str, str, xr.Dataset]:
    where = _circle(s, wells)
    attrs = {"spacings": where.spacings(min(s.eta_lambdas), s.cells), "arrhenius": where.arrhenius()}
    return f"{wells} wells", f"c = {where.c:g}", data.sel(wells=wells, drop=True).assign_attrs(attrs)


def _of_role(role: str) -> Any:
    def made(one: Evidence, everyone: Sequence[Evidence]) -> Evidence | None:
        return next((e for e in everyone if e.role == role), None)

    return made


def foreseen(settings: Settings) -> Mapping[str, Status]:
    """Where these settings leave what a claim is stated for."""
    s, found = settings, list[str]()
    if s.d < WIDE:
        found += ["intrinsic.loss_level", "intrinsic.loss_follows_norm", "adamp.projection_helps"]
        found += ["adamp.projection_helps_noise"]
    if s.wide < WIDE:
        found += [f"adamp.{name}" for name in ("growth", "premature_decay", "equilibrium", "adam", "universal_step")]
    if s.steps < LONG * 100:
        found += ["adamp.universal_step"]
    if _circle(s, "equal").spacings(min(s.eta_lambdas), s.cells) < 1:
        found += [f"intrinsic.{name}" for name in ("fast_equilibrium", "fast_equilibrium_unequal", "arrhenius")]
    if sum(x <= 1e-3 * (1 + 1e-9) for x in s.eta_lambdas) < 3:
        found += ["intrinsic.arrhenius"]
    return dict.fromkeys(found, Status.NOT_APPLICABLE)


def undecided(settings: Settings) -> Mapping[str, str]:
    """Few replicas leave the intervals wider than what is stated."""
    s, found = settings, dict[str, str]()
    for flag, have, least, names in (
        ("seeds", s.seeds, ENOUGH, ("adamp.equilibrium", "adamp.adam", "adamp.premature_decay")),
        ("seeds", s.seeds, ENOUGH_UNIVERSAL, ("adamp.universal_step",)),
        ("follow_runs", s.follow_runs, ENOUGH_FOLLOW, ("intrinsic.loss_follows_norm",)),
        ("helps_runs", s.helps_runs, ENOUGH_HELPS, ("adamp.projection_helps",)),
    ):
        if have < least:
            why = f"{have} replicas leave the intervals wide; --{flag.replace('_', '-')} {least} decide"
            found |= dict.fromkeys(names, why)
    if s.runs * s.level_steps < ENOUGH_LEVEL:
        why = f"{s.runs} replicas of {s.level_steps} steps leave it wide; --runs 48 --level-steps 10000 decide"
        found |= dict.fromkeys(("intrinsic.loss_level", "intrinsic.loss_follows_norm"), why)
    return found


# --- shown ----------------------------------------------------------------------------------------------------------


def tables(result: Result[Settings]) -> Sequence[Table]:
    """Steps to equilibrium by ηλ: of the norm, and of the angle in both pairs of wells."""
    data = result.data["circle"]
    rows, values = [], []
    for place in result.settings.eta_lambdas:
        one = data.sel(eta_lambda=place)
        steps = [int(one["steps"].sel(wells=wells)) for wells in ("equal", "unequal")]
        norm = norms.relaxation(place, START, TOLERANCE)
        slowest = float(one["slowest"].sel(wells="unequal"))
        rows.append([f"{place:g}", number(norm), *(f"{n} ({n * place:.3g})" for n in steps), number(slowest)])
        values.append({"ηλ": place, "norm": norm, "equal": steps[0], "unequal": steps[1], "τ₂": slowest})
    return [
        Table(
            "rest",
            "Steps to equilibrium, and times ηλ",
            ["ηλ", "norm", "equal wells", "unequal wells", "τ₂"],
            rows,
            f"norm: from G*/4 to 1 % of G*², ln(93.75)/(4ηλ); wells: until E U, from θ = π, is within 10 % of its end; "
            f"τ₂ of the unequal ones; {result.settings.cells} angles, no sampling.",
            values,
        )
    ]


def summary(result: Result[Settings]) -> Sequence[str]:
    """What no decay does to η_eff, and what the projection does to the loss."""
    on_noise = next(e.data for e in result.evidence if e.role == "noise")
    steps, told = result.settings.steps, []
    for k in range(on_noise.sizes["case"]):
        one = on_noise.isel(case=k)
        if float(one["decay"]) == 0 and float(one["eta"]) == NOISE_ETA:
            value = float((one["eta"] / ((1 - one["beta"]) * one["G"])).mean()) * (2 * steps) ** 0.5
            told.append(f"{'SGDP' if one['projected'] else 'SGDM'} {float(one['beta']):g}: {value:.3f}")
    loss = result.data["helps"]["loss"].mean("seed").sel(step=STEPS_SEEN[-1])
    helped = "; ".join(
        f"σ = {sigma:g}: " + ", ".join(f"{which} {float(loss.sel(sigma=sigma, which=which)):.3g}" for which in HELPS)
        for sigma in SIGMAS
        if sigma > 0
    )
    return [
        f"η_eff√(2t) after {steps} steps of noise without decay, η = {NOISE_ETA:g}, by β: {', '.join(told)}.",
        f"E L after {STEPS_SEEN[-1]} steps with noise and without decay: {helped}.",
    ]


def resolve(backend: str) -> str:
    """What "auto" stands for: machine code where there is any. A device takes the steps one by one, where asked to."""
    from lemmascope.sims.cubic_cnn.backends import auto

    return auto.resolve(backend, ("compiled", "numpy"))


def _steps_cost(steps: float, d: int, cases: float) -> float:
    """Milliseconds of a replica's steps, as measured: its noise, and each case."""
    return steps * d * (22 + 5 * cases) / 1e6


def _small(settings: Settings, at: Mapping[str, Any]) -> tuple[float, float]:
    """A block of noise, and what is looked at in every step; a part as it was measured."""
    return 6e7, 3e4


def _matrices(settings: Settings, at: Mapping[str, Any]) -> tuple[float, float]:
    return 8.0 * settings.cells**2 * 40, 3e3


STUDY = Study(
    name="intrinsic_lr",
    subject="scale_invariant",
    message=(
        "Where the length of weights does not matter, decay sets it: |w|⁴ → (η/λ)|ĝ|²/(2 − ηλ) within some 1/(ηλ) "
        "steps, a step turns w by arccos(1 − ηλ), and only ηλ and η/|w₀|² are seen. How fast the loss comes to rest is "
        "a matter of the landscape: within 1/(ηλ) steps where wells are equal, exponentially late where they are not. "
        "Without decay momentum's step tends to 1/√(2t) whatever η and β, plain SGD's; SGDP's is √((1+β)/(1−β)) times "
        "as large, which helps without noise and hurts with it."
    ),
    settings=Settings,
    experiments={
        "exact": Experiment(
            lambda s: {"seed": range(s.seeds)},
            exact,
            lambda s, at: _steps_cost(SCALED_STEPS, s.d, 3) + _steps_cost(FIXED_STEPS, s.d, len(PAIRS)),
            needs=_small,
        ),
        "relaxation": Experiment(
            lambda s: {"eta_lambda": RELAXED},
            relaxation,
            lambda s, at: _steps_cost(1.5 / at["eta_lambda"], s.d, len(ETAS)),
            needs=_small,
        ),
        "level": Experiment(
            lambda s: {"seed": _blocks(s.runs, BLOCK)},
            level,
            lambda s, at: len(at["seed"]) * _steps_cost(LEVEL_BURN_IN + s.level_steps, s.d, 2 * len(LEVELS)),
            needs=_small,
        ),
        "follow": Experiment(
            lambda s: {"eta_lambda": FOLLOWED, "seed": _blocks(s.follow_runs, FOLLOW_BLOCK)},
            follow,
            lambda s, at: len(at["seed"]) * _steps_cost(FOLLOWED_AT[-1] / at["eta_lambda"], s.d, 4),
            needs=_small,
        ),
        "circle": Experiment(
            lambda s: {"wells": ("equal", "unequal"), "eta_lambda": s.eta_lambdas},
            circle,
            lambda s, at: 25 * 2 * s.cells**3 / 3e7,
            needs=_matrices,
        ),
        "noise": Experiment(
            lambda s: {"seed": range(s.seeds)},
            noise,
            lambda s, at: _steps_cost(s.steps, s.wide, len(cases())) + _steps_cost(3700, s.wide, 2),
            needs=_small,
        ),
        "adam": Experiment(
            lambda s: {"seed": range(s.seeds)}, adam, lambda s, at: _steps_cost(ADAM_STEPS, s.wide, 9), needs=_small
        ),
        "helps": Experiment(
            lambda s: {"sigma": SIGMAS, "seed": _blocks(s.helps_runs, BLOCK)},
            helps,
            lambda s, at: len(at["seed"]) * _steps_cost(STEPS_SEEN[-1], s.d, len(HELPS)),
            needs=_small,
        ),
    },
    derive=derive,
    evidence=evidence,
    claims=CLAIMS,
    controls={name: _of_role(name) for name in ("reset", "unequal wells")},
    expected=foreseen,
    undecided=undecided,
    tables=tables,
    summary=summary,
    examples=(
        "lemmascope intrinsic_lr",
        "lemmascope intrinsic_lr --quick",
        "lemmascope intrinsic_lr --c 0.05 --out results/deeper",
        "lemmascope intrinsic_lr --b 0.2 --eta-lambdas 0.03,0.01,0.003 --out results/higher-barrier",
        "lemmascope intrinsic_lr --full --cluster local --out results/intrinsic-lr-full",
    ),
    seconds=20,
    backends=("auto", "compiled", "numpy", "cupy"),
    resolve=resolve,
)
