"""Rows of the study `teacher`: one student, full-batch training with momentum, from the same weights.

This project runs on one thread, as the study does, whose runs share the cores; the others may take all of them.
"""

from __future__ import annotations

__all__ = ["ROWS", "WORKS", "Student"]

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from lemmascope.benchmarks.descent import PARAMETERS, column, in_jax, in_torch
from lemmascope.benchmarks.protocol import Cost, Run, Way, Work
from lemmascope.sims.machine.threads import one_blas_thread
from lemmascope.sims.seeds import streams
from lemmascope.sims.teacher.loop import train
from lemmascope.theory.teacher.networks import NETWORKS, Network, gradient, output

ROWS = {"T": "a student of one hidden layer", "T2": "a student of two hidden layers"}

TEACHER = 10
"""Width of the 1-CNN whose labels are learned."""


@dataclass(frozen=True)
class Inputs:
    """The student and its initial parameters; X (N, P q), y (N,)."""

    network: Network
    start: dict[str, np.ndarray]
    X: np.ndarray
    y: np.ndarray
    eta: float
    gamma: float


@dataclass(frozen=True, kw_only=True)
class Student(Work):
    """What is compared is all parameters at the end.

    Attributes:
        network: the student.
        samples: N.
        eta, gamma: learning rate and momentum, average form.
    """

    network: Network
    samples: int = 500
    eta: float = 1.0
    gamma: float = 0.9
    recorded: tuple[str, ...] = PARAMETERS

    @property
    def described(self) -> str:
        """Network, width and samples."""
        return f"{self.network.name}, h = {self.network.width}, N = {self.samples}; one student"

    def to_dict(self) -> dict[str, Any]:
        """The network's sizes, samples and rates."""
        return {**asdict(self.network), "samples": self.samples, "eta": self.eta, "gamma": self.gamma}

    def small(self) -> Student:
        """A narrower student on fewer samples."""
        return replace(self, network=replace(self.network, width=6), samples=60, iterations=40)

    def draw(self, root_seed: int = 0) -> Inputs:
        """Normal inputs, a teacher's labels about the median of its outputs, initial weights."""
        rng, net = streams(root_seed, "bench teacher", 0), self.network
        teacher = NETWORKS(TEACHER, net.positions * net.inputs)["1-CNN"]
        X = rng("inputs").standard_normal((self.samples, net.positions * net.inputs))
        f = output(teacher, teacher.initial(rng("teacher").standard_normal), X)
        start = net.initial(rng("student").standard_normal)
        return Inputs(net, start, X, np.where(f > np.median(f), 1.0, -1.0), self.eta, self.gamma)


def _cost(work: Student) -> Cost:
    """Rows of inputs are read twice; activations written and read three times, what comes back written and read."""
    net, N = work.network, work.samples
    P, left, h = net.positions, net.out // net.width, net.width
    flops, numbers = 4.0 * N * P * net.inputs * h, N * P * (2.0 * net.inputs + 6 * h)
    if net.layers == 2:
        wide = net.neighbours * h
        flops += 6.0 * N * left * wide * h
        numbers += N * left * (6.0 * wide + 6 * h)
    return Cost(flops + 4.0 * N * net.out, 8 * numbers, 8 * numbers)


def _numpy(inputs: Inputs) -> Run:
    def run(iterations: int) -> np.ndarray:
        theta = dict(inputs.start)
        average = {name: np.zeros_like(x) for name, x in theta.items()}
        for _ in range(iterations):
            grad = gradient(inputs.network, theta, inputs.X, inputs.y)
            average = {name: inputs.gamma * g + (1 - inputs.gamma) * grad[name] for name, g in average.items()}
            theta = {name: x - inputs.eta * average[name] for name, x in theta.items()}
        return column(theta)

    return Run(run)


def _compiled(inputs: Inputs) -> Run:
    def run(iterations: int) -> np.ndarray:
        with one_blas_thread():
            theta, _ = train(
                inputs.network, inputs.start, inputs.X, inputs.y, eta=inputs.eta, gamma=inputs.gamma, epochs=iterations
            )
        return column(theta)

    return Run(run)


def _outputs(net: Network, theta: Any, X: Any, relu: Any, joined: Any) -> Any:
    """f (N,), with another library's relu and concatenation."""
    N = X.shape[0]
    A = relu(X.reshape(N, net.positions, net.inputs) @ theta["W"] + theta["b"])
    if net.layers == 2:
        last = net.positions - net.neighbours + 1
        A = relu(joined([A[:, j : last + j] for j in range(net.neighbours)], 2) @ theta["U"] + theta["e"])
    return A.reshape(N, -1) @ theta["v"] + theta["c"]


def _torch(inputs: Inputs, *, compiled: bool = False) -> Run:
    import torch

    X, y = torch.tensor(inputs.X), torch.tensor(inputs.y)

    def loss(theta: Any, _: Any) -> Any:
        # Not softplus, which is cut off at 20, where it is wrong by 2e-9.
        return -torch.nn.functional.logsigmoid(y * _outputs(inputs.network, theta, X, torch.relu, torch.cat)).mean()

    return in_torch(inputs.start, torch.compile(loss) if compiled else loss, inputs.eta, inputs.gamma)


def _jax(inputs: Inputs) -> Run:
    import jax

    def loss(theta: Any, _: Any) -> Any:
        f = _outputs(inputs.network, theta, inputs.X, jax.nn.relu, jax.numpy.concatenate)
        return -jax.nn.log_sigmoid(inputs.y * f).mean()

    return in_jax(inputs.start, loss, inputs.eta, inputs.gamma)


EVERY = "products of all positions, forward and back"
WAYS = (
    Way("NumPy reference", EVERY, _numpy, _cost),
    Way("compiled", EVERY, _compiled, _cost),
    Way("PyTorch autograd", EVERY, _torch, _cost, "torch"),
    Way("torch.compile", EVERY, partial(_torch, compiled=True), _cost, "torch"),
    Way("JAX jit(fori_loop)", EVERY, _jax, _cost, "jax"),
)
WORKS = (
    Student(name="T", network=NETWORKS(40)["1-CNN"], at_least=2, iterations=104, implementations=WAYS),
    Student(name="T2", network=NETWORKS(16)["2-CNN"], at_least=2, iterations=104, implementations=WAYS),
)
