"""The temperature of SGD with momentum: when η = (1−μ)Bη₀ leaves η₀ alone to set the converged loss, and when not.

Exact moments of quadratics by solvers, for drawn noise covariances over momenta and batch sizes; reshuffled epochs
mode by mode; what one gradient does in all; and chains of minibatches on quadratics, on linear regression and at a
minimum of the central cubic CNN, each from the minimum, left alone for eight relaxation times and tested for having
settled.
"""

from __future__ import annotations

__all__ = ["STUDY", "Settings"]

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import xarray as xr

from lemmascope.sims.study import Data, Experiment, Result, Study, Task, option
from lemmascope.sims.tables import Table, number
from lemmascope.theory.claim import Evidence
from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.temperature import quadratic as q
from lemmascope.theory.temperature.claims import TEMPERATURE
from lemmascope.theory.temperature.finite_data import (
    SAMPLINGS,
    effective_batch,
    first_order,
    moments,
    noise,
    spread_factor,
)

MU = (0.0, 0.5, 0.9, 0.99)
BATCHES = (1, 8, 32)
CLOSED = (1e-3, 1e-2, 0.03)
LIMIT = 1e-5, 1e-3, 9
CORRECTED = 1e-4, 1e-3, 7
"""From 10⁻⁴ on: below, T/T₀ − 1 ∝ η₀² is lost in rounding."""

CURVATURES = 0.05, 2, 6
"""Ends and number, evenly in logarithms."""

RESHUFFLED: dict[str, Any] = {"N": 256, "h": 1.0, "mu": (0.0, 0.9, 0.99), "B": (1, 8)}
CELLS = ((0.0, 1), (0.0, 8), (0.9, 1), (0.9, 8), (0.9, 32), (0.99, 8))
"""(μ, B) of the chains on quadratics and regression."""

EFFECTIVE = (1, 8, 32, 56)
REGRESSION_N, REGRESSION_D = 64, 5
RULE = 1e-3
"""η₀ at which the rule with B_eff is held."""

EFFECTS = ((0.0, 1e-2), (0.9, 1e-2), (0.9, 1e-3), (0.99, 1e-3))
"""(μ, η₀) of the responses."""

DROP, LEFT_ALONE, SEEN = 40.0, 8, 20
"""Relaxation times after which a response is nothing; those of the burn-in; losses written down in one."""


@dataclass(frozen=True)
class Settings:
    """What the study is run with."""

    seeds: int = option(8, "Draws of the noise covariance, of δ and of gradients.", tiny=3, quick=4, full=50)
    mu: tuple[float, ...] = option(MU, "Momenta of the exact part.", tiny=(0.0, 0.5, 0.99))
    batches: tuple[int, ...] = option(BATCHES, "Batch sizes of the exact part.", tiny=(1, 32))
    eta_0: float = option(0.004, "η₀ of the chains on quadratics and regression.")
    chains: int = option(24, "Chains of a cell there.", tiny=8, quick=8, full=40)
    steps: int = option(
        20_000, "Steps of a chain at B = 8; as many relaxation times at another B.", tiny=16_000, quick=16_000
    )
    cnn_departures: tuple[float, ...] = option(
        (0.01, 0.02, 0.04, 0.08),
        "Departures (a + h̄)η₀ of T/T₀ from 1 on the cubic CNN, which set its η₀.",
        tiny=(0.01, 0.08),
        quick=(0.02, 0.08),
    )
    cnn_mu: tuple[float, ...] = option((0.0, 0.5, 0.9), "Momenta on the cubic CNN.", tiny=(0.0, 0.9))
    cnn_batches: tuple[int, ...] = option((1, 4), "Batch sizes on the cubic CNN.", tiny=(1, 4))
    cnn_chains: int = option(8, "Chains of a cell on the cubic CNN.", full=64)
    relaxations: int = option(100, "Relaxation times that each of them is seen.", tiny=40, quick=40, full=1000)

    def __post_init__(self) -> None:
        check_size("seeds", self.seeds)
        check_number("eta_0", self.eta_0, 0, open_low=True)
        for name, least in (("chains", 2), ("cnn_chains", 2), ("steps", 100), ("relaxations", 10)):
            if check_size(name, getattr(self, name)) < least:
                raise InputError(name, getattr(self, name), f"it must be at least {least}")
        for name in ("mu", "cnn_mu"):
            for x in _listed(name, getattr(self, name)):
                check_number(name, x, 0, 1, open_high=True)
        for name in ("batches", "cnn_batches"):
            for x in _listed(name, getattr(self, name)):
                check_size(name, x)
        for x in _listed("cnn_departures", self.cnn_departures):
            check_number("cnn_departures", x, 0, 1, open_low=True)
        if len(self.mu) * len(self.batches) < 2:
            raise InputError("mu, batches", (self.mu, self.batches), "give two cells or more: the claims compare them")


def _listed(name: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values or list(values) != sorted(set(values)):
        raise InputError(name, values, "give one or more, increasing")
    return values


# --- exact ----------------------------------------------------------------------------------------------------------


def spectra(task: Task[Settings]) -> xr.Dataset:
    """Solvers' moments for one drawn noise covariance, in H's eigenvectors."""
    from lemmascope.sims.temperature.moments import mode_variance, whole_covariance

    h = np.geomspace(*CURVATURES)
    d, (mus, batches) = h.size, (task.settings.mu, task.settings.batches)
    draw = task.rng("noise covariance").standard_normal((d, d))
    S = draw @ draw.T / d
    s = np.diag(S)
    mu, B = np.array(mus)[:, None, None], np.array(batches, float)[:, None]

    def ratio(eta: np.ndarray, eta_0: np.ndarray) -> np.ndarray:
        """T/T₀ over (mu, B, eta)."""
        variance = mode_variance(h, s, eta[..., None], mu[..., None], B[..., None])
        return (variance * h).sum(axis=-1) / 2 / q.first_temperature(eta_0, s.sum())

    closed, limit, held = np.array(CLOSED), np.geomspace(*LIMIT), np.geomspace(*CORRECTED)
    by_rule = np.stack([ratio(rule(limit, mu, B) + 0 * limit, limit) for rule in q.RULES.values()])
    kappas = {"the corrected rule": lambda m, b, *_: q.departure(m, b, q.mean_curvature(h, s)), **q.WRONG_CORRECTIONS}
    corrected = np.stack([ratio(q.corrected(held, mu, B, kappa(mu, B, h, s)), held) for kappa in kappas.values()])
    eta = (1 - mu) * B * closed
    covariance = np.array(
        [
            [[whole_covariance(h, S, float(e), m, b) for e in row] for b, row in zip(batches, rows, strict=True)]
            for m, rows in zip(mus, eta, strict=True)
        ]
    )
    grid = ("mu", "B")
    return xr.Dataset(
        {
            "S": (("mode", "other"), S),
            "h": ("mode", h),
            "covariance": ((*grid, "eta_0", "mode", "other"), covariance),
            "variance": ((*grid, "eta_0", "mode"), mode_variance(h, s, eta[..., None], mu[..., None], B[..., None])),
            "ratio": (("rule", *grid, "eta_limit"), by_rule),
            "corrected": (("correction", *grid, "eta_corrected"), corrected),
        },
        {
            "mu": list(mus),
            "B": list(batches),
            "eta_0": list(CLOSED),
            "eta_limit": limit,
            "eta_corrected": held,
            "rule": list(q.RULES),
            "correction": list(kappas),
        },
    )


def _spectra(tasks: Sequence[Task[Settings]], parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """All draws; h once; whether every cell of the closed forms is stable."""
    from lemmascope.sims.study import grid

    found = grid(tasks, parts)
    top = float(found["h"].max())
    edge = min(
        2 * (1 + m) / ((1 - m) * b * CLOSED[-1] * top) for m in tasks[0].settings.mu for b in tasks[0].settings.batches
    )
    return found.assign(h=found["h"].isel(seed=0)).assign_attrs(stable=int(edge > 1))


def epochs(task: Task[Settings]) -> xr.Dataset:
    """T_R of one (μ, B), exactly and to leading order, and T of independent batches."""
    from lemmascope.theory.temperature.reshuffled import exact, leading

    mu, B, N, h = task.at["mu"], task.at["B"], RESHUFFLED["N"], RESHUFFLED["h"]
    eta_0 = np.geomspace(*LIMIT)
    eta, one = (1 - mu) * B * eta_0, np.ones((eta_0.size, 1))
    return xr.Dataset(
        {
            "exact": ("eta_0", exact(h * one, one, eta[:, None], mu * one, B, N)),
            "leading": ("eta_0", leading(mu, B, N, eta_0, h)),
            "independent": ("eta_0", q.first_temperature(eta_0, 1.0) * q.ratio(h * one, one, eta[:, None], mu)),
        },
        {"eta_0": eta_0},
        {"N": N, "h": h},
    )


def effect(task: Task[Settings]) -> xr.Dataset:
    """What one perturbed gradient does: its limit with H = 0, its sum with a drawn H, its peak at h = 1."""
    from lemmascope.theory.temperature.total_effect import response

    rng = task.rng("delta and H")
    d, B = 4, 8
    delta = rng.standard_normal(d)
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    H = turn @ np.diag(rng.uniform(0.5, 2.0, d)) @ turn.T
    rows: dict[str, list[Any]] = {"open": [], "closed": [], "peak": []}
    for mu, eta_0 in EFFECTS:
        eta = (1 - mu) * B * eta_0
        rows["open"].append(response(np.zeros((d, d)), delta, eta, mu, B, int(DROP / (1 - mu)))[-1])
        steps = int(DROP * max(1 / (B * eta_0 * 0.5), 2 / (1 - mu)))
        rows["closed"].append(response(H, delta, eta, mu, B, steps).sum(axis=0))
        eta_1 = (1 - mu) * eta_0
        alone = response(np.eye(1), np.ones(1), eta_1, mu, 1, int(3 / (1 - mu) + 2 / (eta_0 * 0.5) ** 0.5))
        rows["peak"].append(np.max(np.abs(alone)) / eta_0)
    mus, rates = np.array(EFFECTS).T
    return xr.Dataset(
        {
            "open": (("cell", "component"), np.array(rows["open"])),
            "closed": (("cell", "component"), np.array(rows["closed"])),
            "closed_stated": ("component", -np.linalg.solve(H, delta) / B),
            "peak": ("cell", np.array(rows["peak"])),
            "delta": ("component", delta),
        },
        {"mu": ("cell", mus), "eta_0": ("cell", rates), "eta": ("cell", (1 - mus) * B * rates)}
        | {"N_avg": ("cell", 1 / (1 - mus)), "B": B},
    )


def average(task: Task[Settings]) -> xr.Dataset:
    """Velocity and running average along drawn gradients, noise about something that drifts."""
    steps, eta = 400, 0.1
    rng = task.rng("gradients")
    gradients = 3 + 0.2 * rng.standard_normal(steps).cumsum() + 0.6 * rng.standard_normal(steps)
    found = {"velocity": np.zeros((len(MU), steps)), "average": np.zeros((len(MU), steps))}
    for k, mu in enumerate(MU):
        v = g = 0.0
        for t, slope in enumerate(gradients):
            v, g = mu * v + eta * slope, g + (slope - g) * (1 - mu)
            found["velocity"][k, t], found["average"][k, t] = v, g
    return xr.Dataset(
        {name: (("mu", "step"), x) for name, x in found.items()} | {"gradient": ("step", gradients)},
        {"mu": list(MU), "step": range(1, steps + 1), "eta": eta},
    )


# --- chains ---------------------------------------------------------------------------------------------------------


def regression_data(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """X (N, d) with columns of falling size, and the residuals r (N,) at the least squares solution."""
    X = rng.standard_normal((REGRESSION_N, REGRESSION_D)) * np.geomspace(1, 0.3, REGRESSION_D)
    y = X @ rng.standard_normal(REGRESSION_D) + rng.standard_normal(REGRESSION_N)
    return X, X @ np.linalg.lstsq(X, y, rcond=None)[0] - y


def _chain_steps(settings: Settings, B: int) -> int:
    """A relaxation time is 1/(Bη₀h): a larger batch needs fewer steps, down to half of those at B = 8."""
    return settings.steps * 8 // B if B < 16 else settings.steps // 2


def _relaxation(mu: float, eta: float, h: float) -> float:
    """−1/ln(radius) of one mode's step, in iterations."""
    roots = np.abs(np.roots([1.0, -(1 + mu - eta * h), mu]))
    return float(-1 / np.log(roots.max()))


def _generators(task: Task[Settings], what: str, count: int) -> list[np.random.Generator]:
    """One a chain, of this task alone."""
    name = " ".join([what, *(f"{axis}={x}" for axis, x in task.at.items())])
    return [task.rng(name, k) for k in range(count)]


def _chained(task: Task[Settings], problem: Any, mu: float, B: int, sampling: str, h_min: float) -> dict[str, Any]:
    """A cell's temperature from its chains, with how far it settled."""
    from lemmascope.sims.equilibrium import stationary_mean
    from lemmascope.sims.temperature.chains import run
    from lemmascope.sims.temperature.problems import Chain

    s = task.settings
    eta = (1 - mu) * B * s.eta_0
    steps = _chain_steps(s, B)
    burn_in = math.ceil(LEFT_ALONE * _relaxation(mu, eta, h_min))
    chain = Chain(eta, mu, B, sampling, burn_in, steps, 1)
    found = stationary_mean(run(problem, chain, _generators(task, "chain", s.chains), task.backend))
    return {
        "loss": found.value,
        "error": found.error,
        "halves": found.halves,
        "samples": found.samples,
        "chains": float(found.chains),
        "unsettled": float(bool(found.unsettled)),
    }


def regression(task: Task[Settings]) -> xr.Dataset:
    """One cell of linear regression: chains, and the exact linear system."""
    from lemmascope.sims.temperature.problems import Regression

    mu, B = CELLS[task.at["cell"]]
    X, r = regression_data(task.rng("regression", 0))
    N, sampling = X.shape[0], task.at["sampling"]
    h = np.linalg.eigvalsh(X.T @ X / N)
    eta = (1 - mu) * B * task.settings.eta_0
    found = _chained(task, Regression(X, r), mu, B, sampling, float(h[0]))
    exact = {one: moments(X, r, eta, mu, spread_factor(one, B, N)) for one in SAMPLINGS[:2]}
    other = SAMPLINGS[1 - SAMPLINGS.index(sampling)] if sampling in SAMPLINGS[:2] else SAMPLINGS[0]
    own = exact[sampling].loss if sampling in exact else math.nan
    trace = float(np.trace(noise(X, r)))
    found |= {"exact": own, "other": exact[other].loss, "first": q.first_temperature(task.settings.eta_0, trace)}
    return xr.Dataset(found | {"radius": exact.get(sampling, exact[SAMPLINGS[0]]).radius, "mu": mu, "B": float(B)})


def minibatch(task: Task[Settings]) -> xr.Dataset:
    """One cell of a quadratic whose samples share the Hessian: chains, and the exact temperature of the sampling."""
    from lemmascope.sims.temperature.moments import mode_variance
    from lemmascope.sims.temperature.problems import Quadratic
    from lemmascope.theory.temperature.reshuffled import exact as reshuffled

    mu, B = CELLS[task.at["cell"]]
    rng, N = task.rng("quadratic", 0), REGRESSION_N
    h = np.geomspace(0.1, 1.0, REGRESSION_D)
    xi = rng.standard_normal((N, h.size))
    xi -= xi.mean(axis=0)
    s, sampling = (xi**2).mean(axis=0), task.at["sampling"]
    eta = (1 - mu) * B * task.settings.eta_0
    found = _chained(task, Quadratic(h, xi), mu, B, sampling, float(h[0]))

    def of(one: str) -> float:
        if one == "reshuffled":
            return float(reshuffled(h, s, np.array(eta), np.array(mu), B, N))
        return float((h * mode_variance(h, s, eta, mu, 1 / spread_factor(one, B, N))).sum() / 2)

    other = SAMPLINGS[(SAMPLINGS.index(sampling) + 1) % 3]
    found |= {"exact": of(sampling), "other": of(other), "first": q.first_temperature(task.settings.eta_0, s.sum())}
    return xr.Dataset(found | {"mu": mu, "B": float(B)})


def effective(task: Task[Settings]) -> xr.Dataset:
    """T/T₀ on linear regression with distinct samples, by the rule with B_eff and with B."""
    X, r = regression_data(task.rng("regression", 0))
    N, mu, trace = X.shape[0], 0.9, float(np.trace(noise(X, r)))
    h_mean, grown = first_order(X, r)
    top = float(np.linalg.eigvalsh(X.T @ X / N)[-1])
    rows, firsts, stable = [], [], True
    for batch in (lambda B: effective_batch(B, N), float):
        etas = [(1 - mu) * batch(B) * RULE for B in EFFECTIVE]
        exact = [
            moments(X, r, eta, mu, spread_factor("distinct", B, N)) for eta, B in zip(etas, EFFECTIVE, strict=True)
        ]
        rows.append([one.loss / q.first_temperature(RULE, trace) for one in exact])
        firsts.append([(q.departure(mu, batch(B), h_mean) + grown) * RULE for B in EFFECTIVE])
        stable = stable and all(one.radius < 1 for one in exact) and max(etas) < q.edge(top, mu)
    return xr.Dataset(
        {"ratio": (("batch", "B"), np.array(rows)), "first_order": (("batch", "B"), np.array(firsts))},
        {"batch": ["B_eff", "B"], "B": list(EFFECTIVE)},
        {"stable": int(stable), "N": N, "mu": mu},
    )


@lru_cache(maxsize=4)
def _standing(study: str, root_seed: int) -> tuple[Any, float]:
    """The minimum at which the chains on the cubic CNN stand, one for all of a run, and its a; NaN if it is none."""
    from lemmascope.sims.seeds import streams
    from lemmascope.sims.temperature.cnn import STATIONARY, expansion, minimum
    from lemmascope.theory.temperature.anharmonic import coefficient

    rng = streams(root_seed, study, 0)
    at = minimum(lambda name: rng(f"cnn {name}"))
    proper = at.residual <= STATIONARY and at.curvatures[0] > 0
    return at, coefficient(expansion(at)) if proper else math.nan


def cnn(task: Task[Settings]) -> xr.Dataset:
    """T/T₀ of one cell on the cubic CNN, by the rule that the place names."""
    from lemmascope.sims.equilibrium import stationary_mean
    from lemmascope.sims.temperature.chains import run
    from lemmascope.sims.temperature.moments import mode_variance
    from lemmascope.sims.temperature.problems import Chain

    s = task.settings
    at, a = _standing(task.study, task.root_seed)
    h, trace, h_mean = at.curvatures, float(np.trace(at.Sigma)), at.mean_curvature
    proper = math.isfinite(a)
    mu, B = task.at.get("mu", WRONG_AT[0]), task.at.get("B", WRONG_AT[1])
    eta_0 = task.at["departure"] / (abs(a) + h_mean) if proper else math.nan
    found = {"ratio": math.nan, "error": math.nan, "halves": math.nan, "samples": 0.0}
    found |= {"chains": float(s.cnn_chains), "unsettled": 1.0}
    eta = float(q.RULES[task.at.get("rule", "the rule")](eta_0, mu, B))
    if proper and eta < q.edge(h[-1], mu):
        relaxation = _relaxation(mu, eta, float(h[0]))
        every = max(1, round(relaxation / SEEN))
        chain = Chain(
            eta,
            mu,
            B,
            "with replacement",
            math.ceil(LEFT_ALONE * relaxation),
            math.ceil(s.relaxations * relaxation / every),
            every,
        )
        T_0, companion = q.first_temperature(eta_0, trace), at.companion
        own, known = (
            run(problem, chain, _generators(task, "cnn chain", s.cnn_chains), task.backend)
            for problem in (at.problem, companion)
        )
        # The companion sees the same minibatches, and its temperature is known: only the difference is noisy.
        variance = mode_variance(companion.h, (companion.xi**2).mean(axis=0), eta, mu, B)
        mean = stationary_mean(own - known + float((companion.h * variance).sum()) / 2)
        found = {
            "ratio": mean.value / T_0,
            "error": mean.error / T_0,
            "halves": mean.halves,
            "samples": mean.samples,
            "chains": float(mean.chains),
            "unsettled": float(bool(mean.unsettled)),
        }
    found |= {"eta_0": eta_0, "a": a, "kappa": float(q.departure(mu, B, h_mean)), "trace": trace}
    return xr.Dataset(
        found | {"h_min": float(h[0]), "h_max": float(h[-1]), "least": at.problem.least, "proper": float(proper)}
    )


WRONG_AT = (0.5, 4)
"""(μ, B) at which the wrong rules run on the cubic CNN."""

WRONG_ON_CNN = ("η = Bη₀", "η = (1−μ)η₀", "η = √(1−μ) Bη₀")


def _steps(settings: Settings, at: Mapping[str, Any]) -> float:
    """Milliseconds, as measured: of the exact solution, and of steps and the samples that they take."""
    B = CELLS[at["cell"]][1]
    return 50 + settings.chains * _chain_steps(settings, B) * (50 + 15 * B) / 1e6


def _cnn_steps(settings: Settings, at: Mapping[str, Any]) -> float:
    """Milliseconds, as measured: a relaxation time is 1/(Bη₀h), so that the cost hardly depends on B."""
    return settings.cnn_chains * settings.relaxations / at["departure"] / 50


def _cells(settings: Settings) -> Mapping[str, Sequence[Any]]:
    return {"sampling": SAMPLINGS, "cell": range(len(CELLS))}


def _needs(settings: Settings, at: Mapping[str, Any]) -> tuple[float, float]:
    """A block of draws, and the losses of all chains; a part as it was measured."""
    seen = max(settings.chains * _chain_steps(settings, 1), 2 * settings.cnn_chains * settings.relaxations * 20)
    return 1e8 + 24.0 * seen, 5000.0


def undecided(settings: Settings) -> Mapping[str, str]:
    """The interval of the departure's first order is some tenths wide where chains are seen for a short time."""
    if settings.relaxations >= 100:
        return {}
    why = f"{settings.relaxations} relaxation times leave the interval too wide; --relaxations 100 decide"
    return {"temperature.cnn_departure": why}


def _middle(values: Sequence[float]) -> float:
    return values[len(values) // 2]


def evidence(settings: Settings, data: Data) -> Sequence[Evidence]:
    """What each group of claims is measured on."""
    wrong = _placed(data["cnn_wrong"], ("rule", "departure"))
    right = _placed(data["cnn"], ("mu", "B", "departure"))
    roles = (
        ("spectra", "exact moments", data["spectra"]),
        ("reshuffled", "reshuffled epochs", data["reshuffled"]),
        ("effect", "one gradient", data["effect"]),
        ("average", "running average", data["average"]),
        ("minibatch", "shared Hessian", data["minibatch"]),
        ("regression", "linear regression", data["regression"].sel(sampling=list(SAMPLINGS[:2]))),
        ("effective", "linear regression, exact", data["effective"]),
        ("cnn", "cubic CNN", right),
        ("wrong rules", "cubic CNN, wrong rules", wrong),
    )
    return [Evidence(found, label, role=role, parameters=settings) for role, label, found in roles]


def _placed(data: xr.Dataset, axes: Sequence[str]) -> xr.Dataset:
    """The cells in a row, with what the hypotheses ask for."""
    from lemmascope.sims.temperature.cnn import PARAMETERS

    found = data.stack(place=list(axes)).reset_index("place")
    first = found.isel(place=0)
    attrs = {"lam": PARAMETERS.lam, "minimum": int(first["proper"]), "a": float(first["a"])}
    return found.assign_attrs(attrs)


def wrong_rules(one: Evidence, everyone: Sequence[Evidence]) -> Evidence | None:
    """The chains that ran by the wrong rules, at the smallest rate that all of them settled at."""
    (other,) = (e for e in everyone if e.role == "wrong rules")
    settled = other.data["unsettled"].values == 0
    if not settled.any():
        return None
    return Evidence(other.data.isel(place=settled), one.label, role=one.role, parameters=one.parameters)


def tables(result: Result[Settings]) -> Sequence[Table]:
    """The temperatures of the chains on the cubic CNN."""
    data = result.data["cnn"]
    mus, batches = data["mu"].values.tolist(), data["B"].values.tolist()
    rows, values = [], []
    for k in range(data.sizes["departure"]):
        one = data.isel(departure=k)
        cells = []
        for mu, B in itertools.product(mus, batches):
            at = one.sel(mu=mu, B=B)
            ratio, error = float(at["ratio"]), float(at["error"])
            first = float((at["a"] + at["kappa"]) * at["eta_0"])
            cells.append(f"{ratio:.3f} ± {error:.3f}\n  [{1 + first:.3f}]" if math.isfinite(ratio) else "not stable")
            values.append(
                {
                    "mu": mu,
                    "B": B,
                    "eta_0": float(at["eta_0"]),
                    "T/T_0": _json(ratio),
                    "error": _json(error),
                    "first order": 1 + first,
                }
            )
        rows.append([number(float(one["eta_0"].isel(mu=0, B=0))), *cells])
    return [
        Table(
            "cnn",
            "T/T₀ on the cubic CNN, η = (1−μ)Bη₀",
            ["η₀", *(f"μ = {mu:g}, B = {B}" for mu, B in itertools.product(mus, batches))],
            rows,
            f"Mean over {result.settings.cnn_chains} chains ± standard error; in brackets the derived first order "
            f"1 + (a + κ)η₀, a = {float(data['a'].isel(mu=0, B=0, departure=0)):.3g}.",
            values,
        )
    ]


def _json(x: float) -> float | None:
    return x if math.isfinite(x) else None


def summary(result: Result[Settings]) -> Sequence[str]:
    """What the exact part says in numbers, and how well the chains settled."""
    reshuffled = result.data["reshuffled"].isel(eta_0=0)
    N = RESHUFFLED["N"]
    usual = float(reshuffled["eta_0"]) ** 2 * N / 12
    shares = ", ".join(
        f"{float(reshuffled['exact'].sel(mu=mu, B=B)) / usual:.3f} (μ = {mu:g}, B = {B})"
        for mu, B in itertools.product(RESHUFFLED["mu"], RESHUFFLED["B"])
    )
    peak = result.data["effect"]["peak"].mean("seed").values
    peaks = ", ".join(f"{x:.2f} (μ = {mu:g}, η₀ = {eta_0:g})" for x, (mu, eta_0) in zip(peak, EFFECTS, strict=True))
    chains = [result.data[name] for name in ("minibatch", "regression", "cnn")]
    cells, unsettled = (sum(int(f(x["unsettled"])) for x in chains) for f in (np.size, np.nansum))
    return [
        f"Reshuffled epochs, N = {N}: T_R/(η₀²N/12) = {shares}.",
        f"With feedback the peak of one gradient's response over N_avg ηδ, at h = 1 and B = 1: {peaks}.",
        f"{cells - unsettled} of {cells} cells of chains settled (halves, effective samples).",
    ]


def resolve(backend: str) -> str:
    """What "auto" stands for: machine code where there is any. A device takes chains step by step, where asked to."""
    from lemmascope.sims.cubic_cnn.backends import auto

    return auto.resolve(backend, ("compiled", "numpy"))


STUDY = Study(
    name="temperature",
    subject="temperature",
    message=(
        "With η = (1−μ)Bη₀ the converged loss of SGD with momentum is η₀ tr Σ/4 up to a factor 1/(1 − η/η_max): "
        "momentum "
        "makes the rule more exact, large batches less. It fails where training usually happens, in reshuffled epochs, "
        "whose converged loss is quadratic in η₀ and depends on μ and B."
    ),
    settings=Settings,
    experiments={
        "spectra": Experiment(
            lambda s: {"seed": range(s.seeds)}, spectra, lambda s, at: 15.0, _spectra, needs=lambda s, at: (3e7, 35_000)
        ),
        "reshuffled": Experiment(
            lambda s: {"mu": RESHUFFLED["mu"], "B": RESHUFFLED["B"]}, epochs, needs=lambda s, at: (1e7, 4000)
        ),
        "effect": Experiment(
            lambda s: {"seed": range(s.seeds)}, effect, lambda s, at: 95.0, needs=lambda s, at: (1e7, 5000)
        ),
        "average": Experiment(lambda s: {"seed": range(s.seeds)}, average, needs=lambda s, at: (1e7, 32_000)),
        "effective": Experiment(
            lambda s: {"place": ["all"]},
            effective,
            gather=lambda tasks, parts: parts[0],
            needs=lambda s, at: (1e7, 4000),
        ),
        "minibatch": Experiment(_cells, minibatch, _steps, needs=_needs),
        "regression": Experiment(_cells, regression, _steps, needs=_needs),
        "cnn": Experiment(
            lambda s: {"mu": s.cnn_mu, "B": s.cnn_batches, "departure": s.cnn_departures}, cnn, _cnn_steps, needs=_needs
        ),
        "cnn_wrong": Experiment(
            lambda s: {"rule": WRONG_ON_CNN, "departure": [_middle(s.cnn_departures)]}, cnn, _cnn_steps, needs=_needs
        ),
    },
    evidence=evidence,
    claims=TEMPERATURE,
    controls={"wrong rules": wrong_rules},
    undecided=undecided,
    tables=tables,
    summary=summary,
    examples=(
        "lemmascope temperature",
        "lemmascope temperature --quick",
        "lemmascope temperature --mu 0,0.9,0.999 --batches 1,16 --out results/near-one",
        "lemmascope temperature --relaxations 1000 --cnn-chains 64 --cluster local --out results/temperature-long",
        "lemmascope temperature --resume",
    ),
    seconds=30,
    backends=("auto", "compiled", "numpy", "cupy"),
    resolve=resolve,
)
