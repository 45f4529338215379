"""The reference: many networks trained as one batch, on arrays of any library of the standard."""

from __future__ import annotations

__all__ = ["train"]

from typing import Any

from array_api_compat import array_namespace

from lemmascope.sims import stopping
from lemmascope.theory.teacher.networks import Network, gradient, output

Array = Any
OFTEN = 16
"""Steps between two looks at whether to end."""


def train(
    network: Network,
    theta: dict[str, Array],
    X: Array,
    y: Array,
    *,
    eta: Array,
    gamma: Array,
    epochs: int,
    early: int = 0,
    bias: bool = True,
) -> tuple[dict[str, Array], Array]:
    """Gradient descent with momentum in the average form, over all samples, of a batch of networks.

    Args:
        network: the architecture of all; theta: initial parameters (…, *shape), which stay as they are.
        X, y: (…, N, P q) and (…, N); their leading axes, and those of eta and gamma, broadcast to the parameters'.
        eta, gamma: learning rates and momenta; 0 is GD.
        epochs, early, bias: as of `sims.teacher.loop.train`.

    Returns:
        The parameters, and the training errors (…, 2) before step ``early`` and after the last (1 where it diverged).
    """
    xp = array_namespace(X)
    theta = dict(theta)
    average = {name: xp.zeros_like(x) for name, x in theta.items()}
    along = theta["c"].ndim - 1  # leading axes
    trained = [name for name in theta if bias or name in ("W", "U", "v")]

    def like(rate: Array, x: Array) -> Array:
        return xp.reshape(rate, (*rate.shape, *(1,) * (x.ndim - along)))

    def errors() -> Array:
        wrong = xp.logical_not(y * output(network, theta, X) > 0)
        return xp.mean(xp.astype(wrong, X.dtype), axis=-1)

    seen = {}
    for t in range(epochs + 1):
        if t % OFTEN == 0:
            stopping.check()
        if t in (early, epochs):
            seen[t] = errors()
        if t == epochs:
            break
        slopes = gradient(network, theta, X, y)
        for name in trained:
            old, slope = average[name], slopes[name]
            average[name] = like(gamma, slope) * old + like(1 - gamma, slope) * slope
            theta[name] = theta[name] - like(eta, slope) * average[name]
    first = seen[early] if early in seen else xp.zeros_like(seen[epochs])
    return theta, xp.stack([first, seen[epochs]], axis=-1)
