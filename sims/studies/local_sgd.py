"""Local SGD drifts up to K times faster than parallel SGD along a valley: by how much, at which rates, how long.

K workers with H local steps between averages, on two valleys of minima: the curve uv = 1 with label noise, where
u² − v² and the averages obey exact identities, and a straight valley with noise along it. Replicas of all lengths of a
round on the same noise, against a drift in closed form.
"""

from __future__ import annotations

__all__ = ["RATES", "STUDY", "WINDOW_LENGTHS", "Settings", "ratios"]

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from lemmascope.sims.study import Data, Experiment, Result, Study, Task, option
from lemmascope.sims.tables import Table
from lemmascope.theory.claim import Evidence
from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.noise import local_sgd as theory
from lemmascope.theory.noise.claims import LOCAL_SGD
from lemmascope.theory.noise.local_sgd import RULES, SMALL_NOISE, SMALL_PULL
from lemmascope.theory.verdict import Status

BLOCK = 16
"""Replicas of a task."""

WORKER_LENGTHS = (1, 8, 64, 512)
"""Of a round, with several numbers of workers."""

RATES = (8, 12, 16, 24, 32)
"""H of the rule H = 0.32/η, which make η; then 0.0128/η² = H²/8, and η²k = 0.8192 at k = 8H², are whole rounds too."""

BUDGET = 0.32

AVERAGE_ETA, AVERAGE_LENGTHS, AVERAGE_BURN_IN, AVERAGE_STEPS = 0.02, (1, 8, 64), 3200, 64_000
"""Of the noise at the flattest point."""

WINDOW_ETA, WINDOW_LENGTHS = 0.02, (1, 2, 32)
WINDOW_SETTING = (8, 0.5, 3.0)
"""K, s and z₀ for which the gaps are stated in numbers."""

WINDOW_END, WINDOW_EVERY = 192_000, 800
"""Steps of a run, and between two records: 0.01 of η²s²k/K."""

STRAIGHT_ETA, STRAIGHT_K, STRAIGHT_LENGTHS = 0.05, 4, (1, 8, 32)
STRAIGHT_BURN_IN, STRAIGHT_EVERY = 25_600, 1600
"""Four relaxation times of parallel SGD, which are 6240 steps; and how far apart x is seen."""

VALLEY = theory.Straight()

ENOUGH, ENOUGH_WINDOW, ENOUGH_STRAIGHT = 96, 12, 40
"""Replicas without which intervals are wider than what is stated."""


@dataclass(frozen=True)
class Settings:
    """What the study is run with."""

    seeds: int = option(256, "Replicas of drift and noise on the curve.", tiny=16, quick=128, full=2048)
    lengths: tuple[int, ...] = option(
        (2, 4, 8, 16, 32, 64, 128, 512, 2048),
        "Local steps H between averages, divisors of --steps.",
        tiny=(2, 4, 2048),
        quick=(4, 32, 512),
    )
    several_K: tuple[int, ...] = option(
        (2, 4, 16, 32), "Numbers of workers beside --K.", tiny=(2, 32), quick=(2, 4, 16)
    )
    K: int = option(8, "Workers.")
    eta: float = option(0.01, "Learning rate of the drift's ratio.")
    s: float = option(0.5, "Label noise on the curve.")
    z_0: float = option(3.0, "u² − v² at the start; the flattest point is 0.")
    steps: int = option(8192, "Local steps of the drift's ratio.", tiny=4096)
    window_seeds: int = option(64, "Replicas of the long runs.", tiny=8, quick=16, full=256)
    straight_seeds: int = option(64, "Replicas in the straight valley.", tiny=8, quick=48, full=512)
    straight_steps: int = option(160_000, "Local steps there, 25600 of them left out at first.", tiny=57_600)

    def __post_init__(self) -> None:
        for name in ("seeds", "window_seeds", "straight_seeds", "K"):
            if check_size(name, getattr(self, name)) < 2:
                raise InputError(name, getattr(self, name), "it must be at least 2")
        for name in ("lengths", "several_K"):
            values = getattr(self, name)
            if not values or list(values) != sorted(set(values)):
                raise InputError(name, values, "give one or more, increasing")
            for one in values:
                if check_size(name, one) < 2:
                    raise InputError(name, one, "each must be at least 2; H = 1 is there for comparison")
        for name in ("eta", "s", "z_0"):
            check_number(name, getattr(self, name), 0, open_low=True)
        check_size("steps", self.steps)
        for H in (*self.lengths, *WORKER_LENGTHS):
            if self.steps % H:
                raise InputError(
                    "steps", self.steps, f"it must be a multiple of every length of a round, and {H} is one"
                )
        edge = theory.edge(theory.sharpness(self.z_0))
        if self.eta >= edge:
            raise InputError("eta", self.eta, f"steps diverge across the valley beyond 2/h₀ = {edge:.4g}; stay below")
        if self.straight_steps % STRAIGHT_EVERY or self.straight_steps < STRAIGHT_BURN_IN + 8 * STRAIGHT_EVERY:
            why = f"it must be a multiple of {STRAIGHT_EVERY}, at least {STRAIGHT_BURN_IN + 8 * STRAIGHT_EVERY}"
            raise InputError("straight_steps", self.straight_steps, why)


def _blocks(seeds: int) -> list[range]:
    return [range(start, min(start + BLOCK, seeds)) for start in range(0, seeds, BLOCK)]


def _start(z: float) -> tuple[float, float]:
    """(u, v) on uv = 1 with u² − v² = z."""
    u = math.sqrt((theory.sharpness(z) + z) / 2)
    return u, 1 / u


def _curve(task: Task[Settings], what: str, s: float, z: float, plan: Any) -> dict[str, np.ndarray]:
    """The replicas of a task on the curve."""
    from lemmascope.sims.noise.local_sgd import run
    from lemmascope.theory.noise.valley import Curve

    rngs = [task.rng(what, seed) for seed in task.at["seed"]]
    return run(Curve(s), plan, _start(z), rngs, task.backend)


def _z(w: np.ndarray) -> np.ndarray:
    return w[..., 0] ** 2 - w[..., 1] ** 2


def _fall(found: Mapping[str, np.ndarray], z_0: float) -> np.ndarray:
    """−ln(z_T/z₀) (seeds, lengths); NaN where z has changed its sign."""
    z = _z(found["w"][:, :, -1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return -np.log(np.where(z > 0, z, np.nan) / z_0)


def _seen(task: Task[Settings], variables: Mapping[str, np.ndarray], coords: Mapping[str, Any]) -> xr.Dataset:
    """Arrays over (seed, *coords) as a part."""
    dims = ("seed", *coords)
    data = {name: (dims[: x.ndim], x) for name, x in variables.items()}
    return xr.Dataset(data, {"seed": list(task.at["seed"]), **coords})


# --- experiments ----------------------------------------------------------------------------------------------------


def lengths(task: Task[Settings]) -> xr.Dataset:
    """Falls of −ln z with every length of a round on the same noise, and the identities in every step."""
    from lemmascope.sims.noise.local_sgd import Plan

    s = task.settings
    rounds = (1, *s.lengths)
    found = _curve(task, "lengths", s.s, s.z_0, Plan(s.eta, s.K, rounds, (s.steps,), check=True))
    names = ("step", "average", "wrong_step", "wrong_average")
    return _seen(task, {"fall": _fall(found, s.z_0)} | {x: found[x] for x in names}, {"H": list(rounds)})


def shared(task: Task[Settings]) -> xr.Dataset:
    """The fall at the shortest length where all workers see one stream of noise."""
    from lemmascope.sims.noise.local_sgd import Plan

    s = task.settings
    found = _curve(task, "shared", s.s, s.z_0, Plan(s.eta, s.K, s.lengths[:1], (s.steps,), shared=True))
    return _seen(task, {"fall": _fall(found, s.z_0)}, {"H": list(s.lengths[:1])})


def workers(task: Task[Settings]) -> xr.Dataset:
    """Falls with another number of workers."""
    from lemmascope.sims.noise.local_sgd import Plan

    s, K = task.settings, task.at["K"]
    found = _curve(task, f"workers K={K}", s.s, s.z_0, Plan(s.eta, K, WORKER_LENGTHS, (s.steps,)))
    return _seen(task, {"fall": _fall(found, s.z_0)}, {"H": list(WORKER_LENGTHS)})


def rates(task: Task[Settings]) -> xr.Dataset:
    """Falls at equal η²k by each rule for H."""
    from lemmascope.sims.noise.local_sgd import Plan

    s, H = task.settings, task.at["H"]
    rounds, steps = by_rule(H)
    found = _curve(task, f"rates H={H}", s.s, s.z_0, Plan(BUDGET / H, s.K, tuple(sorted(set(rounds))), (steps,)))
    places = [sorted(set(rounds)).index(one) for one in rounds]
    return _seen(task, {"fall": _fall(found, s.z_0)[:, places]}, {"rule": list(RULES)})


def by_rule(H: int) -> tuple[tuple[int, ...], int]:
    """Lengths of a round at η = 0.32/H in the order of the rules, and local steps."""
    return (1, 4, H, H * H // 8), 8 * H * H


def average(task: Task[Settings]) -> xr.Dataset:
    """(uv − 1)² at the flattest point, at the averages and just before."""
    from lemmascope.sims.noise.local_sgd import Plan

    s = task.settings
    plan = Plan(AVERAGE_ETA, s.K, AVERAGE_LENGTHS, (AVERAGE_STEPS,), burn_in=AVERAGE_BURN_IN)
    found = _curve(task, "average", s.s, 0.0, plan)
    return _seen(task, {x: found[x] for x in ("after", "before")}, {"H": list(AVERAGE_LENGTHS)})


def _times() -> tuple[int, ...]:
    """Of the records: 1/η in whole rounds of 64 steps, then at even distances."""
    first = math.ceil(1 / WINDOW_ETA / 64) * 64
    return (first, *range(WINDOW_EVERY, WINDOW_END + 1, WINDOW_EVERY))


def window(task: Task[Settings]) -> xr.Dataset:
    """u and v along long runs."""
    from lemmascope.sims.noise.local_sgd import Plan

    s = task.settings
    found = _curve(task, "window", s.s, s.z_0, Plan(WINDOW_ETA, s.K, WINDOW_LENGTHS, _times()))
    u, v = np.moveaxis(found["w"], -1, 0)
    return _seen(task, {"u": u, "v": v}, {"H": list(WINDOW_LENGTHS), "step": list(_times())})


def straight(task: Task[Settings]) -> xr.Dataset:
    """x in the straight valley: its increments, its square, and its companion's."""
    from lemmascope.sims.noise.local_sgd import Plan, run

    s, K = task.settings, task.at["K"]
    times = tuple(range(STRAIGHT_BURN_IN + STRAIGHT_EVERY, s.straight_steps + 1, STRAIGHT_EVERY))
    plan = Plan(STRAIGHT_ETA, K, STRAIGHT_LENGTHS, times, burn_in=STRAIGHT_BURN_IN)
    rngs = [task.rng(f"straight K={K}", seed) for seed in task.at["seed"]]
    found = run(VALLEY, plan, (0.0, 0.0), rngs, task.backend)
    exact = [theory.companion_square(STRAIGHT_ETA, VALLEY, K, H, np.array(times)) for H in STRAIGHT_LENGTHS]
    # The companion's square is known, so that only the difference is noisy.
    squares = found["w"][..., 0] ** 2 - found["companion"] ** 2 + np.array(exact)
    return _seen(
        task, {"increment": found["increment"], "squares": squares}, {"H": list(STRAIGHT_LENGTHS), "step": list(times)}
    )


# --- predictions ----------------------------------------------------------------------------------------------------


def _fallen(eta: float, s: Settings, K: int, rounds: Sequence[int], steps: int) -> list[float]:
    """−ln(z_T/z₀) by the rate along the valley, for each length of a round."""
    from lemmascope.sims.noise.local_sgd import trajectory

    ends = [trajectory(s.z_0, np.array([float(steps)]), eta, s.s, K, H)[0] for H in rounds]
    return [math.log(s.z_0) - float(end) for end in ends]


def derive(settings: Settings, data: Data) -> Data:
    """What is predicted, beside what was measured."""
    from lemmascope.sims.noise.local_sgd import trajectory

    s, found = settings, dict(data)
    rounds = found["lengths"]["H"].values.tolist()
    found["lengths"] = found["lengths"].assign(predicted=("H", _fallen(s.eta, s, s.K, rounds, s.steps)))
    each = [[_fallen(s.eta, s, K - less, WORKER_LENGTHS, s.steps) for K in s.several_K] for less in (0, 1)]
    found["workers"] = found["workers"].assign(predicted=(("K", "H"), each[0]), fewer=(("K", "H"), each[1]))
    by_rate = [_fallen(BUDGET / H, s, s.K, *by_rule(H)) for H in RATES]
    found["rates"] = found["rates"].assign(predicted=(("H", "rule"), by_rate))
    stated = float(theory.at_average(AVERAGE_ETA, s.s, s.K, 2.0))
    found["average"] = found["average"].assign(stated=("H", [stated] * len(AVERAGE_LENGTHS)))
    long = found["window"]
    u, v = long["u"], long["v"]
    times = long["step"].values.astype(float)
    predicted = [np.exp(trajectory(s.z_0, times, WINDOW_ETA, s.s, s.K, H)) for H in WINDOW_LENGTHS]
    found["window"] = long.assign(
        z=u**2 - v**2,
        h=u**2 + v**2,
        z_predicted=(("H", "step"), predicted),
        h_predicted=(("H", "step"), [theory.sharpness(z) for z in predicted]),
        budget=("step", times * (WINDOW_ETA * s.s) ** 2 / s.K),
    )
    return found


def ratios(data: xr.Dataset, of: str = "predicted") -> xr.DataArray:
    """Predicted falls over that of H = 1."""
    return data[of] / data[of].sel(H=1, drop=True)


# --- evidence -------------------------------------------------------------------------------------------------------


def evidence(settings: Settings, data: Data) -> Sequence[Evidence]:
    """What each group of claims is measured on."""
    s = settings
    h_0 = float(theory.sharpness(s.z_0))

    def curve(found: xr.Dataset, eta: float, h: float) -> xr.Dataset:
        crossed = int(found["fall"].isnull().sum()) if "fall" in found else 0
        return found.assign_attrs(eta_h=eta * h, eta_noise=eta * s.s**2, crossed=crossed)

    drift = data["lengths"].assign(predicted=ratios(data["lengths"]))
    several = data["workers"].assign(predicted=ratios(data["workers"]), fewer=ratios(data["workers"], "fewer"))
    by_rate = data["rates"].rename_dims(H="rate").drop_vars("H").assign_coords(rate=[BUDGET / H for H in RATES])
    by_rate = by_rate.assign(predicted=by_rate["predicted"] / by_rate["predicted"].isel(rule=0))
    roles = (
        ("lengths", "lengths of a round", curve(drift, s.eta, h_0)),
        ("workers", "numbers of workers", curve(several, s.eta, h_0)),
        ("average", "at the flattest point", curve(data["average"], AVERAGE_ETA, 2.0)),
        ("rates", "learning rates", curve(by_rate, max(BUDGET / H for H in RATES), h_0)),
        ("window", "long runs", _gaps(data["window"], s, h_0)),
        ("straight", f"K = {STRAIGHT_K}", _straight(data["straight"], STRAIGHT_K)),
        ("one worker", "K = 1", _straight(data["straight"], 1)),
        ("shared noise", "shared noise", _shared(drift, data["shared"])),
    )
    return [Evidence(found, label, role=role, parameters=s) for role, label, found in roles]


def _shared(drift: xr.Dataset, found: xr.Dataset) -> xr.Dataset:
    """The fall of workers that share their noise beside that of parallel SGD whose workers do not."""
    rest = drift.sel(H=[1, *found["H"].values.tolist()])
    fall = xr.concat([rest["fall"].sel(H=[1]), found["fall"]], "H").transpose("seed", "H")
    return rest.assign(fall=fall)


def _gaps(data: xr.Dataset, s: Settings, h_0: float) -> xr.Dataset:
    """Parallel SGD less Local SGD, in z and in h, with what is predicted."""
    names = ("z", "h", "z_predicted", "h_predicted")
    gaps = {name: data[name].sel(H=1, drop=True) - data[name].sel(H=list(WINDOW_LENGTHS[1:])) for name in names}
    R = np.array([float(theory.drift_ratio(s.K, H, WINDOW_ETA * h_0)) for H in WINDOW_LENGTHS[1:]])
    found = xr.Dataset(
        {
            "z_gap": gaps["z"],
            "h_gap": gaps["h"],
            "z_predicted": gaps["z_predicted"],
            "h_predicted": gaps["h_predicted"],
            "peak": ("H", theory.window_peak(R)),
            "budget": data["budget"],
        },
        attrs={"R": float(R[-1]), "stated": int((s.K, s.s, s.z_0) == WINDOW_SETTING)},
    )
    return found.rename_dims(step="record")


def _straight(data: xr.Dataset, K: int) -> xr.Dataset:
    """Measured with K workers, stated for `STRAIGHT_K`; whether the means have settled."""
    from lemmascope.sims.equilibrium import stationary_mean

    one = data.sel(K=K, drop=True)
    means = [stationary_mean(one["squares"].sel(H=H).transpose("seed", "step").values) for H in STRAIGHT_LENGTHS]
    stated = [float(theory.stationary_along(STRAIGHT_ETA, VALLEY, STRAIGHT_K, H)) for H in STRAIGHT_LENGTHS]
    diffusion = float(theory.diffusion(STRAIGHT_ETA, VALLEY.tau, STRAIGHT_K))
    return xr.Dataset(
        {
            "square": one["squares"].mean("step"),
            "increment": one["increment"],
            "square_stated": ("H", stated),
            "increment_stated": ("H", [diffusion] * len(stated)),
            "unsettled": ("H", [int(bool(mean.unsettled)) for mean in means]),
        },
        attrs={"narrow": VALLEY.kappa * max(stated) / VALLEY.h_0},
    )


def _of_role(role: str) -> Any:
    def made(one: Evidence, everyone: Sequence[Evidence]) -> Evidence | None:
        return next((e for e in everyone if e.role == role), None)

    return made


def expected(settings: Settings) -> Mapping[str, Status]:
    """Where these settings leave what a claim is stated for."""
    s, found = settings, []
    if s.eta * theory.sharpness(s.z_0) > SMALL_PULL or s.eta * s.s**2 > SMALL_NOISE:
        found += ["drift_ratio", "workers"]
    if AVERAGE_ETA * s.s**2 > SMALL_NOISE:
        found += ["same_noise_at_sync"]
    if BUDGET / min(RATES) * s.s**2 > SMALL_NOISE:
        found += ["small_rate"]
    if (s.K, s.s, s.z_0) != WINDOW_SETTING:
        found += ["long_training", "window"]
    return {f"local_sgd.{name}": Status.NOT_APPLICABLE for name in found}


def undecided(settings: Settings) -> Mapping[str, str]:
    """Few replicas leave the intervals wider than what is stated."""
    found: dict[str, str] = {}
    for flag, least, names in (
        ("seeds", ENOUGH, ("drift_ratio", "workers", "same_noise_at_sync", "small_rate")),
        ("window_seeds", ENOUGH_WINDOW, ("long_training", "window")),
        ("straight_seeds", ENOUGH_STRAIGHT, ("same_diffusion",)),
    ):
        if getattr(settings, flag) < least:
            decide = f"--{flag.replace('_', '-')} {least} decide"
            why = f"{getattr(settings, flag)} replicas leave the intervals wide; {decide}"
            found |= {f"local_sgd.{name}": why for name in names}
    return found


# --- shown ----------------------------------------------------------------------------------------------------------


def tables(result: Result[Settings]) -> Sequence[Table]:
    """The drift's ratio by length of a round."""
    data, s = result.data["lengths"], result.settings
    predicted, base = ratios(data), data["fall"].sel(H=1)
    rows, values = [], []
    for H in s.lengths:
        fall = data["fall"].sel(H=H)
        R = float(fall.mean() / base.mean())
        error = float((fall - R * base).std(ddof=1) / base.mean()) / math.sqrt(base.size)
        stated, frozen = float(predicted.sel(H=H)), float(theory.drift_ratio(s.K, H, s.eta * theory.sharpness(s.z_0)))
        rows.append([str(H), f"{R:.3f} ± {error:.3f}", f"{stated:.3f}", f"{frozen:.3f}"])
        values.append({"H": H, "measured": R, "error": error, "predicted": stated, "at the start": frozen})
    return [
        Table(
            "ratio",
            f"The drift's ratio R to parallel SGD, K = {s.K}, η = {s.eta:g}",
            ["H", "measured", "predicted", "at h₀"],
            rows,
            f"Over {base.size} replicas ± standard error, {s.steps} local steps; predicted: the rate integrated along "
            "the valley; last, K − (K − 1)φ with h as it is at the start.",
            values,
        )
    ]


def summary(result: Result[Settings]) -> Sequence[str]:
    """The window in numbers, and what is left out by the closed forms."""
    (gaps,) = (e.data for e in result.evidence if e.role == "window")
    (along,) = (e.data for e in result.evidence if e.role == "straight")
    one, told = gaps.isel(H=-1), []
    for name in ("z", "h"):
        mean = one[f"{name}_gap"].mean("seed")
        top = int(mean.argmax("record"))
        ode = one[f"{name}_predicted"]
        told.append(
            f"in {name} {float(mean[top]):.3f} at {float(one['budget'][top]):.2f} (predicted {float(ode.max()):.3f} at "
            f"{float(one['budget'][int(ode.argmax('record'))]):.2f})"
        )
    squares = ", ".join(
        f"{float(along['square'].sel(H=H).mean() / along['square_stated'].sel(H=H)):.3f}" for H in STRAIGHT_LENGTHS
    )
    return [
        f"Parallel SGD is behind Local SGD, H = {WINDOW_LENGTHS[-1]}, at most {' and '.join(told)}, in units of "
        f"η²s²k/K; ln R/(R − 1) = {float(one['peak']):.3f}.",
        f"E x² of the straight valley over ητ²/(KκρS), H = {', '.join(map(str, STRAIGHT_LENGTHS))}: {squares}.",
    ]


def resolve(backend: str) -> str:
    """What "auto" stands for: machine code where there is any. A device takes the steps one by one, where asked to."""
    from lemmascope.sims.cubic_cnn.backends import auto

    return auto.resolve(backend, ("compiled", "numpy"))


def _cost(worker_steps: float, lengths: int) -> float:
    """Milliseconds for a replica, as measured: a normal number for each worker's step, and the step at each length."""
    return worker_steps * (12 + 3 * lengths) / 1e6


def _needs(disc: float) -> Callable[[Settings, Mapping[str, Any]], tuple[float, float]]:
    """A block of noise, and what is seen; a part as it was measured."""
    return lambda settings, at: (4e7, disc)


STUDY = Study(
    name="local_sgd",
    subject="noise",
    message=(
        "Along a valley Local SGD drifts R = K − (K−1)φ times faster than parallel SGD, φ = (1 − a^{2H})/(H(1 − a²)), "
        "a = 1 − ηh: between 1 and the number of workers K, at the same noise where workers average. A smaller "
        "learning rate at fixed H takes the gain away, H ∝ 1/η keeps it; and it is a window in time, as both reach "
        "the flattest point in the end."
    ),
    settings=Settings,
    experiments={
        "lengths": Experiment(
            lambda s: {"seed": _blocks(s.seeds)},
            lengths,
            lambda s, at: len(at["seed"]) * _cost(s.steps * s.K, 2 * (1 + len(s.lengths))),
            needs=_needs(3e4),
        ),
        "shared": Experiment(
            lambda s: {"seed": _blocks(s.seeds)},
            shared,
            lambda s, at: len(at["seed"]) * _cost(s.steps * s.K, 1),
            needs=_needs(3e4),
        ),
        "workers": Experiment(
            lambda s: {"K": s.several_K, "seed": _blocks(s.seeds)},
            workers,
            lambda s, at: len(at["seed"]) * _cost(s.steps * at["K"], len(WORKER_LENGTHS)),
            needs=_needs(3e4),
        ),
        "rates": Experiment(
            lambda s: {"H": RATES, "seed": _blocks(s.seeds)},
            rates,
            lambda s, at: len(at["seed"]) * _cost(8.0 * at["H"] ** 2 * s.K, len(RULES)),
            needs=_needs(3e4),
        ),
        "average": Experiment(
            lambda s: {"seed": _blocks(s.seeds)},
            average,
            lambda s, at: len(at["seed"]) * _cost(AVERAGE_STEPS * s.K, len(AVERAGE_LENGTHS)),
            needs=_needs(3e4),
        ),
        "window": Experiment(
            lambda s: {"seed": _blocks(s.window_seeds)},
            window,
            lambda s, at: len(at["seed"]) * _cost(WINDOW_END * s.K, len(WINDOW_LENGTHS)),
            needs=_needs(2e5),
        ),
        "straight": Experiment(
            lambda s: {"K": (1, STRAIGHT_K), "seed": _blocks(s.straight_seeds)},
            straight,
            lambda s, at: 2 * len(at["seed"]) * _cost(s.straight_steps * at["K"], len(STRAIGHT_LENGTHS)),
            needs=_needs(4e4),
        ),
    },
    derive=derive,
    evidence=evidence,
    claims=LOCAL_SGD,
    controls={"shared noise": _of_role("shared noise"), "one worker": _of_role("one worker")},
    expected=expected,
    undecided=undecided,
    tables=tables,
    summary=summary,
    examples=(
        "lemmascope local_sgd",
        "lemmascope local_sgd --quick",
        "lemmascope local_sgd --K 32 --lengths 8,64,512 --out results/many-workers",
        "lemmascope local_sgd --eta 0.02 --steps 4096 --lengths 4,32,512 --out results/larger-rate",
        "lemmascope local_sgd --full --cluster local --out results/local-sgd-full",
    ),
    seconds=15,
    backends=("auto", "compiled", "numpy", "cupy"),
    resolve=resolve,
)
