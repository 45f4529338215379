"""AdaMomentum beside Adam: the same steps at a larger rate, its temperature and regret, and what its first steps do.

Steps on given gradients, with signal and noise, and on a noisy quadratic, each beside a companion that is known
exactly; periodic linear losses with and without the running maximum of v; and the central cubic CNN.
"""

from __future__ import annotations

__all__ = ["BETA1", "BETA2", "KINDS", "MARGIN_BETA2", "MUS", "OPTIMIZERS", "STUDY", "Settings", "first_eta"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from lemmascope.sims import stopping
from lemmascope.sims.study import Data, Experiment, Result, Study, Task, option
from lemmascope.sims.tables import Table, number
from lemmascope.theory.claim import Evidence
from lemmascope.theory.cubic_cnn.parameters import HEADLINE
from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.noise import adamomentum as theory
from lemmascope.theory.noise.adamomentum import CELLS, FIRST, RATES, ROUNDS, SERIES, SLOW, SMALL
from lemmascope.theory.noise.claims.adamomentum import CLAIMS
from lemmascope.theory.verdict import Status

BETA1, BETA2 = 0.9, 0.9999
"""Of the long run."""

MARGIN_BETA2 = 0.999
"""Of the central experiment, β₁ being the same."""

MUS, PAIR = (1.0, 0.3, 0.1), ("AdaMomentum", "Adam")
"""μ/s of the claim, and whose steps."""

DRAWN_MUS = (3.0, *MUS, 0.03)
"""μ/s that are run."""

ALTERNATING_BETAS, ALTERNATING_STEPS, ALTERNATING_BETA2 = (0.5, 0.9, 0.99), 40_000, 0.999
EPSILON, SIZE = 1e-8, 0.06
"""ε and G at which the two terms of the root are about as large."""

SAME_BETAS, SAME_STEPS, SAME_COPIES = (0.0, 0.5), 300, 4
KINDS = ("AdaMomentum", "Adam", "AMSAdaMomentum", "AMSGrad")
SEEN = 60
"""Rounds at which the regret is looked at, about."""

OPTIMIZERS = ("Adam", "AdaMomentum", "Adam, started", "AdaMomentum, not started")
"""Of the central experiment; the last two at one rate alone."""

ENOUGH_SEEDS, ENOUGH_STEPS, ENOUGH_DRAWS = 8, 12_000, 8

MOST = 10**6
"""Replicas, at most."""


@dataclass(frozen=True)
class Settings:
    """What the study is run with."""

    seeds: int = option(16, "Streams of noise, each with so many copies.", tiny=6, quick=12, full=64)
    copies: int = option(16, "Copies of a seed.", tiny=4, quick=8)
    etas: tuple[float, ...] = option(
        (0.003, 0.01, 0.03, 0.1, 0.3), "Learning rates on the noisy quadratic, h = s = 1.", tiny=(0.003, 0.3)
    )
    steps: int = option(40_000, "Steps there, a quarter left out at first.", tiny=4000, quick=20_000)
    signal_steps: int = option(60_000, "Steps with signal and noise, likewise.", tiny=4000, quick=20_000)
    rounds: int = option(ROUNDS, "Rounds of the periodic losses.", full=10 * ROUNDS)
    draws: int = option(8, "Data sets of the central experiment.", tiny=2, quick=2, full=20)
    margin_etas: tuple[float, ...] = option(
        (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3), "Learning rates there.", tiny=(3e-4, 1e-2, 0.3), quick=(1e-2, 0.1)
    )
    margin_steps: int = option(1500, "Iterations there.", tiny=40, quick=200)

    def __post_init__(self) -> None:
        for name in ("seeds", "copies"):
            if not 2 <= check_size(name, getattr(self, name)) <= MOST:
                raise InputError(name, getattr(self, name), f"it must be from 2 to {MOST}")
        for name in ("steps", "signal_steps"):
            if check_size(name, getattr(self, name)) < 1000:
                raise InputError(name, getattr(self, name), "it must be at least 1000")
        check_size("rounds", self.rounds, 1000)
        check_size("draws", self.draws)
        check_size("margin_steps", self.margin_steps)
        for name in ("etas", "margin_etas"):
            values = getattr(self, name)
            if not values or list(values) != sorted(set(values)):
                raise InputError(name, values, "give one or more, increasing")
            for value in values:
                check_number(name, value, 0, 100, open_low=True)


# --- given gradients --------------------------------------------------------------------------------------------------


def identity(task: Task[Settings]) -> xr.Dataset:
    """The largest |Δθ| on gradients that are normal, of heavy tails, or seldom other than small, over β₁."""
    from lemmascope.theory.optimizers import Adam, AdaMomentum

    rng, shape = task.rng("identity"), (SAME_STEPS, SAME_COPIES)
    seldom = np.where(rng.random(shape) < 0.03, 1.0, 1e-6)
    kinds = (rng.standard_normal(shape), rng.standard_cauchy(shape), seldom * rng.standard_normal(shape))
    gradients = np.concatenate(kinds, axis=1)
    found = []
    for beta1 in SAME_BETAS:
        ends = []
        for kind in (AdaMomentum, Adam):
            optimizer, theta = kind(0.1, beta1, 0.99, 0.0), np.ones(gradients.shape[1])
            state, path = optimizer.init(theta), []
            for t, gradient in enumerate(gradients):
                theta, state = optimizer.step(theta, gradient, state, t)
                path.append(theta)
            ends.append(np.array(path))
        found.append(np.abs(ends[0] - ends[1]).max())
    return xr.Dataset({"apart": ("beta1", found)}, {"beta1": list(SAME_BETAS)})


def alternating(task: Task[Settings]) -> xr.Dataset:
    """m_t against its closed form and |u| at the end, beside its limit."""
    from lemmascope.sims.noise.adamomentum import path

    beta1, beta2 = task.at["beta1"], ALTERNATING_BETA2
    t = np.arange(1, ALTERNATING_STEPS + 1)
    gradients = np.where(t % 2 == 1, 1.0, -1.0)
    ours, adam = (path(kind, gradients, beta1, beta2) for kind in PAIR)
    damped = path("AdaMomentum", SIZE * gradients, beta1, beta2, EPSILON)
    limits = 1.0, float(theory.attenuation(beta1)), theory.limit(beta1, SIZE, EPSILON, beta2)
    return xr.Dataset(
        {
            "m": np.abs(ours[:, 0] - theory.alternating(beta1, t)).max(),
            "u": ("optimizer", np.abs([one[-1, 1] for one in (ours, adam, damped)])),
            "limit": ("optimizer", list(limits)),
        },
        {"optimizer": [*PAIR, "with ε"]},
    )


# --- the long run -----------------------------------------------------------------------------------------------------


def _run(task: Task[Settings], cases: Sequence[Any], what: str, steps: int) -> np.ndarray:
    from lemmascope.sims.noise.adamomentum import stationary

    s = task.settings
    return stationary(cases, task.rng(what), copies=s.copies, steps=steps, burn_in=steps // 4, backend=task.backend)


def moments(task: Task[Settings]) -> xr.Dataset:
    """Mean and variance of u of one seed's copies, over optimizer and μ."""
    from lemmascope.sims.noise.adamomentum import Case

    cases = [Case(name == "AdaMomentum", BETA1, BETA2, mu=mu) for name in PAIR for mu in DRAWN_MUS]
    found = _run(task, cases, "moments", task.settings.signal_steps).reshape(len(PAIR), len(DRAWN_MUS), 3)
    mean = found[..., 0]
    dims = ("optimizer", "mu")
    return xr.Dataset(
        {"mean": (dims, mean), "variance": (dims, found[..., 1] - mean**2)},
        {"optimizer": list(PAIR), "mu": list(DRAWN_MUS)},
    )


def _quadratics(etas: Sequence[float]) -> list[Any]:
    """Cases of every series, each over η."""
    from lemmascope.sims.noise.adamomentum import Case

    root = float(theory.attenuation(BETA1)) ** 0.5
    rates = {"Adam": 1.0, "AdaMomentum": 1.0, SERIES[2]: root}
    return [Case(name != "Adam", BETA1, BETA2, h=1.0, eta=rates[name] * eta) for name in SERIES for eta in etas]


def temperature(task: Task[Settings]) -> xr.Dataset:
    """Stationary E x² of one seed's copies, over series and η."""
    etas = task.settings.etas
    found = _run(task, _quadratics(etas), "temperature", task.settings.steps)[:, 2]
    return xr.Dataset(
        {"square": (("series", "eta"), found.reshape(len(SERIES), len(etas)))},
        {"series": list(SERIES), "eta": list(etas)},
    )


# --- periodic losses --------------------------------------------------------------------------------------------------


def regret(task: Task[Settings]) -> xr.Dataset:
    """Average regret of each kind in one cell, over the round."""
    from lemmascope.sims.noise.adamomentum import Losses
    from lemmascope.sims.noise.adamomentum import regret as paid

    beta1, beta2, p, C = CELLS[task.at["cell"]]
    last = task.settings.rounds
    seen = np.unique(np.geomspace(1, last, SEEN).round().astype(np.int64))
    each = [paid(kind, Losses(p, C), beta1, beta2, seen) for kind in KINDS]
    return xr.Dataset(
        {
            "regret": (("kind", "round"), np.array([one[0] for one in each])),
            "x": (("kind", "round"), np.array([one[1] for one in each])),
        },
        {"kind": list(KINDS), "round": seen},
    )


# --- the central experiment -------------------------------------------------------------------------------------------


def first_eta(etas: Sequence[float]) -> float:
    """The η at which first steps are given and taken."""
    return FIRST if FIRST in etas else etas[-1]


def _optimizers(eta: float, started: bool) -> dict[str, Any]:
    """Those of the central experiment at one η."""
    from lemmascope.theory.optimizers import Adam, AdaMomentum

    betas = BETA1, MARGIN_BETA2
    found: dict[str, Any] = {"Adam": Adam(eta, *betas), "AdaMomentum": AdaMomentum(eta, *betas)}
    if started:
        found["Adam, started"] = Adam(lambda t: eta * theory.start(t + 1, *betas), *betas)
        found["AdaMomentum, not started"] = AdaMomentum(lambda t: eta / theory.start(t + 1, *betas), *betas)
    return found


def margin(task: Task[Settings]) -> xr.Dataset:
    """What each optimizer ends with on one seed's data, over η; in single precision, all of them side by side."""
    from lemmascope.sims.cubic_cnn.simulate import simulate
    from lemmascope.sims.schedule import Logarithmic

    stopping.check()
    s = task.settings
    each = {
        (name, eta): optimizer
        for eta in s.margin_etas
        for name, optimizer in _optimizers(eta, eta == first_eta(s.margin_etas)).items()
    }
    run = simulate(
        HEADLINE,
        {f"{name} {eta!r}": optimizer for (name, eta), optimizer in each.items()},
        iterations=s.margin_steps,
        first_seed=task.at["seed"],
        root_seed=task.root_seed,
        study="adamomentum",
        record=Logarithmic(2),
        audit=False,
        dtype="float32",
        backend="cupy" if task.backend == "cupy" else "auto",
        workers=1,
    )
    last = run.isel(iteration=-1, seed=0)
    columns = {
        "small": last["test_accuracy"].sel(margin="small"),
        "large": last["test_accuracy"].sel(margin="large"),
        "train": last["train_accuracy"].min("margin"),
        "c_max": last["c"].max("neuron"),
        "Xi_abs_max": last["Xi_abs_max"].max("margin"),
    }
    places = [(OPTIMIZERS.index(name), s.margin_etas.index(eta)) for name, eta in each]
    found = {}
    for name, values in columns.items():
        table = np.full((len(OPTIMIZERS), len(s.margin_etas)), np.nan)
        table[tuple(np.transpose(places))] = values.values
        found[name] = (("optimizer", "eta"), table)
    return xr.Dataset(found, {"optimizer": list(OPTIMIZERS), "eta": list(s.margin_etas)})


# --- what is judged ---------------------------------------------------------------------------------------------------


def derive(settings: Settings, data: Data) -> Data:
    """What is stated, beside what was measured."""
    V = [[case.V for case in _signals(name)] for name in PAIR]
    etas = settings.etas
    stated = np.array([case.exact[2] for case in _quadratics(etas)]).reshape(len(SERIES), len(etas))
    return dict(data) | {
        "moments": data["moments"].assign(V=(("optimizer", "mu"), V)),
        "temperature": data["temperature"].assign(stated=(("series", "eta"), stated)),
    }


def _signals(name: str) -> list[Any]:
    from lemmascope.sims.noise.adamomentum import Case

    return [Case(name == "AdaMomentum", BETA1, BETA2, mu=mu) for mu in DRAWN_MUS]


def evidence(settings: Settings, data: Data) -> Sequence[Evidence]:
    """What each group of claims is measured on."""
    attrs = {"beta1": BETA1, "beta2": BETA2}
    roles = (
        ("identity", "any gradients", data["identity"]),
        ("alternating", "gradients ±G", data["alternating"]),
        ("moments", "signal and noise", data["moments"].sel(mu=list(MUS)).assign_attrs(attrs)),
        ("temperature", "a noisy quadratic", data["temperature"].assign_attrs(attrs)),
        ("regret", f"{settings.rounds} rounds", data["regret"]),
        ("margin", f"the central data, {settings.margin_steps} steps", data["margin"]),
    )
    return [Evidence(found, label, role=role, parameters=settings) for role, label, found in roles]


def undecided(settings: Settings) -> Mapping[str, str]:
    """Few seeds and steps leave the intervals wider than what is stated."""
    s = settings
    found = dict[str, str]()
    for steps, names, flag in (
        (s.signal_steps, ("step_moments",), "--signal-steps"),
        (s.steps, ("hotter", "same_at_matched_rate"), "--steps"),
    ):
        if s.seeds < ENOUGH_SEEDS or steps < ENOUGH_STEPS:
            why = f"{s.seeds} seeds of {steps} steps leave the interval wide; --seeds 12 {flag} 20000 decide"
            found |= {f"adamomentum.{name}": why for name in names}
    if s.draws < ENOUGH_DRAWS:
        found["adamomentum.first_steps"] = f"{s.draws} data sets leave the interval wide; --draws 8 decide"
    return found


def foreseen(settings: Settings) -> Mapping[str, Status]:
    """Where these settings leave what a claim is stated for."""
    found = []
    if max(settings.etas) > SLOW:
        found += ["same_at_matched_rate"]
    if min(settings.etas) > SMALL:
        found += ["hotter"]
    if settings.rounds < ROUNDS:
        found += ["regret", "regret_monotone"]
    if max(settings.margin_etas) < RATES:
        found += ["small_margin"]
    return {f"adamomentum.{name}": Status.NOT_APPLICABLE for name in found}


# --- shown ------------------------------------------------------------------------------------------------------------


def tables(result: Result[Settings]) -> Sequence[Table]:
    """Average regret by cell, and what the central experiment ends with."""
    data = result.data["regret"]["regret"].isel(round=-1)
    rows, values = [], []
    for i, (beta1, beta2, p, C) in enumerate(CELLS):
        found = [float(data.sel(cell=i, kind=kind)) for kind in KINDS]
        rows.append([f"{beta1:g}", f"{beta2:.3g}", str(p), f"{C:g}", *(number(x) for x in found)])
        values.append({"beta1": beta1, "beta2": beta2, "p": p, "C": C, **dict(zip(KINDS, found, strict=True))})
    kept = Table(
        "regret",
        f"Average regret after {result.settings.rounds} rounds",
        ["β₁", "β₂", "p", "C", "AdaMomentum", "Adam", "AdaMomentum, max v", "AMSGrad"],
        rows,
        "Losses g x on [−1, 1], g = C in the first round of each period of p, −1 in the others; x = −1 is best.",
        values,
    )
    return [kept, _margins(result)]


def _margins(result: Result[Settings]) -> Table:
    data, rows, values = result.data["margin"], [], []
    for name in OPTIMIZERS:
        for eta in map(float, data["eta"].values):
            one = data.sel(optimizer=name, eta=eta)
            if bool(one["small"].isnull().all()):
                continue
            small = one["small"]
            cells = {name: float(one[name].mean("seed")) for name in ("small", "large", "train", "c_max", "Xi_abs_max")}
            spread = f"{float(small.min()):.3f} … {float(small.max()):.3f}" if small.sizes["seed"] > 1 else "–"
            rest = [number(cells[k]) for k in ("large", "train", "c_max", "Xi_abs_max")]
            rows.append([name, f"{eta:g}", f"{cells['small']:.3f}", spread, *rest])
            values.append({"optimizer": name, "eta": eta, **cells})
    return Table(
        "margin",
        "The central experiment: small margins, and what is learned",
        ["optimizer", "η", "small margins", "over seeds", "large margins", "training", "max c", "max |Ξ|"],
        rows,
        "Accuracy on fresh data by the exact law, means over seeds; “started”: at η u_t, “not started”: at η/u_t, u_t "
        "AdaMomentum's step of a constant gradient.",
        values,
    )


def summary(result: Result[Settings]) -> Sequence[str]:
    """The temperature's ratio at its ends, and the first steps."""
    found = result.data["temperature"]["square"].mean("seed")
    ratio = found.sel(series="AdaMomentum") / found.sel(series="Adam")
    etas = found["eta"].values
    first = first_eta(result.settings.margin_etas)
    margins = result.data["margin"]["small"].mean("seed")
    data, best = margins.sel(eta=first), margins.max("eta")
    return [
        f"Var x, AdaMomentum over Adam at equal η: {float(ratio[0]):.3f} at η = {etas[0]:g}, {float(ratio[-1]):.3f} at "
        f"η = {etas[-1]:g}; 1/√a = {float(theory.attenuation(BETA1)) ** -0.5:.3f}.",
        f"Small margins at η = {first:g}: "
        + ", ".join(f"{name} {float(data.sel(optimizer=name)):.3f}" for name in OPTIMIZERS)
        + "; at the best η: "
        + ", ".join(f"{name} {float(best.sel(optimizer=name)):.3f}" for name in OPTIMIZERS[:2])
        + ".",
    ]


def resolve(backend: str) -> str:
    """What "auto" stands for: machine code where there is any."""
    from lemmascope.sims.cubic_cnn.backends import auto

    return auto.resolve(backend, ("compiled", "numpy"))


STEP = 6e-6
"""Milliseconds that a step of a copy and its companion takes, as measured."""


def _moments_cost(settings: Settings, at: Mapping[str, Any]) -> float:
    return STEP * len(PAIR) * len(DRAWN_MUS) * settings.signal_steps * settings.copies


def _temperature_cost(settings: Settings, at: Mapping[str, Any]) -> float:
    return STEP * len(SERIES) * len(settings.etas) * settings.steps * settings.copies


def _regret_cost(settings: Settings, at: Mapping[str, Any]) -> float:
    return 3e-5 * len(KINDS) * settings.rounds


def _margin_cost(settings: Settings, at: Mapping[str, Any]) -> float:
    return 0.6 * settings.margin_steps * (2 * len(settings.margin_etas) + 2)


def _few(settings: Settings, at: Mapping[str, Any]) -> float:
    return 5.0


def _small(settings: Settings, at: Mapping[str, Any]) -> tuple[float, float]:
    return 4e6, 10_000.0


def _noisy(settings: Settings, at: Mapping[str, Any]) -> tuple[float, float]:
    """A block of noise, and the copies."""
    return 2e7 + 2000.0 * settings.copies, 10_000.0


def _trained(settings: Settings, at: Mapping[str, Any]) -> tuple[float, float]:
    """The patches and their products."""
    return 3e7, 10_000.0


STUDY = Study(
    name="adamomentum",
    subject="noise",
    message=(
        "Dividing by the momentum's second moment in place of the gradient's gives no better direction: in the limit "
        "that can be solved AdaMomentum is Adam at a rate up to √((1+β₁)/(1−β₁)) times as large, and as little sure to "
        "converge. On the central data it generalizes better at small rates, by its first steps, which are up to "
        "1/(1−β₁) times Adam's; with these Adam does the same, and at a larger rate nearly so without them."
    ),
    settings=Settings,
    experiments={
        "identity": Experiment(lambda s: {"seed": range(s.seeds)}, identity, _few, needs=_small),
        "alternating": Experiment(lambda s: {"beta1": ALTERNATING_BETAS}, alternating, _few, needs=_small),
        "moments": Experiment(lambda s: {"seed": range(s.seeds)}, moments, _moments_cost, needs=_noisy),
        "temperature": Experiment(lambda s: {"seed": range(s.seeds)}, temperature, _temperature_cost, needs=_noisy),
        "regret": Experiment(lambda s: {"cell": range(len(CELLS))}, regret, _regret_cost, needs=_small),
        "margin": Experiment(lambda s: {"seed": range(s.draws)}, margin, _margin_cost, needs=_trained),
    },
    evidence=evidence,
    claims=CLAIMS,
    derive=derive,
    expected=foreseen,
    undecided=undecided,
    tables=tables,
    summary=summary,
    examples=(
        "lemmascope adamomentum",
        "lemmascope adamomentum --quick",
        "lemmascope adamomentum --etas 0.003,0.03,0.3,3 --out results/hotter",
        "lemmascope adamomentum --margin-etas 0.01,0.02,0.05,0.1,0.2 --out results/more-rates",
        "lemmascope adamomentum --resume",
    ),
    seconds=45,
    backends=("auto", "compiled", "numpy", "cupy"),
    resolve=resolve,
)
