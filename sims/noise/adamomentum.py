r"""Adam and AdaMomentum on given gradients, on a noisy coordinate in the long run, and on periodic linear losses.

`path` and `regret` take the steps of `theory.optimizers` on one number, from m = v = 0 with both bias corrections, with
and without the running maximum of v. `stationary` has copies at t → ∞, where the corrections are 1 and v starts at its
limit V; beside each runs a companion on the same noise that divides by √V throughout, whose law is known exactly
(`theory.noise.adamomentum`) and from which it starts. So only the difference is measured with an error.
"""

from __future__ import annotations

__all__ = ["BACKENDS", "KINDS", "Arrays", "Case", "Losses", "path", "regret", "stationary"]

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lemmascope.sims import stopping
from lemmascope.sims.noise.adamomentum_loops import Compiled, given, periodic
from lemmascope.sims.noise.draws import blocks
from lemmascope.sims.noise.replicas import BACKENDS
from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.noise import adamomentum as theory
from lemmascope.theory.optimizers import Adam, AdaMomentum, AMSAdaMomentum, AMSGrad
from lemmascope.theory.optimizers.adaptive import Moments

KINDS: dict[str, type[Adam]] = {
    "AdaMomentum": AdaMomentum,
    "Adam": Adam,
    "AMSAdaMomentum": AMSAdaMomentum,
    "AMSGrad": AMSGrad,
}
LONG = 2**40
"""A number of steps after which bias corrections are 1."""


def _which(kind: str) -> tuple[bool, bool]:
    """Whether m is squared, and whether the maximum of v is taken."""
    if kind not in KINDS:
        raise InputError("kind", kind, f"it must be one of {', '.join(KINDS)}")
    return issubclass(KINDS[kind], AdaMomentum), kind.startswith("AMS")


# --- given gradients --------------------------------------------------------------------------------------------------


def path(kind: str, gradients: np.ndarray, beta1: float, beta2: float, epsilon: float = 0.0) -> np.ndarray:
    """(steps, 2) m_t and u_t, a step being −ηu_t, of one coordinate's gradients (steps,); machine code.

    Raises:
        InputError: an unknown kind.
    """
    momentum, maximum = _which(kind)
    out = np.empty((len(gradients), 2))
    given(np.asarray(gradients, dtype=np.float64), momentum, maximum, beta1, beta2, epsilon, out)
    return out


# --- periodic losses --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Losses:
    """f_t(x) = g_t x on [−1, 1], t = 1, 2, …: g is C in the first round of each period of p and −1 in the others.

    With C > p − 1 the best fixed x is −1.

    Raises:
        InputError: p below 2, or C ≤ p − 1.
    """

    p: int
    C: float

    def __post_init__(self) -> None:
        check_size("p", self.p, 2)
        check_number("C", self.C, self.p - 1, open_low=True)

    def gradients(self, rounds: int) -> np.ndarray:
        """(rounds,) g."""
        return np.where(np.arange(rounds) % self.p == 0, self.C, -1.0)


def regret(
    kind: str, losses: Losses, beta1: float, beta2: float, seen: np.ndarray, *, eta: float = 0.5, epsilon: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Average regret after so many rounds, and x in the round that follows, (len(seen),) each; machine code.

    x_1 = 1, then x ← clip(x − η_t u, −1, 1), η_t = η/√t; regret is Σ g_k x_k less that of the best fixed x so far.

    Args:
        kind: one of `KINDS`; seen: numbers of rounds, increasing, from 1 on.

    Raises:
        InputError: an unknown kind.
    """
    momentum, maximum = _which(kind)
    seen = np.asarray(seen, dtype=np.int64)
    out = np.empty((2, seen.size))
    stopping.check()
    periodic(losses.p, losses.C, momentum, maximum, beta1, beta2, epsilon, eta, seen, out)
    return out[0], out[1]


# --- the long run -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A coordinate with the gradient μ + hx + sξ, ξ ~ N(0, 1), of which one of μ and h is 0.

    Args:
        momentum: AdaMomentum, else Adam.
        eta: learning rate, where h > 0.
        mu, h: mean of the gradient, or curvature; s: scale of the noise.
    """

    momentum: bool
    beta1: float
    beta2: float
    mu: float = 0.0
    h: float = 0.0
    eta: float = 0.0
    s: float = 1.0

    def __post_init__(self) -> None:
        if bool(self.mu) and bool(self.h):
            raise InputError("mu", self.mu, f"it must be 0 on a quadratic, and h is {self.h:g}")
        check_number("beta2", self.beta2, 0, 1, open_high=True)
        if self.h:
            check_number("eta", self.eta, 0, open_low=True)

    @property
    def V(self) -> float:
        """The limit of v."""
        if self.h:
            e = theory.rate(self.eta, self.h, self.s, self.beta1, momentum=self.momentum)
            return (self.eta / e) ** 2
        return float(theory.second_moment(self.mu, self.s, self.beta1, momentum=self.momentum))

    @property
    def exact(self) -> tuple[float, float, float]:
        """E u, E u² and E x² of the companion."""
        V = self.V
        if self.h:
            variance, square, _ = theory.average_moments(self.eta / V**0.5, self.h, self.s, self.beta1)
            return 0.0, square / V, variance
        mean, variance = theory.step_moments(self.mu, self.s, self.beta1, V)
        return mean, mean * mean + variance, 0.0

    @property
    def row(self) -> tuple[float, ...]:
        """η, μ, h, s, β₁, β₂, √V, whether m is squared."""
        return self.eta, self.mu, self.h, self.s, self.beta1, self.beta2, self.V**0.5, float(self.momentum)

    def drawn(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x and m of the companion's stationary law from normal deviates (2, copies)."""
        if not self.h:
            a = float(theory.attenuation(self.beta1))
            return np.zeros(z.shape[1:]), self.mu + self.s * a**0.5 * z[0]
        e = self.eta / self.V**0.5
        variance, square, _ = theory.average_moments(e, self.h, self.s, self.beta1)
        m = square**0.5 * z[0]  # x⁺ = x − em leaves E x² as it is: Cov(x⁺, m) = −½e E m²
        return -e / 2 * m + (variance - e * e * square / 4) ** 0.5 * z[1], m


class Arrays:
    """The reference: the copies of each case, by the classes of `theory.optimizers`, on arrays of any library."""

    def __init__(self, cases: Sequence[Case], start: np.ndarray, xp: Any):
        self.cases, self.xp = cases, xp
        self.x, self.y, self.state, self.linear = [], [], [], []
        for case, (x, m) in zip(cases, start, strict=True):
            first, average = xp.asarray(x), xp.asarray(m)
            self.x.append(first)
            self.y.append(first)
            self.state.append(Moments(average, xp.zeros_like(average) + case.V))
            self.linear.append(average)
        self.optimizers = [(AdaMomentum if case.momentum else Adam)(1.0, case.beta1, case.beta2, 0.0) for case in cases]

    def advance(self, draws: np.ndarray, counted: int, out: np.ndarray) -> None:
        """As of `Compiled`."""
        xp = self.xp
        noise = xp.asarray(draws)
        for i, (case, optimizer) in enumerate(zip(self.cases, self.optimizers, strict=True)):
            e, b1, root = case.eta / case.V**0.5, case.beta1, case.V**0.5
            total = [0.0, 0.0, 0.0]
            for t in range(draws.shape[0]):
                g, f = (case.mu + case.h * x + case.s * noise[t, :] for x in (self.x[i], self.y[i]))
                zero = xp.zeros_like(g)
                u, self.state[i] = optimizer.step(zero, g, self.state[i], LONG)  # −u, at the rate 1
                self.linear[i] = b1 * self.linear[i] + (1 - b1) * f
                w = self.linear[i] / root
                self.x[i], self.y[i] = self.x[i] + case.eta * u, self.y[i] - e * self.linear[i]
                if t >= counted:
                    pairs = (-u - w, u * u - w * w, self.x[i] ** 2 - self.y[i] ** 2)
                    for k, pair in enumerate(pairs):
                        total[k] += float(xp.sum(pair))
            out[i] += total


def stationary(
    cases: Sequence[Case],
    rng: np.random.Generator,
    *,
    copies: int,
    steps: int,
    burn_in: int,
    backend: str = "auto",
    xp: Any = None,
) -> np.ndarray:
    """(cases, 3) means of u, u² and x² over copies and steps, all cases on the same noise.

    Args:
        copies: how many draw from the stream.
        steps: in all; burn_in: those of them at first that are not counted.
        backend: one of `BACKENDS`; xp: the array library of "numpy", default NumPy.

    Raises:
        InputError: as many steps as are left out, or more; a backend that is not there.
    """
    if check_size("burn_in", burn_in, 0) >= check_size("steps", steps):
        raise InputError("burn_in", burn_in, f"it must be less than the {steps} steps")
    if backend not in BACKENDS:
        raise InputError("backend", backend, f"it must be one of {', '.join(BACKENDS)}")
    kind: Any = Arrays
    if backend in ("auto", "compiled") and xp is None:
        kind = Compiled
    elif backend == "cupy":
        from lemmascope.sims.cubic_cnn.backends.device import cupy_or_refused

        xp = cupy_or_refused()
    z = rng.standard_normal((2, copies))
    engine = kind(cases, np.array([case.drawn(z) for case in cases]), np if xp is None else xp)
    out = np.zeros((len(cases), 3))
    for first, draws in blocks([rng], steps, copies, "normals"):
        engine.advance(draws[0], max(0, burn_in - first), out)
    exact: np.ndarray = np.array([case.exact for case in cases]) + out / (copies * (steps - burn_in))
    return exact
