"""Networks trained on several draws by several learning rates and momenta each, by what the machine has."""

from __future__ import annotations

__all__ = ["BACKENDS", "resolve", "train_all"]

from collections.abc import Sequence
from typing import Any

import numpy as np

from lemmascope.sims import stopping
from lemmascope.sims.cubic_cnn.backends import auto
from lemmascope.sims.cubic_cnn.backends.choice import choose_backend
from lemmascope.sims.teacher import arrays
from lemmascope.theory.errors import InputError
from lemmascope.theory.teacher.networks import Network

BACKENDS = ("auto", "compiled", "numpy", "cupy")
MOST = {"numpy": 2**21, "cupy": 2**26}
"""Numbers in the activations of a layer that are held at a time."""

Trained = tuple[dict[str, np.ndarray], tuple[float, float]]


def resolve(backend: str) -> str:
    """What "auto" stands for: machine code where there is any. A device is used where it is asked for."""
    return auto.resolve(backend, ("compiled", "numpy"))


def train_all(
    network: Network,
    starts: Sequence[dict[str, np.ndarray]],
    X: np.ndarray,
    y: np.ndarray,
    rules: Sequence[tuple[float, float]],
    *,
    epochs: int,
    early: int = 0,
    bias: bool = True,
    backend: str = "auto",
    xp: Any = None,
) -> list[list[Trained]]:
    """Each draw trained by each rule, full-batch; one run of these does not know of the others.

    Args:
        network: the architecture; starts: the initial parameters of each draw.
        X, y: (draws, N, P q) and (draws, N), of the number type in which to compute.
        rules: (learning rate, momentum) each; momentum 0 is GD.
        epochs, early, bias: as of `sims.teacher.loop.train`.
        backend: one of `BACKENDS`: machine code, run after run, or one batch of arrays for all runs that fit.
        xp: the array library of the backend "numpy"; default NumPy.

    Returns:
        By draw and rule the parameters, and the training errors before step ``early`` and after the last.

    Raises:
        InputError: a backend that is unknown, or not there.
    """
    if backend not in BACKENDS:
        raise InputError("backend", backend, f"it must be one of {', '.join(BACKENDS)}")
    chosen = resolve(backend)
    rest: dict[str, Any] = {"epochs": epochs, "early": early, "bias": bias}
    if chosen == "compiled":
        from lemmascope.sims.teacher.loop import train

        found: list[list[Trained]] = []
        for start, inputs, labels in zip(starts, X, y, strict=True):
            found.append([])
            for eta, gamma in rules:
                stopping.check()
                found[-1].append(train(network, start, inputs, labels, eta=eta, gamma=gamma, **rest))
        return found
    if xp is None:
        xp = choose_backend(chosen, {}).xp
    one = X.shape[1] * network.positions * network.width * len(rules)
    size = max(1, MOST[chosen] // one)
    parts = [slice(first, first + size) for first in range(0, len(starts), size)]
    return [run for at in parts for run in _batch(network, starts[at], X[at], y[at], rules, xp, rest)]


def _batch(
    network: Network,
    starts: Sequence[dict[str, np.ndarray]],
    X: np.ndarray,
    y: np.ndarray,
    rules: Sequence[tuple[float, float]],
    xp: Any,
    rest: dict[str, Any],
) -> list[list[Trained]]:
    """`train_all` of draws that fit, as one batch (draws, rules, …)."""
    dtype = X.dtype

    def repeated(name: str) -> Any:
        each = np.stack([start[name] for start in starts]).astype(dtype)[:, None]
        return xp.asarray(np.repeat(each, len(rules), axis=1))

    theta = {name: repeated(name) for name in starts[0]}
    eta, gamma = (xp.asarray(np.array(x, dtype)) for x in zip(*rules, strict=True))
    with np.errstate(over="ignore", invalid="ignore"):
        theta, errors = arrays.train(
            network, theta, xp.asarray(X[:, None]), xp.asarray(y[:, None]), eta=eta, gamma=gamma, **rest
        )
    host = {name: _host(x) for name, x in theta.items()}
    seen = _host(errors)
    return [
        [
            ({name: x[s, r] for name, x in host.items()}, (float(seen[s, r, 0]), float(seen[s, r, 1])))
            for r in range(len(rules))
        ]
        for s in range(len(starts))
    ]


def _host(x: Any) -> np.ndarray:
    return np.asarray(x.get() if hasattr(x, "get") else x)
