"""What is true of every network and order: gradients against differences, the epoch loop against gradient descent."""

from __future__ import annotations

__all__ = ["IMAGES", "NETWORKS", "distance", "gradient_errors"]

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lemmascope.sims.images.loop import train
from lemmascope.theory.images.networks import KINDS, Architecture, gradient, loss, pattern

NETWORKS = {
    f"{kind}{', normalized' * normalized}": Architecture(kind, (8, 8, 2), 3, (3, 4), normalized)
    for kind in KINDS
    for normalized in (False, True)
}
"""Of which gradients are checked."""

STEP = 1e-4
ENTRIES = 3
"""Of each parameter, at which its derivatives are compared."""

IMAGES, EPOCHS, ETA = 20, 5, 0.1
"""Of the epoch loop."""


def gradient_errors(net: Architecture, rng: np.random.Generator) -> tuple[float, float]:
    """Largest distance of ∇L from central differences, over its largest entry, at entries away from kinks.

    Args:
        net: the network.
        rng: draws images, labels, parameters and entries.

    Returns:
        That of the gradient, and that of one whose kernels are not reversed on the way back.
    """
    x, labels = rng.standard_normal((4, *net.shape)), rng.integers(0, net.classes, 4)
    theta = {key: w + 0.1 * rng.standard_normal(w.shape) for key, w in net.initial(rng.standard_normal).items()}
    both = [gradient(net, theta, x, labels, reversed=one) for one in (True, False)]
    scale = max(float(np.abs(w).max()) for w in both[0].values())
    worst = [0.0, 0.0]
    for key, values in theta.items():
        flat = values.reshape(-1)
        for k in map(int, rng.permutation(flat.size)[:ENTRIES]):
            found = _derivative(net, theta, x, labels, flat, k)
            if found is not None:
                apart = [abs(found - one[key].reshape(-1)[k]) / scale for one in both]
                worst = [max(pair) for pair in zip(worst, apart, strict=True)]
    return worst[0], worst[1]


def _derivative(
    net: Architecture, theta: Mapping[str, np.ndarray], x: np.ndarray, labels: np.ndarray, flat: np.ndarray, k: int
) -> float | None:
    """A central difference of the fourth order; None where a kink lies between."""
    at, values, patterns = flat[k], [], [pattern(net, theta, x)]
    for shift in (-2, -1, 1, 2):
        flat[k] = at + shift * STEP
        values.append(loss(net, theta, x, labels))
        patterns.append(pattern(net, theta, x))
    flat[k] = at
    if any((other != patterns[0]).any() for other in patterns):
        return None
    return (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * STEP)


def distance(
    net: Architecture, rng: Callable[[str], np.random.Generator], batch: int, gamma: float, backend: str, dtype: str
) -> float:
    """How far the epoch loop ends from gradient descent written out, and from itself in another order.

    The first is of the loop on NumPy, which has the same sums; the second of the backend. On noise and random labels.

    Args:
        net: the network; rng: from a name to its generator.
        batch: of `IMAGES`.
        gamma, backend, dtype: momentum, and what the second is computed in.

    Returns:
        The larger of both, over all parameters.
    """
    drawn = rng("descent")
    x = drawn.standard_normal((IMAGES, *net.shape)).astype(dtype)
    labels = drawn.integers(0, net.classes, IMAGES)
    start = {name: w.astype(dtype) for name, w in net.initial(drawn.standard_normal).items()}
    plain, average = dict(start), {name: 0 * w for name, w in start.items()}
    for _ in range(EPOCHS):
        slopes = gradient(net, plain, x, labels)
        for name in plain:
            average[name] = gamma * average[name] + (1 - gamma) * slopes[name]
            plain[name] = plain[name] - ETA * average[name]

    def end(which: str, order: str) -> Mapping[str, np.ndarray]:
        keywords: dict[str, Any] = {"eta": ETA, "gamma": gamma, "batch": batch, "epochs": EPOCHS}
        return train(net, start, x, labels, order=rng(order), backend=which, **keywords).theta

    pairs = ((end("numpy", "one order"), plain), (end(backend, "one order"), end(backend, "another order")))
    return max(float(np.abs(a[name] - b[name]).max()) for a, b in pairs for name in plain)
