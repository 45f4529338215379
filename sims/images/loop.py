"""Training of one network by SGD with momentum: epochs of batches without replacement, by any backend."""

from __future__ import annotations

__all__ = ["BACKENDS", "Trained", "accuracy", "augmented", "batches", "train"]

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lemmascope.sims import stopping
from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.images.networks import Architecture, output, slopes
from lemmascope.theory.images.normalization import running

Array = Any

BACKENDS = ("numpy", "compiled", "cupy")

LARGEST, LARGEST_HERE = 2**27, 2**22
"""Numbers in the largest cols(a) of what is computed at once, on a device and by NumPy."""


@dataclass(frozen=True)
class Trained:
    """A network at the end of its training.

    Attributes:
        theta: the parameters, in NumPy; statistics: the running ones of its normalizations, or None.
        error: share of training images that are misclassified at the end; loss: the mean cross-entropy there.
        diverged: whether a loss or a parameter was not finite after an epoch; the run ended with it, its error is
            that of guessing, 1 − 1/K, and its loss infinite.
        epochs, steps: that were taken.
    """

    theta: dict[str, np.ndarray]
    statistics: dict[str, np.ndarray] | None
    error: float
    loss: float
    diverged: bool
    epochs: int
    steps: int


def batches(size: int, batch: int, order: np.random.Generator) -> list[np.ndarray]:
    """The batches of an epoch: a permutation of 0 … size − 1 in parts, the last one smaller where ``batch`` does not
    divide ``size``. A batch is a set: its numbers are sorted, so that one of all is the data as they are."""
    permuted = order.permutation(size)
    return [np.sort(permuted[first : first + batch]) for first in range(0, size, batch)]


def augmented(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every image flipped from left to right by chance ½, and shifted by up to an eighth of its sides, 0 moving in.

    That is a crop of the image with a border of zeros: of 4 on 32 × 32, of 1 on 8 × 8. All images are drawn, in their
    own order, so the draws of an epoch do not depend on its batches.
    """
    n, height, width, _ = x.shape
    up, left = height // 8, width // 8
    flipped = rng.random((n, 1)) < 0.5
    rows = np.arange(height) + rng.integers(0, 2 * up + 1, (n, 1))
    columns = np.arange(width) + rng.integers(0, 2 * left + 1, (n, 1))
    columns = np.where(flipped, columns[:, ::-1], columns)
    padded = np.pad(x, ((0, 0), (up, up), (left, left), (0, 0)))
    return padded[np.arange(n).reshape(-1, 1, 1), rows.reshape(n, -1, 1), columns.reshape(n, 1, -1)]


class _Arrays:
    """A network by the formulas of `theory.images.networks`, on NumPy or CuPy; `compiled.Machine` has the same methods.

    Attributes:
        running: the running statistics of its normalizations; None before the first batch, or without any.
    """

    def __init__(
        self, net: Architecture, theta: Mapping[str, Array], dtype: Any, xp: Any, running: Mapping[str, Array] | None
    ) -> None:
        self.net, self.xp = net, xp
        each = max(9 * one.into * one.height * one.width for one in net.convolutions)
        self.most = max(1, (LARGEST_HERE if xp is np else LARGEST) // each)
        self.at = {name: xp.asarray(theta[name], dtype=dtype) for name in net.shapes}
        self.average = {name: 0 * value for name, value in self.at.items()}
        self.running = None if running is None else {name: xp.asarray(value) for name, value in running.items()}

    def put(self, x: np.ndarray, labels: np.ndarray) -> tuple[Array, Array]:
        """Images and labels as `epoch` takes them."""
        return self.xp.asarray(x), self.xp.asarray(labels)

    def epoch(self, x: Array, labels: Array, parts: list[np.ndarray], eta: float, gamma: float) -> float:
        """A step on each part of the images; the sum of the losses, each at the parameters of its step."""
        total: Any = 0.0
        for part in parts:
            chosen = self.xp.asarray(part)
            value, grad, moments = self._slopes(self.xp.take(x, chosen, axis=0), self.xp.take(labels, chosen, axis=0))
            total = total + len(part) * value
            for name in self.at:
                self.average[name] = gamma * self.average[name] + (1 - gamma) * grad[name]
                self.at[name] = self.at[name] - eta * self.average[name]
            if self.net.normalized:
                self.running = running(self.running, moments)
        return float(total)

    def _parts(self, size: int, whole: bool) -> list[slice]:
        """The images that are computed at once: all, or as many as have room."""
        step = size if whole else self.most
        return [slice(first, min(first + step, size)) for first in range(0, size, step)]

    def _slopes(self, x: Array, labels: Array) -> tuple[Any, dict[str, Array], dict[str, Array]]:
        """As `slopes`; a normalization needs the batch as a whole."""
        parts = self._parts(x.shape[0], self.net.normalized)
        if len(parts) == 1:
            return slopes(self.net, self.at, x, labels)
        value: Any = 0.0
        total = {name: 0 * one for name, one in self.at.items()}
        for part in parts:
            share = (part.stop - part.start) / x.shape[0]
            one, grad, _ = slopes(self.net, self.at, x[part, ...], labels[part])
            value = value + share * one
            total = {name: total[name] + share * grad[name] for name in total}
        return value, total, {}

    def outputs(self, x: Array) -> np.ndarray:
        """o (n, K), in NumPy, with the running statistics if there are any, else with those of x."""
        parts = self._parts(x.shape[0], self.net.normalized and self.running is None)
        found = [_here(output(self.net, self.at, x[part, ...], self.running)) for part in parts]
        return np.concatenate(found) if found else np.empty((0, self.net.classes))

    def theta(self) -> dict[str, np.ndarray]:
        """The parameters, in NumPy."""
        return {name: _here(value) for name, value in self.at.items()}


def _here(value: Array) -> np.ndarray:
    return value.get() if hasattr(value, "get") else np.asarray(value)


def _engine(
    net: Architecture,
    theta: Mapping[str, Array],
    dtype: Any,
    backend: str,
    statistics: Mapping[str, Array] | None = None,
) -> Any:
    """What runs a network: there is no machine code for normalization, which NumPy does in its place."""
    if backend == "compiled" and not net.normalized:
        from lemmascope.sims.images.compiled import Machine

        return Machine(net, theta, dtype)
    if backend != "cupy":
        return _Arrays(net, theta, dtype, np, statistics)
    from lemmascope.sims.cubic_cnn.backends.device import cupy_or_refused

    return _Arrays(net, theta, dtype, cupy_or_refused(), statistics)


def _check(net: Architecture, x: np.ndarray, labels: np.ndarray, backend: str) -> None:
    if backend not in BACKENDS:
        raise InputError("backend", backend, f"it must be one of {', '.join(BACKENDS)}")
    if x.ndim != 4 or x.shape[1:] != net.shape or not len(x):
        raise InputError("x", x.shape, f"it must be one or more images of {net.shape}")
    if x.dtype not in (np.float32, np.float64):
        raise InputError("x", x.dtype.name, "it must be float32 or float64")
    if labels.shape != x.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise InputError("labels", labels.shape, "it must be an integer for each image")
    if not 0 <= labels.min() <= labels.max() < net.classes:
        raise InputError("labels", (int(labels.min()), int(labels.max())), f"they must lie in 0 … {net.classes - 1}")


def _finite(theta: Mapping[str, np.ndarray]) -> bool:
    return all(bool(np.isfinite(value).all()) for value in theta.values())


def _share(o: np.ndarray, labels: np.ndarray, right: bool) -> float:
    """Of images whose largest output is their label's, or is not; what is not finite is a guess: 1/K are right."""
    guessed = 1 / o.shape[1] if right else 1 - 1 / o.shape[1]
    return float(np.where(np.isfinite(o).all(axis=1), (o.argmax(axis=1) == labels) == right, guessed).mean())


def _mean_loss(o: np.ndarray, labels: np.ndarray) -> float:
    below = (o - o.max(axis=1, keepdims=True)).astype(float)
    return float(np.mean(np.log(np.exp(below).sum(axis=1)) - below[np.arange(labels.size), labels]))


def accuracy(
    net: Architecture,
    theta: Mapping[str, np.ndarray],
    x: np.ndarray,
    labels: np.ndarray,
    statistics: Mapping[str, np.ndarray] | None = None,
    backend: str = "numpy",
) -> float:
    """The share of images x (n, H, W, C) that are classified as their labels (n,) say.

    Args:
        statistics: as `Trained` has them; None takes those of x.

    Returns:
        A number in [0, 1]; parameters that are not finite, as of a run that diverged, guess: 1/K.

    Raises:
        InputError: an argument is out of its range, or there is no CuPy.
    """
    _check(net, x, labels, backend)
    if not _finite(theta):
        return 1 / net.classes
    engine = _engine(net, theta, x.dtype, backend, statistics)
    return _share(engine.outputs(engine.put(x, labels)[0]), labels, right=True)


def train(
    net: Architecture,
    theta: Mapping[str, np.ndarray],
    x: np.ndarray,
    labels: np.ndarray,
    *,
    eta: float,
    gamma: float,
    batch: int,
    epochs: int,
    order: np.random.Generator,
    augment: np.random.Generator | None = None,
    backend: str = "numpy",
) -> Trained:
    """SGD with momentum in the average form, g ← γg + (1 − γ)∇L_B, θ ← θ − ηg, from g = 0.

    Args:
        net, theta: the network and its initial parameters, which stay as they are.
        x, labels: (N, H, W, C) of the number type in which to compute, and (N,) of 0 … K − 1.
        eta, gamma: learning rate and momentum; 0 is SGD.
        batch: B, images a step, without replacement (`batches`); N is gradient descent, whatever the order.
        epochs: passes through all images.
        order: gives every epoch its permutation; augment: draws flips and shifts of every epoch (`augmented`).
        backend: "numpy", "compiled" or "cupy"; compiled takes NumPy for a network with normalization.

    Returns:
        The network at the end, judged on the training images as they are, with running statistics.

    Raises:
        InputError: an argument is out of its range, or there is no CuPy.
    """
    _check(net, x, labels, backend)
    check_number("eta", eta, 0, open_low=True)
    check_number("gamma", gamma, 0, 1, open_high=True)
    check_size("epochs", epochs, 0)
    if check_size("batch", batch) > len(x):
        raise InputError("batch", batch, f"there are {len(x)} images")
    engine = _engine(net, theta, x.dtype, backend)
    images, classes = engine.put(x, labels)
    seen, fine, done = images, True, 0
    while fine and done < epochs:
        stopping.check()
        if augment is not None:
            seen = engine.put(augmented(x, augment), labels)[0]
        with np.errstate(over="ignore", invalid="ignore"):  # what diverges is found below
            total = engine.epoch(seen, classes, batches(len(x), batch, order), eta, gamma)
        done += 1
        fine = math.isfinite(total) and _finite(engine.theta())
    o = engine.outputs(images) if fine else np.empty((0, net.classes))
    return Trained(
        theta=engine.theta(),
        statistics=None if engine.running is None else {name: _here(one) for name, one in engine.running.items()},
        error=_share(o, labels, right=False) if fine else 1 - 1 / net.classes,
        loss=_mean_loss(o, labels) if fine else math.inf,
        diverged=not fine,
        epochs=done,
        steps=done * -(-len(x) // batch),
    )
