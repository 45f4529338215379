"""Has stochastic gradient noise a memory? Estimators on exact noise, on the network's, and escape times.

Independent batches make white noise whatever the model; what looks like memory comes from the epoch, from momentum, or
from a mean that was not taken off. Escape under fractional noise is slower for a larger H, or faster: it depends on
what is held fixed. The estimators are public: `lemmascope.memory`.
"""

from __future__ import annotations

__all__ = ["GAMMAS", "PARAMETERS", "STUDY", "Settings", "batches_of_an_epoch"]

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from lemmascope.sims.study import Data, Experiment, Result, Study, Task, option
from lemmascope.sims.tables import Table
from lemmascope.theory.claim import Evidence
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.noise import long_memory as theory
from lemmascope.theory.noise.claims import LONG_MEMORY
from lemmascope.theory.noise.claims.long_memory import LEAST_EPOCH
from lemmascope.theory.verdict import Status

PARAMETERS = Parameters(d=400, N=128, P=2, m=5, alpha=2.0, beta=0.2, mu=0.25, sigma=0.05, sigma_0=0.05)
"""The network whose noise is recorded."""

HURST = (0.2, 0.35, 0.5, 0.65, 0.8)
LENGTH, BLOCK, RESCALED = 4096, 100, 10
"""Of the exact noise of the calibration: values of a series, series of a task, and of those with a rescaled range."""

TRAINING = (0.0, 0.99)
"""Momenta of the network in training."""

GAMMAS = (0.9, 0.99)
"""Momenta of white noise."""

SERIES = 16
"""Series of a task."""

ALIEN, COMPARED = 0.3, 0.7
"""H of the exact noise that is no epoch's, and that is no momentum."""

SIZES = (1, 4, 16, 64)

PULL, LEVEL = 0.05, 2.5
ESCAPING = (0.3, 0.4, 0.5, 0.6, 0.7)
PATHS = 32
"""Paths of a task."""

SHOWN = tuple(2**k for k in range(11))
"""Lengths of the sums in the picture."""

ENOUGH = {"draws": 1500, "seeds": 12, "series": 64, "paths": 256}
"""Without which intervals are wider than what is stated."""

MOST = 10**6
"""Replicas, at most."""


@dataclass(frozen=True)
class Settings:
    """What the study is run with."""

    draws: int = option(2500, "Exact series for each H of the calibration.", tiny=100, quick=1500, full=20_000)
    seeds: int = option(16, "Networks whose noise is recorded.", tiny=8, quick=12, full=64)
    steps: int = option(16_384, "Steps of each in training.", tiny=1024, quick=4096)
    frozen_steps: int = option(16_384, "Steps with frozen weights.", tiny=4096)
    samples: int = option(2**22, "Samples drawn of each for the kurtosis, a power of 2.", tiny=2**18)
    B: int = option(8, "Batch size, a divisor of 128.")
    eta: float = option(0.02, "Learning rate of the network.")
    series: int = option(64, "Series of momentum of white noise.", tiny=16, full=256)
    length: int = option(2**17, "Steps of each of these.", tiny=2**15)
    paths: int = option(1024, "Paths of each escape.", tiny=128, quick=512, full=8192)
    path_steps: int = option(2**14, "Steps after which a path is no longer followed.", tiny=2048, quick=2**13)

    def __post_init__(self) -> None:
        for name in ("draws", "seeds", "series", "paths"):
            if not 2 <= check_size(name, getattr(self, name)) <= MOST:
                raise InputError(name, getattr(self, name), f"it must be from 2 to {MOST}")
        N = PARAMETERS.N
        if N % check_size("B", self.B) or self.B == N:
            raise InputError(
                "B", self.B, f"it must divide the {N} samples and be less: an epoch is two batches or more"
            )
        check_number("eta", self.eta, 0, open_low=True)
        for name in ("steps", "frozen_steps"):
            if check_size(name, getattr(self, name)) < 2 * N or getattr(self, name) % N:
                raise InputError(name, getattr(self, name), f"it must be a multiple of {N}, whole epochs, and twice it")
        if check_size("length", self.length) < 2 * places(max(GAMMAS))[-1] // 2 + 1:
            raise InputError("length", self.length, f"sums of {places(max(GAMMAS))[-1]} steps are measured; it is more")
        check_size("path_steps", self.path_steps, 16)
        if check_size("samples", self.samples, 2**16) & (self.samples - 1):
            raise InputError("samples", self.samples, "it must be a power of 2")


def batches_of_an_epoch(settings: Settings) -> int:
    """E = N/B."""
    return PARAMETERS.N // settings.B


def places(gamma: float) -> tuple[int, ...]:
    """k of the sums of momentum: powers of two, then 100/(1 − γ) and twice that."""
    last = round(100 / (1 - gamma))
    return (*(2**k for k in range(10)), last, 2 * last)


def _blocks(count: int, size: int) -> list[range]:
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


def _rngs(task: Task[Settings], what: str) -> list[np.random.Generator]:
    return [task.rng(what, seed) for seed in task.at["seed"]]


def _seen(task: Task[Settings], variables: Mapping[str, np.ndarray], coords: Mapping[str, Any]) -> xr.Dataset:
    """Arrays over (seed, *coords) as a part."""
    dims = ("seed", *coords)
    data = {name: (dims[: x.ndim], x) for name, x in variables.items()}
    return xr.Dataset(data, {"seed": list(task.at["seed"]), **coords})


# --- experiments ----------------------------------------------------------------------------------------------------


def calibrate(task: Task[Settings]) -> xr.Dataset:
    """Each estimator on exact noise, of the same normal numbers for every H."""
    from lemmascope.theory.noise.memory import fractional_of, local_whittle, rescaled_range, second_differences

    normals = np.stack([rng.standard_normal(2 * LENGTH) for rng in _rngs(task, "exact")])
    seen: dict[str, list[np.ndarray]] = {"whittle": [], "variations": [], "rescaled": []}
    for H in HURST:
        noise = fractional_of(H, normals)
        seen["whittle"].append(local_whittle(noise).H)
        seen["variations"].append(second_differences(noise))
        rescaled = np.full(len(normals), np.nan)
        rescaled[:RESCALED] = rescaled_range(noise[:RESCALED])
        seen["rescaled"].append(rescaled)
    found = {name: np.stack(each, axis=-1) for name, each in seen.items()}
    return _seen(task, found, {"H": list(HURST)})


def _estimated(noise: np.ndarray, raw: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Both estimates of series (…, T); NaN for one that is not finite."""
    from lemmascope.theory.noise.memory import local_whittle, second_differences

    finite = np.isfinite(noise).all(axis=-1) & (noise.max(axis=-1) > noise.min(axis=-1))
    found = {name: np.full(noise.shape[:-1], np.nan) for name in ("whittle", "variations", "at_end")}
    if finite.any():
        one = local_whittle(noise[finite])
        found["whittle"][finite], found["at_end"][finite] = one.H, one.out_of_range
        found["variations"][finite] = second_differences(noise[finite])
    if raw is not None:
        more = _estimated(raw)
        found |= {"raw": more["whittle"], "raw_at_end": more["at_end"]}
    return found


def _nominal(steps: int) -> tuple[float, int]:
    """1/(2√M) and M of a series of so many steps."""
    from lemmascope.theory.noise.memory import SHARE

    M = int(steps**SHARE)
    return 1 / (2 * M**0.5), M


def _recorded(task: Task[Settings], eta: float, gammas: tuple[float, ...], steps: int) -> dict[str, np.ndarray]:
    from lemmascope.sims.cubic_cnn.gradient_noise import run

    sampling = task.at["sampling"]
    rule: dict[str, Any] = {"sampling": sampling, "B": task.settings.B, "gammas": gammas, "eta": eta, "steps": steps}
    return run(PARAMETERS, task.rng, **rule, backend=task.backend)


def training(task: Task[Settings]) -> xr.Dataset:
    """The network's noise while it trains, from the same data and batches with and without momentum."""
    from lemmascope.sims.cubic_cnn.gradient_noise import COMPONENTS

    found = _recorded(task, task.settings.eta, TRAINING, task.settings.steps)
    noise = found["noise"]
    seen = _estimated(noise, found["raw"])
    seen["first"] = np.mean(noise[..., 1:] * noise[..., :-1], axis=-1)
    seen["alive"] = np.isfinite(noise).all(axis=-1)
    seen["shrinks"] = found["sigma"][..., -1] / found["sigma"][..., 0]
    dims = ("component", "gamma")
    return xr.Dataset(
        {name: (dims, x.astype(float)) for name, x in seen.items()},
        {"component": list(COMPONENTS), "gamma": list(TRAINING)},
    )


def frozen(task: Task[Settings]) -> xr.Dataset:
    """The noise at frozen weights: its autocorrelation, sums, estimates."""
    from lemmascope.sims.cubic_cnn.gradient_noise import COMPONENTS
    from lemmascope.theory.noise.memory import autocovariance, sum_variance

    s, E = task.settings, batches_of_an_epoch(task.settings)
    found = {name: x[:, 0] for name, x in _recorded(task, 0.0, (0.0,), s.frozen_steps).items()}
    noise = found["noise"]
    # Mean 0 and variance 1 are known, so that neither is estimated.
    acf = autocovariance(noise, 2 * E - 1, 0.0)[:, 1:]
    seen = _estimated(noise, found["raw"])
    return xr.Dataset(
        {name: ("component", x.astype(float)) for name, x in seen.items()}
        | {
            "acf": (("component", "lag"), acf),
            "total": ("component", acf[:, : E - 1].sum(axis=-1)),
            "sums": (("component", "length"), sum_variance(noise, _shown(s.frozen_steps), 0.0)),
        },
        {"component": list(COMPONENTS), "lag": list(range(1, 2 * E)), "length": list(_shown(s.frozen_steps))},
    )


def _shown(steps: int) -> tuple[int, ...]:
    return tuple(k for k in SHOWN if 8 * k <= steps)


def fractional(task: Task[Settings]) -> xr.Dataset:
    """Both estimates of exact noise that is as long."""
    from lemmascope.theory.noise.memory import fractional_of

    n = task.settings.frozen_steps
    noise = fractional_of(ALIEN, np.stack([rng.standard_normal(2 * n) for rng in _rngs(task, "alien")]))
    return _seen(task, {name: x[:, None] for name, x in _estimated(noise).items()}, {"component": ["exact"]})


def momentum(task: Task[Settings]) -> xr.Dataset:
    """Variances of sums of momentum of white noise."""
    from lemmascope.sims.noise.long_memory import momentum_variance

    gamma = task.at["gamma"]
    k = places(gamma)
    rngs = _rngs(task, f"momentum γ={gamma:g}")
    found = momentum_variance(rngs, task.settings.length, gamma, k, backend=task.backend)
    return _seen(task, {"variance": found}, {"place": list(range(len(k)))}).assign(k=("place", list(k)))


def sums(task: Task[Settings]) -> xr.Dataset:
    """Variances of sums of exact noise of as many steps."""
    from lemmascope.theory.noise.memory import fractional_of, sum_variance

    n = task.settings.length
    noise = fractional_of(COMPARED, np.stack([rng.standard_normal(2 * n) for rng in _rngs(task, "compared")]))
    found = np.stack([sum_variance(noise, places(gamma), 0.0) for gamma in GAMMAS], axis=1)
    return _seen(task, {"variance": found}, {"gamma": list(GAMMAS), "place": list(range(found.shape[-1]))})


def kurtosis(task: Task[Settings]) -> xr.Dataset:
    """The fourth moment of batches' means at the initial weights, along the direction D."""
    from lemmascope.sims.cubic_cnn.gradient_noise import at_start
    from lemmascope.sims.noise.long_memory import batch_moments

    u = at_start(PARAMETERS, task.rng)[1]
    u = (u - u.mean()) / u.std()
    found = batch_moments(u, SIZES, task.settings.samples, task.rng("samples"))
    return xr.Dataset({"excess": ("B", found), "one": float(np.mean(u**4) - 3)}, {"B": list(SIZES)})


def escape(task: Task[Settings]) -> xr.Dataset:
    """First passage times, the same normal numbers for every H and whatever is held fixed."""
    from lemmascope.sims.noise.long_memory import passages

    s = task.settings
    scales = [[theory.scale(held, H, PULL) for held in theory.HELD] for H in ESCAPING]
    found = passages(
        _rngs(task, "path"), s.path_steps, ESCAPING, scales, a=PULL, L=level(), backend=task.backend
    ).transpose(2, 1, 0)
    inside = found == 0
    time = np.where(inside, s.path_steps, found)
    coords = {"held": list(theory.HELD), "H": list(ESCAPING)}
    return _seen(task, {"time": time, "inside": inside.astype(float)}, coords)


def level() -> float:
    """L, that of a white noise's standard deviations."""
    return float(LEVEL * theory.stationary_variance(0.5, PULL) ** 0.5)


def derive(settings: Settings, data: Data) -> Data:
    """What is stated, beside what was measured."""
    found = dict(data)
    E = batches_of_an_epoch(settings)
    lags = found["frozen"]["lag"].values
    found["frozen"] = found["frozen"].assign(stated=("lag", theory.epoch_correlation(lags, E)))
    k = np.array([places(gamma) for gamma in GAMMAS])
    stated = [theory.momentum_sum(gamma, np.array(places(gamma), dtype=float)) for gamma in GAMMAS]
    more = {"k": (("gamma", "place"), k), "stated": (("gamma", "place"), stated)}
    found["momentum"], found["sums"] = (found[name].assign(more) for name in ("momentum", "sums"))
    return found


# --- evidence -------------------------------------------------------------------------------------------------------


def evidence(settings: Settings, data: Data) -> Sequence[Evidence]:
    """What each group of claims is measured on."""
    s, E = settings, batches_of_an_epoch(settings)
    nominal, _ = _nominal(s.steps)
    _, M = _nominal(s.frozen_steps)
    while_frozen = {"E": E, "steps": s.frozen_steps, "low": M * E / s.frozen_steps}

    def trained(sampling: str) -> xr.Dataset:
        one = data["training"].sel(sampling=sampling, drop=True)
        alive = one["alive"].min(("component", "gamma")) > 0
        return one.drop_vars("alive").assign(alive=alive).assign_attrs(nominal=nominal, steps=s.steps)

    def standing(sampling: str) -> xr.Dataset:
        return data["frozen"].sel(sampling=sampling, drop=True).assign_attrs(while_frozen)

    def out(held: str) -> xr.Dataset:
        return data["escape"].sel(held=held, drop=True)

    largest_first = out("variance").isel(H=slice(None, None, -1))
    roles = (
        ("calibrate", f"exact noise, n = {LENGTH}", data["calibrate"].assign_attrs(nominal=_nominal(LENGTH)[0])),
        ("independent", "independent batches, training", trained("independent")),
        ("epochs", "epochs, training", trained("epochs")),
        ("epoch", f"E = {E}, frozen weights", standing("epochs")),
        ("frozen independent", "independent batches, frozen weights", standing("independent")),
        ("fractional", f"exact noise, H = {ALIEN:g}", data["fractional"].assign_attrs(while_frozen)),
        ("momentum", "momentum of white noise", data["momentum"]),
        ("fractional sums", f"exact noise, H = {COMPARED:g}", data["sums"]),
        ("kurtosis", "frozen weights", data["kurtosis"]),
        ("variance", "equal stationary variance", out("variance")),
        ("step", "equal noise of a step", out("step")),
        ("backwards", "equal stationary variance, backwards", largest_first),
    )
    return [Evidence(found, label, role=role, parameters=s) for role, label, found in roles]


def _of_role(role: str) -> Any:
    def made(one: Evidence, everyone: Sequence[Evidence]) -> Evidence | None:
        return next((e for e in everyone if e.role == role), None)

    return made


MADE = ("epochs", "frozen independent", "fractional", "fractional sums", "step", "backwards")
"""Roles that controls are judged on."""


def _is_short(settings: Settings) -> bool:
    E = batches_of_an_epoch(settings)
    return E >= LEAST_EPOCH and _nominal(settings.frozen_steps)[1] * E <= settings.frozen_steps


def expected(settings: Settings) -> Mapping[str, Status]:
    """Where these settings leave what a claim is stated for."""
    return {} if _is_short(settings) else {"long_memory.epoch_is_not_fbm": Status.NOT_APPLICABLE}


def undecided(settings: Settings) -> Mapping[str, str]:
    """Few draws leave the intervals wider than what is stated."""
    found: dict[str, str] = {}
    for flag, names in (
        ("draws", ("estimators",)),
        ("seeds", ("iid_noise_is_white", "epoch_law", "kurtosis")),
        ("series", ("momentum",)),
        ("paths", ("escape",)),
    ):
        if getattr(settings, flag) < ENOUGH[flag]:
            why = f"{getattr(settings, flag)} leave the intervals wide; --{flag} {ENOUGH[flag]} decide"
            found |= {f"long_memory.{name}": why for name in names}
    return found


# --- shown ----------------------------------------------------------------------------------------------------------


def _told(values: xr.DataArray) -> str:
    return f"{float(values.mean()):.3f} ± {float(values.std(ddof=1)):.3f}".replace("-", "−")


def _whittle(values: xr.DataArray, at_end: xr.DataArray) -> str:
    """What local Whittle says, but where it is at an end."""
    out, count = int(at_end.sum()), at_end.size
    return _told(values) if not out else "out of range" if out == count else f"out of range: {out} of {count}"


def tables(result: Result[Settings]) -> Sequence[Table]:
    """What both estimators say of the network's series, and passage times."""
    moving, still, times = (result.data[name] for name in ("training", "frozen", "escape"))
    s, rows, values = result.settings, [], []
    series = [
        (f"{sampling}, γ = {gamma:g}", moving.sel(sampling=sampling, gamma=gamma))
        for sampling in ("independent", "epochs")
        for gamma in TRAINING
    ] + [(f"{sampling}, frozen", still.sel(sampling=sampling)) for sampling in ("independent", "epochs")]
    for name, one in series:
        for component in one["component"].values.tolist():
            here = one.sel(component=component)
            first = here["first"] if "first" in here else here["acf"].sel(lag=1)
            low, raw = _whittle(here["whittle"], here["at_end"]), _whittle(here["raw"], here["raw_at_end"])
            rows.append([name, component, low, _told(here["variations"]), _told(first), raw])
            names = ("whittle", "variations", "raw")
            each = {one: float(here[one].mean()) for one in names} | {
                "acf(1)": float(first.mean()),
                "at an end": int(here["at_end"].sum()),
            }
            values.append({"series": name, "component": component, **each})
    words = {"step": "noise of a step", "variance": "stationary variance", "time": "ε in continuous time"}
    lines, numbers = [], []
    for held in theory.HELD:
        row = [words[held]]
        for H in ESCAPING:
            one = times.sel(held=held, H=H)
            late = int(one["inside"].sum())
            row.append(f"{'> ' if late else ''}{float(one['time'].mean()):.0f}")
            numbers.append({"held": held, "H": H, "time": float(one["time"].mean()), "not out": late})
        lines.append(row)
    return [
        Table(
            "series",
            "Ĥ of the network's noise by both estimators",
            ["batches", "component", "local Whittle", "second differences", "acf(1)", "raw, local Whittle"],
            rows,
            f"Mean ± standard deviation over {s.seeds} networks. Whitened noise, but for the last column, where the "
            "full gradient was not taken off.",
            values,
        ),
        Table(
            "passage",
            f"Mean first passage times T_H through {LEVEL:g} standard deviations, a = {PULL:g}",
            ["equal", *(f"H = {H:g}" for H in ESCAPING)],
            lines,
            f"In steps, over {s.paths} paths of {s.path_steps} steps; > where some were not out.",
            numbers,
        ),
    ]


def summary(result: Result[Settings]) -> Sequence[str]:
    """What looks like memory, and by how much the order of escapes turns."""
    moving, times = result.data["training"], result.data["escape"]["time"].mean("seed")
    raw = moving["raw"].sel(sampling="independent").mean(("seed", "gamma"))
    shrink = float(moving["shrinks"].median())
    ends = {held: float(times.sel(held=held, H=0.7) / times.sel(held=held, H=0.3)) for held in theory.HELD}
    feature, other = (float(raw.sel(component=name)) for name in ("feature", "direction"))
    return [
        "Raw gradients on independent batches, whose noise is white, make local Whittle say "
        f"Ĥ = {feature:.2f} along the feature, its upper end being 0.99, and {other:.2f} along a direction at random: "
        "the mean moves.",
        f"The noise's standard deviation ends at {shrink:.2g} of its start in training (median): unwhitened, that "
        "alone would look like memory.",
        f"T_0.7/T_0.3 is {ends['variance']:.2g} at equal stationary variance, {ends['time']:.2g} at equal ε and at "
        f"most {ends['step']:.2g} at equal noise of a step.",
    ]


def resolve(backend: str) -> str:
    """What "auto" stands for: machine code where there is any."""
    from lemmascope.sims.cubic_cnn.backends import auto

    return auto.resolve(backend, ("compiled", "numpy"))


def _needs(memory: float, disc: float) -> Callable[[Settings, Mapping[str, Any]], tuple[float, float]]:
    """Bytes of a task, as measured."""
    return lambda settings, at: (memory, disc)


STUDY = Study(
    name="long_memory",
    subject="noise",
    message=(
        "The noise of independent batches is white whatever the model, the momentum and the step: it has no memory to "
        "explain. What looks like one is the epoch (negative, as short as the epoch), momentum (exponential) or a mean "
        "that moves and was not taken off. A larger Hurst exponent makes escape slower at equal stationary variance, "
        "and faster, by orders, at equal noise of a step, which is what is measured in SGD."
    ),
    settings=Settings,
    experiments={
        "calibrate": Experiment(
            lambda s: {"seed": _blocks(s.draws, BLOCK)},
            calibrate,
            lambda s, at: 3.0 * len(at["seed"]),
            needs=_needs(8e7, 1e4),
        ),
        "training": Experiment(
            lambda s: {"seed": range(s.seeds), "sampling": ("independent", "epochs")},
            training,
            lambda s, at: s.steps / 120,
            needs=_needs(2e7, 2e3),
        ),
        "frozen": Experiment(
            lambda s: {"seed": range(s.seeds), "sampling": ("independent", "epochs")},
            frozen,
            lambda s, at: s.frozen_steps / 400,
            needs=_needs(1e7, 3e3),
        ),
        "fractional": Experiment(
            lambda s: {"seed": _blocks(s.seeds, SERIES)},
            fractional,
            lambda s, at: len(at["seed"]) * s.frozen_steps / 5000,
            needs=_needs(5e7, 2e3),
        ),
        "momentum": Experiment(
            lambda s: {"gamma": GAMMAS, "seed": _blocks(s.series, SERIES)},
            momentum,
            lambda s, at: len(at["seed"]) * s.length / 8000,
            needs=_needs(2e8, 4e3),
        ),
        "sums": Experiment(
            lambda s: {"seed": _blocks(min(s.series, SERIES), SERIES)},
            sums,
            lambda s, at: len(at["seed"]) * s.length / 4000,
            needs=_needs(2e8, 6e3),
        ),
        "kurtosis": Experiment(
            lambda s: {"seed": range(s.seeds)}, kurtosis, lambda s, at: s.samples / 40_000, needs=_needs(1e7, 2e3)
        ),
        "escape": Experiment(
            lambda s: {"seed": _blocks(s.paths, PATHS)},
            escape,
            lambda s, at: len(at["seed"]) * s.path_steps / 3000,
            needs=_needs(1e8, 1e4),
        ),
    },
    derive=derive,
    evidence=evidence,
    claims=LONG_MEMORY,
    controls={role: _of_role(role) for role in MADE},
    expected=expected,
    undecided=undecided,
    tables=tables,
    summary=summary,
    examples=(
        "lemmascope long_memory",
        "lemmascope long_memory --quick",
        "lemmascope long_memory --B 16 --out results/shorter-epochs",
    ),
    seconds=25,
    backends=("auto", "compiled", "numpy", "cupy"),
    resolve=resolve,
)
