"""Training of one network by SGD with momentum: epochs of batches without replacement, on any backend."""

from __future__ import annotations

__all__ = ["BACKENDS", "Trained", "accuracy", "augmented", "train"]

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lemmascope.sims import stopping
from lemmascope.theory.errors import InputError, check_number, check_size
from lemmascope.theory.images.networks import Architecture, output, slopes
from lemmascope.theory.images.normalization import running

Array = Any

BACKENDS = ("numpy", "compiled", "cupy")

LARGEST = {"numpy": 2**22, "cupy": 2**27}
"""Numbers in the largest cols(a) of images that are computed at once."""


@dataclass(frozen=True)
class Trained:
    """A network at the end of its training.

    Attributes:
        theta: the parameters, in NumPy; statistics: the running ones of its normalizations, or None.
        error: share of training images that are misclassified at the end; loss: the mean cross-entropy there.
        diverged: whether the loss of a batch was not finite: the run ended with that epoch; what has no finite
            output is a guess, so error is 1 − 1/K if that is all, and loss is infinite.
        epochs, steps: that were taken.
    """

    theta: dict[str, np.ndarray]
    statistics: dict[str, np.ndarray] | None
    error: float
    loss: float
    diverged: bool
    epochs: int
    steps: int


def batches(size: int, batch: int, order: np.random.Generator) -> Iterator[np.ndarray]:
    """The batches of one epoch: a permutation of 0 … size − 1 in parts, the last one smaller where ``batch`` does not
    divide ``size``. A batch is a set: its numbers are sorted, so that one of all is the data as they are."""
    permuted = order.permutation(size)
    for first in range(0, size, batch):
        yield np.sort(permuted[first : first + batch])


def augmented(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every image flipped from left to right by chance ½, and shifted by up to an eighth of its sides, 0 moving in.

    That is a crop of the image with a border of zeros: of 4 on 32 × 32, of 1 on 8 × 8. All images are drawn, in their
    own order, so the draws of an epoch do not depend on its batches.
    """
    n, height, width, _ = x.shape
    up, left = height // 8, width // 8
    flipped = rng.integers(0, 2, n, dtype=bool)
    rows = np.arange(height) + rng.integers(0, 2 * up + 1, n)[:, None]
    columns = np.arange(width) + rng.integers(0, 2 * left + 1, n)[:, None]
    columns = np.where(flipped[:, None], columns[:, ::-1], columns)
    padded = np.pad(x, ((0, 0), (up, up), (left, left), (0, 0)))
    return padded[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]


def _namespace(backend: str) -> Any:
    if backend == "cupy":
        try:
            import cupy
        except ImportError as error:
            raise InputError("backend", backend, "CuPy is not installed: pip install 'lemmascope[gpu]'") from error
        return cupy
    return np


def _here(values: Mapping[str, Array]) -> dict[str, np.ndarray]:
    return {name: value.get() if hasattr(value, "get") else np.asarray(value) for name, value in values.items()}


def _parts(net: Architecture, size: int, largest: int) -> Iterator[slice]:
    """Slices of so many images that can be computed at once."""
    each = max(9 * one.into * one.height * one.width for one in net.convolutions)
    step = max(1, largest // each)
    for first in range(0, size, step):
        yield slice(first, min(first + step, size))


def _slopes(
    net: Architecture, theta: Mapping[str, Array], x: Array, labels: Array, largest: int
) -> tuple[float, dict[str, Array], dict[str, Array]]:
    """As `slopes`, in parts where the batch is too large for one; a normalization needs the batch as a whole."""
    parts = [slice(0, x.shape[0])] if net.normalized else list(_parts(net, x.shape[0], largest))
    if len(parts) == 1:
        return slopes(net, theta, x, labels)
    total, value = {name: 0 * one for name, one in theta.items()}, 0.0
    for part in parts:
        share = (part.stop - part.start) / x.shape[0]
        one, grad, _ = slopes(net, theta, x[part], labels[part])
        value += share * one
        total = {name: total[name] + share * grad[name] for name in total}
    return value, total, {}


def _outputs(
    net: Architecture, theta: Mapping[str, Array], x: Array, statistics: Mapping[str, Array] | None, xp: Any, most: int
) -> Array:
    whole = net.normalized and statistics is None
    parts = [slice(0, x.shape[0])] if whole else _parts(net, x.shape[0], most)
    return xp.concatenate([output(net, theta, x[part], statistics) for part in parts])


def _wrong(o: np.ndarray, labels: np.ndarray) -> float:
    """The share of images whose largest output is not their label's; what is not finite is a guess, and 1 − 1/K."""
    fine = np.isfinite(o).all(axis=1)
    return float(np.where(fine, np.argmax(o, axis=1) != labels, 1 - 1 / o.shape[1]).mean())


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
        statistics: as `Trained` has them; None takes those of x. An image without finite outputs counts 1/K.
    """
    _check(net, x, labels, backend)
    backend = _used(net, backend)
    xp, most = _namespace(backend), LARGEST.get(backend, LARGEST["numpy"])
    theta = {name: xp.asarray(value) for name, value in theta.items()}
    if statistics is not None:
        statistics = {name: xp.asarray(value) for name, value in statistics.items()}
    o = _outputs(net, theta, xp.asarray(x), statistics, xp, most)
    return 1 - _wrong(_here({"o": o})["o"], labels)


def _used(net: Architecture, backend: str) -> str:
    """What runs it: there is no machine code for normalization, which NumPy does in its place."""
    return "numpy"


def _check(net: Architecture, x: np.ndarray, labels: np.ndarray, backend: str) -> None:
    if backend not in BACKENDS:
        raise InputError("backend", backend, f"it must be one of {', '.join(BACKENDS)}")
    if x.ndim != 4 or x.shape[1:] != net.shape:
        raise InputError("x", x.shape, f"it must be images of {net.shape}")
    if labels.shape != x.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise InputError("labels", labels.shape, "it must be an integer for each image")
    if labels.size and not 0 <= labels.min() <= labels.max() < net.classes:
        raise InputError("labels", (int(labels.min()), int(labels.max())), f"they must lie in 0 … {net.classes - 1}")


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
    """SGD with momentum in the average form, g ← γg + (1 − γ)∇L_B, θ ← θ − ηg, g = 0 at the start.

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
    if check_size("batch", batch) > x.shape[0]:
        raise InputError("batch", batch, f"there are {x.shape[0]} images")
    backend = _used(net, backend)
    xp, most = _namespace(backend), LARGEST.get(backend, LARGEST["numpy"])
    dtype = x.dtype
    at = {name: xp.asarray(theta[name], dtype=dtype) for name in net.shapes}
    average = {name: 0 * value for name, value in at.items()}
    images, classes = xp.asarray(x), xp.asarray(labels)
    statistics, done, steps, fine = None, 0, 0, True
    for _ in range(epochs):
        stopping.check()
        seen = images if augment is None else xp.asarray(augmented(x, augment))
        for one in batches(x.shape[0], batch, order):
            here = xp.asarray(one)
            value, grad, moments = _slopes(net, at, seen[here], classes[here], most)
            fine = fine and bool(np.isfinite(value))
            for name in at:
                average[name] = gamma * average[name] + (1 - gamma) * grad[name]
                at[name] = at[name] - eta * average[name]
            if net.normalized:
                statistics = running(statistics, moments)
            steps += 1
        done += 1
        if not fine:
            break
    o = _here({"o": _outputs(net, at, images, statistics, xp, most)})["o"]
    return Trained(
        theta=_here(at),
        statistics=None if statistics is None else _here(statistics),
        error=_wrong(o, labels),
        loss=_mean_loss(o, labels) if fine else float("inf"),
        diverged=not fine,
        epochs=done,
        steps=steps,
    )


def _mean_loss(o: np.ndarray, labels: np.ndarray) -> float:
    below = o - o.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(below).sum(axis=1)) - below[np.arange(labels.size), labels]))
