"""SGD with and without momentum at a small learning rate: how close they are, at which horizon, and where it ends.

Exact moments of one mode over 1/η steps, for rates that follow η in any power; the valley with label noise over 1/η²
steps, in the limit in which its moments close and sampled; and the steps that each takes at its best rates, without
noise and with it.
"""

from __future__ import annotations

__all__ = ["ALPHAS", "DAMPINGS", "KAPPAS", "NOISES", "PLACES", "STUDY", "TIMES", "Settings"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from lemmascope.sims.study import Data, Experiment, Result, Study, Task, option, spell
from lemmascope.sims.tables import Table, number
from lemmascope.theory.claim import Evidence
from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.noise.claims.marginal_value import CLAIMS
from lemmascope.theory.noise.marginal_value import DAMPED, gaps, lag, pair, valley_law
from lemmascope.theory.optimizers import MomentumAverage

ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
"""1 − β = ½η^α."""

TIMES = (0.25, 0.5, 1.0, 2.0)
"""t = ηk at short horizon."""

FIRST, APART = 14, 2
"""At short horizon η = 2^−14, 2^−16, …."""

REACHED = 24
"""On rates down to 2^−24 the slopes at α = ¾ have come near their limit; on fewer they have not."""

CONSTANTS: dict[str, Any] = {"eta": 1e-4, "beta": (0.5, 0.9, 0.99), "h": (0.5, 1.0, 2.0), "t": (0.25, 0.5, 2.0)}
PLACES = ((2.0, 1.0), (1.0, 2.0))
"""(τ, x₀) along the valley."""

COARSEST = 8
"""There η = 2^−8, 2^−9, …."""

POINTS = 32
"""Points of a path."""

TAU = 2.0
"""τ at which replicas are compared, from x₀ = 1."""

KAPPAS = (30, 100, 300, 1000, 3000)
MODES, KAPPA, TARGET = 8, 100, 1e-2
"""Modes, evenly in logarithms; κ with noise; what E L is to stay below, 1 at the start."""

NOISES = (1e-3, 1e-2, 0.1, 1.0, 10.0)
"""s²."""

DAMPINGS = (0.1, DAMPED, 1e-5)
"""The least 1 − β that SGDM may take."""

FIXED = 0.02, 0.9
"""ηκ and β that are not tuned."""

HORIZON = 4
"""What settles is watched for so many times the steps of SGD at its best."""


@dataclass(frozen=True)
class Settings:
    """What the study is run with."""

    finest_short: int = option(REACHED, "The smallest η at short horizon is 2^-this.", full=40)
    finest_long: int = option(12, "The smallest η along the valley is 2^-this.", tiny=10, quick=11, full=13)
    seeds: int = option(16, "Seeds of the sampled valley.", tiny=4, quick=8, full=32)
    replicas: int = option(2000, "Replicas of a seed.", tiny=150, quick=1000, full=8000)
    etas: tuple[float, ...] = option((0.025, 0.05, 0.1), "Learning rates there.", tiny=(0.025, 0.1))
    beta: float = option(0.9, "Momentum there.")
    rates: int = option(40, "Rates of a grid in the search for the best.", tiny=12, quick=16, full=100)

    def __post_init__(self) -> None:
        check_size("seeds", self.seeds)
        check_size("replicas", self.replicas)
        check_number("beta", self.beta, 0, 1, open_low=True, open_high=True)
        for name, least, most in (("finest_short", REACHED, 40), ("finest_long", COARSEST + 1, 16), ("rates", 4, 1000)):
            if not least <= check_size(name, getattr(self, name)) <= most:
                raise InputError(name, getattr(self, name), f"it must be from {least} to {most}")
        if len(self.etas) < 2 or list(self.etas) != sorted(set(self.etas)):
            raise InputError("etas", self.etas, "give two or more, increasing")
        for eta in self.etas:
            # Across the valley h = 1 + x² is 2 at the start, and SGD's edge is 2/h, the smallest of all momenta.
            if check_number("etas", eta, 0, open_low=True) >= 1:
                raise InputError(
                    "etas", eta, "it must be below 1, the edge of stability across the valley at its start"
                )


# --- exact ----------------------------------------------------------------------------------------------------------


def _damping(eta: float, alpha: float) -> float:
    return eta**alpha / 2


def _gaps(eta: float, damping: float, h: float, times: Sequence[float]) -> dict[str, list[float]]:
    """`theory.noise.marginal_value.gaps` at each time."""
    step = pair(np, eta, damping, h)
    found = [gaps(step.repeated(round(t / eta)), lag(eta, damping)) for t in times]
    return {name: [one[name] for one in found] for name in found[0]}


def short(task: Task[Settings]) -> xr.Dataset:
    """Gaps of one mode for one α, over η and t."""
    exponents = np.arange(FIRST, task.settings.finest_short + 1, APART)
    etas = 2.0**-exponents
    found = [_gaps(eta, _damping(eta, task.at["alpha"]), 1.0, TIMES) for eta in etas.tolist()]
    return xr.Dataset(
        {name: (("eta", "t"), np.array([one[name] for one in found])) for name in found[0]},
        {"eta": etas, "t": list(TIMES)},
    )


def constants(task: Task[Settings]) -> xr.Dataset:
    """Gaps at one η, over h and t, for one β."""
    eta, beta = CONSTANTS["eta"], task.at["beta"]
    found = [_gaps(eta, 1 - beta, h, CONSTANTS["t"]) for h in CONSTANTS["h"]]
    return xr.Dataset(
        {name: (("h", "t"), np.array([one[name] for one in found])) for name in found[0]},
        {"h": list(CONSTANTS["h"]), "t": list(CONSTANTS["t"])},
        {"eta": eta},
    )


def _paths(eta: float, beta: float) -> np.ndarray:
    """(places, points) x along the valley, from the start to the end of each place's τ."""
    from lemmascope.sims.noise.line import line_path

    found = []
    for tau, x_0 in PLACES:
        at = np.rint(np.linspace(0, tau / eta**2, POINTS + 1)).astype(int).tolist()
        found.append(line_path(MomentumAverage(eta, beta), at, x=x_0)[:, 0])
    return np.array(found)


def valley(task: Task[Settings]) -> xr.Dataset:
    """Paths of SGDM for one α and η."""
    eta = task.at["eta"]
    return xr.Dataset({"path": (("place", "point"), _paths(eta, 1 - _damping(eta, task.at["alpha"])))})


def valley_sgd(task: Task[Settings]) -> xr.Dataset:
    """Paths of SGD for one η."""
    return xr.Dataset({"path": (("place", "point"), _paths(task.at["eta"], 0.0))})


# --- sampled --------------------------------------------------------------------------------------------------------


def sampled(task: Task[Settings]) -> xr.Dataset:
    """Mean places of one seed's replicas at τ, and their standard deviations, over η; all rules see the same labels."""
    from lemmascope.sims.noise.draws import generators
    from lemmascope.sims.noise.replicas import run
    from lemmascope.theory.noise.valley import Line

    s = task.settings
    names, found = ("sgd", "sgdm", "unscaled"), []
    for eta in s.etas:
        rules = [(eta, 0.0), (eta, s.beta), (eta * (1 - s.beta), s.beta)]
        steps = round(TAU / eta**2)
        rngs = generators(task.rng, f"labels eta={spell(eta)}", s.replicas)
        found.append(run(Line(), rules, 1.0, rngs, steps=steps, every=steps, backend=task.backend)[:, :, 0])
    places = np.array(found)
    return xr.Dataset(
        {name: ("eta", places[:, k].mean(axis=1)) for k, name in enumerate(names)}
        | {f"{name}_sd": ("eta", places[:, k].std(axis=1)) for k, name in enumerate(names[:2])},
        {"eta": list(s.etas)},
    )


# --- steps at the best rates ----------------------------------------------------------------------------------------


def descent(task: Task[Settings]) -> xr.Dataset:
    """Fewest steps without noise for one κ, and those at rates that are not tuned."""
    from lemmascope.sims.noise.settling import best, settling

    kappa, rates = task.at["kappa"], task.settings.rates
    h, still = np.geomspace(1, kappa, MODES), np.zeros(MODES)
    sgd = best(h, still, TARGET, (1.0, 1.0), horizon=100 * kappa, size=rates)
    sgdm = best(h, still, TARGET, (1e-3, 1.0), horizon=HORIZON * sgd.steps, size=rates)
    eta, beta = FIXED[0] / kappa, FIXED[1]
    fixed = [settling(eta, one, h, still, TARGET, 1000 * kappa) for one in (0.0, beta)]
    return xr.Dataset(
        {
            "sgd": sgd.steps,
            "sgdm": sgdm.steps,
            "fixed_sgd": fixed[0],
            "fixed_sgdm": fixed[1],
            "eta_sgd": sgd.eta,
            "eta_sgdm": sgdm.eta,
            "beta": sgdm.beta,
        }
    )


def noisy(task: Task[Settings]) -> xr.Dataset:
    """Fewest steps for one s², of SGD and of SGDM with 1 − β from each least damping on; a wider range has the best of
    a narrower one."""
    from lemmascope.sims.noise.settling import best

    h, rates = np.geomspace(1, KAPPA, MODES), task.settings.rates
    noise = task.at["s2"] * h
    most = 10**6
    sgd = best(h, noise, TARGET, (1.0, 1.0), horizon=most, size=rates)
    each = [best(h, noise, TARGET, (c, 1.0), horizon=HORIZON * sgd.steps, size=rates) for c in DAMPINGS]
    kept = [min(each[: k + 1], key=lambda one: one.steps) for k in range(len(each))]
    return xr.Dataset(
        {
            "sgd": sgd.steps,
            "eta_sgd": sgd.eta,
            "sgdm": ("damping", [one.steps for one in kept]),
            "eta": ("damping", [one.eta for one in kept]),
            "beta": ("damping", [one.beta for one in kept]),
        },
        {"damping": list(DAMPINGS)},
    )


# --- what is judged -------------------------------------------------------------------------------------------------


def _rates_long(settings: Settings) -> list[float]:
    return [2.0**-k for k in range(COARSEST, settings.finest_long + 1)]


def evidence(settings: Settings, data: Data) -> Sequence[Evidence]:
    """What each group of claims is measured on."""
    ends = {name: data[one]["path"].isel(point=-1) for name, one in (("sgd", "valley_sgd"), ("sgdm", "valley"))}
    tau, x_0 = zip(*PLACES, strict=True)
    along = xr.Dataset(ends).assign_coords(tau=("place", list(tau)), x_0=("place", list(x_0)))
    roles = (
        ("short", "one mode", data["short"]),
        ("constants", "one mode, η = 10⁻⁴", data["constants"]),
        ("valley", "valley, n → ∞", along.sortby("eta", ascending=False)),
        ("sampled", "valley, n = 1", data["sampled"]),
        ("descent", "without noise", data["descent"]),
        ("noisy", "with noise", data["noisy"]),
    )
    return [Evidence(found, label, role=role, parameters=settings) for role, label, found in roles]


def undecided(settings: Settings) -> Mapping[str, str]:
    """Few replicas leave their means too uncertain."""
    found = {}
    if settings.seeds < 8 or settings.seeds * settings.replicas < 8000:
        why = f"{settings.seeds} seeds of {settings.replicas} replicas leave the interval too wide"
        found["marginal.long_law_sampled"] = f"{why}; --seeds 8 --replicas 1000 decide"
    return found


def tables(result: Result[Settings]) -> Sequence[Table]:
    """The gain with noise, by how far momentum may go."""
    data = result.data["noisy"]
    rows, values = [], []
    for s2 in data["s2"].values.tolist():
        one = data.sel(s2=s2)
        gain = one["sgd"] / one["sgdm"]
        cells = [f"{float(gain[k]):.3f}\n  1−β = {number(1 - float(one['beta'][k]))}" for k in range(gain.size)]
        rows.append([number(s2), str(int(one["sgd"])), *cells])
        values.append(
            {
                "s2": s2,
                "K_SGD": int(one["sgd"]),
                "gain": gain.values.tolist(),
                "1 - beta": (1 - one["beta"]).values.tolist(),
            }
        )
    return [
        Table(
            "gain",
            f"K_SGD/K_SGDM at κ = {KAPPA}, each at its best rates",
            ["s²", "K_SGD", *(f"1−β ≥ {number(c)}" for c in DAMPINGS)],
            rows,
            f"Steps after which E L stays below {TARGET:g} of its start; under each gain the best 1 − β.",
            values,
        )
    ]


def summary(result: Result[Settings]) -> Sequence[str]:
    """What the verdicts do not say in numbers."""
    descent, noisy, places = (result.data[name] for name in ("descent", "noisy", "sampled"))
    gains = ", ".join(
        f"{float(one['sgd'] / one['sgdm']):.3g} (κ = {int(one['kappa'])})"
        for one in (descent.isel(kappa=k) for k in range(descent.sizes["kappa"]))
    )
    free = (noisy["sgd"] / noisy["sgdm"]).isel(damping=-1)
    left = ", ".join(f"{float(x):.3f} (s² = {float(x['s2']):g})" for x in free if float(x["s2"]) >= 1)
    spread = ", ".join(
        f"{float(one['sgdm_sd']):.3f} against {float(one['sgd_sd']):.3f} (η = {float(one['eta']):g})"
        for one in (places.mean("seed").isel(eta=k) for k in range(places.sizes["eta"]))
    )
    beta = result.settings.beta
    laws = ", ".join(
        f"{float(one['sgdm'] - one['sgd']) / sum(valley_law(float(one['eta']), beta, TAU, 1.0)):.2f} "
        f"(η = {float(one['eta']):g})"
        for one in (places.mean("seed").isel(eta=k) for k in range(places.sizes["eta"]))
    )
    return [
        f"Without noise K_SGD/K_SGDM = {gains}.",
        f"With noise and 1 − β free to be as small as {DAMPINGS[-1]:g} SGDM keeps a gain of {left}.",
        f"Sampled, the standard deviation of x at τ = {TAU:g} is {spread}, SGDM against SGD.",
        f"Their means are apart by so many times what the law says for n → ∞: {laws}.",
    ]


def resolve(backend: str) -> str:
    """What "auto" stands for: machine code. A device takes the sampled replicas alone, where asked to."""
    from lemmascope.sims.cubic_cnn.backends import auto

    return auto.resolve(backend, ("compiled", "numpy"))


def _steps(settings: Settings, at: Mapping[str, Any]) -> float:
    """Milliseconds, as measured: a step of the moments takes 5.5 ns."""
    return 1 + sum(tau for tau, _ in PLACES) / at["eta"] ** 2 * 5.5e-6


def _sampled_cost(settings: Settings, at: Mapping[str, Any]) -> float:
    """Milliseconds, as measured."""
    steps = sum(TAU / eta**2 for eta in settings.etas)
    return settings.replicas * (0.05 * len(settings.etas) + steps * 4e-6)


def _search(settings: Settings, at: Mapping[str, Any]) -> float:
    """Milliseconds, as measured."""
    return 250 + 0.4 * settings.rates**2 if "s2" in at else 60 + 0.1 * settings.rates**2


SMALL_NEEDS = 1e7, 10_000.0
"""Bytes of memory, and of a part."""

STUDY = Study(
    name="marginal_value",
    subject="noise",
    message=(
        "Where noise sets the learning rate, SGD with momentum at γ = η(1−β) stays close to SGD at η: laws differ by "
        "η/(1−β) over 1/η steps, places along a valley by η + η²/(1−β) over 1/η² steps. So closeness ends at 1−β ~ η "
        "over the shorter time and at 1−β ~ η² over the longer one; without noise momentum takes √κ times fewer steps."
    ),
    settings=Settings,
    experiments={
        "short": Experiment(lambda s: {"alpha": ALPHAS}, short, lambda s, at: 5.0, needs=lambda s, at: SMALL_NEEDS),
        "constants": Experiment(
            lambda s: {"beta": CONSTANTS["beta"]}, constants, lambda s, at: 5.0, needs=lambda s, at: SMALL_NEEDS
        ),
        "valley": Experiment(
            lambda s: {"alpha": ALPHAS, "eta": _rates_long(s)}, valley, _steps, needs=lambda s, at: SMALL_NEEDS
        ),
        "valley_sgd": Experiment(
            lambda s: {"eta": _rates_long(s)}, valley_sgd, _steps, needs=lambda s, at: SMALL_NEEDS
        ),
        "sampled": Experiment(
            lambda s: {"seed": range(s.seeds)},
            sampled,
            _sampled_cost,
            needs=lambda s, at: (2e7 + 1e4 * s.replicas, 10_000.0),
        ),
        "descent": Experiment(lambda s: {"kappa": KAPPAS}, descent, _search, needs=lambda s, at: SMALL_NEEDS),
        "noisy": Experiment(lambda s: {"s2": NOISES}, noisy, _search, needs=lambda s, at: SMALL_NEEDS),
    },
    evidence=evidence,
    claims=CLAIMS,
    undecided=undecided,
    tables=tables,
    summary=summary,
    examples=(
        "lemmascope marginal_value",
        "lemmascope marginal_value --quick",
        "lemmascope marginal_value --finest-short 40 --out results/marginal-short",
        "lemmascope marginal_value --seeds 64 --replicas 8000 --cluster local --out results/marginal-sampled",
        "lemmascope marginal_value --resume",
    ),
    seconds=12,
    backends=("auto", "compiled", "numpy", "cupy"),
    resolve=resolve,
)
