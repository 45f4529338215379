"""How far heavy-ball momentum wanders about a noisy minimum: its stationary variance on one quadratic."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.linalg import solve_discrete_lyapunov

import lemmascope as ls


@dataclass(frozen=True)
class Settings:
    """η of the average form, curvature 1, noise of variance 1."""

    eta: float = ls.option(0.2, "Learning rate.")
    gammas: tuple[float, ...] = ls.option((0.0, 0.5, 0.9), "Momenta.", tiny=(0.0, 0.9))
    seeds: int = ls.option(16, "Chains.", tiny=6, full=200)
    steps: int = ls.option(20_000, "Steps of a chain.", tiny=4000, quick=5000)

    def __post_init__(self):
        if not 0 < self.eta < 2:
            raise ls.InputError("eta", self.eta, "it must lie between 0 and the edge of stability, 2")


def step(eta, gamma):
    """(w, v) in a step, and where the noise enters: v ← γv − η(1 − γ)(w + ξ), w ← w + v."""
    pull = eta * (1 - gamma)
    return np.array([[1 - pull, gamma], [-pull, gamma]]), np.array([-pull, -pull])


def lyapunov(task):
    """The exact variance of w, from the fixed point of the second moments."""
    move, noise = step(task.settings.eta, task.at["gamma"])
    return xr.Dataset({"variance": solve_discrete_lyapunov(move, np.outer(noise, noise))[0, 0]})


def chain(task):
    """The variance of w along one chain, after a tenth of it."""
    move, noise = step(task.settings.eta, task.at["gamma"])
    state, seen = np.zeros(2), []
    for xi in task.rng(f"noise γ={task.at['gamma']}").standard_normal(task.settings.steps):
        state = move @ state + noise * xi
        seen.append(state[0])
    return xr.Dataset({"variance": np.mean(np.square(seen[len(seen) // 10 :]))})


def formula(eta, gamma, edge=2.0):
    """η(1 + γ) / (2(1 + γ) − η(1 − γ))."""
    return eta * (1 + gamma) / (edge * (1 + gamma) - eta * (1 - gamma))


def closed_form(evidence, edge=2.0):
    """Largest relative distance of the exact variance from the formula."""
    found = evidence["variance"]
    apart = abs(found / formula(evidence.parameters.eta, found.gamma, edge) - 1)
    return ls.Measurement(float(apart.max()), upper=1e-12)


def wanders(evidence):
    """The chains' variance over the formula, mean over seeds and momenta, with twice its standard error."""
    ratio = (evidence["variance"] / formula(evidence.parameters.eta, evidence["variance"].gamma)).mean("gamma")
    mean, error = float(ratio.mean()), float(ratio.std(ddof=1)) / ratio.size**0.5
    return ls.Estimate(mean, mean - 2 * error, mean + 2 * error, lower=0.9, upper=1.1)


def evidence(settings, data):
    """The exact variances, and those of the chains."""
    exact = ls.Evidence(data["lyapunov"], "exact", role="exact", parameters=settings)
    return [exact, ls.Evidence(data["chain"], "chains", role="chains", parameters=settings)]


CLAIMS = (
    ls.Claim(
        id="toy.closed_form",
        statement=r"$\operatorname{Var} w = \frac{\eta(1+\gamma)}{2(1+\gamma)-\eta(1-\gamma)}$",
        plain="Var w = η(1 + γ)/(2(1 + γ) − η(1 − γ))",
        kind=ls.Kind.IDENTITY,
        source="derived",
        measure=closed_form,
        about="exact",
        control=ls.Control("3 in place of 2", constants={"edge": 3.0}),
    ),
    ls.Claim(
        id="toy.chains",
        statement=r"chains wander as far as the formula says, to a tenth",
        plain="chains wander as far as the formula says, to a tenth",
        kind=ls.Kind.BOUND,
        source="derived",
        measure=wanders,
        about="chains",
        control=ls.Control("chains of twice the noise", made="louder"),
    ),
)


def louder(one, everyone):
    """The same chains, scaled."""
    return ls.Evidence(4 * one.data, one.label, one.role, one.parameters)


def draw(result):
    """Both variances against the momentum."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.25, 2.2), layout="constrained")
    axis = figure.subplots()
    exact = result.data["lyapunov"]["variance"]
    axis.plot(exact.gamma, exact, label="exact")
    axis.plot(exact.gamma, result.data["chain"]["variance"].mean("seed"), "o", label="chains")
    axis.set(xlabel="momentum γ", ylabel="stationary variance")
    axis.legend()
    return figure


STUDY = ls.Study(
    name="toy",
    subject="toy",
    message="Momentum alone changes the stationary variance little; the learning rate sets it.",
    settings=Settings,
    experiments={
        "lyapunov": ls.Experiment(lambda s: {"gamma": s.gammas}, lyapunov),
        "chain": ls.Experiment(lambda s: {"seed": range(s.seeds), "gamma": s.gammas}, chain, lambda s, at: s.steps),
    },
    evidence=evidence,
    claims=CLAIMS,
    controls={"louder": louder},
    pictures=lambda: [ls.Picture("variance", draw, lambda result: "Stationary variance against the momentum.")],
    examples=("lemmascope run toy_study.py --quick",),
)
