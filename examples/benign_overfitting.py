"""Benign overfitting in a two-layer ReLU network with flipped labels, and where it turns harmful (Kou et al. 2023)."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

import lemmascope as ls


@dataclass(frozen=True)
class Settings:
    """A signal ±μ in one patch of a sample, and Gaussian noise of variance 1, orthogonal to it, in the other."""

    norms: tuple[float, ...] = ls.option((1.0, 2.0, 3.0, 4.0, 6.0), "Lengths of μ.", tiny=(1.0, 6.0))
    samples: int = ls.option(40, "Samples n.")
    dimension: int = ls.option(4000, "Dimension d.", tiny=2000, quick=2000)
    width: int = ls.option(10, "Neurons m of each sign.", tiny=5)
    flip: float = ls.option(0.1, "Chance p that a label is flipped.")
    iterations: int = ls.option(200, "Steps of gradient descent.", tiny=100)
    seeds: int = ls.option(10, "Draws of data and weights.", tiny=6, quick=6, full=100)


class Network:
    """f(x) = Σ_r a_r (relu⟨w_r, ŷμ⟩ + relu⟨w_r, ξ⟩) with a_r = ±1/m, on n samples; some labels are flipped."""

    def __init__(self, s, norm, rng):
        true = rng.choice([-1.0, 1.0], s.samples)
        self.flipped, self.X = rng.random(s.samples) < s.flip, np.zeros((s.samples, 2, s.dimension))
        self.X[:, 0, 0], self.X[:, 1, 1:] = norm * true, rng.standard_normal((s.samples, s.dimension - 1))
        self.y, self.a = np.where(self.flipped, -true, true), np.repeat([1.0, -1.0], s.width) / s.width
        self.norm, self.p, self.normals = norm, s.flip, rng.standard_normal((4000, 2 * s.width))

    def initial(self, rng):
        """Small Gaussian weights."""
        return 0.001 * rng.standard_normal((self.a.size, self.X.shape[-1]))

    def margins(self, W):
        """y f on the training samples."""
        return self.y * (np.maximum(self.X @ W.T, 0) @ self.a).sum(-1)

    def loss(self, W):
        """Mean of log(1 + exp(−y f))."""
        return np.mean(np.logaddexp(0, -self.margins(W)))

    def gradient(self, W):
        """By hand: −(1/n) Σ_i y_i / (1 + exp(y_i f_i)) Σ_j a_r 1[⟨w_r, x_ij⟩ > 0] x_ij."""
        pull = -self.y / (1 + np.exp(self.margins(W))) / self.y.size
        return np.tensordot(pull[:, None, None] * self.a * (self.X @ W.T > 0), self.X, ((0, 1), (0, 1)))

    def watch(self, W):
        """Chance of an error on a new sample and label; the ⟨w_r, ξ⟩ are Gaussian, their covariance is at hand."""
        noise = np.maximum(self.normals @ np.linalg.cholesky(W[:, 1:] @ W[:, 1:].T).T, 0) @ self.a
        wrong = [np.mean(y * (noise + np.maximum(y * self.norm * W[:, 0], 0) @ self.a) < 0) for y in (-1, 1)]
        return {"error": self.p + (1 - 2 * self.p) * np.mean(wrong)}


def training(task):
    """Loss and test error before and after training, and what the hypotheses ask for."""
    s, norm = task.settings, task.at["norm"]
    net = Network(s, norm, task.rng("data"))
    seen = ls.train(net, {"GD": ls.GD(0.1)}, iterations=s.iterations, rng=task.rng, record=s.iterations)
    more = {"flipped": net.flipped.sum(), "ratio": s.samples * norm**4 / s.dimension}
    return xr.Dataset(more).merge(seen[["loss", "error"]].isel(optimizer=0, drop=True))


def fits(evidence, iteration=-1):
    """Training loss, flipped labels included, at the norm where it is largest."""
    return ls.Measurement(evidence["loss"].isel(iteration=iteration).max("norm"), upper=0.05)


def benign(evidence, norm=-1):
    """Test error less p at the largest norm: at most exp(−n‖μ‖⁴/Cσ⁴d) in the theorem."""
    return ls.Measurement(evidence["error"].isel(iteration=-1, norm=norm) - evidence.p.flip, upper=0.02)


def harmful(evidence, norm=0):
    """Test error less p at the smallest norm: at least 0.1 in the theorem."""
    return ls.Measurement(evidence["error"].isel(iteration=-1, norm=norm) - evidence.p.flip, lower=0.1)


def claim(name, measure, text, control, *assumes):
    """In more than half of all draws. The form is at second hand; 0.05, 0.02, 0.1 and 10 are finite-size readings."""
    own = {"id": f"benign_overfitting.{name}", "kind": ls.Kind.BOUND, "plain": text, "statement": text}
    return ls.Claim(measure=measure, control=control, assumes=assumes, source="second hand", probability=0.5, **own)


NOISY = ls.Hypothesis("noisy", "a training label is flipped", lambda e: e["flipped"].isel(norm=0) > 0)
STRONG = ls.Hypothesis("strong", "n‖μ‖⁴ ≥ 10 σ⁴d at the largest norm", lambda e: e["ratio"].max() >= 10)
WEAK = ls.Hypothesis("weak", "n‖μ‖⁴ ≤ 0.1 σ⁴d at the smallest norm", lambda e: e["ratio"].min() <= 0.1)
CLAIMS = (
    claim("fits", fits, "the training loss ends below 0.05", ls.Control("its start", {"iteration": 0}), NOISY),
    claim("benign", benign, "test error ≤ p + 0.02", ls.Control("at the smallest norm", {"norm": 0}), NOISY, STRONG),
    claim("harmful", harmful, "test error ≥ p + 0.1", ls.Control("at the largest norm", {"norm": -1}), NOISY, WEAK),
)


def draw(result):
    """Test error against what decides, by the theorem."""
    from matplotlib.figure import Figure

    axis, data = Figure(figsize=(3.4, 2.6), layout="constrained").subplots(), result.data["training"]
    axis.semilogx(data.ratio.isel(seed=0), data.error.isel(iteration=-1).transpose("norm", "seed"), ".", color="C0")
    axis.axhline(result.settings.flip, color="0.6")
    axis.set(xlabel="n‖μ‖⁴ / σ⁴d", ylabel="test error")
    return axis.figure


STUDY = ls.Study(
    name="benign_overfitting",
    subject="benign_overfitting",
    message="A ReLU network that fits flipped labels still predicts as well as it can, if n‖μ‖⁴ is large beside σ⁴d.",
    settings=Settings,
    experiments={"training": ls.Experiment(lambda s: {"seed": range(s.seeds), "norm": sorted(s.norms)}, training)},
    evidence=lambda s, data: [ls.Evidence(data["training"], "trained", parameters=s)],
    claims=CLAIMS,
    pictures=lambda: [ls.Picture("error", draw, lambda r: f"Test error of {r.settings.seeds} draws; line: p.")],
    examples=("lemmascope run benign_overfitting.py --quick",),
)
