"""Momentum's best 1 − β along a valley with label noise: ∝ η^{2/3}, by which criterion, and what it gains.

Exact moments for infinitely many directions across, over five decades of η, beside the averaged equations to which
they tend; best rates of the linear step; and replicas with one direction across, beside a line and on uv = 1.
"""

from __future__ import annotations

__all__ = ["STUDY", "Settings"]

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
from lemmascope.theory.noise import flatter_faster as scaling
from lemmascope.theory.noise.claims import FLATTER_FASTER
from lemmascope.theory.noise.flatter_faster import CRITERIA
from lemmascope.theory.noise.valley import Curve, Line

LEVELS = (0.1, 0.01)
HIT = "hit(0.1)"
CASES = ((1.0, 1.0), (0.3, 1.0), (1.0, 4.0))
"""(s, q) of the best rates."""

RATES = 0.5, 3.0, 4001
"""Ends and number of the C's, over q^{1/3}, of the smallest spectral radius."""

FIXED_BETA = 0.9
"""Whose floor is proportional to η."""

GRID = 0.4, 1.6
"""Ends of the C's among which settling is best."""

UNTIL, LONG = 40.0, 400.0
"""Scaled time that settling is given, and arrival at C from `ARRIVALS`."""

SHOWN = (0.3, 0.875, 1.26)
COLLAPSED = {"s": (0.3, 1.0, 3.0), "eta": (1e-5, 1e-4, 1e-3)}
"""C's, label noises and η at which times are held against their limit."""

ARRIVALS = 0.01, 6.0, 25
GAINS = 0.3, 6.0, 150
ONE = 1e-5
"""η of arrivals and gains."""

SAME_RATE = (1e-2, 1e-3)
"""η at which SGD is left at momentum's rate: its settling takes some η⁻² steps."""

FINE = (0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
FINE_C = 1.1, 1.26, 321
"""r and C's at which settling at equal temperature is compared in the limit."""

PATHS = 1e-4, (0.3, 0.875, 1.26, 3.0), 25.0, 0.05
"""η, C's, scaled time and distance of the paths that are shown."""

SAMPLED = 0.2, 2.0, 13
"""Smallest, largest and number of the sampled C's, even in log C."""

WIDER = 1.25
"""Factor of the C's on the curve."""

CURVE_START = 0.35
FIXED = 0.05, (1e-2, 1e-4, 5)
"""η^{1/3}s^{4/3}; largest, smallest and number of the η."""

NEAR_START, NEAR_ETAS, NEAR_S = 0.2, (0.1, 0.05, 0.03), 0.003
"""Where constants are compared: a start at which the curve is nearly a parabola, a noise floor of 2·10⁻⁴ and less."""

DRAWS = 400
"""Of the bootstrap."""

EXCHANGES = {"with ½(h'/h)ẋe": 1.0, "without": 0.0}
SIZES = 5


@dataclass(frozen=True)
class Settings:
    """What the study is run with."""

    etas: tuple[float, ...] = option((1e-6, 1e-5, 1e-4, 1e-3, 1e-2), "Learning rates of the exact part.")
    points: int = option(240, "C's on the first grid of settling.", tiny=40, quick=80)
    s: float = option(0.1, "Label noise of the replicas.")
    sampled_etas: tuple[float, ...] = option((0.001, 0.003, 0.01, 0.03, 0.1), "Their learning rates.")
    strong_etas: tuple[float, ...] = option((1e-4, 3e-4, 1e-3, 3e-3, 1e-2), "Those of the control, at s = 1.")
    replicas: int = option(4000, "Replicas of a cell.", tiny=400, quick=2500, full=20_000)
    modes: tuple[int, ...] = option((8,), "More directions across, at s = 1.", full=(8, 64))
    near_replicas: int = option(4000, "Replicas of a cell that compares constants.", tiny=100, quick=2000, full=20_000)

    def __post_init__(self) -> None:
        check_number("s", self.s, 0, open_low=True)
        for name in ("points", "replicas", "near_replicas"):
            if check_size(name, getattr(self, name)) < 20:
                raise InputError(name, getattr(self, name), "it must be at least 20")
        for name, least in (("etas", 3), ("sampled_etas", SIZES), ("strong_etas", SIZES)):
            values = getattr(self, name)
            if len(values) < least or list(values) != sorted(set(values)):
                raise InputError(name, values, f"give {least} or more, increasing")
            for x in values:
                check_number(name, x, 0, open_low=True)
        for name in ("sampled_etas", "strong_etas"):
            if len(getattr(self, name)) != SIZES:
                raise InputError(name, getattr(self, name), f"give {SIZES}, increasing")
        for n in self.modes:
            check_size("modes", n)
        # Refused at the door: the largest 1 − β and η that occur, where the curvature is largest.
        scaling.check_stable(self.etas[-1], GRID[1] * scaling.scale(self.etas[-1], 1.0), 2.0)
        for etas, s in ((self.sampled_etas, self.s), (self.strong_etas, 1.0)):
            scaling.check_stable(etas[-1], WIDER * SAMPLED[1] * scaling.scale(etas[-1], s), _curve_h())


def _curve_h() -> float:
    """u² + v² at the start on the curve."""
    return 2 * math.cosh(2 * CURVE_START)


def _edges(eta: float, epsilon: float, h: float = 2.0) -> dict[str, float]:
    """What says of evidence that it is stable: the largest η, 1 − β and curvature that occur."""
    return {"eta_most": float(eta), "epsilon_most": float(epsilon), "h_most": h}


# --- exact ----------------------------------------------------------------------------------------------------------


def rates(task: Task[Settings]) -> xr.Dataset:
    """Of one case: the C of the smallest spectral radius, that of the roots, the fastest step, the loss floor there."""
    from scipy.optimize import brentq

    from lemmascope.sims.noise.flatter_faster import best_rate, jacobian

    s, q = CASES[task.at["case"]]
    low, high, count = RATES
    grid = np.linspace(low, high, count) * q ** (1 / 3)
    etas = np.array(task.settings.etas)
    found: dict[str, list[Any]] = {"C_least": [], "C_stated": [], "epsilon": []}
    for eta in etas.tolist():
        one = scaling.scale(eta, s)
        radius = np.abs(np.linalg.eigvals(jacobian(eta, grid * one, s, q))).max(axis=-1)
        found["C_least"].append(grid[np.argmin(radius)])
        found["C_stated"].append(
            [brentq(f, grid[0], grid[-1], args=(eta, s, q), xtol=1e-12) for f in CRITICAL.values()]
        )
        found["epsilon"].append(best_rate(eta, s, q, grid[::20]) * one)
    epsilon = np.array(found["epsilon"])
    return xr.Dataset(
        {
            "C_least": ("eta", found["C_least"]),
            "C_stated": (("eta", "critical"), found["C_stated"]),
            "epsilon": ("eta", epsilon),
            "floor": ("eta", scaling.stationary(etas, epsilon, s) / 2),
            "floor_fixed": ("eta", scaling.stationary(etas, 1 - FIXED_BETA, s) / 2),
        },
        {"eta": etas, "critical": list(CRITICAL), "s": s, "q": q},
        _edges(etas[-1], grid[-1] * scaling.scale(etas[-1], s), 1.0),
    )


def _root(C: float, eta: float, s: float, q: float) -> float:
    epsilon = C * scaling.scale(eta, s)
    return float(q * eta * scaling.stationary(eta, epsilon, s) - (1 - math.sqrt(1 - epsilon)) ** 2)


def _wrong_root(C: float, eta: float, s: float, q: float) -> float:
    epsilon = C * scaling.scale(eta, s)
    return float(q * eta * scaling.stationary(eta, epsilon, s) - epsilon**2)


CRITICAL = {"(1−√β)²": _root, "(1−β)²": _wrong_root}


def _gathered(tasks: Sequence[Task[Settings]], parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Every part at its place; of what says that all is stable the largest."""
    from lemmascope.sims.study import grid

    most = {name: max(part.attrs[name] for part in parts) for name in parts[0].attrs}
    return grid(tasks, parts).assign_attrs(most)


def _settled(task: Task[Settings], eta: float, C: np.ndarray, s: float, until: float, momentum: bool = True) -> Any:
    """`sims.noise.flatter_faster.settling` at q = x₀ = 1; SGD at η/(1−β) without momentum."""
    from lemmascope.sims.noise.flatter_faster import rule, settling

    rate, beta = rule(eta, s, C)
    if not momentum:
        rate, beta = rate / (1 - beta), 0 * beta
        scaling.check_stable(float(rate.max()), 1.0, 2.0)
    steps = math.ceil(until / scaling.scale(eta, s))
    return settling(rate, beta, s=s, q=1.0, x=1.0, levels=LEVELS, steps=steps, backend=task.backend)


def settling(task: Task[Settings]) -> xr.Dataset:
    """Times over C at one η, and where each criterion is best."""
    from lemmascope.sims.noise.flatter_faster import narrowed

    eta, C = task.at["eta"], np.geomspace(*GRID, task.settings.points)
    one, names = scaling.scale(eta, 1.0), (*CRITERIA, HIT)

    def by(grids: np.ndarray) -> np.ndarray:
        """(criterion, C) of one grid for all criteria, or of one for each."""
        found = _settled(task, eta, grids.ravel(), 1.0, UNTIL)
        each = np.stack([*found.last, found.squares, found.hit[0]]).reshape(len(names), *grids.shape)
        return each[:, 0] if len(grids) == 1 else np.stack([each[k, k] for k in range(len(names))])

    first = by(C[None, :])
    near = np.clip(np.argmin(first, axis=1), 1, C.size - 2)
    best, time = narrowed(by, np.stack([np.linspace(C[k - 1], C[k + 1], 17) for k in near]), 2)
    inside = (best > C[0]) & (best < C[-1])
    return xr.Dataset(
        {
            "curve": (("criterion", "C"), first * one),
            "epsilon": ("criterion", best * one),
            "time": ("criterion", time),
            "inside": ("criterion", inside.astype(float)),
        },
        {"criterion": list(names), "C": C},
        _edges(eta, C[-1] * one),
    )


TIMES = (*CRITERIA[:2], HIT)


def collapse(task: Task[Settings]) -> xr.Dataset:
    """Scaled times at a few C's."""
    s, eta = task.at["s"], task.at["eta"]
    one, C = scaling.scale(eta, s), np.array(SHOWN)
    found = _settled(task, eta, C, s, UNTIL)
    times = np.stack([*found.last, found.hit[0]])
    return xr.Dataset(
        {"time": (("criterion", "C"), times * one)}, {"criterion": list(TIMES), "C": C}, _edges(eta, C[-1] * one)
    )


def limit(task: Task[Settings]) -> xr.Dataset:
    """The averaged equations: times at a few C's, curves over C, paths, and the largest gains at equal temperature."""
    from lemmascope.sims.noise.flatter_faster import limit as averaged

    levels, fine = np.array(LEVELS), np.linspace(*FINE_C)
    held = [averaged(np.array(SHOWN), levels, exchange=x)[:2] for x in EXCHANGES.values()]
    C = np.geomspace(0.1, 3.0, task.settings.points)
    hit, last, _ = averaged(C, levels, until=100.0)
    _, finely, _ = averaged(fine, np.array(FINE), until=UNTIL)
    _, PATH_C, until, apart = PATHS
    seen = averaged(np.array(PATH_C), levels, until=until, every=round(apart / 0.005))[2]
    gains = scaling.sgd_time(fine, np.array(FINE)[:, None]) / finely
    return xr.Dataset(
        {
            "limit": (("exchange", "criterion", "C"), np.stack([[*last_, hit_[0]] for hit_, last_ in held])),
            "hit": (("r", "C_drawn"), hit),
            "settle": (("r", "C_drawn"), last),
            "most": ("fine", gains.max(axis=1)),
            "where": ("fine", fine[gains.argmax(axis=1)]),
            "path": (("C_path", "time"), seen),
        },
        {
            "exchange": list(EXCHANGES),
            "criterion": list(TIMES),
            "C": list(SHOWN),
            "r": list(LEVELS),
            "C_drawn": C,
            "fine": list(FINE),
            "C_path": list(PATH_C),
            "time": apart * np.arange(seen.shape[1]),
        },
    )


def arrival(task: Task[Settings]) -> xr.Dataset:
    """hit(0.1) and settle(0.1), scaled, over C; what has not settled counts as the time that it was given."""
    C, one = np.geomspace(*ARRIVALS), scaling.scale(ONE, 1.0)
    found = _settled(task, ONE, C, 1.0, LONG)
    return xr.Dataset(
        {"hit": ("C", found.hit[0] * one), "settle": ("C", found.last[0] * one)}, {"C": C}, _edges(ONE, C[-1] * one)
    )


def gain(task: Task[Settings]) -> xr.Dataset:
    """Settling times of SGD over those of momentum: at η/(1−β) over C, and at the same η."""
    C = np.geomspace(*GAINS)
    until = 1.1 * float(scaling.sgd_time(C[-1], np.array(LEVELS[1])))
    mine = _settled(task, ONE, C, 1.0, until)
    other = _settled(task, ONE, C, 1.0, until, momentum=False)
    return xr.Dataset(
        {"ratio": (("r", "C"), other.last / mine.last)},
        {"r": list(LEVELS), "C": C},
        _edges(ONE, C[-1] * scaling.scale(ONE, 1.0)),
    )


def same_rate(task: Task[Settings]) -> xr.Dataset:
    """settle(SGD at η)/settle(momentum at η and C = 0.875)."""
    from lemmascope.sims.noise.flatter_faster import settling as run

    eta, C = task.at["eta"], np.array([SHOWN[1]])
    mine = _settled(task, eta, C, 1.0, UNTIL)
    steps = math.ceil(2.5 * -math.log(LEVELS[1]) / eta**2)
    other = run(np.array([eta]), np.zeros(1), s=1.0, q=1.0, x=1.0, levels=LEVELS, steps=steps, backend=task.backend)
    return xr.Dataset({"same_rate": ("r", (other.last / mine.last)[:, 0])}, {"r": list(LEVELS)})


def paths(task: Task[Settings]) -> xr.Dataset:
    """x along runs at the C's that are shown."""
    from lemmascope.sims.noise.flatter_faster import path

    eta, C, until, apart = PATHS
    one = scaling.scale(eta, 1.0)
    at = np.unique(np.round(np.arange(0, until, apart) / one).astype(int))
    x = [path(eta, 1 - c * one, at, s=1.0, q=1.0, x=1.0, backend=task.backend)[:, 0] for c in C]
    return xr.Dataset({"x": (("C", "time"), np.array(x))}, {"C": list(C), "time": at * one}, {"eta": eta})


# --- sampled --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """What is sampled at one size of a model."""

    valley: Line | Curve
    eta: float
    C: np.ndarray
    start: float
    replicas: int
    horizon: float = 12.0


def cell(settings: Settings, model: str, size: int) -> Cell:
    """Of `models`, at one of five sizes."""
    kind, _, how = model.partition(", ")
    replicas, s, etas = settings.replicas, settings.s, settings.sampled_etas
    if how == "s = 1":
        s, etas = 1.0, settings.strong_etas
    elif how:
        floor, both = FIXED[0], np.geomspace(*FIXED[1])
        etas = tuple((both ** (4 / 3) / floor).tolist())
        s = float(both[size] / etas[size])
    eta = etas[size]
    if kind == "uv = 1":
        return Cell(Curve(s), eta, WIDER * np.geomspace(*SAMPLED), CURVE_START, replicas)
    n = int(kind.removeprefix("n = "))
    return Cell(Line(n, s), eta, np.geomspace(*SAMPLED), 1.0, replicas if n == 1 else max(48, replicas // n))


WEAK, STRONG = ("n = 1", "uv = 1"), ("n = 1, s = 1", "uv = 1, s = 1")
FLOOR = "n = 1, fixed floor"


def models(settings: Settings) -> tuple[str, ...]:
    """Names of what is sampled."""
    return (*WEAK, *STRONG, FLOOR, *(f"n = {n}, s = 1" for n in settings.modes))


def _optimum(task: Task[Settings], one: Cell) -> xr.Dataset:
    """The best C by E∫x² and the bootstrap's over replicas, as logarithms."""
    from lemmascope.sims.noise.draws import generators
    from lemmascope.sims.noise.flatter_faster import lowest, squares

    rngs = generators(task.rng, "labels", one.replicas)
    found = squares(one.valley, one.eta, one.C, one.start, rngs, horizon=one.horizon, backend=task.backend)
    shares = task.rng("bootstrap").multinomial(one.replicas, np.full(one.replicas, 1 / one.replicas), size=DRAWS)
    n, s = getattr(one.valley, "n", 1), one.valley.s
    return xr.Dataset(
        {
            "log_C": lowest(one.C, found.mean(axis=1)),
            "resampled": ("draw", lowest(one.C, shares @ found.T / one.replicas)),
            "squares": ("place", found.mean(axis=1)),
            "C": ("place", one.C),
            "eta": one.eta,
            "s": s,
            "n": n,
            "noise_floor": scaling.noise_floor(one.eta, s, n),
            "replicas": one.replicas,
        }
    )


def sampled(task: Task[Settings]) -> xr.Dataset:
    """One size of a model."""
    return _optimum(task, cell(task.settings, task.at["model"], task.at["size"]))


def near(settings: Settings, valley: str, size: int) -> Cell:
    """Of a valley under weak noise, with an equal start and C and time in units of its h₂^{1/3}."""
    eta, replicas, unit = NEAR_ETAS[size], settings.near_replicas, 2 ** (1 / 3)
    if valley == "uv = 1":
        return Cell(Curve(NEAR_S), eta, unit * np.geomspace(*SAMPLED), NEAR_START, replicas, 12 / unit)
    return Cell(Line(1, NEAR_S), eta, np.geomspace(*SAMPLED), 2**0.5 * NEAR_START, replicas)


def curve(task: Task[Settings]) -> xr.Dataset:
    """One size of uv = 1 or of the line."""
    return _optimum(task, near(task.settings, task.at["valley"], task.at["size"]))


def _cost(one: Cell) -> float:
    """Milliseconds, as measured."""
    n = getattr(one.valley, "n", 1)
    steps = one.horizon / scaling.scale(one.eta, one.valley.s)
    return 10 + one.replicas * (0.06 + one.C.size * steps * (2 if n == 1 else 2.5 * n) / 1e6)


def _memory(one: Cell) -> tuple[float, float]:
    """A block of draws, places of 256 replicas, and shares of the bootstrap; a part with its draws."""
    return 1e8 + 8.0 * one.replicas * (DRAWS + one.C.size), 9000.0


def _near_at(settings: Settings, at: Mapping[str, Any]) -> Cell:
    return near(settings, at["valley"], at["size"])


def _at(settings: Settings, at: Mapping[str, Any]) -> Cell:
    return cell(settings, at["model"], at["size"])


def evidence(settings: Settings, data: Data) -> Sequence[Evidence]:
    """What each group of claims is measured on."""
    held = data["collapse"].assign(limit=data["limit"]["limit"])
    rate = data["same_rate"]["same_rate"]
    gains = data["gain"].assign(same_rate=rate)
    finest = xr.Dataset({"most": data["limit"]["most"], "same_rate": rate})
    roles = [
        ("linear", "linear step", data["rates"].transpose("case", "eta", ...)),
        ("settling", "exact moments", data["settling"]),
        ("collapse", "exact moments and their limit", held),
        ("arrival", "exact moments, arrival", data["arrival"]),
        ("temperature", "exact moments, SGD beside", gains),
        ("limit", "averaged equations", finest),
    ]
    sample = data["sampled"]
    for names, role in ((WEAK, "sampled"), (STRONG, "strong"), ((FLOOR,), "fixed floor")):
        for name in names:
            one = sample.sel(model=name, drop=True)
            h = _curve_h() if "uv" in name else 2.0
            epsilon = float((one["C"] * scaling.scale(one["eta"] * one["s"], 1.0)).max())
            roles.append((role, name, one.assign_attrs(_edges(float(one["eta"].max()), epsilon, h))))
    logs, draws = (
        (data["curve"][name].sel(valley="uv = 1") - data["curve"][name].sel(valley="n = 1")).mean("size")
        for name in ("log_C", "resampled")
    )
    roles.append(("curve", "uv = 1 beside the line", xr.Dataset({"log_ratio": logs, "resampled": draws})))
    return [Evidence(found, label, role=role, parameters=settings) for role, label, found in roles]


def strong(one: Evidence, everyone: Sequence[Evidence]) -> Evidence:
    """The same model at s = 1."""
    kind = one.label.partition(",")[0]
    return next(e for e in everyone if e.role == "strong" and e.label.partition(",")[0] == kind)


def undecided(settings: Settings) -> Mapping[str, str]:
    """Intervals of few replicas are too wide."""
    found = {}
    if settings.replicas < 1000:
        why = f"{settings.replicas} replicas leave the interval too wide; --replicas 4000 decide"
        found = dict.fromkeys(("flatter.sampled_exponent", "flatter.fixed_floor"), why)
    if settings.near_replicas < 800:
        why = f"{settings.near_replicas} replicas leave the interval too wide; --near-replicas 4000 decide"
        found["flatter.curve_constant"] = why
    return found


def tables(result: Result[Settings]) -> Sequence[Table]:
    """The best C by criterion and size."""
    data = result.data["settling"].sortby("eta", ascending=False)
    rows, values = [], []
    for eta in data["eta"].values.tolist():
        one, scale = data.sel(eta=eta), scaling.scale(eta, 1.0)
        found = [(float(one["epsilon"].sel(criterion=c)), float(one["time"].sel(criterion=c))) for c in CRITERIA]
        rows.append([number(eta), *(f"{e / scale:.4f}\n  [{t * scale:.3f}]" for e, t in found)])
        values += [
            {"eta": eta, "criterion": c, "1 − β": e, "time": t} for c, (e, t) in zip(CRITERIA, found, strict=True)
        ]
    return [
        Table(
            "optimum",
            "C* = (1 − β*)/(ηs)^(2/3) by exact moments",
            ["η", *CRITERIA],
            rows,
            "In brackets the time at the best C, times (ηs)^(2/3); of ISE the sum.",
            values,
        )
    ]


def summary(result: Result[Settings]) -> Sequence[str]:
    """What the claims do not tell in numbers."""
    data, gains = result.data["limit"], result.data["gain"]
    most = ", ".join(
        f"{float(data['most'].sel(fine=r)):.3f} (r = {r:g}, C = {float(data['where'].sel(fine=r)):.3f})"
        for r in data["fine"].values.tolist()
    )
    loses = ", ".join(
        f"C = {float(gains['C'][gains['ratio'].sel(r=r).values > 1][0]):.2f} (r = {r:g})" for r in gains["r"].values
    )
    sample = result.data["sampled"]
    best = "; ".join(
        f"{name}: {', '.join(f'{x:.3f}' for x in np.exp(sample['log_C'].sel(model=name).values).tolist())}"
        for name in sample["model"].values.tolist()
    )
    return [
        f"Largest settle(SGD)/settle(momentum) at equal temperature in the scaling limit: {most}.",
        f"At equal temperature momentum first gains at {loses}.",
        f"C* by ISE of replicas, η from small to large: {best}.",
    ]


def resolve(backend: str) -> str:
    """What "auto" stands for: machine code where there is any."""
    from lemmascope.sims.cubic_cnn.backends import auto

    return auto.resolve(backend, ("compiled", "numpy"))


def _once(settings: Settings) -> Mapping[str, Sequence[Any]]:
    return {"place": ["all"]}


def _whole(tasks: Sequence[Task[Settings]], parts: Sequence[xr.Dataset]) -> xr.Dataset:
    return parts[0]


def _settling_cost(settings: Settings, at: Mapping[str, Any]) -> float:
    """Milliseconds, as measured."""
    return 50 + (settings.points + 200) * UNTIL * at["eta"] ** (-2 / 3) * 2e-6


def _small(settings: Settings, at: Mapping[str, Any]) -> tuple[float, float]:
    return 3e7, 20_000.0


STUDY = Study(
    name="flatter_faster",
    subject="noise",
    message=(
        "Along a valley with label noise the best 1 − β is C(h₂η²s²)^{1/3}: the exponent 2/3 is that of every "
        "criterion that punishes overshoot, and C is each one's own. At equal temperature momentum gains a factor of "
        "at most 2 in rate over SGD, and it pays with a loss floor ∝ η^{1/3}."
    ),
    settings=Settings,
    experiments={
        "rates": Experiment(
            lambda s: {"case": range(len(CASES))},
            rates,
            lambda s, at: 250.0,
            _gathered,
            needs=lambda s, at: (1e8, 6000),
        ),
        "settling": Experiment(lambda s: {"eta": s.etas}, settling, _settling_cost, _gathered, needs=_small),
        "collapse": Experiment(lambda s: COLLAPSED, collapse, lambda s, at: 20.0, _gathered, needs=_small),
        "limit": Experiment(_once, limit, lambda s, at: 700.0, _whole, needs=_small),
        "arrival": Experiment(_once, arrival, lambda s, at: 100.0, _whole, needs=_small),
        "gain": Experiment(_once, gain, lambda s, at: 500.0, _whole, needs=_small),
        "same_rate": Experiment(
            lambda s: {"eta": SAME_RATE}, same_rate, lambda s, at: 1e-4 / at["eta"] ** 2, needs=_small
        ),
        "paths": Experiment(_once, paths, lambda s, at: 30.0, _whole, needs=_small),
        "sampled": Experiment(
            lambda s: {"model": models(s), "size": range(SIZES)},
            sampled,
            lambda s, at: _cost(_at(s, at)),
            needs=lambda s, at: _memory(_at(s, at)),
        ),
        "curve": Experiment(
            lambda s: {"valley": ("n = 1", "uv = 1"), "size": range(len(NEAR_ETAS))},
            curve,
            lambda s, at: _cost(_near_at(s, at)),
            needs=lambda s, at: _memory(_near_at(s, at)),
        ),
    },
    evidence=evidence,
    claims=FLATTER_FASTER,
    controls={"strong noise": strong},
    undecided=undecided,
    tables=tables,
    summary=summary,
    examples=(
        "lemmascope flatter_faster",
        "lemmascope flatter_faster --quick",
        "lemmascope flatter_faster --replicas 20000 --modes 8,64 --out results/many-replicas",
        "lemmascope flatter_faster --resume",
    ),
    seconds=30,
    backends=("auto", "compiled", "numpy", "cupy"),
    resolve=resolve,
)
