"""This project's compiled backend, laid out by its own cost model."""

from __future__ import annotations

__all__ = ["MANY", "OWN", "Compiled", "memoryless_rates", "time_compiled"]

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from lemmascope.benchmarks.cubic_cnn.own import Reference, coefficient_system, exact_system, weight_space_cost
from lemmascope.benchmarks.cubic_cnn.work import CubicCNN, Inputs
from lemmascope.benchmarks.protocol import Cost, Run
from lemmascope.sims.cubic_cnn.backends.compiled import CompiledKernel, unavailable
from lemmascope.sims.cubic_cnn.backends.kernel import TRACED, Start
from lemmascope.sims.cubic_cnn.cost import choose_representation, costs, lay_out
from lemmascope.sims.cubic_cnn.problems import LawProblem
from lemmascope.theory.cubic_cnn.coefficients import CoefficientSystem
from lemmascope.theory.cubic_cnn.parameters import HEADLINE, Parameters
from lemmascope.theory.cubic_cnn.weights import WeightSystem

MANY = 10**9
"""More iterations than any run has."""


def _of_seed(system: Any, s: int) -> Any:
    """The system of one seed."""
    arrays = {f.name: getattr(system, f.name) for f in fields(system)}
    return replace(system, **{k: np.ascontiguousarray(x[s : s + 1]) for k, x in arrays.items() if hasattr(x, "shape")})


def memoryless_rates(eta: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    """(γ, κ, p, q) of the average form (A, 4); without memory it is gradient descent."""
    rates = np.stack([gamma, 1 - gamma, eta, 0 * eta], axis=1)
    rates[gamma == 0] = np.stack([0 * eta, 0 * eta, 0 * eta, eta], axis=1)[gamma == 0]
    return rates


def _runner(
    system: Any, small: np.ndarray, eta: np.ndarray, gamma: np.ndarray, problem: LawProblem, workers: int
) -> Callable[[int], np.ndarray]:
    """Kernels for every unit of the layout, and the call that runs them from the start."""
    name = "coefficients" if isinstance(system, CoefficientSystem) else "weights"
    S, A = small.shape[0], len(eta)
    layout = lay_out(problem, name, seeds=S, optimizers=A, workers=workers)
    rates = memoryless_rates(eta, gamma)
    kernels = []
    for seeds, part in layout.units:
        (s,) = seeds
        start = Start(
            small=small[s : s + 1],
            c_threshold=None,
            memorization_threshold=None,
            gradient_factor=1.0,
            last=MANY,
            trace=True,
            count=len(part),
            dtype="float64",
        )
        kernels.append((s, list(part), CompiledKernel(_of_seed(system, s), start, layout.team)))
    nothing = np.zeros(0, np.int64)
    # Kept between calls, as the peers keep theirs: fresh threads share a core until the system spreads them.
    pool = ThreadPoolExecutor(layout.threads) if layout.threads > 1 else None

    def run(iterations: int) -> np.ndarray:
        out = np.empty((S, A, iterations, len(TRACED)))

        def one(unit: tuple[int, list[int], CompiledKernel]) -> None:
            s, part, kernel = unit
            kernel.restart()
            trace = kernel.advance(0, iterations, rates[part], nothing).trace
            assert trace is not None
            out[s, part[0] : part[-1] + 1] = trace[0]

        if pool is None:
            for unit in kernels:
                one(unit)
        else:
            list(pool.map(one, kernels))
        return out

    return run


@dataclass(frozen=True)
class Compiled:
    """The loop in machine code, in the representation that the cost model takes.

    Args:
        cores: threads.
    """

    cores: int = os.cpu_count() or 1
    library = ""
    name = "compiled"
    formulation = "one product with K, or one pass over the noise patches, as the cost model says"

    def available(self) -> str | None:
        """Without Numba, why not."""
        return unavailable()

    def representation(self, work: CubicCNN) -> str:
        """What `simulate` would take for a long run."""
        return choose_representation(
            LawProblem(work.parameters), asked="auto", all_linear=True, optimizers=len(work.cells), iterations=10_000
        ).representation

    def prepare(self, inputs: Inputs) -> Run:
        """Form K and pack it, or pack X."""
        _, A, m, N, P, d = inputs.shape
        problem = LawProblem(replace(HEADLINE, m=m, N=N, P=P, d=d))
        name = choose_representation(
            problem, asked="auto", all_linear=True, optimizers=A, iterations=10_000
        ).representation
        system: Any
        if name == "coefficients":
            system = coefficient_system(inputs)
        else:
            system = WeightSystem(inputs.X, inputs.y, inputs.W_0, inputs.w_star, lam=0.0, signal_patches=1)
        return Run(_runner(system, inputs.small, inputs.eta, inputs.gamma, problem, self.cores), f"{name}")

    def cost(self, work: CubicCNN) -> Cost:
        """K is read once an iteration, or the noise patches; the state stays in cache."""
        p, S, A = work.parameters, work.seeds, len(work.cells)
        if self.representation(work) == "weights":
            both = weight_space_cost(work, rows=p.n, cores=self.cores)
            return Cost(both.flops, 8.0 * S * p.n * p.d, both.resident)  # one pass
        model = costs(LawProblem(p), A * p.m)["coefficients"]
        return Cost(S * model.operations, 8.0 * S * p.n**2, 8.0 * p.n**2 / (1 if S > 1 else self.cores))


OWN: tuple[Any, ...] = (Reference("coefficients"), Reference("weights"), Compiled())
"""What this project brings to the comparison; the first is what the others are held to."""


def time_compiled(
    parameters: Parameters, law: str, seeds: int, cells: tuple[tuple[float, float], ...], iterations: int, workers: int
) -> float:
    """Seconds an iteration of the compiled backend in coefficient space, from a drawn law, on ``workers`` threads."""
    system, small = exact_system(parameters, law, seeds)
    eta, gamma = np.array(cells).T
    run = _runner(system, small, eta, gamma, LawProblem(parameters, law), workers)
    run(2)
    start = time.perf_counter()
    run(iterations)
    return (time.perf_counter() - start) / iterations
