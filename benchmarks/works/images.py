"""The row of the study `batch_size`: a VGG-like network on small images, the same minibatches for all.

In single precision, as the study runs. This project runs on one thread, as the study does, whose runs share the cores;
the others may take all of them.
"""

from __future__ import annotations

__all__ = ["ROWS", "WORKS", "Images"]

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import numpy as np

from lemmascope.benchmarks.descent import PARAMETERS, column, in_jax, in_torch
from lemmascope.benchmarks.protocol import TOLERANCE, Cost, Run, Way, Work
from lemmascope.sims.images.loop import train
from lemmascope.sims.machine.threads import one_blas_thread
from lemmascope.sims.seeds import streams
from lemmascope.theory.images.networks import Architecture

ROWS = {"I": "a small VGG on images, batches of 25"}

SINGLE = 1e-6
"""Largest difference of the parameters after an epoch in single precision, relative to the largest.

The eight steps of an epoch round the parameters by some √8 · 6·10⁻⁸, and move them by a hundredth, of which rounding
in a gradient is √1000 · 6·10⁻⁸. Small works are compared in double precision, to `TOLERANCE`.
"""

EPOCHS = 16
"""Whose permutations are drawn; then they begin again."""


@dataclass(frozen=True)
class Inputs:
    """The network and its initial parameters; x (N, H, W, C), labels (N,), and permutations of them by epoch."""

    network: Architecture
    start: dict[str, np.ndarray]
    x: np.ndarray
    labels: np.ndarray
    orders: np.ndarray
    batch: int
    eta: float
    gamma: float

    @property
    def index(self) -> np.ndarray:
        """(steps, B), the images of each step."""
        return np.sort(self.orders.reshape(-1, self.batch), axis=1)


@dataclass(frozen=True, kw_only=True)
class Images(Work):
    """What is compared is all parameters at the end.

    Attributes:
        network: the architecture.
        samples, batch: N, and B, which divides it.
        eta, gamma: learning rate and momentum, average form.
        dtype: number type.
    """

    network: Architecture
    samples: int = 200
    batch: int = 25
    eta: float = 0.1
    gamma: float = 0.9
    dtype: str = "float32"
    recorded: tuple[str, ...] = PARAMETERS

    @property
    def described(self) -> str:
        """Network, images, batch and number type."""
        net = self.network
        size, widths = " × ".join(map(str, net.shape[:2])), ", ".join(map(str, net.widths))
        return f"{net.kind} ({widths}) on {size}, N = {self.samples}, B = {self.batch}, {self.dtype}; one network"

    def to_dict(self) -> dict[str, Any]:
        """The network's sizes, samples, batch, rates and number type."""
        net = self.network
        sizes = {"kind": net.kind, "shape": list(net.shape), "classes": net.classes, "widths": list(net.widths)}
        return sizes | {name: getattr(self, name) for name in ("samples", "batch", "eta", "gamma", "dtype")}

    def small(self) -> Images:
        """Fewer channels and images; in double precision, so that what differs is seen to."""
        network = replace(self.network, widths=(4, 8))
        return replace(self, network=network, samples=40, batch=5, dtype="float64", tolerance=TOLERANCE)

    def draw(self, root_seed: int = 0) -> Inputs:
        """Normal images, labels by chance, initial parameters, and permutations."""
        rng, net = streams(root_seed, "bench images", 0), self.network
        start = {name: x.astype(self.dtype) for name, x in net.initial(rng("weights").standard_normal).items()}
        x = rng("images").standard_normal((self.samples, *net.shape)).astype(self.dtype)
        labels = rng("labels").integers(0, net.classes, self.samples)
        orders = rng("order").permuted(np.tile(np.arange(self.samples), (EPOCHS, 1)), axis=1)
        return Inputs(net, start, x, labels, orders, self.batch, self.eta, self.gamma)


def _cost(work: Images) -> Cost:
    """An image's products forward and back, its activations written and read three times, what comes back once each."""
    net, itemsize = work.network, np.dtype(work.dtype).itemsize
    flops, numbers = 6.0 * net.features * net.classes, 0.0
    for k, one in enumerate(net.convolutions):
        pixels = one.height * one.width
        flops += (4 if k == 0 else 6) * pixels * 9.0 * one.into * one.out
        numbers += pixels * (2.0 * one.into + 6 * one.out)
    parameters = sum(float(np.prod(shape)) for shape in net.shapes.values())
    seen = work.batch * numbers + 5 * parameters
    return Cost(work.batch * flops, itemsize * seen, itemsize * (numbers + 3 * parameters), work.dtype)


class _Given:
    """Permutations that were drawn before, in place of a generator."""

    def __init__(self, orders: np.ndarray) -> None:
        self.orders, self.epoch = orders, 0

    def permutation(self, size: int) -> np.ndarray:
        """The next one, of as many images."""
        found = self.orders[self.epoch % len(self.orders)]
        self.epoch += 1
        assert found.size == size
        return cast(np.ndarray, found)


def _engine(inputs: Inputs, *, backend: str) -> Run:
    """This project's loop, which takes whole epochs: iterations are steps, and a multiple of those."""
    steps = inputs.labels.size // inputs.batch

    def run(iterations: int) -> np.ndarray:
        epochs, rest = divmod(iterations, steps)
        assert not rest
        with one_blas_thread():
            found = train(
                inputs.network,
                inputs.start,
                inputs.x,
                inputs.labels,
                eta=inputs.eta,
                gamma=inputs.gamma,
                batch=inputs.batch,
                epochs=epochs,
                order=cast(Any, _Given(inputs.orders)),
                backend=backend,
            )
        return column(found.theta)

    return Run(run)


def _kernels(net: Architecture, theta: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Kernels as (3, 3, C, C')."""
    shapes = {f"K{k}": (3, 3, one.into, one.out) for k, one in enumerate(net.convolutions, 1)}
    return {name: x.reshape(shapes.get(name, x.shape)) for name, x in theta.items()}


def _channels_first(net: Architecture, theta: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Kernels as PyTorch has them, (C', C, 3, 3), and the dense layer's rows by channel, then pixel."""
    found = {name: x.transpose(3, 2, 0, 1) if x.ndim == 4 else x for name, x in _kernels(net, theta).items()}
    found["V"] = found["V"].reshape(-1, net.widths[-1], net.classes).swapaxes(0, 1).reshape(-1, net.classes)
    return {name: np.ascontiguousarray(x) for name, x in found.items()}


def _channels_last(net: Architecture, theta: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The other way round."""
    found = {name: np.asarray(x) for name, x in theta.items()}
    found = {name: x.transpose(2, 3, 1, 0) if x.ndim == 4 else x for name, x in found.items()}
    found["V"] = found["V"].reshape(net.widths[-1], -1, net.classes).swapaxes(0, 1).reshape(-1, net.classes)
    return found


def _torch(inputs: Inputs, *, compiled: bool = False) -> Run:
    import torch
    from torch.nn import functional as F

    net = inputs.network
    x, labels, index = (torch.tensor(a) for a in (inputs.x.transpose(0, 3, 1, 2), inputs.labels, inputs.index))

    def descended(theta: Any, a: Any, labels: Any) -> Any:
        for k, one in enumerate(net.convolutions, 1):
            a = torch.relu(F.conv2d(a, theta[f"K{k}"], theta[f"b{k}"], padding=1))
            if one.pool:
                a = F.avg_pool2d(a, 2)
        return F.cross_entropy(a.flatten(1) @ theta["V"] + theta["c"], labels)

    of_batch = torch.compile(descended) if compiled else descended

    def loss(theta: Any, t: int) -> Any:
        batch = index[t % len(index)]
        return of_batch(theta, x[batch], labels[batch])

    start = _channels_first(net, inputs.start)
    return in_torch(start, loss, inputs.eta, inputs.gamma, seen=partial(_channels_last, net))


def _jax(inputs: Inputs) -> Run:
    import jax
    import jax.numpy as jnp

    net = inputs.network

    def loss(theta: Any, t: Any) -> Any:
        batch = jnp.asarray(inputs.index)[t % len(inputs.index)]
        a = jnp.asarray(inputs.x)[batch]
        for k, one in enumerate(net.convolutions, 1):
            form = ("NHWC", "HWIO", "NHWC")
            a = jax.lax.conv_general_dilated(a, theta[f"K{k}"], (1, 1), "SAME", dimension_numbers=form)
            a = jax.nn.relu(a + theta[f"b{k}"])
            if one.pool:
                n, height, width, channels = a.shape
                a = a.reshape(n, height // 2, 2, width // 2, 2, channels).mean((2, 4))
        o = jax.nn.log_softmax(a.reshape(a.shape[0], -1) @ theta["V"] + theta["c"])
        return -jnp.take_along_axis(o, jnp.asarray(inputs.labels)[batch][:, None], axis=1).mean()

    return in_jax(_kernels(net, inputs.start), loss, inputs.eta, inputs.gamma)


EVERY = "convolutions of the batch, forward and back"
IN_TURN = "image after image, forward and back, in tiles"
WAYS = (
    Way("NumPy reference", EVERY, partial(_engine, backend="numpy"), _cost),
    Way("compiled", IN_TURN, partial(_engine, backend="compiled"), _cost),
    Way("PyTorch autograd", EVERY, _torch, _cost, "torch"),
    Way("torch.compile", EVERY, partial(_torch, compiled=True), _cost, "torch"),
    Way("JAX jit(fori_loop)", EVERY, _jax, _cost, "jax"),
)
WORKS = (
    Images(
        name="I",
        network=Architecture("vgg", (8, 8, 1), 10),
        at_least=2,
        iterations=8,
        tolerance=SINGLE,
        implementations=WAYS,
    ),
)
