"""This project's own implementations: the NumPy reference in both representations."""

from __future__ import annotations

__all__ = ["Reference", "coefficient_system", "exact_system", "time_reference", "weight_space_cost"]

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from lemmascope.benchmarks.cubic_cnn.work import STUDY, CubicCNN, Inputs
from lemmascope.benchmarks.protocol import Cost, Run
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.sims.seeds import streams
from lemmascope.theory.cubic_cnn.coefficients import CoefficientSystem
from lemmascope.theory.cubic_cnn.law import Projection
from lemmascope.theory.cubic_cnn.model import log1p_exp
from lemmascope.theory.cubic_cnn.parameters import Parameters
from lemmascope.theory.cubic_cnn.weights import WeightSystem
from lemmascope.theory.optimizers import MomentumAverage


def weight_space_cost(work: CubicCNN, *, rows: int, cores: int) -> Cost:
    """Two products with a (rows, d) matrix of patches; it is read twice, the weights and buffer read and written."""
    p, S, A = work.parameters, work.seeds, len(work.cells)
    patches, state = 8.0 * S * rows * p.d, 8.0 * S * A * p.m * p.d
    return Cost(flops=4.0 * S * rows * A * p.m * p.d, bytes=2 * patches + 4 * state, resident=patches / cores)


def coefficient_system(inputs: Inputs) -> CoefficientSystem:
    """The inputs' noise patches as K, Ξ₀ and c₀."""
    S, _, _, N, P, d = inputs.shape
    patches = inputs.noise.reshape(S, N * (P - 1), d)
    c_0 = np.einsum("smd,sd->sm", inputs.W_0, inputs.w_star)
    return CoefficientSystem(
        y=inputs.y,
        strength=np.abs(inputs.strength),
        K=patches @ np.swapaxes(patches, 1, 2),
        Xi_0=inputs.W_0 @ np.swapaxes(patches, 1, 2),
        c_0=c_0,
        S_0=inputs.W_0 @ np.swapaxes(inputs.W_0, 1, 2) - c_0[:, :, None] * c_0[:, None, :],
        overlap=np.zeros(patches.shape[:2]),
        lam=0.0,
        has_feature=True,
        of_the_law=True,
    )


def _trajectory(system: Any, y: np.ndarray, small: np.ndarray, eta: np.ndarray, gamma: np.ndarray, T: int) -> Any:
    S, N = y.shape
    optimizer = MomentumAverage(eta[:, None, None], gamma[:, None, None])  # type: ignore[arg-type]
    theta = system.initial(len(eta))
    state = optimizer.init(theta)
    out = np.empty((S, len(eta), T, 5))
    groups = [~small[:, None, :] / N, small[:, None, :] / N]
    for t in range(T):
        view, grad = system.evaluate(theta)
        out[:, :, t, 0] = np.mean(log1p_exp(-view.margins), axis=-1)
        for g, group in enumerate(groups):
            out[:, :, t, 1 + g] = np.sum(group * view.ell, axis=-1)
        out[:, :, t, 3] = np.max(view.c, axis=-1)
        out[:, :, t, 4] = np.max(np.abs(view.Xi), axis=(2, 3, 4))
        theta, state = optimizer.step(theta, grad, state, t)
    return out


@dataclass(frozen=True)
class Reference:
    """The readable NumPy code of ``theory/``.

    Args:
        representation: "coefficients" or "weights".
        cores: threads that share a product.
    """

    representation: str = "coefficients"
    cores: int = 1
    library = ""

    @property
    def name(self) -> str:
        """With its representation."""
        return f"NumPy reference, {self.representation}"

    @property
    def formulation(self) -> str:
        """One product with K, or two with X."""
        return "one product with K" if self.representation == "coefficients" else "two products with all patches"

    def available(self) -> None:
        """Always."""

    def prepare(self, inputs: Inputs) -> Run:
        """Form K, or stack X."""
        system: Any
        if self.representation == "coefficients":
            system = coefficient_system(inputs)
        else:
            system = WeightSystem(inputs.X, inputs.y, inputs.W_0, inputs.w_star, lam=0.0, signal_patches=1)
        return Run(lambda T: _trajectory(system, inputs.y, inputs.small, inputs.eta, inputs.gamma, T))

    def cost(self, work: CubicCNN) -> Cost:
        """K is read once an iteration, or X twice; the coordinates and their buffer are read and written."""
        p, S, A = work.parameters, work.seeds, len(work.cells)
        if self.representation == "weights":
            return weight_space_cost(work, rows=p.N * p.P, cores=self.cores)
        gram, state = 8.0 * S * p.n**2, 8.0 * S * A * p.m * p.n
        return Cost(2.0 * S * p.n**2 * A * p.m, gram + 4 * state, (gram + 4 * state) / self.cores)


def exact_system(parameters: Parameters, law: str, seeds: int) -> tuple[CoefficientSystem, np.ndarray]:
    """The system of some seeds of a law, "exact" or "samples", and their small-margin samples (S, N)."""
    problem = LawProblem(parameters, law)
    parts: list[Projection] = [problem.draw(streams(0, STUDY, s)).projection() for s in range(seeds)]
    names = ("y", "strength", "K", "Xi_0", "c_0", "S_0", "overlap")
    stacked = {name: np.stack([getattr(part, name) for part in parts]) for name in names}
    return CoefficientSystem(**stacked, lam=0.0, has_feature=True, of_the_law=True), np.stack(
        [np.asarray(part.small) for part in parts]
    )


def time_reference(
    parameters: Parameters, law: str, seeds: int, cells: tuple[tuple[float, float], ...], iterations: int, workers: int
) -> float:
    """Seconds an iteration of the reference in coefficient space, from a drawn law, on ``workers`` BLAS threads."""
    system, small = exact_system(parameters, law, seeds)
    eta, gamma = np.array(cells).T
    with threadpool_limits(limits=workers):
        _trajectory(system, system.y, small, eta, gamma, 2)
        start = time.perf_counter()
        _trajectory(system, system.y, small, eta, gamma, iterations)
        return (time.perf_counter() - start) / iterations
