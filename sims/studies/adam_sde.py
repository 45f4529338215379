"""The square-root scaling rule of RMSprop and Adam: which batch it carries over to, what breaks it, where it ends.

Exact stationary variances with v frozen, for η that follows the batch in any power; copies of Adam by six rules beside
the mean field of v; how far into the signal RMSprop's rule reaches; and what the fluctuation of v adds.
"""

from __future__ import annotations

__all__ = ["BETAS", "DELTAS", "KAPPAS", "MOMENTS", "ORDERS", "POWERS", "STARTS", "STUDY", "Settings", "base"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from lemmascope.sims.study import Data, Experiment, Result, Study, Task, option
from lemmascope.sims.tables import Table, number
from lemmascope.theory.claim import Evidence
from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.noise import adam_sde as theory
from lemmascope.theory.noise.adam_sde import NEAR, WEAK
from lemmascope.theory.noise.claims.adam_sde import CLAIMS
from lemmascope.theory.verdict import Status

BETAS, SOLVED_AT = (0.0, 0.5, 0.9), 0.1
"""β₁ and p of the closed form."""

POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
FACTORS, FROZEN_P = (1, 2, 4, 8, 16, 32, 64), 2.0**-12
"""r, κ and p of the exponents."""

TIMES = 8
"""kp = ½, 1, …, 4."""

WEAK_START, WEAK_POWERS = 1e-3, (5, 6, 7, 8, 9, 10)
"""θ₀, and p = 2^-these, of the order."""

STARTS, KAPPAS, DOMINANCE_ETA = (0.05, 0.2, 0.8), (1, 4, 16, 64), 2.0**-12
"""θ₀, κ and η = 1 − β₂ where the signal is not small."""

DELTAS, ORDERS, NOISE_P = (0.1, 0.05, 0.025), ("old", "new"), 0.01
NOISE_BURN_IN, NOISE_EVERY = 500, 10
"""Ten relaxation times of θ², and steps between two looks."""

MOMENTS = ("mean", "square", "v")
ENOUGH_SEEDS, ENOUGH, MANY = 8, 6000, 20_000
"""Seeds, and copies of all seeds, without which intervals are wider than what is stated; and than what is stated more
narrowly.
"""

ENOUGH_STEPS = 4000


@dataclass(frozen=True)
class Settings:
    """What the study is run with."""

    seeds: int = option(16, "Streams of noise, each with so many copies.", tiny=8, quick=12, full=64)
    copies: int = option(1500, "Copies of a seed.", tiny=100, quick=500, full=6000)
    kappas: tuple[int, ...] = option(
        (4, 16, 64), "Factors by which the batch grows, powers of 2; 4 among them.", quick=(4, 16)
    )
    finest: int = option(8, "The learning rate at the batch 1 is 2^-this; all other rates follow it.")
    theta_0: float = option(0.1, "Where Adam starts, the minimum being 0.")
    noise_steps: int = option(6500, "Steps for the fluctuation of v, 500 left out at first.", tiny=1500, quick=4000)

    def __post_init__(self) -> None:
        for name in ("seeds", "copies"):
            if check_size(name, getattr(self, name)) < 2:
                raise InputError(name, getattr(self, name), "it must be at least 2")
        if not 5 <= check_size("finest", self.finest) <= 14:
            raise InputError("finest", self.finest, "it must be from 5 to 14")
        check_number("theta_0", self.theta_0, 0, open_low=True)
        if check_size("noise_steps", self.noise_steps) % NOISE_EVERY or self.noise_steps < 2 * NOISE_BURN_IN:
            raise InputError(
                "noise_steps", self.noise_steps, f"it must be a multiple of {NOISE_EVERY}, at least {2 * NOISE_BURN_IN}"
            )
        if NEAR not in self.kappas or list(self.kappas) != sorted(set(self.kappas)):
            raise InputError("kappas", self.kappas, f"give increasing ones, {NEAR} among them")
        for kappa in self.kappas:
            if check_size("kappas", kappa) < 2 or kappa & (kappa - 1):
                raise InputError("kappas", kappa, "each must be a power of 2, at least 2")
            _check_edge(base(2.0**-self.finest), kappa)


def base(eta: float) -> theory.Rates:
    """Adam's rates at the batch 1: ε = 1, so that p = η/2; 1 − β₁ = 4p, 1 − β₂ = 2p."""
    return theory.Rates(eta, 2 * eta, eta, 1.0)


def _check_edge(rates: theory.Rates, kappa: int) -> None:
    """Raise `InputError` unless the linear rule, which takes the largest steps, is stable at κ where v̂ = 1."""
    at = theory.scaled(rates, kappa, "linear")
    most = theory.edge(1 - at.damping1)
    p = at.eta * kappa**0.5 / (1 + at.epsilon * kappa**0.5)
    if p >= most:
        why = f"the linear rule has p = {p:.4g} and is stable below 2(1 + β₁)/(1 − β₁) = {most:.4g}; take less"
        raise InputError("kappas", kappa, why)


# --- exact ----------------------------------------------------------------------------------------------------------


def frozen(task: Task[Settings]) -> xr.Dataset:
    """Var θ for one β₁ by the closed form, and by linear equations."""
    from lemmascope.theory.moments import stationary

    beta1, p = task.at["beta1"], SOLVED_AT
    return xr.Dataset(
        {
            "closed": theory.frozen_variance(p, p, beta1),
            "exchanged": theory.frozen_variance(p, p, beta1, exchanged=True),
            "solved": float(stationary(theory.frozen(np, p, 1 - beta1, p))[0, 0]),
        }
    )


def exponent(task: Task[Settings]) -> xr.Dataset:
    """Stationary variances over κ for one r, by linear equations."""
    from lemmascope.theory.moments import Linear, stationary

    r, found = task.at["r"], []
    for kappa in FACTORS:
        p, s = FROZEN_P * kappa ** (r + 0.5), FROZEN_P * kappa**r
        eta = FROZEN_P * kappa**r
        sgd = Linear(np.array([[1 - eta]]), np.array([[eta * eta / kappa]]))
        found.append([float(stationary(one)[0, 0]) for one in (theory.frozen(np, p, 1.0, s), sgd)])
    rmsprop, plain = zip(*found, strict=True)
    return xr.Dataset({"rmsprop": ("kappa", list(rmsprop)), "sgd": ("kappa", list(plain))}, {"kappa": list(FACTORS)})


def weak(task: Task[Settings]) -> xr.Dataset:
    """Largest deviations of mean field at κ = 4 for one p, by rule."""
    from lemmascope.sims.noise.adam_sde import Case, expected

    p, found = task.at["p"], []
    rates, steps = base(2 * p), round(1 / (2 * p))
    (before,), _ = expected([Case(rates, WEAK_START)], 1, steps=TIMES * steps, every=steps)
    for rule in theory.EXPONENTS:
        case = Case(theory.scaled(rates, WEAK, rule), WEAK_START)
        (after,), _ = expected([case], WEAK, steps=TIMES * steps // WEAK, every=steps // WEAK)
        found.append(
            [np.abs(after[:, 0] - before[:, 0]).max() / WEAK_START, np.abs(after[:, 1] / before[:, 1] - 1).max()]
        )
    mean, square = np.array(found).T
    return xr.Dataset({"mean": ("rule", mean), "square": ("rule", square)}, {"rule": list(theory.EXPONENTS)})


# --- sampled --------------------------------------------------------------------------------------------------------


def _steps(settings: Settings, kappa: int) -> int:
    """Of a time ½ in kp."""
    return 2**settings.finest // kappa


def _cases(settings: Settings, kappa: int, *, frozen: bool = False) -> list[Any]:
    """Adam by every rule; at κ = 1 they are one."""
    from lemmascope.sims.noise.adam_sde import Case

    rates, rules = base(2.0**-settings.finest), list(theory.EXPONENTS) if kappa > 1 else [theory.SQRT]
    v = 1 / kappa if frozen else 0.0
    return [Case(theory.scaled(rates, kappa, rule), settings.theta_0, v, frozen=frozen) for rule in rules]


def _moments(found: Sequence[np.ndarray], factors: Sequence[int], end: str = "") -> dict[str, Any]:
    """(rule, kappa, time) of each moment from (cases, time, 3) for each κ; v is multiplied by the batch."""
    every = np.stack([np.broadcast_to(one, (len(theory.EXPONENTS), *one.shape[1:])) for one in found], axis=1)
    every = every * np.stack([np.ones(len(factors)), np.ones(len(factors)), factors], axis=-1)[:, None, :]
    return {f"{name}{end}": (("rule", "kappa", "time"), every[..., k]) for k, name in enumerate(MOMENTS)}


def _labels(factors: Sequence[int]) -> dict[str, Any]:
    return {"rule": list(theory.EXPONENTS), "kappa": list(factors), "time": (np.arange(TIMES) + 1) / 2}


def scaling(task: Task[Settings]) -> xr.Dataset:
    """Moments of one seed's copies by every rule, over κ and time."""
    from lemmascope.sims.noise.adam_sde import run

    s = task.settings
    factors, found = (1, *s.kappas), []
    for kappa in factors:
        every, rng = _steps(s, kappa), task.rng(f"scaling kappa={kappa}")
        found.append(
            run(_cases(s, kappa), kappa, rng, copies=s.copies, steps=TIMES * every, every=every, backend=task.backend)
        )
    return xr.Dataset(_moments(found, factors), _labels(factors))


def _starts(kappa: int) -> tuple[list[Any], int]:
    """RMSprop from every θ₀ by the rule, and steps until kp = 1."""
    from lemmascope.sims.noise.adam_sde import Case

    rates = theory.scaled(theory.Rates(DOMINANCE_ETA, 1.0, DOMINANCE_ETA, 1.0), kappa)
    return [Case(rates, theta) for theta in STARTS], round(2 / DOMINANCE_ETA) // kappa


def dominance(task: Task[Settings]) -> xr.Dataset:
    """Eθ of one seed's copies at kp = 1, over θ₀ and κ."""
    from lemmascope.sims.noise.adam_sde import run

    found = []
    for kappa in KAPPAS:
        cases, steps = _starts(kappa)
        rng = task.rng(f"dominance kappa={kappa}")
        one = run(cases, kappa, rng, copies=task.settings.copies, steps=steps, every=steps, backend=task.backend)
        found.append(one[:, 0, 0])
    return xr.Dataset(
        {"mean": (("theta_0", "kappa"), np.stack(found, axis=1))}, {"theta_0": list(STARTS), "kappa": list(KAPPAS)}
    )


def v_noise(task: Task[Settings]) -> xr.Dataset:
    """Stationary Var θ of one seed's copies over that of v frozen, over the order of updates and δ."""
    from lemmascope.sims.noise.adam_sde import Case, run

    s = task.settings
    cases = [
        Case(theory.Rates(NOISE_P, 1.0, delta, 0.0), v=1.0, lagged=order == "old", frozen=True)
        for order in ORDERS
        for delta in DELTAS
    ]
    found = run(
        cases, 1, task.rng("v_noise"), copies=s.copies, steps=s.noise_steps, every=NOISE_EVERY, backend=task.backend
    )
    squares = found[:, NOISE_BURN_IN // NOISE_EVERY :, 1].mean(axis=1)
    ratio = squares / theory.frozen_variance(NOISE_P, NOISE_P)
    return xr.Dataset(
        {"ratio": (("order", "delta"), ratio.reshape(len(ORDERS), len(DELTAS)))},
        {"order": list(ORDERS), "delta": list(DELTAS)},
    )


# --- what is judged -------------------------------------------------------------------------------------------------


def derive(settings: Settings, data: Data) -> Data:
    """What mean field and the first order predict, beside what was measured."""
    from lemmascope.sims.noise.adam_sde import expected

    factors, stated = (1, *settings.kappas), []
    for still in (False, True):
        each = []
        for kappa in factors:
            every = _steps(settings, kappa)
            cases = _cases(settings, kappa, frozen=still)
            each.append(expected(cases, kappa, steps=TIMES * every, every=every)[0])
        stated.append(xr.Dataset(_moments(each, factors, "_stated"), _labels(factors)))
    models = xr.concat(stated, "model").assign_coords(model=["live", "frozen"])
    means = []
    for kappa in KAPPAS:
        cases, steps = _starts(kappa)
        means.append(expected(cases, kappa, steps=steps, every=steps)[0][:, 0, 0])
    law = [[theory.v_noise(delta, order == "old") for delta in DELTAS] for order in ORDERS]
    return dict(data) | {
        "scaling": data["scaling"].merge(models),
        "dominance": data["dominance"].assign(mean_stated=(("theta_0", "kappa"), np.stack(means, axis=1))),
        "v_noise": data["v_noise"].assign(stated=(("order", "delta"), law)),
    }


def evidence(settings: Settings, data: Data) -> Sequence[Evidence]:
    """What each group of claims is measured on."""
    rates = base(2.0**-settings.finest)
    stable = all(theory.edge(beta1) > SOLVED_AT for beta1 in BETAS)
    most = FROZEN_P * max(FACTORS) ** (max(POWERS) + 0.5)
    attrs = {"theta_0": settings.theta_0, "p": rates.eta / 2, "damping2": rates.damping2}
    roles = (
        ("frozen", "v frozen, p = 0.1", data["frozen"].assign_attrs(stable=int(stable))),
        ("exponent", "v frozen, p = 2⁻¹²", data["exponent"].assign_attrs(most=most)),
        ("scaling", f"Adam, η = 2^−{settings.finest}", data["scaling"].assign_attrs(attrs)),
        ("weak", f"mean field, κ = {WEAK}", data["weak"]),
        ("dominance", "RMSprop, η = 2⁻¹²", data["dominance"]),
        ("v_noise", "RMSprop, ε = 0", data["v_noise"]),
    )
    return [Evidence(found, label, role=role, parameters=settings) for role, label, found in roles]


def undecided(settings: Settings) -> Mapping[str, str]:
    """Few copies leave the intervals wider than what is stated."""
    s, found = settings, dict[str, str]()
    if s.seeds < ENOUGH_SEEDS or s.seeds * s.copies < ENOUGH:
        why = f"{s.seeds} seeds of {s.copies} copies leave the intervals wide; --seeds 12 --copies 500 decide"
        found = {f"adam_sde.{name}": why for name in ("sqrt_rule", "mean_field", "noise_dominance", "v_noise")}
    elif s.seeds * s.copies < MANY:
        why = f"{s.seeds} seeds of {s.copies} copies can leave it wide; --seeds 16 --copies 1500 decide"
        found = {f"adam_sde.{name}": why for name in ("mean_field", "v_noise")}
    elif s.noise_steps < ENOUGH_STEPS:
        found["adam_sde.v_noise"] = f"{s.noise_steps} steps leave the interval wide; --noise-steps 4000 decide"
    return found


def foreseen(settings: Settings) -> Mapping[str, Status]:
    """Where these settings leave what a claim is stated for."""
    evidence_like = base(2.0**-settings.finest)
    found = []
    if NEAR * settings.theta_0**2 > 0.05 or 2 * NEAR * evidence_like.eta > 0.25:
        found += ["sqrt_rule"]
    if 16 * evidence_like.damping2 > 1 / 8:
        found += ["mean_field"]
    return {f"adam_sde.{name}": Status.NOT_APPLICABLE for name in found}


# --- shown ----------------------------------------------------------------------------------------------------------


def _deviations(data: xr.Dataset, rule: str, kappa: int, end: str = "") -> list[float]:
    """d₁, d₂, d₃ of means over seeds, or of what is stated."""
    one = data.sel(model="live", drop=True).sel(rule=rule)
    one = one[[f"{name}{end}" for name in MOMENTS]]
    one = one.mean("seed") if "seed" in one.dims else one
    here, other = one.sel(kappa=kappa), one.sel(kappa=1)
    apart = (
        (here[f"mean{end}"] - other[f"mean{end}"]) / data.attrs["theta_0"],
        here[f"square{end}"] / other[f"square{end}"] - 1,
        here[f"v{end}"] - other[f"v{end}"],
    )
    return [float(abs(x).max()) for x in apart]


def tables(result: Result[Settings]) -> Sequence[Table]:
    """Deviations by every rule."""
    data = next(e.data for e in result.evidence if e.role == "scaling")
    rows, values = [], []
    for rule in theory.EXPONENTS:
        cells = {kappa: _deviations(data, rule, kappa) for kappa in result.settings.kappas}
        rows.append([rule, *("\n".join(number(x) for x in found) for found in cells.values())])
        values.append({"rule": rule, **{f"kappa = {kappa}": found for kappa, found in cells.items()}})
    return [
        Table(
            "rules",
            "Deviations from the batch 1 by rule: d₁, d₂, d₃",
            ["rule", *(f"κ = {kappa}" for kappa in result.settings.kappas)],
            rows,
            "Largest over kp = ½, 1, …, 4: d₁ = |ΔEθ|/θ₀, d₂ = |Eθ²(κ)/Eθ²(1) − 1|, d₃ = |ΔEv̂|. Every rule but sqrt "
            "changes one thing.",
            values,
        )
    ]


def summary(result: Result[Settings]) -> Sequence[str]:
    """The rule's end at the largest κ, and the signal's cost."""
    data = next(e.data for e in result.evidence if e.role == "scaling")
    kappa = max(result.settings.kappas)
    sampled, stated = (_deviations(data, theory.SQRT, kappa, end) for end in ("", "_stated"))
    signal = result.data["dominance"]
    means = signal["mean"].mean("seed")
    costs = ", ".join(
        f"{float(means.sel(theta_0=theta, kappa=k) / means.sel(theta_0=theta, kappa=1)):.3f} (κ snr₀ = "
        f"{k * theta**2:.3g})"
        for theta in STARTS
        for k in KAPPAS[1:]
    )
    return [
        f"The rule at κ = {kappa}: d₁ = {sampled[0]:.3f}, d₂ = {sampled[1]:.3f}, d₃ = {sampled[2]:.3f}; mean field has "
        f"{stated[0]:.3f}, {stated[1]:.3f}, {stated[2]:.3f}.",
        f"Eθ(κ)/Eθ(1) of RMSprop by the rule: {costs}.",
    ]


def resolve(backend: str) -> str:
    """What "auto" stands for: machine code where there is any. A device takes the steps one by one, where asked to."""
    from lemmascope.sims.cubic_cnn.backends import auto

    return auto.resolve(backend, ("compiled", "numpy"))


STEP = 8e-6
"""Milliseconds that a step of a copy and its companion takes, as measured."""


def _scaling_cost(settings: Settings, at: Mapping[str, Any]) -> float:
    works = 1 + sum(len(theory.EXPONENTS) / kappa for kappa in settings.kappas)
    return STEP * works * TIMES * 2**settings.finest * settings.copies


def _dominance_cost(settings: Settings, at: Mapping[str, Any]) -> float:
    return STEP * len(STARTS) * sum(_starts(kappa)[1] for kappa in KAPPAS) * settings.copies


def _noise_cost(settings: Settings, at: Mapping[str, Any]) -> float:
    return STEP * len(ORDERS) * len(DELTAS) * settings.noise_steps * settings.copies


def _few(settings: Settings, at: Mapping[str, Any]) -> float:
    return 1.0


def _small(settings: Settings, at: Mapping[str, Any]) -> tuple[float, float]:
    return 1e6, 10_000.0


def _noisy(settings: Settings, at: Mapping[str, Any]) -> tuple[float, float]:
    """A block of noise, and the copies."""
    return 3e7 + 500.0 * settings.copies, 20_000.0


STUDY = Study(
    name="adam_sde",
    subject="noise",
    message=(
        "When the batch of RMSprop or Adam grows κ times, √κη, κ(1−β₁), κ(1−β₂) and ε/√κ keep the limit, and nothing "
        "else does: each one left behind shows. What the rule leaves over is of order 1 in the rates, and it "
        "holds while noise dominates the gradient: where κ·snr₀ comes near ½ the mean falls 5 % behind."
    ),
    settings=Settings,
    experiments={
        "frozen": Experiment(lambda s: {"beta1": BETAS}, frozen, _few, needs=_small),
        "exponent": Experiment(lambda s: {"r": POWERS}, exponent, _few, needs=_small),
        "weak": Experiment(lambda s: {"p": [2.0**-k for k in WEAK_POWERS]}, weak, _few, needs=_small),
        "scaling": Experiment(lambda s: {"seed": range(s.seeds)}, scaling, _scaling_cost, needs=_noisy),
        "dominance": Experiment(lambda s: {"seed": range(s.seeds)}, dominance, _dominance_cost, needs=_noisy),
        "v_noise": Experiment(lambda s: {"seed": range(s.seeds)}, v_noise, _noise_cost, needs=_noisy),
    },
    evidence=evidence,
    claims=CLAIMS,
    derive=derive,
    expected=foreseen,
    undecided=undecided,
    tables=tables,
    summary=summary,
    examples=(
        "lemmascope adam_sde",
        "lemmascope adam_sde --quick",
        "lemmascope adam_sde --finest 10 --kappas 4,16,64,256 --out results/adam-fine",
        "lemmascope adam_sde --seeds 64 --copies 6000 --cluster local --out results/adam-sampled",
        "lemmascope adam_sde --resume",
    ),
    seconds=12,
    backends=("auto", "compiled", "numpy", "cupy"),
    resolve=resolve,
)
