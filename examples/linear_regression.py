"""Momentum on least squares: where it stops converging, how fast it converges, and which solution it finds."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

import lemmascope as ls


@dataclass(frozen=True)
class Settings:
    """Least squares with four times as many unknowns as samples."""

    gammas: tuple[float, ...] = ls.option((0.0, 0.5, 0.9), "Momenta.", tiny=(0.0, 0.5))
    samples: int = ls.option(40, "Samples n.", tiny=10)
    share: float = ls.option(0.3, "Learning rate, as a share of the largest stable one.")
    iterations: int = ls.option(300, "Steps.", tiny=150)
    seeds: int = ls.option(20, "Draws of the data.", tiny=5, quick=8, full=200)

    def __post_init__(self):
        if not 0 < self.share < 1:
            raise ls.InputError("share", self.share, "it must lie between 0 and 1, the edge of stability")


def recursion(task):
    """The largest stable ηλ of v ← γv + ηλw, w ← w − v, by bisection of the eigenvalues of one step."""
    gamma, low, high = task.at["gamma"], 0.0, 10.0
    for _ in range(60):
        x = (low + high) / 2
        low, high = (x, high) if abs(np.linalg.eigvals([[1 - x, -gamma], [x, gamma]])).max() < 1 else (low, x)
    return xr.Dataset({"edge": low})


def training(task):
    """One draw of ‖Xw − y‖²/2n, from zero or a random start: how fast its residual falls, and where it ends."""
    s, gamma, rng = task.settings, task.at["gamma"], task.rng("data")
    X, y = rng.standard_normal((s.samples, 4 * s.samples)), rng.standard_normal(s.samples)
    w = task.at["start"] * rng.standard_normal(4 * s.samples)
    curvature, nearest = np.linalg.svd(X)[1] ** 2 / s.samples, np.linalg.pinv(X) @ y
    optimizer = ls.MomentumVelocity(s.share * 2 * (1 + gamma) / curvature.max(), gamma)
    state, residuals = optimizer.init(w), []
    for t in range(s.iterations):
        residuals.append(np.linalg.norm(X @ w - y))
        w, state = optimizer.step(w, X.T @ (X @ w - y) / s.samples, state, t)
    late = np.flatnonzero(np.array(residuals) > 1e-10 * residuals[0])[-40:]  # the last ones above their rounding
    rate = np.exp(np.polyfit(late, np.log(np.array(residuals)[late]), 1)[0])
    away = np.linalg.norm(w - nearest) / np.linalg.norm(nearest)
    return xr.Dataset({"eta": optimizer.eta, "rate": rate, "away": away, "curvature": ("mode", curvature)})


def rho(data, momentum=1):
    """The larger root of z² − (1 + γ − ηλ)z + γ in absolute value, at the λ where it is largest."""
    b = 1 + momentum * data.gamma - data.eta * data.curvature + 0j
    root = np.sqrt(b * b - 4 * momentum * data.gamma)
    return np.maximum(abs(b + root), abs(b - root)).max("mode") / 2


def edge(evidence, sign=1):
    """Largest distance of the edge from 2(1 + γ): one number, as the statement is exact."""
    return ls.Measurement(float(abs(evidence["edge"] - 2 * (1 + sign * evidence["edge"].gamma)).max()), upper=1e-6)


def rate(evidence, momentum=1):
    """Mean over draws of log rate / log ρ, with two standard errors: an interval, which must lie within the bounds."""
    one = evidence.data.sel(start=0)
    ratio = (np.log(one.rate) / np.log(rho(one, momentum))).mean("gamma")
    mean, error = float(ratio.mean()), float(ratio.std(ddof=1)) / ratio.size**0.5
    return ls.Estimate(mean, mean - 2 * error, mean + 2 * error, lower=0.95, upper=1.05)


def smallest(evidence, start=0):
    """Distance from the solution of smallest norm over its norm: a number for each seed."""
    return ls.Measurement(evidence["away"].sel(start=start).max("gamma"), upper=1e-3)


def claim(name, measure, about, control, statement, plain):
    """A claim of this file. The control changes a constant of its measure, and must come out REFUTED."""
    own = {"id": f"linear_regression.{name}", "kind": ls.Kind.BOUND, "source": "derived", "plain": plain}
    return ls.Claim(statement=statement, measure=measure, about=about, control=control, **own)


EDGE = r"$\eta\lambda_{\max} < 2(1+\gamma)$", "stable exactly up to ηλ = 2(1 + γ)"
RATE = r"$\|Xw_t - y\| \sim \rho^t$", "the residual falls as ρᵗ, to 5 % of log ρ"
SMALLEST = r"$w_t \to X^+ y$", "from zero: the solution of smallest norm, to 0.1 %"
CLAIMS = (
    claim("edge", edge, "recursion", ls.Control("2(1 − γ) in its place", {"sign": -1}), *EDGE),
    claim("rate", rate, "training", ls.Control("ρ of gradient descent", {"momentum": 0}), *RATE),
    claim("smallest", smallest, "training", ls.Control("a random start", {"start": 1}), *SMALLEST),
)


def draw(result):
    """Measured rates against predicted ones."""
    from matplotlib.figure import Figure

    axis = Figure(figsize=(3.2, 2.8), layout="constrained").subplots()
    for gamma, one in result.data["training"].sel(start=0).groupby("gamma"):
        axis.plot(rho(one).squeeze(), one.rate.squeeze(), ".", label=f"γ = {gamma:g}")
    axis.axline((0.9, 0.9), slope=1, color="0.6", zorder=0)
    axis.set(xlabel="predicted rate ρ", ylabel="measured rate")
    axis.legend()
    return axis.figure


STUDY = ls.Study(
    name="linear_regression",
    subject="linear_regression",
    message="Momentum raises the largest stable learning rate by 1 + γ, and still finds the smallest solution.",
    settings=Settings,
    experiments={
        "recursion": ls.Experiment(lambda s: {"gamma": s.gammas}, recursion),
        "training": ls.Experiment(lambda s: {"seed": range(s.seeds), "gamma": s.gammas, "start": (0, 1)}, training),
    },
    evidence=lambda settings, data: [ls.Evidence(one, name, role=name) for name, one in data.items()],
    claims=CLAIMS,
    pictures=lambda: [ls.Picture("rates", draw, lambda r: f"Rates, a point for each of {r.settings.seeds} draws.")],
    examples=("lemmascope run linear_regression.py --quick",),
)
