"""When momentum destroys algorithmic stability: the exact gap of two coupled runs, and the edge that two papers share.

Two runs of SGD with momentum on data that differ in one sample, by exact recursions where the loss is quadratic and as
coupled runs where it is Lipschitz: the step sizes from which the gap is unbounded, in the velocity form and in the
average form, what dropping the momentum early changes, and how the gap falls with the number of samples.
"""

from __future__ import annotations

__all__ = ["ALGORITHMS", "EPOCHS", "FORMS", "SHOWN", "SPLIT", "STUDY", "Settings", "steps_of"]

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
from lemmascope.theory.stability import edges
from lemmascope.theory.stability.claims import STABILITY_GAP
from lemmascope.theory.stability.gap import EXPONENTS, Mix, early_bound
from lemmascope.theory.verdict import Status

EPOCHS, SPLIT = 40, 5
"""Epochs of a run, and those with momentum of SGDEM; a fifth of the samples is curved where several n are compared."""

CYCLIC_N, CYCLIC_GAMMAS = (1, 2, 3, 5, 10, 50), (0.0, 0.2, 2**0.5 - 1, 0.7, 0.9, 0.99)
RANDOM_GAMMAS = (0.0, 0.2, 0.5, 0.7, 0.9, 0.99)
MIXES = {
    "1 of 1": (1.0, 1.0),
    "1 of 2": (0.5, 0.5),
    "1 of 5": (0.2, 0.2),
    "1 of 50": (0.02, 0.02),
    "1/2 and 3/2": (1.0, 1.25),
    "1/4, 1 and 4": (1.75, 17.0625 / 3),
}
"""h̄ and m₂ of the samples' curvatures."""

RANGES = (("1/2 and 3/2", 1.5), ("1/2 and 3/2", 0.3), ("1 of 2", 1.0), ("1 of 5", 1.0), ("1 of 50", 0.25))
"""Mixtures and step sizes of the range of momentum."""

LITTLE = (0.15, 0.25)
"""Step sizes just below and just above the edge of one curved sample in ten, γ = 0.9."""

ALGORITHMS = ("SGD", "SGDM", "SGDM, below", "SGDM, above", "SGDEM")
STATED = (0.9, 1.0, 10, 0.1)
"""γ, η, n and the small step for which gaps are stated in numbers."""

SEEN = (1, 5, 40)
"""Epochs after which coupled runs are held to the exact gap."""

EARLY_GAMMA, EARLY_STEPS, EARLY_N, EARLY_EPOCHS = 0.99, 4, (80, 320), (1, 2)
FORM_N, FORM_ETA, FORM_GAMMAS = 50, 0.01, (0.5, 0.75, 0.875, 0.9375)
FORMS = ("effective", "step")
ACROSS_N, ACROSS_GAMMAS = 80, (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
SHOWN = {"velocity": 4.0, "average": 6.0}
"""Largest step size of each form in the phase diagram."""

SWITCH_N = (20, 40, 80)
LEAST = 1e-12
"""Step size."""

ENOUGH_COUPLED, ENOUGH, ENOUGH_BOUND = 50_000, 600, 5000
"""Copies of all seeds without which intervals are wider than what is stated."""


@dataclass(frozen=True)
class Settings:
    """What the study is run with."""

    seeds: int = option(16, "Streams of coupled runs, each with so many copies.", tiny=8, full=64)
    copies: int = option(200, "Copies of a seed on the Lipschitz loss.", tiny=10, quick=50, full=1000)
    coupled: int = option(5000, "Copies of a seed that are held to the exact gap.", tiny=100, full=20000)
    bound: int = option(1000, "Copies of a seed that are held to the bound of SGDEM.", tiny=2000, full=2000)
    sizes: tuple[int, ...] = option(
        (20, 40, 80, 160, 320), "Samples n on the Lipschitz loss, multiples of 5.", tiny=(20, 320)
    )
    n: int = option(10, "Samples on the quadratic loss, one of them curved.")
    gamma: float = option(0.9, "Momentum.")
    eta: float = option(1.0, "Step size of the velocity form; SGD allows 2.")
    low: float = option(0.1, "A small step size, below the edge of random order.")
    cells: int = option(64, "Cells of each axis of the phase diagram.", tiny=12, quick=48)

    def __post_init__(self) -> None:
        for name, most in (("seeds", 10**6), ("copies", 10**6), ("coupled", 10**6), ("bound", 10**6), ("cells", 1024)):
            if not 2 <= check_size(name, getattr(self, name)) <= most:
                raise InputError(name, getattr(self, name), f"it must be from 2 to {most}")
        for name, values in (("n", (self.n,)), ("sizes", self.sizes)):
            for n in values:
                if not 2 <= check_size(name, n) <= 10_000:
                    raise InputError(name, n, "it must be from 2 to 10000")
        if len(self.sizes) < 2 or list(self.sizes) != sorted(set(self.sizes)):
            raise InputError("sizes", self.sizes, "give two or more, increasing")
        for n in self.sizes:
            if n % SPLIT:
                raise InputError("sizes", n, f"each must be a multiple of {SPLIT}: a fifth of the samples is curved")
        check_number("gamma", self.gamma, 0, 1, open_low=True, open_high=True)
        if check_number("eta", self.eta, LEAST) > 2:
            raise InputError("eta", self.eta, "beyond 2 steps of SGD itself expand; stay at most there")
        check_number("low", self.low, LEAST)
        edge = edges.share_edge(self.gamma, 1 / self.n)
        if self.low >= edge:
            why = f"from 2(1 − γ²)/(1 + γ − 2γ/n) = {edge:.4g} the gap has no bounded second moment; take less"
            raise InputError("low", self.low, why)

    @property
    def stated(self) -> bool:
        """Whether they are those for which gaps are stated in numbers."""
        return (self.gamma, self.eta, self.n, self.low) == STATED


def steps_of(settings: Settings) -> dict[str, tuple[float, float, int | None]]:
    """η, γ and T_d of each of `ALGORITHMS` on the quadratic."""
    s = settings
    rows = ((s.eta, 0.0, None), (s.eta, s.gamma, None), (LITTLE[0], s.gamma, None), (LITTLE[1], s.gamma, None))
    return dict(zip(ALGORITHMS, (*rows, (s.eta, s.gamma, SPLIT * s.n)), strict=True))


# --- exact ----------------------------------------------------------------------------------------------------------


def cyclic(task: Task[Settings]) -> xr.Dataset:
    """E_cyc at one n against where an epoch's spectral radius is 1."""
    from lemmascope.sims.stability.exact import bisect, epoch_radius

    gamma, n = np.array(CYCLIC_GAMMAS), task.at["n"]
    found = bisect(lambda eta: epoch_radius(eta, gamma, n) < 1, 1e-3 + 0 * gamma, 4.5 + 0 * gamma)
    stated = {"stated": edges.cyclic_edge(gamma, n), "wrong": edges.heavy_ball_edge(gamma), "found": found}
    return xr.Dataset({name: ("gamma", x) for name, x in stated.items()}, {"gamma": gamma})


def random(task: Task[Settings]) -> xr.Dataset:
    """E_ms of one mixture against where the second moments' spectral radius is 1."""
    from lemmascope.sims.stability.exact import bisect, second_radius

    gamma, (mean, square) = np.array(RANDOM_GAMMAS), MIXES[task.at["mix"]]
    high = 1.1 * edges.mean_edge(gamma, mean)
    found = bisect(lambda eta: second_radius(eta, gamma, mean, square) < 1, 1e-4 + 0 * gamma, high)
    stated = edges.mean_square_edge(gamma, mean, square)
    values = {"stated": stated, "wrong": 2 * (1 - gamma) * mean / square, "found": found}
    return xr.Dataset({name: ("gamma", x) for name, x in values.items()}, {"gamma": gamma})


def ranges(task: Task[Settings]) -> xr.Dataset:
    """γ_max of every case against where the second moments' spectral radius is 1."""
    from lemmascope.sims.stability.exact import bisect, second_radius

    eta = np.array([eta for _, eta in RANGES])
    mean, square = np.array([MIXES[mix] for mix, _ in RANGES]).T
    found = bisect(lambda gamma: second_radius(eta, gamma, mean, square) < 1, 1e-3 + 0 * eta, 1 - 1e-9 + 0 * eta)
    values = {
        "stated": edges.momentum_range(eta, mean, square),
        "wrong": edges.momentum_range(eta, mean, mean**2),
        "found": found,
        "excess": eta * square - 2 * mean,
    }
    labels = [f"h = {mix}, η = {eta:g}" for mix, eta in RANGES]
    return xr.Dataset({name: ("case", x) for name, x in values.items()}, {"case": labels})


def quadratic(task: Task[Settings]) -> xr.Dataset:
    """log √E D² and E D by epochs, one curved sample in n."""
    from lemmascope.sims.stability.exact import path

    s = task.settings
    mix, found = Mix.curved(s.n, 1), []
    for eta, gamma, until in (*steps_of(s).values(), (s.low, s.gamma, None), (s.low, 0.0, None)):
        found.append(path(mix, eta, gamma, EPOCHS, until))
    rms, mean = (np.stack(x) for x in zip(*found, strict=True))
    labels = {"algorithm": [*ALGORITHMS, "SGDM, small step", "SGD, small step"], "epoch": np.arange(1, EPOCHS + 1)}
    return xr.Dataset({"log_rms": (("algorithm", "epoch"), rms), "mean": (("algorithm", "epoch"), mean)}, labels)


def forms(task: Task[Settings]) -> xr.Dataset:
    """√E D² over SGD's, all h = 1: at equal η/(1 − γ), and at equal η."""
    from lemmascope.sims.stability.exact import path

    mix, gamma = Mix(FORM_N, 1.0, ((1.0, FORM_N - 1),)), task.at["gamma"]
    base, _ = path(mix, FORM_ETA, 0.0, EPOCHS)
    ratios = [np.exp(path(mix, FORM_ETA * factor, gamma, EPOCHS)[0] - base) for factor in (1 - gamma, 1.0)]
    return xr.Dataset({"ratio": (("form", "epoch"), ratios)}, {"form": list(FORMS), "epoch": np.arange(1, EPOCHS + 1)})


def phase(task: Task[Settings]) -> xr.Dataset:
    """log growth of √E D² an epoch over (γ, step size), one curved sample in n, in one form."""
    from lemmascope.sims.stability.exact import growth
    from lemmascope.theory.stability.gap import second

    s, xp = task.settings, _library(task.backend)
    middles = (np.arange(s.cells) + 0.5) / s.cells
    steps = SHOWN[task.at["form"]] * middles
    gamma, step = np.meshgrid(middles, steps, indexing="ij")
    eta = step * (1 - gamma) if task.at["form"] == "average" else step
    found = growth(xp, second(xp, xp.asarray(eta), xp.asarray(gamma), 1 / s.n, 1 / s.n)) * (s.n / 2)
    values = np.asarray(found.get() if hasattr(found, "get") else found)
    return xr.Dataset({"growth": (("gamma", "cell"), values), "step": ("cell", steps)}, {"gamma": middles})


def _library(backend: str) -> Any:
    if backend != "cupy":
        return np
    from lemmascope.sims.cubic_cnn.backends.device import cupy_or_refused

    return cupy_or_refused()


def switch(task: Task[Settings]) -> xr.Dataset:
    """log √E D² of SGDEM where it drops its momentum, and at the end; a fifth of n samples curved."""
    from lemmascope.sims.stability.exact import path

    s, n = task.settings, task.at["n"]
    found, _ = path(Mix.curved(n, n // SPLIT), s.eta, s.gamma, EPOCHS, SPLIT * n)
    return xr.Dataset({"log_rms": ("epoch", found[[SPLIT - 1, EPOCHS - 1]])}, {"epoch": [SPLIT, EPOCHS]})


# --- sampled --------------------------------------------------------------------------------------------------------


def coupled(task: Task[Settings]) -> xr.Dataset:
    """Mean of D² over one seed's copies after some epochs, at the small step."""
    from lemmascope.sims.stability.coupled import Case, Plan, run

    s = task.settings
    plan = Plan("quadratic", s.n, 1, tuple(epoch * s.n for epoch in SEEN))
    at, _ = run(plan, [Case(s.low, s.gamma)], task.rng("coupled"), s.coupled, task.backend)
    return xr.Dataset({"square": ("epoch", (at[0] ** 2).mean(axis=0))}, {"epoch": list(SEEN)})


def decay(task: Task[Settings]) -> xr.Dataset:
    """Mean of |D| over one seed's copies and epochs 31 to 40 on h log cosh, by algorithm."""
    from lemmascope.sims.stability.coupled import Case, Plan, run

    s, n = task.settings, task.at["n"]
    plan = Plan("log cosh", n, n // SPLIT, (EPOCHS * n,), burn_in=30 * n)
    cases = (Case(s.eta, s.gamma), Case(s.eta), Case(s.eta, s.gamma, SPLIT * n), Case(s.low, s.gamma))
    _, mean = run(plan, cases, task.rng(f"decay n={n}"), s.copies, task.backend)
    return xr.Dataset({"gap": ("algorithm", mean.mean(axis=1))}, {"algorithm": list(EXPONENTS)})


def early(task: Task[Settings]) -> xr.Dataset:
    """Mean of |D| over one seed's copies after some epochs, with momentum for four steps and throughout."""
    from lemmascope.sims.stability.coupled import Case, Plan, run

    s, n = task.settings, task.at["n"]
    plan = Plan("log cosh", n, n // SPLIT, tuple(epoch * n for epoch in EARLY_EPOCHS))
    cases = (Case(s.eta, EARLY_GAMMA, EARLY_STEPS), Case(s.eta, EARLY_GAMMA))
    at, _ = run(plan, cases, task.rng(f"early n={n}"), s.bound, task.backend)
    labels = {"algorithm": ["SGDEM", "SGDM"], "epoch": list(EARLY_EPOCHS)}
    return xr.Dataset({"gap": (("algorithm", "epoch"), np.abs(at).mean(axis=1))}, labels)


def across(task: Task[Settings]) -> xr.Dataset:
    """As `decay`, at one n and over γ, across the edge."""
    from lemmascope.sims.stability.coupled import Case, Plan, run

    s, n = task.settings, ACROSS_N
    plan = Plan("log cosh", n, n // SPLIT, (EPOCHS * n,), burn_in=30 * n)
    _, mean = run(plan, [Case(s.eta, g) for g in ACROSS_GAMMAS], task.rng("across"), s.copies, task.backend)
    return xr.Dataset({"gap": ("gamma", mean.mean(axis=1))}, {"gamma": list(ACROSS_GAMMAS)})


# --- what is judged -------------------------------------------------------------------------------------------------


def derive(settings: Settings, data: Data) -> Data:
    """What is stated, beside what was measured."""
    exact = data["quadratic"]["log_rms"].sel(epoch=list(SEEN))
    stated = {
        name: ("epoch", np.exp(2 * exact.sel(algorithm=which).values))
        for name, which in (("stated", "SGDM, small step"), ("plain", "SGD, small step"))
    }
    bound = [
        [early_bound(settings.eta, EARLY_GAMMA, n, EARLY_STEPS, epoch * n) for epoch in EARLY_EPOCHS] for n in EARLY_N
    ]
    return dict(data) | {
        "coupled": data["coupled"].assign(stated),
        "early": data["early"].assign(bound=(("n", "epoch"), bound)),
    }


def evidence(settings: Settings, data: Data) -> Sequence[Evidence]:
    """What each group of claims is measured on."""
    s, stated = settings, {"stated": int(settings.stated), "eta": settings.eta}
    edge = float(edges.share_edge(s.gamma, 1 / s.n))
    roles = (
        ("cyclic", "epoch matrix", data["cyclic"]),
        ("random", "second moments", data["random"]),
        ("exact", f"one curved sample in {s.n}", data["quadratic"].assign_attrs(stated)),
        ("coupled", f"coupled runs, η = {s.low:g}", data["coupled"].assign_attrs(eta=s.low, edge=edge)),
        ("decay", "log cosh", data["decay"].assign_attrs(stated)),
        ("early", f"log cosh, γ = {EARLY_GAMMA}, T_d = {EARLY_STEPS}", data["early"].assign_attrs(stated)),
        ("range", "second moments over γ", data["ranges"].assign_attrs(excess=float(data["ranges"]["excess"].max()))),
        ("forms", f"n = {FORM_N}, all curved", data["forms"]),
    )
    return [Evidence(found, label, role=role, parameters=s) for role, label, found in roles]


def expected(settings: Settings) -> Mapping[str, Status]:
    """Where these settings leave what a claim is stated for."""
    if settings.stated:
        return {}
    return {f"stability.{name}": Status.NOT_APPLICABLE for name in ("unbounded", "lipschitz")}


def undecided(settings: Settings) -> Mapping[str, str]:
    """Few copies leave the intervals wider than what is stated."""
    s, found = settings, dict[str, str]()
    for flag, least, name in (
        ("coupled", ENOUGH_COUPLED, "simulated"),
        ("copies", ENOUGH, "lipschitz"),
        ("bound", ENOUGH_BOUND, "sgdem_bound"),
    ):
        if s.seeds < 8 or s.seeds * getattr(s, flag) < least:
            why = f"{s.seeds} seeds of {getattr(s, flag)} copies leave the interval wide"
            found[f"stability.{name}"] = f"{why}; --seeds 16 --{flag} {-(-least // 16)} decide"
    return found


# --- shown ----------------------------------------------------------------------------------------------------------


def _rms(log: float) -> str:
    """A gap from its logarithm, which may be out of the range of doubles."""
    if abs(log) < math.log(1e5) or math.isinf(log):
        return number(math.exp(log))
    decades = log / math.log(10)
    power = math.floor(decades)
    return f"{10 ** (decades - power):.1f}e{power}".replace("-", "−")


TIMES = (1, 5, 10, 20, EPOCHS)


def tables(result: Result[Settings]) -> Sequence[Table]:
    """The exact gap by epochs, and both papers' statements at the edge."""
    s, data = result.settings, result.data["quadratic"]
    rows, values = [], []
    for name, (eta, gamma, until) in steps_of(s).items():
        logs = [float(data["log_rms"].sel(algorithm=name, epoch=k)) for k in TIMES]
        mean = float(data["mean"].sel(algorithm=name, epoch=EPOCHS))
        told = f"{name.split(',')[0]}, η = {eta:g}" + ("" if until is None else f", momentum for {SPLIT} epochs")
        rows.append([told, *map(_rms, logs), number(mean)])
        values.append({"algorithm": name, "eta": eta, "gamma": gamma, "log rms": logs, "mean": mean})
    power = s.gamma**s.n
    edge, cycle = float(edges.share_edge(s.gamma, 1 / s.n)), float(edges.cyclic_edge(s.gamma, s.n))
    limits = {
        "random order": (edge, edge / (1 - s.gamma)),
        "cyclic order": (cycle, 2 * (1 + power) / (1 - power)),
        "SGD": (2.0, 2.0),
    }
    return [
        Table(
            "gap",
            f"√E D² exactly after epochs, one curved sample in {s.n}, γ = {s.gamma:g}, Δ = 1",
            ["algorithm", *map(str, TIMES), f"E D at {EPOCHS}"],
            rows,
            "Velocity form, random order, L = 1. What only E D sees, last, is fine everywhere.",
            values,
        ),
        Table(
            "edges",
            f"Step sizes below which the gap is bounded, one curved sample in {s.n}, γ = {s.gamma:g}",
            ["order", "velocity form, ηL", "average form, ηL/(1 − γ)"],
            [[name, f"{a:.4g}", f"{b:.4g}"] for name, (a, b) in limits.items()],
            "In the velocity form momentum shrinks the range, in the average form it never does.",
            {name: list(pair) for name, pair in limits.items()},
        ),
    ]


def summary(result: Result[Settings]) -> Sequence[str]:
    """SGDEM's gap at the switch, and how the gap grows across the edge."""
    s, found = result.settings, result.data
    switches = ", ".join(
        f"{_rms(float(one['log_rms'][0]))} at n = {int(one['n'])} ({_rms(float(one['log_rms'][1]))} at the end)"
        for one in (found["switch"].sel(n=n) for n in SWITCH_N)
    )
    gaps = found["across"]["gap"].mean("seed")
    over = ", ".join(f"{float(gaps.sel(gamma=g)):.3g} ({g:g})" for g in ACROSS_GAMMAS)
    curved = 1 / SPLIT
    most = float(edges.momentum_range(s.eta, curved, curved)) if s.eta < 2 else 0.0
    early_, between = found["early"], found["forms"]["ratio"].sel(form="effective")
    top = between.isel({str(name): int(k) for name, k in between.argmax(("gamma", "epoch")).items()})
    slack = float((early_["bound"] / early_["gap"].sel(algorithm="SGDEM").mean("seed")).min())
    return [
        f"SGDEM on the quadratic, a fifth of n samples curved: √E D² after {SPLIT} epochs of momentum {switches}.",
        f"log cosh, n = {ACROSS_N}, η = {s.eta:g}: mean gap by γ {over}; the edge is at γ = {most:.3f}.",
        f"All curved, at equal η/(1 − γ): in between √E D² is up to {float(between.max()):.3f} of SGD's, γ = "
        f"{float(top['gamma']):g} after {int(top['epoch'])} epochs.",
        f"The bound of SGDEM is true and at least {slack:.0f} times too large.",
    ]


def resolve(backend: str) -> str:
    """What "auto" stands for: machine code where there is any. A device takes the steps one by one, where asked to."""
    from lemmascope.sims.cubic_cnn.backends import auto

    return auto.resolve(backend, ("compiled", "numpy"))


STEP = 1e-5
"""Milliseconds that a step of both runs of a copy takes, as measured."""


def _small(settings: Settings, at: Mapping[str, Any]) -> tuple[float, float]:
    return 1e6, 1e4


def _drawn(settings: Settings, at: Mapping[str, Any]) -> tuple[float, float]:
    """Indices and targets of a block of copies."""
    return 3e7, 1e4


def _few(settings: Settings, at: Mapping[str, Any]) -> float:
    return 5.0


def _coupled_cost(settings: Settings, at: Mapping[str, Any]) -> float:
    return STEP * EPOCHS * settings.n * settings.coupled


def _decay_cost(settings: Settings, at: Mapping[str, Any]) -> float:
    return STEP * len(EXPONENTS) * EPOCHS * at["n"] * settings.copies


def _early_cost(settings: Settings, at: Mapping[str, Any]) -> float:
    return STEP * 2 * max(EARLY_EPOCHS) * at["n"] * settings.bound


def _across_cost(settings: Settings, at: Mapping[str, Any]) -> float:
    return STEP * len(ACROSS_GAMMAS) * EPOCHS * ACROSS_N * settings.copies


def _phase_cost(settings: Settings, at: Mapping[str, Any]) -> float:
    return 0.02 * settings.cells**2


STUDY = Study(
    name="stability_gap",
    subject="stability",
    message=(
        "On convex smooth quadratics the gap of two runs whose data differ in one sample is bounded up to η = "
        "2h̄(1 − γ²)/((1 + γ)m₂ − 2γh̄²): for every momentum there is a step size that SGD is allowed at which it is "
        "unbounded, and at equal η/(1 − γ) momentum never shrinks the stable range. On a Lipschitz loss the gap stays "
        "finite beyond the edge, but no longer falls with the number of samples."
    ),
    settings=Settings,
    experiments={
        "cyclic": Experiment(lambda s: {"n": CYCLIC_N}, cyclic, _few, needs=_small),
        "random": Experiment(lambda s: {"mix": list(MIXES)}, random, _few, needs=_small),
        "ranges": Experiment(lambda s: {}, ranges, _few, needs=_small),
        "quadratic": Experiment(lambda s: {}, quadratic, _few, needs=_small),
        "forms": Experiment(lambda s: {"gamma": FORM_GAMMAS}, forms, _few, needs=_small),
        "switch": Experiment(lambda s: {"n": SWITCH_N}, switch, _few, needs=_small),
        "phase": Experiment(lambda s: {"form": list(SHOWN)}, phase, _phase_cost, needs=_small),
        "coupled": Experiment(lambda s: {"seed": range(s.seeds)}, coupled, _coupled_cost, needs=_drawn),
        "decay": Experiment(lambda s: {"n": s.sizes, "seed": range(s.seeds)}, decay, _decay_cost, needs=_drawn),
        "early": Experiment(lambda s: {"n": EARLY_N, "seed": range(s.seeds)}, early, _early_cost, needs=_drawn),
        "across": Experiment(lambda s: {"seed": range(s.seeds)}, across, _across_cost, needs=_drawn),
    },
    evidence=evidence,
    claims=STABILITY_GAP,
    derive=derive,
    expected=expected,
    undecided=undecided,
    tables=tables,
    summary=summary,
    examples=(
        "lemmascope stability_gap",
        "lemmascope stability_gap --quick",
        "lemmascope stability_gap --gamma 0.99 --low 0.01 --n 50 --out results/more-momentum",
        "lemmascope stability_gap --full --cluster local --out results/stability-full",
        "lemmascope stability_gap --resume",
    ),
    seconds=10,
    backends=("auto", "compiled", "numpy", "cupy"),
    resolve=resolve,
)
